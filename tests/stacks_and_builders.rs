//! Stacks and image builders by the shipped planner and AWS layer, against the simulator, in one process and on tokio's
//! clock: what a person would see of their lives, and nothing that a careful operator never does.
#![allow(clippy::unwrap_used)]

mod in_process;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::core::object::HasStatus;
use serde_json::json;
use simulator::{AuthenticationType, BuilderState, Settings, World};

use windlass::api::fleet::{DesiredState, Fleet};
use windlass::api::stack::FleetRef;
use windlass::api::{ImageBuilder, Stack, StackSettings};
use windlass::aws::gate::Urgency;
use windlass::aws::live::AppStream;
use windlass::aws::{Ask, AwsPort};
use windlass::plan::account::Wish;
use windlass::plan::conditions::find;
use windlass::plan::fleet::{FleetCall, FleetCreate, FleetKind};
use windlass::plan::image_builder::ImageBuilderKind;
use windlass::plan::stack::StackKind;
use windlass::plan::{
    Answered, Beside, Call, Face, Failure, Input, Kind, Neighbour, Next, Plan, Scope, Seen, Status, ownership,
};

use in_process::{Clock, Granted, InProcess, in_process};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

struct Bench {
    world: World,
    appstream: AppStream,
    clock: Clock,
    scope: Scope,
}

impl Bench {
    async fn new() -> Self {
        let settings = Settings { home_account: ACCOUNT.into(), home_region: REGION.into(), ..Settings::default() };
        let InProcess { world, accounts, clock } = in_process(settings, ACCOUNT);
        let scope =
            accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await.unwrap();
        let appstream = AppStream::new(Arc::new(accounts), Arc::new(Granted));
        Self { world, appstream, clock, scope }
    }

