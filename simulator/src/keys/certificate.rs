//! OpenSSH user certificates (OpenSSH's `PROTOCOL.certkeys`), signed by the one authority of this process.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;

use super::NoKey;
use super::rsa::{Purpose, RsaKey, key};
use super::ssh::Blob;

const KIND: &str = "ssh-rsa-cert-v01@openssh.com";

/// A certificate of a user, not of a host.
const USER: u32 = 1;

/// What AWS's own sample allows, in the order that the format asks for.
const EXTENSIONS: [&str; 5] =
    ["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc"];

/// The authority's public key as a line of `TrustedUserCAKeys`.
pub(crate) fn authority() -> Result<String, NoKey> {
    Ok(format!("{} lightsail", key(Purpose::Authority, 0)?.public_line()))
}

/// A certificate for `subject` that lets `principal` log in from `after` until `before`, in whole seconds: one line, as in
/// AWS's sample (serial 0, a key id of a number and 16 bytes, no critical options).
pub(crate) fn sign(
    subject: &RsaKey,
    principal: &str,
    after: Timestamp,
    before: Timestamp,
    rng: &mut StdRng,
) -> Result<String, NoKey> {
    let seconds = |at: Timestamp| u64::try_from(at.as_second()).unwrap_or(0);
    let authority = key(Purpose::Authority, 0)?;
    let key_id =
        format!("{}:{}", rng.random_range(10_u64.pow(18)..10_u64.pow(19)), STANDARD.encode(rng.random::<[u8; 16]>()));
    let mut principals = Blob::default();
    principals.string(principal.as_bytes());
    let mut extensions = Blob::default();
    for name in EXTENSIONS {
        extensions.string(name.as_bytes()).string(b"");
    }
    let mut certificate = Blob::default();
    certificate.string(KIND.as_bytes()).string(&rng.random::<[u8; 32]>());
    certificate.number(subject.exponent()).number(subject.modulus());
    certificate.u64(0).u32(USER).string(key_id.as_bytes()).string(principals.bytes());
    certificate.u64(seconds(after)).u64(seconds(before));
    certificate.string(b"").string(extensions.bytes()).string(b"").string(&authority.public_blob());
    let mut signature = Blob::default();
    signature.string(b"rsa-sha2-256").string(&authority.sign(certificate.bytes())?);
    certificate.string(signature.bytes());
    Ok(format!("{KIND} {}", STANDARD.encode(certificate.bytes())))
}
