//! Every combination of (field changed × state × sessions × disruption × window × forceAfter × strategy × rule × type × age ×
//! refused before): each pass keeps the laws.

use std::collections::BTreeSet;

use super::bed::{Bed, NOW, at, image, image_arn, with};
use super::laws::{Moment, check};
use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::*;
use crate::plan::Next;
use crate::plan::fleet::diff::Field;
use crate::plan::fleet::*;

/// The settings that a fleet of this type has in these tests: everything that it may have.
pub fn settings(kind: FleetType, field: Option<Field>) -> FleetSettings {
    let set = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>());
    let elastic = kind == FleetType::Elastic;
    let shared = matches!(field, Some(Field::DesiredSessions | Field::MaxSessionsPerInstance));
    let by_arn = field == Some(Field::ImageArn);
    FleetSettings {
        instance_type: Some("stream.standard.medium".into()),
        image_name: (!elastic && !by_arn).then(|| "v1".parse().unwrap()),
        image_arn: (!elastic && by_arn).then(|| image_arn("v1")),
        compute_capacity: (!elastic).then_some(match shared {
            true => ComputeCapacity { desired_instances: None, desired_sessions: Some(4) },
            false => ComputeCapacity { desired_instances: Some(2), desired_sessions: None },
        }),
        max_concurrent_sessions: elastic.then_some(10),
        max_sessions_per_instance: shared.then_some(2),
        vpc_config: Some(VpcConfig { subnet_ids: set(&["subnet-1", "subnet-2"]), security_group_ids: set(&["sg-1"]) }),
        max_user_duration_in_seconds: Some(3600),
        disconnect_timeout_in_seconds: Some(900),
        idle_disconnect_timeout_in_seconds: Some(0),
        display_name: Some("Desk".into()),
        description: Some("One".into()),
        enable_default_internet_access: Some(false),
        domain_join_info: (!elastic).then(|| DomainJoinInfo {
            directory_name: Some("corp.example.com".into()),
            organizational_unit_distinguished_name: None,
        }),
        iam_role_arn: Some("arn:aws:iam::111122223333:role/one".parse().unwrap()),
        stream_view: Some(StreamView::App),
        platform: Some("WINDOWS_SERVER_2022".into()),
        usb_device_filter_strings: Some(vec!["a,1,1,1,1,1,1,1".into()]),
        session_script_s3_location: elastic.then(|| S3Location { s3_bucket: "bucket".into(), s3_key: "one".into() }),
        root_volume_config: Some(RootVolumeConfig { volume_size_in_gb: 200 }),
        disable_imdsv1: Some(false),
    }
}

/// Wants another value of one field.
pub fn change(bed: &mut Bed, field: Field) {
    let s = &mut bed.object.spec.settings;
    match field {
        Field::InstanceType => s.instance_type = Some("stream.standard.large".into()),
        Field::ImageName => s.image_name = Some("v2".parse().unwrap()),
        Field::ImageArn => s.image_arn = Some(image_arn("v2")),
        Field::DesiredInstances => s.compute_capacity.as_mut().unwrap().desired_instances = Some(5),
        Field::DesiredSessions => s.compute_capacity.as_mut().unwrap().desired_sessions = Some(8),
        Field::MaxConcurrentSessions => s.max_concurrent_sessions = Some(20),
        Field::MaxSessionsPerInstance => s.max_sessions_per_instance = Some(5),
        Field::SubnetIds => {
            s.vpc_config.as_mut().unwrap().subnet_ids = Some(["subnet-3".into(), "subnet-4".into()].into())
        }
        Field::SecurityGroupIds => s.vpc_config.as_mut().unwrap().security_group_ids = Some(["sg-2".into()].into()),
        Field::MaxUserDurationInSeconds => s.max_user_duration_in_seconds = Some(7200),
        Field::DisconnectTimeoutInSeconds => s.disconnect_timeout_in_seconds = Some(60),
        Field::IdleDisconnectTimeoutInSeconds => s.idle_disconnect_timeout_in_seconds = Some(70),
        Field::DisplayName => s.display_name = Some("Desk 2".into()),
        Field::Description => s.description = Some("Two".into()),
        Field::EnableDefaultInternetAccess => s.enable_default_internet_access = Some(true),
        Field::DomainJoinInfo => {
            s.domain_join_info.as_mut().unwrap().directory_name = Some("other.example.com".into());
        }
        Field::IamRoleArn => s.iam_role_arn = Some("arn:aws:iam::111122223333:role/two".parse().unwrap()),
        Field::StreamView => s.stream_view = Some(StreamView::Desktop),
        Field::Platform => s.platform = Some("WINDOWS_SERVER_2025".into()),
        Field::UsbDeviceFilterStrings => s.usb_device_filter_strings = Some(vec!["b,1,1,1,1,1,1,1".into()]),
        Field::SessionScriptS3Location => s.session_script_s3_location.as_mut().unwrap().s3_key = "two".into(),
        Field::RootVolumeConfig => s.root_volume_config = Some(RootVolumeConfig { volume_size_in_gb: 300 }),
        Field::DisableImdsv1 => s.disable_imdsv1 = Some(true),
    }
    bed.image = Some(image(if matches!(field, Field::ImageName | Field::ImageArn) { "v2" } else { "v1" }));
    bed.object.metadata.generation = bed.object.metadata.generation.map(|n| n + 1);
}

