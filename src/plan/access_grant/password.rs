//! The password of a Windows machine, which AWS encrypts for the key pair that the machine was made with.
//!
//! RSA with the padding of PKCS#1 v1.5, as EC2 does it: `base64 -d | openssl pkeyutl -decrypt -inkey key.pem`.

use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::plan::SecretText;

/// The longest key file that is looked at: one of 8192 bits has a fifth of it.
const LONGEST: usize = 32 * 1024;
/// AlgorithmIdentifier of RSA (RFC 8017, appendix A.1): an OID and NULL.
const RSA: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// Version 0 of PrivateKeyInfo (RFC 5208).
const VERSION: [u8; 3] = [0x02, 0x01, 0x00];

/// Decrypts a password (base64) with a private key (PEM, PKCS#1 or PKCS#8).
///
/// # Errors
/// A sentence that quotes neither.
pub fn decrypt(ciphertext: &str, key: &str) -> Result<SecretText, String> {
    let key = private_key(key)?;
    let packed: String = ciphertext.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let ciphertext = STANDARD.decode(packed).map_err(|_| "the encrypted password is no base64".to_owned())?;
    let mut plain = Zeroizing::new(vec![0; key.min_output_size()]);
    let wrong =
        || "the private key does not decrypt the password: it is not that of the instance's key pair".to_owned();
    if ciphertext.len() != key.key_size_bytes() {
        return Err(wrong());
    }
    let plain = key.decrypt(&ciphertext, &mut plain).map_err(|_| wrong())?;
    let text = std::str::from_utf8(plain).map_err(|_| wrong())?;
    Ok(SecretText::new(text.to_owned()))
}

fn private_key(pem: &str) -> Result<Pkcs1PrivateDecryptingKey, String> {
    let unread =
        |what: &str| format!("the private key {what}: give an RSA key as PEM (PKCS#1 or PKCS#8) without a passphrase");
    if pem.len() > LONGEST {
        return Err(unread("is too long"));
    }
    let der = match (block(pem, "RSA PRIVATE KEY"), block(pem, "PRIVATE KEY")) {
        (Some(Ok(pkcs1)), _) => pkcs8(&pkcs1),
        (None, Some(Ok(pkcs8))) => pkcs8,
        (Some(Err(())), _) | (None, Some(Err(()))) => return Err(unread("is no valid PEM, or has a passphrase")),
        (None, None) => return Err(unread("is of another form")),
    };
    let key = PrivateDecryptingKey::from_pkcs8(&der).map_err(|_| unread("is no RSA key of 2048 to 8192 bits"))?;
    Pkcs1PrivateDecryptingKey::new(key).map_err(|_| unread("cannot be used"))
}

/// The bytes of the first PEM block of this name; `None` when there is none.
fn block(pem: &str, name: &str) -> Option<Result<Zeroizing<Vec<u8>>, ()>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {name}-----"))?;
    let body = rest.split_once(&format!("-----END {name}-----")).map(|(body, _)| body);
    let packed = body.map(|body| Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>()));
    Some(packed.and_then(|packed| STANDARD.decode(packed.as_bytes()).ok()).map(Zeroizing::new).ok_or(()))
}

/// PrivateKeyInfo around an RSAPrivateKey.
fn pkcs8(pkcs1: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = tagged(0x04, &[pkcs1]);
    tagged(0x30, &[&VERSION, &RSA, &key])
}

/// A DER value of these parts.
fn tagged(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = Zeroizing::new(Vec::with_capacity(length + 6));
    der.push(tag);
    let bytes = length.to_be_bytes();
    let short: &[u8] = &bytes[bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len() - 1)..];
    if length >= 0x80 {
        der.push(0x80 | short.len() as u8);
    }
    der.extend_from_slice(short);
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}

#[cfg(test)]
#[path = "password_tests.rs"]
mod tests;
