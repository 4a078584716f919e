//! What grants ask of AWS: is the target there and ready (shared reads), and the one call that opens it.
//!
//! Nothing of the three access calls is ever formatted: the SDK's types and errors print keys, passwords and tokens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_gamelift::Client;
use jiff::Timestamp;
use kube::ResourceExt;

use super::errors::ours;
use super::gamelift::{self, Fleet, Machine};
use super::lightsail::Lightsail;
use super::lightsail_access;
use super::place::{Clients, Place};
use super::request::Way;
use crate::api::access_grant::{
    AccessProtocol, GameLiftComputeTarget, GameLiftInstanceTarget, LightsailInstanceTarget,
};
use crate::api::instance::IpAddressType;
use crate::api::{AccessGrant, Arn};
use crate::aws::accounts::{Accounts, Reach, ScopeError, Session};
use crate::aws::batch::{Clock, Shared, strictly};
use crate::aws::codes::Service;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort, Reply, Stray};
use crate::plan::access_grant::{
    AccessSeen, Doing, GrantCall, GrantKind, GrantLook, GrantState, Missing, NoAccess, TargetFacts, TargetSeen,
};
use crate::plan::conditions::holds;
use crate::plan::instance::{InstanceFacts, Power};
use crate::plan::{Class, Kind, Scope};

/// What nobody asked for during this time is forgotten: longer than the longest default interval, so that a renewal finds it.
const UNUSED_AFTER: Duration = Duration::from_secs(3600);
/// How old a shared look at a target may be that was open before: the access call that follows has the last word on it.
const RENEWAL: Duration = Duration::from_secs(60);
/// The same for a machine of a GameLift fleet: of that nothing is needed again but where it is, which never changes, and no
/// other machine ever has its name.
const MACHINE: Duration = Duration::from_secs(3600);

/// The way to the targets of grants, for every account and Region.
pub struct Access {
    accounts: Arc<Accounts>,
    lightsail: Arc<Lightsail>,
    clock: Clock,
    clients: Clients<Client>,
    fleets: Shared<(Place, String), Fleet>,
    machines: Shared<(Place, String, String), Option<Machine>>,
}

