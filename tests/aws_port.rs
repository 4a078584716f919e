//! The AWS port against the simulator, in one process and on tokio's clock: what is shared, what is not, and what AWS's
//! refusals, silences and half answers become.
#![allow(clippy::unwrap_used)]

mod in_process;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use simulator::{AuthenticationType, Fault, FaultEffect, Settings, World, summarize};
use tokio::time::Instant;

use windlass::api::fleet::{ComputeCapacity, Fleet, FleetSettings, FleetSpec, FleetType};
use windlass::aws::gate::Urgency;
use windlass::aws::live::AppStream;
use windlass::aws::{Ask, AwsError, AwsPort, Reply};
use windlass::plan::account::Wish;
use windlass::plan::fleet::*;
use windlass::plan::looked::Looked;
use windlass::plan::{Class, Scope};

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
    async fn new(settings: Settings) -> Self {
        let settings = Settings { home_account: ACCOUNT.into(), home_region: REGION.into(), ..settings };
        let InProcess { world, accounts, clock } = in_process(settings, ACCOUNT);
        let scope =
            accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await.unwrap();
        assert_eq!((scope.account.as_str(), scope.partition.as_str()), (ACCOUNT, "aws"));
        let appstream = AppStream::new(Arc::new(accounts), Arc::new(Granted));
        Self { world, appstream, clock, scope }
    }

    async fn send(&self, call: FleetCall) -> Result<Reply, AwsError> {
        AwsPort::<FleetKind>::send(&self.appstream, &self.scope, &call, Urgency::Routine).await
    }

    async fn create(&self, name: &str) -> Result<Reply, AwsError> {
        self.send(FleetCall::Create(Box::new(FleetCreate {
            name: name.parse().unwrap(),
            fleet_type: FleetType::OnDemand,
            settings: FleetSettings {
                instance_type: Some("stream.standard.medium".to_owned()),
                image_name: Some("windlass-demo-v1".parse().unwrap()),
                compute_capacity: Some(ComputeCapacity { desired_instances: Some(1), desired_sessions: None }),
                ..FleetSettings::default()
            },
            tags: [("windlass.dev/cluster", "cluster-1"), ("windlass.dev/uid", name)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        })))
        .await
    }

    async fn observe(&self, name: &str, looks: &[FleetLook], not_before: Timestamp) -> Result<FleetState, AwsError> {
        let looks: BTreeSet<FleetLook> = looks.iter().copied().collect();
        let ask = Ask { looks: &looks, not_before, urgency: Urgency::Routine };
        AwsPort::<FleetKind>::observe(&self.appstream, &self.scope, &object(name), ask).await
    }

    async fn now(&self, name: &str, looks: &[FleetLook]) -> FleetState {
        self.observe(name, looks, (self.clock)()).await.unwrap()
    }

    /// How many requests of each operation since it was last asked.
    fn requests(&self, since: &mut usize) -> BTreeMap<String, u64> {
        let entries = self.world.audit_from(*since);
        *since += entries.len();
        summarize(&entries).by_operation
    }
}

fn object(name: &str) -> Fleet {
    Fleet::new(
        name,
        FleetSpec {
            name: None,
            fleet_type: FleetType::OnDemand,
            desired_state: Default::default(),
            settings: FleetSettings {
                image_name: Some("windlass-demo-v1".parse().unwrap()),
                ..FleetSettings::default()
            },
            common: Default::default(),
            update_strategy: None,
            disruption: None,
            power_schedule: None,
            application_arns: None,
        },
    )
}

fn counts(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
}

