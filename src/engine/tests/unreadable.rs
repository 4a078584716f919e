//! Objects that this version cannot read.

use super::super::*;
use super::bed::{Village, a_moment, id, pass, resting_on, scope, showing};
use crate::aws::Stray;
use crate::plan::ownership;

fn unreadable(name: &str, version: &str, uid: Option<String>) -> Unreadable {
    Unreadable { id: id(name), uid, version: Some(version.into()), why: "missing field `shows`".into() }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_is_said_once_for_each_change_and_left_alone_until_it_can_be() {
    let village = Village::listed();
    village.guests.create("guest", showing("once"));
    a_moment().await;
    let uid = village.guests.get("guest").unwrap().metadata.uid;
    let (looks, told) = (|| village.aws.looks("guest").len(), || village.told.all().len());
    let before = looks();
    for version in ["1000", "1000", "1001"] {
        village.guests.tell(Sight::Unreadable(unreadable("guest", version, uid.clone())));
    }
    pass(300).await;
    assert_eq!((looks(), told()), (before, 2));
    let (about, news) = village.told.all().remove(0);
    let expected = ObjectReference {
        api_version: Some("test.windlass.dev/v1".into()),
        kind: Some("Thing".into()),
        namespace: Some("ns".into()),
        name: Some("guest".into()),
        uid,
        resource_version: Some("1000".into()),
        ..ObjectReference::default()
    };
    assert_eq!((about, news.warning, news.reason.as_str()), (expected, true, "Unreadable"));
    assert!(news.note.ends_with("cannot read the object and leaves it alone: missing field `shows`"), "{}", news.note);
    let count = |n| format!("windlass_unreadable_objects{{kind=\"Guest.test.windlass.dev\"}} {n}\n");
    assert!(village.metrics.text().unwrap().contains(&count(1)));
    // Nobody changed the spec: that it can be read is the change.
    village.guests.label("guest", "mended");
    a_moment().await;
    assert_eq!(looks(), before + 1);
    pass(100).await;
    assert!(looks() > before + 1);
    assert!(village.metrics.text().unwrap().contains(&count(0)));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_says_nothing_of_what_cannot_be_read_and_who_takes_the_lease_does() {
    let village = Village::listed();
    village.lose_the_lease();
    village.guests.tell(Sight::Unreadable(unreadable("guest", "7", Some("u".into()))));
    pass(100).await;
    assert_eq!(village.told.all(), []);
    village.take_the_lease();
    a_moment().await;
    assert_eq!(village.told.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_there_for_the_sweeper_and_for_its_neighbours_until_it_is_gone() {
    let village = Village::listed();
    let home = || Some(scope("eu-west-1"));
    let arn = "arn:aws:appstream:eu-west-1:123456789012:fleet/unread";
    let mut thing = super::bed::Thing::new("unread", showing(""));
    thing.metadata.namespace = Some("ns".into());
    thing.metadata.uid = Some("u".into());
    let tags = ownership::tags::<super::bed::Guest>(&scope("eu-west-1"), &thing);
    let stray = Stray { arn: arn.parse().unwrap(), tags };
    lock(&village.aws.strays).insert("eu-west-1".into(), vec![stray]);
    village.guests.tell(Sight::Unreadable(unreadable("unread", "7", Some("u".into()))));
    a_moment().await;
    assert_eq!(village.guest_engine.sweep(home()).await, 0);
    village.guests.tell(Sight::Gone(id("unread")));
    a_moment().await;
    assert_eq!(village.guest_engine.sweep(home()).await, 1);

    village.hosts.create("host", showing("here"));
    village.guests.create("guest", resting_on("host"));
    a_moment().await;
    village.hosts.tell(Sight::Unreadable(unreadable("host", "1000", None)));
    pass(100).await;
    assert_eq!(village.guests.says("guest"), "host is here.");
    // A list without it: it is gone.
    village.hosts.tell(Sight::Complete { within: None, all: HashSet::new() });
    a_moment().await;
    assert_eq!(village.guests.says("guest"), "host is nobody.");
}
