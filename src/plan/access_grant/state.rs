//! What AWS says about a grant's target, and what it gives. What is secret is in types that print nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::Arn;
use crate::plan::SecretText;

/// What AWS says: only what was asked for.
#[derive(Debug, PartialEq)]
pub struct GrantState {
    /// When the access call was made, or the read began.
    pub began: Timestamp,
    /// The target ([`GrantLook::Target`]).
    pub target: Option<TargetSeen>,
    /// What the one access call gave ([`GrantLook::Access`]).
    pub access: Option<AccessSeen>,
}

/// What a plan may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantLook {
    /// The target: is it there, is it ready, whose is it. Reads that many grants share.
    Target,
    /// GetInstanceAccessDetails, GetInstanceAccess or GetComputeAccess: one call for this grant alone.
    Access,
}

/// The target as AWS shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetSeen {
    /// It is not there.
    Absent(Missing),
    /// Its fleet is there, and gives no access of this sort to anything.
    NoAccess(NoAccess),
    /// It is there.
    There(Box<TargetFacts>),
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A Lightsail instance, or one of a GameLift fleet.
    Instance,
    /// A GameLift fleet.
    Fleet,
    /// A compute of a GameLift fleet.
    Compute,
}

/// Why a fleet gives no access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAccess {
    /// Its computes are somebody else's machines.
    Anywhere,
    /// Its computes are containers, and an instance was asked for.
    Container,
}

/// A machine.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFacts {
    /// Its ARN, or that of its fleet with its own name: no other machine ever has the same.
    pub id: String,
    /// Its ARN, or that of its fleet.
    pub arn: Option<Arn>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Its tags, where AWS shows them with it.
    pub tags: BTreeMap<String, String>,
    /// What it is doing.
    pub doing: Doing,
    /// Whether its fleet is in a state of passage, in AWS's word: access may be refused until that is over.
    pub passing: Option<String>,
    /// Where it is reached, if it has an address.
    pub address: Option<String>,
    /// Whether it has Windows.
    pub windows: bool,
    /// Where it is, if that is not the Region of the grant.
    pub location: Option<String>,
}

/// What a machine is doing, as far as access depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// It can be reached as soon as it has an address.
    Running,
    /// It cannot, in AWS's word.
    NotRunning(String),
    /// Its fleet is in a state that gives no access, in AWS's word.
    FleetNot(String),
}

/// What the access call gave.
#[derive(Debug, PartialEq)]
pub enum AccessSeen {
    /// AWS says that there is no such machine.
    NotFound,
    /// AWS refuses it as it is: its code and its words.
    Refused(String, String),
    /// AWS does not give it in this state: its words.
    NotYet(String),
    /// These credentials.
    Given(Credentials),
}

/// Credentials for one machine.
#[derive(Debug, PartialEq)]
pub enum Credentials {
    /// Lightsail, by SSH.
    Ssh(SshAccess),
    /// Lightsail, by RDP.
    Rdp(RdpAccess),
    /// A GameLift instance with Linux.
    GameLiftSsh(Login),
    /// A GameLift instance with Windows.
    GameLiftRdp(Login),
    /// A GameLift compute.
    Compute(ComputeAccess),
}

/// What GetInstanceAccessDetails gives for SSH.
#[derive(Debug, PartialEq)]
pub struct SshAccess {
    /// The address.
    pub host: Option<String>,
    /// Whom to log in as.
    pub username: String,
    /// The private key, PEM.
    pub private_key: SecretText,
    /// The certificate, one line of OpenSSH.
    pub certificate: SecretText,
    /// When it expires, if AWS says.
    pub expires_at: Option<Timestamp>,
    /// The keys of the host: algorithm and key.
    pub host_keys: Vec<(String, String)>,
}

/// What GetInstanceAccessDetails gives for RDP.
#[derive(Debug, PartialEq)]
pub struct RdpAccess {
    /// The address.
    pub host: Option<String>,
    /// Whom to log in as.
    pub username: String,
    /// The password; empty while AWS does not have it, or only encrypted.
    pub password: SecretText,
    /// The password encrypted for the key pair, base64; empty while AWS does not have it.
    pub ciphertext: SecretText,
    /// The key pair.
    pub key_pair_name: String,
}

/// What GetInstanceAccess gives.
#[derive(Debug, PartialEq)]
pub struct Login {
    /// The address.
    pub host: Option<String>,
    /// Whom to log in as.
    pub username: String,
    /// A private key (PEM) or a password.
    pub secret: SecretText,
}

/// What GetComputeAccess gives.
#[derive(Debug, PartialEq)]
pub struct ComputeAccess {
    /// The access key id.
    pub access_key_id: SecretText,
    /// The secret access key.
    pub secret_access_key: SecretText,
    /// The session token.
    pub session_token: SecretText,
    /// What Systems Manager is told.
    pub target: String,
    /// Where the compute is.
    pub region: String,
    /// The containers of a container fleet: name and runtime id.
    pub containers: Vec<(String, String)>,
}
