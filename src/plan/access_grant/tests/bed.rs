//! A bed for plans: a grant, its Secret, an AWS, a clock; passes are made as the engine makes them.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::access_grant::*;
use crate::api::{AccessGrant, FINALIZER};
use crate::plan::access_grant::*;
use crate::plan::conditions::find;
use crate::plan::secret::*;
use crate::plan::*;

pub const NOW: &str = "2026-11-22T12:00:00Z";
pub const ARN: &str = "arn:aws:lightsail:eu-central-1:111122223333:Instance/bd470fc5";
pub const CERTIFICATE: &str = include_str!("vectors/rsa-cert.pub");
pub const PEM: &str = include_str!("vectors/ssh-key.pem");

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub struct Bed {
    pub object: AccessGrant,
    pub target: TargetSeen,
    pub access: fn() -> AccessSeen,
    pub scope: Scope,
    pub allowed: Result<(), String>,
    pub readable: bool,
    pub failure: Option<Failure<GrantKind>>,
    pub beside: Beside,
    pub now: Timestamp,
    /// Access calls so far.
    pub calls: usize,
    /// Other looks so far.
    pub looks: usize,
    /// What was written to the Secret, and what it has now.
    pub writes: Vec<String>,
    pub body: Option<SecretBody>,
    version: u64,
}

pub fn ssh() -> AccessSeen {
    AccessSeen::Given(Credentials::Ssh(SshAccess {
        host: Some("198.51.100.7".into()),
        username: "ubuntu".into(),
        private_key: SecretText::new(PEM.into()),
        certificate: SecretText::new(CERTIFICATE.into()),
        expires_at: None,
        host_keys: vec![("ssh-ed25519".into(), "AAAAC3NzaC1lZDI1NTE5AAAAIA".into())],
    }))
}

pub fn instance() -> TargetFacts {
    TargetFacts {
        id: ARN.into(),
        arn: Some(ARN.parse().unwrap()),
        created: Some(at("2026-01-01T00:00:00Z")),
        tags: Default::default(),
        doing: Doing::Running,
        passing: None,
        address: Some("198.51.100.7".into()),
        windows: false,
        location: None,
    }
}

pub fn neighbour() -> Neighbour {
    Neighbour { kind: "Instance.lightsail.windlass.dev", name: "web".into() }
}

/// A grant of an hour by SSH on Instance `web`, made now; nothing was done yet.
pub fn grant() -> Bed {
    let spec = AccessGrantSpec {
        lightsail_instance: Some(LightsailInstanceTarget {
            instance_ref: Some(InstanceRef { name: "web".into() }),
            name: None,
            protocol: AccessProtocol::Ssh,
        }),
        duration: "1h".into(),
        ..AccessGrantSpec::default()
    };
    let mut object = AccessGrant::new("fix-it", spec);
    object.metadata.namespace = Some("team".into());
    object.metadata.uid = Some("uid-1".into());
    object.metadata.generation = Some(1);
    object.metadata.creation_timestamp = Some(Time(at(NOW)));
    object.metadata.finalizers = Some(vec![FINALIZER.into()]);
    let face = Face {
        uid: "instance-uid".into(),
        aws_name: "web".into(),
        arn: Some(ARN.parse().unwrap()),
        address: Some("198.51.100.7".into()),
        available: true,
        deleting: false,
    };
    let beside =
        Beside { objects: [(neighbour(), Some(face))].into(), secret: SecretSeen::Absent, ..Beside::default() };
    Bed {
        object,
        target: TargetSeen::There(Box::new(instance())),
        access: ssh,
        scope: Scope {
            cluster: "cluster-1".into(),
            account: "111122223333".into(),
            partition: "aws".into(),
            region: "eu-central-1".parse().unwrap(),
            allow: Allow::own(),
            identity: Identity::Own,
        },
        allowed: Ok(()),
        readable: true,
        failure: None,
        beside,
        now: at(NOW),
        calls: 0,
        looks: 0,
        writes: Vec::new(),
        body: None,
        version: 0,
    }
}

/// One whose Secret is written.
pub fn granted() -> Bed {
    let mut bed = grant();
    assert_eq!(bed.settle(), "Settled");
    bed
}

impl Bed {
    pub fn face(&mut self) -> &mut Face {
        self.beside.objects.get_mut(&neighbour()).unwrap().as_mut().unwrap()
    }

    pub fn facts(&mut self) -> &mut SecretFacts {
        match &mut self.beside.secret {
            SecretSeen::There(facts) => facts,
            other => panic!("no Secret: {other:?}"),
        }
    }

    pub fn target(&mut self) -> &mut TargetFacts {
        match &mut self.target {
            TargetSeen::There(facts) => facts,
            other => panic!("no target: {other:?}"),
        }
    }

    pub fn status(&self) -> AccessGrantStatus {
        self.object.status.clone().unwrap_or_default()
    }

