//! Lightsail's AWS port and the Instance's planner against the simulator, in one process and on tokio's clock: the real SDK,
//! what is shared, what AWS's answers become, and whole lives without a violation.
#![allow(clippy::unwrap_used)]

mod in_process;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use simulator::{Fault, FaultEffect, Settings, World, summarize};

use windlass::api::FINALIZER;
use windlass::api::fleet::DesiredState;
use windlass::api::instance::*;
use windlass::aws::gate::Urgency;
use windlass::aws::live::Lightsail;
use windlass::aws::{Ask, AwsError, AwsPort, Reply};
use windlass::plan::account::Wish;
use windlass::plan::instance::*;
use windlass::plan::looked::Looked;
use windlass::plan::{Answered, Beside, Class, Failure, Input, Kind, Next, Scope, SecretText, Seen};

use in_process::{Clock, Granted, InProcess, in_process};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";

struct Bench {
    world: World,
    lightsail: Lightsail,
    clock: Clock,
    scope: Scope,
}

impl Bench {
    async fn new(settings: Settings) -> Self {
        let settings = Settings { home_account: ACCOUNT.into(), home_region: REGION.into(), ..settings };
        let InProcess { world, accounts, clock } = in_process(settings, ACCOUNT);
        let scope = accounts
            .resolve(&Wish { kind: "Instance", namespace: "team-a", account: None, region: None })
            .await
            .unwrap();
        let lightsail = Lightsail::new(Arc::new(accounts), Arc::new(Granted));
        Self { world, lightsail, clock, scope }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    async fn send(&self, call: InstanceCall) -> Result<Reply, AwsError> {
        self.lightsail.send(&self.scope, &call, Urgency::Routine).await
    }

    async fn create(&self, name: &str) -> Result<Reply, AwsError> {
        self.send(InstanceCall::Create(Box::new(InstanceCreate {
            name: name.parse().unwrap(),
            availability_zone: "eu-central-1a".into(),
            blueprint_id: "ubuntu_24_04".into(),
            bundle_id: "nano_3_0".into(),
            key_pair_name: None,
            user_data: Some(SecretText::new("#!/bin/true".into())),
            ip_address_type: None,
            tags: [("windlass.dev/cluster", "cluster-1"), ("windlass.dev/uid", name)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        })))
        .await
    }

    async fn observe(
        &self,
        object: &Instance,
        looks: &[InstanceLook],
        not_before: Timestamp,
    ) -> Result<InstanceState, AwsError> {
        let looks: BTreeSet<InstanceLook> = looks.iter().copied().collect();
        let ask = Ask { looks: &looks, not_before, urgency: Urgency::Routine };
        self.lightsail.observe(&self.scope, object, ask).await
    }

    /// How many requests of each operation since it was last asked.
    fn requests(&self, since: &mut usize) -> BTreeMap<String, u64> {
        let entries = self.world.audit_from(*since);
        *since += entries.len();
        summarize(&entries).by_operation
    }
}

/// An object and its passes, as the engine makes them.
struct Life<'a> {
    bench: &'a Bench,
    object: Instance,
    quiet_since: Timestamp,
    failure: Option<Failure<InstanceKind>>,
    answered: Option<Answered<InstanceKind>>,
    sent: Vec<&'static str>,
}

impl<'a> Life<'a> {
    fn new(bench: &'a Bench, object: Instance) -> Self {
        let quiet_since = bench.now().checked_sub(Duration::from_secs(3600)).unwrap();
        Self { bench, object, quiet_since, failure: None, answered: None, sent: Vec::new() }
    }

    fn want(&mut self, edit: impl FnOnce(&mut InstanceSpec)) {
        edit(&mut self.object.spec);
        self.object.metadata.generation = self.object.metadata.generation.map(|n| n + 1);
        self.sent.clear();
    }

    /// Passes until nothing is left to do; `false` when it goes on for an hour.
    async fn settle(&mut self) -> bool {
        let began = self.bench.now();
        while self.bench.now().duration_since(began).as_hours() < 1 {
            match self.pass().await {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return true,
            }
        }
        false
    }

