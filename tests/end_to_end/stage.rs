//! Where a test plays: a namespace of a real API server, a simulated AWS over HTTP, and the real operator, which runs under a
//! ServiceAccount with exactly the rights of `tests/rbac`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use kube::Client;
use serde_json::{Value, json};
use testbed::simulator::{ACCESS_KEY, Simulator};
use testbed::{ControlPlane, Daemon, Options, free_port};
use tokio::sync::OnceCell;

/// How long anything may take that is not held back by a rule with a time of its own: for a machine that is busy.
pub const SOON: Duration = Duration::from_secs(180);
/// How long a deletion may take: the operator believes an absence 60 s after the last write, and looks every 15 s.
pub const DELETED: Duration = Duration::from_secs(150);
/// The secret that every operator signs with: no output may hold it.
pub const SECRET: &str = "cAnArY/SeCrEt+AcCeSs.KeY/0123456789abcdEF";

/// One of our kinds, on both sides.
#[derive(Debug)]
pub struct Which {
    pub group: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    /// What the simulator's admin route of all of them, and the list in its answer, are called.
    pub in_aws: &'static str,
    /// What comes before the name in its ARN; Lightsail's have no name.
    arn: &'static str,
}

const APPSTREAM: &str = "appstream.windlass.dev";
pub static FLEET: Which = Which { group: APPSTREAM, kind: "Fleet", plural: "fleets", in_aws: "fleets", arn: ":fleet/" };
pub static STACK: Which = Which { group: APPSTREAM, kind: "Stack", plural: "stacks", in_aws: "stacks", arn: ":stack/" };
pub static IMAGE_BUILDER: Which = Which {
    group: APPSTREAM,
    kind: "ImageBuilder",
    plural: "imagebuilders",
    in_aws: "builders",
    arn: ":image-builder/",
};
pub static INSTANCE: Which = Which {
    group: "lightsail.windlass.dev",
    kind: "Instance",
    plural: "instances",
    in_aws: "instances",
    arn: ":Instance/",
};

/// It has nothing in AWS.
pub static GRANT: Which =
    Which { group: "access.windlass.dev", kind: "AccessGrant", plural: "accessgrants", in_aws: "", arn: "" };

/// It has no namespace, and nothing in AWS.
pub static ACCOUNT: Which =
    Which { group: "aws.windlass.dev", kind: "Account", plural: "accounts", in_aws: "", arn: "" };

/// The control plane of this test binary, with our definitions and roles and an audit log.
pub async fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = || async {
        let options = Options { audit_log: true, ..Options::default() };
        let started = tokio::task::spawn_blocking(move || ControlPlane::start(options)).await.unwrap().unwrap();
        started.apply_crds(repository().join("crds")).await.unwrap();
        let admin = started.admin_client().await;
        apply(&admin, include_str!("../rbac/cluster.yaml")).await;
        started
    };
    SHARED.get_or_init(start).await
}

/// A simulator for this binary's control plane.
pub async fn simulator(flags: &[&str]) -> Arc<Simulator> {
    let control_plane = control_plane().await;
    let program = Path::new(env!("CARGO_BIN_EXE_windlass")).with_file_name("windlass-simulator");
    assert!(program.is_file(), "{} is not built: run cargo build --workspace", program.display());
    Arc::new(Simulator::start(control_plane.folder(), &program, flags).unwrap())
}

/// A namespace with an operator's rights in it, and an AWS.
#[derive(Clone)]
pub struct Stage {
    pub control_plane: &'static ControlPlane,
    pub admin: Client,
    pub namespace: String,
    /// The kind that it speaks of.
    pub which: &'static Which,
    pub aws: Arc<Simulator>,
    /// How long waits last at most.
    pub patience: Duration,
    /// How often they look.
    pub poll: Duration,
    kubeconfig: PathBuf,
    operator_kubeconfig: PathBuf,
}

impl Stage {
    /// A stage of its own; `prefix` begins its namespace's name.
    pub async fn new(prefix: &str, aws: Arc<Simulator>) -> Self {
        Self::on(control_plane().await, prefix, aws).await
    }