    pub fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    /// Plans as the engine does, with looks.
    pub fn plan(&mut self) -> Plan<GrantKind> {
        let mut asked: Option<BTreeSet<GrantLook>> = None;
        for _ in 0..6 {
            let seen = match (&asked, self.readable, &self.allowed) {
                (None, _, _) => Seen::NotLooked,
                (Some(_), false, _) => Seen::Unknown,
                (Some(_), true, Err(text)) => Seen::NotAllowed(text.clone()),
                (Some(looks), true, Ok(())) => Seen::Found(GrantState {
                    began: self.now,
                    target: (!looks.is_empty()).then(|| self.target.clone()),
                    access: looks.contains(&GrantLook::Access).then(self.access),
                }),
            };
            let found = matches!(seen, Seen::Found(_));
            let input = Input {
                now: self.now,
                object: &self.object,
                scope: found.then_some(&self.scope),
                seen: &seen,
                failure: self.failure.as_ref().filter(|_| matches!(seen, Seen::Unknown)),
                quiet_since: self.now,
                answered: &[],
                beside: &self.beside,
            };
            let plan = GrantKind::plan(&input);
            assert_eq!(plan, GrantKind::plan(&input), "planning twice is equal");
            match plan.next {
                Next::Look(looks) => {
                    self.looks += usize::from(!looks.is_empty());
                    self.calls += usize::from(looks.contains(&GrantLook::Access));
                    asked = Some(looks);
                }
                Next::Send(_) | Next::Keep(_) | Next::Wait(_) | Next::Settled(_) | Next::Release => return plan,
            }
        }
        panic!("looks again and again");
    }

    /// One pass: what it does, done. The word of it.
    pub fn pass(&mut self) -> String {
        let plan = self.plan();
        let word = match plan.next {
            Next::Keep(write) => {
                let word = format!("{:?}", write.verb());
                self.writes.push(word.clone());
                if !self.status().same_stamps(&plan.status) {
                    self.object.status = Some(plan.status);
                }
                self.write(*write);
                return word;
            }
            Next::Wait(_) => "Wait",
            Next::Settled(_) => "Settled",
            Next::Release => "Release",
            Next::Send(call) => match call {},
            Next::Look(_) => unreachable!(),
        };
        self.object.status = Some(plan.status);
        word.into()
    }

    /// Passes until nothing is written and nothing new is shown.
    pub fn settle(&mut self) -> String {
        for _ in 0..8 {
            let before = (self.object.status.clone(), self.writes.len());
            let word = self.pass();
            if (self.object.status.clone(), self.writes.len()) == before {
                return word;
            }
        }
        panic!("does not settle: {:?}", self.writes);
    }

    fn write(&mut self, write: SecretWrite) {
        self.version += 1;
        match write {
            SecretWrite::Delete { uid, .. } => {
                assert_eq!(self.facts().uid, uid);
                self.beside.secret = SecretSeen::Absent;
                self.body = None;
            }
            SecretWrite::Create(body) => {
                assert_eq!(self.beside.secret, SecretSeen::Absent);
                self.there(body);
            }
            SecretWrite::Replace { body, uid, version } => {
                let facts = self.facts();
                assert_eq!((&facts.uid, &facts.version), (&uid, &version));
                self.there(body);
            }
        }
    }

    fn there(&mut self, body: SecretBody) {
        self.beside.secret = SecretSeen::There(SecretFacts {
            of: self.object.metadata.uid.clone().unwrap(),
            uid: "secret-uid".into(),
            version: self.version.to_string(),
            owned: true,
            deleting: false,
            edited: false,
            stamps: body.stamps.clone(),
        });
        self.body = Some(body);
    }

    pub fn deleting(&mut self) {
        self.object.metadata.deletion_timestamp = Some(Time(self.now));
    }

    pub fn failing(&mut self, class: Class) {
        self.readable = false;
        self.failure = Some(Failure {
            call: None,
            operation: "GetInstanceAccessDetails".into(),
            class,
            code: "Code".into(),
            message: "AWS's words".into(),
            generation: 1,
            since: self.now,
            at: self.now,
        });
    }

    pub fn refused(&mut self, verb: SecretVerb, why: SecretRefusal) {
        let message = "its words".into();
        self.beside.secret_failure = Some(SecretFailure { verb, why, message, at: self.now, times: 1 });
    }

    /// The headline: which condition, and its reason.
    pub fn shown(&self) -> (String, String) {
        let all = self.status().conditions;
        let headline = ["Ended", "Stalled", "Reconciling", "Ready"];
        let found = headline.into_iter().find_map(|name| find(&all, name).filter(|c| c.status == "True")).unwrap();
        (found.type_.clone(), found.reason.clone())
    }

    pub fn says(&self, condition: &str, reason: &str) -> bool {
        self.shown() == (condition.to_owned(), reason.to_owned())
    }
}
