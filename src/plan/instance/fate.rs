//! What became of a write that AWS answered: HTTP 200 is not done, and an operation may fail later.

use std::time::Duration;

use jiff::Timestamp;

use crate::plan::report::elapsed;
use crate::plan::unshown::Fate;
use crate::plan::{Answered, Call, UNCERTAINTY};

use super::state::{InstanceLook, InstanceState, OperationFacts};
use super::{InstanceCall, InstanceKind};

/// AWS's word for the operation of a create.
pub const CREATE: &str = "CreateInstance";

/// How long after a write that AWS took and did not carry out another one is made: this, doubled for each that failed
/// before it.
const AGAIN: Duration = Duration::from_secs(60);
/// The longest of these waits: what AWS has no room for today it may have in half an hour.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Operations of one kind that failed, one after the other, up to now.
pub struct Failures<'a> {
    /// The last.
    pub last: &'a OperationFacts,
    count: u32,
}

impl Failures<'_> {
    /// How long it is until another try: that long after the first failure, doubled for each more.
    pub fn wait(&self, first: Duration, now: Timestamp) -> Duration {
        let doublings = self.count.saturating_sub(1).min(16);
        let wait = first.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST);
        let since = self.last.created_at.map_or(Duration::ZERO, |at| elapsed(at, now));
        wait.saturating_sub(since)
    }
}

/// The operations of that kind, since then, that failed after the last that did not.
pub fn failures<'a>(operations: &'a [OperationFacts], kind: &str, since: Timestamp) -> Option<Failures<'a>> {
    let mut ours: Vec<&OperationFacts> =
        operations.iter().filter(|one| one.kind == kind && one.created_at.is_some_and(|at| at >= since)).collect();
    // What concerns two resources is told twice.
    ours.dedup_by_key(|one| one.created_at);
    let failed = ours.iter().rev().take_while(|one| one.failed);
    let count = u32::try_from(failed.count()).unwrap_or(u32::MAX);
    let last = ours.last().copied().filter(|one| one.failed)?;
    Some(Failures { last, count })
}

/// What became of it, for a write that an instance does not show.
pub fn fate(state: &InstanceState, answered: &Answered<InstanceKind>, now: Timestamp) -> Fate<InstanceLook> {
    let kind = match &answered.call {
        // What became of a create is asked before another one is made; of tags AWS tells nothing.
        InstanceCall::Create(_) | InstanceCall::Tag { .. } | InstanceCall::Untag { .. } => return Fate::Untold,
        InstanceCall::Start { .. }
        | InstanceCall::Stop(_)
        | InstanceCall::Delete { .. }
        | InstanceCall::PutPorts { .. }
        | InstanceCall::SetIpAddressType { .. }
        | InstanceCall::UpdateMetadataOptions { .. }
        | InstanceCall::EnableAutoSnapshot { .. }
        | InstanceCall::DisableAutoSnapshot(_)
        | InstanceCall::AllocateStaticIp(_)
        | InstanceCall::AttachStaticIp { .. }
        | InstanceCall::DetachStaticIp(_)
        | InstanceCall::ReleaseStaticIp(_) => answered.call.operation(),
    };
    let Some(operations) = &state.operations else {
        // Of this hour, the catalogue costs nothing.
        let snapshots = state.auto_snapshots.is_some().then_some(InstanceLook::AutoSnapshots);
        let looks = [InstanceLook::Anew, InstanceLook::Catalogue, InstanceLook::Operations];
        return Fate::Look(looks.into_iter().chain(snapshots).collect());
    };
    // The operation begins before its answer comes, by AWS's clock.
    let sent = answered.at.checked_sub(UNCERTAINTY).unwrap_or(answered.at);
    match failures(operations, kind, Timestamp::MIN) {
        Some(failures) if failures.last.created_at.is_some_and(|at| at >= sent) => Fate::Failed {
            code: failures.last.code.clone(),
            message: failures.last.message.clone(),
            again: failures.wait(AGAIN, now),
        },
        Some(_) | None => Fate::Untold,
    }
}
