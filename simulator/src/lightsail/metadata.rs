//! Instance metadata options.

use jiff::Timestamp;

use super::instance::InstanceState;
use super::invalid;
use super::operation::Deed;
use crate::call::Call;
use crate::clock::later;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// The only Region that takes `httpProtocolIpv6` (API reference).
const IPV6_REGION: &str = "eu-north-1";

/// Metadata options; the defaults are the API reference's, the hop limit EC2's.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) http_tokens: String,
    pub(crate) http_endpoint: String,
    pub(crate) hop_limit: i64,
    pub(crate) http_protocol_ipv6: String,
    /// Until then the state is `pending`.
    applied_at: Timestamp,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            http_tokens: "optional".to_owned(),
            http_endpoint: "enabled".to_owned(),
            hop_limit: 1,
            http_protocol_ipv6: "disabled".to_owned(),
            applied_at: Timestamp::MIN,
        }
    }
}

impl Metadata {
    pub(crate) fn spell(&self, now: Timestamp) -> Value {
        map([
            ("state", if now < self.applied_at { "pending" } else { "applied" }.into()),
            ("httpTokens", self.http_tokens.as_str().into()),
            ("httpEndpoint", self.http_endpoint.as_str().into()),
            ("httpPutResponseHopLimit", self.hop_limit.into()),
            ("httpProtocolIpv6", self.http_protocol_ipv6.as_str().into()),
        ])
    }
}

/// UpdateInstanceMetadataOptions: running or stopped. An omitted `httpTokens` means optional, the others stay.
pub(crate) fn update(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let takes = place.laws.pace.small_change;
    let ipv6_here = place.region == IPV6_REGION;
    let name = call.text("instanceName");
    let instance = place.instance_to_change(name, call.now)?;
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        let state = instance.state.as_str();
        return Err(invalid(format!("The Instance {name} must be running or stopped. It is {state}.")));
    }
    let text = |member: &str| call.input[member].as_str().map(str::to_owned);
    let hop_limit = call.input["httpPutResponseHopLimit"].as_i64();
    if hop_limit.is_some_and(|limit| !(1..=64).contains(&limit)) {
        return Err(invalid("httpPutResponseHopLimit must be between 1 and 64."));
    }
    let ipv6 = text("httpProtocolIpv6");
    if ipv6.as_deref() == Some("enabled") && !ipv6_here {
        return Err(invalid(format!("httpProtocolIpv6 is available in the Region {IPV6_REGION} only.")));
    }
    if call.fails_later.is_none() {
        let options = &mut instance.metadata;
        options.http_tokens = text("httpTokens").unwrap_or_else(|| "optional".to_owned());
        options.http_endpoint = text("httpEndpoint").unwrap_or_else(|| options.http_endpoint.clone());
        options.hop_limit = hop_limit.unwrap_or(options.hop_limit);
        options.http_protocol_ipv6 = ipv6.unwrap_or_else(|| options.http_protocol_ipv6.clone());
        if instance.state == InstanceState::Running {
            options.applied_at = later(call.now, takes);
        }
    }
    let zone = instance.zone.clone();
    let kind = "UpdateInstanceMetadataOptions";
    let deed = Deed { kind, name: name.to_owned(), resource: "Instance", zone, details: None, takes };
    Ok(map([("operation", place.note(call, deed))]))
}
