//! The files in the Secret: they work as they are, written to a folder.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use super::certificate;
use super::password;
use super::state::{ComputeAccess, Credentials, Login, RdpAccess, SshAccess};
use crate::plan::conditions::to_the_second;
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::secret::{SecretKind, SecretMaterial};
use crate::plan::{KeyFound, SecretText};

/// The port of SSH.
const SSH: &str = "22";
/// The port of RDP.
const RDP: &str = "3389";
/// How long a certificate of Lightsail lives where neither AWS nor the certificate says: what its users observe.
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// Credentials that live no longer than this are none: they would be asked for in a loop.
const SHORTEST: Duration = Duration::from_secs(5);

/// What goes into the Secret.
#[derive(Debug, PartialEq)]
pub struct Contents {
    /// Its type.
    pub kind: SecretKind,
    /// Its files.
    pub material: SecretMaterial,
    /// When the credentials expire, if that is known.
    pub expires: Option<Timestamp>,
}

/// Makes the files, for a grant of this name, of what AWS gave at this time. `key` is what was found of `decryptionKeyRef`.
///
/// # Errors
/// What they wait for, or what is wrong.
pub fn contents(
    grant: &str,
    given: &Credentials,
    key: Option<&KeyFound>,
    address: Option<&str>,
    now: Timestamp,
) -> Result<Contents, Verdict> {
    match given {
        Credentials::Ssh(access) => ssh(grant, access, address, now),
        Credentials::Rdp(access) => rdp(access, key, address),
        Credentials::GameLiftSsh(login) => game_lift_ssh(grant, login, address),
        Credentials::GameLiftRdp(login) => game_lift_rdp(login, address),
        Credentials::Compute(access) => compute(access),
    }
}

fn ssh(grant: &str, access: &SshAccess, address: Option<&str>, now: Timestamp) -> Result<Contents, Verdict> {
    let host = host(access.host.as_deref(), address)?;
    let username = word(&access.username, "the user name")?;
    let mut known_hosts = String::new();
    for (algorithm, key) in &access.host_keys {
        if let (Ok(algorithm), Ok(key)) = (word(algorithm, "a host key"), word(key, "a host key"))
            && (algorithm.starts_with("ssh-") || algorithm.starts_with("ecdsa-"))
        {
            let _ = writeln!(known_hosts, "{host} {algorithm} {key}");
        }
    }
    if known_hosts.is_empty() {
        let text = "AWS has not seen the instance's host keys yet, without which nobody knows whom they log in to";
        return Err(Verdict::Working(Waiting::HostKeysUnknown, text.into()));
    }
    if access.private_key.reveal().trim().is_empty() || access.certificate.reveal().trim().is_empty() {
        return Err(not_given());
    }
    let expires = access.expires_at.or_else(|| certificate::valid_before(access.certificate.reveal()));
    let expires = to_the_second(expires.unwrap_or_else(|| now.checked_add(TEN_MINUTES).unwrap_or(now)));
    if expires <= now.checked_add(SHORTEST).unwrap_or(now) {
        let text = "AWS gave credentials that have expired: is the operator's clock right?";
        return Err(Verdict::Working(Waiting::AwsUnavailable, text.into()));
    }
    let mut material = SecretMaterial::default();
    material.put("ssh-privatekey", line(&access.private_key));
    material.put("ssh-privatekey-cert.pub", line(&access.certificate));
    material.put("known_hosts", known_hosts);
    let config = format!(
        "# In the folder that this file is in: ssh -F ssh_config {grant}\n\
         Host {grant}\n  HostName {host}\n  Port {SSH}\n  User {username}\n  IdentityFile ssh-privatekey\n  \
         CertificateFile ssh-privatekey-cert.pub\n  IdentitiesOnly yes\n  UserKnownHostsFile known_hosts\n  \
         StrictHostKeyChecking yes\n"
    );
    material.put("ssh_config", config);
    material.put("host", host.as_str());
    material.put("port", SSH);
    material.put("username", username);
    material.put("expires-at", expires.to_string());
    Ok(Contents { kind: SecretKind::SshAuth, material, expires: Some(expires) })
}

