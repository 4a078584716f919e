//! Looks that AWS refuses this identity, and since when.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::aws::AwsError;
use crate::aws::batch::lock;
use crate::plan::Class;
use crate::plan::looked::{Looked, Refusal};

use super::place::Place;

/// For how long a refusal counts as the same one without a new one: what held it may have been mended and broken again.
/// An object that is held back by one looks every minute at the latest.
const SAME: Duration = Duration::from_secs(600);

/// Since when AWS refuses which look.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashMap<Key, Span>>);

/// Where, of which resource, which look.
type Key = (Place, String, &'static str);

struct Span {
    since: Timestamp,
    last: Timestamp,
}

impl Refused {
    /// What a look beside the shared one found, where AWS may refuse it to this identity alone.
    ///
    /// # Errors
    /// What is no refusal.
    pub(super) fn looked<T>(
        &self,
        (place, name, what): (&Place, &str, &'static str),
        now: Timestamp,
        answer: Result<T, AwsError>,
    ) -> Result<Looked<T>, AwsError> {
        let key = (place.clone(), name.to_owned(), what);
        match answer {
            Ok(found) => {
                lock(&self.0).remove(&key);
                Ok(Looked::Found(found))
            }
            Err(AwsError { class: Class::AccessDenied, operation, code, message, .. }) => {
                let mut all = lock(&self.0);
                let span = all.entry(key).or_insert(Span { since: now, last: now });
                if now.duration_since(span.last).unsigned_abs() > SAME {
                    span.since = now;
                }
                span.last = now;
                Ok(Looked::Refused(Refusal { operation, code, message, since: span.since }))
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets what nobody has looked at for so long.
    pub(super) fn evict(&self, now: Timestamp) {
        lock(&self.0).retain(|_, span| now.duration_since(span.last).unsigned_abs() <= SAME);
    }
}
