//! Lightsail as the engine sees it: what AWS says about an instance, and one write at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lightsail::Client;
use futures::FutureExt;
use jiff::Timestamp;

use super::errors::ours;
use super::leave::AskLeave;
use super::lightsail_read::{self as read, Instances};
use super::lightsail_write as write;
use super::place::{Clients, Place};
use super::refused::Refused;
use super::request::Way;
use crate::api::instance::AutoSnapshotsOnDelete;
use crate::api::{Arn, Instance, LightsailName};
use crate::aws::accounts::{Accounts, Reach, ScopeError, Session};
use crate::aws::batch::{Clock, Shared, strictly};
use crate::aws::codes::Service;
use crate::aws::gate::Urgency;
use crate::aws::listing::Listings;
use crate::aws::{Ask, AwsError, AwsPort, Leave, Reply, Stray};
use crate::plan::instance::wanted::own_static_ip;
use crate::plan::instance::{
    Catalogue, InstanceCall, InstanceFacts, InstanceKind, InstanceLook, InstanceState, StaticIpFacts, StaticIps,
};
use crate::plan::looked::Looked;
use crate::plan::tags::Tagged;
use crate::plan::{Call, Class, Scope};

/// What nobody asked for during this time is forgotten: three times the hour that a catalogue lasts.
const UNUSED_AFTER: Duration = Duration::from_secs(3 * 3600);

/// The way to Lightsail for every account and Region.
pub struct Lightsail {
    accounts: Arc<Accounts>,
    leave: Arc<dyn Leave>,
    clock: Clock,
    clients: Clients<Client>,
    instances: Listings<Place, InstanceFacts>,
    static_ips: Shared<Place, Arc<BTreeMap<String, StaticIpFacts>>>,
    catalogues: Shared<Place, Arc<Catalogue>>,
    refused: Refused,
}

impl Lightsail {
    /// A way that has seen nothing yet.
    pub fn new(accounts: Arc<Accounts>, leave: Arc<dyn Leave>) -> Self {
        let clock = strictly(accounts.clock());
        Self {
            accounts,
            leave,
            clients: Clients::new(clock()),
            instances: Listings::new(Arc::clone(&clock), UNUSED_AFTER),
            static_ips: Shared::new(Arc::clone(&clock), UNUSED_AFTER),
            catalogues: Shared::new(Arc::clone(&clock), UNUSED_AFTER),
            refused: Refused::default(),
            clock,
        }
    }

    async fn look(
        &self,
        scope: &Scope,
        object: &Instance,
        Ask { looks, not_before, urgency }: Ask<'_, InstanceLook>,
    ) -> Result<InstanceState, AwsError> {
        self.evict();
        let name = aws_name(object)?;
        let place = Place::of(scope);
        let source = self.source(scope, urgency);
        let (client, way) = (&source.client, &source.way);

        let instance = async {
            // What is to be written to is read by name, now: its tags say whose it is.
            let (since, lane) = match looks.contains(&InstanceLook::Anew) {
                true => (not_before.max((self.clock)()), Urgency::Urgent),
                false => (not_before, urgency),
            };
            let known = self.instances.one(&place, name.as_str(), since, lane, &source).await?;
            match known.value.is_none() && existed(object) {
                // Pages are no snapshot: an instance deleted meanwhile may shift another out of every page. What was there,
                // or may have been made, is gone only when a question for its name alone says so.
                true => self.instances.one(&place, name.as_str(), (self.clock)(), Urgency::Urgent, &source).await,
                false => Ok(known),
            }
        };
        let static_ips = async {
            match concerns_static_ips(object) {
                true => self.static_ips(client, way, &place, not_before).await.map(Some),
                false => Ok(None),
            }
        };
        let catalogue = async {
            match looks.contains(&InstanceLook::Catalogue) {
                true => self.catalogue(client, way, &place).await.map(Some),
                false => Ok(self.catalogues.latest(&place).map(|latest| Arc::clone(&latest.value))),
            }
        };
        let operations = async {
            if !looks.contains(&InstanceLook::Operations) {
                return Ok(None);
            }
            // Those that make and release the operator's own static IP have its name alone.
            let static_ip = own_static_ip(object).ok().filter(|_| concerns_static_ips(object));
            let of = [Some(&name), static_ip.as_ref()].into_iter().flatten();
            let each = futures::future::try_join_all(of.map(|name| read::operations(client, way, name)));
            let mut all = each.await?.concat();
            all.sort_by_key(|operation| operation.created_at);
            Ok(Some(all))
        };
        let (known, static_ips, catalogue, operations) =
            futures::try_join!(instance, static_ips, catalogue, operations)?;

        let began = self.shown(known.began);
        let instance = known.value.as_deref().cloned();
        let auto_snapshots = match looks.contains(&InstanceLook::AutoSnapshots) {
            true if holds_snapshots(instance.as_ref(), object.spec.auto_snapshots_on_delete) => {
                let found = read::auto_snapshots(client, way, &name).await;
                Some(self.refused.looked((&place, name.as_str(), "snapshots"), self.shown((self.clock)()), found)?)
            }
            true => Some(Looked::Found(Vec::new())),
            false => None,
        };
        let tags = instance.as_ref().map(|instance| Tagged { began, tags: instance.tags.clone() });
        Ok(InstanceState { began, instance, tags, static_ips, catalogue, operations, auto_snapshots })
    }

