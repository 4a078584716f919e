//! A bed for plans: an object, an AWS, a clock; passes are made as the engine makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::object::HasStatus;

use crate::api::fleet::*;
use crate::api::{Arn, FINALIZER, Region};
use crate::plan::conditions::find;
use crate::plan::fleet::*;
use crate::plan::looked::{Looked, Refusal};
use crate::plan::{Allow, Answered, Call, Class, Failure, Input, Kind, Next, Plan, Reply, Scope, Seen, ownership};

static NOTHING: std::sync::LazyLock<crate::plan::Beside> = std::sync::LazyLock::new(Default::default);

pub const NOW: &str = "2026-11-22T12:00:00Z";
pub const ARN: &str = "arn:aws:appstream:eu-central-1:111122223333:fleet/desk";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[derive(Debug, Clone)]
pub struct Bed {
    pub object: Fleet,
    pub aws: Option<FleetFacts>,
    pub tags: BTreeMap<String, String>,
    pub image: Option<ImageFacts>,
    pub stacks: Vec<AssociatedStack>,
    pub sessions: Vec<SessionFacts>,
    pub applications: BTreeSet<Arn>,
    pub failure: Option<Failure<FleetKind>>,
    pub readable: bool,
    /// The look that AWS refuses.
    pub refused: Option<&'static str>,
    /// Since when: now, if it does not say.
    pub refused_since: Option<Timestamp>,
    pub scope: Scope,
    pub now: Timestamp,
    pub quiet_since: Timestamp,
    pub answered: Option<Answered<FleetKind>>,
}

/// What a pass ended with, and what it had looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    pub plan: Plan<FleetKind>,
    pub state: Option<FleetState>,
    pub looks: usize,
}

/// An ON_DEMAND fleet of two instances that is RUNNING, ours and as wanted; the object has a status from an earlier pass.
pub fn fleet() -> Bed {
    let settings = FleetSettings {
        instance_type: Some("stream.standard.medium".into()),
        image_name: Some("v1".parse().unwrap()),
        compute_capacity: Some(ComputeCapacity { desired_instances: Some(2), desired_sessions: None }),
        ..FleetSettings::default()
    };
    with(FleetType::OnDemand, settings)
}

/// A RUNNING fleet of this type, as wanted.
pub fn with(fleet_type: FleetType, settings: FleetSettings) -> Bed {
    let mut object = Fleet::new(
        "desk",
        FleetSpec {
            name: None,
            fleet_type,
            desired_state: DesiredState::Running,
            settings: settings.clone(),
            common: Default::default(),
            update_strategy: None,
            disruption: None,
            power_schedule: None,
            application_arns: None,
        },
    );
    object.metadata.namespace = Some("team".into());
    object.metadata.uid = Some("uid-1".into());
    object.metadata.generation = Some(3);
    object.metadata.finalizers = Some(vec![FINALIZER.into()]);
    let scope = Scope {
        cluster: "cluster-1".into(),
        account: "111122223333".into(),
        partition: "aws".into(),
        region: "eu-central-1".parse::<Region>().unwrap(),
        allow: Allow::default(),
        identity: Default::default(),
    };
    let desired = settings.compute_capacity.as_ref().and_then(|c| c.desired_instances.or(c.desired_sessions));
    let shared = settings.max_sessions_per_instance.is_some();
    let n = desired.unwrap_or(1);
    let elastic = fleet_type == FleetType::Elastic;
    let mut seen = settings;
    seen.compute_capacity =
        (!elastic).then(|| ComputeCapacity { desired_instances: Some(n), desired_sessions: shared.then_some(n) });
    seen.image_arn = seen.image_arn.or_else(|| seen.image_name.as_ref().map(|name| image_arn(name.as_str())));
    seen.image_name = seen
        .image_name
        .or_else(|| seen.image_arn.as_ref().and_then(|arn| arn.as_str().rsplit('/').next()?.parse().ok()));
    let mut bed = Bed {
        tags: ownership::tags::<FleetKind>(&scope, &object),
        aws: Some(FleetFacts {
            arn: ARN.parse().unwrap(),
            name: "desk".parse().unwrap(),
            fleet_type: Some(fleet_type),
            power: Power::Running,
            settings: seen,
            capacity: CapacityStatus::default(),
            errors: Vec::new(),
            created_time: Some(at("2026-01-01T00:00:00Z")),
        }),
        image: Some(image("v1")),
        stacks: vec![AssociatedStack { name: "stack".parse().unwrap() }],
        sessions: Vec::new(),
        applications: BTreeSet::new(),
        failure: None,
        readable: true,
        refused: None,
        refused_since: None,
        scope,
        now: at(NOW),
        quiet_since: at("2026-11-22T06:00:00Z"),
        answered: None,
        object,
    };
    bed.count(0);
    bed.seen()
}

pub fn image_arn(name: &str) -> Arn {
    format!("arn:aws:appstream:eu-central-1:111122223333:image/{name}").parse().unwrap()
}

