use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::*;
use crate::api::common::{Impact, PendingChange};
use crate::plan::figures::{Figures, Instances, Sessions};

const KIND: &str = "Fleet.appstream.windlass.dev";
const DESK: ObjectLabels<'_> = ObjectLabels { kind: KIND, namespace: "team", name: "desk" };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn condition(type_: &str, status: &str, reason: &str, since: i64) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        last_transition_time: Time(at(since)),
        observed_generation: None,
    }
}

fn change(impact: Impact, since: i64) -> PendingChange {
    PendingChange {
        field: "instanceType".to_owned(),
        from: String::new(),
        to: String::new(),
        impact,
        waiting_for: None,
        since: at(since),
    }
}

fn shows(conditions: &[Condition]) -> Option<ObjectShows<'_>> {
    Some(ObjectShows { conditions, ..ObjectShows::default() })
}

/// Lines of a metric, without its name.
fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = metrics.text().unwrap();
    let of_name =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '));
    text.lines().filter(of_name).map(|line| line[name.len()..].to_owned()).collect()
}

/// A Fleet that has everything that an object can show.
fn show_everything(metrics: &Metrics, waits_for: &str) {
    let conditions = [
        condition("Ready", "False", waits_for, 5),
        condition("Synced", "False", "Differs", 7),
        condition("Reconciling", "True", waits_for, 7),
    ];
    let pending_changes = [change(Impact::Restart, 11), change(Impact::Restart, 9), change(Impact::None, 12)];
    let instances = Instances { desired: 3, running: Some(2), in_use: Some(1), available: None };
    let sessions = Sessions { active: Some(4), ..Sessions::default() };
    let figures = Figures {
        instances: Some(instances),
        sessions: Some(sessions),
        awaited_sessions: Some(1),
        ends_at: Some(at(99)),
        errors: 2,
    };
    metrics.object(DESK, Some(ObjectShows { conditions: &conditions, pending_changes: &pending_changes, figures }));
    metrics.succeeded(DESK, at(21));
}

fn touch_everything(metrics: &Metrics) {
    let second = Duration::from_secs(1);
    metrics.pass(KIND, PassOutcome::Panicked, second);
    metrics.aws_request("appstream", "DescribeFleets", Err(Class::Throttled), second);
    metrics.aws_tokens("123456789012", "eu-central-1", "appstream", PassOutcome::Sent, 1.0);
    metrics.kube_request(PassOutcome::Sent, PassOutcome::Settled);
    metrics.event(EventOutcome::Posted);
    show_everything(metrics, "Updating");
    metrics.queue_depth(KIND, PassOutcome::Waiting, 3);
    metrics.orphans(KIND, 1);
    metrics.unreadable(KIND, 1);
    metrics.leader(true);
    metrics.oldest_look(KIND, second);
}

#[test]
fn every_described_metric_is_exported_with_its_form_help_and_labels_and_no_other_is() {
    let metrics = Metrics::new(true).unwrap();
    touch_everything(&metrics);
    let exported: Vec<(String, String, String, Vec<String>)> = metrics
        .0
        .registry
        .gather()
        .iter()
        .map(|family| {
            let labels = family.get_metric()[0].get_label().iter().map(|pair| pair.name().to_owned()).collect();
            let form = format!("{:?}", family.get_field_type()).to_lowercase();
            (family.name().to_owned(), form, family.help().to_owned(), labels)
        })
        .collect();
    let mut described: Vec<_> = described::ALL
        .iter()
        .map(|of| {
            let mut labels: Vec<String> = of.labels.iter().map(|label| (*label).to_owned()).collect();
            labels.sort();
            (of.name.to_owned(), of.form.word().to_owned(), of.help.to_owned(), labels)
        })
        .collect();
    described.sort();
    assert_eq!(exported, described);
}

