//! What an image builder's life is made of: every state, and one rule at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::common::{AdoptionPolicy, Common, ManagementPolicy, RecreatePolicy};
use crate::api::fleet::DesiredState;
use crate::api::image_builder::*;
use crate::plan::conditions::find;
use crate::plan::fleet::ImageFacts;
use crate::plan::image_builder::*;
use crate::plan::tags::Tagged;
use crate::plan::{Allow, Beside, Call, Class, Failure, Input, Next, Scope, Seen, ownership};

const ARN: &str = "arn:aws:appstream:eu-central-1:111122223333:image-builder/desk";
const IMAGE: &str = "arn:aws:appstream:eu-central-1:111122223333:image/v1";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[derive(Debug, Clone)]
struct Bed {
    object: ImageBuilder,
    aws: Option<BuilderFacts>,
    tags: BTreeMap<String, String>,
    image: Option<ImageFacts>,
    failure: Option<Failure<ImageBuilderKind>>,
    scope: Scope,
    now: Timestamp,
    quiet_since: Timestamp,
    beside: Beside,
}

/// An image builder that is RUNNING, ours and as wanted; the object has a status from an earlier pass.
fn builder() -> Bed {
    let settings = BuilderSettings {
        instance_type: Some("stream.standard.medium".into()),
        image_name: Some("v1".parse().unwrap()),
        ..BuilderSettings::default()
    };
    let spec = ImageBuilderSpec {
        name: None,
        desired_state: DesiredState::Running,
        settings: settings.clone(),
        common: Common::default(),
    };
    let mut object = ImageBuilder::new("desk", spec);
    object.metadata.namespace = Some("team".into());
    object.metadata.uid = Some("uid-1".into());
    object.metadata.generation = Some(3);
    let scope = Scope {
        cluster: "cluster-1".into(),
        account: "111122223333".into(),
        partition: "aws".into(),
        region: "eu-central-1".parse().unwrap(),
        allow: Allow::default(),
        identity: Default::default(),
    };
    let seen = BuilderSettings { image_name: None, image_arn: Some(IMAGE.parse().unwrap()), ..settings };
    let image = ImageFacts {
        name: "v1".into(),
        arn: Some(IMAGE.into()),
        state: "AVAILABLE".into(),
        state_reason: None,
        platform: None,
        visibility: None,
        allow_fleet: None,
    };
    let mut bed = Bed {
        tags: ownership::tags::<ImageBuilderKind>(&scope, &object),
        aws: Some(BuilderFacts {
            arn: ARN.parse().unwrap(),
            name: "desk".parse().unwrap(),
            phase: Phase::Running,
            reason: None,
            settings: seen,
            platform: Some("WINDOWS".into()),
            private_ip_address: Some("10.0.0.1".into()),
            errors: Vec::new(),
            created_time: Some(at("2026-01-01T00:00:00Z")),
        }),
        image: Some(image),
        failure: None,
        scope,
        now: at("2026-11-22T06:00:00Z"),
        quiet_since: at("2026-11-22T00:00:00Z"),
        beside: Beside::default(),
        object,
    };
    bed.object.status = Some(bed.pass().0.status);
    bed.now = at("2026-11-22T12:00:00Z");
    bed
}