    async fn pass(&mut self) -> Option<Duration> {
        let now = self.bench.now();
        let (mut seen, mut looked) = (Seen::NotLooked, BTreeSet::new());
        let plan = loop {
            let input = Input {
                now,
                object: &self.object,
                scope: matches!(seen, Seen::Found(_)).then_some(&self.bench.scope),
                seen: &seen,
                failure: self.failure.as_ref(),
                quiet_since: self.quiet_since,
                answered: self.answered.as_slice(),
                beside: &Beside::default(),
            };
            let plan = InstanceKind::plan(&input);
            let Next::Look(looks) = &plan.next else { break plan };
            let asked: Vec<InstanceLook> = looks.iter().copied().collect();
            assert!(matches!(seen, Seen::NotLooked) || looked != *looks, "{looks:?} again");
            looked.clone_from(looks);
            let not_before = now.checked_sub(Duration::from_secs(1)).unwrap().max(self.quiet_since);
            seen = Seen::Found(self.bench.observe(&self.object, &asked, not_before).await.unwrap());
        };
        self.object.status = Some(plan.status);
        match plan.next {
            Next::Send(call) => {
                let lagging = self.answered.as_ref().is_some_and(|a| a.call == call && now < a.at + LAG);
                if lagging {
                    return Some(Duration::from_secs(2));
                }
                self.sent.push(windlass::plan::Call::operation(&call));
                let result = self.bench.send(call.clone()).await;
                let at = self.bench.now();
                match result {
                    Ok(_) => {
                        (self.failure, self.quiet_since) = (None, at);
                        self.answered = Some(Answered { call, at });
                        Some(Duration::from_millis(10))
                    }
                    Err(error) => {
                        if error.class == Class::Unavailable {
                            self.quiet_since = at;
                        }
                        self.failure = Some(Failure {
                            call: Some(call),
                            operation: error.operation.into(),
                            class: error.class,
                            code: error.code,
                            message: error.message,
                            generation: self.object.metadata.generation.unwrap(),
                            since: at,
                            at,
                        });
                        Some(Duration::from_secs(5))
                    }
                }
            }
            Next::Wait(wait) => Some(wait),
            Next::Settled(_) | Next::Release => None,
            Next::Look(_) | Next::Keep(_) => unreachable!(),
        }
    }

