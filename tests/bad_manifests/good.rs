//! Good manifests are taken, come back as they went, and fit the Rust types.

use serde_json::{Value, json};
use windlass::api::Fleet;

use super::{Cluster, Good};

/// Rules that only the status has: it is written by the operator alone, from values that were parsed before.
pub const STATUS_RULES: [&str; 1] = ["this is not an ARN, which looks like arn:aws:service:region:account:resource"];

#[tokio::test]
async fn a_good_manifest_comes_back_as_it_went_and_fits_the_types() {
    let cluster = Cluster::with("good").await;
    for (number, good) in Good::ALL.into_iter().enumerate() {
        let mut manifest = good.but("{}");
        manifest["metadata"]["name"] = format!("good-{number}").into();
        let answer = cluster.create(&manifest, false).await.unwrap();
        let mut wanted = manifest["spec"].clone();
        for (field, value) in [
            ("fleetType", "ON_DEMAND"),
            ("desiredState", "Running"),
            ("deletionPolicy", "Delete"),
            ("adoptionPolicy", "Never"),
            ("managementPolicy", "Manage"),
            ("recreatePolicy", "Always"),
        ] {
            if wanted[field].is_null() {
                wanted[field] = value.into();
            }
        }
        for list in ["/disruption/windows", "/powerSchedule"] {
            for entry in wanted.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if entry["timeZone"].is_null() {
                    entry["timeZone"] = "UTC".into();
                }
            }
        }
        assert_eq!(answer["spec"], wanted, "{good:?}");
        assert_eq!(answer["status"], json!({ "observedGeneration": -1 }), "{good:?}");
        let typed: Fleet = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!(serde_json::to_value(&typed.spec).unwrap(), wanted, "{good:?}");
        assert_eq!(typed.status.unwrap().observed_generation, -1, "{good:?}");
    }
}

#[test]
fn the_good_manifests_have_every_field() {
    let definition = windlass::crds::all().remove(0);
    let schema = serde_json::to_value(&definition.spec.versions[0].schema).unwrap();
    let mut there = Vec::new();
    for good in Good::ALL {
        fields_of("spec", &good.but("{}")["spec"], &mut there);
    }
    let mut missing = Vec::new();
    fields_in("spec", &schema["openAPIV3Schema"]["properties"]["spec"], &mut missing);
    missing.retain(|path| !there.contains(path));
    assert_eq!(missing, Vec::<String>::new());
}

#[tokio::test]
async fn the_defaults_of_an_object_come_with_the_object() {
    let cluster = Cluster::with("defaults").await;
    let manifest = Good::Smallest.but("spec: {updateStrategy: {}, disruption: {}}");
    let answer = cluster.create(&manifest, true).await.unwrap();
    assert_eq!(answer["spec"]["updateStrategy"], json!({ "type": "Restart", "whileRunning": "Minimal" }));
    assert_eq!(answer["spec"]["disruption"], json!({ "policy": "WhenIdle" }));
}

#[tokio::test]
async fn an_object_with_a_long_name_is_taken_when_the_spec_has_a_shorter_one() {
    let cluster = Cluster::with("long").await;
    let mut manifest = Good::Smallest.but("spec: {name: short}");
    manifest["metadata"]["name"] = "a".repeat(253).into();
    assert!(cluster.create(&manifest, true).await.is_ok());
    let mut manifest = Good::Smallest.but("{}");
    manifest["metadata"]["name"] = "a".repeat(101).into();
    assert!(cluster.create(&manifest, true).await.is_ok());
}

#[tokio::test]
async fn a_form_that_is_taken_is_one_that_the_cron_parser_reads() {
    let cluster = Cluster::with("cron").await;
    for cron in [
        "* * * * *",
        "0 0 29 2 *",
        "0 0 31 1-3 *",
        "0 0 31 2,3 *",
        "0 0 30 2 MON",
        "*/15 0-23/2 1,15 */3 1-5",
        "5/10 4 L * *",
        "0 9 15W * *",
        "0 9 * JAN,Jul sun",
        "0 9 * * 5#3",
        "0 9 * * 7L",
        "00 04 01 01 0",
        "1-5,7,*/20 * * * SAT,SUN",
        "0   9 * *  *",
    ] {
        let mut manifest = Good::Smallest.but("spec: {powerSchedule: [{name: a, stop: '59 23 28 2 6', start: ''}]}");
        manifest["spec"]["powerSchedule"][0]["start"] = cron.into();
        let taken = cluster.create(&manifest, true).await;
        assert!(taken.is_ok(), "{cron}: {taken:?}");
        assert!(cronexpr::parse_crontab(&format!("{cron} UTC")).is_ok(), "{cron}");
    }
}