    /// A stage on this control plane, which has our roles already.
    pub async fn on(control_plane: &'static ControlPlane, prefix: &str, aws: Arc<Simulator>) -> Self {
        let admin = control_plane.admin_client().await;
        let namespace = control_plane.namespace(prefix).await;
        apply(&admin, &include_str!("../rbac/namespace.yaml").replace("NAMESPACE", &namespace)).await;
        let operator = control_plane.service_account(&namespace, "windlass").await;
        let operator_kubeconfig = control_plane.write_kubeconfig(&operator);
        let mut person = control_plane.admin();
        for context in person.contexts.iter_mut().filter_map(|named| named.context.as_mut()) {
            context.namespace = Some(namespace.clone());
        }
        let kubeconfig = control_plane.write_kubeconfig(&person);
        let which = &FLEET;
        Self {
            control_plane,
            admin,
            namespace,
            which,
            aws,
            patience: SOON,
            poll: POLL,
            kubeconfig,
            operator_kubeconfig,
        }
    }

    /// The same stage, which speaks of another kind.
    pub fn of(&self, which: &'static Which) -> Self {
        Self { which, ..self.clone() }
    }

    /// An operator to be started, with short times.
    pub fn operator(&self) -> Recipe {
        let lease = format!("--lease-namespace={}", self.namespace);
        let flags = ["run", "--region=us-east-1", "--log-format=json", "--resync=2s", &lease];
        Recipe {
            stage: self.clone(),
            flags: flags.map(str::to_owned).to_vec(),
            cluster_wide: false,
            access_key: ACCESS_KEY.to_owned(),
            env: Vec::new(),
            under: Vec::new(),
        }
    }

