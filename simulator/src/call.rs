//! One request, as a service gets it: who may call was decided before.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::place::PlaceKey;

/// One request.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'a str,
    pub(crate) input: &'a Json,
    pub(crate) place: PlaceKey,
    pub(crate) now: Timestamp,
    /// The instant that a read shows: earlier than `now` by the visibility lag.
    pub(crate) seen_at: Timestamp,
    /// A fault's limit for this page.
    pub(crate) keep: Option<usize>,
    /// A fault's code and words for the operation of this request, which AWS accepts and which fails later (Lightsail).
    pub(crate) fails_later: Option<(&'a str, &'a str)>,
    pub(crate) origin: &'a str,
}

impl Call<'_> {
    /// A text member that the model requires (checked before), or "".
    pub(crate) fn text(&self, member: &str) -> &str {
        self.input[member].as_str().unwrap_or_default()
    }

    /// A flag; absent is false.
    pub(crate) fn flag(&self, member: &str) -> bool {
        self.input[member].as_bool().unwrap_or(false)
    }
}
