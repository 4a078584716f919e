//! Access grants on an AWS of a few lines: from apply to Secret, to the end in time, whatever stands in the way.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use windlass::api::Arn;
use windlass::api::access_grant::{
    AccessGrant, AccessGrantSpec, AccessProtocol, LightsailInstanceTarget, SecretTemplate,
};
use windlass::api::account::GrantTarget;
use windlass::aws::accounts::ScopeError;
use windlass::aws::gate::Urgency;
use windlass::aws::{Ask, AwsError, AwsPort, Leave, Reply, Stray};
use windlass::engine::stage::Stage;
use windlass::engine::{Engine, EngineSettings, Herald, Parts};
use windlass::lease::LeaseState;
use windlass::plan::access_grant::{
    AccessSeen, Credentials, Doing, GrantCall, GrantKind, GrantLook, GrantState, SshAccess, TargetFacts, TargetSeen,
};
use windlass::plan::{Allow, AllowGrants, Class, Identity, News, Scope, SecretText};
use windlass::telemetry::Metrics;

use super::bench::{Crash, Position, histories, history};
use super::kube::{Cluster, KubeFault, KubeFaultEffect, Store};

/// A Lightsail in which the instance is there and running, with ten-minute certificates.
#[derive(Clone, Default)]
struct Aws(Arc<Shared>);

#[derive(Default)]
struct Shared {
    clock: Mutex<Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>>,
    calls: AtomicUsize,
    away: AtomicBool,
    /// When the access call is answered at the soonest.
    not_before: Mutex<Option<Timestamp>>,
    hangs: AtomicBool,
}

impl Aws {
    fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }
}

impl AwsPort<GrantKind> for Aws {
    async fn scope(&self, _: &AccessGrant) -> Result<Scope, ScopeError> {
        let grants =
            AllowGrants { targets: [GrantTarget::LightsailInstance].into(), unmanaged: true, max_duration: None };
        Ok(Scope {
            cluster: "cluster-1".into(),
            account: "123456789012".into(),
            partition: "aws".into(),
            region: "us-east-1".parse().unwrap(),
            allow: Allow { grants, ..Allow::default() },
            identity: Identity::Own,
        })
    }

    async fn observe(&self, _: &Scope, _: &AccessGrant, ask: Ask<'_, GrantLook>) -> Result<GrantState, AwsError> {
        let began = self.0.clock.lock().unwrap().as_ref().unwrap()();
        if self.0.hangs.load(Ordering::SeqCst) && !ask.looks.is_empty() {
            std::future::pending::<()>().await;
        }
        let not_before = self.0.not_before.lock().unwrap().filter(|_| ask.looks.contains(&GrantLook::Access));
        sleep(not_before.map_or(Duration::ZERO, |at| at.duration_since(began).unsigned_abs())).await;
        if self.0.away.load(Ordering::SeqCst) && !ask.looks.is_empty() {
            let (class, code, message) = (Class::Unavailable, "Timeout".into(), "no answer".into());
            return Err(AwsError { operation: "GetInstance", class, code, message, request_id: None });
        }
        let arn = "arn:aws:lightsail:us-east-1:123456789012:Instance/bd470fc5";
        let target = TargetFacts {
            id: arn.into(),
            arn: Some(arn.parse().unwrap()),
            created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            tags: Default::default(),
            doing: Doing::Running,
            passing: None,
            address: Some("198.51.100.7".into()),
            windows: false,
            location: None,
        };
        let access = ask.looks.contains(&GrantLook::Access).then(|| {
            let number = self.0.calls.fetch_add(1, Ordering::SeqCst);
            AccessSeen::Given(Credentials::Ssh(SshAccess {
                host: None,
                username: "ubuntu".into(),
                private_key: SecretText::new(format!("key {number}")),
                certificate: SecretText::new("ssh-rsa-cert-v01@openssh.com AAAA".into()),
                expires_at: Some(began + Duration::from_secs(600)),
                host_keys: vec![("ssh-ed25519".into(), "AAAA".into())],
            }))
        });
        Ok(GrantState { began, target: Some(TargetSeen::There(Box::new(target))), access })
    }

    async fn send(&self, _: &Scope, call: &GrantCall, _: Urgency) -> Result<Reply, AwsError> {
        match *call {}
    }

    async fn strays(&self, _: &Scope, _: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        Ok(Vec::new())
    }
}

struct Always;

impl Leave for Always {
    fn granted(&self) -> bool {
        true
    }
}

impl Herald for Always {
    fn tell(&self, _: &ObjectReference, _: News) {}
}

