//! The real Rust SDK against GetInstanceAccessDetails: keys, certificates, host keys, passwords, refusals.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Not every file asks over HTTP.
#[allow(dead_code)]
mod sdk;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use aws_sdk_lightsail::Client;
use aws_sdk_lightsail::types::{InstanceAccessDetails, InstanceAccessProtocol};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use simulator::{AccessWhenDown, InstanceSeed, Settings, World};

use sdk::code;

fn client(world: &World) -> Client {
    // Keys take a while to make, and machines of tests are slow.
    Client::new(&sdk::in_process(world, Duration::from_secs(5)))
}

fn running(settings: Settings) -> (World, Client) {
    let world = World::new(settings);
    world.put_instance(&InstanceSeed::named("web")).unwrap();
    let client = client(&world);
    (world, client)
}

async fn windows(world: &World, client: &Client, name: &str, key_pair: Option<&str>) {
    client
        .create_instances()
        .instance_names(name)
        .availability_zone("us-east-1a")
        .blueprint_id("windows_server_2022")
        .bundle_id("medium_win_3_0")
        .set_key_pair_name(key_pair.map(str::to_owned))
        .send()
        .await
        .unwrap();
    world.advance(Duration::from_secs(60));
}

async fn access(client: &Client, name: &str, protocol: InstanceAccessProtocol) -> InstanceAccessDetails {
    let asked = client.get_instance_access_details().instance_name(name).protocol(protocol);
    asked.send().await.unwrap().access_details.unwrap()
}

async fn refused(client: &Client, name: &str, protocol: Option<InstanceAccessProtocol>) -> String {
    let asked = client.get_instance_access_details().instance_name(name).set_protocol(protocol);
    code(asked.send().await)
}

/// The strings and numbers of an OpenSSH certificate, as `PROTOCOL.certkeys` lists them.
struct Certificate {
    kind: String,
    modulus: Vec<u8>,
    serial: u64,
    role: u32,
    key_id: String,
    principals: Vec<String>,
    after: u64,
    before: u64,
    critical_options: Vec<u8>,
    extensions: Vec<String>,
}

fn certificate(line: &str) -> Certificate {
    let blob = STANDARD.decode(line.split(' ').nth(1).unwrap()).unwrap();
    let rest = &mut blob.as_slice();
    let kind = text(rest);
    let (_nonce, _exponent) = (string(rest), string(rest));
    let modulus = string(rest);
    let serial = u64::from_be_bytes(take(rest, 8).try_into().unwrap());
    let role = u32::from_be_bytes(take(rest, 4).try_into().unwrap());
    let key_id = text(rest);
    let principals = texts(&string(rest));
    let after = u64::from_be_bytes(take(rest, 8).try_into().unwrap());
    let before = u64::from_be_bytes(take(rest, 8).try_into().unwrap());
    let critical_options = string(rest);
    let extensions = texts(&string(rest)).into_iter().filter(|text| !text.is_empty()).collect();
    assert_eq!(string(rest), b"", "reserved");
    assert!(text(&mut string(rest).as_slice()) == "ssh-rsa" && !string(rest).is_empty() && rest.is_empty());
    Certificate { kind, modulus, serial, role, key_id, principals, after, before, critical_options, extensions }
}

fn take(from: &mut &[u8], length: usize) -> Vec<u8> {
    let (taken, rest) = from.split_at(length);
    *from = rest;
    taken.to_vec()
}

fn string(from: &mut &[u8]) -> Vec<u8> {
    let length = u32::from_be_bytes(take(from, 4).try_into().unwrap());
    take(from, length as usize)
}

fn text(from: &mut &[u8]) -> String {
    String::from_utf8(string(from)).unwrap()
}

fn texts(mut from: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while !from.is_empty() {
        all.push(text(&mut from));
    }
    all
}