    /// An instance by its name, by a read that began at or after `not_before`; the reads are those of the objects.
    ///
    /// # Errors
    /// Those of the read.
    pub(super) async fn instance(
        &self,
        scope: &Scope,
        name: &str,
        not_before: Timestamp,
        urgency: Urgency,
    ) -> Result<Option<Arc<InstanceFacts>>, AwsError> {
        self.evict();
        let source = self.source(scope, urgency);
        Ok(self.instances.one(&Place::of(scope), name, not_before, urgency, &source).await?.value.clone())
    }

    /// The client and the way for a request that is this namespace's alone.
    pub(super) fn own_way(&self, scope: &Scope, urgency: Urgency) -> (Client, Way) {
        (self.client(scope, Session::Writes), self.way(scope, urgency))
    }

    async fn write(&self, scope: &Scope, call: &InstanceCall, urgency: Urgency) -> Result<Reply, AwsError> {
        let place = Place::of(scope);
        let client = self.client(scope, Session::Writes);
        let way = self.way(scope, urgency);
        let result = write::send(&client, &way, call).await;
        // Whether or not it was applied, what was read before it is no longer the last word.
        let wrote = |name: &LightsailName, there| self.instances.wrote(&place, name.as_str(), there);
        match call {
            InstanceCall::Create(create) => wrote(&create.name, Some(result.is_ok())),
            InstanceCall::Delete { name, .. } => wrote(name, Some(false)),
            InstanceCall::Start { name, .. }
            | InstanceCall::Stop(name)
            | InstanceCall::Tag { name, .. }
            | InstanceCall::Untag { name, .. }
            | InstanceCall::PutPorts { name, .. }
            | InstanceCall::SetIpAddressType { name, .. }
            | InstanceCall::UpdateMetadataOptions { name, .. }
            | InstanceCall::EnableAutoSnapshot { name, .. }
            | InstanceCall::DisableAutoSnapshot(name)
            | InstanceCall::AttachStaticIp { name, .. } => wrote(name, None),
            // Read anew for who has written; the instance that had the address shows it at its own next look.
            InstanceCall::AllocateStaticIp(_) | InstanceCall::DetachStaticIp(_) | InstanceCall::ReleaseStaticIp(_) => {}
        }
        audit(scope, call, &result);
        result
    }

    async fn static_ips(
        &self,
        client: &Client,
        way: &Way,
        place: &Place,
        not_before: Timestamp,
    ) -> Result<StaticIps, AwsError> {
        let read = || {
            let (client, way) = (client.clone(), way.clone());
            async move { read::static_ips(&client, &way).await.map(Arc::new) }.boxed()
        };
        let known = self.static_ips.since(place, not_before, read).await?;
        Ok(StaticIps { began: self.shown(known.began), all: Arc::clone(&known.value) })
    }

    async fn catalogue(&self, client: &Client, way: &Way, place: &Place) -> Result<Arc<Catalogue>, AwsError> {
        let now = (self.clock)();
        let known = self.catalogues.latest(place);
        let not_before = known.and_then(|known| now.checked_sub(known.value.lasts()).ok()).unwrap_or(now);
        let read = || {
            let (client, way, region) = (client.clone(), way.clone(), Arc::clone(&place.region));
            let began = self.shown((self.clock)());
            async move { read::catalogue(&client, &way, &region, began).await.map(Arc::new) }.boxed()
        };
        Ok(Arc::clone(&self.catalogues.since(place, not_before, read).await?.value))
    }

    fn client(&self, scope: &Scope, session: Session) -> Client {
        self.clients.get(scope, session, (self.clock)(), || {
            let Reach { config, endpoint } = self.accounts.reach(scope, session, Service::Lightsail);
            let builder = aws_sdk_lightsail::config::Builder::from(&config);
            let builder = endpoint.into_iter().fold(builder, |builder, endpoint| builder.endpoint_url(endpoint));
            Client::from_conf(builder.interceptor(AskLeave(Arc::clone(&self.leave))).build())
        })
    }

    fn source(&self, scope: &Scope, urgency: Urgency) -> Instances {
        Instances { client: self.client(scope, Session::Reads), way: self.way(scope, urgency) }
    }

    fn way(&self, scope: &Scope, urgency: Urgency) -> Way {
        Way::new(self.accounts.gate(), Service::Lightsail, &scope.account, scope.region.as_str(), urgency)
    }

