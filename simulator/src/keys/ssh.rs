//! What SSH writes: strings and numbers on the wire (RFC 4251, section 5) and OpenSSH's own files of private keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes on the wire, as they are being written.
#[derive(Debug, Default)]
pub(crate) struct Blob(Vec<u8>);

impl Blob {
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u32(&mut self, number: u32) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    /// A length and so many bytes.
    pub(crate) fn string(&mut self, bytes: &[u8]) -> &mut Self {
        // Nothing here comes near 4 GiB.
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).raw(bytes)
    }

    /// A number that is not negative, from its bytes without leading zeros (`mpint`).
    pub(crate) fn number(&mut self, bytes: &[u8]) -> &mut Self {
        match bytes.first() {
            Some(0x80..) => self.string(&[&[0], bytes].concat()),
            Some(_) | None => self.string(bytes),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The string that these bytes begin with, and what follows it.
pub(crate) fn read_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// A private key's file without a passphrase, as OpenSSH's `PROTOCOL.key` describes it. `fields` are the private key's own,
/// after its type.
pub(crate) fn private_file(public: &[u8], kind: &str, fields: &[u8]) -> String {
    let mut secret = Blob::default();
    // Twice the same number: how OpenSSH sees that it decrypted well. Any will do.
    secret.u32(0).u32(0).string(kind.as_bytes()).raw(fields).string(b"");
    // Padded to the block size of no cipher, which is 8.
    let padding = secret.bytes().len().next_multiple_of(8) - secret.bytes().len();
    secret.raw(&[1, 2, 3, 4, 5, 6, 7][..padding]);
    let mut file = Blob::default();
    file.raw(b"openssh-key-v1\0").string(b"none").string(b"none").string(b"").u32(1);
    file.string(public).string(secret.bytes());
    let text = STANDARD.encode(file.bytes());
    let mut pem = "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned();
    // 70 characters a line, as ssh-keygen writes them.
    for line in text.as_bytes().chunks(70) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END OPENSSH PRIVATE KEY-----\n"
}
