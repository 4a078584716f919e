#![allow(clippy::unwrap_used)]

use super::valid_before;

const RSA: &str = include_str!("tests/vectors/rsa-cert.pub");
const ED25519: &str = include_str!("tests/vectors/ed25519-cert.pub");
const ECDSA: &str = include_str!("tests/vectors/ecdsa-cert.pub");
const FOREVER: &str = include_str!("tests/vectors/forever-cert.pub");

#[test]
fn certificates_that_ssh_keygen_made_until_ten_past_twelve_say_so() {
    let wanted = Some("2026-11-22T12:10:00Z".parse().unwrap());
    for line in [RSA, ED25519, ECDSA] {
        assert_eq!(valid_before(line), wanted, "{}", line.split(' ').next().unwrap());
    }
}

#[test]
fn one_that_never_expires_and_what_is_none_say_nothing() {
    let (_, ed25519) = ED25519.split_once(' ').unwrap();
    let longer = format!("{RSA}{}", " ".repeat(40_000));
    let lines = [FOREVER, "", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa-cert-v01@openssh.com !!!!", &longer];
    for line in lines.into_iter().chain([format!("ssh-rsa-cert-v01@openssh.com {ed25519}").as_str()]) {
        assert_eq!(valid_before(line), None, "{}", line.get(..40).unwrap_or(line));
    }
}

/// Cut off anywhere, and with any byte of its blob changed, it is read or refused; it neither panics nor reads past its end.
#[test]
fn damaged_certificates_are_read_or_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut words = ED25519.split(' ');
    let algorithm = words.next().unwrap();
    let blob = STANDARD.decode(words.next().unwrap()).unwrap();
    let line = |blob: &[u8]| format!("{algorithm} {}", STANDARD.encode(blob));
    let mut read = 0;
    for end in 0..blob.len() {
        read += usize::from(valid_before(&line(&blob[..end])).is_some());
    }
    // What follows the validity (options, the CA, the signature) is not needed for it.
    assert!(read > 0 && read < blob.len());
    for at in 0..blob.len() {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut damaged = blob.clone();
            damaged[at] = value;
            valid_before(&line(&damaged));
        }
    }
}
