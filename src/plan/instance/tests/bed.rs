//! A bed for plans: an object, a small Lightsail, a clock; passes are made as the engine makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::fleet::DesiredState;
use crate::api::instance::*;
use crate::api::{FINALIZER, LightsailName};
use crate::plan::conditions::find;
use crate::plan::instance::*;
use crate::plan::looked::{Looked, Refusal};
use crate::plan::tags::Tagged;
use crate::plan::{
    Allow, Answered, Beside, Call, Class, Failure, Input, KeyFound, Kind, Next, Plan, Reply, Scope, Seen, ownership,
};

pub const NOW: &str = "2026-11-22T12:00:00Z";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn named(name: &str) -> LightsailName {
    name.parse().unwrap()
}

/// How AWS takes the next calls of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Takes,
    Refuses(Class),
    /// AWS takes it and does not carry it out.
    Forgets,
    /// AWS starts the instance with the bundle that it has.
    LeavesBundle,
}

#[derive(Debug, Clone)]
pub struct Bed {
    pub object: Instance,
    pub aws: Option<InstanceFacts>,
    pub static_ips: BTreeMap<String, StaticIpFacts>,
    pub snapshots: Vec<String>,
    /// How AWS refuses to say which automatic snapshots there are, if it does.
    pub blind: Option<Refusal>,
    pub creates: Vec<OperationFacts>,
    pub catalogue: Catalogue,
    pub key: KeyFound,
    pub answers: BTreeMap<&'static str, Answer>,
    pub failure: Option<Failure<InstanceKind>>,
    pub answered: Option<Answered<InstanceKind>>,
    pub scope: Scope,
    pub now: Timestamp,
    pub quiet_since: Timestamp,
    /// What was sent, in words.
    pub sent: Vec<String>,
    pub known_catalogue: bool,
}

pub fn spec() -> InstanceSpec {
    InstanceSpec {
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
    }
}

/// An object that nobody has looked at, and an AWS without its instance.
pub fn new(spec: InstanceSpec) -> Bed {
    let mut object = Instance::new("web", spec);
    object.metadata.namespace = Some("team".into());
    object.metadata.uid = Some("01234567-89ab-cdef-0123-456789abcdef".into());
    object.metadata.generation = Some(3);
    object.metadata.finalizers = Some(vec![FINALIZER.into()]);
    object.metadata.creation_timestamp = Some(Time(at(NOW)));
    Bed {
        object,
        aws: None,
        static_ips: BTreeMap::new(),
        snapshots: Vec::new(),
        blind: None,
        creates: Vec::new(),
        catalogue: catalogue(),
        key: KeyFound::Absent,
        answers: BTreeMap::new(),
        failure: None,
        answered: None,
        scope: Scope {
            cluster: "cluster-1".into(),
            account: "111122223333".into(),
            partition: "aws".into(),
            region: "eu-central-1".parse().unwrap(),
            allow: Allow::default(),
            identity: Default::default(),
        },
        now: at(NOW),
        quiet_since: at("2026-11-22T06:00:00Z"),
        sent: Vec::new(),
        known_catalogue: false,
    }
}

/// A running instance of ours that is as this spec wants it, settled.
pub fn settled(spec: InstanceSpec) -> Bed {
    let mut bed = new(spec);
    bed.run();
    assert_eq!(bed.condition("Ready").0, "True", "{:?}", bed.object.status);
    bed.sent.clear();
    bed
}

pub fn running() -> Bed {
    settled(spec())
}

