//! When an instance may be restarted for a change, and how often it is set right where something else keeps changing it.

use std::time::Duration;

use crate::api::instance::{InstanceDisruptionPolicy, Internal, PowerSets};
use crate::plan::Input;
use crate::plan::conditions::to_the_second;
use crate::plan::reason::Waiting;
use crate::plan::report::{self, NEVER, elapsed};
use crate::plan::schedule::WindowsNow;

use super::report::earlier;
use super::wanted::Wanted;
use super::{InstanceCall, InstanceKind};

/// Whether a restart may be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Not now: why, and when to look again.
    Held(Waiting, &'static str, Duration),
}

/// How long one wait may be at most: AWS may change meanwhile. The default resync.
const LONGEST: Duration = Duration::from_secs(60);

/// Asks the rules of `disruption`.
pub fn gate(wanted: &Wanted<'_>, input: &Input<'_, InstanceKind>) -> Gate {
    match (wanted.policy, &wanted.windows) {
        (InstanceDisruptionPolicy::Never, WindowsNow::Always | WindowsNow::Open | WindowsNow::Closed { .. }) => {
            Gate::Held(Waiting::DisruptionNever, NEVER, LONGEST)
        }
        (InstanceDisruptionPolicy::Immediate, WindowsNow::Closed { next }) => {
            let opens = elapsed(input.now, *next).clamp(Duration::from_secs(1), LONGEST);
            Gate::Held(Waiting::WaitingForWindow, "waiting for a window of disruption.windows to open", opens)
        }
        (InstanceDisruptionPolicy::Immediate, WindowsNow::Always | WindowsNow::Open) => Gate::Open,
    }
}

/// Starts and stops further apart than this do not follow each other: something that fights with us does so within minutes.
const APART: Duration = Duration::from_secs(30 * 60);
/// How many starts and stops within that time are made without thinking: one may be somebody's slip, two a test.
const QUICK: i32 = 3;
/// How long the next one waits; doubled for each more, and at most four times this, which is still less than [`APART`].
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long to wait before the power is set right again, if something else has changed it too often.
pub fn contested(input: &Input<'_, InstanceKind>, seen: &str) -> Option<Duration> {
    let status = earlier(input.object);
    if report::asked_again::<InstanceKind>(input.object, status.last_handled_reconcile_at.as_ref()) {
        return None;
    }
    let sets = recent(input, &status.internal).filter(|sets| changed(input, sets, seen))?;
    let more = u32::try_from(sets.count - QUICK).ok()?;
    let wait = PATIENCE.saturating_mul(2_u32.saturating_pow(more.min(2)));
    wait.checked_sub(elapsed(sets.at, input.now)).filter(|left| !left.is_zero())
}

/// The stamp for a start or stop that is about to be sent. One that changed nothing (AWS refused it, or the operator died
/// before it was sent) was undone by nobody, and counts no more.
pub fn count(input: &Input<'_, InstanceKind>, internal: &Internal, seen: &str) -> PowerSets {
    let before = recent(input, internal).map_or(0, |sets| match changed(input, sets, seen) {
        true => sets.count,
        false => sets.count.saturating_sub(1),
    });
    PowerSets {
        generation: report::generation(input.object),
        count: before.saturating_add(1),
        at: to_the_second(input.now),
    }
}

/// Whether a start or stop was carried out: AWS took it, or the instance has come into another state since it was sent.
fn changed(input: &Input<'_, InstanceKind>, sets: &PowerSets, seen: &str) -> bool {
    let status = earlier(input.object);
    let taken = input.answered.iter().any(|answered| {
        let power = matches!(answered.call, InstanceCall::Start { .. } | InstanceCall::Stop(_));
        power && answered.at >= sets.at
    });
    taken || status.state.as_deref() != Some(seen) || status.internal.state_since.is_some_and(|since| since > sets.at)
}

/// What was set lately for the spec as it is: an edit begins anew.
fn recent<'a>(input: &Input<'_, InstanceKind>, internal: &'a Internal) -> Option<&'a PowerSets> {
    let generation = report::generation(input.object);
    internal.power_sets.as_ref().filter(|s| s.generation == generation && elapsed(s.at, input.now) < APART)
}
