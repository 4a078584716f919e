//! Why a condition is what it is: values, each with one word for machines. The messages beside them are for people.

use std::fmt;

/// Why work is not finished: things that pass by themselves or that AWS, users or time must settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Waiting {
    /// It is being created.
    Creating,
    /// AWS is starting it.
    Starting,
    /// AWS is stopping it.
    Stopping,
    /// A change is being carried out.
    Updating,
    /// It is being deleted, or its absence is being confirmed.
    Deleting,
    /// A stop waits for users to leave.
    WaitingForSessions,
    /// A stop waits for a window.
    WaitingForWindow,
    /// `disruption.policy: Never` forbids the stop that is needed.
    DisruptionNever,
    /// Something that it rests on is not there yet, or must go first.
    DependencyNotReady,
    /// AWS reports errors on the fleet.
    FleetErrors,
    /// AWS reports errors on the image builder.
    ImageBuilderErrors,
    /// An AWS quota is reached; tried again slowly.
    QuotaExceeded,
    /// AWS asks for fewer requests.
    Throttled,
    /// AWS refuses the identity; tried again slowly.
    AccessDenied,
    /// AWS could not be reached or answers with server errors.
    AwsUnavailable,
    /// AWS asks for patience: a change made a moment ago is not known everywhere.
    AwsBusy,
    /// `deletionProtection` holds a deletion back.
    DeletionProtected,
    /// AWS reports a state that this version does not know.
    UnknownState,
    /// AWS took a create and did not carry it out: it is tried again, less and less often.
    CreateFailed,
    /// The AWS account, or a Region of it, is not set up or verified yet.
    AccountPending,
    /// Something else keeps starting or stopping it: it is set right less and less often.
    PowerContested,
    /// A deletion waits, because AWS would destroy automatic snapshots with the instance.
    AutoSnapshotsKept,
    /// A grant has not begun.
    NotStarted,
    /// The machine of a grant does not run.
    InstanceNotRunning,
    /// It runs, and AWS has given it no address yet.
    NoAddress,
    /// AWS has not seen the host keys of the machine yet.
    HostKeysUnknown,
    /// AWS does not have the password of a Windows machine yet.
    PasswordNotReady,
    /// There is no such compute in the fleet.
    ComputeNotFound,
    /// The fleet is in a state that gives no access.
    FleetNotActive,
    /// Credentials are being asked for.
    Issuing,
    /// The API server does not take the Secret now.
    SecretNotWritten,
}

/// Why only an edit or a person can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stall {
    /// The spec says something that can never be carried out.
    InvalidSpec,
    /// AWS refused it for good.
    Rejected,
    /// A resource of that name exists and is not ours.
    NotOwned,
    /// The namespace may not ask for this.
    NotAllowed,
    /// The account or Region is not the one the resource lives in.
    AccountMoved,
    /// An Account's identity belongs to another AWS account than it expects.
    AccountMismatch,
    /// More than one Account says that it is the default.
    DefaultConflict,
    /// What exists differs in a field that AWS cannot change.
    ImmutableDiffers,
    /// The image does not exist, is not AVAILABLE, or does not fit.
    ImageNotUsable,
    /// Blueprint, bundle, zone or addresses are not in AWS's catalogue, or do not fit each other.
    CatalogueMismatch,
    /// The operator may not read the Secret or ConfigMap that the spec names.
    SecretsNotPermitted,
    /// A Secret of that name exists and is not ours.
    SecretNotOwned,
    /// AWS gives no access to the computes of an Anywhere fleet.
    AnywhereFleet,
    /// The instances of a container fleet are not reached: its computes are.
    ContainerFleet,
    /// The private key does not decrypt the password.
    DecryptionFailed,
    /// It was deleted in AWS and `recreatePolicy` is `Never`.
    DeletedOutOfBand,
    /// AWS reports the same errors for ten minutes.
    FleetErrors,
    /// AWS calls the image builder FAILED, or reports the same errors on it for ten minutes.
    ImageBuilderErrors,
    /// AWS refuses the identity for ten minutes.
    AccessDenied,
}

/// What a pass found, in one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is left to do.
    Ready(String),
    /// Work is in progress or waited for.
    Working(Waiting, String),
    /// Only an edit or a person can help.
    Stalled(Stall, String),
}

impl Verdict {
    /// The CamelCase word for the `reason` of a condition.
    pub fn reason(&self) -> String {
        match self {
            Self::Ready(_) => "Available".into(),
            Self::Working(why, _) => why.to_string(),
            Self::Stalled(why, _) => why.to_string(),
        }
    }