/// A few lines of AWS's catalogue.
pub fn catalogue() -> Catalogue {
    let bundle = |size: &str, power, cents, platform: &str, ipv4, cpu, active| Bundle {
        active,
        cents: Some(cents),
        size: Some(size.into()),
        power,
        shape: (cpu, 20 * cpu, 512),
        platforms: BTreeSet::from([platform.to_owned()]),
        app_categories: BTreeSet::new(),
        ipv4_addresses: Some(ipv4),
    };
    let (linux, windows) = ("LINUX_UNIX", "WINDOWS");
    let blueprint = |platform: &str, min_power, active| Blueprint {
        active,
        min_power,
        platform: Some(platform.to_owned()),
        app_category: None,
    };
    let bundles = [
        ("nano_2_0", bundle("nano", 298, 350, linux, 1, 1, false)),
        ("nano_3_0", bundle("nano", 298, 500, linux, 1, 2, true)),
        ("nano_4_0", bundle("nano", 298, 550, linux, 1, 2, true)),
        ("nano_ipv6_3_0", bundle("nano", 298, 350, linux, 0, 2, true)),
        ("nano_ipv6_4_0", bundle("nano", 298, 400, linux, 0, 2, true)),
        ("micro_3_0", bundle("micro", 500, 700, linux, 1, 2, true)),
        ("nano_win_3_0", bundle("nano", 298, 950, windows, 1, 2, true)),
        ("medium_win_3_0", bundle("medium", 2000, 4400, windows, 1, 2, true)),
    ];
    let blueprints = [
        ("ubuntu_24_04", blueprint(linux, 0, true)),
        ("ubuntu_20_04", blueprint(linux, 0, false)),
        ("gitlab", blueprint(linux, 500, true)),
        ("windows_server_2022", blueprint(windows, 0, true)),
        ("windows_sql", blueprint(windows, 1000, true)),
    ];
    Catalogue {
        began: at(NOW),
        blueprints: blueprints.into_iter().map(|(id, blueprint)| (id.to_owned(), blueprint)).collect(),
        bundles: bundles.into_iter().map(|(id, bundle)| (id.to_owned(), bundle)).collect(),
        zones: ["eu-central-1a", "eu-central-1b"].map(str::to_owned).into(),
        unreadable: None,
    }
}

impl Bed {
    /// Edits the spec: a new generation.
    pub fn wanting(mut self, edit: impl FnOnce(&mut InstanceSpec)) -> Self {
        edit(&mut self.object.spec);
        self.object.metadata.generation = self.object.metadata.generation.map(|n| n + 1);
        self
    }

    pub fn deleting(mut self) -> Self {
        self.object.metadata.deletion_timestamp = Some(Time(self.now));
        self
    }

    pub fn power(mut self, power: Power) -> Self {
        self.facts().power = power;
        self
    }

    pub fn facts(&mut self) -> &mut InstanceFacts {
        self.aws.as_mut().unwrap()
    }

    pub fn status(&self) -> InstanceStatus {
        self.object.status.clone().unwrap_or_default()
    }

    /// (status, reason, message) of a condition; empty when it is not there.
    pub fn condition(&self, name: &str) -> (String, String, String) {
        let status = self.status();
        find(&status.conditions, name)
            .map_or_else(Default::default, |c| (c.status.clone(), c.reason.clone(), c.message.clone()))
    }

    fn seen(&self, looks: &BTreeSet<InstanceLook>, fresh: bool) -> InstanceState {
        let had = |look| looks.contains(&look);
        let began = match fresh || had(InstanceLook::Anew) {
            true => self.now,
            false => self.now.checked_sub(Duration::from_secs(3)).unwrap(),
        };
        let stamped = !self.status().internal.applied.static_ips.is_empty();
        let concerned = self.object.spec.static_ip.is_some() || stamped;
        InstanceState {
            began,
            tags: self.aws.as_ref().map(|facts| Tagged { began, tags: facts.tags.clone() }),
            instance: self.aws.clone(),
            static_ips: concerned.then(|| Arc::new(self.static_ips.clone())),
            catalogue: (self.known_catalogue || had(InstanceLook::Catalogue))
                .then(|| Arc::new(Catalogue { began: self.now, ..self.catalogue.clone() })),
            creates: had(InstanceLook::Operations).then(|| self.creates.clone()),
            auto_snapshots: had(InstanceLook::AutoSnapshots).then(|| match (&self.blind, &self.aws) {
                (Some(refusal), _) => Looked::Refused(refusal.clone()),
                (None, Some(InstanceFacts { auto_snapshot: Some(_), .. })) => Looked::Found(self.snapshots.clone()),
                (None, _) => Looked::Found(Vec::new()),
            }),
        }
    }

    /// One pass as the engine makes it: the plan, after all that it wanted to look at.
    pub fn pass(&self) -> (Plan<InstanceKind>, BTreeSet<InstanceLook>) {
        let mut seen = Seen::NotLooked;
        let mut beside = Beside::default();
        let mut all = BTreeSet::new();
        for _ in 0..7 {
            let input = Input {
                now: self.now,
                object: &self.object,
                scope: match seen {
                    Seen::NotLooked => None,
                    _ => Some(&self.scope),
                },
                seen: &seen,
                failure: self.failure.as_ref(),
                quiet_since: self.quiet_since,
                answered: self.answered.as_ref(),
                beside: &beside,
            };
            let plan = InstanceKind::plan(&input);
            let Next::Look(looks) = &plan.next else { return (plan, all) };
            all.extend(looks.iter().copied());
            for look in looks {
                if let Some(key) = InstanceKind::key(&self.object, *look) {
                    beside.keys.insert(key, self.key.clone());
                }
            }
            seen = Seen::Found(self.seen(looks, false));
        }
        panic!("the plan looks again and again: {:?}", self.object.spec);
    }

