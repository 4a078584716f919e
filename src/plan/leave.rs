//! Letting a resource go: gone by the rules of its kind, seen to be gone; only then is the object released.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::common::{DeletionPolicy, ManagementPolicy};

use super::life::{AWHILE, Facts, Life, Policies, SOON, Stamps, believed, just_made, look, moved, stalled, waiting};
use super::ownership::{self, Owner, PREFIX};
use super::reason::{Stall, Verdict, Waiting};
use super::report::{self, Known, Report, elapsed, trouble_with};
use super::tags::Tagged;
use super::{Call, Class, Input, News, Next, Plan, Scope, Seen, Status, UNCERTAINTY};

/// A pass over an object that is being deleted.
#[derive(Debug)]
pub struct Going<'a, K: Life> {
    /// The pass.
    pub input: &'a Input<'a, K>,
    /// Since when the object is being deleted.
    pub since: Timestamp,
    /// Where the resource lives.
    pub scope: &'a Scope,
    /// What AWS says.
    pub state: &'a K::State,
}

impl<K: Life> Going<'_, K> {
    /// The resource, if it is still there.
    pub fn facts(&self) -> Option<&K::Facts> {
        K::found(self.state).facts
    }

    /// Something is waited for; the message names the way out.
    pub fn wait(&self, why: Waiting, text: &str, again: Duration) -> Plan<K> {
        self.held(Verdict::Working(why, text.to_owned()), again)
    }

    /// The same, where more than a wait may be said of it.
    pub fn held(&self, verdict: Verdict, again: Duration) -> Plan<K> {
        waiting(self.input, K::Shown::default(), self.known(), verdict.hinting(&way_out::<K>()), again)
    }

    /// Makes one write; the message names the way out.
    pub fn send(&self, call: K::Call, text: &str, news: Option<News>) -> Plan<K> {
        let verdict = trouble_with(self.input, &call);
        let verdict =
            verdict.unwrap_or_else(|| Verdict::Working(Waiting::Deleting, text.to_owned())).hinting(&way_out::<K>());
        // What the deletion has waited for so far is not forgotten when this call fails.
        let before = K::earlier(self.input.object).pending_changes().iter();
        let changes = before.filter(|change| change.field == DELETION).cloned().collect();
        let status = Report { changes, ..Report::new(self.input, self.known(), verdict) }.status();
        Plan { next: Next::Send(call), status, news: news.into_iter().collect() }
    }

    /// What is known for a report.
    pub fn known(&self) -> Known<'_, K::Facts> {
        self.facts().map_or(Known::Absent, Known::There)
    }
}

/// What a deletion is called in `pendingChanges`: its `since` is what `forceAfter` counts from, and a pause, or a policy that
/// forbids what it needs, begins it anew.
pub const DELETION: &str = "metadata.deletionTimestamp";

/// What every message that waits on a deletion says.
pub fn way_out<K: Life>() -> String {
    format!(" (deletionPolicy: Retain lets the object go and leaves the {})", K::NOUN)
}

/// Decides for an object that is being deleted since then.
pub fn plan<K: Life>(input: &Input<'_, K>, since: Timestamp) -> Plan<K> {
    let policies = Policies::of::<K>(input.object);
    let earlier = K::earlier(input.object);
    if earlier.arn().is_none() && K::stamps(earlier).intent().is_none() {
        return release(input, "nothing was made in AWS");
    }
    let nothing = |verdict| waiting(input, K::Shown::default(), Known::Nothing, verdict, AWHILE);
    match (policies.deletion, policies.management, policies.protected) {
        (DeletionPolicy::Retain, ManagementPolicy::Manage, _) => return retain(input, since),
        (DeletionPolicy::Delete | DeletionPolicy::Retain, ManagementPolicy::Observe, _) => {
            return release(input, &format!("managementPolicy is Observe: the {} is left as it is", K::NOUN));
        }
        (DeletionPolicy::Delete, ManagementPolicy::Manage, true) => {
            let text = format!("deletionProtection is true: nothing is deleted in AWS{}", way_out::<K>());
            return nothing(Verdict::Working(Waiting::DeletionProtected, text));
        }
        (DeletionPolicy::Delete, ManagementPolicy::Manage, false) => {}
    }
    let refused = |why, text: &str| {
        let text = format!("{text}{}", way_out::<K>());
        stalled(input, K::Shown::default(), Known::Nothing, why, text)
    };
    match (input.seen, input.scope) {
        (Seen::NotLooked, _) => look(input, BTreeSet::new()),
        (Seen::NotAllowed(text), _) => refused(Stall::NotAllowed, text),
        (Seen::Unknown, _) | (Seen::Found(_), None) => unseen(input),
        (Seen::Found(state), Some(scope)) => {
            let going = Going { input, since, scope, state };
            match (moved(input, scope), K::found(state).facts) {
                (Some(text), _) => refused(Stall::AccountMoved, &text),
                (None, None) => gone(&going),
                (None, Some(facts)) => there(&going, facts),
            }
        }
    }
}

fn release<K: Life>(input: &Input<'_, K>, why: &str) -> Plan<K> {
    let note = News::done("Released", "Release", format!("let the object go: {why}"));
    Plan { next: Next::Release, status: K::earlier(input.object).clone(), news: vec![note] }
}

fn unseen<K: Life>(input: &Input<'_, K>) -> Plan<K> {
    let status = report::unseen(input, K::Shown::default(), &way_out::<K>());
    Plan { next: Next::Wait(SOON), status, news: Vec::new() }
}

