//! The files in the Secret, held to the tools that read them.

use std::collections::BTreeMap;
use std::process::Command;

use super::bed::*;
use crate::plan::access_grant::contents::{Contents, contents};
use crate::plan::access_grant::*;
use crate::plan::reason::Verdict;
use crate::plan::secret::SecretKind;
use crate::plan::{KeyFound, SecretText};

fn made(seen: AccessSeen, key: Option<&KeyFound>) -> Result<Contents, Verdict> {
    let AccessSeen::Given(given) = seen else { panic!("nothing given") };
    contents("fix-it", &given, key, None, at(NOW))
}

fn files(contents: &Contents) -> BTreeMap<&'static str, String> {
    contents.material.reveal().map(|(name, text)| (name, String::from_utf8(text.to_vec()).unwrap())).collect()
}

fn rdp(password: &str, ciphertext: &str) -> AccessSeen {
    AccessSeen::Given(Credentials::Rdp(RdpAccess {
        host: Some("198.51.100.7".into()),
        username: "Administrator".into(),
        password: SecretText::new(password.into()),
        ciphertext: SecretText::new(ciphertext.into()),
        key_pair_name: "team-key".into(),
    }))
}

#[test]
fn ssh_has_the_files_of_the_table_and_every_one_is_right() {
    let made = made(ssh(), None).unwrap();
    assert_eq!(made.kind, SecretKind::SshAuth);
    let files = files(&made);
    let names: Vec<&str> = files.keys().copied().collect();
    assert_eq!(
        names,
        [
            "expires-at",
            "host",
            "known_hosts",
            "port",
            "ssh-privatekey",
            "ssh-privatekey-cert.pub",
            "ssh_config",
            "username"
        ]
    );
    assert_eq!(files["expires-at"], "2026-11-22T12:10:00Z");
    assert_eq!(files["known_hosts"], "198.51.100.7 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA\n");
    assert_eq!(
        (files["host"].as_str(), files["port"].as_str(), files["username"].as_str()),
        ("198.51.100.7", "22", "ubuntu")
    );
    assert!(files["ssh-privatekey"].ends_with("-----END RSA PRIVATE KEY-----\n"));
}

#[test]
fn ssh_itself_reads_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(&made(ssh(), None).unwrap()) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output().ok()?;
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    };
    // Where OpenSSH is not installed there is nothing to hold the files to; the table above still is.
    let Some(config) = run("ssh", &["-G", "-F", "ssh_config", "fix-it"]) else { return };
    for line in [
        "hostname 198.51.100.7",
        "user ubuntu",
        "port 22",
        "identityfile ssh-privatekey",
        "certificatefile ssh-privatekey-cert.pub",
        "userknownhostsfile known_hosts",
        "stricthostkeychecking true",
        "identitiesonly yes",
    ] {
        assert!(config.lines().any(|said| said == line), "{line} is not in\n{config}");
    }
    let certificate = run("ssh-keygen", &["-L", "-f", "ssh-privatekey-cert.pub"]).unwrap();
    assert!(certificate.contains("ubuntu"), "{certificate}");
    let found = run("ssh-keygen", &["-F", "198.51.100.7", "-f", "known_hosts"]).unwrap();
    assert!(found.contains("ssh-ed25519"), "{found}");
}

#[test]
fn a_password_comes_clear_decrypted_or_as_it_is() {
    let key = KeyFound::Value(SecretText::new(include_str!("vectors/pkcs1.pem").into()));
    let encrypted = include_str!("vectors/password.b64");
    let clear = files(&made(rdp("pass", ""), None).unwrap());
    assert_eq!(clear.keys().copied().collect::<Vec<_>>(), ["connection.rdp", "host", "password", "port", "username"]);
    assert_eq!(
        clear["connection.rdp"],
        "full address:s:198.51.100.7:3389\r\nusername:s:Administrator\r\nprompt for credentials:i:1\r\n"
    );
    let decrypted = files(&made(rdp("", encrypted), Some(&key)).unwrap());
    assert_eq!(decrypted["password"], "p4ss Wörd!");
    let passed_on = files(&made(rdp("", encrypted), None).unwrap());
    assert_eq!(
        passed_on.keys().copied().collect::<Vec<_>>(),
        ["ciphertext", "connection.rdp", "host", "keyPairName", "port", "username"]
    );
    assert_eq!((passed_on["ciphertext"].as_str(), passed_on["keyPairName"].as_str()), (encrypted, "team-key"));
}

#[test]
fn a_password_that_is_not_there_or_not_ours_to_read_is_told() {
    let encrypted = include_str!("vectors/password.b64");
    let other = KeyFound::Value(SecretText::new(include_str!("vectors/other.pem").into()));
    let rows = [
        (rdp("", ""), None, "PasswordNotReady"),
        (rdp("", ""), Some(&other), "PasswordNotReady"),
        (rdp("", encrypted), Some(&other), "DecryptionFailed"),
        (rdp("", encrypted), Some(&KeyFound::Absent), "DependencyNotReady"),
        (rdp("", encrypted), Some(&KeyFound::Unknown), "DependencyNotReady"),
        (rdp("", encrypted), Some(&KeyFound::NotText), "DecryptionFailed"),
        (rdp("", encrypted), Some(&KeyFound::NotPermitted("no".into())), "SecretsNotPermitted"),
    ];
    for (seen, key, reason) in rows {
        assert_eq!(made(seen, key).unwrap_err().reason(), reason);
    }
}