    /// One pass, with everything that follows from it. `false` when nothing is left to do.
    pub fn step(&mut self) -> bool {
        let (plan, _) = self.pass();
        check(&plan.status);
        self.object.status = Some(plan.status);
        match plan.next {
            Next::Send(call) => {
                self.send(&call);
                true
            }
            Next::Wait(wait) => {
                assert!(wait >= Duration::from_secs(1), "{wait:?}");
                self.pass_time(wait);
                true
            }
            Next::Settled(_) | Next::Release => false,
            Next::Look(_) | Next::Keep(_) => unreachable!(),
        }
    }

    /// Passes until nothing is left to do, or it goes on for a day.
    pub fn run(&mut self) {
        let began = self.now;
        for _ in 0..400 {
            if !self.step() || self.now.duration_since(began).as_hours() >= 24 {
                return;
            }
        }
        let status = self.status();
        panic!("it never settles: {:?} {:?} {:?}", self.sent, status.conditions, status.pending_changes);
    }

    /// Passes for this long.
    pub fn run_for(&mut self, length: Duration) {
        let end = self.now.checked_add(length).unwrap();
        while self.now < end {
            if !self.step() {
                self.pass_time(Duration::from_secs(60));
            }
        }
    }

    pub fn pass_time(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap();
        let Some(facts) = &mut self.aws else { return };
        facts.power = match facts.power.clone() {
            Power::Pending => {
                facts.public_ip = (facts.ip_address_type != Some(IpAddressType::Ipv6)).then(|| "198.18.0.1".into());
                Power::Running
            }
            Power::Stopping => Power::Stopped,
            Power::ShuttingDown => {
                self.aws = None;
                return;
            }
            other => other,
        };
        if let Some(add_on) = &mut facts.auto_snapshot {
            add_on.status = match add_on.status.as_str() {
                "Enabling" => AddOnStatus::Enabled,
                "Disabling" => AddOnStatus::Disabled,
                _ => add_on.status.clone(),
            };
        }
        if let Some(metadata) = &mut facts.metadata {
            metadata.pending = false;
        }
    }

    fn send(&mut self, call: &InstanceCall) {
        self.sent.push(words(call));
        let operation = call.operation();
        match self.answers.get(operation).copied().unwrap_or(Answer::Takes) {
            Answer::Refuses(class) => {
                let since = self.failure.as_ref().filter(|f| f.operation == operation).map_or(self.now, |f| f.since);
                self.failure = Some(Failure {
                    call: Some(call.clone()),
                    operation: operation.into(),
                    class,
                    code: "InvalidInputException".into(),
                    message: "no".into(),
                    generation: self.object.metadata.generation.unwrap(),
                    since,
                    at: self.now,
                });
                // What the engine's backoff comes to.
                self.pass_time(Duration::from_secs(30));
                return;
            }
            Answer::Takes => self.apply(call),
            Answer::LeavesBundle => match call {
                InstanceCall::Start { name, .. } => {
                    self.apply(&InstanceCall::Start { name: name.clone(), bundle: None });
                }
                other => panic!("no start: {other:?}"),
            },
            Answer::Forgets => {
                if call.creates() {
                    self.creates.push(OperationFacts {
                        created_at: Some(self.now),
                        failed: true,
                        code: "InsufficientCapacity".into(),
                        message: "no room".into(),
                    });
                }
            }
        }
        self.failure = None;
        self.quiet_since = self.now;
        self.answered = Some(Answered { call: call.clone(), at: self.now });
        let status = self.status();
        if let Some(status) = InstanceKind::after(&status, call, &Reply::default()) {
            self.object.status = Some(status);
        }
        self.pass_time(Duration::from_secs(1));
    }

