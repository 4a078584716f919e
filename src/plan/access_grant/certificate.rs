//! When an OpenSSH certificate expires: read out of its blob, which came from outside and is not believed in anything.
//!
//! The form is that of PROTOCOL.certkeys in the OpenSSH sources.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// The longest line that is looked at: a certificate of an RSA key of 16384 bits has less than half of it.
const LONGEST: usize = 32 * 1024;
/// Where the validity ends that never ends.
const FOREVER: u64 = u64::MAX;

/// When a certificate (one line: algorithm, base64, comment) expires; `None` for what cannot be read, or never expires.
pub fn valid_before(line: &str) -> Option<Timestamp> {
    if line.len() > LONGEST {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let (algorithm, blob) = (words.next()?, words.next()?);
    let blob = STANDARD.decode(blob).ok()?;
    let mut rest = Rest(&blob);
    if rest.text()? != algorithm.as_bytes() {
        return None;
    }
    let parts_of_the_key = match algorithm {
        "ssh-rsa-cert-v01@openssh.com" => 2,
        "ssh-ed25519-cert-v01@openssh.com" => 1,
        "ecdsa-sha2-nistp256-cert-v01@openssh.com"
        | "ecdsa-sha2-nistp384-cert-v01@openssh.com"
        | "ecdsa-sha2-nistp521-cert-v01@openssh.com" => 2,
        _ => return None,
    };
    let _nonce = rest.text()?;
    for _ in 0..parts_of_the_key {
        rest.text()?;
    }
    let _serial = rest.number::<8>()?;
    let _user_or_host = rest.number::<4>()?;
    let _key_id = rest.text()?;
    let _principals = rest.text()?;
    let _valid_after = rest.number::<8>()?;
    let valid_before = u64::from_be_bytes(rest.number::<8>()?);
    if valid_before == FOREVER {
        return None;
    }
    Timestamp::from_second(i64::try_from(valid_before).ok()?).ok()
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*number)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(u32::from_be_bytes(self.number::<4>()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