#[test]
fn a_gamelift_key_gets_the_newline_that_aws_leaves_out() {
    let login = |secret: &str| Login {
        host: Some("203.0.113.5".into()),
        username: "gl-user-remote".into(),
        secret: SecretText::new(secret.into()),
    };
    let linux = made(AccessSeen::Given(Credentials::GameLiftSsh(login(PEM.trim_end()))), None).unwrap();
    let files_of_linux = files(&linux);
    assert_eq!(
        files_of_linux.keys().copied().collect::<Vec<_>>(),
        ["host", "port", "ssh-privatekey", "ssh_config", "username"]
    );
    assert_eq!(files_of_linux["ssh-privatekey"], PEM);
    let windows = made(AccessSeen::Given(Credentials::GameLiftRdp(login("pass"))), None).unwrap();
    assert_eq!(
        files(&windows).keys().copied().collect::<Vec<_>>(),
        ["connection.rdp", "host", "password", "port", "username"]
    );
    assert!(!files(&windows)["connection.rdp"].contains("pass:"));
}

fn compute(containers: &[(&str, &str)]) -> AccessSeen {
    AccessSeen::Given(Credentials::Compute(ComputeAccess {
        access_key_id: SecretText::new("ASIAEXAMPLE".into()),
        secret_access_key: SecretText::new("secret/key+".into()),
        session_token: SecretText::new("token==".into()),
        target: "i-0a1b".into(),
        region: "eu-west-1".into(),
        containers: containers.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect(),
    }))
}

#[test]
fn a_compute_has_the_files_of_the_aws_tools() {
    let files = files(&made(compute(&[("game", "abc\"123")]), None).unwrap());
    assert_eq!(
        files.keys().copied().collect::<Vec<_>>(),
        [
            "AWS_ACCESS_KEY_ID",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "connect.sh",
            "containers.json",
            "credentials",
            "target"
        ]
    );
    assert_eq!(
        files["credentials"],
        "[default]\naws_access_key_id = ASIAEXAMPLE\naws_secret_access_key = secret/key+\naws_session_token = token==\n"
    );
    assert_eq!(files["containers.json"], "[{\"containerName\":\"game\",\"containerRuntimeId\":\"abc\\\"123\"}]\n");
    assert!(!made(compute(&[]), None).unwrap().material.keys().any(|name| name == "containers.json"));
}

#[test]
fn connect_asks_systems_manager_with_these_credentials_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(&made(compute(&[]), None).unwrap()) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let aws = folder.path().join("aws");
    std::fs::write(&aws, "#!/bin/sh\necho \"$AWS_ACCESS_KEY_ID|$AWS_PROFILE|$AWS_SHARED_CREDENTIALS_FILE|$*\"\n")
        .unwrap();
    std::fs::set_permissions(&aws, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let output = Command::new("/bin/sh")
        .arg(folder.path().join("connect.sh"))
        .args(["--document-name", "x"])
        .env("PATH", path)
        .env("AWS_ACCESS_KEY_ID", "another")
        .env("AWS_PROFILE", "another")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let wanted = format!(
        "||{}/credentials|ssm start-session --target i-0a1b --region eu-west-1 --document-name x\n",
        folder.path().display()
    );
    assert_eq!(said, wanted);
}

#[test]
fn what_would_break_out_of_a_line_is_not_written() {
    let with = |username: &str, host: &str| {
        let AccessSeen::Given(Credentials::Ssh(access)) = ssh() else { panic!() };
        let access = SshAccess { username: username.into(), host: Some(host.into()), ..access };
        made(AccessSeen::Given(Credentials::Ssh(access)), None)
    };
    assert!(with("ubuntu", "198.51.100.7").is_ok());
    assert!(with("ubuntu", "2001:db8::7").is_ok());
    for (username, host) in [
        ("ubuntu\n  ProxyCommand touch /tmp/x", "198.51.100.7"),
        ("ubuntu x", "198.51.100.7"),
        ("", "198.51.100.7"),
        ("ubuntu", "198.51.100.7\nProxyCommand x"),
        ("ubuntu", "-oProxyCommand=x"),
        ("ubuntu", "-lroot"),
    ] {
        assert_eq!(with(username, host).unwrap_err().reason(), "AwsUnavailable", "{username} {host}");
    }
    let quoted = compute(&[]);
    let AccessSeen::Given(Credentials::Compute(access)) = quoted else { panic!() };
    let access = ComputeAccess { target: "i-1';rm -rf /;'".into(), ..access };
    assert!(made(AccessSeen::Given(Credentials::Compute(access)), None).is_err());
}
