//! Lightsail reads: each is complete or fails.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_sdk_lightsail::Client;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::appstream_read::paged;
use super::lightsail_translate as translate;
use super::request::Way;
use crate::api::LightsailName;
use crate::aws::AwsError;
use crate::aws::listing::{All, Source};
use crate::plan::Class;
use crate::plan::instance::{Catalogue, InstanceFacts, OperationFacts, PortRule, StaticIpFacts};

/// GetInstances and GetInstance, as the shared listing asks them.
pub(super) struct Instances {
    pub client: Client,
    pub way: Way,
}

const GET_INSTANCES: &str = "GetInstances";
const GET_INSTANCE: &str = "GetInstance";

impl Source<InstanceFacts> for Instances {
    fn all(&self) -> BoxFuture<'static, Result<All<InstanceFacts>, AwsError>> {
        let (client, way) = (self.client.clone(), self.way.clone());
        async move {
            let (mut items, mut ports) = (HashMap::new(), BTreeSet::new());
            let pages = paged(
                GET_INSTANCES,
                |token| {
                    let request = client.get_instances().set_page_token(token);
                    let way = &way;
                    async move {
                        let page = way.read(GET_INSTANCES, request.send()).await?;
                        Ok((page.instances.unwrap_or_default(), page.next_page_token))
                    }
                },
                |instance| {
                    if let Some(mut facts) = translate::instance(GET_INSTANCES, instance)? {
                        facts.ports = facts.ports.map(|open| shared(&mut ports, open));
                        items.insert(facts.name.as_str().to_owned(), Arc::new(facts));
                    }
                    Ok(())
                },
            )
            .await?;
            Ok(All { items, pages })
        }
        .boxed()
    }

    /// GetInstance knows one name at a time.
    fn named(&self, names: Vec<String>) -> BoxFuture<'static, Result<HashMap<String, Arc<InstanceFacts>>, AwsError>> {
        let (client, way) = (self.client.clone(), self.way.clone());
        async move {
            let each = names.into_iter().map(|name| {
                let (client, way) = (&client, &way);
                async move { Ok::<_, AwsError>((instance(client, way, &name).await?, name)) }
            });
            let found = futures::future::try_join_all(each).await?;
            Ok(found.into_iter().filter_map(|(facts, name)| Some((name, Arc::new(facts?)))).collect())
        }
        .boxed()
    }
}

/// The same ports as another instance has, once for both: most have those of their blueprint.
fn shared(known: &mut BTreeSet<Arc<BTreeSet<PortRule>>>, ports: Arc<BTreeSet<PortRule>>) -> Arc<BTreeSet<PortRule>> {
    if let Some(same) = known.get(&ports) {
        return Arc::clone(same);
    }
    known.insert(Arc::clone(&ports));
    ports
}

