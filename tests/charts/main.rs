//! What the charts say, without Helm: the golden files are what Helm renders (`make test-install` holds them so), and here they
//! are compared with the definitions, with the rights that the tests' operator has, and with what people read.
#![allow(clippy::unwrap_used, clippy::panic)]

mod iam;
mod readme;
mod rights;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

#[test]
fn the_chart_of_the_definitions_holds_those_that_the_types_give() {
    let folder = repository().join("charts/windlass-crds/files");
    let mut there: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    let mut wanted: Vec<String> = windlass::crds::all().iter().map(windlass::crds::file_name).collect();
    wanted.sort();
    assert_eq!(there, wanted, "run `make crds`");
    for definition in windlass::crds::all() {
        let text = read(&folder.join(windlass::crds::file_name(&definition)));
        assert!(text == windlass::crds::yaml(&definition), "{}: run `make crds`", definition.spec.names.kind);
        // What the template puts the keep policy after.
        assert_eq!(text.lines().filter(|line| *line == "metadata:").count(), 1, "{}", definition.spec.names.kind);
    }
}

#[test]
fn every_kind_and_no_other_has_rights_for_the_operator_and_for_people_and_is_protected() {
    let golden = golden("default");
    let (mut namespaced, mut everywhere, mut protected, mut scaled) = <(Kinds, Kinds, Kinds, Kinds)>::default();
    for definition in windlass::crds::all() {
        let definition = serde_json::to_value(&definition.spec).unwrap();
        let kind = (text(&definition["group"]), text(&definition["names"]["plural"]));
        let version = &definition["versions"][0];
        if version.pointer("/schema/openAPIV3Schema/properties/spec/properties/deletionProtection").is_some() {
            protected.insert(kind.clone());
        }
        if !version["subresources"]["scale"].is_null() {
            scaled.insert(kind.clone());
        }
        let of_namespaces = definition["scope"] == "Namespaced";
        if of_namespaces { &mut namespaced } else { &mut everywhere }.insert(kind);
    }
    let all: Kinds = namespaced.union(&everywhere).cloned().collect();
    let ours = |role: &str, end: &str| -> Kinds {
        let rights = rights(&[find(&golden, "ClusterRole", role)]).into_iter();
        let ours = rights.filter(|(group, _, _)| group.ends_with(".windlass.dev"));
        ours.filter_map(|(group, resource, _)| match (resource.split_once('/'), end) {
            (None, "") => Some((group, resource)),
            (Some((plural, part)), end) if part == end => Some((group, plural.to_owned())),
            (None | Some(_), _) => None,
        })
        .collect()
    };
    assert_eq!(ours("windlass-objects", ""), namespaced);
    assert_eq!(ours("windlass-objects", "status"), namespaced);
    assert_eq!(ours("windlass-cluster", ""), everywhere);
    assert_eq!(ours("windlass-view", ""), all);
    assert_eq!(ours("windlass-view", "scale"), scaled);
    assert_eq!(ours("windlass-edit", ""), namespaced, "what is cluster-scoped is not for editors");
    assert_eq!(ours("windlass-edit", "scale"), scaled);
    let policy = find(&golden, "ValidatingAdmissionPolicy", "windlass-deletion-protection");
    let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array().unwrap();
    let held: Kinds = rules
        .iter()
        .flat_map(|rule| items(&rule["resources"]).map(|plural| (text(&rule["apiGroups"][0]), text(plural))))
        .collect();
    assert_eq!(held, protected);
}

/// Group and plural.
type Kinds = BTreeSet<(String, String)>;

#[test]
fn the_chart_grants_what_the_tests_operator_has_and_that_is_what_it_uses() {
    let chart: Vec<Value> =
        golden("default").into_iter().filter(|object| is_role(object) && !is_peoples(object)).collect();
    let files = fs::read_dir(repository().join("tests/rbac")).unwrap().map(|entry| entry.unwrap().path());
    let tests: Vec<Value> = files.flat_map(|file| documents(&read(&file))).filter(is_role).collect();
    assert_eq!(rights(&chart.iter().collect::<Vec<_>>()), rights(&tests.iter().collect::<Vec<_>>()));
}

