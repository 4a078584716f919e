//! Sessions: DescribeSessions, ExpireSession, DrainSessionInstance and CreateStreamingURL.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fleet::FleetState;
use super::{Call, invalid_combination, not_found, page, text};
use crate::clock::later;
use crate::place::Place;
use crate::wire::{Refusal, Value, map, nothing};

/// How a user proved who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthenticationType {
    /// A streaming URL (CreateStreamingURL). What DescribeSessions shows when no type is asked for.
    #[default]
    #[serde(rename = "API")]
    Api,
    /// A SAML federation.
    #[serde(rename = "SAML")]
    Saml,
    /// The user pool.
    #[serde(rename = "USERPOOL")]
    UserPool,
    /// A directory.
    #[serde(rename = "AWS_AD")]
    AwsAd,
}

impl AuthenticationType {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Saml => "SAML",
            Self::UserPool => "USERPOOL",
            Self::AwsAd => "AWS_AD",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    Connected,
    NotConnected,
}

/// One streaming session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) stack: String,
    pub(crate) authentication: AuthenticationType,
    pub(crate) connection: Connection,
    pub(crate) disconnected_at: Option<Timestamp>,
    pub(crate) started_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) instance_id: String,
}

impl Session {
    pub(crate) fn end(&mut self, at: Timestamp) {
        self.ended_at = Some(at);
        self.connection = Connection::NotConnected;
    }
}

/// A streaming URL that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct StreamingUrl {
    pub(crate) place: crate::place::PlaceKey,
    pub(crate) stack: String,
    pub(crate) fleet: String,
    pub(crate) user: String,
    pub(crate) expires_at: Timestamp,
}

impl Place {
    /// Opens a session, as AWS does when a user has signed in. The error is AWS's code with what a user would read.
    pub(crate) fn open_session(
        &mut self,
        stack: &str,
        fleet: &str,
        user: &str,
        authentication: AuthenticationType,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        if !self.associations.contains(&(fleet.to_owned(), stack.to_owned())) {
            return Err(not_associated(stack, fleet));
        }
        let id = self.uuid();
        let Some(host) = self.fleets.get_mut(fleet).filter(|host| host.state == FleetState::Running) else {
            return Err(not_streaming(fleet));
        };
        let Some(instance_id) = host.seat(now) else {
            let message = "No streaming resources are available for your session. Try again in a few minutes.";
            return Err(Refusal::new("ResourceNotAvailableException", message));
        };
        host.sessions.push(Session {
            id: id.clone(),
            user: user.to_owned(),
            stack: stack.to_owned(),
            authentication,
            connection: Connection::Connected,
            disconnected_at: None,
            started_at: now,
            expires_at: later(now, host.settings.max_user_duration()),
            ended_at: None,
            instance_id,
        });
        host.plan_next(now);
        Ok(id)
    }

    /// The fleet on which a session lives.
    pub(crate) fn fleet_of_session(&self, id: &str) -> Option<String> {
        let hosts =
            |fleet: &&super::fleet::Fleet| fleet.sessions.iter().any(|one| one.id == id && one.ended_at.is_none());
        self.fleets.values().find(hosts).map(|fleet| fleet.name.clone())
    }
}

/// DescribeSessions: one stack, one fleet, and one authentication type (API unless another is asked for).
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    // The model bounds nothing here; its documentation says 20 by default and 50 at most.
    let limit = call.input["Limit"].as_i64().filter(|limit| (1..=50).contains(limit));
    let limit = limit.map_or(20, |limit| usize::try_from(limit).unwrap_or(20));
    let user = call.input["UserId"].as_str();
    let kind = call.input["AuthenticationType"].as_str();
    if user.is_some() && kind.is_none() {
        return Err(invalid_combination(
            "The AuthenticationType parameter must be specified when UserId is specified.",
        ));
    }
    let kind = kind.unwrap_or("API");
    let instance = call.input["InstanceId"].as_str();
    let (stack, name) = (text(call, "StackName"), text(call, "FleetName"));
    let Some(fleet) = place.fleets.get(name) else {
        return Ok(map([("Sessions", Value::List(Vec::new()))]));
    };
    let multi = fleet.settings.max_sessions_per_instance.is_some();
    let asked = |one: &&Session| {
        one.stack == stack
            && one.authentication.as_str() == kind
            && user.is_none_or(|user| one.user == user)
            && instance.is_none_or(|instance| one.instance_id == instance)
    };
    let mut listed: Vec<&Session> = fleet.sessions.iter().filter(asked).collect();
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    let draining = |one: &Session| fleet.instances.iter().any(|host| host.id == one.instance_id && host.draining);
    let spelled = listed.into_iter().map(|one| (one.id.clone(), spell(one, name, multi, draining(one)))).collect();
    page(call, &place.laws, limit, "Sessions", spelled)
}