    /// A time of the strictly increasing clock as everybody else's clock shows it: never in the future.
    fn shown(&self, time: Timestamp) -> Timestamp {
        time.min((self.accounts.clock())())
    }

    fn evict(&self) {
        let now = (self.clock)();
        if !self.clients.evict(now, UNUSED_AFTER) {
            return;
        }
        self.instances.evict();
        self.static_ips.evict();
        self.catalogues.evict();
        self.refused.evict(now);
    }
}

impl AwsPort<InstanceKind> for Lightsail {
    async fn scope(&self, object: &Instance) -> Result<Scope, ScopeError> {
        self.accounts.scope_of::<InstanceKind>(object).await
    }

    async fn observe(
        &self,
        scope: &Scope,
        object: &Instance,
        ask: Ask<'_, InstanceLook>,
    ) -> Result<InstanceState, AwsError> {
        // Boxed: the futures of several SDK calls lie in it, and whoever awaits it should not carry them on its stack.
        Box::pin(self.look(scope, object, ask)).await
    }

    async fn send(&self, scope: &Scope, call: &InstanceCall, urgency: Urgency) -> Result<Reply, AwsError> {
        Box::pin(self.write(scope, call, urgency)).await
    }

    async fn strays(&self, scope: &Scope, claimed: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        let source = self.source(scope, Urgency::Routine);
        let all = self.instances.all(&Place::of(scope), (self.clock)(), &source).await?;
        let unclaimed = all.value.items.values().filter(|instance| !claimed.contains(&instance.arn));
        Ok(unclaimed.map(|one| Stray { arn: one.arn.clone(), tags: one.tags.clone() }).collect())
    }
}

fn aws_name(object: &Instance) -> Result<LightsailName, AwsError> {
    if let Some(name) = &object.spec.name {
        return Ok(name.clone());
    }
    let name = object.metadata.name.clone().unwrap_or_default();
    LightsailName::try_from(name)
        .map_err(|ill_formed| ours("GetInstance", Class::Rejected, "InvalidName", &ill_formed.to_string()))
}

fn existed(object: &Instance) -> bool {
    object.status.as_ref().is_some_and(|status| status.arn.is_some() || status.internal.intent.is_some())
}

/// Whether automatic snapshots may hold a deletion back. AWS keeps none of an instance that never had the add-on, and lists
/// one that was disabled.
fn holds_snapshots(instance: Option<&InstanceFacts>, rule: AutoSnapshotsOnDelete) -> bool {
    match rule {
        AutoSnapshotsOnDelete::Wait => instance.is_some_and(|instance| instance.auto_snapshot.is_some()),
        AutoSnapshotsOnDelete::Delete => false,
    }
}

/// Whether the object has, or had, to do with a static IP: all others need not know what there is.
fn concerns_static_ips(object: &Instance) -> bool {
    let stamped = object.status.as_ref().is_some_and(|status| !status.internal.applied.static_ips.is_empty());
    object.spec.static_ip.is_some() || stamped
}

/// One line for every write: joins CloudTrail, and the line of the pass that names the object, by the request id.
fn audit(scope: &Scope, call: &InstanceCall, result: &Result<Reply, AwsError>) {
    let (outcome, request_id) = match result {
        Ok(reply) => ("ok", reply.request_id.as_deref()),
        Err(error) => (error.code.as_str(), error.request_id.as_deref()),
    };
    tracing::info!(
        target: "windlass::audit",
        operation = call.operation(),
        resource = write::resource(call),
        account = scope.account,
        region = scope.region.as_str(),
        request_id = request_id.unwrap_or_default(),
        outcome,
        "aws write"
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_lightsail::types as sdk;

    use super::super::lightsail_translate as translate;
    use super::*;

    #[test]
    fn snapshots_are_asked_for_where_the_instance_lists_the_add_on_and_the_spec_keeps_them() {
        let instance = |add_on: Option<(&str, &str)>| {
            let add_on = add_on.map(|(name, status)| sdk::AddOn::builder().name(name).status(status).build());
            let arn = "arn:aws:lightsail:eu-central-1:111122223333:Instance/bd470fc5";
            let said = sdk::Instance::builder().name("web").arn(arn).set_add_ons(add_on.map(|one| vec![one])).build();
            translate::instance("GetInstance", said).unwrap()
        };
        let (wait, delete) = (AutoSnapshotsOnDelete::Wait, AutoSnapshotsOnDelete::Delete);
        for (instance, expected) in [
            (None, false),
            (instance(None), false),
            (instance(Some(("StopInstanceOnIdle", "Enabled"))), false),
            (instance(Some(("AutoSnapshot", "Enabled"))), true),
            (instance(Some(("AutoSnapshot", "Disabled"))), true),
        ] {
            assert_eq!(holds_snapshots(instance.as_ref(), wait), expected, "{instance:?}");
            assert!(!holds_snapshots(instance.as_ref(), delete));
        }
    }
}
