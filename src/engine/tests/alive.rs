//! What counts as a sign of life.

use super::super::*;
use super::bed::{Village, pass, showing};
use crate::telemetry::probes::Part;

#[tokio::test(start_paused = true)]
async fn an_engine_without_work_without_the_lease_or_without_an_answer_is_alive() {
    let village = Village::listed();
    pass(3600).await;
    assert_eq!(village.guest_engine.stuck(), None, "idle");
    village.guests.create("guest", showing(""));
    *lock(&village.aws.takes) = Duration::from_secs(u64::MAX / 4);
    for _ in 0..3600 {
        pass(1).await;
        assert_eq!(village.guest_engine.stuck(), None, "AWS does not answer");
    }
    village.lose_the_lease();
    pass(3600).await;
    assert_eq!(village.guest_engine.stuck(), None, "standby");
}

#[tokio::test(start_paused = true)]
async fn an_engine_whose_watch_shows_nothing_is_alive_and_one_whose_loop_stands_still_is_not() {
    let village = Village::new();
    pass(3600).await;
    assert_eq!(village.guest_engine.stuck(), None, "no API server");
    // A loop that hangs takes no more turns.
    village.stop();
    pass(61).await;
    let stuck = village.guest_engine.stuck().unwrap();
    assert_eq!((stuck.of, stuck.part), ("Guest.test.windlass.dev", Part::Loop));
}
