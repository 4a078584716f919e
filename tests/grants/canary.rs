//! Nothing secret is anywhere but in `Secret.data`: not in what the operator prints with every line asked for, not in Events, in
//! any object of any kind, in metrics or on its other pages, whatever AWS answers, whatever the API server refuses, and wherever
//! a pass panics with credentials in hand.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testbed::Daemon;

use crate::bed::{self, every_grant, secret, secrets, until_secret};
use crate::collector::Collector;
use crate::detector::Detector;
use crate::places::{Seen, audited, everything_stored, pages};
use crate::stage::{self, GRANT, Recipe, SECRET, Stage, ask, condition, ready, stalled, until, until_so, word};

/// A quick AWS.
const FAST: [&str; 7] = [
    "--instance-start=1s",
    "--address-lag=200ms",
    "--host-key-lag=200ms",
    "--windows-password=1s",
    "--cert-ttl=10m",
    "--access-keys=4",
    "--seed=7",
];
/// Accounts with a role of their own, whose credentials are secret, too.
const ROLES: usize = 4;

/// What goes wrong with an answer, in the simulator's words; each once with every call that hands out secrets.
const FAULTS: [&str; 14] = [
    // The caller's deadline ends it: first, so that it is over first.
    "AppliedThenHang",
    "Throttle",
    "ServerError",
    "NotAppliedNoAnswer",
    "AppliedNoAnswer",
    "AppliedServerError",
    "AppliedHalfAnswer",
    "AppliedGarbled",
    "AppliedAs",
    "AppliedAs 400",
    "AppliedAs 403",
    "AppliedAs 503",
    "Coded AccessDeniedException",
    "Coded ServiceUnavailable",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_secret_is_anywhere_but_in_secrets_whatever_goes_wrong() {
    let stage = bed::stage("canary", &FAST).await;
    let targets = targets(&stage).await;
    let seen = Seen::of(&stage);
    let mut told = BTreeMap::new();

    let collector = Collector::default();
    let traced = Traced { stage: &stage, endpoint: collector.start().await };

    let panics = panic_everywhere(&stage, &targets, &mut told).await;
    let faults = break_every_answer(&traced, &targets, &mut told).await;
    let spans = collector.words();
    assert!(spans.contains("GetInstanceAccessDetails"), "there are traces");
    told.insert("the traces".into(), spans);

    let (detector, handed_out) = everything_secret(&stage).await;
    told.extend(seen.ends());
    told.extend(everything_stored(&stage).await);
    told.insert("the API server's audit log".into(), audited(&stage));
    let (count, pieces) = detector.size();
    let bytes: usize = told.values().map(String::len).sum();
    println!(
        "canaries: {count} secrets ({handed_out} handed out by AWS) in {pieces} pieces; {faults} faults, {panics} panics; \
         {} places, {bytes} bytes searched",
        told.len(),
    );
    for (place, text) in told.iter().filter(|(place, _)| !place.starts_with("objects of")) {
        println!("  {place}: {} bytes", text.len());
    }
    for (place, text) in &told {
        assert_eq!(detector.search(text), None, "a secret is in {place}");
    }
    // They are where they belong, and the detector knows them there.
    let mut kept = 0;
    for name in ["p-ssh", "p-rdp-clear", "p-rdp-own", "p-gamelift-ssh", "p-gamelift-rdp", "p-compute", "p-role-1"] {
        let secret = secret(&stage, name).await.unwrap();
        let data = secret["data"].as_object().unwrap();
        for file in
            ["ssh-privatekey", "ssh-privatekey-cert.pub", "password", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        {
            let Some(value) = data.get(file) else { continue };
            kept += 1;
            assert!(detector.search(&value.to_string()).is_some(), "{file} of Secret {name} is no canary");
        }
    }
    assert!(kept >= 9, "{kept}");
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
}

/// A stage whose operators tell everything that they can: every line, and every pass and request to a collector.
struct Traced<'a> {
    stage: &'a Stage,
    endpoint: String,
}

impl Traced<'_> {
    fn operator(&self) -> Recipe {
        let all = self.stage.operator().env("RUST_LOG", "trace");
        all.env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "500")
    }
}

