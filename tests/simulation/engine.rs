//! The engine's own rules, on an AWS of a few lines: who goes first, what holds a pass back, and what is never written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use windlass::api::Arn;
use windlass::api::fleet::{CapacityStatus, Fleet, FleetSettings};
use windlass::aws::accounts::ScopeError;
use windlass::aws::gate::Urgency;
use windlass::aws::{Ask, AwsError, AwsPort, Leave, Reply, Stray};
use windlass::engine::stage::Stage;
use windlass::engine::{Engine, EngineSettings, Herald, Parts};
use windlass::lease::LeaseState;
use windlass::plan::fleet::{FleetCall, FleetFacts, FleetKind, FleetLook, FleetState, ImageFacts, Power, Tagged};
use windlass::plan::looked::Looked;
use windlass::plan::{Allow, Class, News, Scope, ownership};
use windlass::telemetry::Metrics;

use super::bench::{history, spec};
use super::kube::{Cluster, Store, id};

/// An AWS in which every fleet is there, RUNNING and ours.
#[derive(Clone)]
struct Aws(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How long a look takes.
    takes: Duration,
    settings: Mutex<HashMap<String, FleetSettings>>,
    in_use: AtomicI32,
    looks: Mutex<Vec<(Instant, String)>>,
    sent: Mutex<Vec<(Instant, FleetCall)>>,
    /// What every write is answered with.
    refuses: Mutex<Option<Class>>,
    panics: AtomicU64,
}

/// Whose look panics.
const POISON: &str = "poison";

impl Aws {
    fn looks(&self, name: &str) -> usize {
        self.0.looks.lock().unwrap().iter().filter(|(_, looked)| looked == name).count()
    }

    fn sent(&self) -> Vec<(Instant, FleetCall)> {
        self.0.sent.lock().unwrap().clone()
    }

    fn refuse(&self, class: Option<Class>) {
        *self.0.refuses.lock().unwrap() = class;
    }

    /// Somebody changes a fleet by hand.
    fn drift(&self, name: &str) {
        let mut settings = self.0.settings.lock().unwrap();
        settings.get_mut(name).unwrap().display_name = Some("Hacked".into());
    }
}

impl AwsPort<FleetKind> for Aws {
    async fn scope(&self, _: &Fleet) -> Result<Scope, ScopeError> {
        Ok(Scope {
            cluster: "cluster-1".into(),
            account: "123456789012".into(),
            partition: "aws".into(),
            region: "us-east-1".parse().unwrap(),
            allow: Allow::default(),
            identity: Default::default(),
        })
    }

    async fn observe(&self, scope: &Scope, object: &Fleet, _: Ask<'_, FleetLook>) -> Result<FleetState, AwsError> {
        let (name, began) = (object.name_any(), (self.0.clock)());
        self.0.looks.lock().unwrap().push((Instant::now(), name.clone()));
        sleep(self.0.takes).await;
        if name == POISON {
            self.0.panics.fetch_add(1, Ordering::SeqCst);
            panic!("poison");
        }
        let mut known = self.0.settings.lock().unwrap();
        let settings = known.entry(name.clone()).or_insert_with(|| object.spec.settings.clone()).clone();
        let desired = settings.compute_capacity.as_ref().and_then(|c| c.desired_instances).unwrap_or(1);
        let image = ImageFacts {
            name: "windlass-demo-v1".into(),
            arn: None,
            state: "AVAILABLE".into(),
            state_reason: None,
            platform: None,
            visibility: None,
            allow_fleet: None,
        };
        Ok(FleetState {
            began,
            fleet: Some(FleetFacts {
                arn: format!("arn:aws:appstream:us-east-1:123456789012:fleet/{name}").parse().unwrap(),
                name: name.parse().unwrap(),
                fleet_type: Some(object.spec.fleet_type),
                power: Power::Running,
                settings,
                capacity: CapacityStatus {
                    desired,
                    running: Some(desired),
                    in_use: Some(self.0.in_use.load(Ordering::SeqCst)),
                    available: Some(desired),
                    ..CapacityStatus::default()
                },
                errors: Vec::new(),
                created_time: None,
            }),
            tags: Some(Tagged { began, tags: ownership::tags::<FleetKind>(scope, object) }),
            image: Some(Some(image)),
            stacks: Some(Looked::Found(Vec::new())),
            sessions: Some(Looked::Found(Vec::new())),
            applications: Some(Looked::Found(BTreeSet::new())),
        })
    }