#[test]
fn no_rule_has_a_wildcard_and_no_bound_role_reads_secrets() {
    for name in ["default", "everything", "namespaced"] {
        let golden = golden(name);
        let bound: Vec<String> = golden
            .iter()
            .filter(|object| object["kind"] == "ClusterRoleBinding")
            .map(|binding| text(&binding["roleRef"]["name"]))
            .collect();
        for role in golden.iter().filter(|object| is_role(object)) {
            for (group, resource, verb) in rights(&[role]) {
                assert!(![&group, &resource, &verb].iter().any(|word| word.contains('*')), "{name}: {role:#}");
                let secret = resource == "secrets" || resource == "configmaps";
                assert!(!(secret && bound.contains(&text(&role["metadata"]["name"]))), "{name}: {role:#}");
            }
        }
    }
}

#[test]
fn nothing_is_granted_for_what_is_switched_off() {
    let golden = golden("namespaced");
    let names = |kind: &str| -> Vec<(String, String)> {
        let of_kind = golden.iter().filter(|object| object["kind"] == kind);
        of_kind.map(|object| (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))).collect()
    };
    let pair = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
    // No leader election, no watch elsewhere, a cluster id that is given.
    assert_eq!(names("Role"), [pair("default", "windlass-cluster-events")]);
    let everywhere = windlass::crds::all().iter().any(|definition| definition.spec.scope == "Cluster");
    assert_eq!(names("ClusterRoleBinding").is_empty(), !everywhere);
    let mut bindings = names("RoleBinding");
    bindings.retain(|(_, name)| !["windlass-secrets", "windlass-cluster-events"].contains(&name.as_str()));
    assert_eq!(bindings, [pair("team-a", "windlass-objects"), pair("team-b", "windlass-objects")]);
    for kind in
        ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "NetworkPolicy", "PodDisruptionBudget"]
    {
        assert_eq!(names(kind), [], "{kind}");
    }
}

#[test]
fn the_readme_is_made_from_the_values() {
    let (values, readme) =
        (repository().join("charts/windlass/values.yaml"), repository().join("charts/windlass/README.md"));
    let (before, after) = (read(&readme), readme::with_values(&read(&readme), &read(&values)).unwrap());
    if std::env::var_os("WINDLASS_WRITE").is_some() {
        fs::write(&readme, after).unwrap();
    } else {
        assert!(before == after, "run `make charts`");
    }
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let chart = repository().join("charts/windlass");
    let values: Value = serde_yaml::from_str(&read(&chart.join("values.yaml"))).unwrap();
    let schema: Value = serde_json::from_str(&read(&chart.join("values.schema.json"))).unwrap();
    fn names(schema: &Value, before: &str, found: &mut BTreeSet<String>) {
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            if below["properties"].is_object() {
                assert_eq!(below["additionalProperties"], false, "{before}{name} lets anything in");
                names(below, &format!("{before}{name}."), found);
            } else if name != "global" {
                found.insert(format!("{before}{name}"));
            }
        }
    }
    let mut known = BTreeSet::new();
    names(&schema, "", &mut known);
    let there: BTreeSet<String> = known.iter().filter(|path| value_at(&values, path).is_some()).cloned().collect();
    assert_eq!(there, known, "the schema has what values.yaml has not");
    fn leaves(value: &Value, path: &str, known: &BTreeSet<String>, lost: &mut Vec<String>) {
        match value.as_object().filter(|_| !known.contains(path)) {
            Some(members) => {
                for (name, below) in members {
                    leaves(below, format!("{path}.{name}").trim_start_matches('.'), known, lost);
                }
            }
            None if known.contains(path) => {}
            None => lost.push(path.to_owned()),
        }
    }
    let mut lost = Vec::new();
    leaves(&values, "", &known, &mut lost);
    assert_eq!(lost, Vec::<String>::new(), "values.yaml has what the schema has not");
}

