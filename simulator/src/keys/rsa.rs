//! RSA keys of 2048 bits: Lightsail's access keys, key pairs and host keys, GameLift's instance keys, the authority's own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, Pkcs1PublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::NoKey;
use super::ssh::{Blob, read_string};

/// What a key is for: keys for different purposes are never the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// The certificate authority's.
    Authority,
    /// Temporary keys of GetInstanceAccessDetails.
    Access,
    /// Host keys and RDP certificates.
    Host,
    /// CreateKeyPair.
    KeyPair,
    /// GameLift's GetInstanceAccess.
    GameServer,
}

/// A private key, with the parts that formats need.
pub(crate) struct RsaKey {
    pair: KeyPair,
    pkcs8: Vec<u8>,
    /// `RSAPrivateKey` of PKCS#1.
    pkcs1: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// The `nth` key of this process for a purpose, made when it is first asked for.
pub(crate) fn key(purpose: Purpose, nth: u64) -> Result<Arc<RsaKey>, NoKey> {
    static MADE: Mutex<BTreeMap<(Purpose, u64), Arc<RsaKey>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = made.get(&(purpose, nth)) {
        return Ok(known.clone());
    }
    let new = Arc::new(RsaKey::generate()?);
    made.insert((purpose, nth), new.clone());
    Ok(new)
}

impl RsaKey {
    fn generate() -> Result<Self, NoKey> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| NoKey)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| NoKey)?;
        let pkcs8 = der.as_ref().to_vec();
        // PrivateKeyInfo: version, algorithm, and the key as an octet string.
        let pkcs1 = elements(inside(&pkcs8)?)?.get(2).ok_or(NoKey)?.to_vec();
        // RSAPrivateKey: version, modulus, public exponent, and the rest.
        let numbers = elements(inside(&pkcs1)?)?;
        let (modulus, exponent) = match numbers.as_slice() {
            [_, modulus, exponent, ..] => (unsigned(modulus).to_vec(), unsigned(exponent).to_vec()),
            _ => return Err(NoKey),
        };
        Ok(Self { pair, pkcs8, pkcs1, modulus, exponent })
    }

    /// The private key as AWS documents it: PKCS#1 in PEM, with a newline at the end.
    pub(crate) fn pem(&self) -> String {
        let text = STANDARD.encode(&self.pkcs1);
        let mut pem = "-----BEGIN RSA PRIVATE KEY-----\n".to_owned();
        // 64 characters a line, as PEM has them.
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem + "-----END RSA PRIVATE KEY-----\n"
    }

    /// The private key in PKCS#8.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(crate) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    pub(crate) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// The public key as SSH writes it on the wire.
    pub(crate) fn public_blob(&self) -> Vec<u8> {
        let mut blob = Blob::default();
        blob.string(b"ssh-rsa").number(&self.exponent).number(&self.modulus);
        blob.into_bytes()
    }

    /// `ssh-rsa AAAA…`
    pub(crate) fn public_line(&self) -> String {
        format!("ssh-rsa {}", STANDARD.encode(self.public_blob()))
    }

    /// PKCS#1 v1.5 with SHA-256: what OpenSSH calls `rsa-sha2-256`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NoKey> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| NoKey)?;
        Ok(signature)
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey")
    }
}

/// The public key in a line of `authorized_keys`, as its SSH blob. CreateKeyPair's own answer, which says `ssh-rsa` twice,
/// is one too.
pub(crate) fn parse_public_line(line: &str) -> Result<Vec<u8>, NoKey> {
    let mut words = line.split_whitespace().skip_while(|word| *word == "ssh-rsa");
    let blob = STANDARD.decode(words.next().unwrap_or_default()).map_err(|_| NoKey)?;
    public_key(&blob)?;
    Ok(blob)
}

/// A password as Windows instances hand it over: RSA, PKCS#1 v1.5 padding, base64.
pub(crate) fn encrypt(blob: &[u8], password: &str) -> Result<String, NoKey> {
    let key = Pkcs1PublicEncryptingKey::new(public_key(blob)?).map_err(|_| NoKey)?;
    let mut space = vec![0; key.ciphertext_size()];
    let ciphertext = key.encrypt(password.as_bytes(), &mut space).map_err(|_| NoKey)?;
    Ok(STANDARD.encode(ciphertext))
}

fn public_key(blob: &[u8]) -> Result<PublicEncryptingKey, NoKey> {
    let (kind, rest) = read_string(blob).ok_or(NoKey)?;
    let (exponent, rest) = read_string(rest).ok_or(NoKey)?;
    let (modulus, rest) = read_string(rest).ok_or(NoKey)?;
    if kind != b"ssh-rsa" || !rest.is_empty() {
        return Err(NoKey);
    }
    PublicKeyComponents { n: unsigned(modulus), e: unsigned(exponent) }.try_into().map_err(|_| NoKey)
}

/// An integer's bytes without the zero that keeps it from being negative.
fn unsigned(number: &[u8]) -> &[u8] {
    number.strip_prefix(&[0]).unwrap_or(number)
}

/// The contents of the DER element that these bytes begin with.
fn inside(der: &[u8]) -> Result<&[u8], NoKey> {
    elements(der)?.first().copied().ok_or(NoKey)
}

/// The contents of each DER element in a row.
fn elements(mut der: &[u8]) -> Result<Vec<&[u8]>, NoKey> {
    let mut found = Vec::new();
    while let [_, length, rest @ ..] = der {
        // A long length has its number of bytes in the first byte: two at most for keys of this size.
        let (length, rest) = match (length, rest) {
            (short @ 0..=0x7f, rest) => (usize::from(*short), rest),
            (0x81, [one, rest @ ..]) => (usize::from(*one), rest),
            (0x82, [one, two, rest @ ..]) => (usize::from(*one) << 8 | usize::from(*two), rest),
            _ => return Err(NoKey),
        };
        let (content, after) = rest.split_at_checked(length).ok_or(NoKey)?;
        found.push(content);
        der = after;
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};

    #[test]
    fn what_a_key_pair_encrypts_its_private_key_decrypts() {
        let key = key(Purpose::KeyPair, 0).unwrap();
        let blob = parse_public_line(&format!("ssh-rsa {} somebody", key.public_line())).unwrap();
        assert_eq!(blob, key.public_blob());
        let ciphertext = STANDARD.decode(encrypt(&blob, "a password").unwrap()).unwrap();
        let private = Pkcs1PrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(key.pkcs8()).unwrap()).unwrap();
        let mut space = vec![0; private.min_output_size()];
        assert_eq!(private.decrypt(&ciphertext, &mut space).unwrap(), b"a password");
        assert_eq!((key.modulus().len(), key.exponent()), (256, &[1, 0, 1][..]));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for line in ["", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa é", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3NzaC1yc2E="] {
            assert_eq!(parse_public_line(line), Err(NoKey), "{line}");
        }
    }
}