/// `Retain` always lets go; our tags are taken off as best we can: what passes by itself is waited out for a minute.
fn retain<K: Life>(input: &Input<'_, K>, since: Timestamp) -> Plan<K> {
    let left = format!("deletionPolicy is Retain: the {} stays in AWS", K::NOUN);
    let passing = input.failure.is_some_and(|f| match f.class {
        Class::Throttled | Class::Busy | Class::Unavailable | Class::InUse | Class::NotSent => true,
        Class::NotFound
        | Class::AlreadyExists
        | Class::QuotaExceeded
        | Class::AccountPending
        | Class::AccessDenied
        | Class::Rejected => false,
    });
    let patient = passing && elapsed(since, input.now) < UNCERTAINTY;
    match (input.seen, input.scope) {
        (Seen::NotLooked, _) => look(input, [K::TAGS].into()),
        (Seen::Unknown, _) if patient => unseen(input),
        (Seen::Found(state), Some(scope)) => {
            let found = K::found(state);
            let (Some(facts), Some(tagged)) = (found.facts, found.tags) else { return release(input, &left) };
            if tagged.began < input.now {
                return look(input, [K::TAGS].into());
            }
            let keys = tagged.tags.keys().filter(|key| key.starts_with(PREFIX)).cloned().collect();
            let call = K::untag(facts, keys);
            let tried = input.failure.is_some_and(|f| f.call.is_some() && f.operation == call.operation());
            let back = K::give_back(input, facts).filter(|back| !report::failed(input, back) || patient);
            match ownership::owner::<K>(scope, input.object, &tagged.tags) {
                Owner::Ours if let Some(back) = back => {
                    let text = format!("giving the {} back what was taken for its end", K::NOUN);
                    Going { input, since, scope, state }.send(back, &text, None)
                }
                Owner::Ours if !tried || patient => {
                    let text = format!("taking the ownership tags off the {}", K::NOUN);
                    Going { input, since, scope, state }.send(call, &text, None)
                }
                Owner::Ours | Owner::Nobody | Owner::Restored | Owner::Other => release(input, &left),
            }
        }
        (Seen::Found(_), None) | (Seen::NotAllowed(_) | Seen::Unknown, _) => release(input, &left),
    }
}

/// None of that name: believed only from a read that began long enough after anything that could still bring one about.
fn gone<K: Life>(going: &Going<'_, K>) -> Plan<K> {
    let input = going.input;
    match certain(going) {
        Ok(()) => {
            if let Some(plan) = K::left_behind(going) {
                return plan;
            }
            let note = News::done("Deleted", "Delete", format!("the {} is gone from AWS", K::NOUN));
            Plan { next: Next::Release, status: K::earlier(input.object).clone(), news: vec![note] }
        }
        Err(rest) => {
            let text = format!("making sure that the {} is gone", K::NOUN);
            going.wait(Waiting::Deleting, &text, rest.min(Duration::from_secs(15)))
        }
    }
}

/// Whether nothing of ours can be under way any more.
fn certain<K: Life>(going: &Going<'_, K>) -> Result<(), Duration> {
    let Going { input, since, state, .. } = *going;
    let intent = K::stamps(K::earlier(input.object)).intent().map_or(since, |i| i.at);
    believed(K::found(state).began, input.quiet_since.max(since).max(intent))
}

fn there<K: Life>(going: &Going<'_, K>, facts: &K::Facts) -> Plan<K> {
    let input = going.input;
    let looks = || look(input, K::LEAVING.iter().copied().chain([K::TAGS]).collect());
    let Some(tagged) = K::found(going.state).tags.filter(|t| t.began >= input.now) else { return looks() };
    match ownership::owner::<K>(going.scope, input.object, &tagged.tags) {
        Owner::Ours => K::leave(going),
        owner @ (Owner::Nobody | Owner::Restored | Owner::Other) => not_ours(going, facts, owner, tagged),
    }
}

/// A resource of that name without our tags. One that was never ours, or another under the old name, is left alone; one
/// that was ours and lost its tags is not deleted by guess.
fn not_ours<K: Life>(going: &Going<'_, K>, facts: &K::Facts, owner: Owner, tagged: &Tagged) -> Plan<K> {
    let input = going.input;
    let earlier = K::earlier(input.object);
    let another = earlier.created_time().is_some() && earlier.created_time() != facts.created_time();
    let wait = |text: String, again| {
        let verdict = Verdict::Working(Waiting::Deleting, format!("{text}{}", way_out::<K>()));
        waiting(input, K::Shown::default(), Known::Foreign, verdict, again)
    };
    let lost = || {
        let text =
            format!("{} {} has lost its ownership tags, so it is not deleted{}", K::NOUN, facts.name(), way_out::<K>());
        stalled(input, K::Shown::default(), Known::Foreign, Stall::NotOwned, text)
    };
    match (owner, earlier.arn().is_some() && !another) {
        // Another cluster's id beside our own uid: the operator's id was changed, or somebody wrote the tag.
        (Owner::Other, _) if ownership::has_uid_of::<K>(input.object, &tagged.tags) => lost(),
        (Owner::Nobody, true) if just_made(input, facts, tagged).is_some() => {
            wait(format!("AWS does not show the tags of the new {} yet", K::NOUN), Duration::from_secs(2))
        }
        // Names are unique: if somebody else has it, then we do not, once nothing of ours can be under way.
        (Owner::Other, _) | (Owner::Nobody | Owner::Restored, false) => match certain(going) {
            Ok(()) => match K::left_behind(going) {
                Some(plan) => plan,
                None => release(input, &format!("the {} of that name is not ours", K::NOUN)),
            },
            Err(rest) => {
                let text = format!("making sure that the {} of that name is not ours", K::NOUN);
                wait(text, rest.min(Duration::from_secs(15)))
            }
        },
        (Owner::Nobody | Owner::Restored, true) => lost(),
        (Owner::Ours, _) => look(input, [K::TAGS].into()),
    }
}
