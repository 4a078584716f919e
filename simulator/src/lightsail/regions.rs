//! GetRegions.

use serde_json::Value as Json;

use crate::call::Call;
use crate::wire::{Value, map};

/// Name, display name and continent of Lightsail's Regions.
const REGIONS: [(&str, &str, &str); 19] = [
    ("us-east-1", "Virginia", "NA"),
    ("us-east-2", "Ohio", "NA"),
    ("us-west-2", "Oregon", "NA"),
    ("eu-west-1", "Ireland", "EU"),
    ("eu-west-2", "London", "EU"),
    ("eu-west-3", "Paris", "EU"),
    ("eu-central-1", "Frankfurt", "EU"),
    ("eu-north-1", "Stockholm", "EU"),
    ("eu-south-2", "Spain", "EU"),
    ("ca-central-1", "Montreal", "NA"),
    ("ap-east-1", "Hong Kong", "AP"),
    ("ap-south-1", "Mumbai", "AP"),
    ("ap-southeast-1", "Singapore", "AP"),
    ("ap-southeast-2", "Sydney", "AP"),
    ("ap-southeast-3", "Jakarta", "AP"),
    ("ap-southeast-5", "Malaysia", "AP"),
    ("ap-northeast-1", "Tokyo", "AP"),
    ("ap-northeast-2", "Seoul", "AP"),
    ("sa-east-1", "Sao Paulo", "SA"),
];

/// The zones of a Region; real Regions differ, here each has three.
pub(crate) fn zones(region: &str) -> Vec<String> {
    ["a", "b", "c"].iter().map(|letter| format!("{region}{letter}")).collect()
}

/// GetRegions: the zones only when they are asked for.
pub(crate) fn get(call: &Call<'_>) -> Value {
    let listed = |wanted: bool, region: &str| {
        let zone = |name: String| map([("zoneName", name.into()), ("state", "available".into())]);
        Value::List(if wanted { zones(region).into_iter().map(zone).collect() } else { Vec::new() })
    };
    let flag = |member: &str| call.input[member] == Json::Bool(true);
    let databases = flag("includeRelationalDatabaseAvailabilityZones");
    let one = |(name, display, continent): &(&str, &str, &str)| {
        map([
            ("continentCode", (*continent).into()),
            ("description", format!("This region is recommended to serve users near {display}").into()),
            ("displayName", (*display).into()),
            ("name", (*name).into()),
            ("availabilityZones", listed(flag("includeAvailabilityZones"), name)),
            ("relationalDatabaseAvailabilityZones", listed(databases, name)),
        ])
    };
    map([("regions", Value::List(REGIONS.iter().map(one).collect()))])
}