/// When the looks at a target must have begun.
#[derive(Debug, Clone, Copy)]
struct Since {
    /// At the Lightsail instance, or at the fleet.
    target: Timestamp,
    /// At the machine of the fleet.
    machine: Timestamp,
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
            clients: Clients::new(clock()),
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
        self.evict();
        let asked = Target::of(object)?;
        let since = self.since(object, not_before, urgency);
        let target = self.target(scope, &asked, since, urgency).await?;
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
        since: Since,
        urgency: Urgency,
    ) -> Result<TargetSeen, AwsError> {
        let place = Place::of(scope);
        let (fleet_id, name) = match target {
            Target::Lightsail(target, name) => {
                let found = self.lightsail.instance(scope, name, since.target, urgency).await?;
                return Ok(found.map_or(TargetSeen::Absent(Missing::Instance), |facts| {
                    TargetSeen::There(Box::new(lightsail_facts(&facts, target.protocol)))
                }));
            }
            Target::Instance(target) => (&target.fleet_id, &target.instance_id),
            Target::Compute(target) => (&target.fleet_id, &target.compute_name),
        };
        let (client, way) = (self.client(scope, Session::Reads), self.way(scope, urgency));
        let key = (place.clone(), fleet_id.clone());
        let fleet = self.fleets.since(&key, since.target, || gamelift::fleet(&client, &way, fleet_id)).await?;
        let (arn, status) = match (&fleet.value, target) {
            (Fleet::Absent, _) => return Ok(TargetSeen::Absent(Missing::Fleet)),
            (Fleet::Anywhere, _) => return Ok(TargetSeen::NoAccess(NoAccess::Anywhere)),
            (Fleet::Container { .. }, Target::Instance(_)) => return Ok(TargetSeen::NoAccess(NoAccess::Container)),
            (Fleet::Ec2 { arn, status } | Fleet::Container { arn, status }, _) => (arn, status),
        };
        let key = (place, fleet_id.clone(), name.clone());
        let read = || match target {
            Target::Instance(target) => gamelift::instance(&client, &way, target),
            Target::Compute(target) => gamelift::compute(&client, &way, target),
            Target::Lightsail(..) => Box::pin(std::future::ready(Ok(None))),
        };
        let known = self.machines.since(&key, since.machine, read).await?;
        // Where a machine is stays as it is; whether it runs does not.
        let runs = |machine: &Machine| matches!(machine.facts(arn, status).doing, Doing::Running);
        let machine = match known.value.as_ref().is_some_and(runs) {
            true => known,
            false => self.machines.since(&key, since.target, read).await?,
        };
        let missing = match target {
            Target::Compute(_) => Missing::Compute,
            Target::Instance(_) | Target::Lightsail(..) => Missing::Instance,
        };
        Ok(match &machine.value {
            None => TargetSeen::Absent(missing),
            Some(machine) => TargetSeen::There(Box::new(machine.facts(arn, status))),
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
            Target::Lightsail(target, name) => {
                let (client, way) = self.lightsail.own_way(scope, urgency);
                lightsail_access::details(&client, &way, name, target.protocol).await
            }
            Target::Instance(target) => {
                let windows = matches!(seen, TargetSeen::There(facts) if facts.windows);
                let (client, way) = (self.client(scope, Session::Writes), self.way(scope, urgency));
                gamelift::instance_access(&client, &way, target, windows).await
            }
            Target::Compute(target) => {
                let location = match seen {
                    TargetSeen::There(facts) => facts.location.as_deref(),
                    TargetSeen::Absent(_) | TargetSeen::NoAccess(_) => None,
                };
                let region = location.unwrap_or(scope.region.as_str());
                let (client, way) = (self.client(scope, Session::Writes), self.way(scope, urgency));
                gamelift::compute_access(&client, &way, target, region).await
            }
        }
    }

    /// How old the looks at the target may be: somebody waits for a machine that is not open yet.
    fn since(&self, object: &AccessGrant, not_before: Timestamp, urgency: Urgency) -> Since {
        let open = object.status.as_ref().is_some_and(|status| {
            let known = status.internal.target.as_ref().is_some_and(|target| target.id.is_some());
            known && holds(&status.conditions, "Ready")
        });
        let at_least = |old| not_before.min((self.clock)().checked_sub(old).unwrap_or(not_before));
        match (open, urgency) {
            (false, _) => Since { target: not_before, machine: not_before },
            (true, Urgency::Urgent) => Since { target: not_before, machine: at_least(MACHINE) },
            (true, Urgency::Routine) => Since { target: at_least(RENEWAL), machine: at_least(MACHINE) },
        }
    }

    /// The client of a scope: looks go by the session that all namespaces share, access calls by the namespace's own.
    fn client(&self, scope: &Scope, session: Session) -> Client {
        self.clients.get(scope, session, (self.clock)(), || {
            let Reach { config, endpoint } = self.accounts.reach(scope, session, Service::GameLift);
            let builder = aws_sdk_gamelift::config::Builder::from(&config);
            let builder = endpoint.into_iter().fold(builder, |builder, endpoint| builder.endpoint_url(endpoint));
            Client::from_conf(builder.build())
        })
    }

    fn way(&self, scope: &Scope, urgency: Urgency) -> Way {
        Way::new(self.accounts.gate(), Service::GameLift, &scope.account, scope.region.as_str(), urgency)
    }

    fn evict(&self) {
        let now = (self.clock)();
        if !self.clients.evict(now, UNUSED_AFTER) {
            return;
        }
        self.fleets.evict();
        self.machines.evict();
    }
}

impl AwsPort<GrantKind> for Access {
    async fn scope(&self, object: &AccessGrant) -> Result<Scope, ScopeError> {
        self.accounts.scope_of::<GrantKind>(object).await
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
            Self::Lightsail(..) => lightsail_access::GET_INSTANCE_ACCESS_DETAILS,
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

fn lightsail_facts(facts: &InstanceFacts, protocol: AccessProtocol) -> TargetFacts {
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
        passing: None,
        // The IPv6 address is there first: where there will be an IPv4 address, people come by that.
        address: match facts.ip_address_type {
            Some(IpAddressType::Ipv6) => facts.ipv6.first().cloned(),
            Some(IpAddressType::Dualstack | IpAddressType::Ipv4) => facts.public_ip.clone(),
            None => facts.public_ip.clone().or_else(|| facts.ipv6.first().cloned()),
        },
        // An instance does not show its platform; the ids of AWS's own blueprints begin with it. Where neither that nor the
        // user is shown, the call says it.
        windows: match (&facts.blueprint_id, &facts.username) {
            (None, None) => protocol == AccessProtocol::Rdp,
            (_, user) => starts(&facts.blueprint_id, "windows_") || user.as_deref() == Some("Administrator"),
        },
        location: None,
    }
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
        kind = GrantKind::NAME,
        object = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any()),
        uid = object.uid().unwrap_or_default(),
        reason = object.spec.reason.as_deref().unwrap_or_default(),
        outcome,
        "aws access"
    );
}