/// An operator that may stop and begin again, in the same world.
struct World {
    cluster: Cluster,
    aws: Aws,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How far somebody has set the clock ahead, in seconds.
    ahead: Arc<AtomicI64>,
    running: Option<(JoinHandle<()>, watch::Sender<LeaseState>)>,
}

impl World {
    fn new() -> Self {
        let mut world = Self::at_rest();
        world.start();
        world
    }

    /// Nobody operates yet.
    fn at_rest() -> Self {
        let (began, start) = (Instant::now(), "2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap());
        let ahead: Arc<AtomicI64> = Arc::default();
        let set = Arc::clone(&ahead);
        let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> =
            Arc::new(move || start + began.elapsed() + SignedDuration::from_secs(set.load(Ordering::SeqCst)));
        let aws = Aws::default();
        *aws.0.clock.lock().unwrap() = Some(Arc::clone(&clock));
        let cluster = Cluster::new(Arc::clone(&clock), Store::default());
        Self { cluster, aws, clock, ahead, running: None }
    }

    fn start(&mut self) {
        self.start_on(Stage::unwatched());
    }

    fn start_on(&mut self, stage: Stage) {
        let parts = Parts {
            kube: self.cluster.clone(),
            aws: self.aws.clone(),
            leave: Arc::new(Always),
            clock: Arc::clone(&self.clock),
            chance: Arc::new(|| 0.0),
            herald: Arc::new(Always),
            stage,
            metrics: Metrics::new(false).unwrap(),
            neighbourhood: Arc::default(),
            settings: EngineSettings::default(),
        };
        let (leads, led) = watch::channel(LeaseState::Held { taken_at: (self.clock)() });
        let engine = Engine::<GrantKind, _, _>::new(parts, led);
        let task = tokio::spawn(engine.run(self.cluster.sights::<AccessGrant>(), 1, || {}));
        self.running = Some((task, leads));
    }

    fn stop(&mut self) {
        if let Some((task, _)) = self.running.take() {
            task.abort();
        }
    }

    fn grant(&self, name: &str, duration: &str, secret: Option<&str>) {
        let target = LightsailInstanceTarget {
            instance_ref: None,
            name: Some("web".parse().unwrap()),
            protocol: AccessProtocol::Ssh,
        };
        let spec = AccessGrantSpec {
            lightsail_instance: Some(target),
            duration: duration.into(),
            secret: secret.map(|name| SecretTemplate { name: Some(name.into()), ..SecretTemplate::default() }),
            ..AccessGrantSpec::default()
        };
        self.cluster.create(AccessGrant::new(name, spec));
    }

    fn condition(&self, name: &str, condition: &str) -> Option<(String, String)> {
        let status = self.cluster.get::<AccessGrant>(name)?.status?;
        let found = status.conditions.into_iter().find(|c| c.type_ == condition)?;
        Some((found.status, found.reason))
    }

    fn key(&self, name: &str) -> String {
        let secret = self.cluster.secret(name).unwrap();
        let (_, key) = secret.body.data.reveal().find(|(name, _)| *name == "ssh-privatekey").unwrap();
        String::from_utf8(key.to_vec()).unwrap()
    }

    async fn until_there(&self, name: &str, seconds: u64) {
        for _ in 0..seconds * 10 {
            if self.cluster.secret(name).is_some() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("no Secret {name} after {seconds} s: {:?}", self.condition(name, "Ready"));
    }

    async fn until_gone(&self, name: &str, seconds: u64) {
        for _ in 0..seconds * 10 {
            if self.cluster.secret(name).is_none() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("Secret {name} is there after {seconds} s");
    }
}

fn is(reason: &str) -> Option<(String, String)> {
    Some(("True".into(), reason.into()))
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_comes_within_seconds_is_renewed_and_goes_at_the_end() {
    let world = World::new();
    world.grant("a", "30m", None);
    world.until_there("a", 3).await;
    pass(2).await;
    assert_eq!(world.condition("a", "Ready"), is("Available"));
    assert_eq!((world.key("a").as_str(), world.aws.calls()), ("key 0\n", 1));
    pass(360).await;
    assert_ne!(world.key("a"), "key 0\n", "renewed before six of ten minutes are over");
    pass(1800 - 366).await;
    world.until_gone("a", 5 + 4).await;
    pass(2).await;
    assert_eq!(world.condition("a", "Ended"), is("Expired"));
    assert_eq!(world.condition("a", "Ready"), None);
    let calls = world.aws.calls();
    assert!(calls <= 11, "{calls}");
    pass(3600).await;
    assert_eq!(world.aws.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn an_idle_grant_costs_no_write_and_no_call() {
    let world = World::new();
    world.grant("a", "2h", None);
    world.until_there("a", 3).await;
    pass(5).await;
    let (writes, calls) = (world.cluster.mutations(), world.aws.calls());
    pass(150).await;
    assert_eq!((world.cluster.mutations(), world.aws.calls()), (writes, calls));
}

#[tokio::test(start_paused = true)]
async fn the_end_is_on_time_while_aws_is_away() {
    let world = World::new();
    world.grant("a", "30m", None);
    world.until_there("a", 3).await;
    world.aws.0.away.store(true, Ordering::SeqCst);
    pass(1790).await;
    assert!(world.cluster.secret("a").is_some());
    pass(10).await;
    world.until_gone("a", 5).await;
}

#[tokio::test(start_paused = true)]
async fn after_downtime_across_the_end_the_secret_goes_at_once() {
    let mut world = World::new();
    world.grant("a", "10m", None);
    world.until_there("a", 3).await;
    pass(5).await;
    world.stop();
    pass(3600).await;
    assert!(world.cluster.secret("a").is_some());
    let calls = world.aws.calls();
    world.start();
    world.until_gone("a", 5).await;
    assert_eq!(world.aws.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_grant_takes_its_secret_with_it() {
    let world = World::new();
    world.grant("a", "1h", None);
    world.until_there("a", 3).await;
    pass(5).await;
    world.cluster.delete::<AccessGrant>("a");
    world.until_gone("a", 5).await;
    pass(2).await;
    assert!(world.cluster.get::<AccessGrant>("a").is_none());
}

#[tokio::test(start_paused = true)]
async fn of_two_grants_on_one_name_the_second_is_told_and_nothing_loops() {
    let world = World::new();
    world.grant("a", "1h", Some("shared"));
    world.until_there("shared", 3).await;
    pass(5).await;
    world.grant("b", "1h", Some("shared"));
    pass(30).await;
    assert_eq!(world.condition("b", "Stalled"), is("SecretNotOwned"));
    let (writes, calls) = (world.cluster.mutations(), world.aws.calls());
    pass(120).await;
    assert_eq!((world.cluster.mutations(), world.aws.calls()), (writes, calls));
    // The first one goes: the second has its turn.
    world.cluster.delete::<AccessGrant>("a");
    pass(30).await;
    assert_eq!(world.condition("b", "Ready"), is("Available"));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_edits_or_deletes_is_repaired_within_seconds() {
    let world = World::new();
    world.grant("a", "1h", None);
    world.until_there("a", 3).await;
    pass(30).await;
    world.cluster.edit_secret("a", |secret| secret.facts.edited = true);
    pass(3).await;
    assert!(!world.cluster.secret("a").unwrap().facts.edited);
    assert_eq!(world.key("a"), "key 1\n");
    pass(30).await;
    world.cluster.delete_secret("a");
    world.until_there("a", 3).await;
    assert_eq!(world.key("a"), "key 2\n");
}

/// The name of a Secret that is nobody's of ours is looked at before AWS is asked for anything, and taken when it is free.
#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_has_taken_costs_aws_nothing_and_is_taken_when_it_is_free() {
    let world = World::new();
    world.grant("a", "1h", Some("own"));
    world.until_there("own", 3).await;
    pass(5).await;
    // It is not ours any more.
    world.cluster.edit_secret("own", |secret| {
        secret.facts.of = String::new();
        secret.facts.owned = false;
    });
    let calls = world.aws.calls();
    world.grant("b", "2h", Some("own"));
    pass(700).await;
    assert_eq!(world.condition("b", "Stalled"), is("SecretNotOwned"));
    assert_eq!(world.condition("a", "Stalled"), is("SecretNotOwned"));
    assert_eq!(world.aws.calls(), calls);
    let writes = world.cluster.mutations();
    pass(120).await;
    assert_eq!(world.cluster.mutations(), writes);
    world.cluster.delete_secret("own");
    world.until_there("own", 32).await;
}

/// AWS answers a moment before the end, and the API server is slow: no Secret comes after it.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_at_the_last_moment_makes_no_secret_after_the_end() {
    // Before AWS answers, while the object is read again, while the Secret is under way.
    for before in [10, 150, 250, 350, 450, 550, 650, 1500] {
        let world = World::new();
        world.cluster.way(Duration::from_millis(100));
        world.grant("a", "1m", None);
        let end: Timestamp = "2026-11-22T12:01:00Z".parse().unwrap();
        *world.aws.0.not_before.lock().unwrap() = Some(end - Duration::from_millis(before));
        pass(80).await;
        // What was under way may arrive.
        let late: Vec<_> =
            world.cluster.created().into_iter().filter(|at| *at > end + Duration::from_millis(100)).collect();
        assert_eq!(late, [], "AWS answered {before} ms before the end");
        assert_eq!(world.cluster.created().len(), usize::from(before > 200), "AWS answered {before} ms before the end");
        assert_eq!(world.cluster.secret("a"), None);
        assert_eq!(world.condition("a", "Ended"), is("Expired"));
    }
}

/// Every mutating request of a whole life, with every fault: the Secret is there a minute later, and gone at the end.
#[tokio::test(start_paused = true)]
async fn every_fault_of_the_api_server_is_survived() {
    let effects = [
        KubeFaultEffect::Conflict,
        KubeFaultEffect::Unavailable,
        KubeFaultEffect::AppliedNoAnswer,
        KubeFaultEffect::Hang,
        KubeFaultEffect::AppliedThenHang,
        KubeFaultEffect::Refused,
    ];
    for effect in effects {
        for first in 1..=8 {
            let mut world = World::new();
            world.cluster.fail(KubeFault { first, times: 1, effect });
            world.grant("a", "10m", None);
            pass(200).await;
            assert!(world.cluster.secret("a").is_some(), "{effect:?} at {first}: {:?}", world.condition("a", "Ready"));
            assert_eq!(world.condition("a", "Ready"), is("Available"), "{effect:?} at {first}");
            // A fault at the end itself may make it later, by the engine's own pause.
            pass(400 + 40).await;
            assert!(world.cluster.secret("a").is_none(), "{effect:?} at {first}: past its end");
            assert_eq!(world.condition("a", "Ended"), is("Expired"), "{effect:?} at {first}");
            world.stop();
        }
    }
}

/// Whatever a worker waits for at AWS: an end, and a deletion, need none of it.
#[tokio::test(start_paused = true)]
async fn the_end_is_on_time_while_every_request_to_aws_hangs() {
    let world = World::new();
    world.grant("a", "30m", None);
    world.grant("b", "1h", None);
    world.until_there("a", 3).await;
    world.until_there("b", 3).await;
    world.aws.0.hangs.store(true, Ordering::SeqCst);
    // More than there are workers: all of them hang, each renewal too.
    for n in 0..60 {
        world.grant(&format!("new-{n}"), "30m", None);
    }
    pass(1790).await;
    assert!(world.cluster.secret("a").is_some());
    pass(10).await;
    world.until_gone("a", 5).await;
    world.cluster.delete::<AccessGrant>("b");
    world.until_gone("b", 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_ahead_ends_what_is_over_by_it_and_one_that_is_set_back_ends_nothing() {
    let world = World::new();
    world.grant("short", "30m", None);
    world.grant("long", "5h", None);
    world.until_there("short", 3).await;
    world.until_there("long", 3).await;
    pass(5).await;
    let set = |hours: i64| world.ahead.fetch_add(hours * 3600, Ordering::SeqCst);
    set(1);
    world.until_gone("short", 5).await;
    // What has expired by the new time is renewed with the next look at everything.
    let old = world.key("long");
    pass(70).await;
    assert_ne!(world.key("long"), old);
    assert_eq!(world.condition("long", "Ready"), is("Available"));
    let calls = world.aws.calls();
    set(-2);
    pass(300).await;
    assert_eq!(world.condition("long", "Ready"), is("Available"), "a creation in the future is a creation");
    // By the time that it is now, the short one is not over: it has its Secret again.
    assert_eq!(world.condition("short", "Ready"), is("Available"));
    assert!(world.aws.calls() <= calls + 4, "{} calls, {calls} before", world.aws.calls());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_takes_no_writes_for_minutes_costs_few_calls_and_is_written_to_again() {
    let world = World::new();
    world.grant("a", "2h", None);
    world.until_there("a", 3).await;
    pass(120).await;
    let (calls, key) = (world.aws.calls(), world.key("a"));
    // From before the first renewal until long after the credentials have expired.
    let away =
        KubeFault { first: world.cluster.mutations() + 1, times: u64::MAX / 2, effect: KubeFaultEffect::Unavailable };
    world.cluster.fail(away);
    pass(900).await;
    assert_eq!(world.key("a"), key);
    let spent = world.aws.calls() - calls;
    assert!((1..=24).contains(&spent), "{spent} calls in a quarter of an hour for credentials that cannot be kept");
    world.cluster.clear_faults();
    pass(70).await;
    assert_ne!(world.key("a"), key);
    assert_eq!(world.condition("a", "Ready"), is("Available"));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_somebody_edits_every_second_is_repaired_again_and_again_at_a_bounded_price() {
    let world = World::new();
    world.grant("a", "2h", None);
    world.until_there("a", 3).await;
    pass(40).await;
    let (calls, writes) = (world.aws.calls(), world.cluster.mutations());
    for _ in 0..120 {
        world.cluster.edit_secret("a", |secret| secret.facts.edited = true);
        pass(1).await;
    }
    let (calls, writes) = (world.aws.calls() - calls, world.cluster.mutations() - writes);
    assert!((10..=30).contains(&calls), "{calls} access calls in two minutes");
    assert!(writes <= 150, "{writes} writes in two minutes");
    pass(30).await;
    assert!(!world.cluster.secret("a").unwrap().facts.edited);
    assert_eq!(world.condition("a", "Ready"), is("Available"));
}

/// A whole life: granted, renewed, edited, shortened, ended. What is wrong with it, when the operator dies at one effect.
async fn life_with(crash: Crash, stage: Stage) -> Vec<String> {
    let mut world = World::at_rest();
    world.start_on(stage);
    let mut wrong = Vec::new();
    world.grant("a", "20m", None);
    let (mut died, mut second) = (false, 0);
    while second < 1000 {
        tokio::select! {
            () = crash.crashed.notified(), if !died => {
                died = true;
                world.stop();
                pass(1).await;
                second += 1;
                world.start();
            }
            () = pass(1) => second += 1,
        }
        match second {
            // From a minute on there are credentials that work, all the time.
            100 | 300 | 500 | 700 | 790 => {
                let expires =
                    world.cluster.secret("a").and_then(|secret| secret.facts.stamps.get("expires-at").cloned());
                let works = expires.is_some_and(|at| at.parse::<Timestamp>().unwrap() > (world.clock)());
                if !works || world.condition("a", "Ready") != is("Available") {
                    wrong.push(format!("at {second} s: {:?}", world.condition("a", "Ready")));
                }
            }
            400 => world.cluster.edit_secret("a", |secret| secret.facts.edited = true),
            420 if world.cluster.secret("a").is_none_or(|secret| secret.facts.edited) => {
                wrong.push("what was edited is not repaired".into());
            }
            600 => assert!(world.cluster.edit("a", |grant: &mut AccessGrant| grant.spec.duration = "15m".into())),
            // The end is at 900 s.
            906 if world.cluster.secret("a").is_some() => wrong.push("the Secret is there after the end".into()),
            960 if world.condition("a", "Ended") != is("Expired") => {
                wrong.push(format!("not ended: {:?}", world.condition("a", "Ready")));
            }
            _ => {}
        }
    }
    // One call at first, one for each 3 to 6 minutes, one for the repair, and one or two more for a crash.
    let calls = world.aws.calls();
    if calls > 9 {
        wrong.push(format!("{calls} access calls"));
    }
    world.cluster.delete::<AccessGrant>("a");
    tokio::select! {
        () = crash.crashed.notified(), if !died => {
            world.stop();
            world.start();
        }
        () = pass(20) => {}
    }
    pass(20).await;
    if world.cluster.get::<AccessGrant>("a").is_some() || world.cluster.secret("a").is_some() {
        wrong.push("something is left".into());
    }
    world.stop();
    wrong
}

#[test]
fn a_crash_at_any_effect_of_a_grants_life_leaves_nothing_behind_and_takes_nothing_away() {
    let effects = history(async || {
        let (crash, stage) = Crash::nowhere();
        let effects = Arc::clone(&crash.effects);
        assert_eq!(life_with(crash, stage).await, Vec::<String>::new());
        Arc::try_unwrap(effects).map_or_else(|shared| shared.lock().unwrap().clone(), |own| own.into_inner().unwrap())
    });
    let count = effects.len();
    let positions = [Position::Before, Position::Unanswered, Position::After];
    let runs: Vec<_> = (1..=count as u64).flat_map(|number| positions.map(|position| (number, position))).collect();
    let results = histories(runs, |(number, position)| {
        let (number, position) = (*number, *position);
        history(async move || {
            let (crash, stage) = Crash::at(number, position);
            life_with(crash, stage).await
        })
    });
    let title = format!("crash table: AccessGrant: {count} effects x 3 positions");
    super::life::report(&title, results, |(number, position)| {
        format!("{position:?} effect {number} ({})", effects[usize::try_from(*number).unwrap() - 1])
    });
}
