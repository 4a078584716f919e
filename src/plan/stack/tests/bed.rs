//! A bed for plans: a Stack object, an AWS that does what it is told, a clock; passes are made as the engine makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::object::HasStatus;

use crate::api::common::Common;
use crate::api::fleet::DisruptionPolicy;
use crate::api::stack::*;
use crate::api::{AwsName, FINALIZER};
use crate::plan::conditions::find;
use crate::plan::fleet::{FleetKind, SessionFacts};
use crate::plan::looked::{Looked, Refusal};
use crate::plan::stack::diff::Field;
use crate::plan::stack::*;
use crate::plan::tags::Tagged;
use crate::plan::{
    Allow, Answered, Beside, Call, Class, Face, Failure, Input, Kind, Neighbour, Next, Plan, Reply, Scope, Seen,
    ownership,
};

pub const NOW: &str = "2026-11-22T12:00:00Z";
pub const ARN: &str = "arn:aws:appstream:eu-central-1:111122223333:stack/desk";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn fleet(name: &str) -> AwsName {
    name.parse().unwrap()
}

#[derive(Debug, Clone)]
pub struct Bed {
    pub object: Stack,
    pub aws: Option<StackFacts>,
    pub tags: BTreeMap<String, String>,
    pub joined: BTreeSet<AwsName>,
    pub sessions: usize,
    /// The tags of fleets that are there.
    pub fleets: BTreeMap<AwsName, BTreeMap<String, String>>,
    pub refused: Option<&'static str>,
    /// Since when: now, if it does not say.
    pub refused_since: Option<Timestamp>,
    pub beside: Beside,
    pub failure: Option<Failure<StackKind>>,
    pub scope: Scope,
    pub now: Timestamp,
    pub quiet_since: Timestamp,
    pub answered: Option<Answered<StackKind>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    pub plan: Plan<StackKind>,
    pub state: Option<StackState>,
}

/// A stack that is there, ours, as wanted, and in no fleet; the object has a status from an earlier pass.
pub fn stack() -> Bed {
    let spec = StackSpec {
        name: None,
        settings: StackSettings::default(),
        fleet_ref: None,
        fleet_name: None,
        common: Common::default(),
        disruption: None,
    };
    let mut object = Stack::new("desk", spec);
    object.metadata.namespace = Some("team".into());
    object.metadata.uid = Some("uid-1".into());
    object.metadata.generation = Some(3);
    object.metadata.finalizers = Some(vec![FINALIZER.into()]);
    let scope = Scope {
        cluster: "cluster-1".into(),
        account: "111122223333".into(),
        partition: "aws".into(),
        region: "eu-central-1".parse().unwrap(),
        allow: Allow::default(),
        identity: Default::default(),
    };
    let bed = Bed {
        tags: ownership::tags::<StackKind>(&scope, &object),
        aws: Some(StackFacts {
            arn: ARN.parse().unwrap(),
            name: "desk".parse().unwrap(),
            settings: StackSettings::default(),
            errors: Vec::new(),
            created_time: Some(at("2026-01-01T00:00:00Z")),
        }),
        joined: BTreeSet::new(),
        sessions: 0,
        fleets: BTreeMap::new(),
        refused: None,
        refused_since: None,
        beside: Beside::default(),
        failure: None,
        scope,
        now: at(NOW),
        quiet_since: at("2026-11-22T06:00:00Z"),
        answered: None,
        object,
    };
    bed.seen()
}

impl Bed {
    /// The object's status becomes what an earlier pass has shown.
    pub fn seen(mut self) -> Self {
        let earlier = Self { now: at("2026-11-22T06:00:00Z"), ..self.clone() };
        self.object.status = Some(earlier.pass().plan.status);
        self
    }

