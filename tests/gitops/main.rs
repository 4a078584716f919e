//! Flux's own controllers, reconciling `examples/` from a Git repository: what is in Git comes to AWS, health turns when AWS is done, and
//! nobody sees drift. Flux is built from source when it is not there, which takes long, so that `make test-gitops` runs this and
//! neither `make test` nor CI does.
#![allow(clippy::unwrap_used, clippy::panic)]

mod git;
#[path = "../end_to_end/stage.rs"]
#[allow(dead_code)]
mod stage;
#[path = "../end_to_end/witness.rs"]
#[allow(dead_code)]
mod witness;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use git::Repository;
use serde_json::{Value, json};
use stage::{
    FLEET, GRANT, IMAGE_BUILDER, INSTANCE, STACK, Stage, apply, ask, condition, ready, repository, say, shown, word,
};
use testbed::simulator::Simulator;
use testbed::{ControlPlane, Daemon, Flux, Options, free_port};
use witness::Witness;

/// Some seconds for everything, so that a health that turns too early is seen.
const PACE: [&str; 10] = [
    "--start=6s",
    "--stop=1s",
    "--scale=1s",
    "--scale-in=1s",
    "--builder-start=4s",
    "--builder-delete=1s",
    "--instance-start=4s",
    "--instance-delete=1s",
    "--address-lag=500ms",
    "--host-key-lag=500ms",
];

/// How long Flux may take for a commit, with AWS's part: its timeouts below are this, too.
const PATIENCE: Duration = Duration::from_secs(180);

const KUSTOMIZATION: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/desks";

/// Who may live here, and take over what the examples take over.
const ACCOUNT: &str = r#"{
    "apiVersion": "aws.windlass.dev/v1alpha1", "kind": "Account", "metadata": {"name": "own"},
    "spec": {
        "default": true, "namespaces": {"selector": {}},
        "allow": {"adoption": true, "grants": {"targets": ["LightsailInstance"], "maxDuration": "8h"}}
    }
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Flux: make test-gitops"]
async fn flux_reconciles_the_examples_waits_for_aws_prunes_and_sees_no_drift() {
    let flux = tokio::task::spawn_blocking(Flux::find_or_build).await.unwrap().unwrap();
    let stage = set_up().await;
    let witnesses = [&FLEET, &STACK, &INSTANCE, &IMAGE_BUILDER].map(|which| Witness::of(&stage.of(which)));
    let operator = stage.operator().ready().await;
    let folder = stage.control_plane.folder().path();
    let desks = Repository::new(folder);
    let objects = fill(&stage, desks.work());
    let first = desks.push("The desks");
    let _controllers = start(&stage, &flux).await;
    let began = Instant::now();
    point_at(&stage, &desks.url()).await;

    // Everything comes to AWS; Flux is not satisfied before AWS is done.
    let took =
        until_applied(&stage, &first, || stage.in_aws("office").is_some_and(|fleet| fleet["state"] == "RUNNING")).await;
    say(&format!("Flux: {objects} objects from Git to Ready in {:.1} s", (began.elapsed()).as_secs_f32()));
    assert!(took > Duration::from_secs(5), "AWS takes six seconds to start a fleet");
    for which in [&FLEET, &STACK, &INSTANCE, &IMAGE_BUILDER, &GRANT] {
        for object in stage.of(which).all().await {
            assert!(ready(&object), "{}", shown(&object));
        }
    }

    // Settled: Flux reconciles every few seconds, and neither it nor we write anything.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (settled, requests) = (versions(&stage).await, writes(&stage));
    let reconciled = reconciliations(&stage).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    let more = reconciliations(&stage).await - reconciled;
    assert!(more >= 2, "Flux reconciled {more} times");
    assert_eq!(versions(&stage).await, settled, "somebody saw drift");
    assert_eq!(writes(&stage), requests);

    // A change in Git is in AWS when Flux is satisfied.
    edit(&desks, "fleet-on-demand.yaml", "displayName: Office\n", "displayName: Office of Git\n");
    let asked = Instant::now();
    let second = desks.push("Another name");
    until_applied(&stage, &second, || title(&stage, "office") == "Office of Git").await;
    say(&format!("Flux: a change in Git is in AWS, and Flux satisfied, after {:.1} s", asked.elapsed().as_secs_f32()));

    // What cannot be done fails long before the timeout, and says why; put back, all is well.
    edit(&desks, "imagebuilder-office.yaml", "imageName: windlass-demo-v1", "imageName: windlass-demo-deprecated");
    std::fs::rename(desks.work().join("imagebuilder-office.yaml"), desks.work().join("broken.yaml")).unwrap();
    edit(&desks, "broken.yaml", "  name: office\n", "  name: broken\n");
    let asked = Instant::now();
    let third = desks.push("An image that nobody may use, and no image builder any more");
    let failed = until_kustomization(&stage, "it fails", |desks| {
        let (_, reason, message) = condition(desks, "Ready");
        word(desks, "/status/lastAttemptedRevision") == third
            && reason == "HealthCheckFailed"
            && message.contains("broken")
    })
    .await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(60), "it failed after {took:?}: {}", shown(&failed));
    say(&format!("Flux: an object that is Stalled fails its Kustomization after {:.1} s", took.as_secs_f32()));

    // The image builder that is in Git no more was pruned, by the operator and its finalizer: the object and AWS's.
    std::fs::remove_file(desks.work().join("broken.yaml")).unwrap();
    let fourth = desks.push("Without it");
    until_applied(&stage, &fourth, || true).await;
    let asked = Instant::now();
    let builders = stage.of(&IMAGE_BUILDER);
    for name in ["office", "broken"] {
        builders.until_gone(name).await;
        assert_eq!(builders.in_aws(name), None);
    }
    assert_eq!(builders.writes("office", 0), ["CreateImageBuilder", "DeleteImageBuilder"]);
    say(&format!("Flux: pruned, and confirmed gone by the operator, {:.1} s later", asked.elapsed().as_secs_f32()));
    assert!(stage.in_aws("office").is_some(), "what is in Git stays");

    for witness in witnesses {
        witness.testify();
    }
    operator.assert_log_is_clean();
    operator.stop();
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
}