#[test]
fn every_label_has_a_line_of_its_own_and_no_line_is_about_a_label_that_is_nowhere() {
    let mut used: Vec<&str> = described::ALL.iter().flat_map(|of| of.labels).copied().collect();
    used.sort_unstable();
    used.dedup();
    assert_eq!(used, described::LABELS.map(|(label, _)| label));
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    for of in described::ALL {
        let ours = of.name.starts_with("windlass_") || of.name.starts_with("process_");
        let counts = matches!(of.form, described::Form::Counter);
        assert!(ours && of.name.ends_with("_total") == counts, "{}", of.name);
        let alone = of.labels.contains(&"name");
        assert_eq!((alone, of.name.starts_with("windlass_object_")), (of.per_object, of.per_object), "{}", of.name);
        assert!(of.help.chars().next().is_some_and(char::is_uppercase) && !of.help.ends_with('.'), "{}", of.name);
    }
}

#[test]
fn an_object_is_counted_once_by_each_of_its_conditions_until_it_is_gone() {
    let metrics = Metrics::new(true).unwrap();
    metrics.object(
        DESK,
        shows(&[condition("Ready", "False", "Creating", 0), condition("Reconciling", "True", "Creating", 0)]),
    );
    metrics.object(DESK, shows(&[condition("Ready", "True", "Available", 1)]));
    let kind = format!("kind=\"{KIND}\"");
    assert_eq!(
        samples(&metrics, "windlass_objects"),
        [format!("{{condition=\"Ready\",{kind},reason=\"Available\",status=\"True\"}} 1")]
    );
    let object = format!("{kind},name=\"desk\",namespace=\"team\"");
    assert_eq!(samples(&metrics, "windlass_object_ready"), [format!("{{{object}}} 1")]);
    assert_eq!(samples(&metrics, "windlass_object_reason"), [format!("{{{object},reason=\"Available\"}} 1")]);
    metrics.object(DESK, None);
    for name in ["windlass_objects", "windlass_object_ready", "windlass_object_reason"] {
        assert_eq!(samples(&metrics, name), Vec::<String>::new());
    }
    // What has gone has no success either.
    metrics.succeeded(DESK, at(3));
    assert_eq!(samples(&metrics, "windlass_object_last_success_timestamp_seconds"), Vec::<String>::new());
}

#[test]
fn an_object_cannot_invent_a_time_series() {
    let metrics = Metrics::new(false).unwrap();
    metrics.object(
        DESK,
        shows(&[condition("Evil", "True", "Available", 0), condition("Ready", "Perhaps", "Available", 0)]),
    );
    assert_eq!(samples(&metrics, "windlass_objects"), Vec::<String>::new());
    metrics.object(DESK, shows(&[condition("Ready", "True", "OfItsOwn", 0)]));
    let other = format!("{{condition=\"Ready\",kind=\"{KIND}\",reason=\"Other\",status=\"True\"}} 1");
    assert_eq!(samples(&metrics, "windlass_objects"), [other]);
}

#[test]
fn without_the_flag_no_series_names_an_object_and_the_sums_are_there() {
    let metrics = Metrics::new(false).unwrap();
    touch_everything(&metrics);
    let text = metrics.text().unwrap();
    assert!(!text.contains("windlass_object_") && !text.contains("desk"), "{text}");
    let fleet = format!("kind=\"{KIND}\"");
    assert_eq!(
        samples(&metrics, "windlass_instances"),
        ["desired\"} 3", "in_use\"} 1", "running\"} 2"].map(|end| format!("{{{fleet},state=\"{end}"))
    );
    assert_eq!(
        samples(&metrics, "windlass_sessions"),
        ["active\"} 4", "awaited\"} 1"].map(|end| format!("{{{fleet},state=\"{end}"))
    );
    assert_eq!(samples(&metrics, "windlass_objects_with_aws_errors"), [format!("{{{fleet}}} 1")]);
}