/// GetInstance; `None` when there is none of that name.
async fn instance(client: &Client, way: &Way, name: &str) -> Result<Option<InstanceFacts>, AwsError> {
    match way.read(GET_INSTANCE, client.get_instance().instance_name(name).send()).await {
        Ok(said) => {
            let unreadable = || translate::unreadable(GET_INSTANCE, "the answer holds no instance of that name");
            let facts = translate::instance(GET_INSTANCE, said.instance.ok_or_else(unreadable)?)?;
            facts.ok_or_else(unreadable).map(Some)
        }
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// GetStaticIps, by name.
pub(super) async fn static_ips(client: &Client, way: &Way) -> Result<BTreeMap<String, StaticIpFacts>, AwsError> {
    const GET_STATIC_IPS: &str = "GetStaticIps";
    let mut all = BTreeMap::new();
    paged(
        GET_STATIC_IPS,
        |token| {
            let request = client.get_static_ips().set_page_token(token);
            async move {
                let page = way.read(GET_STATIC_IPS, request.send()).await?;
                Ok((page.static_ips.unwrap_or_default(), page.next_page_token))
            }
        },
        |static_ip| {
            let (name, facts) = translate::static_ip(GET_STATIC_IPS, static_ip)?;
            all.insert(name, facts);
            Ok(())
        },
    )
    .await?;
    Ok(all)
}

/// GetOperationsForResource; none where AWS knows nothing of the name.
pub(super) async fn operations(
    client: &Client,
    way: &Way,
    name: &LightsailName,
) -> Result<Vec<OperationFacts>, AwsError> {
    const GET_OPERATIONS: &str = "GetOperationsForResource";
    let mut operations = Vec::new();
    let sequence = paged(
        GET_OPERATIONS,
        |token| {
            let request = client.get_operations_for_resource().resource_name(name.as_str()).set_page_token(token);
            async move {
                let page = way.read(GET_OPERATIONS, request.send()).await?;
                Ok((page.operations.unwrap_or_default(), page.next_page_token))
            }
        },
        |operation| {
            operations.push(translate::operation(operation));
            Ok(())
        },
    );
    match sequence.await {
        Ok(_) => Ok(operations),
        Err(error) if error.class == Class::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The days of GetAutoSnapshots, newest first; none where AWS keeps none.
pub(super) async fn auto_snapshots(client: &Client, way: &Way, name: &LightsailName) -> Result<Vec<String>, AwsError> {
    let request = client.get_auto_snapshots().resource_name(name.as_str());
    match way.read("GetAutoSnapshots", request.send()).await {
        Ok(said) => {
            let mut days: Vec<String> =
                said.auto_snapshots.unwrap_or_default().into_iter().filter_map(|one| one.date).collect();
            days.sort_by(|a, b| b.cmp(a));
            Ok(days)
        }
        // There is no such instance any more, or AWS says that the add-on is not enabled.
        Err(error) if matches!(error.class, Class::NotFound | Class::InUse) => Ok(Vec::new()),
        // What AWS will not tell keeps back nothing but what rests on it, like what it may not tell.
        Err(error) if error.class == Class::Rejected => Err(AwsError { class: Class::AccessDenied, ..error }),
        Err(error) => Err(error),
    }
}

/// GetBlueprints, GetBundles and GetRegions, with what is no longer offered: instances of it live on. Who may not read them
/// may still make instances: AWS itself says whether they will do.
pub(super) async fn catalogue(
    client: &Client,
    way: &Way,
    region: &str,
    began: Timestamp,
) -> Result<Catalogue, AwsError> {
    const GET_BLUEPRINTS: &str = "GetBlueprints";
    const GET_BUNDLES: &str = "GetBundles";
    const GET_REGIONS: &str = "GetRegions";
    let blueprints = async {
        let mut all = BTreeMap::new();
        paged(
            GET_BLUEPRINTS,
            |token| {
                let request = client.get_blueprints().include_inactive(true).set_page_token(token);
                async move {
                    let page = way.read(GET_BLUEPRINTS, request.send()).await?;
                    Ok((page.blueprints.unwrap_or_default(), page.next_page_token))
                }
            },
            |blueprint| {
                all.extend(translate::blueprint(blueprint));
                Ok(())
            },
        )
        .await?;
        Ok(all)
    };
    let bundles = async {
        let mut all = BTreeMap::new();
        paged(
            GET_BUNDLES,
            |token| {
                let request = client.get_bundles().include_inactive(true).set_page_token(token);
                async move {
                    let page = way.read(GET_BUNDLES, request.send()).await?;
                    Ok((page.bundles.unwrap_or_default(), page.next_page_token))
                }
            },
            |bundle| {
                all.extend(translate::bundle(bundle));
                Ok(())
            },
        )
        .await?;
        Ok(all)
    };
    let zones = async {
        let said = way.read(GET_REGIONS, client.get_regions().include_availability_zones(true).send()).await?;
        Ok(translate::zones(said.regions.unwrap_or_default(), region))
    };
    let refused = |error: &AwsError| matches!(error.class, Class::AccessDenied | Class::Rejected);
    match futures::try_join!(blueprints, bundles, zones) {
        Ok((blueprints, bundles, zones)) => Ok(Catalogue { began, blueprints, bundles, zones, unreadable: None }),
        Err(error) if refused(&error) => {
            Ok(Catalogue { began, unreadable: Some(error.to_string()), ..Catalogue::default() })
        }
        Err(error) => Err(error),
    }
}