    fn condition(&self, name: &str) -> (String, String) {
        let status = self.object.status.clone().unwrap_or_default();
        let found = status.conditions.into_iter().find(|c| c.type_ == name);
        found.map_or_else(Default::default, |c| (c.status, c.reason))
    }
}

/// As the engine holds the same write back.
const LAG: Duration = Duration::from_secs(30);

fn object(name: &str) -> Instance {
    let spec = InstanceSpec {
        name: None,
        availability_zone: "eu-central-1a".into(),
        blueprint_id: "ubuntu_24_04".into(),
        bundle_id: "nano_3_0".into(),
        key_pair_name: None,
        user_data: None,
        user_data_from: None,
        ip_address_type: None,
        desired_state: DesiredState::Running,
        public_ports: None,
        static_ip: None,
        add_ons: None,
        auto_snapshots_on_delete: AutoSnapshotsOnDelete::Wait,
        metadata_options: None,
        disruption: None,
        common: Default::default(),
    };
    let mut object = Instance::new(name, spec);
    object.metadata.namespace = Some("team-a".into());
    object.metadata.uid = Some("01234567-89ab-cdef-0123-456789abcdef".into());
    object.metadata.generation = Some(1);
    object.metadata.finalizers = Some(vec![FINALIZER.into()]);
    object
}

fn counts(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
}

fn port(from: i32, cidrs: &[&str]) -> PublicPort {
    PublicPort {
        protocol: Protocol::Tcp,
        from_port: from,
        to_port: from,
        cidrs: cidrs.iter().map(ToString::to_string).collect(),
        ipv6_cidrs: Default::default(),
        cidr_list_aliases: Default::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_life_with_everything_in_it_violates_nothing() {
    let bench = Bench::new(Settings { page_size: 2, empty_next_token: true, ..Settings::default() }).await;
    let mut life = Life::new(&bench, object("web"));
    life.want(|s| {
        s.user_data = Some("#!/bin/true".into());
        s.static_ip = Some(StaticIp { name: None });
        s.public_ports = Some(vec![port(443, &[]), port(22, &["192.0.2.7"])]);
        s.add_ons = Some(AddOns { auto_snapshot: Some(AutoSnapshot { snapshot_time_of_day: Some("02:00".into()) }) });
        s.metadata_options = Some(MetadataOptions { http_tokens: Some(HttpTokens::Required), ..Default::default() });
        s.common.tags = Some([("team".to_owned(), "a".to_owned())].into());
        s.disruption = Some(InstanceDisruption { policy: InstanceDisruptionPolicy::Immediate, windows: None });
    });
    assert!(life.settle().await, "{:?}", life.object.status);
    assert_eq!((life.condition("Ready").0, life.condition("Synced").0), ("True".into(), "True".into()));
    assert_eq!(
        life.sent,
        [
            "CreateInstances",
            "AllocateStaticIp",
            "AttachStaticIp",
            "PutInstancePublicPorts",
            "UpdateInstanceMetadataOptions",
            "EnableAddOn"
        ]
    );
    let seen = bench.world.instance(ACCOUNT, REGION, "web").unwrap();
    assert_eq!(seen.user_data.as_deref(), Some("#!/bin/true"));
    assert_eq!(seen.static_ip.as_deref(), Some("web-01234567"));
    let status = life.object.status.clone().unwrap();
    assert_eq!(status.address, seen.public_ip_address);
    assert_eq!((status.monthly_price.as_deref(), status.platform.as_deref()), (Some("5.00"), Some("LINUX_UNIX")));
    // Settled is settled.
    for _ in 0..3 {
        life.sent.clear();
        assert!(life.settle().await);
        assert_eq!(life.sent, Vec::<&str>::new());
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    life.want(|s| s.desired_state = DesiredState::Stopped);
    assert!(life.settle().await);
    life.want(|s| s.desired_state = DesiredState::Running);
    assert!(life.settle().await);
    // To IPv6 alone and back: the bundle drifts by design.
    life.want(|s| (s.static_ip, s.ip_address_type) = (None, Some(IpAddressType::Ipv6)));
    assert!(life.settle().await, "{:?}", life.object.status);
    // SSH was open to one IPv4 address: nobody has one to come to any more.
    assert_eq!(life.sent, ["DetachStaticIp", "ReleaseStaticIp", "SetIpAddressType", "PutInstancePublicPorts"]);
    assert_eq!(bench.world.instance(ACCOUNT, REGION, "web").unwrap().bundle_id, "nano_ipv6_3_0");
    assert_eq!((life.condition("Ready").0, life.condition("Synced").0), ("True".into(), "True".into()));
    life.want(|s| s.ip_address_type = Some(IpAddressType::Dualstack));
    assert!(life.settle().await);
    life.want(|s| s.add_ons = None);
    assert!(life.settle().await);
    assert_eq!(life.sent, ["DisableAddOn"]);
    assert_eq!(bench.world.static_ips(), []);

    life.object.metadata.deletion_timestamp = Some(Time(bench.now()));
    life.sent.clear();
    assert!(life.settle().await, "{:?}", life.object.status);
    assert_eq!(life.sent, ["DeleteInstance"]);
    assert_eq!(bench.world.instance(ACCOUNT, REGION, "web"), None);
    assert_eq!(bench.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn an_older_generation_of_the_bundle_becomes_the_newer_by_a_restart() {
    let bench = Bench::new(Settings::default()).await;
    let mut life = Life::new(&bench, object("web"));
    assert!(life.settle().await);
    assert!(bench.world.edit_instance_bundle("web", "nano_2_0"));
    life.want(|s| {
        s.disruption = Some(InstanceDisruption { policy: InstanceDisruptionPolicy::Immediate, windows: None })
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(life.settle().await, "{:?}", life.object.status);
    assert_eq!(life.sent, ["StopInstance", "StartInstance"]);
    assert_eq!(bench.world.instance(ACCOUNT, REGION, "web").unwrap().bundle_id, "nano_3_0");
    assert_eq!(bench.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_windows_blueprint_on_a_linux_bundle_is_refused_and_told_what_fits() {
    let bench = Bench::new(Settings::default()).await;
    let mut life = Life::new(&bench, object("win"));
    life.want(|s| s.blueprint_id = "windows_server_2022".into());
    life.pass().await;
    assert_eq!(life.condition("Stalled"), ("True".into(), "CatalogueMismatch".into()));
    let status = life.object.status.clone().unwrap();
    let text = &status.conditions.iter().find(|c| c.type_ == "Stalled").unwrap().message;
    assert!(text.starts_with("bundleId: nano_3_0 does not take WINDOWS"), "{text}");
    assert!(text.contains("these fit: nano_win_3_0 ("), "{text}");
    life.want(|s| s.bundle_id = "nano_win_3_0".into());
    assert!(life.settle().await);
    assert_eq!(life.condition("Ready").0, "True");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_later_is_shown_and_made_again() {
    let bench = Bench::new(Settings::default()).await;
    let effect =
        FaultEffect::FailsLater { code: "InsufficientCapacity".into(), details: "no room in this zone".into() };
    bench.world.script(Fault::nth("CreateInstances", 1, effect));
    let mut life = Life::new(&bench, object("web"));
    while life.condition("Reconciling").1 != "CreateFailed" {
        let wait = life.pass().await.unwrap();
        tokio::time::sleep(wait).await;
    }
    assert_eq!(life.sent, ["CreateInstances"]);
    assert!(life.settle().await, "{:?}", life.object.status);
    assert_eq!(life.sent, ["CreateInstances", "CreateInstances"], "{:?}", life.object.status);
    assert_eq!(life.condition("Ready").0, "True");
    assert_eq!(bench.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn every_write_survives_every_kind_of_silence() {
    let operations = [
        "CreateInstances",
        "AllocateStaticIp",
        "AttachStaticIp",
        "PutInstancePublicPorts",
        "EnableAddOn",
        "DeleteInstance",
    ];
    let effects = [
        FaultEffect::NotAppliedNoAnswer,
        FaultEffect::AppliedNoAnswer,
        FaultEffect::AppliedServerError,
        FaultEffect::Throttle,
        FaultEffect::Coded {
            code: "OperationFailureException".into(),
            message: "Please wait for it to complete before trying again".into(),
            status: 400,
        },
    ];
    for operation in operations {
        for effect in &effects {
            let bench = Bench::new(Settings::default()).await;
            bench.world.script(Fault::nth(operation, 1, effect.clone()));
            let mut life = Life::new(&bench, object("web"));
            life.want(|s| {
                s.static_ip = Some(StaticIp { name: None });
                s.public_ports = Some(vec![]);
                s.add_ons = Some(AddOns { auto_snapshot: Some(AutoSnapshot::default()) });
                s.auto_snapshots_on_delete = AutoSnapshotsOnDelete::Delete;
            });
            assert!(life.settle().await, "{operation} {effect:?}: {:?}", life.object.status);
            assert_eq!(life.condition("Ready").0, "True", "{operation} {effect:?}");
            life.object.metadata.deletion_timestamp = Some(Time(bench.now()));
            assert!(life.settle().await, "{operation} {effect:?}: {:?}", life.object.status);
            let left = (bench.world.instances().len(), bench.world.static_ips().len());
            assert_eq!(left, (0, 0), "{operation} {effect:?}");
            assert_eq!(bench.world.violations(), [], "{operation} {effect:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_settled_instances_cost_the_pages_of_one_list() {
    let bench = Bench::new(Settings { page_size: 100, ..Settings::default() }).await;
    let names: Vec<String> = (0..1000).map(|n| format!("machine-{n}")).collect();
    for name in &names {
        bench.create(name).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let objects: Vec<Instance> = names.iter().map(|name| object(name)).collect();
    let mut since = 0;
    let resync = |lag: u64| bench.now().checked_sub(Duration::from_secs(lag)).unwrap();
    // The first look finds out how many there are; the catalogue is read once for all.
    for object in &objects {
        bench.observe(object, &[InstanceLook::Catalogue], resync(30)).await.unwrap();
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        bench.requests(&mut since);
        let not_before = resync(30);
        let looks = objects.iter().map(|object| bench.observe(object, &[], not_before));
        for state in futures::future::join_all(looks).await {
            let state = state.unwrap();
            assert!(state.instance.is_some() && state.catalogue.is_some() && state.static_ips.is_none());
        }
        // Three at most ask by name before it is known that so many come together.
        let mut asked = bench.requests(&mut since);
        assert!(asked.remove("GetInstance").unwrap_or_default() <= 3);
        assert_eq!(asked, counts(&[("GetInstances", 10)]));
    }
    // Within the hour the catalogue costs nothing, whoever asks.
    let looks = objects.iter().map(|object| bench.observe(object, &[InstanceLook::Catalogue], resync(3600)));
    futures::future::join_all(looks).await;
    assert_eq!(bench.requests(&mut since), counts(&[]));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let looks = objects.iter().map(|object| bench.observe(object, &[InstanceLook::Catalogue], resync(36_000)));
    futures::future::join_all(looks).await;
    let asked = bench.requests(&mut since);
    assert_eq!(asked.keys().map(String::as_str).collect::<Vec<_>>(), ["GetBlueprints", "GetBundles", "GetRegions"]);
    assert_eq!(asked["GetRegions"], 1);
}

#[tokio::test(start_paused = true)]
async fn static_ips_are_read_once_for_all_who_declare_one() {
    let bench = Bench::new(Settings::default()).await;
    let objects: Vec<Instance> = (0..50)
        .map(|n| {
            let mut object = object(&format!("machine-{n}"));
            object.spec.static_ip = (n % 2 == 0).then_some(StaticIp { name: None });
            object
        })
        .collect();
    let mut since = bench.world.audit().len();
    let not_before = bench.now();
    let looks = objects.iter().map(|object| bench.observe(object, &[], not_before));
    for (n, state) in futures::future::join_all(looks).await.into_iter().enumerate() {
        assert_eq!(state.unwrap().static_ips.is_some(), n % 2 == 0);
    }
    assert_eq!(bench.requests(&mut since)["GetStaticIps"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_exception_is_told_though_the_sdk_takes_the_finer_code_for_it() {
    let bench = Bench::new(Settings::default()).await;
    // Absent is no error.
    let looks = [InstanceLook::Anew, InstanceLook::Operations, InstanceLook::AutoSnapshots];
    let state = bench.observe(&object("none"), &looks, bench.now()).await.unwrap();
    assert_eq!(
        (state.instance, state.operations, state.auto_snapshots),
        (None, Some(vec![]), Some(Looked::Found(vec![])))
    );
    let refused = bench.send(InstanceCall::Stop("none".parse().unwrap())).await.unwrap_err();
    assert_eq!(refused.class, Class::NotFound);
    bench.create("taken").await.unwrap();
    let refused = bench.create("taken").await.unwrap_err();
    assert_eq!((refused.class, refused.code.as_str()), (Class::AlreadyExists, "NameExists"));
    // A bare exception, and AWS's words beside it.
    for (code, message, class) in [
        ("InvalidInputException", "Some names are already in use: x", Class::AlreadyExists),
        ("InvalidInputException", "We're sorry, your AWS account is pending verification.", Class::AccountPending),
        ("InvalidInputException", "Sorry, you've reached the maximum number of instances.", Class::QuotaExceeded),
        ("AccountSetupInProgressException", "", Class::AccountPending),
        ("ThrottlingException", "Rate exceeded", Class::Throttled),
        ("ServiceException", "", Class::Unavailable),
        ("AccessDeniedException", "", Class::AccessDenied),
    ] {
        let status = if code == "ServiceException" { 500 } else { 400 };
        let effect = FaultEffect::Coded { code: code.into(), message: message.into(), status };
        bench.world.script(Fault::nth("CreateInstances", 1, effect));
        let refused = bench.create("other").await.unwrap_err();
        assert_eq!((refused.class, refused.code.as_str()), (class, code), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_claims_is_told_with_its_tags_by_one_list() {
    let bench = Bench::new(Settings::default()).await;
    bench.create("one").await.unwrap();
    bench.create("two").await.unwrap();
    let all = bench.lightsail.strays(&bench.scope, &BTreeSet::new()).await.unwrap();
    assert_eq!(all.len(), 2);
    let claimed = BTreeSet::from([all[0].arn.clone()]);
    let left = bench.lightsail.strays(&bench.scope, &claimed).await.unwrap();
    assert_eq!(left, [all[1].clone()]);
    assert!(left[0].tags.contains_key("windlass.dev/uid"));
}