/// Whether a fleet of this type has the field.
pub fn has(kind: FleetType, field: Field) -> bool {
    let elastic = kind == FleetType::Elastic;
    match field {
        Field::ImageName
        | Field::ImageArn
        | Field::DesiredInstances
        | Field::DesiredSessions
        | Field::MaxSessionsPerInstance
        | Field::DomainJoinInfo => !elastic,
        Field::MaxConcurrentSessions | Field::SessionScriptS3Location => elastic,
        Field::InstanceType
        | Field::SubnetIds
        | Field::SecurityGroupIds
        | Field::MaxUserDurationInSeconds
        | Field::DisconnectTimeoutInSeconds
        | Field::IdleDisconnectTimeoutInSeconds
        | Field::DisplayName
        | Field::Description
        | Field::EnableDefaultInternetAccess
        | Field::IamRoleArn
        | Field::StreamView
        | Field::Platform
        | Field::UsbDeviceFilterStrings
        | Field::RootVolumeConfig
        | Field::DisableImdsv1 => true,
    }
}

/// What is wanted differently: a field, the power state, or nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wish {
    Field(Field),
    Off,
    Same,
}

#[test]
fn every_combination_of_an_on_demand_fleet_keeps_the_laws() {
    every(FleetType::OnDemand, |_| true);
}

#[test]
fn every_combination_of_an_elastic_fleet_keeps_the_laws() {
    every(FleetType::Elastic, |dims| !dims.drain);
}

#[test]
fn an_always_on_fleet_keeps_the_laws_as_an_on_demand_one_does() {
    every(FleetType::AlwaysOn, |dims| dims.window.is_none() && dims.force != Some(false) && !dims.drain);
}