    /// The same with something more to say.
    pub fn hinting(self, hint: &str) -> Self {
        let more = |text: String| format!("{text}{hint}");
        match self {
            Self::Ready(text) => Self::Ready(more(text)),
            Self::Working(why, text) => Self::Working(why, more(text)),
            Self::Stalled(why, text) => Self::Stalled(why, more(text)),
        }
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        match self {
            Self::Ready(text) | Self::Working(_, text) | Self::Stalled(_, text) => text,
        }
    }
}

impl Waiting {
    /// All of them, in the order of the alphabet; a test holds this equal to what is above.
    pub const ALL: [Self; 31] = [
        Self::AccessDenied,
        Self::AccountPending,
        Self::AutoSnapshotsKept,
        Self::AwsBusy,
        Self::AwsUnavailable,
        Self::ComputeNotFound,
        Self::CreateFailed,
        Self::Creating,
        Self::Deleting,
        Self::DeletionProtected,
        Self::DependencyNotReady,
        Self::DisruptionNever,
        Self::FleetErrors,
        Self::FleetNotActive,
        Self::HostKeysUnknown,
        Self::ImageBuilderErrors,
        Self::InstanceNotRunning,
        Self::Issuing,
        Self::NoAddress,
        Self::NotStarted,
        Self::PasswordNotReady,
        Self::PowerContested,
        Self::QuotaExceeded,
        Self::SecretNotWritten,
        Self::Starting,
        Self::Stopping,
        Self::Throttled,
        Self::UnknownState,
        Self::Updating,
        Self::WaitingForSessions,
        Self::WaitingForWindow,
    ];

    /// Whether the spec has it wait so, for users, for a time or for somebody's word: no time is too long for it.
    pub fn is_meant(self) -> bool {
        match self {
            Self::WaitingForSessions
            | Self::WaitingForWindow
            | Self::DisruptionNever
            | Self::DeletionProtected
            | Self::AutoSnapshotsKept
            | Self::NotStarted
            | Self::InstanceNotRunning => true,
            Self::Creating
            | Self::Starting
            | Self::Stopping
            | Self::Updating
            | Self::Deleting
            | Self::DependencyNotReady
            | Self::FleetErrors
            | Self::ImageBuilderErrors
            | Self::QuotaExceeded
            | Self::Throttled
            | Self::AccessDenied
            | Self::AwsUnavailable
            | Self::AwsBusy
            | Self::UnknownState
            | Self::CreateFailed
            | Self::AccountPending
            | Self::PowerContested
            | Self::NoAddress
            | Self::HostKeysUnknown
            | Self::PasswordNotReady
            | Self::ComputeNotFound
            | Self::FleetNotActive
            | Self::Issuing
            | Self::SecretNotWritten => false,
        }
    }
}

impl Stall {
    /// All of them, in the order of the alphabet; a test holds this equal to what is above.
    pub const ALL: [Self; 19] = [
        Self::AccessDenied,
        Self::AccountMismatch,
        Self::AccountMoved,
        Self::AnywhereFleet,
        Self::CatalogueMismatch,
        Self::ContainerFleet,
        Self::DecryptionFailed,
        Self::DefaultConflict,
        Self::DeletedOutOfBand,
        Self::FleetErrors,
        Self::ImageBuilderErrors,
        Self::ImageNotUsable,
        Self::ImmutableDiffers,
        Self::InvalidSpec,
        Self::NotAllowed,
        Self::NotOwned,
        Self::Rejected,
        Self::SecretNotOwned,
        Self::SecretsNotPermitted,
    ];
}

/// A reason that is neither a wait nor a stall, the condition that it belongs to, and what it means.
pub const OTHERS: [(&str, &str, &str); 10] = [
    ("Annotation", "Paused", "The annotation `windlass.dev/paused` holds everything, deletion too."),
    ("Available", "Ready", "Nothing is left to do."),
    ("Differs", "Synced", "AWS differs from the spec in the fields that the message names."),
    ("Exists", "Available", "It is there; it has no power state."),
    ("Expired", "Ended", "The grant's time is over."),
    ("Paused", "Ready", "It was paused before anything was looked at."),
    ("Running", "Available", "It runs, as wanted."),
    ("Stopped", "Available", "It is off, as wanted."),
    ("Synced", "Synced", "AWS equals the spec."),
    ("TargetGone", "Ended", "What the grant opened is gone."),
];

/// Every reason that a condition can have.
pub fn words() -> impl Iterator<Item = String> {
    let waits = Waiting::ALL.into_iter().map(|why| why.to_string());
    let stalls = Stall::ALL.into_iter().map(|why| why.to_string());
    waits.chain(stalls).chain(OTHERS.iter().map(|(word, ..)| (*word).to_owned()))
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
