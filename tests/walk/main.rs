//! The schema walk: every field of every definition is changed, on a real API server, by the real operator, in a simulated
//! AWS; each change must show in AWS, in the status, or in a sentence that refuses it, and must be undone when it is taken
//! back.
//!
//! The fields and what is done to them come from the schemas ([`mutations`]). A kind says where to begin and which fields
//! rule the operator alone ([`kinds`]).
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../end_to_end/iam.rs"]
mod iam;
mod kinds;
mod mutations;
#[path = "../end_to_end/stage.rs"]
#[allow(dead_code)]
mod stage;
mod texts;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use http::Request;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

use kinds::Kind;
use mutations::Mutation;
use stage::{Stage, condition, ready, simulator};
use view::{Snapshot, differences};

/// An AWS that takes next to no time.
const FAST: [(&str, &str); 12] = [
    ("--start", "200ms"),
    ("--stop", "200ms"),
    ("--scale", "100ms"),
    ("--scale-in", "100ms"),
    ("--builder-start", "200ms"),
    ("--builder-stop", "200ms"),
    ("--builder-delete", "200ms"),
    ("--instance-start", "200ms"),
    ("--instance-stop", "200ms"),
    ("--instance-delete", "200ms"),
    ("--address-lag", "100ms"),
    ("--small-change", "100ms"),
];
/// How long a change may take until it is carried out: all of them come at once.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often everything is looked at.
const POLL: Duration = Duration::from_millis(300);
/// Requests of ours to the API server at once.
const AT_ONCE: usize = 16;

/// A change that the API server takes, from the bases from which it does.
struct Change {
    title: String,
    from: Vec<Mutation>,
    object: String,
    /// Whether it is no change of what is there: only another object can be made so.
    anew: bool,
}

