//! The chart's alerts and dashboards: what is in them, and that what they name is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use windlass::telemetry::described::{self, Described, Form};

use crate::stage::repository;

/// The rule file, as Prometheus reads it.
pub const RULES: &str = "charts/windlass/rules/windlass.yaml";

/// An alert of the rule file.
pub struct Alert {
    pub name: String,
    pub expr: String,
    pub runbook: String,
}

/// The chart's alerts.
pub fn alerts() -> Vec<Alert> {
    let rules: Value = serde_yaml::from_str(&read(RULES)).unwrap();
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {RULES}: {value}")).to_owned();
    rules
        .map(|rule| Alert {
            name: text(&rule["alert"]),
            expr: text(&rule["expr"]),
            runbook: text(&rule["annotations"]["runbook_url"]),
        })
        .collect()
}

/// The chart's dashboards, by file.
pub fn dashboards() -> BTreeMap<String, Value> {
    let folder = repository().join("charts/windlass/dashboards");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}

/// Every expression of a dashboard with the title of its panel.
pub fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        panel["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    });
    targets.collect()
}

/// What a query of a dashboard's variable asks for: a metric, perhaps with a selector, and the label whose values it takes.
pub fn variables(dashboard: &Value) -> Vec<(String, String)> {
    let all = dashboard["templating"]["list"].as_array().unwrap().iter();
    let queries = all.filter(|variable| variable["type"] == "query");
    queries
        .map(|variable| {
            let query = variable["query"]["query"].as_str().unwrap();
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
            let (of, label) = inner.rsplit_once(", ").unwrap();
            (of.to_owned(), label.to_owned())
        })
        .collect()
}

/// Words of an expression that are metrics of the operator.
pub fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let ours = words.filter(|word| word.starts_with("windlass_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The metric that a word is of: a histogram has three.
pub fn described(word: &str) -> Option<Described> {
    described::ALL.into_iter().find(|metric| match metric.form {
        Form::Counter | Form::Gauge => metric.name == word,
        Form::Histogram => ["_bucket", "_sum", "_count"].iter().any(|end| word.strip_suffix(end) == Some(metric.name)),
    })
}

#[test]
fn every_expression_names_metrics_and_labels_that_are_there_and_every_metric_is_shown() {
    let mut shown = BTreeSet::new();
    let alerts = alerts().into_iter().map(|alert| (alert.name, alert.expr));
    let panels = dashboards().into_values().flat_map(|dashboard| expressions(&dashboard));
    let variables = dashboards().into_values().flat_map(|dashboard| variables(&dashboard));
    let variables = variables.map(|(of, label)| (format!("variable {label}"), of));
    for (title, expression) in alerts.chain(panels).chain(variables) {
        for word in metrics(&expression) {
            let metric = described(&word).unwrap_or_else(|| panic!("{title}: there is no metric {word}"));
            shown.insert(metric.name);
            // Its selectors: `word{label="…", …}`.
            for selector in expression.split(&format!("{word}{{")).skip(1) {
                for label in labels(selector.split('}').next().unwrap()) {
                    let known = metric.labels.contains(&&*label) || ["job", "instance", "le"].contains(&&*label);
                    assert!(known, "{title}: {word} has no label {label}");
                }
            }
        }
        // What is grouped by: a label of one of its metrics.
        for group in ["by (", "on (", "group_left ("] {
            for labels in expression.split(group).skip(1).map(|rest| rest.split(')').next().unwrap()) {
                for label in labels.split(',').map(str::trim) {
                    let target = ["job", "instance", "namespace", "le"].contains(&label);
                    let of_metric = |word: &String| described(word).unwrap().labels.contains(&label);
                    assert!(
                        target || metrics(&expression).iter().any(of_metric),
                        "{title}: no metric has a label {label}"
                    );
                }
            }
        }
    }
    let unseen: Vec<&str> =
        described::ALL.map(|metric| metric.name).into_iter().filter(|name| !shown.contains(name)).collect();
    // The sums of it are shown.
    assert_eq!(unseen, ["process_virtual_memory_bytes"]);
}

/// The names of the labels in a selector.
fn labels(selector: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = selector;
    while let Some(at) = rest.find(['=', '!']) {
        found.push(rest[..at].trim_matches([',', ' ']).to_owned());
        rest = rest[at..].splitn(3, '"').nth(2).unwrap_or_default();
    }
    found
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let mut pages: Vec<String> = fs::read_dir(repository().join("docs/runbooks"))
        .unwrap()
        .map(|entry| format!("runbooks/{}", entry.unwrap().file_name().into_string().unwrap()))
        .collect();
    pages.sort();
    let mut runbooks: Vec<String> = alerts().into_iter().map(|alert| alert.runbook).collect();
    runbooks.sort();
    assert_eq!(pages, runbooks);
    for alert in alerts() {
        let page = read(&format!("docs/{}", alert.runbook));
        assert!(page.starts_with(&format!("# {}: ", alert.name)), "{}", alert.runbook);
        for part in ["**What it means.**", "**Look.**", "**Do.**"] {
            assert!(page.contains(part), "{}: {part}", alert.runbook);
        }
    }
}

#[test]
fn dashboards_can_be_told_apart_and_say_what_each_panel_shows() {
    let mut names = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        let text = |name: &str| dashboard[name].as_str().unwrap_or_default().to_owned();
        assert!(names.insert(text("uid")) && names.insert(text("title")), "{file}: its uid or title is another's");
        assert!(!text("uid").is_empty() && text("title").starts_with("Windlass: "), "{file}");
        let panels = dashboard["panels"].as_array().unwrap();
        let mut ids = BTreeSet::new();
        for panel in panels {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: two panels have the id {}", panel["id"]);
            let asks = panel["targets"].as_array().is_some_and(|targets| !targets.is_empty());
            assert!(asks || panel["type"] == "row", "{file}: {} asks for nothing", panel["title"]);
        }
    }
    assert_eq!(dashboards().into_keys().collect::<Vec<_>>(), ["fleets.json", "grants.json", "overview.json"]);
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
