//! What a person does about a reason: the table of docs/troubleshooting.md is made of it and of the words in `reason.rs`.

use super::reason::{Stall, Waiting};

impl Waiting {
    /// What to do, if it lasts.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Creating | Self::Starting | Self::Stopping | Self::Updating => {
                "Wait: AWS takes minutes. After half an hour look at the resource in AWS's console."
            }
            Self::Deleting => "Wait: an absence is believed a minute after the last write.",
            Self::WaitingForSessions => {
                "Wait for the users, or set `disruption.forceAfter`, or `disruption.policy: Immediate`."
            }
            Self::WaitingForWindow => "Wait for the window that the message names, or edit `disruption.windows`.",
            Self::DisruptionNever => "Stop it yourself at a good time, or set another `disruption.policy`.",
            Self::DependencyNotReady => {
                "Look at what the message names: it must be made, become Ready, or be deleted first. In a deletion, \
                 `deletionPolicy: Retain` lets go without it."
            }
            Self::FleetErrors | Self::ImageBuilderErrors => {
                "Mend what AWS's codes name: subnets with free addresses, security groups, the IAM role, the domain."
            }
            Self::QuotaExceeded => {
                "Ask AWS for a higher quota (Service Quotas), or make something smaller or fewer. It is tried again by itself."
            }
            Self::Throttled => {
                "Wait: the operator slows down by itself. If it lasts, find who else calls AWS in this account, or set the \
                 Account's `limits`."
            }
            Self::AccessDenied => {
                "Give the operator's role the action that the message names: [permissions.md](permissions.md). It is tried \
                 again by itself."
            }
            Self::AwsUnavailable => {
                "Wait. If it lasts: AWS's health page, the Region's name, and whether the NetworkPolicy or a proxy lets the \
                 pods out."
            }
            Self::AwsBusy => "Wait a few minutes: a new role or a change just made is not known everywhere in AWS.",
            Self::DeletionProtected => "Set `spec.deletionProtection` to false, if it is really to go.",
            Self::UnknownState => {
                "Look at the resource in AWS's console; a newer version of the operator may know the state."
            }
            Self::CreateFailed => {
                "Read AWS's code in the message: capacity, quota or catalogue. It is tried again by itself."
            }
            Self::AccountPending => {
                "Wait. If it lasts for hours, open the service once in AWS's console, or ask AWS to verify the account."
            }
            Self::PowerContested => {
                "Find what else starts or stops it (a schedule, a script, a person), and end one of the two."
            }
            Self::AutoSnapshotsKept => "Copy the snapshots that are to stay, then set `autoSnapshotsOnDelete: Delete`.",
            Self::NotStarted => "Wait for `startsAt`.",
            Self::InstanceNotRunning => "Start the machine (`desiredState: Running`).",
            Self::NoAddress => "Wait: AWS gives the address a moment after the start.",
            Self::HostKeysUnknown => "Wait: AWS sees the host keys a minute after the first start.",
            Self::PasswordNotReady => "Wait: Windows sets its password within 15 minutes of the first start.",
            Self::ComputeNotFound => "Correct the target, or wait for the compute to come.",
            Self::FleetNotActive => "Look at the GameLift fleet: it gives access while it is up.",
            Self::Issuing => "Wait: it takes a second.",
            Self::SecretNotWritten => {
                "Wait. If it lasts: the API server's health, quotas and webhooks for Secrets in the namespace."
            }
        }
    }
}

impl Stall {
    /// What to do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::InvalidSpec => "Edit the field that the message names.",
            Self::Rejected => "Edit what AWS's words in the message refuse; the same request is not sent again.",
            Self::NotOwned => {
                "Choose another `name`, delete the resource in AWS, or take it over with `adoptionPolicy: IfExists` where the \
                 Account allows adoption."
            }
            Self::NotAllowed => "Ask whoever keeps the Account objects: the message names what is not allowed.",
            Self::AccountMoved => {
                "Put `account` and `region` back; to move, make a new object there and delete this one."
            }
            Self::AccountMismatch => "Correct the Account's `assumeRoles` or its `expectedAccountId`.",
            Self::DefaultConflict => "Leave `default: true` on one Account alone.",
            Self::ImmutableDiffers => {
                "Make the spec say what AWS has in the fields that the message names, or delete the resource so that it is made anew."
            }
            Self::ImageNotUsable => {
                "Name an image that is AVAILABLE in this Region and fits the fleet type and platform."
            }
            Self::CatalogueMismatch => "Choose one of the ids that the message offers.",
            Self::SecretsNotPermitted => {
                "Add the namespace to the chart's `secrets.namespaces`, or have its admin bind ClusterRole `windlass-secrets`: \
                 [permissions.md](permissions.md)."
            }
            Self::SecretNotOwned => "Delete the Secret of that name, or choose another `secret.name` in a new grant.",
            Self::AnywhereFleet => "AWS gives no access to the computes of an Anywhere fleet: use your own.",
            Self::ContainerFleet => "Use `gameLiftCompute` in place of `gameLiftInstance`, in a new grant.",
            Self::DecryptionFailed => {
                "Correct the Secret that `decryptionKeyRef` names: it must have the private key of the pair that the instance \
                 was made with."
            }
            Self::DeletedOutOfBand => {
                "Somebody deleted it in AWS: delete the object, or set `recreatePolicy: Always` to have it made anew, empty."
            }
            Self::FleetErrors | Self::ImageBuilderErrors => {
                "Mend what AWS's codes name: subnets with free addresses, security groups, the IAM role, the domain."
            }
            Self::AccessDenied => {
                "Give the operator's role the action that the message names: [permissions.md](permissions.md)."
            }
        }
    }
}
