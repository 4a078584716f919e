//! Objects that rest on others, and on keys.

use super::super::*;
use super::bed::{ThingSpec, Village, a_moment, id, pass, resting_on, showing};
use crate::plan::{Class, KeyFound, SecretText};

#[tokio::test(start_paused = true)]
async fn who_rests_on_something_waits_for_the_first_list_of_that_kind_and_nobody_else_does() {
    let village = Village::new();
    village.guests.create("resting", resting_on("host"));
    village.guests.create("free", showing(""));
    village.hosts.create("host", showing("here"));
    village.guests.listed();
    pass(600).await;
    assert_eq!(
        (village.aws.looks("resting"), village.guests.get("resting").unwrap().metadata.finalizers),
        (vec![], None)
    );
    assert_eq!(village.aws.looks("free").first(), Some(&0));
    village.hosts.listed();
    a_moment().await;
    assert_eq!((village.aws.looks("resting"), village.guests.says("resting")), (vec![600], "host is here.".into()));
}

#[tokio::test(start_paused = true)]
async fn a_face_that_appears_differs_or_goes_is_seen_at_once_by_who_rests_on_it() {
    let village = Village::listed();
    village.guests.create("guest", resting_on("host"));
    village.guests.create("other", resting_on("elsewhere"));
    a_moment().await;
    assert_eq!(village.guests.says("guest"), "host is nobody.");
    for (change, says) in [
        (&(|village: &Village| village.hosts.create("host", showing("new"))) as &dyn Fn(&Village), "host is new."),
        (&|village| village.hosts.edit("host", |spec| spec.shows = "other".into()), "host is other."),
        (&|village| village.hosts.delete("host"), "host is nobody."),
        (&|village| village.hosts.create("host", showing("again")), "host is again."),
        (&|village| village.guests.edit("guest", |spec| spec.host = Some("elsewhere".into())), "elsewhere is nobody."),
        (&|village| village.hosts.create("elsewhere", showing("there")), "elsewhere is there."),
    ] {
        pass(5).await;
        change(&village);
        a_moment().await;
        assert_eq!(village.guests.says("guest"), says);
    }
    assert_eq!(village.guests.says("other"), "elsewhere is there.");
}

#[tokio::test(start_paused = true)]
async fn what_changes_no_face_and_whom_nobody_rests_on_any_more_asks_for_nothing() {
    let village = Village::listed();
    village.hosts.create("host", showing("here"));
    village.guests.create("guest", resting_on("host"));
    a_moment().await;
    let looks = || village.aws.looks("guest").len();
    let before = looks();
    village.hosts.label("host", "blue");
    village.hosts.edit("host", |spec| spec.key = Some("k".into()));
    village.hosts.create("another", showing("there"));
    a_moment().await;
    assert_eq!(looks(), before);
    village.guests.edit("guest", |spec| spec.host = None);
    a_moment().await;
    assert_eq!(looks(), before + 1);
    village.hosts.edit("host", |spec| spec.shows = "changed".into());
    a_moment().await;
    assert_eq!(looks(), before + 1);
    assert!(!village.neighbourhood.is_rested_on("Host.test.windlass.dev", &id("host")));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_a_neighbour_that_has_changed_since_it_was_planned_for() {
    let village = Village::listed();
    village.hosts.create("host", showing("old"));
    pass(1).await;
    *lock(&village.aws.takes) = Duration::from_secs(2);
    village.guests.create("guest", ThingSpec { wishes: true, ..resting_on("host") });
    pass(1).await;
    village.hosts.edit("host", |spec| spec.shows = "new".into());
    pass(5).await;
    assert_eq!(village.aws.sent(), [(5, "host is new.".to_owned())]);
}

/// A create that was announced and may have been sent is waited for until its absence is certain.
#[tokio::test(start_paused = true)]
async fn what_was_announced_and_is_not_sent_for_a_neighbour_that_has_changed_is_taken_back() {
    let village = Village::listed();
    village.hosts.create("host", showing("old"));
    village.guests.create("guest", resting_on("host"));
    pass(1).await;
    let hosts = village.hosts.clone();
    village.guests.then(move || hosts.edit("host", |spec| spec.shows = "new".into()));
    village.guests.edit("guest", |spec| (spec.wishes, spec.announces) = (true, true));
    pass(1).await;
    assert_eq!(village.aws.sent().into_iter().map(|(_, says)| says).collect::<Vec<_>>(), ["host is new."]);
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(village.guests.announced(), [None, said("host is old."), None, said("host is new.")]);
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_may_mend_what_was_refused_for_good_and_shortens_no_other_wait() {
    for (class, at_once) in [(Class::Rejected, true), (Class::Unavailable, false)] {
        let village = Village::listed();
        *lock(&village.aws.refuses) = Some(class);
        village.guests.create("guest", ThingSpec { wishes: true, ..resting_on("host") });
        pass(600).await;
        let sent = village.aws.sent().len();
        // Right after a try: the next one is a minute away or more.
        while village.aws.sent().len() == sent {
            pass(1).await;
        }
        *lock(&village.aws.refuses) = None;
        village.hosts.create("host", showing("here"));
        pass(5).await;
        let mended = village.aws.sent().last().unwrap().1 == "host is here.";
        assert_eq!(mended, at_once, "{class:?}");
        pass(600).await;
        assert_eq!(village.aws.sent().last().unwrap().1, "host is here.", "{class:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_read_for_the_look_that_asks_for_it_and_every_answer_reaches_the_plan() {
    let village = Village::listed();
    let found = [
        ("value", KeyFound::Value(SecretText::new("v".into())), "v"),
        ("away", KeyFound::Absent, "Absent"),
        ("denied", KeyFound::NotPermitted("no".into()), "NotPermitted(\"no\")"),
        ("binary", KeyFound::NotText, "NotText"),
        ("silent", KeyFound::Unknown, "Unknown"),
    ];
    for (name, found, _) in &found {
        village.guests.set_key(name, found.clone());
        village.guests.create(name, ThingSpec { key: Some((*name).into()), ..ThingSpec::default() });
    }
    // A read that is not answered ends by its deadline.
    pass(30).await;
    for (name, _, says) in &found {
        assert_eq!(village.guests.says(name), format!("key {name} of Secret s is {says}."));
    }
    let text = village.metrics.text().unwrap();
    for (outcome, count) in [("ok", 2), ("gone", 1), ("refused", 1), ("unavailable", 1)] {
        let line = format!("windlass_kube_requests_total{{effect=\"read_key\",outcome=\"{outcome}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    // Nothing is kept: the next pass asks again.
    let before = village.guests.key_reads();
    village.guests.set_key("value", KeyFound::Value(SecretText::new("w".into())));
    village.guests.edit("value", |spec| spec.shows = "edited".into());
    a_moment().await;
    assert_eq!(
        (village.guests.key_reads() - before, village.guests.says("value")),
        (1, "key value of Secret s is w.".into())
    );
}
