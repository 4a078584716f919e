//! What a Stack's life is made of, one rule at a time.

use super::bed::*;
use crate::api::common::{DeletionPolicy, ManagementPolicy};
use crate::api::fleet::{DisruptionPolicy, Window};
use crate::api::stack::{AgentAccessConfig, ConnectorType, FleetRef, StackDisruption, StackSpec, StorageConnector};
use crate::plan::stack::{StackCall, StackCreate, StackPatch};
use crate::plan::{Class, Next};

fn text(bed: &Bed) -> String {
    let plan = bed.pass().plan;
    crate::plan::conditions::find(&plan.status.conditions, "Ready").unwrap().message.clone()
}

#[test]
fn a_stack_is_created_with_its_tags_and_then_joins_its_fleet() {
    let bed = stack().new_object().with_fleet("a", true, false).wanting_ref("a");
    let Next::Send(StackCall::Create(create)) = bed.pass().plan.next else { panic!("no create") };
    let tags = crate::plan::ownership::tags::<crate::plan::stack::StackKind>(&bed.scope, &bed.object);
    let settings = bed.object.spec.settings.clone();
    assert_eq!(*create, StackCreate { name: "desk".parse().unwrap(), settings, tags });
    let (sent, pass, bed) = bed.run();
    assert_eq!(sent, ["CreateStack", "AssociateFleet"]);
    assert_eq!(shown(&pass.plan), ("Ready".into(), "Available".into(), vec![]));
    assert_eq!(pass.plan.status.fleet_name.as_deref(), Some("a"));
    assert_eq!(pass.plan.status.internal.applied.fleet, Some(fleet("a")));
    assert_eq!(bed.joined, [fleet("a")].into());
}

#[test]
fn a_fleet_that_is_not_there_is_waited_for_without_asking_again_and_the_old_one_is_kept() {
    for bed in [
        stack().wanting_ref("a"),
        stack().with_fleet("a", false, false).wanting_ref("a"),
        stack().put_by_us("old").wanting_ref("a"),
    ] {
        assert_eq!(bed.next(), "Settled");
        let waits = ("Reconciling".to_owned(), "DependencyNotReady".to_owned(), vec!["fleetRef".to_owned()]);
        assert_eq!(bed.shown(), waits);
        assert_eq!(bed.with_fleet("a", true, false).next().replace("Disassociate", "Associate"), "AssociateFleet");
    }
}

#[test]
fn a_fleet_that_is_being_deleted_is_neither_joined_nor_cut() {
    for bed in
        [stack().wanting_ref("a"), stack().put_by_us("a").wanting_ref("a"), stack().put_by_us("b").wanting_ref("a")]
    {
        let bed = bed.with_fleet("a", true, true);
        assert_eq!(bed.next(), "Settled");
        assert_eq!(bed.shown().1, "DependencyNotReady");
        assert!(text(&bed).contains("Fleet a is being deleted"), "{}", text(&bed));
    }
    // Whoever takes the name out lets it go.
    let bed = stack().put_by_us("a").with_fleet("a", true, true);
    assert_eq!(bed.next(), "DisassociateFleet");
}

#[test]
fn a_fleet_elsewhere_can_never_be_joined() {
    let mut bed = stack().with_fleet("a", true, false).wanting_ref("a");
    bed.scope.region = "eu-west-1".parse().unwrap();
    bed.object.status.as_mut().unwrap().arn = None;
    bed.tags.insert("windlass.dev/cluster".into(), "cluster-1".into());
    assert_eq!(bed.shown().0, "Stalled");
    assert!(text(&bed).contains("a stack and its fleet live in one place"), "{}", text(&bed));
}

#[test]
fn nobody_is_taken_off_a_fleet_for_one_that_cannot_be_used_yet() {
    let bed = stack().joined_to("x").with_fleet_to_come("a").wanting_ref("a");
    assert_eq!(bed.next(), "Settled");
    assert_eq!(bed.shown(), ("Reconciling".into(), "DependencyNotReady".into(), vec!["fleetRef".into()]));
    assert_eq!(bed.with_fleet("a", true, false).next(), "DisassociateFleet");
    assert_eq!(
        stack().with_fleet_to_come("a").wanting_ref("a").next(),
        "AssociateFleet",
        "a first fleet is joined at once"
    );
}

