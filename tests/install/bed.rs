//! A control plane with nothing of ours on it, an AWS, both Helms, and pods played by processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use kube::Client;
use serde_json::{Value, json};
use testbed::simulator::{ACCESS_KEY, Simulator};
use testbed::{ControlPlane, Daemon, Helm, Options, Scratch, free_port};

use crate::stage::{SECRET, SOON, ask, repository, shown, word};

/// Where the charts are installed.
pub const NAMESPACE: &str = "windlass-system";
/// As which release the operator is.
pub const RELEASE: &str = "windlass";

/// An AWS that takes a second for everything.
const FAST: [&str; 13] = [
    "--start=1s",
    "--stop=1s",
    "--scale=500ms",
    "--scale-in=500ms",
    "--builder-start=1s",
    "--builder-stop=1s",
    "--builder-delete=1s",
    "--instance-start=1s",
    "--instance-stop=1s",
    "--instance-delete=1s",
    "--address-lag=200ms",
    "--host-key-lag=200ms",
    "--access-keys=2",
];

/// Helm 3 and Helm 4.
pub fn helms() -> [PathBuf; 2] {
    static BUILT: OnceLock<Helm> = OnceLock::new();
    let helm = BUILT.get_or_init(|| Helm::find_or_build().unwrap());
    [helm.three.clone(), helm.four.clone()]
}

/// A Helm command without a cluster.
pub fn helm(helm: &Path) -> Said {
    Said(Helm::command(helm, Scratch::of_process().unwrap()))
}

/// What `helm template` gives, without empty lines: the two Helms put different ones.
pub fn render(helm: &Path, chart: &str, values: Option<&Path>) -> String {
    let mut command = self::helm(helm);
    command.args(["template", RELEASE, "--namespace", NAMESPACE]).arg(repository().join("charts").join(chart));
    if let Some(values) = values {
        command.arg("--values").arg(values);
    }
    let lines = command.assert_ok();
    lines.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect()
}

/// A command whose end is judged.
pub struct Said(Command);

impl Said {
    /// One more argument.
    pub fn arg(&mut self, argument: impl AsRef<std::ffi::OsStr>) -> &mut Self {
        self.0.arg(argument);
        self
    }

    /// Runs in this folder.
    pub fn current_dir(&mut self, folder: &Path) -> &mut Self {
        self.0.current_dir(folder);
        self
    }

    /// More arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> &mut Self {
        self.0.args(arguments);
        self
    }

    /// It ends well; what it said, standard error after standard output.
    pub fn assert_ok(&mut self) -> String {
        let (well, out, err) = self.run();
        assert!(well, "{:?}: {out}{err}", self.0);
        out + &err
    }

    /// It ends badly; what it said.
    pub fn assert_refused(&mut self) -> String {
        let (well, out, err) = self.run();
        assert!(!well, "{:?} was not refused: {out}{err}", self.0);
        out + &err
    }

    fn run(&mut self) -> (bool, String, String) {
        let output = self.0.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }
}

/// The words with which the API server refused.
pub fn refusal(answer: kube::Result<Value>) -> String {
    match answer {
        Ok(value) => panic!("it was not refused: {value}"),
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(error) => panic!("{error}"),
    }
}

/// The path of a namespace's Fleets.
pub fn fleets(namespace: &str) -> String {
    format!("/apis/appstream.windlass.dev/v1alpha1/namespaces/{namespace}/fleets")
}

/// A cluster without nodes.
pub struct Bed {
    pub control_plane: ControlPlane,
    pub admin: Client,
    pub aws: Simulator,
    kubeconfig: PathBuf,
}

impl Bed {
    /// A new one, with the namespace that the charts go to.
    pub async fn start() -> Self {
        let options = Options { controller_manager: true, audit_log: true };
        let control_plane = tokio::task::spawn_blocking(move || ControlPlane::start(options)).await.unwrap().unwrap();
        let admin = control_plane.admin_client().await;
        let program = Path::new(env!("CARGO_BIN_EXE_windlass")).with_file_name("windlass-simulator");
        assert!(program.is_file(), "{} is not built: run cargo build --workspace", program.display());
        let aws = Simulator::start(control_plane.folder(), &program, &FAST).unwrap();
        let kubeconfig = control_plane.write_kubeconfig(&control_plane.admin());
        let bed = Self { control_plane, admin, aws, kubeconfig };
        bed.namespace(NAMESPACE).await;
        bed
    }

    /// A client for somebody without any right of their own.
    pub async fn person(&self, name: &str) -> Client {
        let config =
            kube::Config::from_custom_kubeconfig(self.control_plane.user(name, &[]), &Default::default()).await;
        Client::try_from(config.unwrap()).unwrap()
    }

