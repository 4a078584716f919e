//! Texts for fields that have a form, told by the rules of their schema.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Value;

/// What a rule holds, and two texts that it takes.
const BY_RULE: [(&str, [&str; 2]); 9] = [
    (
        ":application/",
        [
            "arn:aws:appstream:us-east-1:123456789012:application/walk-0",
            "arn:aws:appstream:us-east-1:123456789012:application/walk-1",
        ],
    ),
    (":role/", ["arn:aws:iam::123456789012:role/walk-0", "arn:aws:iam::123456789012:role/walk-1"]),
    (
        ":image/",
        [
            "arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v2",
            "arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v3",
        ],
    ),
    ("'^subnet-", ["subnet-walk0", "subnet-walk1"]),
    ("'^sg-", ["sg-walk0", "sg-walk1"]),
    ("(,[^,]*){5}", ["3,1,1,1133,50475,1,1,0", "3,1,2,1133,49970,1,1,0"]),
    ("duration(self)", ["2h", "3h"]),
    ("(/[A-Za-z0-9_+-]+)*$", ["Asia/Tokyo", "America/New_York"]),
    ("'^[a-z]{2,}(-[a-z]+)+-[0-9]+$'", ["eu-west-1", "us-west-2"]),
];

/// The nth text for a field of this schema. `leaf` is the field's own name.
pub fn text(schema: &Value, leaf: &str, n: usize, now: Timestamp) -> String {
    let rules: Vec<&str> = schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["rule"].as_str())
        .collect();
    // Cron expressions are told by the months in their form.
    if rules.iter().any(|rule| rule.contains("JAN|FEB")) {
        return cron(leaf, n, now);
    }
    if let Some((_, texts)) = BY_RULE.iter().find(|(part, _)| rules.iter().any(|rule| rule.contains(part))) {
        return texts[n % 2].to_owned();
    }
    format!("walk-{n}")
}

/// A time of day such that a change of it always shows: what is on now is off with the other `start`, and what ends later
/// ends sooner with the other `stop`; and nothing of it comes while the walk lasts.
fn cron(leaf: &str, n: usize, now: Timestamp) -> String {
    let at = match (n, leaf) {
        (0, "start") => now - 2.hours(),
        (0, _) => now + 4.hours(),
        (_, _) => now + 30.minutes(),
    };
    let at = at.to_zoned(TimeZone::UTC);
    format!("{} {} * * *", at.minute(), at.hour())
}

/// Another text in place of this one.
pub fn other(schema: &Value, present: &str) -> String {
    let most = schema["maxLength"].as_u64().map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    let ending = "-2";
    let kept: String = present.chars().take(most.saturating_sub(ending.len())).collect();
    format!("{kept}{ending}")
}

/// Whether a field of this schema has a form that a text must keep.
pub fn has_form(schema: &Value) -> bool {
    text(schema, "", 0, Timestamp::UNIX_EPOCH) != "walk-0"
}
