#![allow(clippy::unwrap_used)]

use super::*;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn seconds(expires: Option<u64>, interval: Option<u64>, uid: &str, now: Timestamp) -> f64 {
    let expires = expires.map(|seconds| now + Duration::from_secs(seconds));
    renew_at(expires, interval.map(Duration::from_secs), uid, now).duration_since(now).as_secs_f64()
}

#[test]
fn renewal_comes_when_a_third_to_three_fifths_of_the_time_are_over() {
    for n in 0..2000 {
        let uid = format!("7a1f-{n}");
        let by_expiry = seconds(Some(600), None, &uid, now());
        assert!((180.0..=360.0).contains(&by_expiry), "{by_expiry}");
        let by_interval = seconds(None, None, &uid, now());
        assert!((450.0..=900.0).contains(&by_interval), "{by_interval}");
        assert!(seconds(Some(3600), Some(60), &uid, now()) <= 60.0);
        assert_eq!(seconds(Some(0), None, &uid, now()), 5.0, "what has expired at once is not asked for in a loop");
    }
}

/// A thousand grants that begin in one second, ten-minute certificates, two hours.
#[test]
fn no_minute_has_more_than_twice_the_mean_of_renewals() {
    let mut minutes = vec![0_u32; 120];
    for n in 0..1000 {
        let uid = format!("0b6c-{n}");
        let mut at = now();
        loop {
            at = renew_at(Some(at + Duration::from_secs(600)), None, &uid, at);
            let minute = at.duration_since(now()).as_secs() / 60;
            let Some(count) = minutes.get_mut(usize::try_from(minute).unwrap()) else { break };
            *count += 1;
        }
    }
    // In the first three minutes nothing is due.
    let mean = f64::from(minutes.iter().sum::<u32>()) / 120.0;
    let most = f64::from(*minutes.iter().max().unwrap());
    assert!(most < 2.0 * mean, "{most} in a minute, {mean} on average");
}