/// One target of each sort, and the part of a grant's spec that names it.
async fn targets(stage: &Stage) -> Vec<(String, Value)> {
    let lightsail = |name: &str, protocol: &str| json!({ "lightsailInstance": { "name": name, "protocol": protocol } });
    stage.sim("POST", "/instances", &json!({ "name": "web" }));
    let windows = json!({ "name": "desk", "blueprint": "windows_server_2022", "bundle": "medium_win_3_0" });
    stage.sim("POST", "/instances", &windows);
    crate::targets::windows_with_a_key(stage, "own", "mine").await;
    let mut rdp = lightsail("own", "rdp");
    rdp["decryptionKeyRef"] = json!({ "name": "mine", "key": "private.pem" });

    let linux = stage.aws.put_game_fleet(&json!({ "server_sdk": 4 })).unwrap();
    let windows = stage.aws.put_game_fleet(&json!({ "server_sdk": 4, "operating_system": "WINDOWS_2022" })).unwrap();
    let containers = stage.aws.put_game_fleet(&json!({ "kind": "CONTAINER" })).unwrap();
    let machine = |fleet: &str, seed: Value| stage.aws.put_compute(fleet, &seed).unwrap();
    let instance =
        |fleet: &str| json!({ "gameLiftInstance": { "fleetId": fleet, "instanceId": machine(fleet, json!({})) } });
    let compute = machine(&containers, json!({ "containers": ["game", "sidecar"] }));
    let mut all = vec![
        ("ssh".to_owned(), lightsail("web", "ssh")),
        ("rdp-clear".to_owned(), lightsail("desk", "rdp")),
        ("rdp-own".to_owned(), rdp),
        ("gamelift-ssh".to_owned(), instance(&linux)),
        ("gamelift-rdp".to_owned(), instance(&windows)),
        ("compute".to_owned(), json!({ "gameLiftCompute": { "fleetId": containers, "computeName": compute } })),
    ];
    for number in 1..=ROLES {
        let role = format!("arn:aws:iam::123456789012:role/canary-{number}");
        let account = json!({
            "apiVersion": "aws.windlass.dev/v1alpha1", "kind": "Account",
            "metadata": { "name": format!("canary-{number}") },
            "spec": {
                "assumeRoles": [{ "arn": role }],
                "namespaces": { "names": [stage.namespace] },
                "allow": { "grants": every_grant() },
            },
        });
        ask(&stage.admin, "POST", "/apis/aws.windlass.dev/v1alpha1/accounts", Some(&account)).await.unwrap();
        let mut target = lightsail("web", "ssh");
        target["account"] = json!(format!("canary-{number}"));
        all.push((format!("role-{number}"), target));
    }
    all
}

fn grant(target: &Value, hours: u64) -> Value {
    let mut spec = target.clone();
    spec["duration"] = json!(format!("{hours}h"));
    spec["reason"] = json!("Looking for leaks.");
    spec
}

/// Every pass that holds credentials panics: with AWS's answer in hand, before and after its Secret is made, before and after it
/// is replaced. Answers how many did.
async fn panic_everywhere(stage: &Stage, targets: &[(String, Value)], told: &mut BTreeMap<String, String>) -> usize {
    let grants = stage.of(&GRANT);
    let each = targets.len();
    let from = |effect: &str, first: usize, when: &str| {
        (first..first + each).map(|number| format!("{effect}#{number}:{when}")).collect::<Vec<_>>()
    };
    let moments = [
        from("aws observe Target Access", 1, "answered"),
        from("kube create_secret", 1, "before"),
        from("kube create_secret", 1 + each, "answered"),
        from("kube replace_secret", 1, "before"),
        from("kube replace_secret", 1 + each, "answered"),
    ];
    let operator = stage.operator().env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let operator = operator.env("WINDLASS_PANIC_AT", &moments.concat().join(",")).under(not_as_root()).ready().await;
    assert_dumpable(&operator.daemon, false);
    for (name, target) in targets {
        grants.create(&format!("p-{name}"), grant(target, 8)).await;
    }
    // On a slow machine the first are let go again before the last have panicked: each moment comes once all the same.
    let count = || operator.daemon.log().matches("told to panic at").count();
    let panicked = async |times: usize| until(&format!("{times} passes have panicked"), || count() >= times).await;
    // A shorter duration is an edit, after which the object is not left alone any more.
    let shorten = async |hours: u64| {
        for (name, _) in targets {
            grants.patch(&format!("p-{name}"), json!({ "spec": { "duration": format!("{hours}h") } })).await;
        }
    };
    panicked(each).await;
    shorten(7).await;
    panicked(2 * each).await;
    shorten(6).await;
    panicked(3 * each).await;
    for (name, _) in targets {
        let edit = json!({ "data": { "host": STANDARD.encode("evil.example") } });
        let path = format!("{}/p-{name}?fieldManager=mallory", secrets(&stage.namespace));
        ask(&stage.admin, "PATCH", &path, Some(&edit)).await.unwrap();
    }
    shorten(5).await;
    panicked(4 * each).await;
    shorten(4).await;
    panicked(5 * each).await;
    shorten(3).await;
    for (name, _) in targets {
        grants.until(&format!("p-{name}"), "Ready", ready).await;
    }
    assert_eq!(count(), 5 * each);
    told.insert("the log of the operator that panics".into(), operator.daemon.log());
    told.insert("its pages".into(), pages(&operator));
    operator.stop();
    5 * each
}

