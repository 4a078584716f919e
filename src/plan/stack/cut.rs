//! When a stack may be taken out of a fleet: never under a user whom the spec protects.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::fleet::{DisruptionPolicy, SessionsStatus};
use crate::plan::Input;
use crate::plan::looked::Looked;
use crate::plan::reason::{Verdict, Waiting};
use crate::plan::report::{FOR_SESSIONS, FOR_WINDOW, NEVER, elapsed};
use crate::plan::schedule::WindowsNow;

use super::StackKind;
use super::state::StackState;
use super::wanted::Cuts;

/// Whether a cut may be made now.
#[derive(Debug, Clone, PartialEq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Not known yet: look at the sessions.
    Look,
    /// Not now.
    Held {
        /// Why, in words without counts.
        verdict: Verdict,
        /// The sessions that it waits for.
        sessions: Option<SessionsStatus>,
        /// When to look again at the latest.
        again: Duration,
    },
}

/// How long one wait may be at most: what holds a cut back may end without an event, and AWS may change meanwhile. The
/// default resync.
const LONGEST: Duration = Duration::from_secs(60);

/// Decides whether the stack may be taken out of its fleets. `since` is when that was first wanted.
///
/// Between the look at the sessions and the cut a user could come: AWS refuses a cut under a live session, and a race of one
/// request is left.
pub fn gate(cuts: &Cuts, state: &StackState, input: &Input<'_, StackKind>, since: Timestamp) -> Gate {
    let waited = elapsed(since, input.now);
    let forced = cuts.force_after.is_some_and(|limit| waited >= limit);
    match (cuts.policy, &cuts.windows) {
        (DisruptionPolicy::Never, WindowsNow::Always | WindowsNow::Open | WindowsNow::Closed { .. }) => {
            held(Waiting::DisruptionNever, NEVER, LONGEST)
        }
        (DisruptionPolicy::Immediate | DisruptionPolicy::WhenIdle, WindowsNow::Closed { next }) => {
            let opens = elapsed(input.now, *next);
            held(Waiting::WaitingForWindow, FOR_WINDOW, opens)
        }
        (DisruptionPolicy::Immediate, WindowsNow::Always | WindowsNow::Open) => Gate::Open,
        (DisruptionPolicy::WhenIdle, WindowsNow::Always | WindowsNow::Open) if forced => Gate::Open,
        (DisruptionPolicy::WhenIdle, WindowsNow::Always | WindowsNow::Open) => match &state.sessions {
            None => Gate::Look,
            Some(Looked::Refused(refusal)) => {
                Gate::Held { verdict: refusal.verdict(input.now), sessions: None, again: LONGEST }
            }
            Some(Looked::Found(sessions)) if sessions.is_empty() => Gate::Open,
            Some(Looked::Found(sessions)) => {
                let text = FOR_SESSIONS.to_owned();
                Gate::Held {
                    verdict: Verdict::Working(Waiting::WaitingForSessions, text),
                    sessions: Some(SessionsStatus {
                        count: i32::try_from(sessions.len()).unwrap_or(i32::MAX),
                        oldest: sessions.iter().filter_map(|s| s.started).min(),
                    }),
                    again: (waited / 4).clamp(Duration::from_secs(2), Duration::from_secs(30)),
                }
            }
        },
    }
}

fn held(why: Waiting, text: &str, again: Duration) -> Gate {
    let again = again.clamp(Duration::from_secs(1), LONGEST);
    Gate::Held { verdict: Verdict::Working(why, text.to_owned()), sessions: None, again }
}