/// A control plane with our definitions and an Account, and an AWS that has what the examples rest on.
async fn set_up() -> Stage {
    let options = Options { controller_manager: true, audit_log: false };
    let started = tokio::task::spawn_blocking(move || ControlPlane::start(options)).await.unwrap().unwrap();
    let control_plane: &'static ControlPlane = Box::leak(Box::new(started));
    control_plane.apply_crds(repository().join("crds")).await.unwrap();
    let admin = control_plane.admin_client().await;
    apply(&admin, include_str!("../rbac/cluster.yaml")).await;
    let account: Value = serde_json::from_str(ACCOUNT).unwrap();
    ask(&admin, "POST", "/apis/aws.windlass.dev/v1alpha1/accounts", Some(&account)).await.unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_windlass")).with_file_name("windlass-simulator");
    let aws = Arc::new(Simulator::start(control_plane.folder(), &program, &PACE).unwrap());
    let stage = Stage::on(control_plane, "desks", aws).await;
    apply(&stage.admin, &include_str!("../rbac/secrets.yaml").replace("NAMESPACE", &stage.namespace)).await;
    stage.aws.put_application("browser").unwrap();
    for name in ["finance", "Legacy_CAD"] {
        let kind = if name == "finance" { "ON_DEMAND" } else { "ALWAYS_ON" };
        let fleet = json!({
            "Name": name, "InstanceType": "stream.standard.medium", "ImageName": "windlass-demo-v1",
            "FleetType": kind, "ComputeCapacity": { "DesiredInstances": 1 },
        });
        stage.aws.appstream("CreateFleet", &fleet).unwrap();
        stage.aws.appstream("StartFleet", &json!({ "Name": name })).unwrap();
    }
    let machine = json!({
        "instanceNames": ["Legacy_Machine.1"], "availabilityZone": "us-east-1a", "blueprintId": "ubuntu_22_04",
        "bundleId": "small_3_0",
    });
    stage.aws.lightsail("CreateInstances", &machine).unwrap();
    stage
}