#[test]
fn another_fleet_is_changed_for_the_wanted_one_once_nobody_streams() {
    let mut bed = stack().joined_to("x").with_fleet("a", true, false).wanting_ref("a");
    bed.sessions = 2;
    let plan = bed.pass().plan;
    assert_eq!(shown(&plan), ("Reconciling".into(), "WaitingForSessions".into(), vec!["fleetRef".into()]));
    assert_eq!(plan.status.sessions.as_ref().unwrap().count, 2);
    let change = &plan.status.pending_changes[0];
    assert_eq!((change.from.as_str(), change.to.as_str()), ("x", "a"));
    assert_eq!(change.waiting_for.as_deref(), Some("waiting for user sessions to end"));
    // Users can still stream from the old one.
    let available = crate::plan::conditions::find(&plan.status.conditions, "Available").unwrap();
    assert_eq!(available.status, "True");
    bed.sessions = 0;
    let (sent, pass, _) = bed.run();
    assert_eq!(sent, ["DisassociateFleet", "AssociateFleet"]);
    assert_eq!(shown(&pass.plan).0, "Ready");
}

#[test]
fn the_look_at_sessions_is_made_in_the_pass_of_the_cut() {
    let bed = stack().put_by_us("a");
    let pass = bed.pass();
    assert_eq!(word(&pass.plan.next), "DisassociateFleet");
    let state = pass.state.unwrap();
    assert!(state.sessions.is_some());
    let crate::plan::looked::Looked::Found(joined) = state.joined.unwrap() else { panic!("refused") };
    assert_eq!(joined.began, bed.now);
}

#[test]
fn what_others_joined_is_left_alone_where_no_fleet_is_named() {
    let bed = stack().joined_to("x");
    assert_eq!((bed.next(), bed.shown().0), ("Settled".into(), "Ready".into()));
    // Somebody moved the stack on after us: that association is theirs.
    let bed = stack().put_by_us("a").joined_to("x");
    assert_eq!((bed.next(), bed.shown().0), ("Settled".into(), "Ready".into()));
    assert_eq!(bed.pass().plan.status.internal.applied.fleet, None);
}

#[test]
fn a_cut_waits_for_its_window_and_force_after_ends_the_wait() {
    let window = Window { name: "w".into(), start: "0 22 * * *".into(), duration: "1h".into(), time_zone: None };
    let rules = |force: Option<&str>, windows: bool| StackDisruption {
        policy: DisruptionPolicy::WhenIdle,
        force_after: force.map(str::to_owned),
        windows: windows.then(|| vec![window.clone()]),
    };
    let held = |rules: StackDisruption| {
        let mut bed = stack().put_by_us("a").wanting(|spec| spec.disruption = Some(rules));
        bed.sessions = 1;
        bed
    };
    assert_eq!(held(rules(None, true)).shown().1, "WaitingForWindow");
    assert_eq!(held(rules(Some("1h"), false)).shown().1, "WaitingForSessions");
    assert_eq!(held(rules(Some("1h"), false)).later(3599).next(), "Wait");
    assert_eq!(held(rules(Some("1h"), false)).later(3600).next(), "DisassociateFleet");
    // Forcing, too, waits for a window: 12:00 to 22:00.
    assert_eq!(held(rules(Some("1h"), true)).later(7200).shown().1, "WaitingForWindow");
    assert_eq!(held(rules(Some("1h"), true)).later(10 * 3600).next(), "DisassociateFleet");
}

#[test]
fn a_refused_look_is_named_and_nothing_rests_on_it() {
    let mut bed = stack().put_by_us("a");
    bed.refused = Some("DescribeSessions");
    assert_eq!((bed.next(), bed.shown().1), ("Wait".into(), "AccessDenied".into()));
    assert!(text(&bed).starts_with("DescribeSessions: AccessDeniedException: not authorized"), "{}", text(&bed));
    bed.refused = Some("ListAssociatedFleets");
    assert_eq!((bed.next(), bed.shown().1), ("Wait".into(), "AccessDenied".into()));
    // What does not rest on it goes on.
    let bed = bed.wanting(|spec| spec.settings.display_name = Some("New".into()));
    assert_eq!(bed.next(), "UpdateStack");
    let mut deleting = stack().put_by_us("a").deleting();
    deleting.refused = Some("ListAssociatedFleets");
    assert_eq!(deleting.next(), "Wait");
    deleting.refused = Some("DescribeSessions");
    assert_eq!((deleting.next(), deleting.shown().1), ("Wait".into(), "AccessDenied".into()));
}