    /// A Fleet object of the namespace, with a fleet in AWS if it has made one.
    pub fn with_fleet(mut self, name: &str, made: bool, deleting: bool) -> Self {
        let arn = made.then(|| format!("arn:aws:appstream:eu-central-1:111122223333:fleet/{name}").parse().unwrap());
        let face = Face { uid: "f".into(), aws_name: name.into(), arn, deleting, available: made, ..Face::default() };
        self.beside.objects.insert(Neighbour { kind: FleetKind::NAME, name: name.into() }, Some(face));
        self
    }

    /// A Fleet whose fleet is made and cannot be used yet.
    pub fn with_fleet_to_come(self, name: &str) -> Self {
        let mut bed = self.with_fleet(name, true, false);
        bed.beside.objects.values_mut().flatten().for_each(|face| face.available = false);
        bed
    }

    /// Edits the spec: a new generation.
    pub fn wanting(mut self, edit: impl FnOnce(&mut StackSpec)) -> Self {
        edit(&mut self.object.spec);
        self.object.metadata.generation = self.object.metadata.generation.map(|n| n + 1);
        self
    }
    pub fn wanting_ref(self, name: &str) -> Self {
        self.wanting(|spec| spec.fleet_ref = Some(FleetRef { name: name.into() }))
    }
    pub fn wanting_name(self, name: &str) -> Self {
        self.wanting(|spec| spec.fleet_name = Some(fleet(name)))
    }
    pub fn policy(self, policy: DisruptionPolicy) -> Self {
        self.wanting(|spec| spec.disruption.get_or_insert_default().policy = policy)
    }
    pub fn joined_to(mut self, name: &str) -> Self {
        self.joined = [fleet(name)].into();
        self
    }
    /// We have put it there.
    pub fn put_by_us(mut self, name: &str) -> Self {
        self.object.status.get_or_insert_default().internal.applied.fleet = Some(fleet(name));
        self.joined_to(name)
    }
    pub fn new_object(mut self) -> Self {
        (self.aws, self.object.status) = (None, None);
        self
    }
    pub fn deleting(mut self) -> Self {
        self.object.metadata.deletion_timestamp = Some(Time(self.now));
        self
    }
    pub fn after(mut self, seconds: u64) -> Self {
        self.now += Duration::from_secs(seconds);
        self
    }
    pub fn later(mut self, seconds: u64) -> Self {
        self.object.status = Some(self.pass().plan.status);
        self.after(seconds)
    }
    pub fn failed(mut self, call: StackCall, class: Class, code: &str) -> Self {
        self.failure = Some(Failure {
            operation: call.operation().into(),
            call: Some(call),
            class,
            code: code.into(),
            message: "AWS's words".into(),
            generation: self.object.metadata.generation.unwrap(),
            since: self.now,
            at: self.now,
        });
        self
    }