#[test]
fn ages_are_those_of_the_oldest_and_what_is_left_alone_on_purpose_is_no_drift() {
    let metrics = Metrics::new(true).unwrap();
    show_everything(&metrics, "WaitingForSessions");
    let busy = [condition("Synced", "False", "Differs", 8), condition("Reconciling", "True", "Updating", 8)];
    metrics.object(ObjectLabels { name: "busy", ..DESK }, shows(&busy));
    let mended = ObjectLabels { name: "seen", ..DESK };
    let left_alone = [condition("Ready", "True", "Available", 1), condition("Synced", "False", "Differs", 1)];
    let old = [change(Impact::Restart, 2)];
    metrics
        .object(mended, Some(ObjectShows { conditions: &left_alone, pending_changes: &old, ..ObjectShows::default() }));
    let stalled = ObjectLabels { name: "stalled", ..DESK };
    let conditions = [
        condition("Ready", "False", "Rejected", 1),
        condition("Stalled", "True", "Rejected", 1),
        condition("Synced", "False", "Rejected", 1),
    ];
    metrics.object(stalled, shows(&conditions));
    let kind = format!("kind=\"{KIND}\"");
    assert_eq!(samples(&metrics, "windlass_oldest_drift_timestamp_seconds"), [format!("{{{kind}}} 8")]);
    assert_eq!(
        samples(&metrics, "windlass_oldest_pending_change_timestamp_seconds"),
        [
            format!("{{impact=\"None\",{kind},ready=\"false\"}} 12"),
            format!("{{impact=\"Restart\",{kind},ready=\"false\"}} 9"),
            format!("{{impact=\"Restart\",{kind},ready=\"true\"}} 2"),
        ]
    );
    let object = |name| format!("{{{kind},name=\"{name}\",namespace=\"team\"}}");
    assert_eq!(
        samples(&metrics, "windlass_object_pending_change_timestamp_seconds"),
        [format!("{} 9", object("desk")), format!("{} 2", object("seen"))]
    );
    assert_eq!(
        samples(&metrics, "windlass_object_stalled"),
        ["busy", "desk", "seen"]
            .map(|name| format!("{} 0", object(name)))
            .into_iter()
            .chain([format!("{} 1", object("stalled"))])
            .collect::<Vec<_>>()
    );
    assert_eq!(samples(&metrics, "windlass_object_last_success_timestamp_seconds"), [format!("{} 21", object("desk"))]);
}

#[test]
fn the_next_end_is_that_of_what_has_not_ended() {
    let metrics = Metrics::new(true).unwrap();
    let ends = |second| Figures { ends_at: Some(at(second)), ..Figures::default() };
    let over = [condition("Ended", "True", "Expired", 1)];
    metrics.object(DESK, Some(ObjectShows { conditions: &over, figures: ends(10), ..ObjectShows::default() }));
    metrics.object(
        ObjectLabels { name: "two", ..DESK },
        Some(ObjectShows { figures: ends(30), ..ObjectShows::default() }),
    );
    metrics.object(
        ObjectLabels { name: "one", ..DESK },
        Some(ObjectShows { figures: ends(20), ..ObjectShows::default() }),
    );
    let kind = format!("kind=\"{KIND}\"");
    assert_eq!(samples(&metrics, "windlass_next_grant_end_timestamp_seconds"), [format!("{{{kind}}} 20")]);
    assert_eq!(
        samples(&metrics, "windlass_object_grant_end_timestamp_seconds"),
        [("one", 20), ("two", 30)].map(|(name, end)| format!("{{{kind},name=\"{name}\",namespace=\"team\"}} {end}"))
    );
}

#[test]
fn a_throttled_request_counts_as_a_request_and_as_a_throttle() {
    let metrics = Metrics::new(false).unwrap();
    metrics.aws_request("appstream", "StopFleet", Ok(()), Duration::from_millis(30));
    metrics.aws_request("appstream", "StopFleet", Err(Class::Throttled), Duration::from_millis(30));
    metrics.aws_request("appstream", "StopFleet", Err(Class::NotSent), Duration::ZERO);
    let of = "operation=\"StopFleet\"";
    assert_eq!(
        samples(&metrics, "windlass_aws_requests_total"),
        ["not_sent", "ok", "throttled"]
            .map(|outcome| format!("{{{of},outcome=\"{outcome}\",service=\"appstream\"}} 1"))
    );
    assert_eq!(samples(&metrics, "windlass_aws_throttles_total"), [format!("{{{of},service=\"appstream\"}} 1")]);
    assert_eq!(
        samples(&metrics, "windlass_aws_request_duration_seconds_count"),
        [format!("{{{of},service=\"appstream\"}} 2")]
    );
}