#[test]
fn a_foreign_fleet_needs_an_account_that_allows_it() {
    let mut bed = stack().wanting_name("theirs").joined_to("old");
    assert_eq!(bed.shown().1, "DependencyNotReady", "{}", text(&bed));
    bed.fleets.insert(fleet("theirs"), Default::default());
    assert_eq!((bed.shown().0, bed.shown().1), ("Stalled".into(), "NotAllowed".into()));
    bed.scope.allow.foreign_fleets = true;
    let (sent, _, bed) = bed.run();
    assert_eq!(sent, ["DisassociateFleet", "AssociateFleet"]);
    // Once it is there nobody asks whose it is.
    assert!(bed.pass().state.unwrap().named_fleet.is_none());
    // A fleet of another namespace is foreign, too.
    let mut other = stack().wanting_name("theirs");
    let tags = |namespace: &str| {
        [
            ("windlass.dev/cluster", "cluster-1"),
            ("windlass.dev/kind", "Fleet.appstream.windlass.dev"),
            ("windlass.dev/namespace", namespace),
            ("windlass.dev/name", "theirs"),
            ("windlass.dev/uid", "u"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    };
    other.fleets.insert(fleet("theirs"), tags("elsewhere"));
    assert_eq!(other.shown().1, "NotAllowed");
    other.fleets.insert(fleet("theirs"), tags("team"));
    assert_eq!(other.next(), "AssociateFleet");
}

#[test]
fn a_refused_update_is_not_sent_again_for_its_generation_and_does_not_keep_the_fleet_away() {
    let bed =
        stack().with_fleet("a", true, false).wanting_ref("a").wanting(|s| s.settings.display_name = Some("N".into()));
    let Next::Send(call) = bed.pass().plan.next else { panic!("no update") };
    assert!(matches!(&call, StackCall::Update(patch) if **patch == StackPatch {
        name: "desk".parse().unwrap(),
        set: crate::api::stack::StackSettings { display_name: Some("N".into()), ..Default::default() },
        clear: Default::default(),
    }));
    let bed = bed.failed(call, Class::Rejected, "InvalidParameterCombinationException");
    let (sent, pass, bed) = bed.run();
    assert_eq!(sent, ["AssociateFleet"]);
    assert_eq!(shown(&pass.plan), ("Stalled".into(), "Rejected".into(), vec!["displayName".into()]));
    let bed = bed.wanting(|s| s.settings.display_name = Some("M".into()));
    assert_eq!(bed.next(), "UpdateStack");
}

#[test]
fn what_passes_by_itself_does_not_keep_the_rest_back() {
    let bed =
        stack().with_fleet("a", true, false).wanting_ref("a").wanting(|s| s.settings.display_name = Some("N".into()));
    let Next::Send(call) = bed.pass().plan.next else { panic!("no update") };
    let bed = bed.failed(call.clone(), Class::AccessDenied, "AccessDeniedException");
    let Next::Send(next) = bed.pass().plan.next else { panic!("nothing sent") };
    assert!(matches!(next, StackCall::Associate { .. }), "{next:?}");
    // When nothing else is left, it is tried again, and shown.
    let bed = bed.put_by_us("a");
    assert_eq!(bed.pass().plan.next, Next::Send(call));
    assert_eq!(bed.shown().1, "AccessDenied");
}

#[test]
fn a_deletion_cuts_then_deletes_then_makes_sure() {
    let mut bed = stack().put_by_us("a").deleting();
    bed.sessions = 1;
    let held = bed.clone();
    assert_eq!(
        held.shown(),
        ("Reconciling".into(), "WaitingForSessions".into(), vec!["metadata.deletionTimestamp".into()])
    );
    assert!(text(&held).contains("deletionPolicy: Retain"), "{}", text(&held));
    bed.sessions = 0;
    let (sent, pass, bed) = bed.run();
    assert_eq!(sent, ["DisassociateFleet", "DeleteStack"]);
    assert_eq!(word(&pass.plan.next), "Wait");
    assert_eq!(bed.after(60).next(), "Release");
}

#[test]
fn a_retained_stack_keeps_its_fleet_and_loses_our_tags() {
    let bed = stack().put_by_us("a").wanting(|s| s.common.deletion_policy = Some(DeletionPolicy::Retain)).deleting();
    let (sent, pass, bed) = bed.run();
    assert_eq!((sent, word(&pass.plan.next)), (vec!["UntagResource".to_owned()], "Release".into()));
    assert_eq!(bed.joined, [fleet("a")].into());
}

#[test]
fn an_observed_stack_is_never_written_and_its_differences_are_shown() {
    let bed = stack().joined_to("x").with_fleet("a", true, false).wanting_ref("a").wanting(|s| {
        s.common.management_policy = Some(ManagementPolicy::Observe);
        s.settings.display_name = Some("N".into());
    });
    assert_eq!(bed.next(), "Settled");
    assert_eq!(bed.shown(), ("Ready".into(), "Available".into(), vec!["displayName".into(), "fleetRef".into()]));
    let bed = bed.wanting(|s| s.common.tags = Some([("team".into(), "design".into())].into()));
    assert_eq!(bed.next(), "Settled");
    assert_eq!(bed.shown().2, ["displayName", "tags", "fleetRef"]);
    let mut blind = bed;
    blind.refused = Some("ListAssociatedFleets");
    assert_eq!(
        (blind.next(), blind.shown().0, blind.shown().1),
        ("Wait".into(), "Reconciling".into(), "AccessDenied".into())
    );
    blind.refused_since = Some(blind.now);
    assert_eq!(blind.later(600).shown().0, "Stalled");
}

#[test]
fn errors_that_aws_reports_are_shown_and_do_not_hide_that_it_is_there() {
    let mut bed = stack();
    bed.aws.as_mut().unwrap().errors =
        vec![crate::api::stack::StackError { code: "STORAGE_CONNECTOR_ERROR".into(), message: "no bucket".into() }];
    assert_eq!(bed.shown().0, "Ready");
    assert!(text(&bed).contains("STORAGE_CONNECTOR_ERROR: no bucket"), "{}", text(&bed));
    assert_eq!(bed.pass().plan.status.stack_errors.len(), 1);
}

#[test]
fn an_association_that_aws_accepted_and_never_shows_is_not_made_for_ever() {
    let bed = stack().with_fleet("a", true, false).wanting_ref("a");
    let pass = bed.pass();
    let Next::Send(call) = pass.plan.next.clone() else { panic!("nothing sent") };
    let mut bed = bed;
    bed.obey(&pass, &call);
    bed.joined.clear();
    assert_eq!(bed.clone().after(10).next(), "Wait");
    let bed = bed.after(40);
    assert_eq!((bed.next(), bed.shown().1), ("Wait".into(), "Rejected".into()));
}

#[test]
fn a_settled_stack_in_its_fleet_asks_for_nothing_but_the_shared_read_for_minutes() {
    let bed = stack().put_by_us("a").with_fleet("a", true, false).wanting_ref("a");
    let state = bed.pass().state.unwrap();
    assert!(state.sessions.is_none() && state.named_fleet.is_none());
    assert_ne!(state.tags.unwrap().began, bed.now);
    let crate::plan::looked::Looked::Found(joined) = state.joined.unwrap() else { panic!("refused") };
    assert_ne!(joined.began, bed.now);
}

/// The one write that a pass over `seen` asks for, made in `bed`.
fn obeyed(mut bed: Bed, seen: &Bed) -> Bed {
    let pass = seen.pass();
    let Next::Send(call) = &pass.plan.next else { panic!("nothing is sent but {:?}", pass.plan.next) };
    bed.obey(&pass, call);
    bed
}

#[test]
fn what_is_set_and_removed_before_a_pass_has_seen_it_in_aws_goes_from_aws() {
    type Edit = fn(&mut StackSpec, bool);
    let rows: [Edit; 3] = [
        |spec, on| spec.settings.redirect_url = on.then(|| "https://example.com/a".to_owned()),
        |spec, on| spec.common.tags = on.then(|| [("team".to_owned(), "a".to_owned())].into()),
        |spec, on| spec.fleet_ref = on.then(|| FleetRef { name: "day".into() }),
    ];
    for (row, edit) in rows.into_iter().enumerate() {
        for lags in [false, true] {
            let before = stack().with_fleet("day", true, false);
            let bed = before.clone().wanting(|spec| edit(spec, true));
            let bed = obeyed(bed.clone(), &bed).after(1).wanting(|spec| edit(spec, false));
            let mut seen = bed.clone();
            if lags {
                let Bed { aws, tags, joined, .. } = before.clone();
                (seen.aws, seen.tags, seen.joined) = (aws, tags, joined);
            }
            let (sent, pass, bed) = obeyed(bed, &seen).after(30).run();
            assert_eq!((sent, shown(&pass.plan).0.as_str()), (vec![], "Ready"), "row {row}, lags: {lags}");
            assert_eq!(
                (bed.aws, bed.tags, bed.joined),
                (before.aws, before.tags, before.joined),
                "row {row}, lags: {lags}"
            );
        }
    }
}

#[test]
fn a_part_that_is_removed_alone_goes_with_the_whole_which_is_then_set_without_it() {
    let consent = || Some(["example.com".to_owned()].into());
    let connector = |domains| StorageConnector {
        connector_type: ConnectorType::OneDrive,
        resource_identifier: None,
        domains,
        domains_require_admin_consent: None,
    };
    let agents = |bucket: Option<&str>| AgentAccessConfig {
        s3_bucket_arn: bucket.map(|arn| arn.parse().unwrap()),
        ..every_setting().agent_access_config.unwrap()
    };
    let wanted = |bed: Bed, with: bool| {
        bed.wanting(|spec| {
            spec.settings.storage_connectors = Some(vec![connector(if with { consent() } else { None })]);
            spec.settings.agent_access_config = Some(agents(with.then_some("arn:aws:s3:::shots")));
        })
    };
    let (sent, _, bed) = wanted(stack(), true).run();
    assert_eq!(sent, ["UpdateStack"]);
    let (sent, pass, bed) = wanted(bed, false).run();
    assert_eq!(sent, ["UpdateStack", "UpdateStack"]);
    let settings = bed.aws.clone().unwrap().settings;
    assert_eq!(settings.storage_connectors, Some(vec![connector(None)]));
    assert_eq!(settings.agent_access_config, Some(agents(None)));
    assert_eq!(shown(&pass.plan).0, "Ready");
    // What somebody else has put there stays.
    let mut bed = bed;
    let found = bed.aws.as_mut().unwrap();
    found.settings.storage_connectors = Some(vec![connector(consent())]);
    let (sent, pass, _) = bed.run();
    assert_eq!((sent, shown(&pass.plan).0), (vec![], "Ready".to_owned()));
}

#[test]
fn a_whole_that_was_cleared_for_a_part_is_set_though_aws_shows_it_still() {
    let connector = |domains: Option<&str>| StorageConnector {
        connector_type: ConnectorType::GoogleDrive,
        resource_identifier: None,
        domains: domains.map(|one| [one.to_owned()].into()),
        domains_require_admin_consent: None,
    };
    let (_, _, bed) =
        stack().wanting(|spec| spec.settings.storage_connectors = Some(vec![connector(Some("example.com"))])).run();
    let mut bed = bed.wanting(|spec| spec.settings.storage_connectors = Some(vec![connector(None)]));
    let before = bed.aws.clone();
    bed = obeyed(bed.clone(), &bed).after(1);
    let seen = Bed { aws: before, ..bed.clone() };
    let (sent, _, bed) = obeyed(bed, &seen).after(30).run();
    assert_eq!((sent, bed.aws.unwrap().settings.storage_connectors), (vec![], Some(vec![connector(None)])));
}

#[test]
fn a_stack_whose_new_fleet_aws_refuses_goes_back_to_the_old_one_and_stays_there() {
    let bed = stack().with_fleet("day", true, false).wanting_ref("day");
    let (_, _, bed) = bed.run();
    let mut bed = bed.with_fleet("night", true, false).wanting_ref("night");
    bed = obeyed(bed.clone(), &bed).after(1);
    let into = |name: &str| StackCall::Associate { stack: "desk".parse().unwrap(), fleet: fleet(name) };
    assert_eq!((bed.joined.len(), &bed.pass().plan.next), (0, &Next::Send(into("night"))));
    // What may pass is tried for a minute.
    let busy = bed.clone().failed(into("night"), Class::InUse, "ResourceInUseException");
    assert_eq!(busy.pass().plan.next, Next::Send(into("night")));
    let bed = bed.failed(into("night"), Class::Rejected, "InvalidParameterCombinationException");
    assert_eq!(bed.pass().plan.next, Next::Send(into("day")));
    // The old one may be gone, too: both are tried.
    let neither = bed.clone().later(1).failed(into("day"), Class::NotFound, "ResourceNotFoundException");
    assert_eq!(neither.pass().plan.next, Next::Send(into("night")));
    let (sent, pass, bed) = bed.run();
    assert_eq!((sent, &bed.joined), (vec!["AssociateFleet".to_owned()], &[fleet("day")].into()));
    assert_eq!(shown(&pass.plan), ("Stalled".into(), "Rejected".into(), vec!["fleetRef".into()]));
    let said = "AWS refused to put the stack into fleet night: InvalidParameterCombinationException: AWS's words; it stays in fleet day until the spec names another fleet";
    assert_eq!(text(&bed), said);
    // Nobody is taken off it for the same again, until somebody asks for that.
    let (sent, _, bed) = bed.after(3600).run();
    assert_eq!(sent, Vec::<String>::new());
    let mut asked = bed.clone();
    let annotation = (crate::api::RECONCILE_REQUESTED_AT.to_owned(), "1".to_owned());
    asked.object.metadata.annotations = Some([annotation].into());
    assert_eq!(asked.next(), "DisassociateFleet");
    // Back to the old one in the spec, all is well.
    let (sent, pass, _) = bed.wanting_ref("day").run();
    assert_eq!((sent, shown(&pass.plan).0.as_str()), (vec![], "Ready"));
}
