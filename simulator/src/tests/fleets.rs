//! Capacity, sessions and what people do to fleets.

use super::*;

#[tokio::test]
async fn capacity_follows_what_is_desired_in_aws_own_time() {
    let world = running(Settings::default()).await;
    assert_eq!(counts(&world), (2, 2, 0, 2));
    scale(&world, 3).await;
    assert_eq!(counts(&world), (3, 2, 0, 2));
    world.advance(10 * MINUTE);
    assert_eq!(counts(&world), (3, 3, 0, 3));
    scale(&world, 1).await;
    assert_eq!(counts(&world), (1, 3, 0, 3), "idle instances leave after a while");
    world.advance(2 * MINUTE);
    assert_eq!(counts(&world), (1, 1, 0, 1));
    assert_eq!(look(&world, "f").state, FleetState::Running);
}

#[tokio::test]
async fn scaling_in_to_zero_leaves_sessions_alone() {
    let world = running(Settings::default()).await;
    let session = world.open_session("desk", "f", "alice", AuthenticationType::Api).unwrap();
    scale(&world, 0).await;
    world.advance(60 * MINUTE);
    assert_eq!(counts(&world), (0, 1, 1, 0));
    assert!(world.open_session("desk", "f", "bob", AuthenticationType::Api).is_err());
    assert!(world.end_session(&session));
    assert_eq!(counts(&world), (0, 0, 0, 0), "a used instance is not replaced when nothing is desired");
    assert_eq!((look(&world, "f").sessions_killed, rules(&world)), (0, vec![]));
}

#[tokio::test]
async fn a_user_may_come_until_the_idle_instance_has_left() {
    let world = running(Settings::default()).await;
    scale(&world, 0).await;
    world.advance(MINUTE);
    world.open_session("desk", "f", "late", AuthenticationType::Saml).unwrap();
    world.advance(5 * MINUTE);
    assert_eq!(counts(&world), (0, 1, 1, 0));
}

#[tokio::test]
async fn a_used_instance_is_replaced_after_its_session() {
    let world = running(Settings::default()).await;
    let session = world.open_session("desk", "f", "alice", AuthenticationType::Api).unwrap();
    assert_eq!(counts(&world), (2, 2, 1, 1));
    world.end_session(&session);
    assert_eq!(counts(&world), (2, 1, 0, 1));
    world.advance(10 * MINUTE);
    assert_eq!(counts(&world), (2, 2, 0, 2));
}

#[tokio::test]
async fn sessions_end_by_themselves() {
    let world = running(Settings::default()).await;
    let gone = world.open_session("desk", "f", "gone", AuthenticationType::Api).unwrap();
    world.open_session("desk", "f", "stays", AuthenticationType::Api).unwrap();
    world.disconnect_session(&gone);
    world.advance(14 * MINUTE);
    assert_eq!(look(&world, "f").sessions.len(), 2);
    world.advance(2 * MINUTE);
    assert_eq!(look(&world, "f").sessions.iter().map(|one| one.user.clone()).collect::<Vec<_>>(), ["stays"]);
    world.advance(Duration::from_secs(57_600));
    assert_eq!(look(&world, "f").sessions, []);
}

#[tokio::test]
async fn speed_shortens_transitions_and_nothing_else() {
    let world = World::new(Settings { speed: 60.0, ..Settings::default() });
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    world.advance(Duration::from_secs(12));
    world.associate("f", "desk");
    assert_eq!(look(&world, "f").state, FleetState::Running);
    world.open_session("desk", "f", "alice", AuthenticationType::Api).unwrap();
    world.advance(Duration::from_secs(57_599));
    assert_eq!(look(&world, "f").sessions.len(), 1);
}

#[tokio::test]
async fn a_fleet_in_trouble_stays_starting_until_it_is_helped() {
    let world = World::new(Settings::default());
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    world.fleet_errors("f", &["SUBNET_NOT_FOUND"]);
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    world.advance(10_000 * MINUTE);
    let described = call(&world, "DescribeFleets", json!({})).await.unwrap();
    assert_eq!(described["Fleets"][0]["State"], "STARTING");
    assert_eq!(described["Fleets"][0]["FleetErrors"][0]["ErrorCode"], "SUBNET_NOT_FOUND");
    world.fleet_errors("f", &[]);
    world.advance(12 * MINUTE);
    assert_eq!(look(&world, "f").state, FleetState::Running);
    call(&world, "StopFleet", json!({"Name": "f"})).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    world.advance(5 * MINUTE);
    assert_eq!(look(&world, "f").state, FleetState::Stopped);
}

#[tokio::test]
async fn people_change_fleets_behind_the_operators_back() {
    let world = running(Settings::default()).await;
    assert!(world.edit_fleet("f", |fleet| {
        fleet.desired_instances = 5;
        fleet.settings.description = Some("by hand".to_owned());
    }));
    let fleet = look(&world, "f");
    assert_eq!((fleet.capacity.desired, fleet.settings.description.as_deref()), (5, Some("by hand")));
    assert!(world.stop_fleet_out_of_band("f"));
    assert!(!world.stop_fleet_out_of_band("f"));
    assert_eq!(look(&world, "f").state, FleetState::Stopping);
    assert!(world.delete_fleet_out_of_band("f"));
    assert_eq!(world.fleets(), []);
    assert_eq!(world.violations(), [], "people are not judged");
}