/// What the parser reads is not refused, but for dates that no year has: random expressions from a fixed seed.
#[tokio::test]
async fn a_cron_expression_that_the_parser_reads_is_taken() {
    let cluster = Cluster::with("crons").await;
    let fields: [&[&str]; 5] = [
        &["*", "0", "59", "07", "*/5", "0-59", "10-20/3", "5/10", "60", "5-1", "-1"],
        &["*", "0", "23", "09", "*/6", "8-18", "8-18/2", "20/2", "24", "1.5"],
        &["*", "1", "31", "30", "05", "*/2", "1-15", "10-20/3", "L", "15W", "1W", "0", "32", "LW"],
        &["*", "1", "12", "02", "feb", "JAN-MAR", "*/3", "1-6/2", "4/2", "0", "13", "sept"],
        &["*", "0", "7", "sun", "MON-FRI", "1-5", "*/2", "1-5/2", "5L", "2#1", "MON#2", "friL", "8", "1#6", "SUNDAY"],
    ];
    let mut seed = 2017_u32;
    let mut random = |below: usize| {
        // The constants of Numerical Recipes; the low bits of such a generator repeat soon, so the high ones are used.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as usize % below
    };
    let (mut read, mut wrong) = (0, Vec::new());
    for _ in 0..400 {
        let field = |choices: &[&'static str]| {
            let items: Vec<&str> = (0..=random(8) / 7).map(|_| choices[random(choices.len())]).collect();
            items.join(",")
        };
        let cron = fields.map(field).join(" ");
        let mut manifest = Good::Smallest.but("spec: {powerSchedule: [{name: a, stop: '58 23 28 2 6', start: ''}]}");
        manifest["spec"]["powerSchedule"][0]["start"] = cron.as_str().into();
        let taken = cluster.create(&manifest, true).await;
        let parsed = cronexpr::parse_crontab(&format!("{cron} UTC"));
        read += usize::from(parsed.is_ok());
        match (parsed, taken) {
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
            (Ok(crontab), Err(said)) => {
                let never = crontab.find_next("2026-01-01T00:00:00Z").is_err();
                if !(never && said.contains("names days that no year has")) {
                    wrong.push(format!("{cron}: read, but refused: {said}"));
                }
            }
            // A step or range that only the parser judges shows in the status.
            (Err(_), Ok(_)) if cron.contains("5-1") => {}
            (Err(error), Ok(_)) => wrong.push(format!("{cron}: taken, but not read: {error}")),
        }
    }
    assert!(read > 50, "only {read} expressions were good");
    assert_eq!(wrong, Vec::<String>::new());
}

/// A status with everything in it, as large as the operator may write it, fits the schema and the types.
#[tokio::test]
async fn a_full_status_is_taken() {
    let cluster = Cluster::with("status").await;
    let created = cluster.create(&Good::Smallest.but("{}"), false).await.unwrap();
    let at = "2026-01-02T03:04:05Z";
    let status = json!({
        "observedGeneration": 1, "lastHandledReconcileAt": "x", "name": "good", "state": "RUNNING",
        "arn": "arn:aws-us-gov:appstream:us-gov-west-1:123456789012:fleet/good",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "observedGeneration": 1, "lastTransitionTime": at}],
        "instanceType": "stream.standard.medium", "imageName": "a", "platform": "WINDOWS", "createdTime": at,
        "imageArn": "arn:aws:appstream:eu-central-1::image/a",
        "capacity": {"desired": 1, "running": 1, "inUse": 0, "available": 1, "desiredUserSessions": 5, "availableUserSessions": 5,
            "activeUserSessions": 0, "actualUserSessions": 5},
        "fleetErrors": vec![json!({"code": "SUBNET_NOT_FOUND", "message": "m".repeat(4096)}); 100],
        "selector": "windlass.dev/fleet-uid=0",
        "pendingChanges": vec![json!({"field": "instanceType", "from": "a", "to": "b", "impact": "Restart", "waitingFor": "users", "since": at}); 100],
        "sessions": {"count": 2, "oldest": at},
        "nextTransition": {"at": at, "to": "Stopped"},
        "internal": {
            "intent": {"name": "good", "at": at}, "stateSince": at,
            "applied": {"tags": ["a", "b"], "fields": ["vpcConfig"], "applications": ["arn:aws:appstream:eu-central-1:123456789012:application/a"]},
            "rejected": {"generation": 1, "code": "InvalidParameterCombinationException", "message": "no"}
        }
    });
    let path = format!("{}/good/status?fieldValidation=Strict", cluster.path());
    let answer =
        cluster.request("PATCH", &path, "application/merge-patch+json", &json!({ "status": status })).await.unwrap();
    assert_eq!(answer["status"], status);
    assert_eq!(answer["metadata"]["generation"], created["metadata"]["generation"]);
    let typed: Fleet = serde_json::from_value(answer).unwrap();
    assert_eq!(serde_json::to_value(typed.status).unwrap(), status);
}

#[tokio::test]
async fn an_autoscaler_scales_what_has_instances_and_nothing_else() {
    let cluster = Cluster::with("scale").await;
    let scale = |count: i32| json!({ "spec": { "replicas": count } });
    for (number, (good, sentence)) in [
        (Good::Smallest, ""),
        (Good::MultiSession, "give exactly one of desiredInstances"),
        (Good::Elastic, "AWS manages the capacity of an ELASTIC fleet"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut manifest = good.but("{}");
        let name = format!("good-{number}");
        manifest["metadata"]["name"] = name.clone().into();
        cluster.create(&manifest, false).await.unwrap();
        let path = format!("{}/{name}/scale", cluster.path());
        match cluster.request("PATCH", &path, "application/merge-patch+json", &scale(7)).await {
            Ok(answer) => {
                assert_eq!(answer["spec"]["replicas"], 7);
                assert_eq!(sentence, "", "{good:?} was scaled");
            }
            Err(said) => assert!(!sentence.is_empty() && said.contains(sentence), "{good:?}: {said}"),
        }
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