/// Every call that hands out secrets meets every fault; then the API server refuses Secrets, in every way and with every
/// word. Answers how many faults there were.
async fn break_every_answer(
    traced: &Traced<'_>,
    targets: &[(String, Value)],
    told: &mut BTreeMap<String, String>,
) -> usize {
    let stage = traced.stage;
    let calls = [
        ("GetInstanceAccessDetails", Some("web".to_owned())),
        ("GetInstanceAccessDetails", Some("desk".to_owned())),
        ("GetInstanceAccessDetails", Some("own".to_owned())),
        ("GetInstanceAccess", Some(word(&targets[3].1, "/gameLiftInstance/instanceId"))),
        ("GetInstanceAccess", Some(word(&targets[4].1, "/gameLiftInstance/instanceId"))),
        ("GetComputeAccess", Some(word(&targets[5].1, "/gameLiftCompute/computeName"))),
        ("AssumeRole", None),
    ];
    let mut faults = 0;
    for (operation, resource) in &calls {
        for (number, effect) in FAULTS.iter().enumerate() {
            let (effect, more) = effect.split_once(' ').unwrap_or((effect, ""));
            let mut fault = json!({ "operation": operation, "nth": number + 1, "effect": effect });
            let members = [
                ("resource", resource.clone().map(Value::from)),
                ("seconds", (effect == "AppliedThenHang").then(|| json!(600))),
                ("code", (effect == "Coded").then(|| json!(more))),
                ("message", (effect == "Coded").then(|| json!("in AWS's words"))),
                ("status", more.parse::<u16>().ok().map(Value::from)),
            ];
            for (member, value) in members {
                if let Some(value) = value {
                    fault[member] = value;
                }
            }
            stage.sim("POST", "/faults", &fault);
            faults += 1;
        }
    }
    // As many grants on each machine as there are faults: each meets about one.
    let grants = stage.of(&GRANT);
    let mut names = Vec::new();
    for (name, target) in targets.iter().filter(|(name, _)| !name.starts_with("role")) {
        for number in 0..FAULTS.len() {
            names.push(format!("f-{name}-{number}"));
            grants.create(names.last().unwrap(), grant(target, 8)).await;
        }
    }
    for (name, target) in targets.iter().filter(|(name, _)| name.starts_with("role")) {
        names.push(format!("f-{name}"));
        grants.create(names.last().unwrap(), grant(target, 8)).await;
    }
    let operator = traced.operator().ready().await;
    let mut minutes = 8 * 60;
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        let waiting: BTreeSet<String> = grants
            .all()
            .await
            .iter()
            .filter(|grant| !ready(grant))
            .map(|grant| word(grant, "/metadata/name"))
            .collect();
        let left = stage.sim("GET", "/faults", &Value::Null)["faults"].as_array().unwrap().clone();
        if waiting.is_empty() && left.is_empty() {
            break;
        }
        assert!(Instant::now() < end, "{waiting:?} wait, and nothing met {left:?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        // What AWS refused for good is asked for again after an edit.
        minutes -= 1;
        for name in &waiting {
            grants.patch(name, json!({ "spec": { "duration": format!("{minutes}m") } })).await;
        }
    }
    refuse_secrets(stage, targets).await;
    told.insert("the log of the operator that AWS and the API server fail".into(), operator.daemon.log());
    told.insert("its pages, then".into(), pages(&operator));
    operator.stop();
    faults
}