/// What became of a change.
enum Outcome {
    /// AWS shows it.
    InAws,
    /// The status shows it.
    InStatus,
    /// It rules the operator alone, or AWS cannot be told.
    ByPolicy,
    /// It is wrong.
    Failed(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_field_shows_when_it_changes_and_is_restored_when_it_changes_back() {
    let aws = simulator(&FAST.map(|(flag, time)| format!("{flag}={time}")).each_ref().map(String::as_str)).await;
    let stage = Stage::new("walk", Arc::clone(&aws)).await;
    let screen = stage.control_plane.namespace("screen").await;
    let operator = stage.operator().flag("--leader-elect=false").flag("--resync=10s").ready().await;
    // The services at once, the kinds of one after the other: what a walk waits for is AWS, as the operator paces it.
    let mut services: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let left_out = |definition: &CustomResourceDefinition| {
        kinds::NOT_WALKED.into_iter().find(|(kind, _)| *kind == definition.spec.names.kind)
    };
    for definition in windlass::crds::all() {
        if let Some((kind, why)) = left_out(&definition) {
            println!("{kind} is not walked over: {why}");
            if kind == "AccessGrant" {
                only_the_duration_changes(&serde_json::to_value(definition).unwrap());
            }
            continue;
        }
        let group = definition.spec.group.clone();
        services.entry(group).or_default().push(serde_json::to_value(definition).unwrap());
    }
    let walks = services.into_values().map(|definitions| walk(definitions, &stage, &screen));
    let failed: Vec<String> = futures::future::join_all(walks).await.concat();
    assert_eq!(aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
    // Every field of every kind was set, changed and left out.
    iam::nothing_is_missing(&stage, &[]);
    let asked = iam::asked(&stage);
    let allowed = iam::allowed(&["fleet", "stack", "imagebuilder", "instance"]);
    let unused: Vec<&String> =
        allowed.difference(&asked).filter(|action| !iam::NOT_WALKED.contains(&action.as_str())).collect();
    assert_eq!(unused, Vec::<&String>::new(), "deploy/iam allows what is never asked for");
    assert!(failed.is_empty(), "{} changes failed:\n{}", failed.len(), failed.join("\n"));
}

/// What the table says of a grant is so, by what its definition says of each field (tests/bad_manifests holds it to that).
fn only_the_duration_changes(definition: &Value) {
    let fields = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
    let changes = fields.as_object().unwrap().iter();
    let changes = changes.filter(|(_, field)| !stage::word(field, "/description").contains("Cannot be changed."));
    assert_eq!(changes.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["duration"]);
}

/// Walks over these kinds, one after the other; returns what is wrong.
async fn walk(definitions: Vec<Value>, stage: &Stage, screen: &str) -> Vec<String> {
    let mut failed = Vec::new();
    for definition in definitions {
        let name = stage::word(&definition, "/spec/names/kind");
        let Some(kind) = kinds::ALL.into_iter().find(|kind| kind.name == name) else {
            failed.push(format!("{name}: add its line to tests/walk/kinds.rs"));
            continue;
        };
        (kind.seed)(stage.clone()).await;
        failed.extend(Walk::new(kind, &definition, stage, screen).await.run().await);
    }
    failed
}

/// The walk over one kind.
#[derive(Clone)]
struct Walk {
    kind: &'static Kind,
    schema: Value,
    admin: Client,
    group: String,
    plural: String,
    namespace: String,
    screen: String,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl Walk {
    async fn new(kind: &'static Kind, definition: &Value, stage: &Stage, screen: &str) -> Self {
        let group = stage::word(definition, "/spec/group");
        let plural = stage::word(definition, "/spec/names/plural");
        let (namespace, admin) = (stage.namespace.clone(), stage.admin.clone());
        let (tell, snapshots) = watch::channel(Arc::default());
        let path = format!("/apis/{group}/v1alpha1/namespaces/{namespace}/{plural}");
        let (client, port) = (admin.clone(), stage.aws.port());
        tokio::spawn(async move {
            while !tell.is_closed() {
                let objects = stage::ask(&client, "GET", &path, None).await.unwrap();
                let in_aws = tokio::task::spawn_blocking(move || (kind.in_aws)(port)).await.unwrap();
                tell.send_replace(Arc::new(Snapshot::new(&objects, in_aws)));
                tokio::time::sleep(POLL).await;
            }
        });
        let schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
        Self { kind, schema, admin, group, plural, namespace, screen: screen.to_owned(), snapshots }
    }

    /// Walks, says what came of it, and returns what is wrong.
    async fn run(self) -> Vec<String> {
        let began = Instant::now();
        let fields = mutations::fields(&self.schema);
        self.kind.check_tables(&fields);
        let now = Timestamp::now();
        let bases: Vec<Value> = self.kind.bases.iter().map(kinds::Base::spec).collect();
        let all: Vec<BTreeMap<String, Mutation>> =
            bases.iter().map(|base| mutations::all(self.kind, &self.schema, &fields, base, now)).collect();
        let titles: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
        // Each change from the first base that takes it.
        let tries = titles.iter().enumerate().map(|(number, title)| {
            let candidates: Vec<Mutation> = all.iter().filter_map(|base| base.get(*title).cloned()).collect();
            self.screen(number, candidates)
        });
        let screened: Vec<Screened> = futures::stream::iter(tries).buffer_unordered(AT_ONCE).collect().await;
        let (mut changes, mut refused, mut wrong, mut same) = (Vec::new(), 0, Vec::new(), 0);
        let (mut walked, mut made_anew, mut anew) = (BTreeSet::new(), BTreeSet::new(), 0);
        for screened in screened {
            match screened {
                Screened::Taken(from) => {
                    walked.insert(from[0].field.clone());
                    let object = format!("{}-{}", self.kind.name.to_lowercase(), changes.len());
                    changes.push(Change { title: from[0].title.clone(), from, object, anew: false });
                }
                Screened::Anew(mutation) => {
                    refused += 1;
                    anew += 1;
                    made_anew.insert(mutation.field.clone());
                    let object = format!("{}-{}", self.kind.name.to_lowercase(), changes.len());
                    changes.push(Change { title: mutation.title.clone(), from: vec![*mutation], object, anew: true });
                }
                Screened::Refused(_, None) => refused += 1,
                Screened::Refused(title, Some(said)) => {
                    wrong.push(format!("{title}: refused without naming the field: {said}"));
                }
                Screened::Same => same += 1,
            }
        }
        for field in &fields {
            if !walked.contains(&field.path) && !self.kind.is_fixed(&field.path) {
                wrong.push(format!("{}: no change of it was taken: give a base or a text that is", field.path));
            }
            // An object of another name is looked for by that name; an account is never taken.
            let shown = walked.contains(&field.path) || made_anew.contains(&field.path);
            if !shown && !["name", "account"].contains(&field.path.as_str()) {
                wrong.push(format!("{}: nothing was made with another value: give a base or a text", field.path));
            }
        }
        let count = changes.len();
        let runs = changes.into_iter().map(|change| {
            let walk = self.clone();
            async move {
                let began = Instant::now();
                let outcome = match change.anew {
                    true => walk.make(&change.object, &change.from[0]).await,
                    false => walk.live(&change).await,
                };
                (change, outcome, began.elapsed().as_secs())
            }
        });
        let outcomes: Vec<(Change, Outcome, u64)> = futures::stream::iter(runs).buffer_unordered(256).collect().await;
        let (mut in_aws, mut in_status, mut by_policy) = (0, 0, 0);
        let slowest = outcomes.iter().max_by_key(|(_, _, seconds)| *seconds);
        let slowest = slowest.map(|(change, _, seconds)| format!("{} {seconds} s", change.title)).unwrap_or_default();
        for (change, outcome, _) in outcomes {
            match outcome {
                Outcome::InAws => in_aws += 1,
                Outcome::InStatus => in_status += 1,
                Outcome::ByPolicy => by_policy += 1,
                Outcome::Failed(what) => {
                    wrong.push(format!("{} {} ({}): {what}", self.kind.name, change.title, change.object));
                }
            }
        }
        let (name, passed) = (self.kind.name, in_aws + in_status + by_policy);
        let line = format!(
            "schema walk: {name}: {} fields, {} mutations, {passed} passed ({in_aws} in AWS, {in_status} in the status, \
             {by_policy} by policy), {refused} refused with a sentence ({anew} of them made anew); {} s, the \
             slowest {slowest}",
            fields.len(),
            count + refused - anew,
            began.elapsed().as_secs(),
        );
        // Past the test harness, which keeps to itself what a test that passes prints.
        std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
        assert!(same < count, "{same} changes changed nothing");
        wrong
    }

    /// Finds the bases from which the API server takes a change, in a namespace that nobody watches.
    async fn screen(&self, number: usize, candidates: Vec<Mutation>) -> Screened {
        let (mut taken, mut refused, mut title, mut anew) = (Vec::new(), None, String::new(), None);
        for (base, mutation) in candidates.into_iter().enumerate() {
            let name = format!("screen-{number}-{base}");
            title.clone_from(&mutation.title);
            let said = match self.apply(&self.screen, &name, &mutation.from, false).await {
                Err(said) => said,
                Ok(from) => match self.apply(&self.screen, &name, &mutation.to, true).await {
                    Ok(to) if to["spec"] == from["spec"] => continue,
                    Ok(_) => {
                        taken.push(mutation);
                        continue;
                    }
                    Err(said) => {
                        let other = format!("{name}-anew");
                        if mutation.field != "name"
                            && mutation.names(&said)
                            && self.apply(&self.screen, &other, &mutation.to, true).await.is_ok()
                        {
                            anew.get_or_insert(mutation.clone());
                        }
                        said
                    }
                },
            };
            let named = mutation.names(&said);
            refused.get_or_insert((!named).then_some(said));
        }
        match (taken.is_empty(), anew, refused) {
            (false, _, _) => Screened::Taken(taken),
            (true, Some(mutation), _) => Screened::Anew(Box::new(mutation)),
            (true, None, Some(said)) => Screened::Refused(title, said),
            (true, None, None) => Screened::Same,
        }
    }

    /// Applies a manifest as a person does; the object, or why it was refused.
    async fn apply(&self, namespace: &str, name: &str, spec: &Value, dry: bool) -> Result<Value, String> {
        let (group, plural) = (&self.group, &self.plural);
        let dry = if dry { "&dryRun=All" } else { "" };
        let path = format!(
            "/apis/{group}/v1alpha1/namespaces/{namespace}/{plural}/{name}?fieldManager=person&fieldValidation=Strict{dry}"
        );
        let manifest = json!({
            "apiVersion": format!("{group}/v1alpha1"),
            "kind": self.kind.name,
            "metadata": { "name": name },
            "spec": spec,
        });
        let request = Request::patch(path).header("content-type", "application/apply-patch+yaml");
        let request = request.body(manifest.to_string().into_bytes()).unwrap();
        match self.admin.request(request).await {
            Ok(object) => Ok(object),
            Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => Err(status.message.clone()),
            Err(error) => panic!("applying {name}: {error}"),
        }
    }

    /// Makes a change from the first base that AWS takes, too, and takes it back.
    async fn live(&self, change: &Change) -> Outcome {
        let last = change.from.len() - 1;
        for (number, mutation) in change.from.iter().enumerate() {
            let object = format!("{}-{number}", change.object);
            let first = match self.settled(&object, &mutation.from, |_| true).await {
                Ok(seen) => seen,
                Err(text) => return Outcome::Failed(format!("before the change: {text}")),
            };
            if first.ready || number == last {
                return self.change(&object, mutation, &first).await;
            }
        }
        Outcome::Failed("no base".into())
    }

    async fn change(&self, object: &str, mutation: &Mutation, first: &view::Seen) -> Outcome {
        let changed = match self.settled(object, &mutation.to, |_| true).await {
            Ok(seen) => seen,
            Err(text) => return Outcome::Failed(text),
        };
        let (aws, status) = (differences(&first.aws, &changed.aws), differences(&first.status, &changed.status));
        let rules = self.kind.is_policy(&mutation.field);
        let kept = self.kind.is_kept(&mutation.field);
        let outcome = match (aws.is_empty(), status.is_empty()) {
            (false, _) => Outcome::InAws,
            (true, false) => Outcome::InStatus,
            (true, true) if rules || (kept && mutation.clears) => Outcome::ByPolicy,
            // AWS's own choice for a field that was left out may be this very value.
            (true, true) if mutation.sets.as_ref().is_some_and(|value| view::holds(&first.aws, value)) => {
                Outcome::InAws
            }
            (true, true) => return Outcome::Failed("silent: neither AWS nor the status shows it".into()),
        };
        // What AWS cannot clear stays as it was when the field is left out again.
        let as_before = |seen: &view::Seen| differences(&first.aws, &seen.aws).is_empty();
        let stays = |seen: &view::Seen| kept && differences(&changed.aws, &seen.aws).is_empty();
        let restored = |seen: &view::Seen| {
            let shown = seen.ready || !first.ready && differences(&first.status, &seen.status).is_empty();
            shown && (as_before(seen) || stays(seen))
        };
        match self.settled(object, &mutation.from, restored).await {
            Ok(_) => outcome,
            Err(said) if self.kind.is_once(&mutation.field) && mutation.names(&said) => outcome,
            Err(text) => Outcome::Failed(format!("not restored: {text}")),
        }
    }

    /// Makes two objects, one from before a change that is refused and one from after it: AWS or the status tells them
    /// apart.
    async fn make(&self, object: &str, mutation: &Mutation) -> Outcome {
        let (before, after) = (format!("{object}-before"), format!("{object}-after"));
        let both = futures::try_join!(
            self.settled(&before, &mutation.from, |_| true),
            self.settled(&after, &mutation.to, |_| true)
        );
        let (first, other) = match both {
            Ok((first, other)) => (first.of_any(&before), other.of_any(&after)),
            Err(text) => return Outcome::Failed(format!("made anew: {text}")),
        };
        let is_default = || mutation.sets.as_ref().is_some_and(|value| view::holds(&first.0, value));
        match (first.0 == other.0, first.1 == other.1) {
            (false, _) => Outcome::InAws,
            (true, false) => Outcome::InStatus,
            (true, true) if self.kind.is_policy(&mutation.field) => Outcome::ByPolicy,
            (true, true) if is_default() => Outcome::InAws,
            (true, true) => Outcome::Failed("made anew, neither AWS nor the status shows it".into()),
        }
    }

    /// Applies a spec, and waits until its generation is carried out and `so`.
    async fn settled(
        &self,
        object: &str,
        spec: &Value,
        so: impl Fn(&view::Seen) -> bool,
    ) -> Result<view::Seen, String> {
        let applied = self.apply(&self.namespace, object, spec, false).await?;
        let generation = applied["metadata"]["generation"].as_i64().unwrap();
        let end = Instant::now() + PATIENCE;
        let mut snapshots = self.snapshots.clone();
        loop {
            snapshots.changed().await.unwrap();
            let snapshot = snapshots.borrow_and_update().clone();
            let seen = snapshot.of(object).filter(|seen| seen.generation == generation);
            match seen {
                Some(seen) if (seen.ready || seen.stalled || seen.waits) && so(&seen) => return Ok(seen),
                Some(seen) if Instant::now() > end => {
                    return Err(format!("not settled: {}; AWS has {}", seen.conditions, seen.aws));
                }
                None if Instant::now() > end => return Err("it was never looked at".into()),
                Some(_) | None => {}
            }
        }
    }
}

/// What the API server says to a change.
enum Screened {
    /// It takes it, from these bases.
    Taken(Vec<Mutation>),
    /// It refuses it, but takes a new object that is so.
    Anew(Box<Mutation>),
    /// It refuses it from every base; its first words, when they do not name the field.
    Refused(String, Option<String>),
    /// It is no change: a default, given or not.
    Same,
}

fn is_ready(object: &Value) -> bool {
    ready(object)
}

fn is_stalled(object: &Value) -> bool {
    condition(object, "Stalled").0 == "True"
}

fn waits(object: &Value) -> bool {
    let (status, reason, _) = condition(object, "Reconciling");
    status == "True" && (reason.starts_with("WaitingFor") || reason == "DependencyNotReady")
}