impl Bed {
    fn phase(mut self, phase: Phase) -> Self {
        self.aws.as_mut().unwrap().phase = phase;
        self
    }
    fn wanting(mut self, edit: impl FnOnce(&mut ImageBuilderSpec)) -> Self {
        edit(&mut self.object.spec);
        self.object.metadata.generation = self.object.metadata.generation.map(|n| n + 1);
        self
    }
    fn off(self) -> Self {
        self.wanting(|spec| spec.desired_state = DesiredState::Stopped)
    }
    fn deleting(mut self) -> Self {
        self.object.metadata.deletion_timestamp = Some(Time(self.now));
        self
    }
    fn later(mut self, seconds: u64) -> Self {
        self.object.status = Some(self.pass().0.status);
        self.now += Duration::from_secs(seconds);
        self
    }
    fn new_object(mut self) -> Self {
        (self.aws, self.object.status) = (None, None);
        self
    }
    fn failed(mut self, call: BuilderCall, class: Class) -> Self {
        self.failure = Some(Failure {
            operation: call.operation().into(),
            call: Some(call),
            class,
            code: "Code".into(),
            message: "AWS's words".into(),
            generation: self.object.metadata.generation.unwrap(),
            since: self.now,
            at: self.now,
        });
        self
    }
    fn observe(&self, looks: &BTreeSet<BuilderLook>) -> BuilderState {
        let fresh = looks.contains(&BuilderLook::Tags);
        let began = if fresh { self.now } else { self.now - Duration::from_secs(600) };
        BuilderState {
            began: self.now,
            builder: self.aws.clone(),
            tags: self.aws.is_some().then(|| Tagged { began, tags: self.tags.clone() }),
            image: looks.contains(&BuilderLook::Image).then(|| self.image.clone()),
        }
    }
    fn plan(&self, scope: Option<&Scope>, seen: &Seen<BuilderState>) -> Plan<ImageBuilderKind> {
        let Self { now, object, failure, quiet_since, beside, .. } = self;
        ImageBuilderKind::plan(&Input {
            now: *now,
            object,
            scope,
            seen,
            failure: failure.as_ref(),
            quiet_since: *quiet_since,
            answered: &[],
            beside,
        })
    }
    /// One pass, as the engine makes it, and whether the tags were read in it.
    fn pass(&self) -> (Plan<ImageBuilderKind>, bool) {
        let (mut plan, mut fresh) = (self.plan(None, &Seen::NotLooked), false);
        for _ in 0..6 {
            let Next::Look(looks) = &plan.next else { return (plan, fresh) };
            fresh = looks.contains(&BuilderLook::Tags);
            plan = self.plan(Some(&self.scope), &Seen::Found(self.observe(looks)));
        }
        panic!("looks again and again: {self:#?}")
    }
    fn next(&self) -> String {
        self.pass().0.next.word().into()
    }
    fn shown(&self) -> (String, String) {
        let plan = self.pass().0;
        let all = &plan.status.conditions;
        let headline = ["Stalled", "Reconciling", "Ready"];
        let found = headline.into_iter().find_map(|name| find(all, name).filter(|c| c.status == "True")).unwrap();
        (found.type_.clone(), found.reason.clone())
    }
    fn text(&self) -> String {
        find(&self.pass().0.status.conditions, "Ready").unwrap().message.clone()
    }
}

fn every_phase() -> [Phase; 15] {
    [
        Phase::Pending,
        Phase::UpdatingAgent,
        Phase::Running,
        Phase::Stopping,
        Phase::Stopped,
        Phase::Rebooting,
        Phase::Snapshotting,
        Phase::Deleting,
        Phase::Failed,
        Phase::Updating,
        Phase::PendingQualification,
        Phase::PendingSyncingApps,
        Phase::SyncingApps,
        Phase::PendingImageImport,
        Phase::Unrecognised("RESTING".into()),
    ]
}

#[test]
fn every_state_has_its_next_step_for_on_off_and_deletion() {
    for phase in every_phase() {
        let bed = builder().phase(phase.clone());
        let found = (bed.next(), bed.clone().off().next(), bed.clone().deleting().next());
        let wanted = match phase {
            Phase::Running => ("Settled", "StopImageBuilder", "StopImageBuilder"),
            Phase::Stopped => ("StartImageBuilder", "Settled", "DeleteImageBuilder"),
            // AWS starts nothing of it again; it may be deleted.
            Phase::Failed => ("Wait", "Wait", "DeleteImageBuilder"),
            Phase::Pending
            | Phase::UpdatingAgent
            | Phase::Stopping
            | Phase::Rebooting
            | Phase::Snapshotting
            | Phase::Deleting
            | Phase::Updating
            | Phase::PendingQualification
            | Phase::PendingSyncingApps
            | Phase::SyncingApps
            | Phase::PendingImageImport
            | Phase::Unrecognised(_) => ("Wait", "Wait", "Wait"),
        };
        assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), wanted, "{phase:?}");
        for bed in [bed.clone(), bed.clone().off(), bed.clone().deleting()] {
            let (plan, fresh) = bed.pass();
            assert!(!matches!(plan.next, Next::Send(_)) || fresh, "tags are read in the pass of a write: {phase:?}");
            let ready = find(&plan.status.conditions, "Ready").unwrap().status == "True";
            assert!(!ready || plan.status.pending_changes.is_empty(), "{phase:?}");
        }
    }
}

#[test]
fn one_that_is_making_an_image_is_left_alone_and_says_so() {
    let bed = builder().phase(Phase::Snapshotting);
    for bed in [bed.clone(), bed.clone().off()] {
        assert_eq!((bed.next(), bed.text()), ("Wait".into(), "the image builder is making an image".into()));
    }
    let bed = bed.deleting();
    assert_eq!(bed.next(), "Wait");
    assert!(bed.text().starts_with("the image builder is making an image: it is deleted after that"), "{}", bed.text());
}

