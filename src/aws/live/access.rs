//! What grants ask of AWS: is the target there and ready (shared reads), and the one call that opens it.
//!
//! Nothing of the three access calls is ever formatted: the SDK's types and errors print keys, passwords and tokens.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_gamelift::Client;
use aws_sdk_lightsail::types::InstanceAccessProtocol;
use jiff::Timestamp;

use super::errors::ours;
use super::gamelift::{self, Fleet, Machine, answered};
use super::lightsail::Lightsail;
use super::request::Way;
use super::translate::timestamp;
use crate::api::access_grant::{
    AccessProtocol, GameLiftComputeTarget, GameLiftInstanceTarget, LightsailInstanceTarget,
};
use crate::api::{AccessGrant, Arn};
use crate::aws::accounts::{Accounts, ScopeError};
use crate::aws::batch::{Clock, Shared, lock, strictly};
use crate::aws::codes::Service;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort, Reply, Stray};
use crate::plan::access_grant::{
    AccessSeen, Credentials, Doing, GrantCall, GrantKind, GrantLook, GrantState, Missing, NoAccess, RdpAccess,
    SshAccess, TargetFacts, TargetSeen,
};
use crate::plan::instance::{InstanceFacts, Power};
use crate::plan::{Class, Scope, SecretText};

const GET_INSTANCE_ACCESS_DETAILS: &str = "GetInstanceAccessDetails";
/// What nobody asked for during this time is forgotten: a few renewals.
const UNUSED_AFTER: Duration = Duration::from_secs(3600);

/// The way to the targets of grants, for every account and Region.
pub struct Access {
    accounts: Arc<Accounts>,
    lightsail: Arc<Lightsail>,
    clock: Clock,
    clients: Mutex<HashMap<Place, Client>>,
    fleets: Shared<(Place, String), Fleet>,
    machines: Shared<(Place, String, String), Option<Machine>>,
}

/// An account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    account: Arc<str>,
    region: Arc<str>,
}