fn every(kind: FleetType, here: fn(&Dims) -> bool) {
    let mut wishes: Vec<Wish> = Field::ALL.into_iter().map(Wish::Field).collect();
    wishes.extend([Wish::Off, Wish::Same]);
    let powers =
        [Power::Stopped, Power::Starting, Power::Running, Power::Stopping, Power::Unrecognised("RESTING".into())];
    let mut cases = 0u64;
    let mut sent = std::collections::BTreeMap::<String, u64>::new();
    for wish in &wishes {
        let field = match wish {
            Wish::Field(field) if !has(kind, *field) => continue,
            Wish::Field(field) => Some(*field),
            Wish::Off | Wish::Same => None,
        };
        let mut start = with(kind, settings(kind, field));
        start.scope.allow.pass_roles = vec!["*".into()];
        match wish {
            Wish::Field(field) => change(&mut start, *field),
            Wish::Off => start = start.wanting_off(),
            Wish::Same => {}
        }
        for power in &powers {
            let on = matches!(power, Power::Starting | Power::Running);
            let powered = start.clone().power(power.clone());
            let differences = powered.pass().plan.status.pending_changes;
            for people in [People::None, People::Listed, People::Counted, People::Unknown]
                .into_iter()
                .filter(|p| on || *p == People::None)
            {
                let mut peopled = powered.clone();
                people.come(&mut peopled);
                for dims in Dims::all(on).filter(here) {
                    let (bed, moment) = dims.set(peopled.clone(), &differences);
                    let pass = bed.pass();
                    check(&bed, &pass, moment);
                    let settled = matches!(pass.plan.next, Next::Settled(_));
                    let changed = !pass.plan.status.pending_changes.is_empty();
                    assert!(!settled || !changed || dims.on_stop, "a change is left and nothing looks after it");
                    *sent.entry(super::bed::word(&pass.plan.next)).or_default() += 1;
                    cases += 1;
                }
            }
        }
    }
    println!("{kind:?}: {cases} combinations planned: {sent:?}");
    assert!(cases > 5_000, "{cases}");
    for word in ["UpdateFleet", "StopFleet", "StartFleet", "Wait", "Settled"] {
        assert!(sent.get(word).is_some_and(|n| *n > 100), "{word} hardly ever: {sent:?}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum People {
    None,
    /// A session is listed that no count shows.
    Listed,
    /// A count shows a user whom no list has.
    Counted,
    /// AWS gives no counts.
    Unknown,
}

impl People {
    fn come(self, bed: &mut Bed) {
        match self {
            Self::None => {}
            Self::Listed => {
                *bed = bed.clone().with_session();
                bed.count(0);
            }
            Self::Counted => bed.count(1),
            Self::Unknown => {
                let capacity = &mut bed.facts().capacity;
                (capacity.in_use, capacity.active_user_sessions) = (None, None);
                (capacity.running, capacity.available) = (None, None);
            }
        }
    }
}

/// The dimensions that are settings of the object or its past.
#[derive(Debug, Clone, Copy)]
struct Dims {
    policy: DisruptionPolicy,
    drain: bool,
    window: Option<bool>,
    force: Option<bool>,
    on_stop: bool,
    rule: WhileRunning,
    old: bool,
    rejected: bool,
}

impl Dims {
    /// Every combination; what only matters to a stop is left at its default where the fleet is not on.
    fn all(on: bool) -> impl Iterator<Item = Self> {
        digits::all()
            .map(|n| Self {
                policy: [DisruptionPolicy::WhenIdle, DisruptionPolicy::Immediate, DisruptionPolicy::Never][n[0]],
                window: [None, Some(true), Some(false)][n[1]],
                force: [None, Some(true), Some(false)][n[2]],
                drain: n[3] == 1,
                on_stop: n[4] == 1,
                rule: [WhileRunning::Minimal, WhileRunning::Documented][n[5]],
                old: n[6] == 1,
                rejected: n[7] == 1,
            })
            .filter(move |dims| {
                let plain = dims.force.is_none() && !dims.drain;
                // What is past forceAfter is old.
                if dims.force == Some(true) && dims.old {
                    return false;
                }
                match dims.policy {
                    DisruptionPolicy::WhenIdle => on || plain && dims.window.is_none(),
                    DisruptionPolicy::Immediate => on && plain,
                    DisruptionPolicy::Never => on && plain && dims.window.is_none(),
                }
            })
    }

    fn set(self, mut bed: Bed, differences: &[PendingChange]) -> (Bed, Moment) {
        let now = at(NOW);
        bed.object.spec.update_strategy = Some(UpdateStrategy {
            kind: if self.on_stop { UpdateType::OnStop } else { UpdateType::Restart },
            while_running: self.rule,
        });
        // 12:00 on a Sunday: the window is open from 11:00, or opens at 23:00.
        let window = |open| Window {
            name: "w".into(),
            start: if open { "0 11 * * *".into() } else { "0 23 * * *".into() },
            duration: "2h".into(),
            time_zone: None,
        };
        bed.object.spec.disruption = Some(Disruption {
            policy: self.policy,
            force_after: self.force.map(|_| "5m".into()),
            windows: self.window.map(|open| vec![window(open)]),
            drain: (bed.object.spec.fleet_type != FleetType::Elastic).then_some(self.drain),
        });
        let waiting = self.force == Some(true) || self.old;
        let since = if waiting { at("2026-11-22T11:40:00Z") } else { now };
        let generation = bed.object.metadata.generation.unwrap();
        let power = bed.facts().power.as_str().to_owned();
        let status = bed.object.status.as_mut().unwrap();
        let earlier = |c: &PendingChange| PendingChange { impact: Impact::None, waiting_for: None, since, ..c.clone() };
        status.pending_changes = differences.iter().map(earlier).collect();
        status.internal.state_since = Some(since);
        status.state = Some(power);
        let refused = Rejected { generation, code: "Refused".into(), message: "no".into(), change: String::new() };
        status.internal.rejected = self.rejected.then_some(refused);
        let forced = self.force.is_some() && waiting;
        (bed, Moment { closed: self.window == Some(false), forced })
    }
}

/// Counting through mixed digits.
mod digits {
    const SIZES: [usize; 8] = [3, 3, 3, 2, 2, 2, 2, 2];

    pub fn all() -> impl Iterator<Item = [usize; 8]> {
        (0..SIZES.iter().product()).map(|mut n: usize| {
            SIZES.map(|size| {
                let digit = n % size;
                n /= size;
                digit
            })
        })
    }
}