/// The key pair that Lightsail makes in each Region, and whose private key it has.
/// <https://docs.aws.amazon.com/lightsail/latest/userguide/understanding-ssh-in-amazon-lightsail.html>
const DEFAULT_KEY_PAIR: &str = "LightsailDefaultKeyPair";

fn rdp(access: &RdpAccess, key: Option<&KeyFound>, address: Option<&str>) -> Result<Contents, Verdict> {
    let host = host(access.host.as_deref(), address)?;
    let username = word(&access.username, "the user name")?;
    let mut material = SecretMaterial::default();
    let (password, ciphertext) = (access.password.reveal(), access.ciphertext.reveal());
    match (password.is_empty(), ciphertext.is_empty(), key) {
        (false, _, _) => material.put("password", password),
        (true, true, _) => {
            let text =
                "AWS does not have the password yet, which takes up to 15 minutes after the instance was created";
            return Err(Verdict::Working(Waiting::PasswordNotReady, text.into()));
        }
        // AWS decrypts what is for its own key pair itself: the password is on its way.
        (true, false, None) if access.key_pair_name == DEFAULT_KEY_PAIR => {
            let text = "AWS has not decrypted the password yet";
            return Err(Verdict::Working(Waiting::PasswordNotReady, text.into()));
        }
        (true, false, None) => {
            material.put("ciphertext", ciphertext);
            material.put("keyPairName", access.key_pair_name.as_str());
        }
        (true, false, Some(KeyFound::Value(key))) => match password::decrypt(ciphertext, key.reveal()) {
            Ok(password) => material.put("password", password.reveal()),
            Err(text) => return Err(Verdict::Stalled(Stall::DecryptionFailed, format!("decryptionKeyRef: {text}"))),
        },
        (true, false, Some(KeyFound::Absent)) => {
            let text = "decryptionKeyRef: there is no such Secret or key yet";
            return Err(Verdict::Working(Waiting::DependencyNotReady, text.into()));
        }
        (true, false, Some(KeyFound::NotPermitted(words))) => {
            let text = format!("decryptionKeyRef: the operator may not read it: {words}");
            return Err(Verdict::Stalled(Stall::SecretsNotPermitted, text));
        }
        (true, false, Some(KeyFound::Unknown)) => {
            let text = "decryptionKeyRef: the Secret could not be read";
            return Err(Verdict::Working(Waiting::DependencyNotReady, text.into()));
        }
        (true, false, Some(KeyFound::NotText)) => {
            return Err(Verdict::Stalled(Stall::DecryptionFailed, "decryptionKeyRef: the key is no text".into()));
        }
    }
    desktop(&mut material, &host, username);
    Ok(Contents { kind: SecretKind::Opaque, material, expires: None })
}

fn game_lift_ssh(grant: &str, login: &Login, address: Option<&str>) -> Result<Contents, Verdict> {
    let host = host(login.host.as_deref(), address)?;
    let username = word(&login.username, "the user name")?;
    if login.secret.reveal().trim().is_empty() {
        return Err(not_given());
    }
    let mut material = SecretMaterial::default();
    // AWS does not promise the newline at the end, without which ssh calls the key invalid.
    material.put("ssh-privatekey", line(&login.secret));
    // GameLift tells nobody the host keys: the first one that is seen is remembered.
    let config = format!(
        "# In the folder that this file is in: ssh -F ssh_config {grant}\n\
         Host {grant}\n  HostName {host}\n  Port {SSH}\n  User {username}\n  IdentityFile ssh-privatekey\n  \
         IdentitiesOnly yes\n  UserKnownHostsFile known_hosts\n  StrictHostKeyChecking accept-new\n"
    );
    material.put("ssh_config", config);
    material.put("host", host.as_str());
    material.put("port", SSH);
    material.put("username", username);
    Ok(Contents { kind: SecretKind::SshAuth, material, expires: None })
}

fn game_lift_rdp(login: &Login, address: Option<&str>) -> Result<Contents, Verdict> {
    let host = host(login.host.as_deref(), address)?;
    let username = word(&login.username, "the user name")?;
    if login.secret.reveal().is_empty() {
        return Err(not_given());
    }
    let mut material = SecretMaterial::default();
    material.put("password", login.secret.reveal());
    desktop(&mut material, &host, username);
    Ok(Contents { kind: SecretKind::Opaque, material, expires: None })
}

