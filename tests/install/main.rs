//! The charts, installed with Helm 3 and Helm 4 on a real API server: what Helm does is real, and the operator runs with
//! exactly the arguments, the environment, the ServiceAccount and the rights that the installed Deployment gives its pods.
//! Helm is built from source when it is not there, which takes minutes, so `make test-install` runs these and `make test` does not.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bed;
mod before;
mod helm;
mod kinds;
mod objects;
#[path = "../end_to_end/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::time::Duration;

use bed::{Bed, NAMESPACE, RELEASE, helms, refusal, render};
use serde_json::{Value, json};
use stage::{ask, condition, ready, repository, spec, until, until_so};

#[test]
#[ignore = "needs Helm: make test-install"]
fn both_helms_render_the_golden_files_and_their_lint_has_no_complaint() {
    let charts = ["charts/windlass", "charts/windlass-crds"].map(|chart| repository().join(chart));
    for helm in helms() {
        for name in ["default", "everything", "namespaced"] {
            let file = repository().join(format!("tests/charts/golden/{name}.yaml"));
            let values = repository().join(format!("tests/charts/values/{name}.yaml"));
            let rendered = render(&helm, "windlass", (name != "default").then_some(values.as_path()));
            if std::env::var_os("WINDLASS_WRITE").is_some() {
                std::fs::write(&file, &rendered).unwrap();
            }
            let golden = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(golden == rendered, "{} is not what {} renders: run `make charts`", file.display(), helm.display());
        }
        // The definitions are the same with one annotation more.
        let rendered = stage::documents(&render(&helm, "windlass-crds", None));
        let expected: Vec<Value> = windlass::crds::all()
            .iter()
            .map(|definition| {
                let mut definition = stage::documents(&windlass::crds::yaml(definition)).remove(0);
                definition["metadata"]["annotations"] = json!({ "helm.sh/resource-policy": "keep" });
                definition
            })
            .collect();
        assert_eq!(rendered.len(), expected.len());
        assert!(expected.iter().all(|definition| rendered.contains(definition)), "a definition is rendered otherwise");
        bed::helm(&helm).arg("lint").arg("--strict").args(&charts).assert_ok();
    }
}

