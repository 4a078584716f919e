//! Who an identity is, asked of STS at most every five minutes, by one at a time.

use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::aws::AwsError;
use crate::aws::batch::{Clock, age, lock};
use crate::aws::live::sts::CallerIdentity;

/// How long the account of an identity is believed: an identity practically never changes its account, but whoever
/// swaps the operator's credentials must not find fleets made again elsewhere for long. Twelve requests an hour.
const IDENTITY_LASTS: Duration = Duration::from_secs(300);
/// How long a refusal to say who we are is told again without asking: a thousand objects ask at once.
const REFUSAL_LASTS: Duration = Duration::from_secs(5);

/// What is known of one identity.
#[derive(Default)]
pub(super) struct Caller {
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    identity: Option<(CallerIdentity, Timestamp)>,
    refused: Option<(AwsError, Timestamp)>,
    /// Since when it is refused like that.
    since: Option<Timestamp>,
}

enum Remembered {
    Known(CallerIdentity),
    Old(CallerIdentity),
    Refused(AwsError),
    Nothing,
}

impl Caller {
    /// Who it is. An identity that was known is used on while it cannot be asked for: what else is wrong shows in the calls
    /// that follow.
    pub(super) async fn is<F>(&self, clock: &Clock, ask: impl FnOnce() -> F) -> Result<CallerIdentity, AwsError>
    where
        F: Future<Output = Result<CallerIdentity, AwsError>>,
    {
        let old = match self.remembered(clock) {
            Remembered::Known(identity) => return Ok(identity),
            Remembered::Refused(refusal) => return Err(refusal),
            Remembered::Old(identity) => Some(identity),
            Remembered::Nothing => None,
        };
        let turn = match (&old, self.asking.try_lock()) {
            (_, Ok(turn)) => turn,
            // Somebody is asking already.
            (Some(identity), Err(_)) => return Ok(identity.clone()),
            (None, Err(_)) => self.asking.lock().await,
        };
        match self.remembered(clock) {
            Remembered::Known(identity) => return Ok(identity),
            Remembered::Refused(refusal) => return Err(refusal),
            Remembered::Old(_) | Remembered::Nothing => {}
        }
        let answer = ask().await;
        let now = clock();
        let mut known = lock(&self.known);
        let told = match answer {
            Ok(answer) => {
                *known = Known { identity: Some((answer.clone(), now)), refused: None, since: None };
                Ok(answer)
            }
            Err(refusal) => {
                let same = known.refused.as_ref().is_some_and(|(before, _)| before.code == refusal.code);
                known.since = known.since.filter(|_| same).or(Some(now));
                known.refused = Some((refusal.clone(), now));
                old.ok_or(refusal)
            }
        };
        drop(known);
        drop(turn);
        told
    }

    /// What the last question was refused with, and since when, if it was.
    pub(super) fn refused(&self) -> Option<(AwsError, Timestamp)> {
        let known = lock(&self.known);
        Some((known.refused.as_ref()?.0.clone(), known.since?))
    }

    fn remembered(&self, clock: &Clock) -> Remembered {
        let now = clock();
        let known = lock(&self.known);
        let refused = known.refused.as_ref().filter(|(_, at)| age(*at, now) < REFUSAL_LASTS);
        match (&known.identity, refused) {
            (Some((identity, at)), _) if age(*at, now) < IDENTITY_LASTS => Remembered::Known(identity.clone()),
            // Just refused: the old one goes on without another question.
            (Some((identity, _)), Some(_)) => Remembered::Known(identity.clone()),
            (Some((identity, _)), None) => Remembered::Old(identity.clone()),
            (None, Some((refusal, _))) => Remembered::Refused(refusal.clone()),
            (None, None) => Remembered::Nothing,
        }
    }
}
