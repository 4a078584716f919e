//! Every bound of the schema, from both sides: the last value that is taken and the first that is not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Cluster;
use super::Good::{self, Elastic, Full, MultiSession, Smallest};

/// A bounded value of the spec: where it is, in which manifest, its bounds, and how to make one of a given size. `Some`
/// lower bound whose value has the right form is tried as well; for the others only what lies beyond it.
struct Row {
    good: Good,
    path: &'static str,
    bounds: (i64, i64),
    lowest_is_well_formed: bool,
    of_size: fn(i64) -> Value,
}

const fn row(good: Good, path: &'static str, bounds: (i64, i64), of_size: fn(i64) -> Value) -> Row {
    Row { good, path, bounds, lowest_is_well_formed: true, of_size }
}

/// A row for a text whose form makes it longer than its lower bound.
const fn long(good: Good, path: &'static str, bounds: (i64, i64), of_size: fn(i64) -> Value) -> Row {
    Row { good, path, bounds, lowest_is_well_formed: false, of_size }
}

fn rows() -> Vec<Row> {
    vec![
        row(Smallest, "name", (1, 101), letters),
        row(Smallest, "account", (1, 253), letters),
        row(Smallest, "instanceType", (1, 128), letters),
        row(Smallest, "imageName", (1, 101), letters),
        row(Smallest, "displayName", (1, 100), letters),
        row(Smallest, "description", (1, 256), letters),
        row(Smallest, "platform", (1, 64), |size| "A".repeat(size as usize).into()),
        row(Smallest, "domainJoinInfo.directoryName", (1, 255), letters),
        row(Full, "domainJoinInfo.organizationalUnitDistinguishedName", (1, 2000), letters),
        row(Elastic, "sessionScriptS3Location.s3Bucket", (3, 63), letters),
        row(Elastic, "sessionScriptS3Location.s3Key", (1, 1024), letters),
        row(Smallest, "tags.a", (0, 256), letters),
        row(Full, "disruption.windows.0.name", (1, 63), letters),
        row(Full, "powerSchedule.0.name", (1, 63), letters),
        row(Full, "disruption.windows.0.timeZone", (1, 64), letters),
        row(Full, "powerSchedule.0.timeZone", (1, 64), letters),
        long(Smallest, "region", (1, 32), |size| padded("aa-", size, "-1")),
        long(Full, "imageArn", (1, 2048), |size| padded("arn:aws:appstream:::image/", size, "")),
        long(Full, "iamRoleArn", (1, 2048), |size| padded("arn:aws:iam::123456789012:role/", size, "")),
        long(Elastic, "applicationArns.0", (1, 2048), |size| {
            padded("arn:aws:appstream:a:123456789012:application/", size, "")
        }),
        long(Smallest, "vpcConfig.subnetIds.0", (1, 64), |size| padded("subnet-", size, "")),
        long(Smallest, "vpcConfig.securityGroupIds.0", (1, 64), |size| padded("sg-", size, "")),
        long(Smallest, "usbDeviceFilterStrings.0", (1, 100), |size| padded("", size, ",3,*,*,1386,*,1,0")),
        long(Full, "disruption.forceAfter", (2, 21), duration),
        long(Full, "disruption.windows.0.duration", (2, 21), duration),
        row(Full, "disruption.windows.0.start", (9, 128), cron),
        row(Full, "powerSchedule.0.start", (9, 128), cron),
        row(Full, "powerSchedule.0.stop", (9, 128), cron),
        row(Full, "computeCapacity.desiredInstances", (0, 1_000_000), |size| size.into()),
        row(MultiSession, "computeCapacity.desiredSessions", (0, 1_000_000), |size| size.into()),
        row(Elastic, "maxConcurrentSessions", (1, 1_000_000), |size| size.into()),
        row(MultiSession, "maxSessionsPerInstance", (2, 50), |size| size.into()),
        row(Smallest, "maxUserDurationInSeconds", (600, 432_000), |size| size.into()),
        row(Smallest, "disconnectTimeoutInSeconds", (60, 360_000), |size| size.into()),
        row(Smallest, "idleDisconnectTimeoutInSeconds", (0, 360_000), |size| size.into()),
        row(Full, "rootVolumeConfig.volumeSizeInGb", (200, 500), |size| size.into()),
        row(Smallest, "tags", (0, 45), |size| {
            (0..size).map(|n| (format!("key-{n}"), json!("value"))).collect::<serde_json::Map<_, _>>().into()
        }),
        row(Smallest, "vpcConfig.subnetIds", (1, 16), |size| list(size, |n| json!(format!("subnet-{n}")))),
        row(Smallest, "vpcConfig.securityGroupIds", (1, 5), |size| list(size, |n| json!(format!("sg-{n}")))),
        row(Smallest, "usbDeviceFilterStrings", (1, 50), |size| {
            list(size, |n| json!(format!("d{n},3,*,*,1386,*,1,0")))
        }),
        row(Elastic, "applicationArns", (0, 50), |size| {
            list(size, |n| json!(format!("arn:aws:appstream:eu-central-1:123456789012:application/{n}")))
        }),
        row(Smallest, "disruption.windows", (1, 32), |size| {
            list(size, |n| json!({ "name": format!("w{n}"), "start": "0 1 * * *", "duration": "1h" }))
        }),
        row(Smallest, "powerSchedule", (1, 32), |size| {
            list(size, |n| json!({ "name": format!("p{n}"), "start": "0 1 * * *", "stop": "0 2 * * *" }))
        }),
    ]
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
    for row in rows() {
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
                (Ok(_), false) => wrong.push(format!("{} of size {size} was taken", row.path)),
                (Err(said), _) => wrong.push(format!("{} of size {size}: {said}", row.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_bound_of_the_schema_is_tried() {
    let definition = windlass::crds::all().remove(0);
    let schema = serde_json::to_value(&definition.spec.versions[0].schema).unwrap();
    let mut wanted = BTreeSet::new();
    bounds("", &schema["openAPIV3Schema"]["properties"]["spec"], &mut wanted);
    let tried: BTreeSet<_> = rows()
        .iter()
        .map(|row| {
            let path = row.path.replace("tags.a", "tags.{}").replace(".0", ".[]");
            (path, row.bounds.0, row.bounds.1)
        })
        .collect();
    assert_eq!(tried, wanted);
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

fn list(size: i64, of_number: impl Fn(i64) -> Value) -> Value {
    (0..size).map(of_number).collect::<Vec<_>>().into()
}

fn letters(size: i64) -> Value {
    "a".repeat(size as usize).into()
}

fn padded(before: &str, size: i64, after: &str) -> Value {
    let rest = (size as usize).saturating_sub(before.len() + after.len());
    if size as usize <= before.len() + after.len() {
        return "a".repeat(size as usize).into();
    }
    format!("{before}{}{after}", "a".repeat(rest)).into()
}

/// The longest duration that the form allows, shortened or lengthened to the size.
fn duration(size: i64) -> Value {
    let longest = "008759h000059m000059s";
    match longest.len().checked_sub(size as usize) {
        Some(spare) => longest[spare..].into(),
        None => format!("0{longest}").into(),
    }
}

/// `* * * * *` made longer by minutes.
fn cron(size: i64) -> Value {
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