    fn input<'a>(&'a self, scope: Option<&'a Scope>, seen: &'a Seen<StackState>) -> Input<'a, StackKind> {
        Input {
            now: self.now,
            object: &self.object,
            scope,
            seen,
            failure: self.failure.as_ref(),
            quiet_since: self.quiet_since,
            answered: self.answered.as_slice(),
            beside: &self.beside,
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

    fn observe(&self, looks: &BTreeSet<StackLook>) -> StackState {
        let there = self.aws.is_some();
        let asked = |look| looks.contains(&look);
        let read = |fresh: bool| if fresh { self.now } else { self.now - Duration::from_secs(30) };
        let session = |n| SessionFacts { id: format!("s{n}"), started: Some(at("2026-11-22T11:00:00Z")) };
        let fleets_too = asked(StackLook::Fleets) || asked(StackLook::Sessions);
        let named = self.object.spec.fleet_name.as_ref().filter(|_| asked(StackLook::NamedFleet));
        StackState {
            began: self.now,
            in_region: 1,
            stack: self.aws.clone(),
            // What was read half a minute ago is remembered.
            tags: there.then(|| Tagged { began: read(asked(StackLook::Tags)), tags: self.tags.clone() }),
            joined: there.then(|| {
                self.looked("ListAssociatedFleets", Joined { began: read(fleets_too), fleets: self.joined.clone() })
            }),
            sessions: (there && asked(StackLook::Sessions))
                .then(|| self.looked("DescribeSessions", (0..self.sessions).map(session).collect())),
            named_fleet: named.map(|name| {
                let found = self.fleets.get(name).map(|tags| NamedFleet {
                    arn: format!("arn:aws:appstream:eu-central-1:111122223333:fleet/{name}").parse().unwrap(),
                    tags: Tagged { began: self.now, tags: tags.clone() },
                });
                self.looked("DescribeFleets", found)
            }),
        }
    }

    /// One pass, as the engine makes it: six looks at most.
    pub fn pass(&self) -> Pass {
        let mut plan = StackKind::plan(&self.input(None, &Seen::NotLooked));
        let (mut looks, mut state) = (0, None);
        while let Next::Look(asked) = &plan.next {
            looks += 1;
            assert!(looks <= 6, "looks again and again: {asked:?}\n{self:#?}");
            let seen = Seen::Found(self.observe(asked));
            plan = StackKind::plan(&self.input(Some(&self.scope), &seen));
            let Seen::Found(found) = seen else { unreachable!() };
            state = Some(found);
        }
        Pass { plan, state }
    }

    /// AWS does what it is told, and the status is written before and after.
    pub fn obey(&mut self, pass: &Pass, call: &StackCall) {
        self.object.status = Some(pass.plan.status.clone());
        match call {
            StackCall::Create(create) => {
                self.aws = Some(StackFacts {
                    arn: ARN.parse().unwrap(),
                    name: create.name.clone(),
                    settings: create.settings.clone(),
                    errors: Vec::new(),
                    created_time: Some(self.now),
                });
                self.tags.clone_from(&create.tags);
            }
            StackCall::Update(patch) => {
                let facts = self.aws.as_mut().unwrap();
                for field in Field::ALL {
                    if field.clearing().is_some_and(|c| patch.clear.contains(&c)) {
                        clear(field, &mut facts.settings);
                    } else if field.value(&patch.set).is_some() {
                        clear(field, &mut facts.settings);
                        field.copy(&patch.set, &StackSettings::default(), &mut facts.settings);
                    }
                }
            }
            StackCall::Delete(_) => {
                assert!(self.joined.is_empty(), "AWS refuses to delete a stack with a fleet");
                self.aws = None;
            }
            StackCall::Associate { fleet, .. } => {
                assert!(self.joined.is_empty(), "AWS refuses a second fleet");
                self.joined.insert(fleet.clone());
            }
            StackCall::Disassociate { fleet, .. } => assert!(self.joined.remove(fleet)),
            StackCall::Tag { tags, .. } => self.tags.extend(tags.clone()),
            StackCall::Untag { keys, .. } => self.tags.retain(|key, _| !keys.contains(key)),
        }
        let reply = Reply { arn: call.creates().then(|| ARN.parse().unwrap()), request_id: None };
        let status = self.object.status().cloned().unwrap_or_default();
        if let Some(status) = StackKind::after(&status, call, &reply) {
            self.object.status = Some(status);
        }
        (self.failure, self.quiet_since) = (None, self.now);
        self.answered = Some(Answered { call: call.clone(), at: self.now });
    }

    /// Passes until nothing is sent any more; what was sent, and the last pass.
    pub fn run(mut self) -> (Vec<String>, Pass, Self) {
        let mut sent = Vec::new();
        loop {
            let pass = self.pass();
            let Next::Send(call) = pass.plan.next.clone() else {
                self.object.status = Some(pass.plan.status.clone());
                return (sent, pass, self);
            };
            sent.push(call.operation().to_owned());
            assert!(sent.len() < 20, "never ends: {sent:?}");
            self.obey(&pass, &call);
            self.now += Duration::from_secs(30);
        }
    }

    pub fn next(&self) -> String {
        word(&self.pass().plan.next)
    }

    /// (Ready or Reconciling or Stalled, its reason, what differs).
    pub fn shown(&self) -> (String, String, Vec<String>) {
        shown(&self.pass().plan)
    }
}