/// The API server does not take Secrets: for a quota, for a policy that quotes them, for want of rights.
async fn refuse_secrets(stage: &Stage, targets: &[(String, Value)]) {
    let grants = stage.of(&GRANT);
    let of = |name: &str| targets.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let quoted = ["rdp-clear", "rdp-own", "gamelift-rdp", "compute"];
    let namespace = &stage.namespace;

    for (reason, policy) in [("Forbidden", "forbids"), ("Invalid", "rejects")] {
        let policy = format!("{namespace}-{policy}");
        for object in quoting(namespace, &policy, reason) {
            let plural = format!("{}s", word(&object, "/kind").to_lowercase()).replace("policys", "policies");
            let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
            ask(&stage.admin, "POST", &path, Some(&object)).await.unwrap();
        }
        // The policy holds, and does quote.
        let probe = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": format!("quoted-{reason}-probe").to_lowercase() }, "data": { "password": STANDARD.encode("probe-in-the-words") },
        });
        until_so("the policy holds", async || {
            let answer = ask(&stage.admin, "POST", &format!("{}?dryRun=All", secrets(namespace)), Some(&probe)).await;
            let words = answer.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(words.is_empty() || words.contains(&STANDARD.encode("probe-in-the-words")), "{words}");
            !words.is_empty()
        })
        .await;
        for target in quoted {
            grants.create(&format!("quoted-{reason}-{target}").to_lowercase(), grant(&of(target), 8)).await;
        }
        for target in quoted {
            let name = format!("quoted-{reason}-{target}").to_lowercase();
            let refused = |grant: &Value| condition(grant, "Reconciling").1 == "SecretNotWritten";
            let grant = grants.until(&name, "refused", refused).await;
            let said = condition(&grant, "Reconciling").2;
            assert!(said.contains(&format!("ValidatingAdmissionPolicy '{policy}'")), "who denies it is told: {said}");
        }
    }

    // No controller counts here: the quota is full because its status says so.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "full" }, "spec": { "hard": { "secrets": "1" } },
    });
    let path = format!("/api/v1/namespaces/{namespace}/resourcequotas");
    ask(&stage.admin, "POST", &path, Some(&quota)).await.unwrap();
    let full = json!({ "status": { "hard": { "secrets": "1" }, "used": { "secrets": "1" } } });
    ask(&stage.admin, "PATCH", &format!("{path}/full/status"), Some(&full)).await.unwrap();
    let probe = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "probe" } });
    until_so("the quota holds", async || {
        ask(&stage.admin, "POST", &format!("{}?dryRun=All", secrets(namespace)), Some(&probe)).await.is_err()
    })
    .await;
    for (name, target) in targets {
        grants.create(&format!("full-{name}"), grant(target, 8)).await;
    }
    for (name, _) in targets {
        let refused = |grant: &Value| condition(grant, "Reconciling").2.contains("exceeded quota: full");
        grants.until(&format!("full-{name}"), "refused by the quota", refused).await;
    }
    ask(&stage.admin, "DELETE", &format!("{path}/full"), None).await.unwrap();

    // Somebody makes one unchangeable: it goes, and comes anew.
    let path = |name: &str| format!("{}/{name}?fieldManager=mallory", secrets(namespace));
    let before = secret(stage, "p-ssh").await.unwrap();
    ask(&stage.admin, "PATCH", &path("p-ssh"), Some(&json!({ "immutable": true }))).await.unwrap();
    until_secret(stage, "p-ssh", "made anew", |now| now["metadata"]["uid"] != before["metadata"]["uid"]).await;

    // The rights go.
    let role = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/windlass-secrets");
    let binding = ask(&stage.admin, "GET", &role, None).await.unwrap();
    ask(&stage.admin, "DELETE", &role, None).await.unwrap();
    let operator = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{namespace}:windlass"),
            "resourceAttributes": { "namespace": namespace, "verb": "update", "resource": "secrets" },
        },
    });
    let may = async || {
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        ask(&stage.admin, "POST", path, Some(&operator)).await.unwrap()["status"]["allowed"] == true
    };
    until_so("the operator may keep no Secrets", async || !may().await).await;
    let edit = json!({ "data": { "host": STANDARD.encode("evil.example") } });
    for (name, _) in targets {
        ask(&stage.admin, "PATCH", &path(&format!("p-{name}")), Some(&edit)).await.unwrap();
    }
    for (name, _) in targets {
        grants.until(&format!("p-{name}"), "not permitted", |grant| stalled(grant, "SecretsNotPermitted")).await;
    }
    let again = json!({
        "apiVersion": binding["apiVersion"], "kind": binding["kind"], "metadata": { "name": "windlass-secrets" },
        "roleRef": binding["roleRef"], "subjects": binding["subjects"],
    });
    ask(&stage.admin, "POST", role.rsplit_once('/').unwrap().0, Some(&again)).await.unwrap();
    until_so("the operator may keep Secrets", may).await;
    let asked = json!({ "metadata": { "annotations": { "windlass.dev/reconcile-requested-at": "now" } } });
    for (name, _) in targets {
        grants.patch(&format!("p-{name}"), asked.clone()).await;
    }
    for (name, _) in targets {
        grants.until(&format!("p-{name}"), "Ready", ready).await;
    }
}

