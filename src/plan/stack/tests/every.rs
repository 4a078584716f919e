//! Every combination of wish, association, sessions, policy and deletion; and every field, set, changed back and removed.

use super::bed::*;
use crate::api::fleet::DisruptionPolicy;
use crate::api::stack::StackSettings;
use crate::plan::stack::StackCall;
use crate::plan::stack::diff::Field;
use crate::plan::{Next, ownership};

#[test]
fn no_association_is_cut_against_the_spec_and_everything_else_settles() {
    let policies = [DisruptionPolicy::WhenIdle, DisruptionPolicy::Immediate, DisruptionPolicy::Never];
    let mut tried = 0;
    for wish in
        ["none", "ref a", "ref b", "ref missing", "ref unmade", "ref leaving", "name c", "name foreign", "name absent"]
    {
        for joined in [None, Some("a"), Some("x")] {
            for by_us in [false, true] {
                for sessions in [0, 1] {
                    for policy in policies {
                        for deleting in [false, true] {
                            tried += 1;
                            judge(&bed(wish, joined, by_us, sessions, policy, deleting), policy);
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tried, 9 * 3 * 2 * 2 * 3 * 2);
}

fn bed(
    wish: &str,
    joined: Option<&str>,
    by_us: bool,
    sessions: usize,
    policy: DisruptionPolicy,
    deleting: bool,
) -> Bed {
    let bed = stack().with_fleet("a", true, false).with_fleet("b", true, false);
    let mut bed = bed.with_fleet("unmade", false, false).with_fleet("leaving", true, true).policy(policy);
    let fleet_object = crate::api::Fleet::new("c", serde_json::from_str(r#"{"instanceType": "a"}"#).unwrap());
    let mut ours = ownership::tags::<crate::plan::fleet::FleetKind>(&bed.scope, &fleet_object);
    ours.insert("windlass.dev/namespace".into(), "team".into());
    bed.fleets.insert(fleet("c"), ours);
    bed.fleets.insert(fleet("foreign"), Default::default());
    bed.sessions = sessions;
    bed = match (joined, by_us) {
        (Some(name), true) => bed.put_by_us(name),
        (Some(name), false) => bed.joined_to(name),
        (None, _) => bed,
    };
    bed = match wish.split_once(' ') {
        Some(("ref", name)) => bed.wanting_ref(name),
        Some(("name", name)) => bed.wanting_name(name),
        _ => bed,
    };
    if deleting { bed.deleting() } else { bed }
}

fn judge(bed: &Bed, policy: DisruptionPolicy) {
    let mut bed = bed.clone();
    let what = format!("{:?} {:?} {:?} {}", bed.object.spec, bed.joined, bed.object.status, bed.sessions);
    for _ in 0..10 {
        let pass = bed.pass();
        let Next::Send(call) = pass.plan.next.clone() else { break };
        let state = pass.state.clone().unwrap();
        assert_eq!(state.tags.as_ref().unwrap().began, bed.now, "tags are read in the pass of a write: {what}");
        match &call {
            StackCall::Disassociate { fleet, .. } => {
                let protected = match policy {
                    DisruptionPolicy::WhenIdle => bed.sessions > 0,
                    DisruptionPolicy::Immediate => false,
                    DisruptionPolicy::Never => true,
                };
                assert!(!protected, "{what}");
                assert!(bed.joined.contains(fleet), "{what}");
                let deleting = bed.object.metadata.deletion_timestamp.is_some();
                let named = bed.object.spec.fleet_ref.is_some() || bed.object.spec.fleet_name.is_some();
                let ours = bed.object.status.as_ref().unwrap().internal.applied.fleet.as_ref() == Some(fleet);
                assert!(deleting || named || ours, "what others joined is left alone: {what}");
                let wanted = bed.object.spec.fleet_ref.as_ref().map(|r| r.name.as_str());
                assert!(deleting || wanted != Some(fleet.as_str()), "the wanted fleet is not cut: {what}");
            }
            StackCall::Associate { fleet, .. } => {
                assert!(bed.joined.is_empty(), "{what}");
                assert!(["a", "b", "c"].contains(&fleet.as_str()), "{fleet} is joined: {what}");
            }
            StackCall::Delete(_) => assert!(bed.joined.is_empty(), "{what}"),
            StackCall::Create(_) | StackCall::Update(_) | StackCall::Tag { .. } | StackCall::Untag { .. } => {
                panic!("{call:?}: {what}")
            }
        }
        bed.obey(&pass, &call);
        bed = bed.after(60);
    }
    let plan = bed.pass().plan;
    assert!(!matches!(plan.next, Next::Send(_)), "never ends: {what}");
    let (headline, _, fields) = shown(&plan);
    assert!(headline != "Ready" || fields.is_empty(), "Ready with {fields:?} left: {what}");
    let spec = &bed.object.spec;
    if bed.object.metadata.deletion_timestamp.is_none() && headline == "Ready" {
        let wanted =
            spec.fleet_ref.as_ref().map(|r| r.name.clone()).or(spec.fleet_name.as_ref().map(|n| n.to_string()));
        assert!(wanted.is_none_or(|name| bed.joined == [fleet(&name)].into()), "Ready, and not associated: {what}");
    }
}

/// Settings with this field alone.
fn alone(field: Field) -> StackSettings {
    let mut settings = StackSettings::default();
    field.copy(&every_setting(), &StackSettings::default(), &mut settings);
    settings
}

#[test]
fn every_field_is_set_mended_and_taken_away_again() {
    for field in Field::ALL {
        assert!(field.value(&alone(field)).is_some(), "{field:?} is in no example");
        // Set: one update of this field.
        let (sent, pass, bed) = stack().wanting(|spec| spec.settings = alone(field)).run();
        assert_eq!(sent, ["UpdateStack"], "{field:?}");
        assert_eq!(shown(&pass.plan), ("Ready".into(), "Available".into(), vec![]), "{field:?}");
        assert!(field.value(&bed.aws.as_ref().unwrap().settings).is_some(), "{field:?}");

        // Somebody takes it away: mended.
        let mut drifted = bed.clone();
        clear(field, &mut drifted.aws.as_mut().unwrap().settings);
        let (sent, _, drifted) = drifted.after(600).run();
        assert_eq!(sent, ["UpdateStack"], "{field:?}");
        assert_eq!(drifted.aws.as_ref().unwrap().settings, alone(field), "{field:?}");

        // Removed from the spec: cleared where AWS can.
        let (sent, pass, bed) = bed.after(600).wanting(|spec| spec.settings = StackSettings::default()).run();
        let there = field.value(&bed.aws.as_ref().unwrap().settings).is_some();
        match field.clearing() {
            Some(_) => assert_eq!((sent, there), (vec!["UpdateStack".to_owned()], false), "{field:?}"),
            None => assert_eq!((sent, there), (vec![], true), "{field:?}"),
        }
        assert_eq!(pass.plan.status.internal.applied.fields, Default::default(), "{field:?}");

        // What others set is left alone.
        let mut other = stack();
        other.aws.as_mut().unwrap().settings = alone(field);
        assert_eq!(other.next(), "Settled", "{field:?}");
    }
}

#[test]
fn all_fields_together_take_one_update_and_as_many_looks_as_a_write_needs() {
    let bed = stack().wanting(|spec| spec.settings = every_setting());
    let pass = bed.pass();
    let Next::Send(StackCall::Update(patch)) = &pass.plan.next else { panic!("{:?}", pass.plan.next) };
    assert_eq!((patch.set.clone(), patch.clear.len()), (every_setting(), 0));
    let (sent, _, bed) = bed.run();
    assert_eq!(sent, ["UpdateStack"]);
    let (sent, _, bed) = bed.wanting(|spec| spec.settings = StackSettings::default()).run();
    assert_eq!(sent, ["UpdateStack"]);
    let left = Field::ALL.into_iter().filter(|f| f.value(&bed.aws.as_ref().unwrap().settings).is_some());
    assert_eq!(
        left.collect::<Vec<_>>(),
        [Field::DisplayName, Field::Description, Field::ApplicationSettings],
        "AWS has no word to clear these"
    );
    // A stack in no fleet and with no wish for one is not asked for its fleets.
    assert!(pass.state.unwrap().sessions.is_none());
}