#[test]
fn a_failed_one_is_stalled_with_aws_s_reason_and_errors() {
    let mut bed = builder().phase(Phase::Failed);
    let facts = bed.aws.as_mut().unwrap();
    facts.reason = Some(StateChangeReason { code: "IMAGE_UNAVAILABLE".into(), message: "gone".into() });
    facts.errors = vec![BuilderError { code: "SUBNET_NOT_FOUND".into(), message: "no subnet".into(), at: None }];
    assert_eq!(bed.shown(), ("Stalled".into(), "ImageBuilderErrors".into()));
    assert!(bed.text().contains("IMAGE_UNAVAILABLE: gone; SUBNET_NOT_FOUND: no subnet"), "{}", bed.text());
    let status = bed.pass().0.status;
    assert_eq!((status.state.as_deref(), status.image_builder_errors.len()), (Some("FAILED"), 1));
    assert_eq!(status.state_change_reason.unwrap().code, "IMAGE_UNAVAILABLE");
}

#[test]
fn errors_on_one_that_is_starting_are_shown_and_stall_it_after_ten_minutes() {
    let mut bed = builder().phase(Phase::Pending);
    bed.aws.as_mut().unwrap().errors =
        vec![BuilderError { code: "SUBNET_NOT_FOUND".into(), message: "no subnet".into(), at: None }];
    assert_eq!(bed.shown(), ("Reconciling".into(), "ImageBuilderErrors".into()));
    assert_eq!(bed.clone().later(599).shown().0, "Reconciling");
    assert_eq!(bed.later(600).shown(), ("Stalled".into(), "ImageBuilderErrors".into()));
}

#[test]
fn it_is_created_with_its_tags_once_its_image_can_be_used() {
    let bed = builder().new_object();
    let Next::Send(BuilderCall::Create(create)) = bed.pass().0.next else { panic!("no create") };
    let tags = ownership::tags::<ImageBuilderKind>(&bed.scope, &bed.object);
    let settings = bed.object.spec.settings.clone();
    assert_eq!(*create, BuilderCreate { name: "desk".parse().unwrap(), settings, tags });
    let with_image = |state: Option<&str>| {
        let mut bed = builder().new_object();
        bed.image = bed.image.zip(state).map(|(image, state)| ImageFacts { state: state.into(), ..image });
        bed
    };
    assert_eq!(with_image(None).shown(), ("Stalled".into(), "ImageNotUsable".into()));
    assert_eq!(with_image(Some("COPYING")).shown(), ("Reconciling".into(), "DependencyNotReady".into()));
    assert_eq!(with_image(Some("FAILED")).shown(), ("Stalled".into(), "ImageNotUsable".into()));
    // AWS left the state out: it says itself what it does not like.
    assert_eq!(with_image(Some("")).next(), "CreateImageBuilder");
}

#[test]
fn a_role_is_passed_only_where_an_account_allows_it() {
    let mut bed = builder().new_object().wanting(|spec| {
        spec.settings.iam_role_arn = Some("arn:aws:iam::111122223333:role/builder".parse().unwrap());
    });
    assert_eq!((bed.next(), bed.shown()), ("Settled".into(), ("Stalled".into(), "NotAllowed".into())));
    bed.scope.allow.pass_roles = vec!["arn:aws:iam::111122223333:role/build*".into()];
    assert_eq!(bed.next(), "CreateImageBuilder");
}

#[test]
fn one_that_somebody_deleted_is_not_made_again_unless_the_spec_says_so() {
    let mut bed = builder();
    bed.aws = None;
    assert_eq!(bed.shown(), ("Stalled".into(), "DeletedOutOfBand".into()));
    let bed = bed.wanting(|spec| spec.common.recreate_policy = Some(RecreatePolicy::Always));
    assert_eq!(bed.next(), "CreateImageBuilder");
}

#[test]
fn what_differs_in_an_existing_one_is_named_and_nothing_is_written() {
    let mut bed = builder().wanting(|spec| {
        spec.common.adoption_policy = Some(AdoptionPolicy::IfExists);
        spec.settings.description = Some("for desks".into());
    });
    bed.tags.clear();
    bed.object.status = None;
    bed.scope.allow.adoption = true;
    assert_eq!((bed.next(), bed.shown()), ("Settled".into(), ("Stalled".into(), "ImmutableDiffers".into())));
    assert_eq!(bed.text(), "description is not set in AWS and for desks in the spec, and AWS cannot change it");
    bed.aws.as_mut().unwrap().settings.description = Some("for desks".into());
    assert_eq!(bed.next(), "TagResource");
}

