//! Schedules: time zones, daylight saving, overlaps, long windows, leap days.

use jiff::Timestamp;

use super::*;
use crate::api::fleet::DesiredState::{Running, Stopped};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window(start: &str, duration: &str, zone: Option<&str>) -> Window {
    Window { name: "w".into(), start: start.into(), duration: duration.into(), time_zone: zone.map(Into::into) }
}

fn period(start: &str, stop: &str, zone: &str) -> PowerPeriod {
    PowerPeriod { name: "p".into(), start: start.into(), stop: stop.into(), time_zone: Some(zone.into()) }
}

fn open(all: &[Window], now: &str) -> bool {
    windows(Some(all), at(now)).unwrap() == WindowsNow::Open
}

fn on(all: &[PowerPeriod], now: &str) -> (DesiredState, Option<String>) {
    let now = power(all, at(now)).unwrap();
    (now.state, now.changes.map(|at| at.to_string()))
}

#[test]
fn durations_are_read_and_others_named() {
    let rows = [("1h30m", 5400), ("45m", 2700), ("90s", 90), ("8760h", 31_536_000), ("1h1m1s", 3661)];
    for (text, seconds) in rows {
        assert_eq!(duration("f", text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for text in ["", "1", "h", "1d", "-1h", "1.5h", "99999999999999999999h", "9999999999999999h", " 1h"] {
        assert_eq!(duration("f", text), Err(format!("f: `{text}` is not a duration such as 1h30m")));
    }
}

#[test]
fn no_windows_mean_any_time_and_a_window_is_open_from_its_start_to_before_its_end() {
    assert_eq!(windows(None, at("2026-11-22T12:00:00Z")), Ok(WindowsNow::Always));
    assert_eq!(windows(Some(&[]), at("2026-11-22T12:00:00Z")), Ok(WindowsNow::Always));
    let all = [window("0 22 * * SUN", "2h", None)];
    let closed = |next: &str| Ok(WindowsNow::Closed { next: at(next) });
    assert_eq!(windows(Some(&all), at("2026-11-22T21:59:59Z")), closed("2026-11-22T22:00:00Z"));
    assert_eq!(windows(Some(&all), at("2026-11-22T22:00:00Z")), Ok(WindowsNow::Open));
    assert_eq!(windows(Some(&all), at("2026-11-22T23:59:59Z")), Ok(WindowsNow::Open));
    assert_eq!(windows(Some(&all), at("2026-11-23T00:00:00Z")), closed("2026-11-29T22:00:00Z"));
}

#[test]
fn windows_may_overlap_and_the_next_is_the_earliest_of_all() {
    let all = [window("0 22 * * *", "2h", None), window("0 23 * * *", "2h", None), window("0 6 * * *", "1h", None)];
    for (now, wanted) in [("22:30", true), ("23:30", true), ("00:30", true), ("01:00", false), ("06:59", true)] {
        assert_eq!(open(&all, &format!("2026-11-22T{now}:00Z")), wanted, "{now}");
    }
    let next = WindowsNow::Closed { next: at("2026-11-22T06:00:00Z") };
    assert_eq!(windows(Some(&all), at("2026-11-22T03:00:00Z")), Ok(next));
}

#[test]
fn a_window_longer_than_its_period_is_always_open() {
    let all = [window("0 0 * * *", "25h", None)];
    for hour in 0..24 {
        assert!(open(&all, &format!("2026-11-22T{hour:02}:00:00Z")));
    }
}

#[test]
fn a_window_on_the_29th_of_february_waits_for_a_leap_year() {
    let all = [window("0 0 29 2 *", "1h", None)];
    let next = |now: &str| match windows(Some(&all), at(now)) {
        Ok(WindowsNow::Closed { next }) => next.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(next("2026-11-22T00:00:00Z"), "2028-02-29T00:00:00Z");
    assert_eq!(next("2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z", "2100 is no leap year");
    assert!(open(&all, "2028-02-29T00:30:00Z"));
}

#[test]
fn local_time_follows_daylight_saving_both_ways() {
    let berlin = Some("Europe/Berlin");
    let all = [window("0 22 * * *", "1h", berlin)];
    assert!(open(&all, "2026-07-01T20:30:00Z") && !open(&all, "2026-07-01T21:30:00Z"), "summer is two hours ahead");
    assert!(open(&all, "2026-12-01T21:30:00Z") && !open(&all, "2026-12-01T20:30:00Z"), "winter is one hour ahead");
    // 29 March 2026: 02:00 becomes 03:00. A window at 02:30 that day comes at the first moment that there is, or not at all,
    // and is there again the day after; a length is a length.
    let night = [window("30 2 * * *", "1h", berlin)];
    assert!(open(&night, "2026-03-28T01:45:00Z") && open(&night, "2026-03-30T00:45:00Z"));
    let opened = (0..180)
        .filter(|minute| open(&night, &(at("2026-03-29T00:00:00Z") + jiff::Span::new().minutes(*minute)).to_string()));
    assert!([0, 60].contains(&opened.count()));
    // 25 October 2026: 03:00 becomes 02:00, so 02:30 comes twice; each opening lasts its hour and no longer.
    let opened = (0..240)
        .filter(|minute| open(&night, &(at("2026-10-25T00:00:00Z") + jiff::Span::new().minutes(*minute)).to_string()));
    assert!([60, 120].contains(&opened.count()));
}

#[test]
fn a_fleet_is_on_from_a_start_to_the_next_stop_in_its_own_time_zone() {
    let office = [period("0 8 * * MON-FRI", "0 18 * * MON-FRI", "Europe/Berlin")];
    assert_eq!(on(&office, "2026-07-01T06:00:00Z"), (Running, Some("2026-07-01T16:00:00Z".into())));
    assert_eq!(on(&office, "2026-12-01T06:59:59Z"), (Stopped, Some("2026-12-01T07:00:00Z".into())));
    assert_eq!(on(&office, "2026-12-04T17:00:00Z"), (Stopped, Some("2026-12-07T07:00:00Z".into())), "a weekend");
    // Over the change of the clocks, a Sunday.
    let daily = [period("0 8 * * *", "0 18 * * *", "Europe/Berlin")];
    assert_eq!(on(&daily, "2026-03-28T17:00:00Z"), (Stopped, Some("2026-03-29T06:00:00Z".into())));
    assert_eq!(on(&daily, "2026-10-24T16:00:00Z"), (Stopped, Some("2026-10-25T07:00:00Z".into())));
}

#[test]
fn starts_that_come_more_often_than_stops_do_not_turn_a_fleet_off() {
    let week = [period("0 8 * * MON-FRI", "0 18 * * FRI", "UTC")];
    assert_eq!(on(&week, "2026-11-24T03:00:00Z"), (Running, Some("2026-11-27T18:00:00Z".into())));
    assert_eq!(on(&week, "2026-11-28T03:00:00Z"), (Stopped, Some("2026-11-30T08:00:00Z".into())));
    let stops = [period("0 8 * * MON", "0 18 * * *", "UTC")];
    assert_eq!(on(&stops, "2026-11-24T09:00:00Z"), (Stopped, Some("2026-11-30T08:00:00Z".into())));
}

#[test]
fn any_entry_that_is_on_keeps_the_fleet_on_and_the_next_change_is_that_of_all_together() {
    let all = [period("0 8 * * *", "0 12 * * *", "UTC"), period("0 11 * * *", "0 18 * * *", "UTC")];
    assert_eq!(on(&all, "2026-11-22T09:00:00Z"), (Running, Some("2026-11-22T18:00:00Z".into())));
    let always = [period("0 0 * * *", "0 12 * * *", "UTC"), period("0 11 * * *", "0 1 * * *", "UTC")];
    assert_eq!(on(&always, "2026-11-22T09:00:00Z"), (Running, None));
}

#[test]
fn what_no_schema_can_judge_is_named() {
    let now = at("2026-11-22T12:00:00Z");
    let rows = [
        (
            window("0 22 * *", "1h", None),
            "disruption.windows[w].start: `0 22 * *` is not a cron expression of five fields",
        ),
        (window("0 0 30 2 *", "1h", None), "disruption.windows[w].start: `0 0 30 2 *`"),
        (
            window("0 22 * * *", "1h", Some("Mars/Base")),
            "disruption.windows[w].start: `Mars/Base` is not an IANA time zone",
        ),
        (window("0 22 * * *", "1d", None), "disruption.windows[w].duration: `1d` is not a duration such as 1h30m"),
        (window("0 22 * * *", "0s", None), "disruption.windows[w].duration: a window of no length never opens"),
    ];
    for (window, words) in rows {
        let wrong = windows(Some(&[window]), now).unwrap_err();
        assert!(wrong.starts_with(words), "{wrong}");
    }
    let wrong = power(&[period("0 8 * * *", "x", "UTC")], now).unwrap_err();
    assert_eq!(wrong, "powerSchedule[p].stop: `x` is not a cron expression of five fields");
}
