//! Where orphans are looked for, and how AWS is looked at while its reads lag.

use super::super::*;
use super::bed::{Guest, Thing, ThingSpec, Village, a_moment, id, pass, scope, showing};
use crate::aws::Stray;
use crate::plan::ownership;

/// What the object of this name left behind in a Region.
fn left_behind(region: &str, name: &str) -> Stray {
    let mut thing = Thing::new(name, showing(""));
    thing.metadata.namespace = Some("ns".into());
    thing.metadata.uid = Some(format!("gone-{name}"));
    let arn = format!("arn:aws:appstream:{region}:123456789012:fleet/{name}").parse().unwrap();
    Stray { arn, tags: ownership::tags::<Guest>(&scope(region), &thing) }
}

#[tokio::test(start_paused = true)]
async fn orphans_are_looked_for_where_objects_live_where_they_have_lived_and_at_home() {
    let village = Village::listed();
    for region in ["us-east-1", "us-west-2", "eu-west-1", "ap-south-1"] {
        lock(&village.aws.strays).insert(region.into(), vec![left_behind(region, &format!("of-{region}"))]);
    }
    let found = async |home| {
        let before = village.told.all().len();
        let count = village.guest_engine.sweep(home).await;
        let told = village.told.all().split_off(before);
        let names: Vec<String> = told.into_iter().filter_map(|(about, _)| about.name).collect();
        assert_eq!(names.len(), count);
        names
    };
    assert_eq!(found(None).await, Vec::<String>::new());
    assert_eq!(found(Some(scope("eu-west-1"))).await, ["of-eu-west-1"]);
    for region in ["us-east-1", "us-west-2"] {
        village.guests.create(region, ThingSpec { region: Some(region.into()), ..ThingSpec::default() });
    }
    a_moment().await;
    village.guests.delete("us-east-1");
    a_moment().await;
    assert!(village.guest_engine.object(&id("us-east-1")).is_none());
    assert_eq!(found(Some(scope("eu-west-1"))).await, ["of-eu-west-1", "of-us-east-1", "of-us-west-2"]);
}

#[tokio::test(start_paused = true)]
async fn while_reads_lag_behind_a_write_aws_is_asked_less_and_less_often() {
    let village = Village::listed();
    village.guests.create("guest", ThingSpec { wishes: true, ..ThingSpec::default() });
    pass(40).await;
    let sent: Vec<u64> = village.aws.sent().into_iter().map(|(at, _)| at).collect();
    assert_eq!(sent, [0, 30]);
    assert_eq!(village.aws.looks("guest"), [0, 0, 2, 6, 14, 30, 30, 32, 36]);
}
