//! Real keys: RSA keys, OpenSSH certificates and host keys, RDP certificates, encrypted passwords.
//!
//! Whoever is given one of these can use it with OpenSSH and OpenSSL: formats are theirs, randomness is the machine's.
//! RSA keys take a tenth of a second to make, so that each belongs to the process and is used again by every world.

pub(crate) mod certificate;
pub(crate) mod host;
pub(crate) mod rsa;
pub(crate) mod ssh;

use std::fmt;

use crate::wire::Refusal;

/// A key could not be made, or is none. The crypto library says no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKey;

/// A password or its ciphertext, which no debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(pub(crate) String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl From<NoKey> for Refusal {
    fn from(_: NoKey) -> Self {
        Self::internal()
    }
}
