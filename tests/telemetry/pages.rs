//! The pages that are made from the code: docs/metrics.md, and the reasons in docs/troubleshooting.md. `make docs` writes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use windlass::plan::reason::{self, Stall, Waiting};
use windlass::telemetry::described::{self, Described};

use crate::stage::repository;

/// Compares a page with what it should be, or writes it.
fn hold(path: &str, wanted: &str) {
    let file = repository().join(path);
    if std::env::var_os("WINDLASS_WRITE").is_some() {
        fs::write(&file, wanted).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == wanted,
        "{path} is not what the code says: run `make docs`"
    );
}

#[test]
fn the_page_of_metrics_is_what_the_code_exports() {
    let mut page = String::from(METRICS);
    let table = |page: &mut String, title: &str, of: &dyn Fn(&Described) -> bool| {
        let _ = write!(page, "\n## {title}\n\n| metric | form | labels | what it says |\n|---|---|---|---|\n");
        for Described { name, form, labels, help, .. } in described::ALL.iter().filter(|metric| of(metric)) {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(page, "| `{name}` | {} | {} | {help} |", form.word(), labels.join(", "));
        }
    };
    let process = |metric: &Described| metric.name.starts_with("process_");
    table(&mut page, "Always there", &|metric| !metric.per_object && !process(metric));
    table(&mut page, "For each object, with `--object-metrics`", &|metric| metric.per_object);
    table(&mut page, "The process", &process);
    page.push_str("\n## Labels\n\n| label | what it may say |\n|---|---|\n");
    for (label, what) in described::LABELS {
        let _ = writeln!(page, "| `{label}` | {what} |");
    }
    hold("docs/metrics.md", &page);
}

const METRICS: &str = "<!-- Generated from the code by the test `telemetry`: `make docs`. Do not edit. -->
# Metrics

`/metrics` of every replica, in Prometheus's text format, without a password: the chart's NetworkPolicy says who may ask
(`networkPolicy.metricsFrom`). The chart brings dashboards (`dashboards.enabled`), alerts with a [runbook](runbooks) each
(`prometheusRule.enabled`) and a ServiceMonitor (`serviceMonitor.enabled`), all of them off by default. Without the Prometheus
operator, `charts/windlass/rules/windlass.yaml` is a rule file as Prometheus itself reads it.

- Every replica shows the objects, whether it leads or not: take `max` over the replicas before a `sum`, as the dashboards do.
  What a process does (passes, requests, tokens) only the leader has worth a look; `sum` is right there.
- No label holds what a user writes, so that the number of series is bounded: by kinds, reasons, operations, accounts and
  Regions. Only `--object-metrics` (`objectMetrics` in the chart) adds series that grow with the objects: seven to fifteen each.
- Times are Unix times, as Prometheus advises: `time() - windlass_oldest_drift_timestamp_seconds` is the age. A series of which
  there is none (no drift, no grant) is absent.
- The `namespace` of a series is the object's. Scrape with `honor_labels: true` (the ServiceMonitor does), or it is
  `exported_namespace`.
- Counts of instances and sessions are those of the statuses, which are written at most every five minutes where nothing else
  changes.
";

const BEGIN: &str = "<!-- reasons: generated from the code by the test `telemetry`, `make docs` -->\n";
const END: &str = "<!-- end of reasons -->\n";

#[test]
fn the_page_of_troubles_has_a_row_for_every_reason_that_the_code_can_show() {
    let path = "docs/troubleshooting.md";
    let there = fs::read_to_string(repository().join(path)).unwrap();
    let (before, rest) = there.split_once(BEGIN).expect("the place where the reasons begin");
    let (_, after) = rest.split_once(END).expect("the place where the reasons end");
    let mut rows = String::from(
        "\n### Work is not finished\n\n`Ready` is False and `Reconciling` True: it passes by itself, or when AWS, users or time have settled it.\n",
    );
    let table = |rows: &mut String| rows.push_str("\n| reason | what it means | what to do |\n|---|---|---|\n");
    table(&mut rows);
    let meanings = meanings("Waiting");
    for why in Waiting::ALL {
        let _ = writeln!(rows, "| `{why}` | {} | {} |", meaning(&meanings, &why.to_string()), why.advice());
    }
    rows.push_str("\n### Only an edit or a person can help\n\n`Ready` is False and `Stalled` True.\n");
    table(&mut rows);
    let meanings = self::meanings("Stall");
    for why in Stall::ALL {
        let _ = writeln!(rows, "| `{why}` | {} | {} |", meaning(&meanings, &why.to_string()), why.advice());
    }
    rows.push_str(
        "\n### All is well, or somebody means it so\n\n| reason | condition | what it means |\n|---|---|---|\n",
    );
    for (word, condition, means) in reason::OTHERS {
        let _ = writeln!(rows, "| `{word}` | `{condition}` | {means} |");
    }
    hold(path, &format!("{before}{BEGIN}{rows}\n{END}{after}"));
}

/// The variants of an enum of `reason.rs`, each with the words before it.
fn meanings(of: &str) -> Vec<(String, String)> {
    let source = include_str!("../../src/plan/reason.rs");
    let (_, body) = source.split_once(&format!("pub enum {of} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let (mut found, mut words) = (Vec::new(), Vec::new());
    for line in body.lines().map(str::trim) {
        match line.strip_prefix("/// ") {
            Some(more) => words.push(more.to_owned()),
            None => found.push((line.trim_end_matches(',').to_owned(), std::mem::take(&mut words).join(" "))),
        }
    }
    found
}

fn meaning(all: &[(String, String)], word: &str) -> String {
    all.iter().find(|(variant, _)| variant == word).unwrap_or_else(|| panic!("{word} has no words")).1.clone()
}

#[test]
fn the_lists_of_reasons_are_complete_and_in_order() {
    let sorted = |mut words: Vec<String>| {
        words.sort();
        words
    };
    let variants = |of| sorted(meanings(of).into_iter().map(|(variant, _)| variant).collect());
    assert_eq!(Waiting::ALL.map(|why| why.to_string()).to_vec(), variants("Waiting"));
    assert_eq!(Stall::ALL.map(|why| why.to_string()).to_vec(), variants("Stall"));
    let others: Vec<String> = reason::OTHERS.iter().map(|(word, ..)| (*word).to_owned()).collect();
    assert_eq!(others, sorted(others.clone()));
}

#[test]
fn no_condition_is_given_a_reason_that_is_in_no_list() {
    let known: BTreeSet<String> = reason::words().collect();
    let mut seen = BTreeSet::new();
    for source in sources("src/plan") {
        for given in ["Fact::yes(\"", "Fact::no(\"", "Fact::unknown(\""] {
            seen.extend(source.split(given).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    assert!(seen.len() > 5, "the sources were not read: {seen:?}");
    assert_eq!(seen.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Every source below a folder, tests apart.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        if entry.is_dir() && name != "tests" {
            found.extend(sources(entry.strip_prefix(repository()).unwrap().to_str().unwrap()));
        } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") {
            found.push(fs::read_to_string(&entry).unwrap());
        }
    }
    found
}
