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
    /// The machine of a grant has no address yet.
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