    /// What AWS does, and what it does not take.
    fn apply(&mut self, call: &InstanceCall) {
        let ours = ownership::tags::<InstanceKind>(&self.scope, &self.object);
        if let Some(facts) = &self.aws {
            let carries = ours.iter().all(|(key, value)| facts.tags.get(key) == Some(value));
            assert!(carries, "a write to what is not ours: {call:?}");
            let steady = matches!(facts.power, Power::Running | Power::Stopped);
            assert!(steady, "a write while {}: {call:?}", facts.power.as_str());
        }
        match call {
            InstanceCall::Create(create) => {
                assert!(self.aws.is_none(), "created twice");
                self.creates.push(OperationFacts {
                    created_at: Some(self.now),
                    failed: false,
                    code: String::new(),
                    message: String::new(),
                });
                self.aws = Some(made(create, self.now));
            }
            InstanceCall::Start { bundle, .. } => {
                let facts = self.facts();
                assert_eq!(facts.power, Power::Stopped);
                facts.power = Power::Pending;
                facts.bundle_id = bundle.clone().or(facts.bundle_id.take());
            }
            InstanceCall::Stop(_) => {
                let facts = self.facts();
                assert_eq!(facts.power, Power::Running);
                facts.power = Power::Stopping;
                facts.public_ip = facts.public_ip.take().filter(|_| facts.is_static_ip);
            }
            InstanceCall::Delete { force_delete_add_ons, .. } => {
                let facts = self.facts();
                let enabled = facts.auto_snapshot.as_ref().is_some_and(|a| a.status != AddOnStatus::Disabled);
                assert!(!enabled || *force_delete_add_ons, "AWS deletes no instance with add-ons");
                facts.power = Power::ShuttingDown;
            }
            InstanceCall::Tag { tags, .. } => self.facts().tags.extend(tags.clone()),
            InstanceCall::Untag { keys, .. } => self.facts().tags.retain(|key, _| !keys.contains(key)),
            InstanceCall::PutPorts { ports, .. } => {
                self.facts().ports = Some(Arc::new(ports.iter().map(PortRule::from).collect()));
            }
            InstanceCall::SetIpAddressType { to, accept_bundle_update, .. } => {
                let attached = self.static_ips.values().any(|ip| ip.attached_to.as_deref() == Some("web"));
                let facts = self.facts();
                let (from, id) = (facts.ip_address_type.unwrap(), facts.bundle_id.clone().unwrap());
                let swaps = (from == IpAddressType::Ipv6) != (*to == IpAddressType::Ipv6);
                assert!(!swaps || *accept_bundle_update, "AWS swaps no bundle unasked");
                assert!(!attached || *to != IpAddressType::Ipv6, "AWS keeps the static IP");
                facts.ip_address_type = Some(*to);
                facts.bundle_id = Some(match (swaps, *to) {
                    (true, IpAddressType::Ipv6) => id.replace("nano_", "nano_ipv6_"),
                    (true, _) => id.replace("_ipv6", ""),
                    (false, _) => id,
                });
                let up = facts.power == Power::Running;
                facts.public_ip = (up && *to != IpAddressType::Ipv6).then(|| "198.18.0.1".into());
                facts.ipv6 = if *to == IpAddressType::Ipv4 { Vec::new() } else { vec!["2001:db8::1".into()] };
            }
            InstanceCall::UpdateMetadataOptions { options, .. } => {
                let seen = self.facts().metadata.as_mut().unwrap();
                seen.pending = true;
                // What is left out becomes optional; the others stay.
                seen.options.http_tokens = options.http_tokens.or(Some(HttpTokens::Optional));
                seen.options.http_endpoint = options.http_endpoint.or(seen.options.http_endpoint);
                let hops = options.http_put_response_hop_limit;
                seen.options.http_put_response_hop_limit = hops.or(seen.options.http_put_response_hop_limit);
            }
            InstanceCall::EnableAutoSnapshot { time, .. } => {
                let facts = self.facts();
                let on = facts.auto_snapshot.as_ref().is_some_and(|a| a.status == AddOnStatus::Enabled);
                assert!(!on, "the add-on is already in the requested state");
                let time = time.clone().or(Some("06:00".into()));
                facts.auto_snapshot = Some(AutoSnapshotFacts { status: AddOnStatus::read("Enabling"), time });
            }
            InstanceCall::DisableAutoSnapshot(_) => {
                let add_on = self.facts().auto_snapshot.as_mut().unwrap();
                assert_eq!(add_on.status, AddOnStatus::Enabled);
                add_on.status = AddOnStatus::read("Disabling");
            }
            InstanceCall::AllocateStaticIp(name) => {
                let ip = StaticIpFacts { address: Some("198.19.0.9".into()), attached_to: None };
                assert!(self.static_ips.insert(name.to_string(), ip).is_none(), "allocated twice");
            }
            InstanceCall::AttachStaticIp { static_ip, name } => {
                let taken = self.static_ips.values().any(|ip| ip.attached_to.as_deref() == Some(name.as_str()));
                assert!(!taken, "an instance has one static IP");
                let ip = self.static_ips.get_mut(static_ip.as_str()).unwrap();
                assert_eq!(ip.attached_to.replace(name.to_string()), None);
                let address = ip.address.clone();
                let facts = self.facts();
                (facts.public_ip, facts.is_static_ip) = (address, true);
            }
            InstanceCall::DetachStaticIp(name) => {
                let ip = self.static_ips.get_mut(name.as_str()).unwrap();
                assert!(ip.attached_to.take().is_some());
                let facts = self.facts();
                facts.is_static_ip = false;
                facts.public_ip = (facts.power == Power::Running).then(|| "198.18.0.2".into());
            }
            InstanceCall::ReleaseStaticIp(name) => {
                let ip = self.static_ips.remove(name.as_str()).unwrap();
                assert_eq!(ip.attached_to, None, "AWS releases no address that is attached");
            }
        }
    }
}

