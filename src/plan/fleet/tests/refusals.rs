//! What is refused before AWS is asked, in whole sentences; and that no text outgrows its place.

use super::bed::{Bed, fleet, image};
use crate::api::fleet::*;
use crate::plan::conditions::find;
use crate::plan::fleet::*;
use crate::plan::{Class, Next};

fn ready(bed: &Bed) -> (String, String, String) {
    let plan = bed.pass().plan;
    let found = find(&plan.status.conditions, "Ready").unwrap().clone();
    (super::bed::word(&plan.next), found.reason, found.message)
}

fn is(next: &str, reason: &str, message: &str) -> (String, String, String) {
    (next.into(), reason.into(), message.into())
}

fn with_image(change: impl FnOnce(&mut ImageFacts)) -> Bed {
    let mut bed = fleet().wanting_image("v2");
    change(bed.image.as_mut().unwrap());
    bed
}

#[test]
fn an_image_that_will_not_do_is_refused_before_the_create_and_before_the_stop() {
    let shared = |bed: Bed| {
        bed.wanting(|spec| {
            spec.settings.max_sessions_per_instance = Some(2);
            spec.settings.compute_capacity =
                Some(ComputeCapacity { desired_instances: None, desired_sessions: Some(2) });
        })
    };
    let mut none = fleet().wanting_image("v2");
    none.image = None;
    let rows = [
        (
            none,
            "ImageNotUsable",
            "there is no image v2; an image that another account shares is found by imageArn only",
        ),
        (with_image(|i| i.state = "FAILED".into()), "ImageNotUsable", "image v2 is FAILED; it must be AVAILABLE"),
        (
            with_image(|i| (i.state, i.state_reason) = ("FAILED".into(), Some("INTERNAL_ERROR: no".into()))),
            "ImageNotUsable",
            "image v2 is FAILED (INTERNAL_ERROR: no); it must be AVAILABLE",
        ),
        (with_image(|i| i.state = "COPYING".into()), "DependencyNotReady", "image v2 is COPYING"),
        (
            with_image(|i| (i.visibility, i.allow_fleet) = (Some("SHARED".into()), Some(false))),
            "ImageNotUsable",
            "image v2 is shared without the permission to use it for fleets",
        ),
        (
            shared(with_image(|i| i.platform = Some("AMAZON_LINUX2".into()))),
            "ImageNotUsable",
            "image v2 is AMAZON_LINUX2: fleets with several sessions per instance need Windows",
        ),
        (
            with_image(|i| i.platform = Some("AMAZON_LINUX2".into()))
                .wanting(|spec| spec.settings.platform = Some("WINDOWS_SERVER_2022".into())),
            "ImageNotUsable",
            "image v2 is AMAZON_LINUX2, but platform says WINDOWS_SERVER_2022",
        ),
    ];
    for (bed, reason, message) in rows {
        assert_eq!(ready(&bed), is("Wait", reason, message));
        let changes = bed.pass().plan.status.pending_changes;
        let image = changes.iter().find(|c| c.field == "imageName").unwrap();
        assert_eq!(image.waiting_for.as_deref(), Some(message));
        assert_eq!(ready(&bed.new_object()), is("Wait", reason, message));
    }
}

#[test]
fn a_role_is_passed_only_where_an_account_allows_it() {
    let role = |spec: &mut FleetSpec| {
        spec.settings.iam_role_arn = Some("arn:aws:iam::111122223333:role/desk".parse().unwrap());
    };
    let words = "iamRoleArn: no Account allows this namespace to pass arn:aws:iam::111122223333:role/desk";
    for bed in [fleet().wanting(role), fleet().wanting(role).new_object()] {
        assert_eq!(ready(&bed), is("Settled", "NotAllowed", words));
        let rows = [
            ("arn:aws:iam::111122223333:role/desk", true),
            ("arn:aws:iam::*:role/d*", true),
            ("*", true),
            ("arn:aws:iam::111122223333:role/de", false),
            ("*role", false),
            ("arn:aws:iam::111122223333:role/desk*x", false),
        ];
        for (pattern, allowed) in rows {
            let mut bed = bed.clone();
            bed.scope.allow.pass_roles = vec![pattern.into()];
            assert_eq!(matches!(bed.pass().plan.next, Next::Send(_)), allowed, "{pattern}");
        }
    }
}

#[test]
fn what_no_schema_can_judge_is_shown_and_nothing_is_done() {
    let bed = fleet().disruption(|d| d.force_after = Some("soon".into())).wanting_image("v2");
    let words = "disruption.forceAfter: `soon` is not a duration such as 1h30m";
    assert_eq!(ready(&bed), is("Settled", "InvalidSpec", words));
    let mut named = fleet();
    named.object.metadata.name = Some("-".into());
    assert_eq!(ready(&named).1, "InvalidSpec");
}

#[test]
fn another_fleet_type_in_aws_is_said_in_its_words() {
    let bed = fleet().wanting(|spec| spec.fleet_type = FleetType::AlwaysOn);
    let words = "fleetType is ON_DEMAND in AWS and ALWAYS_ON in the spec, and AWS cannot change it";
    assert_eq!(ready(&bed), is("Settled", "ImmutableDiffers", words));
}

#[test]
fn no_text_outgrows_its_place() {
    let long = "ä".repeat(40_000);
    let mut bed = fleet().stopped().wanting(|spec| spec.settings.instance_type = Some("x".repeat(128)));
    bed.facts().errors = (0..200).map(|n| FleetError { code: format!("{n}{long}"), message: long.clone() }).collect();
    bed.facts().settings.instance_type = Some(long.clone());
    let Next::Send(call) = bed.pass().plan.next else { panic!() };
    let mut bed = bed.failed(call, Class::Rejected, "X");
    let failure = bed.failure.as_mut().unwrap();
    (failure.code, failure.message) = (long.clone(), long.clone());
    let status = bed.pass().plan.status;
    super::laws::check(&bed, &bed.pass(), Default::default());
    let refusal = status.internal.rejected.clone().unwrap();
    assert!(refusal.code.len() <= 256 && refusal.message.len() <= 32_768);
    assert_eq!(status.fleet_errors.len(), 100);
    assert!(status.fleet_errors.iter().all(|e| e.code.len() <= 256 && e.message.len() <= 32_768));
    assert!(serde_json::to_vec(&status).unwrap().len() < 500_000, "an object has 1.5 MiB in all");
    // What was cut still counts as the same answer.
    let bed = bed.later(700);
    assert_eq!(bed.pass().plan.status.internal.state_since, status.internal.state_since);
    let mut odd = fleet().power(Power::Unrecognised(long.clone()));
    odd.image = Some(ImageFacts { state_reason: Some(long), state: "FAILED".into(), ..image("v2") });
    super::laws::check(&odd, &odd.pass(), Default::default());
    assert!(odd.pass().plan.status.state.unwrap().len() <= 64);
}