    /// Makes a namespace.
    pub async fn namespace(&self, name: &str) {
        let namespace = json!({ "metadata": { "name": name } });
        ask(&self.admin, "POST", "/api/v1/namespaces", Some(&namespace)).await.unwrap();
    }

    /// The administrator's kubectl.
    pub fn kubectl(&self) -> Said {
        Said(self.control_plane.kubectl(&self.kubeconfig))
    }

    /// The administrator's Helm.
    pub fn helm(&self, helm: &Path) -> Said {
        let mut command = Helm::command(helm, self.control_plane.folder());
        command.env("KUBECONFIG", &self.kubeconfig);
        Said(command)
    }

    /// One of our charts, installed or upgraded by the line that the README's "Install" has for it, with what its pods need here.
    pub fn install(&self, helm: &Path, chart: &str, more: &[&str]) -> Said {
        self.install_from(repository(), helm, chart, more)
    }

    /// The same from another folder that has `charts`.
    pub fn install_from(&self, folder: &Path, helm: &Path, chart: &str, more: &[&str]) -> Said {
        let mut command = self.helm(helm);
        let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
        let begins = format!("helm upgrade --install {chart} charts/{chart} --namespace {NAMESPACE} ");
        let line = readme.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("no line {begins}"));
        command.current_dir(folder).args(line.split(' ').skip(1));
        if chart == "windlass" {
            let mut env = String::from("env=[");
            for (name, value) in [
                ("AWS_ENDPOINT_URL", &*self.aws.url()),
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET),
            ] {
                env +=
                    &format!("{}{}", json!({ "name": name, "value": value }), if value == SECRET { "]" } else { "," });
            }
            command.args(["--set-json", &env, "--set", "region=us-east-1,resync=2s"]);
            command.args(["--set", &format!("port={}", free_port())]);
            command.args([
                "--set",
                "leaderElection.leaseDuration=4s,leaderElection.renewDeadline=3s,leaderElection.retry=500ms",
            ]);
        }
        command.args(more);
        command
    }

    /// The installed Deployment.
    pub async fn deployment(&self) -> Value {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{RELEASE}");
        ask(&self.admin, "GET", &path, None).await.unwrap()
    }

    /// A process that is what the Deployment's pod would be: its arguments, its environment and no more, its ServiceAccount.
    pub async fn pod_of(&self, deployment: &Value, name: &str) -> Pod {
        self.pod_running(Path::new(env!("CARGO_BIN_EXE_windlass")), deployment, name).await
    }

    /// The same with another program as its image.
    pub async fn pod_running(&self, program: &Path, deployment: &Value, name: &str) -> Pod {
        let pod = &deployment["spec"]["template"]["spec"];
        let account = word(pod, "/serviceAccountName");
        let path = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}");
        ask(&self.admin, "GET", &path, None).await.unwrap();
        assert_eq!(pod["automountServiceAccountToken"], true);
        let token = self.control_plane.service_account(NAMESPACE, &account).await;
        let container = &pod["containers"][0];
        // `env -i`: nothing of ours is in its environment. It becomes the program, whose number is the same.
        let mut command = Command::new("env");
        command.arg("-i");
        let variable = |name: &str, value: &str| format!("{name}={value}");
        command.arg(variable("KUBECONFIG", &self.control_plane.write_kubeconfig(&token).display().to_string()));
        let args: Vec<&str> = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        for entry in container["env"].as_array().unwrap() {
            let value = match (entry["value"].as_str(), word(entry, "/valueFrom/fieldRef/fieldPath").as_str()) {
                (Some(value), _) => value.to_owned(),
                (None, "metadata.name") => format!("{RELEASE}-{name}"),
                (None, "metadata.namespace") => NAMESPACE.to_owned(),
                (None, _) => panic!("a pod's variable that nobody sets here: {entry}"),
            };
            command.arg(variable(&word(entry, "/name"), &value));
        }
        command.arg(program).args(&args);
        let port = args.iter().find_map(|arg| arg.strip_prefix("--listen=")?.rsplit(':').next()?.parse().ok()).unwrap();
        assert_eq!(container["ports"][0]["containerPort"], port);
        let probes = [&container["livenessProbe"], &container["readinessProbe"]];
        let paths = probes.map(|probe| (word(probe, "/httpGet/path"), word(probe, "/httpGet/port")));
        assert_eq!(paths, [("/livez".to_owned(), "http".to_owned()), ("/readyz".to_owned(), "http".to_owned())]);
        let daemon = Daemon::spawn_in(self.control_plane.folder(), &format!("windlass-{name}"), command).unwrap();
        Pod { daemon, port }
    }

    /// What is left of our charts, beside the definitions that are meant to stay.
    pub async fn left_of_the_release(&self) -> Vec<String> {
        let mut left = Vec::new();
        for path in [
            "/apis/apps/v1/deployments",
            "/api/v1/services",
            "/apis/policy/v1/poddisruptionbudgets",
            "/apis/networking.k8s.io/v1/networkpolicies",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            "/apis/rbac.authorization.k8s.io/v1/roles",
            "/apis/rbac.authorization.k8s.io/v1/rolebindings",
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
            "/api/v1/secrets",
        ] {
            let list = ask(&self.admin, "GET", path, None).await.unwrap();
            let items = list["items"].as_array().cloned().unwrap_or_default();
            let names = items.iter().map(|item| word(item, "/metadata/name"));
            left.extend(names.filter(|name| name.contains(RELEASE)).map(|name| format!("{path}/{name}")));
        }
        left
    }

    /// Whether the API server lets this user do that.
    pub async fn may(&self, user: &str, namespace: &str, verb: &str, (group, resource): (&str, &str)) -> bool {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let what =
            json!({ "namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": part });
        let review = json!({ "spec": { "user": user, "resourceAttributes": what } });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        ask(&self.admin, "POST", path, Some(&review)).await.unwrap()["status"]["allowed"] == true
    }

    /// Creates a Fleet.
    pub async fn create(&self, namespace: &str, name: &str, spec: Value) {
        let fleet = json!({
            "apiVersion": "appstream.windlass.dev/v1alpha1", "kind": "Fleet", "metadata": { "name": name }, "spec": spec,
        });
        ask(&self.admin, "POST", &fleets(namespace), Some(&fleet)).await.unwrap();
    }

    /// Merges this into a Fleet.
    pub async fn patch(&self, namespace: &str, name: &str, patch: Value) {
        ask(&self.admin, "PATCH", &format!("{}/{name}", fleets(namespace)), Some(&patch)).await.unwrap();
    }

    /// The Fleet, or nothing.
    pub async fn find(&self, namespace: &str, name: &str) -> Option<Value> {
        ask(&self.admin, "GET", &format!("{}/{name}", fleets(namespace)), None).await.ok()
    }

    /// Waits until the Fleet is so.
    pub async fn until(&self, namespace: &str, name: &str, what: &str, so: impl Fn(&Value) -> bool) {
        let end = Instant::now() + SOON;
        loop {
            let fleet = self.find(namespace, name).await.unwrap_or_default();
            if so(&fleet) {
                return;
            }
            assert!(Instant::now() < end, "waited in vain for {name}: {what}:\n{}", shown(&fleet));
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// The fleet as AWS has it, or nothing.
    pub fn in_aws(&self, name: &str) -> Option<Value> {
        testbed::http::get(self.aws.port(), &format!("/_sim/fleets/{name}")).ok()
    }

    /// Waits until AWS is so.
    pub async fn until_aws(&self, name: &str, so: impl Fn(&Value) -> bool) {
        let end = Instant::now() + SOON;
        while !self.in_aws(name).is_some_and(|fleet| so(&fleet)) {
            assert!(Instant::now() < end, "waited in vain for AWS's {name}: {:#?}", self.in_aws(name));
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Every write that AWS received, in order.
    pub fn aws_writes(&self) -> Vec<String> {
        self.aws_writes_of("")
    }

    /// Every write about this fleet.
    pub fn aws_writes_of(&self, name: &str) -> Vec<String> {
        let audit = self.aws.audit(0).unwrap();
        let about = audit.iter().filter(|entry| entry["mutating"] == true && word(entry, "/resource").ends_with(name));
        about.map(|entry| word(entry, "/operation")).collect()
    }
}

/// A running operator.
pub struct Pod {
    daemon: Daemon,
    port: u16,
}

impl Pod {
    /// Where its own server listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that it has said.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// GETs a path of its own server; an error when the answer is not 2xx.
    pub fn ask(&self, path: &str) -> Result<String, String> {
        assert!(self.daemon.is_running(), "it ended with {:?}:\n{}", self.daemon.exit_code(), self.daemon.log());
        testbed::http::ask(self.port, "GET", path, &[], "").map_err(|error| format!("{error:#}"))
    }

    /// A figure of /metrics; 0 when it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.ask("/metrics").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// What the kubelet does first when a pod goes: SIGTERM. It ends by itself, with 0, within the grace.
    pub fn stop(&self) {
        self.daemon.signal("TERM");
        assert_eq!(self.daemon.wait_exit(std::time::Duration::from_secs(30)), Some(0), "{}", self.daemon.log());
    }

    /// Nothing secret is in its log, and the API server refused it nothing.
    pub fn assert_log_is_clean(&self) {
        let log = self.daemon.log();
        for word in [SECRET, "forbidden", "panicked"] {
            assert_eq!(log.lines().find(|line| line.contains(word)), None, "the log has {word:?}");
        }
    }
}