#[test]
fn every_field_that_aws_tells_is_compared_and_what_it_does_not_tell_is_not() {
    let all: BuilderSettings = serde_json::from_value(serde_json::json!({
        "instanceType": "stream.standard.large", "imageArn": "arn:aws:appstream:eu-central-1::image/other",
        "displayName": "a", "description": "b",
        "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
        "iamRoleArn": "arn:aws:iam::111122223333:role/a", "enableDefaultInternetAccess": true,
        "domainJoinInfo": {"directoryName": "c", "organizationalUnitDistinguishedName": "d"},
        "appstreamAgentVersion": "LATEST", "accessEndpoints": [{"endpointType": "STREAMING", "vpceId": "vpce-1"}],
        "rootVolumeConfig": {"volumeSizeInGb": 300}, "softwaresToInstall": ["e"], "softwaresToUninstall": ["f"],
        "disableIMDSV1": true
    }))
    .unwrap();
    let mut facts = builder().aws.unwrap();
    let fields = |facts: &BuilderFacts| diff::differences(&all, facts).iter().map(|d| d.field).collect::<Vec<_>>();
    let compared = [
        "instanceType",
        "imageArn",
        "displayName",
        "description",
        "vpcConfig.subnetIds",
        "vpcConfig.securityGroupIds",
        "iamRoleArn",
        "enableDefaultInternetAccess",
        "domainJoinInfo.directoryName",
        "domainJoinInfo.organizationalUnitDistinguishedName",
        "accessEndpoints",
        "disableIMDSV1",
    ];
    assert_eq!(fields(&facts), compared);
    // While it is being made AWS may not say everything yet.
    facts.phase = Phase::Pending;
    assert_eq!(fields(&facts), ["instanceType", "imageArn", "enableDefaultInternetAccess", "disableIMDSV1"]);
    facts.phase = Phase::Running;
    facts.settings.root_volume_config = Some(crate::api::fleet::RootVolumeConfig { volume_size_in_gb: 200 });
    assert!(fields(&facts).contains(&"rootVolumeConfig"));
    facts.settings = all.clone();
    assert_eq!(fields(&facts), Vec::<&str>::new());
    // Nothing is compared that the user did not set.
    assert_eq!(diff::differences(&BuilderSettings::default(), &facts), vec![]);
}

#[test]
fn tags_follow_the_spec_in_any_state_and_do_not_keep_the_power_back() {
    let tagged = |bed: Bed| bed.wanting(|spec| spec.common.tags = Some([("team".into(), "a".into())].into()));
    for phase in every_phase() {
        assert_eq!(tagged(builder().phase(phase.clone())).next(), "TagResource", "{phase:?}");
    }
    let bed = tagged(builder().off());
    let Next::Send(call) = bed.pass().0.next else { panic!("nothing sent") };
    let bed = bed.failed(call.clone(), Class::AccessDenied);
    assert_eq!(bed.next(), "StopImageBuilder");
    // With nothing else to do it is tried again, and shown.
    let bed = bed.phase(Phase::Stopped);
    assert_eq!((bed.pass().0.next, bed.shown().1), (Next::Send(call), "AccessDenied".into()));
}

#[test]
fn a_deletion_ends_when_aws_says_for_long_enough_that_it_is_gone() {
    let mut bed = builder().phase(Phase::Stopped).deleting();
    assert_eq!(bed.next(), "DeleteImageBuilder");
    bed.quiet_since = bed.now;
    bed = bed.phase(Phase::Deleting).later(30);
    assert_eq!(bed.next(), "Wait");
    bed.aws = None;
    assert_eq!(bed.next(), "Wait");
    assert_eq!(bed.later(60).next(), "Release");
}

#[test]
fn an_observed_one_is_never_written() {
    for phase in every_phase() {
        let bed = builder().phase(phase.clone()).off().wanting(|spec| {
            spec.common.management_policy = Some(ManagementPolicy::Observe);
            spec.common.tags = Some([("team".into(), "design".into())].into());
            spec.settings.description = Some("other".into());
        });
        let plan = bed.pass().0;
        assert_eq!(plan.next, Next::Settled(None), "{phase:?}");
        let fields: Vec<&str> = plan.status.pending_changes.iter().map(|c| c.field.as_str()).collect();
        assert_eq!(fields.contains(&"desiredState"), phase != Phase::Stopped, "{phase:?}");
        assert_eq!(fields.contains(&"description"), phase != Phase::Pending, "{phase:?}");
        assert!(fields.contains(&"tags"), "{phase:?}");
    }
}
