//! Every bound of the schema, from both sides: the last value that is taken and the first that is not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Cluster, Good, KINDS, schema};

/// A bounded value of the spec: where it is, in which manifest, its bounds, and how to make one of a given size. `Some`
/// lower bound whose value has the right form is tried as well; for the others only what lies beyond it.
pub struct Bound {
    good: Good,
    path: &'static str,
    bounds: (i64, i64),
    lowest_is_well_formed: bool,
    of_size: fn(i64) -> Value,
}

pub const fn row(good: Good, path: &'static str, bounds: (i64, i64), of_size: fn(i64) -> Value) -> Bound {
    Bound { good, path, bounds, lowest_is_well_formed: true, of_size }
}

/// A row for a text whose form makes it longer than its lower bound.
pub const fn long(good: Good, path: &'static str, bounds: (i64, i64), of_size: fn(i64) -> Value) -> Bound {
    Bound { good, path, bounds, lowest_is_well_formed: false, of_size }
}

/// What the API server says when a bound is broken, in its own words.
const REFUSED: [&str; 8] = [
    "should be at least",
    "should be less than or equal to",
    "should be greater than or equal to",
    "should have at least",
    "Too long: may not be more than",
    "Too many: ",
    "must have at most",
    "is too long",
];

#[tokio::test]
async fn a_bound_takes_its_last_value_and_refuses_the_next() {
    let cluster = Cluster::with("bounds").await;
    let mut wrong = Vec::new();
    for (kind, row) in KINDS.iter().flat_map(|tried| (tried.bounds)().into_iter().map(move |row| (tried.kind, row))) {
        let (low, high) = row.bounds;
        let mut tried = vec![(high, true), (high + 1, false)];
        // No text, list or map is shorter than nothing.
        if low > 0 || (row.of_size)(0).is_i64() {
            tried.push((low - 1, false));
        }
        if row.lowest_is_well_formed {
            tried.push((low, true));
        }
        for (size, good) in tried {
            let mut manifest = row.good.but("{}");
            put(&mut manifest["spec"], row.path, (row.of_size)(size));
            match (cluster.create(&manifest, true).await, good) {
                (Ok(_), true) => {}
                (Err(said), false)
                    if said.contains(&format!("spec.{}", name_in_message(row.path)))
                        && REFUSED.iter().any(|words| said.contains(words)) => {}
                (Ok(_), false) => wrong.push(format!("{kind}: {} of size {size} was taken", row.path)),
                (Err(said), _) => wrong.push(format!("{kind}: {} of size {size}: {said}", row.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_bound_of_the_schema_is_tried() {
    for tried in KINDS {
        let mut wanted = BTreeSet::new();
        bounds("", &schema(tried.kind)["properties"]["spec"], &mut wanted);
        let of_rows: BTreeSet<_> = (tried.bounds)()
            .iter()
            .map(|row| {
                let path =
                    ["tags", "labels", "annotations"].into_iter().fold(row.path.replace(".0", ".[]"), |path, map| {
                        path.replace(&format!("{map}.a"), &format!("{map}.{{}}"))
                    });
                (path, row.bounds.0, row.bounds.1)
            })
            .collect();
        assert_eq!(of_rows, wanted, "{}", tried.kind);
    }
}

fn bounds(path: &str, schema: &Value, found: &mut BTreeSet<(String, i64, i64)>) {
    let number = |key: &str| schema[key].as_f64().map(|bound| bound as i64);
    for (low, high) in [
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    ] {
        if let Some(high) = number(high) {
            found.insert((path.to_owned(), number(low).unwrap_or(0), high));
        }
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        bounds(&below(name), field, found);
    }
    if schema["items"].is_object() {
        bounds(&below("[]"), &schema["items"], found);
    }
    if schema["additionalProperties"].is_object() {
        bounds(&below("{}"), &schema["additionalProperties"], found);
    }
}

/// Puts a value at a dotted path, making what is missing on the way; `0` is the first item of a list. A name that decides
/// what else may be there (one of two) takes the other away.
fn put(target: &mut Value, path: &str, value: Value) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let slot = if first == "0" {
        if !target.is_array() {
            *target = json!([null]);
        }
        &mut target[0]
    } else {
        if target.is_null() {
            *target = json!({});
        }
        &mut target[first]
    };
    match rest {
        Some(rest) => put(slot, rest, value),
        None => *slot = value,
    }
}

/// `disruption.windows.0.start` as the API server writes it.
fn name_in_message(path: &str) -> String {
    path.replace(".0", "[0]")
}

pub fn list(size: i64, of_number: impl Fn(i64) -> Value) -> Value {
    (0..size).map(of_number).collect::<Vec<_>>().into()
}

pub fn letters(size: i64) -> Value {
    "a".repeat(size as usize).into()
}

pub fn padded(before: &str, size: i64, after: &str) -> Value {
    let rest = (size as usize).saturating_sub(before.len() + after.len());
    if size as usize <= before.len() + after.len() {
        return "a".repeat(size as usize).into();
    }
    format!("{before}{}{after}", "a".repeat(rest)).into()
}

/// The longest duration that the form allows, shortened or lengthened to the size.
pub fn duration(size: i64) -> Value {
    let longest = "008759h000059m000059s";
    match longest.len().checked_sub(size as usize) {
        Some(spare) => longest[spare..].into(),
        None => format!("0{longest}").into(),
    }
}

/// `* * * * *` made longer by minutes.
pub fn cron(size: i64) -> Value {
    let mut text = "* * * * *".to_owned();
    while text.len() + 2 <= size as usize {
        text.insert_str(0, "1,");
    }
    if text.len() < size as usize {
        text.insert(0, '0');
    }
    text.truncate(size as usize);
    text.into()
}