fn small_pages() -> Settings {
    Settings { page_size: 2, empty_next_token: true, ..Settings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_lives_and_dies_through_the_port() {
    let bench = Bench::new(small_pages()).await;
    let absent = bench.now("life", &[FleetLook::Image]).await;
    assert_eq!(absent.fleet, None);
    let image = absent.image.unwrap().unwrap();
    assert_eq!((image.name.as_str(), image.state.as_str()), ("windlass-demo-v1", "AVAILABLE"));

    let arn = bench.create("life").await.unwrap().arn.unwrap();
    assert_eq!(arn.as_str(), "arn:aws:appstream:us-east-1:123456789012:fleet/life");
    let created = bench.now("life", &[FleetLook::Tags]).await;
    assert_eq!(created.fleet.as_ref().unwrap().power, Power::Stopped);
    assert_eq!(created.tags.unwrap().tags["windlass.dev/uid"], "life");

    let name = || "life".parse().unwrap();
    bench.send(FleetCall::Start(name())).await.unwrap();
    assert_eq!(bench.now("life", &[]).await.fleet.unwrap().power, Power::Starting);
    tokio::time::sleep(Duration::from_secs(13 * 60)).await;
    let running = bench.now("life", &[]).await.fleet.unwrap();
    assert_eq!((running.power, running.capacity.desired, running.capacity.running), (Power::Running, 1, Some(1)));

    let patch = FleetPatch {
        name: name(),
        set: FleetSettings { display_name: Some("Design".to_owned()), ..FleetSettings::default() },
        clear: BTreeSet::new(),
    };
    bench.send(FleetCall::Update(Box::new(patch))).await.unwrap();
    assert_eq!(bench.now("life", &[]).await.fleet.unwrap().settings.display_name.as_deref(), Some("Design"));

    bench.world.put_stack("desk");
    assert!(bench.world.associate("life", "desk"));
    let session = bench.world.open_session("desk", "life", "alice", AuthenticationType::Saml).unwrap();
    let busy = bench.now("life", &[FleetLook::Sessions]).await;
    assert_eq!(busy.stacks, Some(Looked::Found(vec![AssociatedStack { name: "desk".parse().unwrap() }])));
    let Some(Looked::Found(sessions)) = busy.sessions else { panic!("{:?}", busy.sessions) };
    let ids: Vec<String> = sessions.into_iter().map(|session| session.id).collect();
    assert_eq!(ids, std::slice::from_ref(&session.0));
    bench.world.end_session(&session);
    assert_eq!(bench.now("life", &[FleetLook::Sessions]).await.sessions, Some(Looked::Found(vec![])));

    bench.send(FleetCall::Stop(name())).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6 * 60)).await;
    assert_eq!(bench.now("life", &[]).await.fleet.unwrap().power, Power::Stopped);
    let refused = bench.send(FleetCall::Delete(name())).await.unwrap_err();
    assert_eq!((refused.class, refused.code.as_str()), (Class::InUse, "ResourceInUseException"));
    bench.world.disassociate("life", "desk");
    bench.send(FleetCall::Delete(name())).await.unwrap();
    assert_eq!(bench.now("life", &[]).await.fleet, None);
    assert_eq!(bench.world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_fleets_looked_at_at_once_cost_the_pages_of_one_list() {
    let bench = Bench::new(Settings { page_size: 25, ..Settings::default() }).await;
    let names: Vec<String> = (0..200).map(|n| format!("fleet-{n}")).collect();
    for name in &names {
        bench.create(name).await.unwrap();
    }
    let mut since = 0;
    bench.requests(&mut since);
    bench.world.script(Fault::every("DescribeFleets", FaultEffect::Hang(Duration::from_millis(50))));
    let started = (bench.clock)();
    let looks = names.iter().map(|name| bench.observe(name, &[], started));
    for (name, state) in names.iter().zip(futures::future::join_all(looks).await) {
        assert_eq!(state.unwrap().fleet.unwrap().name.as_str(), name);
    }
    // Created a moment ago, they are asked for by their names, 25 at a time.
    assert_eq!(bench.requests(&mut since), counts(&[("DescribeFleets", 9)]));

    // Later, they are asked for as a whole: three by name, then eight pages.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let looks = names.iter().map(|name| bench.observe(name, &[], (bench.clock)() - Duration::from_secs(30)));
    futures::future::join_all(looks).await;
    assert_eq!(bench.requests(&mut since), counts(&[("DescribeFleets", 3 + 8)]));
    // And whoever comes within the half minute costs nothing.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let looks = names.iter().map(|name| bench.observe(name, &[], (bench.clock)() - Duration::from_secs(30)));
    futures::future::join_all(looks).await;
    assert_eq!(bench.requests(&mut since), counts(&[]));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_new_fleets_cost_one_look_at_an_empty_account() {
    let bench = Bench::new(Settings::default()).await;
    let names: Vec<String> = (0..1000).map(|n| format!("fleet-{n}")).collect();
    let mut since = 0;
    bench.requests(&mut since);
    let now = (bench.clock)();
    let looks = names.iter().map(|name| bench.observe(name, &[FleetLook::Image], now));
    for state in futures::future::join_all(looks).await {
        assert_eq!(state.unwrap().fleet, None);
    }
    assert_eq!(bench.requests(&mut since), counts(&[("DescribeFleets", 4), ("DescribeImages", 1)]));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_given_a_read_that_began_before_its_write() {
    let bench = Bench::new(Settings::default()).await;
    bench.create("edited").await.unwrap();
    for n in 0..20 {
        let before = bench.observe("edited", &[], Timestamp::MIN);
        let patch = FleetPatch {
            name: "edited".parse().unwrap(),
            set: FleetSettings { display_name: Some(n.to_string()), ..FleetSettings::default() },
            clear: BTreeSet::new(),
        };
        let write = bench.send(FleetCall::Update(Box::new(patch)));
        let (_, written) = tokio::join!(before, write);
        written.unwrap();
        let after = bench.now("edited", &[]).await.fleet.unwrap();
        assert_eq!(after.settings.display_name, Some(n.to_string()));
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_and_half_answers_are_no_answer_and_refusals_keep_aws_words() {
    let bench = Bench::new(Settings::default()).await;
    let coded = |code: &str, status| FaultEffect::Coded { code: code.to_owned(), message: "words".to_owned(), status };
    let rows = [
        (FaultEffect::Throttle, Class::Throttled, "ThrottlingException", false),
        (FaultEffect::ServerError, Class::Unavailable, "InternalFailure", false),
        (FaultEffect::Hang(Duration::from_secs(3600)), Class::Unavailable, "Timeout", false),
        (FaultEffect::NotAppliedNoAnswer, Class::Unavailable, "NoConnection", false),
        (FaultEffect::AppliedNoAnswer, Class::Unavailable, "NoConnection", true),
        (FaultEffect::AppliedServerError, Class::Unavailable, "InternalFailure", true),
        (FaultEffect::AppliedHalfAnswer, Class::Unavailable, "HTTP200", true),
        (FaultEffect::AppliedGarbled, Class::Unavailable, "HTTP200", true),
        (FaultEffect::AppliedAs { status: 503 }, Class::Unavailable, "HTTP503", true),
        (coded("LimitExceededException", 400), Class::QuotaExceeded, "LimitExceededException", false),
        (coded("ResourceNotAvailableException", 400), Class::Busy, "ResourceNotAvailableException", false),
        (coded("InvalidRoleException", 400), Class::Rejected, "InvalidRoleException", false),
        (coded("AccessDeniedException", 403), Class::AccessDenied, "AccessDeniedException", false),
    ];
    for (n, (effect, class, code, applied)) in rows.into_iter().enumerate() {
        let name = format!("fleet-{n}");
        bench.world.script(Fault::nth("CreateFleet", 1, effect));
        let error = bench.create(&name).await.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (class, code));
        assert_eq!(bench.now(&name, &[]).await.fleet.is_some(), applied, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_loses_a_page_is_no_list() {
    let bench = Bench::new(small_pages()).await;
    for n in 0..5 {
        bench.create(&format!("fleet-{n}")).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    bench.world.script(Fault::nth("DescribeFleets", 2, FaultEffect::ServerError));
    let refused = AwsPort::<FleetKind>::strays(&bench.appstream, &bench.scope, &BTreeSet::new()).await.unwrap_err();
    assert_eq!((refused.operation, refused.class), ("DescribeFleets", Class::Unavailable));
    bench.world.script(Fault::nth("DescribeFleets", 1, FaultEffect::Partial { keep: 0 }));
    let strays = AwsPort::<FleetKind>::strays(&bench.appstream, &bench.scope, &BTreeSet::new()).await.unwrap();
    let uids: BTreeSet<_> = strays.into_iter().map(|stray| stray.tags["windlass.dev/uid"].clone()).collect();
    assert_eq!(uids, (0..5).map(|n| format!("fleet-{n}")).collect());
}

#[tokio::test(start_paused = true)]
async fn an_aws_that_throttles_is_asked_less() {
    let bench = Bench::new(Settings { request_rate: Some(20.0), ..Settings::default() }).await;
    // As fast as the gate allows, for a minute each round; the first finds the limit out.
    for allowed_percent in [10, 2, 2] {
        let until = Instant::now() + Duration::from_secs(60);
        let (mut asked, mut throttled) = (0_u32, 0_u32);
        while Instant::now() < until {
            asked += 1;
            match bench.observe("none", &[], (bench.clock)()).await {
                Ok(_) => {}
                Err(error) if error.class == Class::Throttled => throttled += 1,
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Yet most of what AWS allows (20 a second) is used.
        assert!(asked - throttled >= 20 * 60 * 3 / 4, "{asked} requests, {throttled} throttled");
        assert!(throttled * 100 <= asked * allowed_percent, "{asked} requests, {throttled} throttled");
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_is_found_by_its_arn() {
    let bench = Bench::new(Settings::default()).await;
    let mut fleet = object("x");
    fleet.spec.settings.image_name = None;
    fleet.spec.settings.image_arn =
        Some("arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v1".parse().unwrap());
    let looks = BTreeSet::from([FleetLook::Image]);
    let ask = Ask { looks: &looks, not_before: Timestamp::MIN, urgency: Urgency::Urgent };
    let found = AwsPort::<FleetKind>::observe(&bench.appstream, &bench.scope, &fleet, ask).await.unwrap();
    assert_eq!(found.image.unwrap().unwrap().name, "windlass-demo-v1");
    fleet.spec.settings.image_arn = Some("arn:aws:appstream:us-east-1:123456789012:image/never-made".parse().unwrap());
    let ask = Ask { looks: &looks, not_before: Timestamp::MIN, urgency: Urgency::Urgent };
    assert_eq!(
        AwsPort::<FleetKind>::observe(&bench.appstream, &bench.scope, &fleet, ask).await.unwrap().image,
        Some(None)
    );
}
