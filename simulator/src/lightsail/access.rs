//! GetInstanceAccessDetails: a fresh key and certificate for SSH, the password or its ciphertext for RDP, and what the
//! instance proves itself by.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;

use super::instance::{Instance, InstanceState};
use super::key_pair::DEFAULT_KEY_PAIR;
use super::{invalid, not_found};
use crate::call::Call;
use crate::clock::{earlier, later};
use crate::keys::rsa::{self, Purpose};
use crate::keys::{NoKey, Password, certificate, host};
use crate::place::{Laws, Place};
use crate::settings::AccessWhenDown;
use crate::wire::{Refusal, Value, map};

/// A certificate is valid from so long before it was asked for: the 13 minutes of AWS's own sample are these and the ten
/// that people report.
const BACKDATED: Duration = Duration::from_secs(180);

/// Length of a Windows password, as EC2 makes them.
const PASSWORD_LENGTH: usize = 32;

/// What a Windows password consists of, besides letters and digits.
const MARKS: &[u8] = b"!@#$%*()-=+.,?";

/// The Administrator's first password. Lightsail keeps it whatever happens to it in Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WindowsPassword {
    pub(crate) clear: Password,
    /// Under the instance's key pair, when that is not the default one.
    ciphertext: Option<Password>,
    /// Until then Lightsail does not know it.
    ready_at: Timestamp,
}

impl WindowsPassword {
    /// A password for a new instance, encrypted under the public key (an SSH blob) unless there is none.
    pub(crate) fn draw(rng: &mut StdRng, key: Option<&[u8]>, ready_at: Timestamp) -> Result<Self, NoKey> {
        let letters = (b'a'..=b'z').chain(b'A'..=b'Z').chain(b'0'..=b'9').chain(MARKS.iter().copied());
        let letters: Vec<u8> = letters.collect();
        let clear: String =
            (0..PASSWORD_LENGTH).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect();
        let ciphertext = key.map(|blob| rsa::encrypt(blob, &clear)).transpose()?;
        Ok(Self { clear: Password(clear), ciphertext: ciphertext.map(Password), ready_at })
    }
}

/// GetInstanceAccessDetails.
pub(crate) fn get(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("instanceName");
    let instance = place.instance(name)?.clone();
    if instance.is_leaving() {
        return Err(not_found("Instance", name));
    }
    // The model says that the default is ssh; a sample of the developer guide shows rdp for a Windows instance.
    let rdp = call.input["protocol"].as_str().map_or(instance.blueprint.windows, |protocol| protocol == "rdp");
    if rdp != instance.blueprint.windows {
        let protocol = if rdp { "rdp" } else { "ssh" };
        return Err(invalid(format!("The protocol {protocol} is not supported for the Instance {name}.")));
    }
    if instance.state != InstanceState::Running && place.laws.access_when_down == AccessWhenDown::Refused {
        let message = format!(
            "The Instance {name} cannot be accessed when it is {}. Please try again when it is running.",
            instance.state.as_str()
        );
        return Err(Refusal::new("OperationFailureException", message));
    }
    let mut details = if rdp { password(&instance, call.seen_at) } else { temporary_keys(place, &instance, call.now)? };
    let attached = place.lightsail.static_ips.values().find(|ip| ip.is_attached_to(name));
    let address = instance.public_address(attached.map(|ip| ip.address.as_str()), call.seen_at);
    details.set("ipAddress", address);
    details.set("ipv6Addresses", Value::List(instance.ipv6.iter().map(|one| one.as_str().into()).collect()));
    details.set("protocol", if rdp { "rdp" } else { "ssh" });
    details.set("instanceName", name);
    details.set("username", instance.blueprint.username);
    details.set("hostKeys", host_keys(&instance, call.seen_at)?);
    Ok(map([("accessDetails", details)]))
}

/// A key and its certificate. Keys are used again after [`Laws::access_keys`] calls, certificates never.
fn temporary_keys(place: &mut Place, instance: &Instance, now: Timestamp) -> Result<Value, Refusal> {
    let Laws { access_keys, cert_ttl, .. } = place.laws;
    let key = rsa::key(Purpose::Access, place.lightsail.accesses % access_keys)?;
    place.lightsail.accesses += 1;
    let before = Timestamp::from_second(later(now, cert_ttl).as_second()).unwrap_or(Timestamp::MAX);
    let user = instance.blueprint.username;
    let certificate = certificate::sign(&key, user, earlier(now, BACKDATED), before, &mut place.rng)?;
    Ok(map([("certKey", certificate.into()), ("expiresAt", before.into()), ("privateKey", key.pem().into())]))
}

/// Empty texts until the password is known. Under a key pair of one's own it is only there as a ciphertext.
fn password(instance: &Instance, now: Timestamp) -> Value {
    let ready = instance.windows.as_ref().filter(|windows| windows.ready_at <= now);
    let own_key = instance.key_pair != DEFAULT_KEY_PAIR;
    let clear = ready.filter(|_| !own_key).map_or("", |windows| &windows.clear.0);
    let ciphertext = ready.and_then(|windows| windows.ciphertext.as_ref()).map_or("", |sealed| &sealed.0);
    let pair = instance.key_pair.as_str();
    map([
        ("password", clear.into()),
        ("passwordData", map([("ciphertext", ciphertext.into()), ("keyPairName", pair.into())])),
    ])
}

/// Empty until Lightsail has seen them.
fn host_keys(instance: &Instance, now: Timestamp) -> Result<Value, Refusal> {
    if instance.host_keys_at > now {
        return Ok(Value::List(Vec::new()));
    }
    if instance.blueprint.windows {
        let made = host::rdp_certificate(instance.host_seed, instance.created_at)?;
        let spelled = map([
            ("algorithm", "x509-cert".into()),
            ("publicKey", made.certificate.into()),
            ("witnessedAt", instance.host_keys_at.into()),
            ("fingerprintSHA1", made.fingerprint_sha1.into()),
            ("fingerprintSHA256", made.fingerprint_sha256.into()),
            ("notValidBefore", made.not_before.into()),
            ("notValidAfter", made.not_after.into()),
        ]);
        return Ok(Value::List(vec![spelled]));
    }
    let spell = |key: host::HostKey| {
        map([
            ("algorithm", key.algorithm.into()),
            ("publicKey", key.public_key.into()),
            ("witnessedAt", instance.host_keys_at.into()),
            ("fingerprintSHA1", key.fingerprint_sha1.into()),
            ("fingerprintSHA256", key.fingerprint_sha256.into()),
        ])
    };
    Ok(Value::List(host::ssh_keys(instance.host_seed)?.into_iter().map(spell).collect()))
}