/// One target of the three.
enum Target<'a> {
    Lightsail(&'a LightsailInstanceTarget, String),
    Instance(&'a GameLiftInstanceTarget),
    Compute(&'a GameLiftComputeTarget),
}

impl Access {
    /// A way that has seen nothing yet; Lightsail's reads are shared with its own objects.
    pub fn new(accounts: Arc<Accounts>, lightsail: Arc<Lightsail>) -> Self {
        let clock = strictly(accounts.clock());
        Self {
            accounts,
            lightsail,
            clients: Mutex::default(),
            fleets: Shared::new(Arc::clone(&clock), UNUSED_AFTER),
            machines: Shared::new(Arc::clone(&clock), UNUSED_AFTER),
            clock,
        }
    }

    async fn look(
        &self,
        scope: &Scope,
        object: &AccessGrant,
        Ask { looks, not_before, urgency }: Ask<'_, GrantLook>,
    ) -> Result<GrantState, AwsError> {
        let began = (self.clock)().min((self.accounts.clock())());
        if looks.is_empty() {
            return Ok(GrantState { began, target: None, access: None });
        }
        self.fleets.evict();
        self.machines.evict();
        let asked = Target::of(object)?;
        let target = self.target(scope, &asked, not_before, urgency).await?;
        let access = match looks.contains(&GrantLook::Access) {
            true => {
                let access = self.access(scope, &asked, &target, urgency).await;
                audit(scope, object, &asked, &access);
                Some(access?)
            }
            false => None,
        };
        Ok(GrantState { began, target: Some(target), access })
    }

    async fn target(
        &self,
        scope: &Scope,
        target: &Target<'_>,
        not_before: Timestamp,
        urgency: Urgency,
    ) -> Result<TargetSeen, AwsError> {
        let place = Place::of(scope);
        let (fleet_id, name) = match target {
            Target::Lightsail(_, name) => {
                let found = self.lightsail.instance(scope, name, not_before, urgency).await?;
                return Ok(found.map_or(TargetSeen::Absent(Missing::Instance), |facts| {
                    TargetSeen::There(Box::new(lightsail_facts(&facts)))
                }));
            }
            Target::Instance(target) => (&target.fleet_id, &target.instance_id),
            Target::Compute(target) => (&target.fleet_id, &target.compute_name),
        };
        let (client, way) = (self.client(scope), self.way(scope, urgency));
        let key = (place.clone(), fleet_id.clone());
        let fleet = self.fleets.since(&key, not_before, || gamelift::fleet(&client, &way, fleet_id)).await?;
        let (arn, doing) = match (&fleet.value, target) {
            (Fleet::Absent, _) => return Ok(TargetSeen::Absent(Missing::Fleet)),
            (Fleet::Anywhere, _) => return Ok(TargetSeen::NoAccess(NoAccess::Anywhere)),
            (Fleet::Container { .. }, Target::Instance(_)) => return Ok(TargetSeen::NoAccess(NoAccess::Container)),
            (Fleet::Ec2 { arn, status } | Fleet::Container { arn, status }, _) => (arn, fleet_not(target, status)),
        };
        let key = (place, fleet_id.clone(), name.clone());
        let read = || match target {
            Target::Instance(target) => gamelift::instance(&client, &way, target),
            Target::Compute(target) => gamelift::compute(&client, &way, target),
            Target::Lightsail(..) => Box::pin(std::future::ready(Ok(None))),
        };
        let machine = self.machines.since(&key, not_before, read).await?;
        let missing = match target {
            Target::Compute(_) => Missing::Compute,
            Target::Instance(_) | Target::Lightsail(..) => Missing::Instance,
        };
        Ok(match &machine.value {
            None => TargetSeen::Absent(missing),
            Some(machine) => TargetSeen::There(Box::new(machine.facts(arn, doing))),
        })
    }

    /// The one call.
    async fn access(
        &self,
        scope: &Scope,
        asked: &Target<'_>,
        seen: &TargetSeen,
        urgency: Urgency,
    ) -> Result<AccessSeen, AwsError> {
        match asked {
            Target::Lightsail(target, name) => self.details(scope, name, target.protocol, urgency).await,
            Target::Instance(target) => {
                gamelift::instance_access(&self.client(scope), &self.way(scope, urgency), target).await
            }
            Target::Compute(target) => {
                let location = match seen {
                    TargetSeen::There(facts) => facts.location.as_deref(),
                    TargetSeen::Absent(_) | TargetSeen::NoAccess(_) => None,
                };
                let region = location.unwrap_or(scope.region.as_str());
                gamelift::compute_access(&self.client(scope), &self.way(scope, urgency), target, region).await
            }
        }
    }

    /// GetInstanceAccessDetails; the protocol is always sent, because AWS's own default is not what its model says.
    async fn details(
        &self,
        scope: &Scope,
        name: &str,
        protocol: AccessProtocol,
        urgency: Urgency,
    ) -> Result<AccessSeen, AwsError> {
        let (client, way) = self.lightsail.way_to(scope, urgency);
        let sent = match protocol {
            AccessProtocol::Ssh => InstanceAccessProtocol::Ssh,
            AccessProtocol::Rdp => InstanceAccessProtocol::Rdp,
        };
        let request = client.get_instance_access_details().instance_name(name).protocol(sent);
        let said = match answered(way.read(GET_INSTANCE_ACCESS_DETAILS, request.send()).await)? {
            Ok(said) => said,
            Err(seen) => return Ok(seen),
        };
        let lacks =
            || ours(GET_INSTANCE_ACCESS_DETAILS, Class::Unavailable, "Unreadable", "the answer holds no credentials");
        let details = said.access_details.ok_or_else(lacks)?;
        let host = details.ip_address.filter(|address| !address.is_empty());
        let host = host.or_else(|| details.ipv6_addresses.unwrap_or_default().into_iter().next());
        let username = details.username.unwrap_or_default();
        let secret = |text: Option<String>| SecretText::new(text.unwrap_or_default());
        Ok(AccessSeen::Given(match protocol {
            AccessProtocol::Ssh => Credentials::Ssh(SshAccess {
                host,
                username,
                private_key: secret(details.private_key),
                certificate: secret(details.cert_key),
                expires_at: details.expires_at.as_ref().and_then(timestamp),
                host_keys: (details.host_keys.unwrap_or_default().into_iter())
                    .filter_map(|key| Some((key.algorithm?, key.public_key?)))
                    .collect(),
            }),
            AccessProtocol::Rdp => {
                let (ciphertext, key_pair_name) =
                    details.password_data.map(|data| (data.ciphertext, data.key_pair_name)).unwrap_or_default();
                Credentials::Rdp(RdpAccess {
                    host,
                    username,
                    password: secret(details.password),
                    ciphertext: secret(ciphertext),
                    key_pair_name: key_pair_name.unwrap_or_default(),
                })
            }
        }))
    }

    fn client(&self, scope: &Scope) -> Client {
        let place = Place::of(scope);
        let mut clients = lock(&self.clients);
        let made = || Client::new(&self.accounts.config(&scope.region));
        clients.entry(place).or_insert_with(made).clone()
    }

    fn way(&self, scope: &Scope, urgency: Urgency) -> Way {
        Way::new(self.accounts.gate(), Service::GameLift, &scope.account, scope.region.as_str(), urgency)
    }
}

impl AwsPort<GrantKind> for Access {
    async fn scope(&self, object: &AccessGrant) -> Result<Scope, ScopeError> {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        self.accounts.resolve(namespace, object.spec.account.as_ref(), object.spec.region.as_ref()).await
    }

    async fn observe(
        &self,
        scope: &Scope,
        object: &AccessGrant,
        ask: Ask<'_, GrantLook>,
    ) -> Result<GrantState, AwsError> {
        // Boxed: the futures of several SDK calls lie in it, and whoever awaits it should not carry them on its stack.
        Box::pin(self.look(scope, object, ask)).await
    }

    async fn send(&self, _: &Scope, call: &GrantCall, _: Urgency) -> Result<Reply, AwsError> {
        match *call {}
    }

    /// A grant has nothing in AWS.
    async fn strays(&self, _: &Scope, _: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        Ok(Vec::new())
    }
}

impl Place {
    fn of(scope: &Scope) -> Self {
        Self { account: scope.account.as_str().into(), region: scope.region.as_str().into() }
    }
}

impl<'a> Target<'a> {
    /// The target of an object; the name of an Instance's machine is in the status.
    fn of(object: &'a AccessGrant) -> Result<Self, AwsError> {
        let spec = &object.spec;
        match (&spec.lightsail_instance, &spec.game_lift_instance, &spec.game_lift_compute) {
            (Some(target), _, _) => {
                let stamped = object.status.as_ref().and_then(|status| status.internal.target.as_ref()?.name.clone());
                let name = target.name.as_ref().map(ToString::to_string).or(stamped);
                let unknown = || ours("GetInstance", Class::NotSent, "NoName", "the instance's name is not known yet");
                Ok(Self::Lightsail(target, name.ok_or_else(unknown)?))
            }
            (None, Some(target), _) => Ok(Self::Instance(target)),
            (None, None, Some(target)) => Ok(Self::Compute(target)),
            (None, None, None) => Err(ours("GetInstance", Class::Rejected, "NoTarget", "the grant has no target")),
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::Lightsail(..) => GET_INSTANCE_ACCESS_DETAILS,
            Self::Instance(_) => "GetInstanceAccess",
            Self::Compute(_) => "GetComputeAccess",
        }
    }

    fn resource(&self) -> String {
        match self {
            Self::Lightsail(_, name) => name.clone(),
            Self::Instance(target) => format!("{}/{}", target.fleet_id, target.instance_id),
            Self::Compute(target) => format!("{}/{}", target.fleet_id, target.compute_name),
        }
    }
}

fn lightsail_facts(facts: &InstanceFacts) -> TargetFacts {
    let starts = |text: &Option<String>, with: &str| text.as_deref().is_some_and(|text| text.starts_with(with));
    TargetFacts {
        id: facts.arn.to_string(),
        arn: Some(facts.arn.clone()),
        created: facts.created_time,
        tags: facts.tags.clone(),
        doing: match &facts.power {
            Power::Running => Doing::Running,
            other => Doing::NotRunning(other.as_str().to_owned()),
        },
        address: facts.public_ip.clone().or_else(|| facts.ipv6.first().cloned()),
        // An instance does not show its platform; the ids of AWS's own blueprints begin with it.
        windows: starts(&facts.blueprint_id, "windows_") || facts.username.as_deref() == Some("Administrator"),
        location: None,
    }
}

/// Fleet states in which AWS documents access: by instance also while it activates or fails, by compute when it is active.
fn fleet_not(target: &Target<'_>, status: &str) -> Option<Doing> {
    let open: &[&str] = match target {
        Target::Instance(_) => &["ACTIVE", "ACTIVATING", "ERROR"],
        Target::Compute(_) | Target::Lightsail(..) => &["ACTIVE", "UPDATING"],
    };
    (!open.contains(&status)).then(|| Doing::FleetNot(status.to_owned()))
}

/// One line for every access call: who was given what, and why. Never what was given.
fn audit(scope: &Scope, object: &AccessGrant, target: &Target<'_>, access: &Result<AccessSeen, AwsError>) {
    let outcome = match access {
        Ok(AccessSeen::Given(_)) => "given",
        Ok(AccessSeen::NotFound) => "NotFound",
        Ok(AccessSeen::NotYet(_)) => "NotYet",
        Ok(AccessSeen::Refused(code, _)) => code.as_str(),
        Err(error) => error.code.as_str(),
    };
    tracing::info!(
        target: "windlass::audit",
        operation = target.operation(),
        resource = target.resource(),
        account = scope.account,
        region = scope.region.as_str(),
        reason = object.spec.reason.as_deref().unwrap_or_default(),
        outcome,
        "aws access"
    );
}
