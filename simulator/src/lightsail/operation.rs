//! Operations: what a write answers with, and how it went later.
//!
//! What an operation is at an instant follows from when it began and when it is over; nothing has to settle.

use std::time::Duration;

use jiff::Timestamp;

use super::{not_found, page_of};
use crate::call::Call;
use crate::clock::later;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// Operations that are kept. How long AWS keeps them is not written down.
const KEPT: usize = 2000;

/// Items of a page at most (API reference of GetOperations).
const LARGEST_PAGE: usize = 200;

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    serial: u64,
    id: String,
    deed: Deed,
    created_at: Timestamp,
    over_at: Timestamp,
    /// Code and details, when it fails.
    failure: Option<(String, String)>,
}

/// What an operation does to what.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// operationType as AWS spells it.
    pub(crate) kind: &'static str,
    /// Resource name.
    pub(crate) name: String,
    /// Resource type.
    pub(crate) resource: &'static str,
    /// Availability zone, or `all`.
    pub(crate) zone: String,
    /// operationDetails.
    pub(crate) details: Option<String>,
    /// How long it takes. Zero: it is over at once.
    pub(crate) takes: Duration,
}

impl Operation {
    /// Whether it is still going on.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        now < self.over_at
    }

    fn spell(&self, region: &str, now: Timestamp) -> Value {
        let open = self.is_open(now);
        let (status, changed) = match (open, &self.failure) {
            (true, _) => ("Started", self.created_at),
            (false, Some(_)) => ("Failed", self.over_at),
            (false, None) => ("Succeeded", self.over_at),
        };
        let failed = self.failure.as_ref().filter(|_| !open);
        map([
            ("id", self.id.as_str().into()),
            ("resourceName", self.deed.name.as_str().into()),
            ("resourceType", self.deed.resource.into()),
            ("createdAt", self.created_at.into()),
            ("location", map([("availabilityZone", self.deed.zone.as_str().into()), ("regionName", region.into())])),
            ("isTerminal", (!open).into()),
            ("operationDetails", self.deed.details.clone().into()),
            ("operationType", self.deed.kind.into()),
            ("status", status.into()),
            ("statusChangedAt", changed.into()),
            ("errorCode", failed.map(|(code, _)| code.as_str()).into()),
            ("errorDetails", failed.map(|(_, details)| details.as_str()).into()),
        ])
    }
}

impl Place {
    /// Notes an operation and spells it as the answer does. A fault that fails it later makes it take a while at least.
    pub(crate) fn note(&mut self, call: &Call<'_>, mut deed: Deed) -> Value {
        if call.fails_later.is_some() {
            deed.takes = deed.takes.max(self.laws.pace.small_change);
        }
        let id = self.uuid();
        let lightsail = &mut self.lightsail;
        lightsail.serial += 1;
        let over_at = later(call.now, deed.takes);
        let failure = call.fails_later.map(|(code, details)| (code.to_owned(), details.to_owned()));
        let operation = Operation { serial: lightsail.serial, id, deed, created_at: call.now, over_at, failure };
        let spelled = operation.spell(&self.region, call.now);
        lightsail.operations.push_back(operation);
        if lightsail.operations.len() > KEPT {
            lightsail.operations.pop_front();
        }
        spelled
    }

    /// Whether an operation on this resource goes on.
    pub(crate) fn is_busy(&self, name: &str, now: Timestamp) -> bool {
        self.lightsail.operations.iter().rev().any(|one| one.deed.name == name && one.is_open(now))
    }
}

/// GetOperation.
pub(crate) fn get(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let id = call.text("operationId");
    let found = place.lightsail.operations.iter().find(|one| one.id == id);
    let found = found.ok_or_else(|| not_found("Operation", id))?;
    Ok(map([("operation", found.spell(&place.region, call.seen_at))]))
}

/// GetOperations: oldest first.
pub(crate) fn list(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    paged(place, call, |_| true)
}

/// GetOperationsForResource: of whatever has or had the name.
pub(crate) fn list_for_resource(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("resourceName").to_owned();
    paged(place, call, |one| one.deed.name == name)
}

fn paged(place: &Place, call: &Call<'_>, wanted: impl Fn(&Operation) -> bool) -> Result<Value, Refusal> {
    let chosen = place.lightsail.operations.iter().filter(|one| wanted(one));
    let keyed = chosen.map(|one| (format!("{:020}", one.serial), one)).collect();
    let mut laws = place.laws;
    laws.page_size = laws.page_size.min(LARGEST_PAGE);
    page_of(call, &laws, "operations", keyed, |one| one.spell(&place.region, call.seen_at))
}