fn made(create: &InstanceCreate, now: Timestamp) -> InstanceFacts {
    InstanceFacts {
        arn: "arn:aws:lightsail:eu-central-1:111122223333:Instance/bd470fc5".parse().unwrap(),
        name: create.name.clone(),
        tags: create.tags.clone(),
        created_time: Some(now),
        zone: Some(create.availability_zone.clone()),
        blueprint_id: Some(create.blueprint_id.clone()),
        bundle_id: Some(create.bundle_id.clone()),
        power: Power::Pending,
        public_ip: None,
        private_ip: Some("172.26.0.1".into()),
        ipv6: vec!["2001:db8::1".into()],
        is_static_ip: false,
        ip_address_type: Some(create.ip_address_type.unwrap_or(IpAddressType::Dualstack)),
        username: Some("ubuntu".into()),
        key_pair_name: create.key_pair_name.clone().or(Some("LightsailDefaultKeyPair".into())),
        ports: Some(Arc::new([(22, 22), (80, 80)].map(|ports| PortRule::new("tcp", ports, [], [], [])).into())),
        auto_snapshot: None,
        metadata: Some(MetadataFacts {
            pending: false,
            options: MetadataOptions {
                http_tokens: Some(HttpTokens::Optional),
                http_endpoint: Some(Toggle::Enabled),
                http_put_response_hop_limit: Some(1),
                http_protocol_ipv6: Some(Toggle::Disabled),
            },
        }),
    }
}

/// A call in a few words.
pub fn words(call: &InstanceCall) -> String {
    let more = match call {
        InstanceCall::Start { bundle: Some(bundle), .. } => format!(" {bundle}"),
        InstanceCall::Delete { force_delete_add_ons: true, .. } => " with add-ons".into(),
        InstanceCall::EnableAutoSnapshot { time: Some(time), .. } => format!(" {time}"),
        InstanceCall::AllocateStaticIp(name)
        | InstanceCall::DetachStaticIp(name)
        | InstanceCall::ReleaseStaticIp(name)
        | InstanceCall::AttachStaticIp { static_ip: name, .. } => format!(" {name}"),
        InstanceCall::SetIpAddressType { to, .. } => format!(" {}", to.as_str()),
        _ => String::new(),
    };
    format!("{}{more}", call.operation())
}

/// What no status may say.
pub fn check(status: &InstanceStatus) {
    let yes = |name: &str| find(&status.conditions, name).is_some_and(|c| c.status == "True");
    if status.conditions.is_empty() {
        return;
    }
    for name in ["Ready", "Available", "Synced"] {
        assert!(find(&status.conditions, name).is_some(), "{name} is missing: {status:?}");
    }
    let one = [yes("Ready"), yes("Reconciling"), yes("Stalled")].into_iter().filter(|yes| *yes).count();
    assert_eq!(one, 1, "{:?}", status.conditions);
    assert!(!yes("Ready") || yes("Available"), "{:?}", status.conditions);
    assert!(!yes("Synced") || status.pending_changes.is_empty(), "{:?}", status.pending_changes);
}
