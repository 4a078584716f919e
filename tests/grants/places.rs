//! Every place in a cluster where something secret could have got to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, WatchEvent, WatchParams};
use serde_json::{Value, json};

use crate::stage::{Operator, Stage, ask, word};

/// What the operator's server says, on every page and on one that there is not.
pub fn pages(operator: &Operator) -> String {
    let paths = ["/metrics", "/livez", "/readyz", "/livez?verbose", "/readyz?verbose", "/", "/debug", "/secrets"];
    let said = paths.map(|path| operator.ask(path).unwrap_or_else(|refusal| refusal));
    assert!(said[0].contains("windlass_aws_requests_total"), "{}", said[0]);
    said.join("\n")
}

/// Everything that the API server stores, by kind: but for the data of Secrets.
pub async fn everything_stored(stage: &Stage) -> BTreeMap<String, String> {
    let groups = ask(&stage.admin, "GET", "/apis", None).await.unwrap();
    let groups = groups["groups"].as_array().unwrap().iter();
    let roots = groups.map(|group| format!("/apis/{}", word(group, "/preferredVersion/groupVersion")));
    let mut stored = BTreeMap::new();
    for root in ["/api/v1".to_owned()].into_iter().chain(roots) {
        let resources = ask(&stage.admin, "GET", &root, None).await.unwrap();
        for resource in resources["resources"].as_array().unwrap() {
            let listed = resource["verbs"].as_array().unwrap().contains(&json!("list"));
            if !listed {
                continue;
            }
            let path = format!("{root}/{}", word(resource, "/name"));
            let mut list = ask(&stage.admin, "GET", &path, None).await.unwrap();
            if path == "/api/v1/secrets" {
                list["items"].as_array_mut().unwrap().iter_mut().for_each(without_data);
            }
            stored.insert(format!("objects of {path}"), list.to_string());
        }
    }
    for kind in ["accessgrants", "accounts", "events", "leases", "/secrets"] {
        assert!(stored.keys().any(|path| path.ends_with(kind)), "no {kind} in {:?}", stored.keys());
    }
    stored
}

/// What the API server wrote down of every request, but for those that a policy denied: what a policy quotes stands there in its
/// own words.
pub fn audited(stage: &Stage) -> String {
    let log = std::fs::read_to_string(stage.control_plane.audit_log()).unwrap();
    log.lines().filter(|line| !line.contains("denied request: ")).map(|line| format!("{line}\n")).collect()
}

fn without_data(secret: &mut Value) {
    secret.as_object_mut().unwrap().remove("data");
}

/// Every version of what the operator writes, from the beginning on.
pub struct Seen(Vec<(String, Arc<Mutex<String>>, tokio::task::JoinHandle<()>)>);

impl Seen {
    /// From now on.
    pub fn of(stage: &Stage) -> Self {
        let kinds = [
            ("access.windlass.dev", "v1alpha1", "AccessGrant", "accessgrants"),
            ("events.k8s.io", "v1", "Event", "events"),
            ("", "v1", "Secret", "secrets"),
        ];
        Self(kinds.map(|kind| Self::watch(stage, kind)).into())
    }

    fn watch(
        stage: &Stage,
        (group, version, kind, plural): (&str, &str, &str, &str),
    ) -> (String, Arc<Mutex<String>>, tokio::task::JoinHandle<()>) {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let resource = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version,
            kind: kind.into(),
            plural: plural.into(),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(stage.admin.clone(), &stage.namespace, &resource);
        let seen = Arc::new(Mutex::new(String::new()));
        let watching = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                // The server may close a watch of five minutes.
                let params = WatchParams::default().timeout(290);
                let mut events = api.watch(&params, "0").await.unwrap().boxed();
                while let Some(event) = events.try_next().await.unwrap() {
                    match event {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) => {
                            let mut object = serde_json::to_value(object).unwrap();
                            without_data(&mut object);
                            seen.lock().unwrap().push_str(&format!("{object}\n"));
                        }
                        WatchEvent::Bookmark(_) | WatchEvent::Error(_) => {}
                    }
                }
            }
        });
        (format!("every version of {kind}s"), seen, watching)
    }

    /// What was seen, by kind.
    pub fn ends(self) -> BTreeMap<String, String> {
        let end = |(name, seen, watching): (String, Arc<Mutex<String>>, tokio::task::JoinHandle<()>)| {
            assert!(!watching.is_finished(), "the watch ended before the test: {name}");
            watching.abort();
            let text = seen.lock().unwrap().clone();
            assert!(text.lines().count() > 50, "{name}: {} lines", text.lines().count());
            (name, text)
        };
        self.0.into_iter().map(end).collect()
    }
}