fn spell(one: &Session, fleet: &str, multi: bool, draining: bool) -> Value {
    let drain = match (multi, draining) {
        (false, _) => "NOT_APPLICABLE",
        (true, true) => "DRAINING",
        (true, false) => "ACTIVE",
    };
    let connection = match one.connection {
        Connection::Connected => "CONNECTED",
        Connection::NotConnected => "NOT_CONNECTED",
    };
    // An address that belongs to the instance, out of AWS's default VPC range.
    let host = one.instance_id.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    let network = map([
        ("EniPrivateIpAddress", format!("172.31.{}.{}", host % 16, host).into()),
        ("EniId", one.instance_id.replacen("i-", "eni-", 1).into()),
    ]);
    map([
        ("Id", one.id.as_str().into()),
        ("UserId", one.user.as_str().into()),
        ("StackName", one.stack.as_str().into()),
        ("FleetName", fleet.into()),
        ("State", if one.ended_at.is_some() { "EXPIRED" } else { "ACTIVE" }.into()),
        ("ConnectionState", connection.into()),
        ("StartTime", one.started_at.into()),
        ("MaxExpirationTime", one.expires_at.into()),
        ("AuthenticationType", one.authentication.as_str().into()),
        ("NetworkAccessConfiguration", network),
        ("InstanceId", one.instance_id.as_str().into()),
        ("InstanceDrainStatus", drain.into()),
    ])
}

/// ExpireSession: at once. It has no modelled error, so an unknown session is a silent success.
pub(crate) fn expire(place: &mut Place, call: &Call<'_>) -> Value {
    let id = text(call, "SessionId");
    if let Some(fleet) = place.fleet_of_session(id).and_then(|name| place.fleets.get_mut(&name)) {
        fleet.end_session(id, call.now);
    }
    nothing()
}

/// DrainSessionInstance: the instance of a multi-session fleet takes no new session, then is replaced.
pub(crate) fn drain(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let id = text(call, "SessionId");
    let Some(fleet) = place.fleet_of_session(id).and_then(|name| place.fleets.get_mut(&name)) else {
        return Err(not_found(format!("The session {id} does not exist.")));
    };
    if fleet.settings.max_sessions_per_instance.is_none() {
        return Err(Refusal::new("OperationNotPermittedException", "The session is not on a multi-session fleet."));
    }
    let hosts = fleet.sessions.iter().find(|one| one.id == id).map(|one| one.instance_id.clone());
    if let Some(instance) = hosts {
        fleet.drain(&instance, call.now);
    }
    Ok(nothing())
}

/// Checks of CreateStreamingURL, and how long the URL is valid. Nothing is opened before the URL is followed.
pub(crate) fn streaming_url(place: &Place, call: &Call<'_>) -> Result<Duration, Refusal> {
    let (stack, fleet) = (text(call, "StackName"), text(call, "FleetName"));
    if !place.stacks.contains_key(stack) {
        return Err(not_found(format!("The stack {stack} does not exist.")));
    }
    let Some(host) = place.fleets.get(fleet) else {
        return Err(not_found(format!("The fleet {fleet} does not exist.")));
    };
    if !place.associations.contains(&(fleet.to_owned(), stack.to_owned())) {
        return Err(not_associated(stack, fleet));
    }
    if host.state != FleetState::Running {
        return Err(not_streaming(fleet));
    }
    validity(call)
}

/// `Validity`: 1 to 604800 seconds, 60 if absent (API reference).
pub(crate) fn validity(call: &Call<'_>) -> Result<Duration, Refusal> {
    match call.input["Validity"].as_i64() {
        None => Ok(Duration::from_secs(60)),
        Some(seconds @ 1..=604_800) => Ok(Duration::from_secs(seconds.unsigned_abs())),
        Some(_) => Err(invalid_combination("The Validity must be between 1 and 604800 seconds.")),
    }
}

fn not_associated(stack: &str, fleet: &str) -> Refusal {
    let message = format!("The fleet {fleet} is not associated with the stack {stack}.");
    Refusal::new("OperationNotPermittedException", message)
}

fn not_streaming(fleet: &str) -> Refusal {
    let message = format!("The fleet {fleet} is not running. It must be running for this action to succeed.");
    Refusal::new("ResourceNotAvailableException", message)
}