/// A policy of somebody's that refuses Secrets of some names, and quotes them.
fn quoting(namespace: &str, policy: &str, reason: &str) -> [Value; 2] {
    let quoted =
        "'it is ' + string(object.data[object.data.exists(k, k == 'password') ? 'password' : 'AWS_SECRET_ACCESS_KEY'])";
    let begins = format!("quoted-{reason}-").to_lowercase();
    let api = "admissionregistration.k8s.io/v1";
    let secrets = json!({ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"] });
    [
        json!({
            "apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": { "name": policy },
            "spec": {
                "matchConstraints": { "resourceRules": [secrets] },
                "matchConditions": [
                    { "name": "here", "expression": format!("object.metadata.namespace == '{namespace}'") },
                    { "name": "named", "expression": format!("object.metadata.name.startsWith('{begins}')") },
                ],
                "validations": [{ "expression": "false", "messageExpression": quoted, "reason": reason }],
            },
        }),
        json!({
            "apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": policy },
            "spec": { "policyName": policy, "validationActions": ["Deny"] },
        }),
    ]
}

/// Everything that is secret here, as the detector knows it; and how many of these AWS handed out.
async fn everything_secret(stage: &Stage) -> (Detector, usize) {
    let mut detector = Detector::default();
    let given = stage.aws.secrets().unwrap();
    let mut members = BTreeSet::new();
    for (number, one) in given.iter().enumerate() {
        let (member, operation) = (word(one, "/member"), word(one, "/operation"));
        // The account's number is no secret, and all that most of these are.
        if member != "AccessKeyId" {
            detector.add(
                &format!("{member} of {} by {operation} ({number})", word(one, "/resource")),
                &word(one, "/value"),
            );
        }
        members.insert((operation, member));
    }
    let all = [
        ("AssumeRole", "AccessKeyId"),
        ("AssumeRole", "SecretAccessKey"),
        ("AssumeRole", "SessionToken"),
        ("CreateKeyPair", "privateKeyBase64"),
        ("GetComputeAccess", "AccessKeyId"),
        ("GetComputeAccess", "SecretAccessKey"),
        ("GetComputeAccess", "SessionToken"),
        ("GetInstanceAccess", "Secret"),
        ("GetInstanceAccessDetails", "certKey"),
        ("GetInstanceAccessDetails", "ciphertext"),
        ("GetInstanceAccessDetails", "password"),
        ("GetInstanceAccessDetails", "privateKey"),
    ];
    let all = all.map(|(operation, member)| (operation.to_owned(), member.to_owned()));
    assert_eq!(members, all.into(), "a field that is secret was never handed out");
    let own = secret(stage, "p-rdp-own").await.unwrap();
    detector.add("the password that was decrypted", &bed::file(&own, "password"));
    detector.add("the operator's own AWS key", SECRET);
    detector.add("the operator's token", &stage.token());
    (detector, given.len())
}

/// How a program must be started so that others see whether it can be dumped: the files in `/proc/PID` belong to its user and
/// group if it can be, and to root's if it cannot (proc(5)). Root itself gives it another group.
fn not_as_root() -> &'static [&'static str] {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if root { &["setpriv", "--regid=65534", "--clear-groups"] } else { &[] }
}

fn assert_dumpable(daemon: &Daemon, dumpable: bool) {
    let file = std::fs::metadata(format!("/proc/{}/environ", daemon.pid())).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let effective = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
    };
    let its_own = (file.uid(), file.gid()) == (effective("Uid:"), effective("Gid:"));
    assert_eq!(its_own, dumpable, "PR_GET_DUMPABLE, by /proc/PID/environ of {}:{}", file.uid(), file.gid());
}

/// The check above is one that fails: any other program of the same user can be dumped.
#[test]
fn a_program_that_does_not_close_its_memory_is_seen_to_be_open() {
    let words: Vec<&str> = not_as_root().iter().copied().chain(["sleep", "60"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    let sleeper = Daemon::spawn("sleeper", command);
    let end = Instant::now() + stage::SOON;
    // Until it is what it was told to become.
    while std::fs::read_to_string(format!("/proc/{}/comm", sleeper.pid())).unwrap() != "sleep\n" {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_dumpable(&sleeper, true);
}