/// Puts the examples for people without an Account, a grant and a Secret into the working copy, in the stage's namespace. Returns
/// how many there are.
fn fill(stage: &Stage, work: &Path) -> usize {
    let examples = std::fs::read_dir(repository().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = examples.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    let access = std::fs::read_dir(repository().join("examples/access")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(access.filter(|path| std::fs::read_to_string(path).unwrap().contains("name: fix-the-disk")));
    let within = format!("metadata:\n  namespace: {}\n", stage.namespace);
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap().replacen("metadata:\n", &within, 1);
        std::fs::write(work.join(file.file_name().unwrap()), text).unwrap();
    }
    let boot = format!(
        "apiVersion: v1\nkind: Secret\n{within}  name: build-windows-boot\nstringData: {{boot.ps1: Get-Date}}\n"
    );
    std::fs::write(work.join("boot.yaml"), boot).unwrap();
    files.len() + 1
}

fn edit(desks: &Repository, file: &str, from: &str, to: &str) {
    let path = desks.work().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Flux's definitions and its two controllers, with an administrator's rights, as an installation gives them.
async fn start(stage: &Stage, flux: &Flux) -> [Daemon; 2] {
    let folder = stage.control_plane.folder();
    stage.kubectl(&["apply", "--server-side", "-f", flux.definitions.to_str().unwrap()]).await;
    stage
        .kubectl(&["wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=60s"])
        .await;
    stage.kubectl(&["create", "namespace", "flux-system"]).await;
    let kubeconfig = stage.control_plane.write_kubeconfig(&stage.control_plane.admin());
    let (storage, port) = (folder.path().join("artifacts"), free_port());
    std::fs::create_dir_all(&storage).unwrap();
    let controller = |name: &str, program: &Path, more: &[String]| {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", &kubeconfig).env("RUNTIME_NAMESPACE", "flux-system");
        command.args([
            "--metrics-addr=127.0.0.1:0",
            "--watch-all-namespaces=true",
            "--log-encoding=json",
            "--events-addr=",
        ]);
        command.arg(format!("--health-addr=127.0.0.1:{}", free_port())).args(more);
        // They write temp files of their own.
        let temp = folder.path().join(format!("{name}-temp"));
        std::fs::create_dir_all(&temp).unwrap();
        command.env("TMPDIR", temp);
        Daemon::spawn_in(folder, name, command).unwrap()
    };
    let address = format!("127.0.0.1:{port}");
    let storage = [
        format!("--storage-path={}", storage.display()),
        format!("--storage-addr={address}"),
        format!("--storage-adv-addr={address}"),
    ];
    [
        controller("source-controller", &flux.source_controller, &storage),
        controller("kustomize-controller", &flux.kustomize_controller, &[]),
    ]
}

/// What a team keeps for its repository, as docs/gitops.md has it, with short times.
async fn point_at(stage: &Stage, url: &str) {
    let timeout = format!("{}s", PATIENCE.as_secs());
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": { "name": "desks" }, "spec": { "interval": "2s", "url": url, "ref": { "branch": "main" } },
    });
    let path = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories";
    ask(&stage.admin, "POST", path, Some(&source)).await.unwrap();
    let desks = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": { "name": "desks" },
        "spec": {
            "interval": "5s", "retryInterval": "5s", "timeout": timeout, "wait": true, "prune": true, "path": "./",
            "sourceRef": { "kind": "GitRepository", "name": "desks" },
        },
    });
    ask(&stage.admin, "POST", KUSTOMIZATION.trim_end_matches("/desks"), Some(&desks)).await.unwrap();
}

/// Waits until the Kustomization is so.
async fn until_kustomization(stage: &Stage, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let desks = ask(&stage.admin, "GET", KUSTOMIZATION, None).await.unwrap();
        if so(&desks) {
            return desks;
        }
        assert!(Instant::now() < end, "waited in vain: {what}:\n{}", shown(&desks));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until Flux has applied this revision and calls all of it healthy, which is never before `done`. How long it took.
async fn until_applied(stage: &Stage, revision: &str, done: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    until_kustomization(stage, &format!("{revision} is applied"), |desks| {
        // Looked at after Flux was asked: what is not done now was not done then.
        let done = done();
        let satisfied = word(desks, "/status/lastAppliedRevision") == revision && condition(desks, "Ready").0 == "True";
        assert!(done || !satisfied, "Flux is satisfied before AWS is done:\n{}", shown(desks));
        satisfied
    })
    .await;
    began.elapsed()
}

fn title(stage: &Stage, name: &str) -> String {
    stage.in_aws(name).map(|fleet| word(&fleet, "/settings/DisplayName")).unwrap_or_default()
}

/// How often Flux has reconciled: it counts nothing, but says so in its history.
async fn reconciliations(stage: &Stage) -> i64 {
    let desks = ask(&stage.admin, "GET", KUSTOMIZATION, None).await.unwrap();
    let history = desks["status"]["history"].as_array().cloned().unwrap_or_default();
    history.iter().filter_map(|entry| entry["totalReconciliations"].as_i64()).sum()
}

/// The version of every object of ours.
async fn versions(stage: &Stage) -> Vec<String> {
    let mut versions = Vec::new();
    // A grant writes its status when it renews.
    for which in [&FLEET, &STACK, &INSTANCE, &IMAGE_BUILDER] {
        for object in stage.of(which).all().await {
            let [name, version] = ["name", "resourceVersion"].map(|key| word(&object["metadata"], &format!("/{key}")));
            versions.push(format!("{} {name} {version}", which.kind));
        }
    }
    versions
}

fn writes(stage: &Stage) -> usize {
    stage.aws.audit(0).unwrap().iter().filter(|entry| entry["mutating"] == true).count()
}
