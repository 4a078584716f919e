//! A real Prometheus: it scrapes the real operator, which has a fleet in each state that matters, and runs every expression of the
//! chart; promtool tests each alert.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{Daemon, Scratch, free_port};

use crate::chart::{RULES, alerts, dashboards, expressions, metrics, read, variables};
use crate::stage::{self, Stage, ready, repository, simulator, spec, stalled, until, working};

/// What shows only where there is an AccessGrant.
const OF_GRANTS: [&str; 2] =
    ["windlass_next_grant_end_timestamp_seconds", "windlass_object_grant_end_timestamp_seconds"];

/// And the panels that show something only then.
const PANELS_OF_GRANTS: [&str; 8] = [
    "grants.json: Next end in",
    "grants.json: Overdue by",
    "grants.json: Grants by reason",
    "grants.json: Ended grants",
    "grants.json: Credentials asked of AWS",
    "grants.json: Secrets written",
    "grants.json: Ends in",
    "grants.json: Why not open",
];

/// A program of Debian's package, or the line that says how to get it.
fn program(name: &str) -> Command {
    let there = Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(there, "missing: {name}. Install it with: apt-get install prometheus   (make test does it where it may)");
    Command::new(name)
}

fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
fn promtool_takes_the_rules_and_each_alert_fires_when_it_should_and_not_before() {
    passes(program("promtool").args(["check", "rules"]).arg(repository().join(RULES)));
    let tests = "tests/telemetry/alerts.yaml";
    passes(program("promtool").args(["test", "rules"]).arg(repository().join(tests)));
    let tests: Value = serde_yaml::from_str(&read(tests)).unwrap();
    let cases = tests["tests"].as_array().unwrap().iter().flat_map(|test| test["alert_rule_test"].as_array().unwrap());
    let (mut fires, mut rests) = (BTreeSet::new(), BTreeSet::new());
    for case in cases {
        let name = case["alertname"].as_str().unwrap().to_owned();
        let expected = case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        if expected { &mut fires } else { &mut rests }.insert(name);
    }
    let all: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(
        (fires, rests),
        (all.clone(), all),
        "each alert has a case in which it fires, and one in which it does not"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_expression_of_dashboards_and_alerts_is_answered_by_a_prometheus_that_scrapes_the_operator() {
    program("prometheus");
    let flags = [
        "--start=1s",
        "--stop=1s",
        "--scale=500ms",
        "--scale-in=500ms",
        "--instance-start=1s",
        "--address-lag=500ms",
        "--host-key-lag=500ms",
    ];
    let stage = Stage::new("figures", simulator(&flags).await).await;
    let operator = stage.operator().flag("--object-metrics").ready().await;
    let scraped = Prometheus::start(stage.control_plane.folder(), operator.port());
    play(&stage).await;
    until("everything that the expressions name is scraped", || {
        named().difference(&scraped.names()).all(|name| OF_GRANTS.contains(&&**name))
    })
    .await;

    // A rate is between two scrapes.
    until("it was scraped again", || {
        !scraped.query("count_over_time(windlass_aws_throttles_total[1m]) >= 3").unwrap().is_empty()
    })
    .await;
    let (names, named) = (scraped.names(), named());
    let missing: Vec<&String> = named.difference(&names).collect();
    let grants = stage::repository().join("crds/access.windlass.dev_accessgrants.yaml").exists();
    assert_eq!(
        missing,
        if grants { vec![] } else { OF_GRANTS.iter().collect::<Vec<_>>() },
        "metrics that do not exist"
    );
    let mut empty = Vec::new();
    for (file, dashboard) in dashboards() {
        for (title, expression) in expressions(&dashboard) {
            let asked = expression
                .replace("$__rate_interval", "1m")
                .replace("$job", ".*")
                .replace("$namespace", ".*")
                .replace("$name", ".*");
            assert!(!asked.contains('$'), "{file}: {title}: a variable that is nowhere: {asked}");
            let answer = scraped.query(&asked).unwrap_or_else(|error| panic!("{file}: {title}: {expression}: {error}"));
            if answer.is_empty() {
                empty.push(format!("{file}: {title}"));
            }
        }
        for (of, label) in variables(&dashboard) {
            let asked = of.replace("$namespace", ".*");
            let found = scraped.query(&format!("count by ({label}) ({asked})")).unwrap();
            assert!(
                !found.is_empty() || metrics(&of).iter().all(|name| OF_GRANTS.contains(&&**name)),
                "{file}: {label}"
            );
        }
    }
    let silent = if grants { vec![] } else { PANELS_OF_GRANTS.to_vec() };
    assert_eq!(empty, silent, "panels without anything to show");
    let rules = scraped.get("/api/v1/rules").unwrap();
    let rules = rules["data"]["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let judged: Vec<(String, Value, Value)> =
        rules.map(|rule| (stage::word(rule, "/name"), rule["health"].clone(), rule["lastError"].clone())).collect();
    let expected: Vec<(String, Value, Value)> =
        alerts().into_iter().map(|alert| (alert.name, json!("ok"), Value::Null)).collect();
    assert_eq!(judged, expected);
    for alert in alerts() {
        scraped.query(&alert.expr).unwrap_or_else(|error| panic!("{}: {error}", alert.name));
    }
    // The bounds of time apart, what this AWS has in store shows in the alerts' expressions.
    for (alert, kind) in
        [("WindlassStalled", "Fleet.appstream.windlass.dev"), ("WindlassFleetErrors", "Fleet.appstream.windlass.dev")]
    {
        let expression = alerts().into_iter().find(|it| it.name == alert).unwrap().expr;
        let found = scraped.query(&expression).unwrap();
        assert!(found.iter().any(|sample| sample["metric"]["kind"] == kind), "{alert}: {found:?}");
    }
    assert_eq!(scraped.query("windlass_leader").unwrap()[0]["value"][1], "1");
    operator.stop();
}

/// The metrics that the chart names.
fn named() -> BTreeSet<String> {
    let panels = dashboards().into_values().flat_map(|dashboard| expressions(&dashboard));
    let panels = panels.map(|(_, expression)| expression);
    panels.chain(alerts().into_iter().map(|alert| alert.expr)).flat_map(|expression| metrics(&expression)).collect()
}

/// Fleets that are Ready, Stalled, refused, in error, left alone, and waiting for a user.
async fn play(stage: &Stage) {
    let made = async |name: &'static str, more: Value| {
        stage.create(name, spec(more)).await;
        stage.until(name, "Ready", ready).await;
    };
    let sessions = json!({ "maxSessionsPerInstance": 2, "computeCapacity": { "desiredSessions": 2 } });
    futures::join!(
        made("busy", json!({})),
        made("shared", sessions),
        made("later", json!({ "updateStrategy": { "type": "OnStop" } })),
        made("denied", json!({})),
    );
    // A grant that waits for its machine, one that has its credentials, and one whose time is over.
    let secrets = include_str!("../rbac/secrets.yaml").replace("NAMESPACE", &stage.namespace);
    stage::apply(&stage.admin, &secrets).await;
    let grants = stage.of(&stage::GRANT);
    let on = |name: &str| json!({ "lightsailInstance": { "instanceRef": { "name": name }, "protocol": "ssh" }, "duration": "1h" });
    grants.create("fix", on("nowhere")).await;
    grants.until("fix", "waits", |grant| working(grant, "DependencyNotReady")).await;
    let web = json!({ "availabilityZone": "us-east-1a", "blueprintId": "ubuntu_24_04", "bundleId": "nano_3_0" });
    stage.of(&stage::INSTANCE).create("web", web).await;
    grants.create("login", on("web")).await;
    grants.until("login", "Ready", ready).await;
    let mut over = on("web");
    over["startsAt"] = json!("2026-01-01T00:00:00Z");
    grants.create("over", over).await;
    grants.until("over", "over", |grant| stage::condition(grant, "Ended").0 == "True").await;
    // A user, whom a change waits for.
    stage.aws.appstream("CreateStack", &json!({ "Name": "desk" })).unwrap();
    stage.sim("POST", "/associations", &json!({ "fleet": "busy", "stack": "desk" }));
    stage.aws.open_session("desk", "busy", "ada").unwrap();
    let larger = json!({ "spec": { "instanceType": "stream.standard.large" } });
    stage.patch("busy", larger.clone()).await;
    stage.patch("later", larger).await;
    // A drift that is not mended, a throttle, an error of AWS, and a spec that nobody can carry out.
    let refusal = json!({
        "operation": "UpdateFleet", "resource": "denied", "effect": "Coded", "code": "AccessDeniedException", "message": "no", "status": 400,
    });
    stage.sim("POST", "/faults", &refusal);
    stage.sim("POST", "/faults", &json!({ "operation": "DescribeFleets", "nth": 1, "effect": "Throttle" }));
    stage.patch("denied", json!({ "spec": { "displayName": "Denied" } })).await;
    stage.create("failing", spec(json!({}))).await;
    let zone = json!([{ "name": "day", "start": "0 8 * * *", "stop": "0 18 * * *", "timeZone": "Mars/Olympus" }]);
    stage.create("impossible", spec(json!({ "powerSchedule": zone }))).await;
    stage.until_aws("failing", "there", |_| true).await;
    stage.sim("POST", "/fleets/failing/errors", &json!({ "codes": ["SUBNET_NOT_FOUND"] }));
    let errors = |fleet: &Value| fleet["status"]["fleetErrors"].as_array().is_some_and(|errors| !errors.is_empty());
    stage.until("failing", "with its errors", errors).await;
    stage.until("impossible", "Stalled", |fleet| stalled(fleet, "InvalidSpec")).await;
    stage.until("busy", "waiting for its user", |fleet| working(fleet, "WaitingForSessions")).await;
    stage.until("denied", "refused", |fleet| working(fleet, "AccessDenied")).await;
    let left = |fleet: &Value| ready(fleet) && stage::condition(fleet, "Synced").0 == "False";
    stage.until("later", "left alone", left).await;
}

/// A Prometheus that scrapes one operator.
struct Prometheus {
    port: u16,
    _daemon: Daemon,
}

impl Prometheus {
    fn start(scratch: &Scratch, operator: u16) -> Self {
        let folder = scratch.path().join("prometheus");
        std::fs::create_dir_all(&folder).unwrap();
        let rules = repository().join(RULES);
        let config = json!({
            "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s" },
            "rule_files": [rules],
            // As the ServiceMonitor has it scraped.
            "scrape_configs": [{
                "job_name": "windlass",
                "honor_labels": true,
                "static_configs": [{ "targets": [format!("127.0.0.1:{operator}")], "labels": { "namespace": "windlass-system" } }],
            }],
        });
        let file = folder.join("prometheus.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        passes(program("promtool").args(["check", "config"]).arg(&file));
        let port = free_port();
        let mut command = program("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(Path::new("/"));
        let daemon = Daemon::spawn_in(scratch, "prometheus", command).unwrap();
        let started = Self { port, _daemon: daemon };
        let end = Instant::now() + Duration::from_secs(30);
        while testbed::http::ask(port, "GET", "/-/ready", &[], "").is_err() {
            assert!(Instant::now() < end, "Prometheus did not start: {}", started._daemon.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        started
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let text = testbed::http::ask(self.port, "GET", path, &[], "").map_err(|error| format!("{error:#}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    /// The samples of an expression, now.
    fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}"))?;
        match (&answer["status"], answer.get("warnings")) {
            (status, None) if status == "success" => {
                Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
            }
            _ => Err(answer.to_string()),
        }
    }

    /// The names of all metrics that were ever scraped.
    fn names(&self) -> BTreeSet<String> {
        let answer = self.get("/api/v1/label/__name__/values").unwrap();
        answer["data"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }
}
