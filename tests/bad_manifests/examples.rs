//! The manifests in `examples/` are taken as they are, by kubectl as people run it.

use std::collections::BTreeSet;

use super::{Cluster, KINDS, definition, folder};

#[tokio::test]
async fn every_example_is_taken_and_explained() {
    let cluster = Cluster::with("examples").await;
    let config = cluster.control_plane.write_kubeconfig(&cluster.control_plane.admin());
    let kubectl = |arguments: &[&str]| {
        let output =
            cluster.control_plane.kubectl(&config).args(["-n", &cluster.namespace]).args(arguments).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {arguments:?}: {said}");
        said
    };
    let prefixes: Vec<String> = KINDS.iter().map(|tried| format!("{}-", tried.kind.to_lowercase())).collect();
    let mut applied = vec![0; KINDS.len()];
    // Accounts are for administrators and say what all others may do: they lie apart, so that `kubectl apply -f examples/`
    // applies none. What needs one that allows it lies apart, too.
    let folders =
        ["examples", "examples/accounts", "examples/access"].map(|name| std::fs::read_dir(folder(name)).unwrap());
    for entry in folders.into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(kind) = prefixes.iter().position(|prefix| name.starts_with(prefix)) else { continue };
        let path = path.to_str().unwrap();
        assert!(kubectl(&["apply", "--server-side", "--validate=strict", "-f", path]).contains("serverside-applied"));
        // Applying the same file again changes nothing: no default fights the manifest. The first time again is left out,
        // because it is the first write that stores the default of status, which a create does not.
        kubectl(&["apply", "--server-side", "-f", path]);
        let before = kubectl(&["get", "-f", path, "-o", "jsonpath={.metadata.resourceVersion}"]);
        kubectl(&["apply", "--server-side", "-f", path]);
        assert_eq!(kubectl(&["get", "-f", path, "-o", "jsonpath={.metadata.resourceVersion}"]), before, "{path}");
        assert_eq!(kubectl(&["diff", "--server-side", "-f", path]), "", "{path}");
        applied[kind] += 1;
    }
    for (tried, applied) in KINDS.iter().zip(&applied) {
        assert!(*applied > 0, "no example of a {}", tried.kind);
        let short = definition(tried.kind).spec.names.short_names.clone().unwrap().remove(0);
        let header = kubectl(&["get", &short]);
        let words = header.lines().next().unwrap().split("  ").map(str::trim).filter(|word| !word.is_empty());
        assert_eq!(words.collect::<Vec<_>>(), tried.columns, "{}", tried.kind);
    }

    // By hand, without the server's help.
    let path = folder("examples").join("fleet-on-demand.yaml");
    kubectl(&["delete", "-f", path.to_str().unwrap()]);
    assert!(kubectl(&["apply", "-f", path.to_str().unwrap()]).contains("created"));
    assert!(kubectl(&["apply", "-f", path.to_str().unwrap()]).contains("unchanged"));

    // What has no namespace is there of other tests, too.
    let in_a_namespace =
        KINDS.iter().zip(&applied).filter(|(tried, _)| definition(tried.kind).spec.scope == "Namespaced");
    let listed = kubectl(&["get", "windlass", "-o", "name"]);
    let listed = listed.lines().filter(|line| !line.starts_with("account."));
    assert_eq!(listed.count(), in_a_namespace.map(|(_, applied)| applied).sum::<usize>());
    assert_eq!(
        kubectl(&["get", "asfleet", "--field-selector", "spec.fleetType=ELASTIC", "-o", "name"]),
        "fleet.appstream.windlass.dev/kiosk\n"
    );
    let explained = kubectl(&["explain", "fleets.appstream.windlass.dev.spec.disruption.windows.start"]);
    assert!(explained.contains("a cron expression of five fields"), "{explained}");
    let tree = kubectl(&["explain", "fleets.appstream.windlass.dev", "--recursive"]);
    assert!(tree.contains("maxSessionsPerInstance\t<integer>"), "{tree}");
}

/// One that can be copied for each target of a grant, and for each way into it.
#[test]
fn there_is_an_example_of_a_grant_for_every_target() {
    let all = std::fs::read_dir(folder("examples/access")).unwrap().map(|entry| {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        serde_yaml::from_str::<serde_json::Value>(&text).unwrap()["spec"].clone()
    });
    let targets: BTreeSet<(&str, String)> = all
        .flat_map(|spec| {
            ["lightsailInstance", "gameLiftInstance", "gameLiftCompute"]
                .into_iter()
                .filter_map(|target| {
                    let protocol = spec.get(target)?["protocol"].as_str().unwrap_or_default();
                    Some((target, protocol.to_owned()))
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let every =
        [("gameLiftCompute", ""), ("gameLiftInstance", ""), ("lightsailInstance", "rdp"), ("lightsailInstance", "ssh")];
    assert_eq!(targets, every.map(|(target, protocol)| (target, protocol.to_owned())).into());
}