fn compute(access: &ComputeAccess) -> Result<Contents, Verdict> {
    let id = secret_word(&access.access_key_id)?;
    let key = secret_word(&access.secret_access_key)?;
    let token = secret_word(&access.session_token)?;
    let region = word(&access.region, "the Region")?;
    let target = word(&access.target, "the target")?;
    let mut material = SecretMaterial::default();
    let mut credentials = String::with_capacity(id.len() + key.len() + token.len() + 128);
    let _ = write!(
        credentials,
        "[default]\naws_access_key_id = {id}\naws_secret_access_key = {key}\naws_session_token = {token}\n"
    );
    material.put("credentials", credentials);
    material.put("AWS_ACCESS_KEY_ID", id);
    material.put("AWS_SECRET_ACCESS_KEY", key);
    material.put("AWS_SESSION_TOKEN", token);
    material.put("AWS_REGION", region);
    material.put("target", target);
    material.put("connect.sh", connect(target, region));
    if !access.containers.is_empty() {
        let named =
            |(name, id): &(String, String)| serde_json::json!({ "containerName": name, "containerRuntimeId": id });
        let list: Vec<serde_json::Value> = access.containers.iter().map(named).collect();
        material.put("containers.json", format!("{}\n", serde_json::Value::from(list)));
    }
    Ok(Contents { kind: SecretKind::Opaque, material, expires: None })
}

/// A script beside the file `credentials`. What the caller's own environment says of AWS would come first, so it is put away.
fn connect(target: &str, region: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # Needs the aws command line and its Session Manager plugin.\n\
         here=$(dirname -- \"$0\")\n\
         unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE\n\
         AWS_SHARED_CREDENTIALS_FILE=\"$here/credentials\"\n\
         AWS_CONFIG_FILE=/dev/null\n\
         export AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE\n\
         exec aws ssm start-session --target {} --region {} \"$@\"\n",
        quoted(target),
        quoted(region)
    )
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What RDP clients want besides the password, which no file of theirs ever holds.
fn desktop(material: &mut SecretMaterial, host: &str, username: &str) {
    let address = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    material.put("host", host);
    material.put("port", RDP);
    material.put("username", username);
    let file = format!("full address:s:{address}:{RDP}\r\nusername:s:{username}\r\nprompt for credentials:i:1\r\n");
    material.put("connection.rdp", file);
}

fn host(given: Option<&str>, known: Option<&str>) -> Result<String, Verdict> {
    let Some(host) = given.filter(|host| !host.is_empty()).or(known) else {
        return Err(Verdict::Working(Waiting::NoAddress, "the machine has no address yet".into()));
    };
    let host = word(host, "the address")?;
    let plain = !host.starts_with('-') && host.chars().all(|c| c.is_ascii_alphanumeric() || ".:-".contains(c));
    if plain { Ok(host.to_owned()) } else { Err(unreadable("the address")) }
}

/// A text that may stand in a line of any of these files: printable, and no more than one word.
fn word<'a>(text: &'a str, what: &str) -> Result<&'a str, Verdict> {
    let fine = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"\"'\\#".contains(c));
    if fine { Ok(text) } else { Err(unreadable(what)) }
}

fn secret_word(text: &SecretText) -> Result<&str, Verdict> {
    let text = text.reveal();
    let fine = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    if fine { Ok(text) } else { Err(not_given()) }
}

fn unreadable(what: &str) -> Verdict {
    Verdict::Working(Waiting::AwsUnavailable, format!("AWS gave {what} in a form that is not known"))
}

fn not_given() -> Verdict {
    Verdict::Working(Waiting::AwsUnavailable, "AWS answered without the credentials".into())
}

/// A text that ends with exactly one newline, in lines that end as ssh wants them.
fn line(text: &SecretText) -> Vec<u8> {
    let text = text.reveal();
    let mut line = Vec::with_capacity(text.len() + 1);
    line.extend(text.trim_end().bytes().filter(|byte| *byte != b'\r'));
    line.push(b'\n');
    line
}