#[test]
#[ignore = "needs Helm: make test-install"]
fn values_that_make_no_sense_are_refused_with_a_sentence() {
    let [helm, _] = helms();
    for (value, sentence) in [
        ("replcias=3", "additional properties 'replcias' not allowed"),
        ("leaderElection.enabled=false", "more than one replica needs leaderElection.enabled"),
        ("serviceAccount.create=false", "serviceAccount.name is needed where serviceAccount.create is false"),
        ("region=frankfurt", "'frankfurt' does not match pattern"),
        ("resync=60", "want string"),
        ("watchNamespaces={A}", "'A' does not match pattern"),
        ("image.digest=latest", "'latest' does not match pattern"),
    ] {
        let mut command = bed::helm(&helm);
        command.args(["template", RELEASE]).arg(repository().join("charts/windlass")).args(["--set", value]);
        let words = command.assert_refused().to_lowercase();
        assert!(words.contains(&sentence.to_lowercase()), "{value}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Helm: make test-install"]
async fn what_is_rendered_is_taken_by_the_api_server_and_its_pods_by_the_restricted_standard() {
    let bed = Bed::start().await;
    let label = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    ask(&bed.admin, "PATCH", &format!("/api/v1/namespaces/{NAMESPACE}"), Some(&label)).await.unwrap();
    for namespace in ["team-a", "team-b"] {
        bed.namespace(namespace).await;
    }
    bed.kubectl().args(["apply", "-f"]).arg(repository().join("tests/install/monitoring.yaml")).assert_ok();
    let established = ["wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=30s"];
    bed.kubectl().args(established).assert_ok();
    for name in ["default", "everything", "namespaced"] {
        let file = repository().join(format!("tests/charts/golden/{name}.yaml"));
        let mut kubectl = bed.kubectl();
        kubectl.args(["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f"]).arg(&file);
        let said = kubectl.assert_ok();
        // Where a Deployment's pods would be refused, the API server warns.
        assert!(!said.contains("Warning"), "{said}");
        let objects = stage::documents(&std::fs::read_to_string(&file).unwrap());
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let account = deployment["spec"]["template"]["spec"]["serviceAccountName"].as_str().unwrap();
        bed.control_plane.service_account(NAMESPACE, account).await;
        let mut pod = deployment["spec"]["template"].clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("windlass-0");
        // The priority class is the cluster's own affair.
        pod["spec"].as_object_mut().unwrap().remove("priorityClassName");
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All");
        ask(&bed.admin, "POST", &path, Some(&pod)).await.unwrap();
        // The check can fail: the same pod as root is refused.
        pod["spec"]["securityContext"]["runAsNonRoot"] = json!(false);
        let words = refusal(ask(&bed.admin, "POST", &path, Some(&pod)).await);
        assert!(words.contains("violates PodSecurity \"restricted:latest\""), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Helm: make test-install"]
async fn installed_upgraded_rolled_back_and_uninstalled_it_serves_and_deletes_nothing_in_aws() {
    for helm in helms() {
        life_of_a_release(&Bed::start().await, &helm).await;
    }
}

async fn life_of_a_release(bed: &Bed, helm: &std::path::Path) {
    // The operator first, without definitions: it waits.
    bed.install(helm, "windlass", &[]).assert_ok();
    let deployment = bed.deployment().await;
    assert_eq!(deployment["spec"]["replicas"], 2);
    let first = bed.pod_of(&deployment, "first").await;
    until("it serves /livez", || first.ask("/livez").is_ok()).await;
    let words = first.ask("/readyz").unwrap_err();
    assert!(words.contains("status 503"), "{words}");
    bed.install(helm, "windlass-crds", &[]).assert_ok();
    until("it is ready", || first.ask("/readyz").is_ok()).await;

    bed.namespace("team").await;
    bed.create("team", "office", spec(json!({ "displayName": "Office" }))).await;
    bed.until("team", "office", "Ready", ready).await;

    // Upgraded: the new pod comes before the old one goes, and nothing is done twice.
    bed.install(helm, "windlass", &["--set", "resync=3s", "--set", "objectMetrics=true"]).assert_ok();
    let upgraded = bed.deployment().await;
    assert_ne!(upgraded["spec"]["template"], deployment["spec"]["template"]);
    let second = bed.pod_of(&upgraded, "second").await;
    until("the new one is ready", || second.ask("/readyz").is_ok()).await;
    first.stop();
    until("the new one leads", || second.metric("windlass_leader") == 1.0).await;
    let writes = bed.aws_writes();
    assert_eq!(writes, ["CreateFleet", "StartFleet"]);
    bed.patch("team", "office", json!({ "spec": { "displayName": "Upgraded" } })).await;
    bed.until_aws("office", |fleet| fleet["settings"]["DisplayName"] == "Upgraded").await;
    bed.install(helm, "windlass-crds", &[]).assert_ok();

    // Rolled back: what the pods are told is what it was.
    bed.helm(helm).args(["rollback", RELEASE, "1", "--namespace", NAMESPACE]).assert_ok();
    let back = bed.deployment().await;
    assert_eq!(back["spec"]["template"], deployment["spec"]["template"]);
    let third = bed.pod_of(&back, "third").await;
    until("the old version is ready", || third.ask("/readyz").is_ok()).await;
    second.stop();
    until("it leads", || third.metric("windlass_leader") == 1.0).await;
    bed.patch("team", "office", json!({ "spec": { "displayName": "Back" } })).await;
    bed.until_aws("office", |fleet| fleet["settings"]["DisplayName"] == "Back").await;
    bed.until("team", "office", "Ready", ready).await;
    third.assert_log_is_clean();

    // Uninstalled with the object there, the operator still running for a while: nothing happens in AWS.
    let writes = bed.aws_writes();
    bed.helm(helm).args(["uninstall", RELEASE, "--namespace", NAMESPACE]).assert_ok();
    bed.helm(helm).args(["uninstall", "windlass-crds", "--namespace", NAMESPACE]).assert_ok();
    tokio::time::sleep(Duration::from_secs(3)).await;
    third.stop();
    assert_eq!(bed.left_of_the_release().await, Vec::<String>::new());
    assert_eq!(bed.aws_writes(), writes);
    let fleet = bed.find("team", "office").await.unwrap();
    assert_eq!((fleet["metadata"].get("deletionTimestamp"), bed.in_aws("office").is_some()), (None, true));

    // Installed again, it takes up where it was.
    bed.install(helm, "windlass-crds", &[]).assert_ok();
    bed.install(helm, "windlass", &[]).assert_ok();
    let fourth = bed.pod_of(&bed.deployment().await, "fourth").await;
    until("it is ready", || fourth.ask("/readyz").is_ok()).await;
    bed.patch("team", "office", json!({ "spec": { "displayName": "Again" } })).await;
    bed.until_aws("office", |fleet| fleet["settings"]["DisplayName"] == "Again").await;
    bed.until("team", "office", "Ready", ready).await;
    assert_eq!(bed.aws_writes()[writes.len()..], ["UpdateFleet"]);
    fourth.stop();
    fourth.assert_log_is_clean();
    assert_eq!(bed.aws.violations().unwrap(), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Helm: make test-install"]
async fn what_is_protected_is_deleted_neither_by_people_nor_with_its_namespace_nor_with_its_definition() {
    let [_, helm] = helms();
    let bed = Bed::start().await;
    bed.install(&helm, "windlass-crds", &[]).assert_ok();
    bed.install(&helm, "windlass", &[]).assert_ok();
    let operator = bed.pod_of(&bed.deployment().await, "only").await;
    until("it is ready", || operator.ask("/readyz").is_ok()).await;
    bed.namespace("team").await;
    let all = ["early", "kept", "plain"];
    for name in all {
        bed.create("team", name, spec(json!({ "deletionProtection": name == "kept" }))).await;
    }
    for name in all {
        bed.until("team", name, "Ready", ready).await;
    }
    let sentence = "Fleet kept has spec.deletionProtection: true; set it to false first, then delete";
    let path = |name: &str| format!("{}/{name}", bed::fleets("team"));
    // The API server takes some moments until a new policy is in force.
    until_so("the policy is in force", async || {
        let dry = format!("{}?dryRun=All", path("kept"));
        ask(&bed.admin, "DELETE", &dry, None).await.is_err()
    })
    .await;

    // By a person, alone or with all others.
    for path in [path("kept"), bed::fleets("team")] {
        let words = refusal(ask(&bed.admin, "DELETE", &path, None).await);
        assert!(words.contains(sentence), "{path}: {words}");
    }
    // The API server goes by name, and stops at the first refusal.
    let leaves =
        async |name| bed.find("team", name).await.is_none_or(|fleet| !fleet["metadata"]["deletionTimestamp"].is_null());
    assert_eq!((leaves("early").await, leaves("kept").await, leaves("plain").await), (true, false, false));

    // With its namespace: that waits and says why.
    ask(&bed.admin, "DELETE", "/api/v1/namespaces/team", None).await.unwrap();
    until_so("the namespace says what it waits for", async || {
        let namespace = ask(&bed.admin, "GET", "/api/v1/namespaces/team", None).await.unwrap();
        let conditions = namespace["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["message"].as_str().unwrap_or_default().contains(sentence))
    })
    .await;
    assert_eq!((leaves("kept").await, leaves("plain").await), (false, false));

    // With its definition: the API server asks no policy then. The object goes into deletion, and the operator holds it.
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/fleets.appstream.windlass.dev";
    ask(&bed.admin, "DELETE", definition, None).await.unwrap();
    let held = |fleet: &Value| {
        let (_, _, message) = condition(fleet, "Ready");
        !fleet["metadata"]["deletionTimestamp"].is_null() && message.contains("deletionProtection is true")
    };
    bed.until("team", "kept", "held by the operator", held).await;
    assert!(bed.in_aws("kept").is_some());
    assert!(!bed.aws_writes_of("kept").iter().any(|write| write == "StopFleet" || write == "DeleteFleet"));

    // No protection any more: all of it goes.
    bed.patch("team", "kept", json!({ "spec": { "deletionProtection": false } })).await;
    until("AWS has no fleet any more", || bed.in_aws("kept").is_none() && bed.in_aws("plain").is_none()).await;
    assert_eq!(bed.aws.violations().unwrap(), Vec::<Value>::new());
    operator.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Helm: make test-install"]
async fn people_have_the_rights_of_their_role_and_the_operator_none_elsewhere() {
    let [_, helm] = helms();
    let bed = Bed::start().await;
    for namespace in ["team-a", "team-b"] {
        bed.namespace(namespace).await;
    }
    bed.install(&helm, "windlass-crds", &[]).assert_ok();
    bed.install(&helm, "windlass", &["--set", "watchNamespaces={team-a}"]).assert_ok();
    for role in ["view", "edit", "admin"] {
        let binding = json!({
            "metadata": { "name": role },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": role }],
        });
        let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings";
        ask(&bed.admin, "POST", path, Some(&binding)).await.unwrap();
    }
    let operator = format!("system:serviceaccount:{NAMESPACE}:{RELEASE}");
    let fleets = ("appstream.windlass.dev", "fleets");
    until_so("the rights are added to the cluster's roles", async || {
        bed.may("admin", "team-a", "delete", fleets).await
    })
    .await;
    for (who, namespace, verb, (group, resource), expected) in [
        ("view", "team-a", "list", fleets, true),
        ("view", "team-a", "update", fleets, false),
        ("view", "team-b", "list", fleets, false),
        ("edit", "team-a", "create", fleets, true),
        ("edit", "team-a", "patch", (fleets.0, "fleets/scale"), true),
        ("edit", "team-a", "update", (fleets.0, "fleets/status"), false),
        ("admin", "team-a", "delete", fleets, true),
        ("admin", "team-a", "update", (fleets.0, "fleets/status"), false),
        (&operator, "team-a", "watch", fleets, true),
        (&operator, "team-a", "delete", fleets, false),
        (&operator, "team-b", "watch", fleets, false),
        (&operator, "team-a", "get", ("", "secrets"), false),
        (&operator, NAMESPACE, "get", ("", "secrets"), false),
    ] {
        let may = bed.may(who, namespace, verb, (group, resource)).await;
        assert_eq!(may, expected, "{who} {verb} {resource} in {namespace}");
    }
    // A namespace's own admin lets the operator read what objects name there.
    let binding = json!({
        "metadata": { "name": "windlass-secrets" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "windlass-secrets" },
        "subjects": [{ "kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE }],
    });
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings";
    let (editor, owner) = (bed.person("edit").await, bed.person("admin").await);
    let words = refusal(ask(&editor, "POST", path, Some(&binding)).await);
    assert!(words.contains("cannot create resource \"rolebindings\""), "{words}");
    ask(&owner, "POST", path, Some(&binding)).await.unwrap();
    for (namespace, expected) in [("team-a", true), ("team-b", false)] {
        for resource in ["secrets", "configmaps"] {
            until_so("the right", async || bed.may(&operator, namespace, "get", ("", resource)).await == expected)
                .await;
            // It keeps Secrets of its own, and lists their metadata; ConfigMaps it only reads by name.
            for verb in ["list", "watch", "create", "update", "delete"] {
                let keeps = expected && resource == "secrets";
                assert_eq!(bed.may(&operator, namespace, verb, ("", resource)).await, keeps, "{verb} {resource}");
            }
        }
    }
    // In the namespace that it watches, it serves.
    let pod = bed.pod_of(&bed.deployment().await, "only").await;
    until("it is ready", || pod.ask("/readyz").is_ok()).await;
    bed.create("team-a", "office", spec(json!({}))).await;
    bed.until("team-a", "office", "Ready", ready).await;
    bed.create("team-b", "elsewhere", spec(json!({}))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bed.find("team-b", "elsewhere").await.unwrap()["metadata"].get("finalizers"), None);
    pod.stop();
    pod.assert_log_is_clean();
}