/// Takes a field out of settings.
pub fn clear(field: Field, s: &mut StackSettings) {
    match field {
        Field::DisplayName => s.display_name = None,
        Field::Description => s.description = None,
        Field::Connector(kind) => {
            if let Some(all) = &mut s.storage_connectors {
                all.retain(|one| one.connector_type != kind);
            }
            s.storage_connectors = s.storage_connectors.take().filter(|all| !all.is_empty());
        }
        Field::RedirectUrl => s.redirect_url = None,
        Field::FeedbackUrl => s.feedback_url = None,
        Field::UserSettings => s.user_settings = None,
        Field::ApplicationSettings => s.application_settings = None,
        Field::AccessEndpoints => s.access_endpoints = None,
        Field::EmbedHostDomains => s.embed_host_domains = None,
        Field::StreamingExperienceSettings => s.streaming_experience_settings = None,
        Field::ContentRedirection => s.content_redirection = None,
        Field::AgentAccessConfig => s.agent_access_config = None,
        Field::StorageConnectorAuthentication => s.storage_connector_authentication = None,
    }
}

pub fn word(next: &Next<StackKind>) -> String {
    next.word().into()
}

pub fn shown(plan: &Plan<StackKind>) -> (String, String, Vec<String>) {
    let all = &plan.status.conditions;
    let headline = ["Stalled", "Reconciling", "Ready"]
        .into_iter()
        .find_map(|name| find(all, name).filter(|c| c.status == "True"))
        .unwrap();
    let fields = plan.status.pending_changes.iter().map(|c| c.field.clone()).collect();
    (headline.type_.clone(), headline.reason.clone(), fields)
}

/// Settings with every field.
pub fn every_setting() -> StackSettings {
    let connector = |connector_type| StorageConnector {
        connector_type,
        resource_identifier: None,
        domains: (connector_type != ConnectorType::HomeFolders).then(|| ["example.com".to_owned()].into()),
        domains_require_admin_consent: None,
    };
    StackSettings {
        display_name: Some("Desk".into()),
        description: Some("for desks".into()),
        storage_connectors: Some(
            [ConnectorType::HomeFolders, ConnectorType::GoogleDrive, ConnectorType::OneDrive]
                .into_iter()
                .map(connector)
                .collect(),
        ),
        redirect_url: Some("https://example.com/a".into()),
        feedback_url: Some("https://example.com/b".into()),
        user_settings: Some(vec![UserSetting {
            action: "FILE_UPLOAD".into(),
            permission: Permission::Disabled,
            maximum_length: None,
        }]),
        application_settings: Some(ApplicationSettings { enabled: true, settings_group: Some("g".into()) }),
        access_endpoints: Some(vec![AccessEndpoint { endpoint_type: "STREAMING".into(), vpce_id: "vpce-1".into() }]),
        embed_host_domains: Some(["portal.example.com".to_owned()].into()),
        streaming_experience_settings: Some(StreamingExperienceSettings { preferred_protocol: PreferredProtocol::Udp }),
        content_redirection: Some(ContentRedirection {
            host_to_client: UrlRedirection {
                enabled: true,
                allowed_urls: Some(["*".to_owned()].into()),
                denied_urls: None,
            },
        }),
        agent_access_config: Some(AgentAccessConfig {
            settings: vec![AgentAccessSetting {
                agent_action: "COMPUTER_VISION".into(),
                permission: Permission::Enabled,
            }],
            s3_bucket_arn: None,
            screenshots_upload_enabled: None,
            screen_resolution: "W_1280xH_720".into(),
            screen_image_format: "PNG".into(),
            user_control_mode: None,
        }),
        storage_connector_authentication: Some(StorageConnectorAuthentication::ForceReauthentication),
    }
}