#[test]
fn the_charts_have_the_version_of_the_program() {
    for chart in ["windlass", "windlass-crds"] {
        let chart: Value =
            serde_yaml::from_str(&read(&repository().join(format!("charts/{chart}/Chart.yaml")))).unwrap();
        assert_eq!((text(&chart["version"]), text(&chart["appVersion"])), (VERSION.to_owned(), VERSION.to_owned()));
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_pods_keep_to_the_restricted_standard_and_ask_for_no_more() {
    for name in ["default", "everything", "namespaced"] {
        let golden = golden(name);
        let deployment = golden.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let own = &container["securityContext"];
        assert_eq!(
            (&own["allowPrivilegeEscalation"], &own["readOnlyRootFilesystem"]),
            (&Value::Bool(false), &Value::Bool(true))
        );
        assert_eq!(own["capabilities"], serde_json::json!({ "drop": ["ALL"] }));
        assert!(["hostNetwork", "hostPID", "hostIPC"].iter().all(|host| pod[*host].is_null()));
        // The image's USER is the pod's.
        let image = read(&repository().join("Dockerfile"));
        let user = pod["securityContext"]["runAsUser"].as_u64().unwrap();
        assert!(image.contains(&format!("USER {user}:{user}")), "{user}");
    }
}

#[test]
fn alerts_and_dashboards_come_as_they_are_in_the_chart_and_only_when_they_are_asked_for() {
    let golden = golden("everything");
    let rules = read(&repository().join("charts/windlass/rules/windlass.yaml"));
    let asked =
        rules.replace("runbook_url: ", "runbook_url: https://wiki.example.com/windlass/").replace("86400", "604800");
    assert_ne!(rules, asked);
    let asked: Value = serde_yaml::from_str(&asked).unwrap();
    assert_eq!(find(&golden, "PrometheusRule", "aws-desks")["spec"], asked);
    let files = fs::read_dir(repository().join("charts/windlass/dashboards")).unwrap();
    for file in files.map(|entry| entry.unwrap().path()) {
        let (name, stem) = (file.file_name().unwrap().to_str().unwrap(), file.file_stem().unwrap().to_str().unwrap());
        let map = find(&golden, "ConfigMap", &format!("aws-desks-dashboard-{stem}"));
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(json(map["data"][name].as_str().unwrap()), json(&read(&file)), "{name}");
        assert_eq!(
            (&map["metadata"]["labels"]["dashboards"], &map["metadata"]["labels"]["grafana_dashboard"]),
            (&"yes".into(), &"1".into())
        );
    }
    for name in ["default", "namespaced"] {
        let kinds = ["ConfigMap", "PrometheusRule", "ServiceMonitor"];
        let found = self::golden(name).iter().filter(|object| kinds.iter().any(|kind| object["kind"] == *kind)).count();
        assert_eq!(found, 0, "{name}");
    }
}

/// The objects of a golden file.
fn golden(name: &str) -> Vec<Value> {
    documents(&read(&repository().join(format!("tests/charts/golden/{name}.yaml"))))
}

fn documents(stream: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(stream);
    let values = documents.map(|document| serde::Deserialize::deserialize(document).unwrap());
    values.filter(|value: &Value| !value.is_null()).collect()
}

fn is_role(object: &Value) -> bool {
    object["kind"] == "ClusterRole" || object["kind"] == "Role"
}

/// Whether the role is for people, by aggregation.
fn is_peoples(role: &Value) -> bool {
    let labels = role["metadata"]["labels"].as_object().into_iter().flatten();
    labels.into_iter().any(|(name, _)| name.contains("aggregate-to"))
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// Group, resource and verb of every right.
fn rights(roles: &[&Value]) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for rule in roles.iter().flat_map(|role| items(&role["rules"])) {
        for group in items(&rule["apiGroups"]) {
            for resource in items(&rule["resources"]) {
                found.extend(items(&rule["verbs"]).map(|verb| (text(group), text(resource), text(verb))));
            }
        }
    }
    found
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn value_at<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(values, |value, name| value.get(name))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}
