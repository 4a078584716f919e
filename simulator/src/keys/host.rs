//! What an instance proves itself by: SSH host keys on Linux, an RDP certificate on Windows. Both follow from a seed.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber, date_time_ymd};
use serde::Serialize;

use super::NoKey;
use super::rsa::{Purpose, key};
use super::ssh::{Blob, private_file};
use crate::place::mix;

/// RSA host keys that there are in a process: the other two kinds are every instance's own.
const RSA_HOST_KEYS: u64 = 4;

/// How long Windows' own RDP certificate is valid.
const RDP_MONTHS: i64 = 6;

/// A host key with its private half, for an SSH server that takes the instance's place.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct HostKey {
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256` or `ssh-rsa`.
    pub algorithm: String,
    /// Base64, without the algorithm.
    pub public_key: String,
    /// A file for `HostKey` of `sshd_config`.
    pub private_key: String,
    /// `SHA1:…`, as `ssh-keygen -E sha1 -l` shows it.
    pub fingerprint_sha1: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint_sha256: String,
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostKey").field("algorithm", &self.algorithm).field("public_key", &self.public_key).finish()
    }
}

impl HostKey {
    fn new(algorithm: &str, public: &[u8], private_key: String) -> Self {
        let fingerprint = |of: &'static aws_lc_rs::digest::Algorithm| STANDARD_NO_PAD.encode(digest(of, public));
        Self {
            algorithm: algorithm.to_owned(),
            public_key: STANDARD.encode(public),
            private_key,
            fingerprint_sha1: format!("SHA1:{}", fingerprint(&SHA1_FOR_LEGACY_USE_ONLY)),
            fingerprint_sha256: format!("SHA256:{}", fingerprint(&SHA256)),
        }
    }
}

/// The SSH host keys of the instance with this seed.
pub(crate) fn ssh_keys(seed: u64) -> Result<Vec<HostKey>, NoKey> {
    let rsa = key(Purpose::Host, seed % RSA_HOST_KEYS)?;
    Ok(vec![HostKey::new("ssh-rsa", &rsa.public_blob(), rsa.pem()), ecdsa(seed)?, ed25519(seed)?])
}

fn ed25519(seed: u64) -> Result<HostKey, NoKey> {
    let secret = bytes(seed ^ 0x0ed2_5519);
    let pair = Ed25519KeyPair::from_seed_unchecked(&secret).map_err(|_| NoKey)?;
    let point = pair.public_key().as_ref();
    let mut public = Blob::default();
    public.string(b"ssh-ed25519").string(point);
    let mut fields = Blob::default();
    fields.string(point).string(&[&secret[..], point].concat());
    let file = private_file(public.bytes(), "ssh-ed25519", fields.bytes());
    Ok(HostKey::new("ssh-ed25519", public.bytes(), file))
}

fn ecdsa(seed: u64) -> Result<HostKey, NoKey> {
    let (kind, curve) = ("ecdsa-sha2-nistp256", b"nistp256");
    let mut scalar = bytes(seed ^ 0x000e_cd5a);
    // Below the curve's order, and not so small that its number has leading zeros.
    scalar[0] = scalar[0] & 0x3f | 0x40;
    let pair = PrivateKey::from_private_key(&ECDH_P256, &scalar).map_err(|_| NoKey)?;
    let point = pair.compute_public_key().map_err(|_| NoKey)?;
    let mut public = Blob::default();
    public.string(kind.as_bytes()).string(curve).string(point.as_ref());
    let mut fields = Blob::default();
    fields.string(curve).string(point.as_ref()).number(&scalar);
    let file = private_file(public.bytes(), kind, fields.bytes());
    Ok(HostKey::new(kind, public.bytes(), file))
}

/// The certificate of a Windows instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RdpCertificate {
    /// X.509 in DER, base64.
    pub(crate) certificate: String,
    pub(crate) fingerprint_sha1: String,
    pub(crate) fingerprint_sha256: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// The RDP certificate that the instance with this seed has made for itself on the day when it was created.
pub(crate) fn rdp_certificate(seed: u64, created_at: Timestamp) -> Result<RdpCertificate, NoKey> {
    let from = created_at.to_zoned(TimeZone::UTC).date();
    let to = from.checked_add(RDP_MONTHS.months()).map_err(|_| NoKey)?;
    let rsa = key(Purpose::Host, seed % RSA_HOST_KEYS)?;
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&rsa.pkcs8().into(), &PKCS_RSA_SHA256).map_err(|_| NoKey)?;
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(seed | 1));
    params.distinguished_name.push(DnType::CommonName, format!("EC2AMAZ-{:07X}", seed & 0x0fff_ffff));
    let day = |date: Date| date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
    params.not_before = day(from);
    params.not_after = day(to);
    let der = params.self_signed(&pair).map_err(|_| NoKey)?.der().to_vec();
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|at| at.timestamp()).map_err(|_| NoKey);
    let fingerprint = |of: &'static aws_lc_rs::digest::Algorithm| {
        let pairs: Vec<String> = digest(of, &der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(":")
    };
    Ok(RdpCertificate {
        fingerprint_sha1: fingerprint(&SHA1_FOR_LEGACY_USE_ONLY),
        fingerprint_sha256: fingerprint(&SHA256),
        certificate: STANDARD.encode(&der),
        not_before: midnight(from)?,
        not_after: midnight(to)?,
    })
}

/// 32 bytes that follow from a seed.
fn bytes(seed: u64) -> [u8; 32] {
    let mut all = [0; 32];
    let mut last = seed;
    for eight in all.chunks_mut(8) {
        last = mix(last);
        eight.copy_from_slice(&last.to_be_bytes());
    }
    all
}