#[tokio::test]
async fn a_certificate_is_for_the_user_and_as_long_as_the_settings_say_at_any_speed() {
    let cert_ttl = Duration::from_secs(90);
    let (world, client) = running(Settings { speed: 60.0, cert_ttl, ..Settings::default() });
    let details = access(&client, "web", InstanceAccessProtocol::Ssh).await;
    let now = u64::try_from(world.now().as_second()).unwrap();
    let line = details.cert_key().unwrap();
    let made = certificate(line);
    assert!(line.starts_with("ssh-rsa-cert-v01@openssh.com "), "{line}");
    assert_eq!((made.kind.as_str(), made.serial, made.role), ("ssh-rsa-cert-v01@openssh.com", 0, 1));
    assert_eq!((made.principals, made.after, made.before), (vec!["ubuntu".to_owned()], now - 180, now + 90));
    assert_eq!(u64::try_from(details.expires_at().unwrap().secs()).unwrap(), made.before);
    let (number, bytes) = made.key_id.split_once(':').unwrap();
    assert_eq!((number.len(), STANDARD.decode(bytes).unwrap().len()), (19, 16));
    assert_eq!((made.critical_options, made.extensions.len()), (vec![], 5));
    let pem = details.private_key().unwrap();
    assert!(pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n") && pem.ends_with("-----END RSA PRIVATE KEY-----\n"));
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let (zero, modulus) = made.modulus.split_first().unwrap();
    assert_eq!(*zero, 0);
    assert!(der.windows(modulus.len()).any(|part| part == modulus), "the certificate is for another key");
    assert_eq!((details.username(), details.instance_name()), (Some("ubuntu"), Some("web")));
    assert_eq!(details.protocol(), Some(&InstanceAccessProtocol::Ssh));
    let seen = world.instance("123456789012", "us-east-1", "web").unwrap();
    assert_eq!(details.ip_address(), seen.public_ip_address.as_deref());
    assert_eq!(details.ipv6_addresses(), [seen.ipv6_address.unwrap()]);
    assert_eq!((details.password(), details.password_data().is_none()), (None, true));
    let again = access(&client, "web", InstanceAccessProtocol::Ssh).await;
    assert_ne!((again.cert_key(), again.private_key()), (details.cert_key(), details.private_key()));
}

#[tokio::test]
async fn host_keys_come_later_than_running_and_stay_until_the_instance_is_made_anew() {
    let world = World::new(Settings::default());
    let client = client(&world);
    let create = || {
        let asked = client.create_instances().instance_names("web").availability_zone("us-east-1a");
        asked.blueprint_id("ubuntu_24_04").bundle_id("nano_3_0").send()
    };
    create().await.unwrap();
    world.advance(Duration::from_secs(18));
    let early = access(&client, "web", InstanceAccessProtocol::Ssh).await;
    assert_eq!((early.ip_address(), early.host_keys().len()), (None, 0));
    world.advance(Duration::from_secs(10));
    let keys = access(&client, "web", InstanceAccessProtocol::Ssh).await.host_keys.unwrap();
    let kinds: Vec<_> = keys.iter().map(|key| key.algorithm().unwrap()).collect();
    assert_eq!(kinds, ["ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"]);
    for key in &keys {
        let blob = STANDARD.decode(key.public_key().unwrap()).unwrap();
        assert_eq!(text(&mut blob.as_slice()), key.algorithm().unwrap());
        let print = STANDARD_NO_PAD.encode(digest(&SHA256, &blob));
        assert_eq!(key.fingerprint_sha256(), Some(format!("SHA256:{print}").as_str()));
        assert_eq!(key.witnessed_at().unwrap().secs(), world.now().as_second());
        assert!(key.not_valid_before().is_none() && key.fingerprint_sha1().unwrap().starts_with("SHA1:"));
    }
    let shown: Vec<_> = keys.iter().map(|key| key.public_key().unwrap().to_owned()).collect();
    let files: Vec<_> = world.host_keys("web").unwrap().into_iter().map(|key| key.public_key).collect();
    assert_eq!(shown, files);
    client.stop_instance().instance_name("web").send().await.unwrap();
    world.advance(Duration::from_secs(40));
    client.start_instance().instance_name("web").send().await.unwrap();
    world.advance(Duration::from_secs(25));
    assert_eq!(access(&client, "web", InstanceAccessProtocol::Ssh).await.host_keys.unwrap(), keys);
    assert!(world.change_host_keys("web"));
    assert_ne!(access(&client, "web", InstanceAccessProtocol::Ssh).await.host_keys.unwrap()[2], keys[2]);
    client.delete_instance().instance_name("web").send().await.unwrap();
    assert!(refused(&client, "web", None).await.starts_with("DoesNotExist"), "it is on its way out");
    world.advance(Duration::from_secs(10));
    create().await.unwrap();
    world.advance(Duration::from_secs(28));
    let new = access(&client, "web", InstanceAccessProtocol::Ssh).await.host_keys.unwrap();
    assert_ne!(new[2].public_key(), keys[2].public_key(), "another instance under the old name");
}

#[tokio::test]
async fn a_windows_password_is_ready_later_and_clear_under_the_default_key_only() {
    let world = World::new(Settings::default());
    let client = client(&world);
    let pair = client.create_key_pair().key_pair_name("mine").send().await.unwrap();
    windows(&world, &client, "plain", None).await;
    windows(&world, &client, "sealed", Some("mine")).await;
    for name in ["plain", "sealed"] {
        let early = access(&client, name, InstanceAccessProtocol::Rdp).await;
        let sealed = early.password_data().unwrap();
        assert_eq!((early.password(), sealed.ciphertext()), (Some(""), Some("")), "{name} is not ready");
    }
    world.advance(Duration::from_secs(240));
    let plain = access(&client, "plain", InstanceAccessProtocol::Rdp).await;
    let known = |name: &str| world.instance("123456789012", "us-east-1", name).unwrap().windows_password.unwrap();
    assert_eq!(plain.password(), Some(known("plain").as_str()));
    let default = plain.password_data().unwrap();
    assert_eq!((default.ciphertext(), default.key_pair_name()), (Some(""), Some("LightsailDefaultKeyPair")));
    assert_eq!((plain.username(), plain.cert_key(), plain.private_key()), (Some("Administrator"), None, None));
    let sealed = access(&client, "sealed", InstanceAccessProtocol::Rdp).await;
    let sealed_data = sealed.password_data().unwrap();
    assert_eq!((sealed.password(), sealed_data.key_pair_name()), (Some(""), Some("mine")));
    let again = access(&client, "sealed", InstanceAccessProtocol::Rdp).await;
    assert_eq!(again.password_data(), sealed.password_data(), "one ciphertext for the life of the instance");
    let pem = pair.private_key_base64().unwrap();
    assert_eq!(decrypted(pem, sealed_data.ciphertext().unwrap()), known("sealed"));
    let certificate = &sealed.host_keys()[0];
    assert_eq!(certificate.algorithm(), Some("x509-cert"));
    let print: Vec<_> = digest(&SHA256, &STANDARD.decode(certificate.public_key().unwrap()).unwrap())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(certificate.fingerprint_sha256(), Some(print.join(":").as_str()));
    let (from, to) = (certificate.not_valid_before().unwrap().secs(), certificate.not_valid_after().unwrap().secs());
    assert!(from <= world.now().as_second() && world.now().as_second() < to);
}

fn decrypted(pem: &str, ciphertext: &str) -> String {
    let pkcs1 = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    // PKCS#8 around PKCS#1: version 0 and the algorithm rsaEncryption without parameters.
    let length = |bytes: usize| [0x82, (bytes >> 8) as u8, bytes as u8];
    let head =
        [0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let inner = [&head[..], &[0x04], &length(pkcs1.len()), &pkcs1].concat();
    let pkcs8 = [&[0x30][..], &length(inner.len()), &inner].concat();
    let key = Pkcs1PrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(&pkcs8).unwrap()).unwrap();
    let mut space = vec![0; key.min_output_size()];
    let clear = key.decrypt(&STANDARD.decode(ciphertext).unwrap(), &mut space).unwrap();
    String::from_utf8(clear.to_vec()).unwrap()
}

#[tokio::test]
async fn the_protocol_follows_the_platform() {
    let (world, client) = running(Settings::default());
    windows(&world, &client, "pane", None).await;
    let chosen = client.get_instance_access_details().instance_name("pane").send().await.unwrap();
    assert_eq!(chosen.access_details().unwrap().protocol(), Some(&InstanceAccessProtocol::Rdp));
    let no = |protocol, name| {
        format!("InvalidInputException: The protocol {protocol} is not supported for the Instance {name}.")
    };
    assert_eq!(refused(&client, "web", Some(InstanceAccessProtocol::Rdp)).await, no("rdp", "web"));
    assert_eq!(refused(&client, "pane", Some(InstanceAccessProtocol::Ssh)).await, no("ssh", "pane"));
    assert_eq!(refused(&client, "none", None).await, "DoesNotExist: The Instance does not exist: none");
}

#[tokio::test]
async fn an_instance_that_is_down_is_answered_as_the_settings_say() {
    for (access_when_down, said) in [
        (
            AccessWhenDown::Refused,
            "OperationFailureException: The Instance web cannot be accessed when it is stopping. Please try again when it \
             is running.",
        ),
        (AccessWhenDown::Answered, "Ok"),
    ] {
        let (world, client) = running(Settings { access_when_down, ..Settings::default() });
        assert!(world.stop_instance_out_of_band("web"));
        assert_eq!(refused(&client, "web", None).await, said);
    }
}

#[tokio::test]
async fn every_secret_that_was_handed_out_can_be_listed() {
    let (world, client) = running(Settings::default());
    let details = access(&client, "web", InstanceAccessProtocol::Ssh).await;
    client.create_key_pair().key_pair_name("mine").send().await.unwrap();
    windows(&world, &client, "pane", Some("mine")).await;
    world.advance(Duration::from_secs(240));
    access(&client, "pane", InstanceAccessProtocol::Rdp).await;
    let secrets = world.secrets();
    let mut found: Vec<_> = secrets.iter().map(|one| (one.resource.as_str(), one.member.as_str())).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [("mine", "privateKeyBase64"), ("pane", "ciphertext"), ("web", "certKey"), ("web", "privateKey")]
    );
    let key = secrets.iter().find(|one| one.member == "privateKey").unwrap();
    assert_eq!(Some(key.value.as_str()), details.private_key());
    assert!(key.canaries.len() > 20 && key.canaries.iter().all(|line| key.value.contains(line.as_str())));
    let shown = format!("{secrets:?}");
    assert!(!secrets.iter().any(|one| one.canaries.iter().any(|canary| shown.contains(canary))), "{shown}");
}
