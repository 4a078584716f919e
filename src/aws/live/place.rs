//! An AWS account and Region as one identity sees it, and the clients for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use crate::aws::accounts::Session;
use crate::aws::batch::{age, lock};
use crate::plan::{Identity, Scope};

/// An account and Region, and whose eyes see it: two Account objects of one AWS account may be allowed to see different
/// things, so they share no read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    account: Arc<str>,
    pub(super) region: Arc<str>,
    /// uid and version of the Account object; `None` is the operator's own identity.
    viewer: Option<(Arc<str>, i64)>,
}

impl Place {
    /// That of a scope.
    pub(super) fn of(scope: &Scope) -> Self {
        let viewer = match &scope.identity {
            Identity::Own => None,
            Identity::Account(mandate) => Some((mandate.uid.as_str().into(), mandate.generation)),
        };
        Self { account: scope.account.as_str().into(), region: scope.region.as_str().into(), viewer }
    }
}

/// The clients of one service: one for each place and session.
pub(super) struct Clients<C> {
    all: Mutex<HashMap<Whose, (C, Timestamp)>>,
    evicted: Mutex<Timestamp>,
}

/// How often forgetting is thought of.
const EVICT_EVERY: Duration = Duration::from_secs(600);

/// A place and, where it has one, the name of the session.
type Whose = (Place, Option<Arc<str>>);

impl<C: Clone> Clients<C> {
    /// None yet.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { all: Mutex::default(), evicted: Mutex::new(now) }
    }

    /// The client for a scope and session, made if there is none.
    pub(super) fn get(&self, scope: &Scope, session: Session, now: Timestamp, make: impl FnOnce() -> C) -> C {
        let namespace = match (&scope.identity, session) {
            (Identity::Own, _) | (Identity::Account(_), Session::Reads) => None,
            (Identity::Account(mandate), Session::Writes) => Some(mandate.namespace.as_str().into()),
        };
        let mut all = lock(&self.all);
        let (client, used) = all.entry((Place::of(scope), namespace)).or_insert_with(|| (make(), now));
        *used = now;
        client.clone()
    }

    /// Every ten minutes, forgets what nobody used for this long; answers whether it did, so that whoever holds more forgets
    /// it too.
    pub(super) fn evict(&self, now: Timestamp, unused: Duration) -> bool {
        {
            let mut evicted = lock(&self.evicted);
            if age(*evicted, now) < EVICT_EVERY {
                return false;
            }
            *evicted = now;
        }
        lock(&self.all).retain(|_, (_, used)| age(*used, now) < unused);
        true
    }
}
