//! What the chart grants the operator, beside what the API servers' audit logs of the whole test suite show it using.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{golden, is_peoples, is_role, rights, text};

/// API group, resource with its part, and verb.
type Right = (String, String, String);

/// Who uses a right, or was refused it: names of test binaries.
type Seen = BTreeMap<Right, BTreeSet<String>>;

/// Rights that a namespace gives by its own RoleBinding. Tests show what happens without it, so that these are refused, too.
const BY_NAMESPACE: &str = "windlass-secrets";

#[test]
#[ignore = "reads the audit logs of a whole run: make test"]
fn the_whole_suite_uses_every_right_that_the_chart_grants_and_needs_no_other() {
    let folder =
        std::env::var_os("WINDLASS_AUDIT").map(PathBuf::from).expect("WINDLASS_AUDIT names the folder of the logs");
    let (used, refused) = seen_in(&folder);
    let granted = granted();
    let mut table = String::from("| resource | verb | granted by | seen in |\n|---|---|---|---|\n");
    for (right, roles) in &granted {
        let (group, resource, verb) = right;
        let resource = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
        let seen = used.get(right).map_or_else(|| "nothing".to_owned(), listed);
        table += &format!("| {resource} | {verb} | {} | {seen} |\n", listed(roles));
    }
    // Past the test harness, which keeps to itself what a test that passes prints.
    std::io::stderr().write_all(format!("\n{table}").as_bytes()).unwrap();
    let unused: Vec<&Right> = granted.keys().filter(|right| !used.contains_key(right)).collect();
    assert_eq!(unused, Vec::<&Right>::new(), "granted and never used");
    let missing: Vec<&Right> = used.keys().filter(|right| !granted.contains_key(right)).collect();
    assert_eq!(missing, Vec::<&Right>::new(), "used and not granted by the chart");
    let opted = |right: &Right| granted.get(right).is_some_and(|roles| roles.contains(BY_NAMESPACE));
    let refused: Vec<_> = refused.into_iter().filter(|(right, _)| !opted(right)).collect();
    assert_eq!(refused, [], "refused, and not for want of a namespace's RoleBinding");
}

/// Every right of the operator by the chart's own values, with the roles that have it.
fn granted() -> Seen {
    let mut granted = Seen::new();
    for role in golden("default").iter().filter(|object| is_role(object) && !is_peoples(object)) {
        for right in rights(&[role]) {
            granted.entry(right).or_default().insert(text(&role["metadata"]["name"]));
        }
    }
    granted
}

/// What ServiceAccounts called `windlass`, which is the operator's name in every test, did and were refused.
fn seen_in(folder: &Path) -> (Seen, Seen) {
    let (mut used, mut refused) = (Seen::new(), Seen::new());
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut logs = 0;
    for path in files.map(|entry| entry.unwrap().path()) {
        logs += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let program = name.split('.').next().unwrap_or_default();
        let lines = BufReader::new(File::open(&path).unwrap()).lines().map_while(Result::ok);
        for line in lines.filter(|line| line.contains(":windlass\"")) {
            // The last line may be half written: its API server was killed.
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            let user = text(&event["user"]["username"]);
            if !(user.starts_with("system:serviceaccount:")
                && user.ends_with(":windlass")
                && event["objectRef"].is_object())
            {
                continue;
            }
            let of = |name: &str| text(&event["objectRef"][name]);
            let part = of("subresource");
            let resource = if part.is_empty() { of("resource") } else { format!("{}/{part}", of("resource")) };
            let right = (of("apiGroup"), resource, text(&event["verb"]));
            let decision = &event["annotations"]["authorization.k8s.io/decision"];
            let seen = if decision == "allow" { &mut used } else { &mut refused };
            seen.entry(right).or_default().insert(program.to_owned());
        }
    }
    assert!(logs > 0, "there is no audit log in {}", folder.display());
    (used, refused)
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