    /// Runs kubectl as the administrator and returns what it prints.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_with("KUBERC", "off", arguments).await
    }

    /// The same with a variable in its environment.
    pub async fn kubectl_with(&self, name: &str, value: &str, arguments: &[&str]) -> String {
        let (code, out) = self.run_kubectl(Some((name, value)), arguments).await;
        assert_eq!(code, 0, "kubectl {arguments:?}: {out}");
        out
    }

    /// Runs kubectl as the administrator: its exit code, and what it prints.
    pub async fn kubectl_code(&self, arguments: &[&str]) -> (i32, String) {
        self.run_kubectl(None, arguments).await
    }

    async fn run_kubectl(&self, variable: Option<(&str, &str)>, arguments: &[&str]) -> (i32, String) {
        let mut command = self.control_plane.kubectl(&self.kubeconfig);
        command.args(arguments).envs(variable);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code().unwrap();
        (code, if code == 0 { out.into_owned() } else { format!("{out}{err}") })
    }

    /// The token of the operator's ServiceAccount.
    pub fn token(&self) -> String {
        let kubeconfig = std::fs::read_to_string(&self.operator_kubeconfig).unwrap();
        let kubeconfig: Value = serde_yaml::from_str(&kubeconfig).unwrap();
        let token = word(&kubeconfig, "/users/0/user/token");
        assert!(token.len() > 100);
        token
    }

    fn objects(&self) -> String {
        format!("/apis/{}/v1alpha1/namespaces/{}/{}", self.which.group, self.namespace, self.which.plural)
    }

    /// Creates an object.
    pub async fn create(&self, name: &str, spec: Value) -> Value {
        let Which { group, kind, .. } = self.which;
        let object = json!({
            "apiVersion": format!("{group}/v1alpha1"), "kind": kind, "metadata": { "name": name }, "spec": spec,
        });
        ask(&self.admin, "POST", &format!("{}?fieldManager=person", self.objects()), Some(&object)).await.unwrap()
    }

    /// The object, or nothing.
    pub async fn find(&self, name: &str) -> Option<Value> {
        match ask(&self.admin, "GET", &format!("{}/{name}", self.objects()), None).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("reading {} {name}: {error}", self.which.kind),
        }
    }

    /// The object.
    pub async fn object(&self, name: &str) -> Value {
        self.find(name).await.unwrap_or_else(|| panic!("there is no {} {name}", self.which.kind))
    }

    /// All of the namespace.
    pub async fn all(&self) -> Vec<Value> {
        let list = ask(&self.admin, "GET", &self.objects(), None).await.unwrap();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Merges this into the object.
    pub async fn patch(&self, name: &str, patch: Value) -> Value {
        let path = format!("{}/{name}?fieldManager=person", self.objects());
        ask(&self.admin, "PATCH", &path, Some(&patch)).await.unwrap()
    }

    /// Deletes the object, without waiting.
    pub async fn delete(&self, name: &str) {
        ask(&self.admin, "DELETE", &format!("{}/{name}", self.objects()), None).await.unwrap();
    }

    /// Waits until the object is so.
    pub async fn until(&self, name: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + self.patience;
        loop {
            let fleet = self.object(name).await;
            if so(&fleet) {
                return fleet;
            }
            assert!(Instant::now() < end, "waited in vain for {name}: {what}:\n{}", shown(&fleet));
            tokio::time::sleep(self.poll).await;
        }
    }

    /// Waits until the object is gone.
    pub async fn until_gone(&self, name: &str) {
        let end = Instant::now() + DELETED;
        while let Some(fleet) = self.find(name).await {
            assert!(Instant::now() < end, "waited in vain for {name} to go:\n{}", shown(&fleet));
            tokio::time::sleep(self.poll).await;
        }
    }

    /// Every Event about an object: reason, note, count.
    pub async fn events(&self, name: &str) -> Vec<(String, String, i64)> {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", self.namespace);
        let list = ask(&self.admin, "GET", &path, None).await.unwrap();
        let events = list["items"].as_array().cloned().unwrap_or_default();
        let (kind, name) = (json!(self.which.kind), json!(name));
        let about =
            events.iter().filter(|event| event["regarding"]["name"] == name && event["regarding"]["kind"] == kind);
        about
            .map(|event| (word(event, "/reason"), word(event, "/note"), event["series"]["count"].as_i64().unwrap_or(1)))
            .collect()
    }

    /// The Lease's holder; empty when nobody has it.
    pub async fn holder(&self) -> String {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/windlass", self.namespace);
        match ask(&self.admin, "GET", &path, None).await {
            Ok(lease) => word(&lease, "/spec/holderIdentity"),
            Err(kube::Error::Api(status)) if status.code == 404 => String::new(),
            Err(error) => panic!("reading the lease: {error}"),
        }
    }

    /// The resource as AWS has it, or nothing; without any lag.
    pub fn in_aws(&self, name: &str) -> Option<Value> {
        let all = testbed::http::get(self.aws.port(), &format!("/_sim/{}", self.which.in_aws)).unwrap();
        let all = all[self.which.in_aws].as_array().unwrap();
        all.iter().find(|resource| resource["name"] == name).cloned()
    }

    /// Waits until AWS is so.
    pub async fn until_aws(&self, name: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + self.patience;
        loop {
            let fleet = self.in_aws(name);
            if let Some(fleet) = fleet.as_ref().filter(|fleet| so(fleet)) {
                return fleet.clone();
            }
            assert!(Instant::now() < end, "waited in vain for AWS's {name}: {what}: {fleet:#?}");
            tokio::time::sleep(self.poll).await;
        }
    }

    /// The writes that AWS received about this resource (by name or ARN), in order, from the audit entry `since` on.
    pub fn writes(&self, name: &str, since: usize) -> Vec<String> {
        let entries = self.aws.audit(since).unwrap();
        let about = |entry: &&Value| {
            let resource = word(entry, "/resource");
            entry["mutating"] == true && (resource == name || resource.ends_with(&format!("{}{name}", self.which.arn)))
        };
        entries.iter().filter(about).map(|entry| word(entry, "/operation")).collect()
    }

    /// How many requests AWS has received.
    pub fn requests(&self) -> usize {
        self.aws.audit(0).unwrap().len()
    }

    /// Does something on the simulator's admin routes.
    pub fn sim(&self, method: &str, path: &str, body: &Value) -> Value {
        let json = [("content-type", "application/json")];
        let text = testbed::http::ask(self.aws.port(), method, &format!("/_sim{path}"), &json, &body.to_string());
        let text = text.unwrap();
        if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// What the API server's audit log has of this stage's operator, about objects.
    pub fn kube_audit(&self) -> Vec<Value> {
        let user = format!("system:serviceaccount:{}:windlass", self.namespace);
        let log = std::fs::read_to_string(self.control_plane.audit_log()).unwrap();
        // The last line may be half written.
        let events = log.lines().filter(|line| line.contains(&user)).filter_map(|line| serde_json::from_str(line).ok());
        events.filter(|event: &Value| event["user"]["username"] == *user && event["objectRef"].is_object()).collect()
    }
}

/// How often a wait looks: short beside what is waited for.
const POLL: Duration = Duration::from_millis(60);

/// An operator that is not started yet.
pub struct Recipe {
    stage: Stage,
    flags: Vec<String>,
    cluster_wide: bool,
    access_key: String,
    env: Vec<(String, String)>,
    under: Vec<String>,
}

impl Recipe {
    /// One more flag, `--name=value`, or another value of one.
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        let flag = flag.into();
        let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
        self.flags.retain(|old| name(old) != name(&flag));
        self.flags.push(flag);
        self
    }

    /// It watches all namespaces, not only the stage's own.
    pub fn cluster_wide(mut self) -> Self {
        self.cluster_wide = true;
        self
    }

    /// Whom AWS sees.
    pub fn access_key(mut self, key: &str) -> Self {
        self.access_key = key.to_owned();
        self
    }

    /// One more variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Started by this program with these words, which becomes it.
    pub fn under(mut self, words: &[&str]) -> Self {
        self.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts it, and waits for nothing.
    pub fn start(mut self) -> Operator {
        let port = free_port();
        self.under.push(env!("CARGO_BIN_EXE_windlass").to_owned());
        let mut command = Command::new(&self.under[0]);
        command.args(&self.under[1..]);
        if !self.cluster_wide {
            self.flags.push(format!("--watch-namespace={}", self.stage.namespace));
        }
        command
            .args(&self.flags)
            .arg(format!("--listen=127.0.0.1:{port}"))
            .env("KUBECONFIG", &self.stage.operator_kubeconfig)
            .env("AWS_ENDPOINT_URL_APPSTREAM", self.stage.aws.url())
            .env("AWS_ENDPOINT_URL_LIGHTSAIL", self.stage.aws.url())
            .env("AWS_ENDPOINT_URL_GAMELIFT", self.stage.aws.url())
            .env("AWS_ENDPOINT_URL_STS", self.stage.aws.url())
            .env("AWS_ACCESS_KEY_ID", self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env_remove("WINDLASS_HOLD_AT")
            .env_remove("WINDLASS_PANIC_AT")
            .env_remove("RUST_LOG");
        for (name, value) in self.env {
            command.env(name, value);
        }
        let daemon = Daemon::spawn_in(self.stage.control_plane.folder(), "windlass", command).unwrap();
        Operator { daemon, port }
    }

    /// Starts it, and waits until it is ready.
    pub async fn ready(self) -> Operator {
        let operator = self.start();
        until("the operator is ready", || operator.ask("/readyz").is_ok()).await;
        operator
    }
}

/// A running `windlass run`.
pub struct Operator {
    pub daemon: Daemon,
    port: u16,
}

impl Operator {
    /// Where its own server listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// GETs a path of its own server; an error when the answer is not 2xx.
    pub fn ask(&self, path: &str) -> Result<String, String> {
        assert!(self.daemon.is_running(), "the operator ended with {:?}:\n{}", self.daemon.exit_code(), self.tail());
        testbed::http::ask(self.port, "GET", path, &[], "").map_err(|error| format!("{error:#}"))
    }

    /// A figure of /metrics, by its name and labels as they are written there; 0 when it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.ask("/metrics").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// SIGTERM: it ends by itself, with 0.
    pub fn stop(&self) {
        self.daemon.signal("TERM");
        let code = self.daemon.wait_exit(Duration::from_secs(25));
        assert_eq!(code, Some(0), "the end after SIGTERM:\n{}", self.tail());
    }

    /// Nothing secret is in its log, and the API server refused it nothing.
    pub fn assert_log_is_clean(&self) {
        let log = self.daemon.log();
        for word in [SECRET, "forbidden", "panicked"] {
            let found = log.lines().find(|line| line.contains(word));
            assert_eq!(found, None, "the log has {word:?}");
        }
    }

    fn tail(&self) -> String {
        let log = self.daemon.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Prints past the test harness, which keeps to itself what a test that passes prints.
pub fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Waits until it is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until it is so.
pub async fn until_so(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !so().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// A plain ON_DEMAND Fleet's spec, with more merged over it.
pub fn spec(more: Value) -> Value {
    let mut spec = json!({
        "instanceType": "stream.standard.medium",
        "imageName": "windlass-demo-v1",
        "computeCapacity": { "desiredInstances": 1 },
    });
    let members = more.as_object().cloned().unwrap_or_default();
    spec.as_object_mut().unwrap().extend(members);
    spec
}

/// The text at a JSON pointer; empty when there is none.
pub fn word(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Status, reason and message of a condition; empty when it is not there.
pub fn condition(fleet: &Value, name: &str) -> (String, String, String) {
    let all = fleet.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = all.iter().find(|condition| condition["type"] == name).cloned().unwrap_or_default();
    (word(&found, "/status"), word(&found, "/reason"), word(&found, "/message"))
}

/// Whether the Fleet is Ready, as of its present generation.
pub fn ready(fleet: &Value) -> bool {
    condition(fleet, "Ready").0 == "True" && fleet["status"]["observedGeneration"] == fleet["metadata"]["generation"]
}

/// Whether the Fleet is Stalled for this reason, as of its present generation.
pub fn stalled(fleet: &Value, reason: &str) -> bool {
    let (status, why, _) = condition(fleet, "Stalled");
    (status.as_str(), why.as_str()) == ("True", reason)
        && fleet["status"]["observedGeneration"] == fleet["metadata"]["generation"]
}

/// Whether the Fleet works on something or waits, for this reason.
pub fn working(fleet: &Value, reason: &str) -> bool {
    let (status, why, _) = condition(fleet, "Reconciling");
    (status.as_str(), why.as_str()) == ("True", reason)
}

/// An object for a failure's text, without what nobody reads.
pub fn shown(fleet: &Value) -> String {
    let mut fleet = fleet.clone();
    if let Some(meta) = fleet["metadata"].as_object_mut() {
        meta.remove("managedFields");
    }
    serde_json::to_string_pretty(&fleet).unwrap()
}

/// One request to the API server. A PATCH is a merge patch.
pub async fn ask(client: &Client, method: &str, path: &str, body: Option<&Value>) -> kube::Result<Value> {
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = Request::builder().method(method).uri(path).header("content-type", kind).body(bytes).unwrap();
    client.request(request).await
}

/// Applies a stream of RBAC manifests.
pub async fn apply(client: &Client, manifests: &str) {
    for object in documents(manifests) {
        let plural = format!("{}s", word(&object, "/kind").to_lowercase());
        let (namespace, name) = (word(&object, "/metadata/namespace"), word(&object, "/metadata/name"));
        let within = if namespace.is_empty() { String::new() } else { format!("namespaces/{namespace}/") };
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{within}{plural}/{name}?fieldManager=test&force=true");
        let request = Request::patch(path).header("content-type", "application/apply-patch+yaml");
        let request = request.body(object.to_string().into_bytes()).unwrap();
        client.request::<Value>(request).await.unwrap();
    }
}

/// The documents of a YAML stream.
pub fn documents(stream: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(stream);
    documents.map(|document| serde::Deserialize::deserialize(document).unwrap()).collect()
}

/// The repository's folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