    /// A RUNNING fleet of a Fleet object of the same namespace, and what that object shows.
    async fn fleet(&self, name: &str) -> (Neighbour, Option<Face>) {
        let spec = json!({ "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1" });
        let mut object = Fleet::new(name, serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("team-a".to_owned());
        object.metadata.uid = Some(format!("uid-{name}"));
        let settings = json!({
            "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1",
            "computeCapacity": { "desiredInstances": 1 }
        });
        let create = FleetCall::Create(Box::new(FleetCreate {
            name: name.parse().unwrap(),
            fleet_type: object.spec.fleet_type,
            settings: serde_json::from_value(settings).unwrap(),
            tags: ownership::tags::<FleetKind>(&self.scope, &object),
        }));
        let send = async |call| AwsPort::<FleetKind>::send(&self.appstream, &self.scope, call, Urgency::Urgent).await;
        let arn = send(&create).await.unwrap().arn;
        send(&FleetCall::Start(name.parse().unwrap())).await.unwrap();
        tokio::time::sleep(Duration::from_secs(20 * 60)).await;
        let face = Face { uid: "f".to_owned(), aws_name: name.to_owned(), arn, available: true, ..Face::default() };
        (Neighbour { kind: FleetKind::NAME, name: name.to_owned() }, Some(face))
    }

    /// What was written to AWS since the last question.
    fn written(&self, from: &mut usize) -> Vec<String> {
        let entries = self.world.audit_from(*from);
        *from += entries.len();
        let writes = entries.into_iter().map(|entry| entry.operation);
        writes.filter(|operation| !["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb))).collect()
    }
}

/// An object and what the engine would remember of it.
struct Living<K: Kind> {
    object: K::Object,
    beside: Beside,
    failure: Option<Failure<K>>,
    answered: Option<Answered<K>>,
    quiet_since: Timestamp,
}

impl<K: Kind> Living<K>
where
    AppStream: AwsPort<K>,
{
    fn new(mut object: K::Object, bench: &Bench) -> Self {
        object.meta_mut().namespace = Some("team-a".to_owned());
        object.meta_mut().uid = Some("uid-1".to_owned());
        object.meta_mut().generation = Some(1);
        let quiet_since = (bench.clock)() - Duration::from_secs(600);
        Self { object, beside: Beside::default(), failure: None, answered: None, quiet_since }
    }

    fn edit(&mut self, edit: impl FnOnce(&mut K::Object)) {
        edit(&mut self.object);
        let generation = self.object.meta().generation.unwrap_or_default();
        self.object.meta_mut().generation = Some(generation + 1);
    }

    /// Passes, as the engine makes them, until nothing is left to do now; what is waited for from AWS is waited for.
    async fn settle(&mut self, bench: &Bench, patience: Duration) -> Plan<K> {
        let began = (bench.clock)();
        loop {
            let now = (bench.clock)();
            let mut seen = Seen::NotLooked;
            let mut plan = self.plan(bench, now, &seen);
            while let Next::Look(looks) = &plan.next {
                let ask = Ask { looks, not_before: now - Duration::from_secs(5), urgency: Urgency::Urgent };
                seen = Seen::Found(bench.appstream.observe(&bench.scope, &self.object, ask).await.unwrap());
                plan = self.plan(bench, now, &seen);
            }
            *self.object.status_mut() = Some(plan.status.clone());
            let over = (bench.clock)().duration_since(began).unsigned_abs() >= patience;
            match &plan.next {
                Next::Send(call) => {
                    let sent = bench.appstream.send(&bench.scope, call, Urgency::Urgent).await;
                    let at = (bench.clock)();
                    self.quiet_since = at;
                    match sent {
                        Ok(reply) => {
                            let status = self.object.status().cloned().unwrap_or_default();
                            if let Some(status) = K::after(&status, call, &reply) {
                                *self.object.status_mut() = Some(status);
                            }
                            self.failure = None;
                            self.answered = Some(Answered { call: call.clone(), at });
                        }
                        Err(error) => {
                            self.failure = Some(Failure {
                                call: Some(call.clone()),
                                operation: call.operation().to_owned(),
                                class: error.class,
                                code: error.code,
                                message: error.message,
                                generation: self.object.meta().generation.unwrap_or_default(),
                                since: at,
                                at,
                            });
                        }
                    }
                    tokio::time::sleep(Duration::from_secs(20)).await;
                }
                Next::Wait(wait) if !over => tokio::time::sleep(*wait).await,
                Next::Wait(_) | Next::Settled(_) | Next::Release => return plan,
                Next::Look(_) | Next::Keep(_) => panic!("{:?}", plan.next),
            }
        }
    }

    fn plan(&self, bench: &Bench, now: Timestamp, seen: &Seen<K::State>) -> Plan<K> {
        K::plan(&Input {
            now,
            object: &self.object,
            scope: Some(&bench.scope),
            seen,
            failure: self.failure.as_ref(),
            quiet_since: self.quiet_since,
            answered: self.answered.as_slice(),
            beside: &self.beside,
        })
    }
}

/// The reason of Ready, and what is left to do.
fn shown<K: Kind>(plan: &Plan<K>) -> (String, Vec<String>) {
    let ready = find(plan.status.conditions(), "Ready").unwrap();
    (ready.reason.clone(), plan.status.pending_changes().iter().map(|change| change.field.clone()).collect())
}

const SOON: Duration = Duration::from_secs(120);
const AN_HOUR: Duration = Duration::from_secs(3600);

fn every_setting() -> StackSettings {
    serde_json::from_value(json!({
        "displayName": "Office", "description": "for offices",
        "storageConnectors": [{"connectorType": "HOMEFOLDERS"}, {"connectorType": "ONE_DRIVE", "domains": ["a.example"]}],
        "redirectURL": "https://a.example", "feedbackURL": "https://b.example",
        "userSettings": [
            {"action": "FILE_UPLOAD", "permission": "DISABLED"},
            {"action": "CLIPBOARD_COPY_TO_LOCAL_DEVICE", "permission": "ENABLED", "maximumLength": 7}
        ],
        "applicationSettings": {"enabled": true, "settingsGroup": "g"},
        "accessEndpoints": [{"endpointType": "STREAMING", "vpceId": "vpce-1"}],
        "embedHostDomains": ["portal.example.com"],
        "streamingExperienceSettings": {"preferredProtocol": "UDP"},
        "contentRedirection": {"hostToClient": {"enabled": true, "allowedUrls": ["https://*.example.com/*"]}},
        "agentAccessConfig": {
            "settings": [{"agentAction": "COMPUTER_VISION", "permission": "ENABLED"}],
            "screenResolution": "W_1280xH_720", "screenImageFormat": "PNG"
        },
        "storageConnectorAuthentication": "FORCE_REAUTHENTICATION"
    }))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_made_joined_changed_and_let_go() {
    let bench = Bench::new().await;
    let (one, two) = (bench.fleet("one").await, bench.fleet("two").await);
    let mut written = 0;
    bench.written(&mut written);

    let mut object = Stack::new("office", serde_json::from_value(json!({ "fleetRef": { "name": "one" } })).unwrap());
    object.spec.settings = every_setting();
    let mut stack = Living::<StackKind>::new(object, &bench);
    // The fleet's object is not there yet: the stack is made, and waits.
    let plan = stack.settle(&bench, SOON).await;
    assert_eq!(bench.written(&mut written), ["CreateStack"]);
    assert_eq!(shown(&plan), ("DependencyNotReady".to_owned(), vec!["fleetRef".to_owned()]), "{:?}", plan.status);
    stack.beside.objects.extend([one, two]);
    let plan = stack.settle(&bench, SOON).await;
    assert_eq!(bench.written(&mut written), ["AssociateFleet"]);
    assert_eq!(shown(&plan), ("Available".to_owned(), vec![]));
    assert_eq!(plan.status.fleet_name.as_deref(), Some("one"));

    // A user on the old fleet is waited for.
    let session = bench.world.open_session("office", "one", "alice", AuthenticationType::Saml).unwrap();
    stack.edit(|stack| stack.spec.fleet_ref = Some(FleetRef { name: "two".to_owned() }));
    let plan = stack.settle(&bench, SOON).await;
    assert_eq!(bench.written(&mut written), Vec::<String>::new());
    assert_eq!(shown(&plan), ("WaitingForSessions".to_owned(), vec!["fleetRef".to_owned()]));
    bench.world.end_session(&session);
    let plan = stack.settle(&bench, SOON).await;
    assert_eq!(bench.written(&mut written), ["DisassociateFleet", "AssociateFleet"]);
    assert_eq!(plan.status.fleet_name.as_deref(), Some("two"));

    // Everything that AWS can clear is cleared, once, although AWS fills some of it in again.
    stack.edit(|stack| stack.spec.settings = StackSettings::default());
    let plan = stack.settle(&bench, SOON).await;
    assert_eq!(bench.written(&mut written), ["UpdateStack"]);
    assert_eq!(shown(&plan), ("Available".to_owned(), vec![]));
    tokio::time::sleep(AN_HOUR).await;
    stack.settle(&bench, SOON).await;
    assert_eq!(bench.written(&mut written), Vec::<String>::new());

    // Somebody takes it out, and makes it another's: put back.
    assert!(bench.world.disassociate("two", "office"));
    assert!(bench.world.associate("one", "office"));
    tokio::time::sleep(AN_HOUR).await;
    stack.settle(&bench, SOON).await;
    assert_eq!(bench.written(&mut written), ["DisassociateFleet", "AssociateFleet"]);

    stack.edit(|stack| stack.meta_mut().deletion_timestamp = Some(Time((bench.clock)())));
    let plan = stack.settle(&bench, AN_HOUR).await;
    assert_eq!(bench.written(&mut written), ["DisassociateFleet", "DeleteStack"]);
    assert_eq!(plan.next, Next::Release);
    assert_eq!(bench.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn an_image_builder_is_made_turned_off_and_on_and_let_go() {
    let bench = Bench::new().await;
    let mut written = 0;
    let spec = json!({
        "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1", "displayName": "a", "description": "b",
        "vpcConfig": {"subnetIds": ["subnet-1"]}, "enableDefaultInternetAccess": true, "disableIMDSV1": true,
        "accessEndpoints": [{"endpointType": "STREAMING", "vpceId": "vpce-1"}], "rootVolumeConfig": {"volumeSizeInGb": 300}
    });
    let object = ImageBuilder::new("office", serde_json::from_value(spec).unwrap());
    let mut builder = Living::<ImageBuilderKind>::new(object, &bench);
    let plan = builder.settle(&bench, AN_HOUR).await;
    assert_eq!(bench.written(&mut written), ["CreateImageBuilder"]);
    assert_eq!(shown(&plan), ("Available".to_owned(), vec![]));
    assert_eq!(plan.status.state.as_deref(), Some("RUNNING"));
    assert!(plan.status.private_ip_address.is_some());

    builder.edit(|builder| builder.spec.desired_state = DesiredState::Stopped);
    let plan = builder.settle(&bench, AN_HOUR).await;
    assert_eq!(bench.written(&mut written), ["StopImageBuilder"]);
    assert_eq!((shown(&plan).0.as_str(), plan.status.state.as_deref()), ("Available", Some("STOPPED")));

    builder.edit(|builder| {
        builder.spec.desired_state = DesiredState::Running;
        builder.spec.common.tags = Some([("team".to_owned(), "a".to_owned())].into());
    });
    builder.settle(&bench, AN_HOUR).await;
    let done: BTreeSet<String> = bench.written(&mut written).into_iter().collect();
    assert_eq!(done, ["StartImageBuilder", "TagResource"].map(str::to_owned).into());

    // One that is making an image is left alone, whatever is wanted of it.
    assert!(bench.world.begin_snapshot("office", "office-v2"));
    builder.edit(|builder| builder.spec.desired_state = DesiredState::Stopped);
    let plan = builder.settle(&bench, SOON).await;
    assert_eq!(shown(&plan), ("Updating".to_owned(), vec!["desiredState".to_owned()]));
    builder.edit(|builder| builder.meta_mut().deletion_timestamp = Some(Time((bench.clock)())));
    let plan = builder.settle(&bench, AN_HOUR).await;
    assert_eq!((bench.written(&mut written), shown(&plan).0.as_str()), (vec![], "Deleting"));
    assert!(bench.world.finish_snapshot("office", "office-v2"));
    bench.world.put_builder_into("office", BuilderState::Running);

    let plan = builder.settle(&bench, AN_HOUR).await;
    assert_eq!(bench.written(&mut written), ["StopImageBuilder", "DeleteImageBuilder"]);
    assert_eq!(plan.next, Next::Release);
    assert_eq!(bench.world.violations(), []);
}