    async fn send(&self, _: &Scope, call: &FleetCall, _: Urgency) -> Result<Reply, AwsError> {
        self.0.sent.lock().unwrap().push((Instant::now(), call.clone()));
        if let Some(class) = *self.0.refuses.lock().unwrap() {
            let (code, message) = ("Code".to_owned(), "words".to_owned());
            return Err(AwsError { operation: "UpdateFleet", class, code, message, request_id: None });
        }
        if let FleetCall::Update(patch) = call {
            let mut known = self.0.settings.lock().unwrap();
            let settings = known.get_mut(patch.name.as_str()).unwrap();
            settings.display_name = patch.set.display_name.clone().or(settings.display_name.take());
        }
        Ok(Reply::default())
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

/// An engine at work on that AWS.
struct Turning {
    cluster: Cluster,
    aws: Aws,
    _leads: watch::Sender<LeaseState>,
    task: JoinHandle<()>,
}

impl Turning {
    fn new(objects: &[String], takes: Duration, settings: EngineSettings) -> Self {
        let began = Instant::now();
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(move || start + began.elapsed());
        let cluster = Cluster::new(Arc::clone(&clock), Store::default());
        for name in objects {
            cluster.create(Fleet::new(name, spec()));
        }
        let aws = Aws(Arc::new(Shared {
            clock: Arc::clone(&clock),
            takes,
            settings: Mutex::default(),
            in_use: AtomicI32::new(0),
            looks: Mutex::default(),
            sent: Mutex::default(),
            refuses: Mutex::default(),
            panics: AtomicU64::new(0),
        }));
        let parts = Parts {
            kube: cluster.clone(),
            aws: aws.clone(),
            leave: Arc::new(Always),
            clock,
            chance: Arc::new(|| 0.0),
            herald: Arc::new(Always),
            stage: Stage::unwatched(),
            metrics: Metrics::new(false).unwrap(),
            neighbourhood: Arc::default(),
            settings,
        };
        let (leads, led) = watch::channel(LeaseState::Held { taken_at: start });
        let task = tokio::spawn(Engine::<FleetKind, _, _>::new(parts, led).run(cluster.sights::<Fleet>(), 1, || {}));
        Self { cluster, aws, _leads: leads, task }
    }

    fn one(name: &str) -> Self {
        Self::new(&[name.to_owned()], Duration::from_millis(10), EngineSettings::default())
    }

    fn rename(&self, name: &str, display_name: &str) {
        assert!(
            self.cluster.edit(name, |fleet: &mut Fleet| fleet.spec.settings.display_name = Some(display_name.into()))
        );
    }

    fn ready(&self, name: &str) -> bool {
        let status = self.cluster.get::<Fleet>(name).and_then(|object| object.status).unwrap();
        status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
    }
}

impl Drop for Turning {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn names(calls: &[(Instant, FleetCall)]) -> Vec<String> {
    let name = |(_, call): &(Instant, FleetCall)| match call {
        FleetCall::Update(patch) => patch.set.display_name.clone().unwrap_or_else(|| "capacity".into()),
        other => format!("{other:?}"),
    };
    calls.iter().map(name).collect()
}

#[test]
fn an_object_whose_pass_panics_is_left_alone_for_longer_each_time_and_delays_nobody() {
    history(async || {
        let objects = [POISON, "a", "b"].map(str::to_owned);
        let turning = Turning::new(&objects, Duration::from_millis(10), EngineSettings::default());
        sleep(seconds(5)).await;
        assert_eq!((turning.ready("a"), turning.ready("b")), (true, true));
        assert_eq!(turning.aws.looks(POISON), 1);
        // One minute, two, four: by then it was looked at four times, and its neighbours with every resync.
        sleep(seconds(60 + 120 + 240)).await;
        assert_eq!(turning.aws.looks(POISON), 4);
        assert!(turning.aws.looks("a") >= 8);
        // An edit may have mended it.
        turning.rename(POISON, "Better");
        sleep(seconds(5)).await;
        assert_eq!(turning.aws.looks(POISON), 5);
    });
}

#[test]
fn an_edit_overtakes_five_hundred_routine_looks() {
    history(async || {
        let objects: Vec<String> = (0..500).map(|n| format!("fleet-{n}")).collect();
        let settings = EngineSettings { urgent_workers: 1, workers: 4, ..EngineSettings::default() };
        let turning = Turning::new(&objects, seconds(1), settings);
        sleep(seconds(10)).await;
        let looked = turning.aws.0.looks.lock().unwrap().len();
        assert!(looked < 60, "{looked} looks in ten seconds");
        let edited = Instant::now();
        turning.rename("fleet-499", "Soon");
        sleep(seconds(10)).await;
        // Its first look ever takes the spec for what AWS has; the next edit is one that AWS does not have yet.
        turning.rename("fleet-499", "Now");
        let edited_again = Instant::now();
        sleep(seconds(5)).await;
        let sent = turning.aws.sent();
        assert_eq!(names(&sent), ["Now"]);
        assert!(sent[0].0 - edited_again < seconds(3), "{:?}", sent[0].0 - edited_again);
        assert!(edited_again - edited < seconds(11));
    });
}

#[test]
fn what_aws_asks_to_be_spared_for_no_edit_shortens_and_what_it_refused_an_edit_may_mend() {
    for (class, at_once) in [(Class::Throttled, false), (Class::Rejected, true), (Class::AccessDenied, true)] {
        history(async move || {
            let turning = Turning::one("a");
            sleep(seconds(5)).await;
            turning.aws.refuse(Some(class));
            turning.rename("a", "One");
            sleep(seconds(600)).await;
            turning.aws.refuse(None);
            let refused = turning.aws.sent().len();
            // What was refused for good is not even tried again.
            assert!((1..=120).contains(&refused), "{class:?}: {refused} tries in ten minutes");
            // Right after a try: the next one is far away.
            let last = turning.aws.sent().last().unwrap().0;
            turning.aws.refuse(Some(class));
            while turning.aws.sent().last().unwrap().0 == last && last.elapsed() < seconds(700) {
                sleep(Duration::from_millis(100)).await;
            }
            turning.aws.refuse(None);
            let edited = Instant::now();
            turning.rename("a", "Two");
            sleep(seconds(700)).await;
            let (sent, call) = turning.aws.sent().last().unwrap().clone();
            assert_eq!(names(&[(sent, call)]), ["Two"]);
            assert_eq!(sent - edited < seconds(2), at_once, "{class:?}: {:?}", sent - edited);
        });
    }
}

#[test]
fn counts_alone_are_written_at_most_every_five_minutes_and_what_is_unchanged_never() {
    history(async || {
        let turning = Turning::one("a");
        sleep(seconds(10)).await;
        let settled = turning.cluster.writes().len();
        sleep(seconds(1800)).await;
        assert_eq!(turning.cluster.writes().len(), settled);
        for n in 0..60 {
            turning.aws.0.in_use.store(n % 2, Ordering::SeqCst);
            sleep(seconds(61)).await;
        }
        let written = turning.cluster.writes().split_off(settled);
        assert!((10..=13).contains(&written.len()), "{} writes in an hour", written.len());
        let spaced = written.windows(2).all(|two| two[1].at.duration_since(two[0].at).as_secs() >= 300);
        assert!(spaced, "{written:?}");
        assert_eq!(turning.aws.sent(), []);
    });
}

#[test]
fn nothing_is_sent_for_an_object_that_has_changed_although_the_watch_does_not_say_so() {
    type Change = fn(&Cluster);
    let changes: [(&str, Change, &[&str]); 3] = [
        // The watch is late: what is sent is the newer wish at once.
        (
            "generation",
            |cluster| {
                assert!(cluster.edit("a", |fleet: &mut Fleet| fleet.spec.settings.display_name = Some("New".into())))
            },
            &["New"],
        ),
        ("deletion", |cluster| assert!(cluster.delete::<Fleet>("a")), &[]),
        (
            "uid",
            |cluster| {
                cluster.force_delete::<Fleet>("a");
                let mut other = spec();
                other.settings.display_name = Some("Other".into());
                cluster.create(Fleet::new("a", other));
            },
            &[],
        ),
    ];
    for (what, change, wanted) in changes {
        let wanted: Vec<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
        history(async move || {
            let turning = Turning::one("a");
            turning.rename("a", "Old");
            sleep(seconds(10)).await;
            turning.cluster.watch_lag(seconds(3600));
            turning.aws.drift("a");
            change(&turning.cluster);
            sleep(seconds(300)).await;
            let sent = names(&turning.aws.sent());
            assert!(!sent.contains(&"Old".to_owned()), "{what}: {sent:?}");
            for name in wanted {
                assert!(sent.contains(&name), "{what}: {sent:?}");
            }
        });
    }
}

#[test]
fn a_pass_begins_for_what_people_do_and_not_for_what_we_wrote() {
    history(async || {
        let turning = Turning::one("a");
        sleep(seconds(10)).await;
        let looks = || turning.aws.looks("a");
        let before = looks();
        turning.cluster.poke::<Fleet>("a", "now");
        sleep(seconds(5)).await;
        let poked = looks();
        assert!(poked > before);
        let handled = turning.cluster.get::<Fleet>("a").unwrap().status.unwrap().last_handled_reconcile_at;
        assert_eq!(handled.as_deref(), Some("now"));
        // The echo of that status write asked for nothing.
        sleep(seconds(20)).await;
        assert_eq!(looks(), poked);
        let seen: BTreeMap<&str, usize> = turning.cluster.writes().iter().fold(BTreeMap::new(), |mut counts, write| {
            assert_eq!(write.id, id("a"));
            *counts.entry(write.what).or_default() += 1;
            counts
        });
        assert_eq!(seen, [("guard", 1), ("report", 2)].into());
    });
}
