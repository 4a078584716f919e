//! The control plane itself: what it grants, what it refuses, and what it leaves behind (nothing).

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use testbed::{ControlPlane, Daemon, Options};

#[tokio::test]
async fn the_administrator_may_do_everything_and_readyz_says_ok() {
    let cp = ControlPlane::shared().await;
    let client = cp.admin_client().await;
    let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
    assert_eq!(client.request_text(request).await.unwrap(), "ok");
    let namespace = cp.namespace("admin").await;
    let api = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
    api.create(&PostParams::default(), &config_map("one"))
        .await
        .unwrap();
    assert_eq!(names(&api).await.unwrap(), ["one"]);
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, testbed::version());
}

#[tokio::test]
async fn a_plain_user_is_refused_by_rbac_until_a_role_is_bound_to_a_group() {
    let cp = ControlPlane::shared().await;
    let namespace = cp.namespace("rbac").await;
    let user = cp.user("ada", &["team-a", "team-b"]);
    let api = Api::<ConfigMap>::namespaced(client(user).await, &namespace);
    let refusal = names(&api).await.unwrap_err().to_string();
    assert!(
        refusal.contains("User \"ada\" cannot list resource \"configmaps\""),
        "{refusal}"
    );
    let kubeconfig = cp.write_kubeconfig(&cp.admin());
    let kubectl = |arguments: &[&str]| {
        let mut command = cp.kubectl(&kubeconfig);
        let done = command.arg("--namespace").arg(&namespace).args(arguments);
        assert!(done.output().unwrap().status.success(), "{arguments:?}");
    };
    let role = [
        "create",
        "role",
        "reader",
        "--verb=list",
        "--resource=configmaps",
    ];
    kubectl(&role);
    // Each group alone is enough: both arrive. The API server's authorizer reads role bindings through a watch.
    for group in ["team-b", "team-a"] {
        let subject = format!("--group={group}");
        kubectl(&["create", "rolebinding", group, "--role=reader", &subject]);
        until(group, async || names(&api).await.is_ok()).await;
        kubectl(&["delete", "rolebinding", group]);
        until(group, async || names(&api).await.is_err()).await;
    }
}

#[tokio::test]
async fn a_service_accounts_token_is_known_by_its_name() {
    let cp = ControlPlane::shared().await;
    let namespace = cp.namespace("accounts").await;
    let robot = cp.service_account(&namespace, "robot").await;
    let kubeconfig = cp.write_kubeconfig(&robot);
    let whoami = cp
        .kubectl(&kubeconfig)
        .args([
            "auth",
            "whoami",
            "-o",
            "jsonpath={.status.userInfo.username}",
        ])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&whoami.stdout),
        format!("system:serviceaccount:{namespace}:robot")
    );
    let api = Api::<ConfigMap>::namespaced(client(robot).await, &namespace);
    let refusal = names(&api).await.unwrap_err().to_string();
    assert!(refusal.contains("cannot list resource"), "{refusal}");
}

