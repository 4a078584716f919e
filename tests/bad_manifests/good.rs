//! Good manifests are taken, come back as they went, and fit the Rust types.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use windlass::api::{AccessGrant, Account, Fleet, ImageBuilder, Instance, Stack};

use super::{Cluster, KINDS, schema};

/// Rules that only the status has: it is written by the operator alone, from values that were parsed before.
pub const STATUS_RULES: [&str; 1] = ["this is not an ARN, which looks like arn:aws:service:region:account:resource"];

/// The object as its Rust type gives it back.
fn through_the_type(kind: &str, object: &Value) -> Value {
    fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
    }
    match kind {
        "AccessGrant" => through::<AccessGrant>(object),
        "Account" => through::<Account>(object),
        "Fleet" => through::<Fleet>(object),
        "Stack" => through::<Stack>(object),
        "ImageBuilder" => through::<ImageBuilder>(object),
        "Instance" => through::<Instance>(object),
        kind => panic!("no type of {kind} is known here"),
    }
}

#[tokio::test]
async fn a_good_manifest_comes_back_as_it_went_and_fits_the_types() {
    let cluster = Cluster::with("good").await;
    for tried in KINDS {
        for (number, good) in tried.good.iter().enumerate() {
            let mut manifest = good.but("{}");
            manifest["metadata"]["name"] = format!("good-{number}").into();
            let answer = cluster.create(&manifest, false).await.unwrap();
            let mut wanted = manifest["spec"].clone();
            for (field, value) in tried.defaults {
                if wanted[*field].is_null() {
                    wanted[*field] = (*value).into();
                }
            }
            for list in ["/disruption/windows", "/powerSchedule"] {
                for entry in wanted.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    if entry["timeZone"].is_null() {
                        entry["timeZone"] = "UTC".into();
                    }
                }
            }
            assert_eq!(answer["spec"], wanted, "{} {good:?}", tried.kind);
            assert_eq!(answer["status"], json!({ "observedGeneration": -1 }), "{} {good:?}", tried.kind);
            let typed = through_the_type(tried.kind, &answer);
            assert_eq!(typed["spec"], wanted, "{} {good:?}", tried.kind);
            assert_eq!(typed["status"]["observedGeneration"], -1, "{} {good:?}", tried.kind);
        }
    }
}

#[test]
fn the_good_manifests_have_every_field() {
    for tried in KINDS {
        let mut there = Vec::new();
        for good in tried.good {
            fields_of("spec", &good.but("{}")["spec"], &mut there);
        }
        let mut missing = Vec::new();
        fields_in("spec", &schema(tried.kind)["properties"]["spec"], &mut missing);
        missing.retain(|path| !there.contains(path));
        assert_eq!(missing, Vec::<String>::new(), "{}", tried.kind);
    }
}

#[tokio::test]
async fn an_object_with_a_long_name_is_taken_when_the_spec_has_a_shorter_one() {
    let cluster = Cluster::with("long").await;
    for tried in KINDS {
        // Whoever has no name in AWS has no bound but Kubernetes' own.
        let name = &schema(tried.kind)["properties"]["spec"]["properties"]["name"];
        let Some(longest) = name["maxLength"].as_u64() else { continue };
        let mut manifest = tried.good[0].but("spec: {name: short}");
        manifest["metadata"]["name"] = "a".repeat(253).into();
        assert!(cluster.create(&manifest, true).await.is_ok());
        let mut manifest = tried.good[0].but("{}");
        // An object's name has 253 characters at most.
        manifest["metadata"]["name"] = "a".repeat(longest.min(253) as usize).into();
        assert!(cluster.create(&manifest, true).await.is_ok());
    }
}

#[tokio::test]
async fn a_full_status_is_taken() {
    let cluster = Cluster::with("status").await;
    for tried in KINDS {
        let manifest = tried.good[0].but("{}");
        let created = cluster.create(&manifest, false).await.unwrap();
        let status = (tried.status)();
        let path = format!("{}/status?fieldValidation=Strict", cluster.path_of(&manifest));
        let patch = json!({ "status": status });
        let answer = cluster.request("PATCH", &path, "application/merge-patch+json", &patch).await.unwrap();
        assert_eq!(answer["status"], status, "{}", tried.kind);
        assert_eq!(answer["metadata"]["generation"], created["metadata"]["generation"], "{}", tried.kind);
        assert_eq!(through_the_type(tried.kind, &answer)["status"], status, "{}", tried.kind);
        // Every field of the schema's status is in it.
        let (mut there, mut missing) = (Vec::new(), Vec::new());
        fields_of("status", &status, &mut there);
        fields_in("status", &schema(tried.kind)["properties"]["status"], &mut missing);
        missing.retain(|path| !there.contains(path));
        assert_eq!(missing, Vec::<String>::new(), "{}", tried.kind);
    }
}

fn fields_of(path: &str, value: &Value, found: &mut Vec<String>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.push(path.clone());
        fields_of(&path, field, found);
    }
    for item in value.as_array().into_iter().flatten() {
        fields_of(path, item, found);
    }
}

fn fields_in(path: &str, schema: &Value, found: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.push(path.clone());
        fields_in(&path, field, found);
        fields_in(&path, &field["items"], found);
    }
}