pub fn image(name: &str) -> ImageFacts {
    ImageFacts {
        name: name.into(),
        arn: Some(image_arn(name).to_string()),
        state: "AVAILABLE".into(),
        state_reason: None,
        platform: None,
        visibility: None,
        allow_fleet: None,
    }
}

impl Bed {
    /// The object's status becomes what an earlier pass has shown.
    pub fn seen(mut self) -> Self {
        let earlier = Self { now: at("2026-11-22T06:00:00Z"), ..self.clone() };
        self.object.status = Some(earlier.pass().plan.status);
        self
    }

    pub fn stopped(self) -> Self {
        self.power(Power::Stopped)
    }
    pub fn starting(self) -> Self {
        self.power(Power::Starting)
    }
    pub fn stopping(self) -> Self {
        self.power(Power::Stopping)
    }
    pub fn power(mut self, power: Power) -> Self {
        self.facts().power = power;
        self.count(0);
        self
    }
    pub fn gone(mut self) -> Self {
        self.aws = None;
        self
    }
    /// Never made: no status at all.
    pub fn new_object(mut self) -> Self {
        self.aws = None;
        self.object.status = None;
        self
    }

    pub fn facts(&mut self) -> &mut FleetFacts {
        self.aws.as_mut().unwrap()
    }

    /// Edits the spec: a new generation.
    pub fn wanting(mut self, edit: impl FnOnce(&mut FleetSpec)) -> Self {
        edit(&mut self.object.spec);
        self.object.metadata.generation = self.object.metadata.generation.map(|n| n + 1);
        self
    }
    pub fn wanting_image(mut self, name: &str) -> Self {
        self.image = Some(image(name));
        self.wanting(|spec| spec.settings.image_name = Some(name.parse().unwrap()))
    }
    pub fn wanting_off(self) -> Self {
        self.wanting(|spec| spec.desired_state = DesiredState::Stopped)
    }
    pub fn disruption(self, edit: impl FnOnce(&mut Disruption)) -> Self {
        self.wanting(|spec| edit(spec.disruption.get_or_insert_default()))
    }
    pub fn strategy(self, kind: UpdateType, while_running: WhileRunning) -> Self {
        self.wanting(|spec| spec.update_strategy = Some(UpdateStrategy { kind, while_running }))
    }

    pub fn with_session(mut self) -> Self {
        self.sessions = vec![SessionFacts { id: "s".into(), started: Some(at("2026-11-22T11:00:00Z")) }];
        self.count(1);
        self
    }
    pub fn without_session(mut self) -> Self {
        self.sessions.clear();
        self.count(0);
        self
    }
    /// AWS's counts for so many users, in the fleet's state.
    pub fn count(&mut self, users: i32) {
        let Some(facts) = &mut self.aws else { return };
        let capacity = facts.settings.compute_capacity.clone().unwrap_or_default();
        let desired = capacity.desired_instances.unwrap_or(0);
        let on = if facts.power == Power::Running { desired } else { 0 };
        facts.capacity = CapacityStatus {
            desired,
            running: Some(on.max(users)),
            in_use: Some(users),
            available: Some((on - users).max(0)),
            ..CapacityStatus::default()
        };
        if let Some(sessions) = capacity.desired_sessions {
            let on = if facts.power == Power::Running { sessions } else { 0 };
            facts.capacity.desired_user_sessions = Some(sessions);
            facts.capacity.available_user_sessions = Some((on - users).max(0));
            facts.capacity.active_user_sessions = Some(users);
        }
    }