#[tokio::test]
async fn definitions_are_served_when_they_have_been_applied_also_the_second_time() {
    let cp = ControlPlane::shared().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("widgets.yaml"), WIDGETS).unwrap();
    for _ in 0..2 {
        cp.apply_crds(folder.path()).await.unwrap();
        let kubeconfig = cp.write_kubeconfig(&cp.admin());
        let listed = cp
            .kubectl(&kubeconfig)
            .args(["get", "widgets.test.windlass.dev", "-A", "-o", "name"])
            .output()
            .unwrap();
        assert!(
            listed.status.success(),
            "{}",
            String::from_utf8_lossy(&listed.stderr)
        );
    }
    let empty = tempfile::tempdir().unwrap();
    let error = cp.apply_crds(empty.path()).await.unwrap_err().to_string();
    assert!(
        error.starts_with("no CustomResourceDefinition in "),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_controller_manager_a_deleted_namespace_goes_with_all_that_is_in_it() {
    let options = Options {
        controller_manager: true,
        audit_log: true,
    };
    let cp = ControlPlane::start(options).unwrap();
    let client = cp.admin_client().await;
    let namespace = cp.namespace("doomed").await;
    let inside = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
    inside
        .create(&PostParams::default(), &config_map("inside"))
        .await
        .unwrap();
    let namespaces = Api::<Namespace>::all(client);
    namespaces
        .delete(&namespace, &DeleteParams::default())
        .await
        .unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while namespaces.get_opt(&namespace).await.unwrap().is_some() {
        assert!(Instant::now() < end, "the namespace is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(names(&inside).await.unwrap(), Vec::<String>::new());
    let audit = std::fs::read_to_string(cp.audit_log()).unwrap();
    let deletes = audit.lines().filter(|line| {
        line.contains(r#""verb":"delete""#) && line.contains(r#""resource":"namespaces""#)
    });
    assert!(deletes.count() >= 1);
    let (pids, folder) = (cp.pids(), cp.folder().path().to_owned());
    assert_eq!(pids.len(), 3);
    cp.stop();
    assert_eq!(still_running(&pids), Vec::<u32>::new());
    assert!(!folder.exists());
}

#[test]
fn a_killed_owner_leaves_no_process_and_no_folder() {
    let (mut owner, pids, folder) = owner("wait");
    assert_eq!(still_running(&pids), pids);
    owner.kill().unwrap();
    owner.wait().unwrap();
    gone(&pids, &folder);
}

#[test]
fn an_interrupted_owner_leaves_no_process_and_no_folder() {
    let (mut owner, pids, folder) = owner("wait");
    let sent = Command::new("/bin/sh")
        .args(["-c", &format!("kill -INT {}", owner.id())])
        .status();
    assert!(sent.unwrap().success());
    assert!(!owner.wait().unwrap().success());
    gone(&pids, &folder);
}

#[test]
fn a_panic_keeps_the_logs_and_nothing_else() {
    let (mut owner, pids, folder) = owner("panic");
    let pid = owner.id();
    assert!(!owner.wait().unwrap().success());
    gone(&pids, &folder);
    let kept = testbed::target_folder()
        .join("testbed-logs")
        .join(pid.to_string());
    let kept_logs = kept.join(folder.file_name().unwrap());
    let mut logs: Vec<_> = std::fs::read_dir(&kept_logs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    logs.sort();
    assert_eq!(logs, ["etcd-1.log", "kube-apiserver-2.log", "sleep-3.log"]);
    std::fs::remove_dir_all(kept).unwrap();
}

#[test]
fn two_owners_at_once_do_not_collide() {
    let both = [owner("wait"), owner("wait")];
    let pids: Vec<_> = both.iter().flat_map(|(_, pids, _)| pids.clone()).collect();
    assert_eq!(still_running(&pids).len(), 6);
    assert_ne!(both[0].2, both[1].2);
    for (mut owner, pids, folder) in both {
        owner.kill().unwrap();
        owner.wait().unwrap();
        gone(&pids, &folder);
    }
}

/// Not a test of its own: the process that the tests above start and end. It does nothing without its variable.
#[test]
fn the_owner_that_other_tests_kill() {
    let Some(how) = std::env::var_os("TESTBED_OWNER") else {
        return;
    };
    let cp = ControlPlane::start(Options::default()).unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    let daemon = Daemon::spawn_in(cp.folder(), "sleep", sleep).unwrap();
    let pids: Vec<_> = cp.pids().into_iter().chain([daemon.pid()]).collect();
    let told = format!("{} {pids:?}\n", cp.folder().path().display());
    let aside = PathBuf::from(std::env::var_os("TESTBED_TOLD").unwrap());
    std::fs::write(aside.with_extension("part"), told).unwrap();
    std::fs::rename(aside.with_extension("part"), &aside).unwrap();
    if how == "panic" {
        panic!("as asked");
    }
    std::thread::sleep(Duration::from_secs(600));
}

/// Starts this test binary again as the owner of a control plane; returns it with its processes and its folder.
fn owner(how: &str) -> (std::process::Child, Vec<u32>, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_owner_that_other_tests_kill"])
        .env("TESTBED_OWNER", how)
        .env("TESTBED_TOLD", &told)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(120);
    while !told.exists() {
        assert!(Instant::now() < end, "the owner has not started");
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = std::fs::read_to_string(told).unwrap();
    let (folder, pids) = text.trim().split_once(' ').unwrap();
    (
        child,
        serde_json::from_str(pids).unwrap(),
        PathBuf::from(folder),
    )
}

fn gone(pids: &[u32], folder: &Path) {
    let end = Instant::now() + Duration::from_secs(10);
    while !still_running(pids).is_empty() || folder.exists() {
        assert!(
            Instant::now() < end,
            "left behind: processes {:?}, folder {} ({})",
            still_running(pids),
            folder.display(),
            folder.exists()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Those that run; a process that nobody has reaped yet runs no more.
fn still_running(pids: &[u32]) -> Vec<u32> {
    let runs = |pid: &u32| {
        let output = Command::new("ps")
            .args(["-o", "stat=", "-p", &pid.to_string()])
            .output();
        let state = String::from_utf8_lossy(&output.unwrap().stdout)
            .trim()
            .to_owned();
        !state.is_empty() && !state.starts_with('Z')
    };
    pids.iter().copied().filter(|pid| runs(pid)).collect()
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !so().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn client(kubeconfig: Kubeconfig) -> Client {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

fn config_map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    map
}

async fn names(api: &Api<ConfigMap>) -> kube::Result<Vec<String>> {
    let list = api.list(&ListParams::default()).await?;
    let names = list.items.into_iter().filter_map(|map| map.metadata.name);
    Ok(names.filter(|name| name != "kube-root-ca.crt").collect())
}

const WIDGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.windlass.dev}
spec:
  group: test.windlass.dev
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object}}
";