    pub fn deleting(mut self) -> Self {
        self.object.metadata.deletion_timestamp = Some(Time(self.now));
        self.object.metadata.generation = self.object.metadata.generation.map(|n| n + 1);
        self.stacks.clear();
        self
    }
    pub fn tagged(mut self, edit: impl FnOnce(&mut BTreeMap<String, String>)) -> Self {
        edit(&mut self.tags);
        self
    }
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.object.metadata.annotations.get_or_insert_default().insert(key.into(), value.into());
        self
    }
    pub fn after(mut self, seconds: u64) -> Self {
        self.now += Duration::from_secs(seconds);
        self
    }
    /// The last write failed just now.
    pub fn failed(self, call: FleetCall, class: Class, code: &str) -> Self {
        let now = self.now;
        self.failing(Some(call), class, code, now)
    }
    pub fn failing(mut self, call: Option<FleetCall>, class: Class, code: &str, since: Timestamp) -> Self {
        self.failure = Some(Failure {
            operation: call.as_ref().map_or("DescribeFleets", |c| c.operation()).into(),
            call,
            class,
            code: code.into(),
            message: "AWS's words".into(),
            generation: self.object.metadata.generation.unwrap(),
            since,
            at: self.now,
        });
        self
    }

    fn input<'a>(&'a self, scope: Option<&'a Scope>, seen: &'a Seen<FleetState>) -> Input<'a, FleetKind> {
        let failure = self.failure.as_ref().filter(|f| f.call.is_none() == matches!(seen, Seen::Unknown));
        Input {
            now: self.now,
            object: &self.object,
            scope,
            seen,
            failure,
            quiet_since: self.quiet_since,
            answered: self.answered.as_slice(),
            beside: &NOTHING,
        }
    }

    fn looked<T>(&self, operation: &'static str, found: T) -> Looked<T> {
        match self.refused == Some(operation) {
            true => {
                let (code, message) = ("AccessDeniedException".into(), "not authorized".into());
                Looked::Refused(Refusal { operation, code, message, since: self.refused_since.unwrap_or(self.now) })
            }
            false => Looked::Found(found),
        }
    }

    fn observe(&self, looks: &BTreeSet<FleetLook>) -> FleetState {
        let there = self.aws.is_some();
        let asked = |look| looks.contains(&look);
        FleetState {
            began: self.now,
            fleet: self.aws.clone(),
            // What was read half an hour ago is remembered.
            tags: there.then(|| Tagged {
                began: if asked(FleetLook::Tags) { self.now } else { self.now - Duration::from_secs(1800) },
                tags: self.tags.clone(),
            }),
            image: asked(FleetLook::Image).then(|| self.image.clone()),
            stacks: (there && (asked(FleetLook::Stacks) || asked(FleetLook::Sessions)))
                .then(|| self.looked("ListAssociatedStacks", self.stacks.clone())),
            sessions: (there && asked(FleetLook::Sessions))
                .then(|| self.looked("DescribeSessions", self.sessions.clone())),
            applications: (there && asked(FleetLook::Applications))
                .then(|| self.looked("DescribeApplicationFleetAssociations", self.applications.clone())),
        }
    }

    /// One pass, as the engine makes it: six looks at most.
    pub fn pass(&self) -> Pass {
        let mut plan = FleetKind::plan(&self.input(None, &Seen::NotLooked));
        let (mut looks, mut state) = (0, None);
        while let Next::Look(asked) = &plan.next {
            looks += 1;
            assert!(looks <= 6, "looks again and again: {asked:?}\n{self:#?}");
            let seen = match self.readable {
                true => Seen::Found(self.observe(asked)),
                false => Seen::Unknown,
            };
            plan = FleetKind::plan(&self.input(self.readable.then_some(&self.scope), &seen));
            if !matches!(plan.next, Next::Look(_)) {
                let again = FleetKind::plan(&self.input(self.readable.then_some(&self.scope), &seen));
                assert_eq!(plan, again, "planning twice is equal");
            }
            state = match seen {
                Seen::Found(state) => Some(state),
                Seen::NotLooked | Seen::NotAllowed(_) | Seen::Unknown => None,
            };
        }
        Pass { plan, state, looks }
    }

    /// Takes the status of a pass in, as the API server would.
    pub fn report(&mut self, pass: &Pass) {
        self.object.status = Some(pass.plan.status.clone());
    }

    /// The same after a pass whose status was written, `seconds` later.
    pub fn later(mut self, seconds: u64) -> Self {
        let pass = self.pass();
        self.report(&pass);
        self.after(seconds)
    }

    /// What a write that AWS answered leaves in the status.
    pub fn answered(&mut self, call: &FleetCall) {
        let reply = Reply { arn: call.creates().then(|| ARN.parse().unwrap()), request_id: None };
        let status = self.object.status().cloned().unwrap_or_default();
        if let Some(status) = FleetKind::after(&status, call, &reply) {
            self.object.status = Some(status);
        }
        self.failure = None;
        self.quiet_since = self.now;
        self.answered = Some(Answered { call: call.clone(), at: self.now });
    }

    /// The next thing to do, in a word.
    pub fn next(&self) -> String {
        word(&self.pass().plan.next)
    }

    /// (Ready or Reconciling or Stalled, its reason, what differs).
    pub fn shown(&self) -> (String, String, Vec<String>) {
        shown(&self.pass().plan)
    }
}

/// `StopFleet`, `Wait`, `Settled`…
pub fn word(next: &Next<FleetKind>) -> String {
    next.word().into()
}

pub fn shown(plan: &Plan<FleetKind>) -> (String, String, Vec<String>) {
    let all = &plan.status.conditions;
    let headline = ["Stalled", "Reconciling", "Ready"]
        .into_iter()
        .find_map(|name| find(all, name).filter(|c| c.status == "True"))
        .unwrap();
    let fields = plan.status.pending_changes.iter().map(|c| c.field.clone()).collect();
    (headline.type_.clone(), headline.reason.clone(), fields)
}

/// The update that a pass asks for: fields that it sets (as JSON) and how many it clears.
pub fn update(plan: &Plan<FleetKind>) -> (serde_json::Value, usize) {
    match &plan.next {
        Next::Send(FleetCall::Update(patch)) => (serde_json::to_value(&patch.set).unwrap(), patch.clear.len()),
        other => panic!("no update but {other:?}"),
    }
}
