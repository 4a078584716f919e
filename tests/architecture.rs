//! The import rule and the size rule of ARCHITECTURE.md, read from the sources. The checker is itself checked with planted
//! offences, so that it cannot pass by seeing nothing.

use std::fs;
use std::path::Path;

/// Lines that a file of people's prose and code may have at most; tests apart.
const LONGEST: usize = 600;

/// A source file: its path from the root and its text.
struct Source {
    path: String,
    text: String,
}

/// What one part of the tree may not say, where, and why.
struct Ban {
    words: &'static [&'static str],
    within: fn(&str) -> bool,
    why: &'static str,
}

const BANS: [Ban; 6] = [
    Ban {
        words: &["aws_sdk_"],
        within: |path| path.starts_with("src/") && !path.starts_with("src/aws/live/"),
        why: "only aws::live names an AWS SDK",
    },
    Ban {
        words: &["aws_config", "aws_types"],
        within: |path| {
            let allowed = ["src/aws/live/", "src/aws/accounts", "src/run.rs"];
            path.starts_with("src/") && !allowed.iter().any(|a| path.starts_with(a))
        },
        why: "only aws::accounts and run load an AWS configuration",
    },
    Ban {
        words: &[
            "async",
            "await",
            "tokio",
            "futures",
            "tracing",
            "rand",
            "std::env",
            "std::fs",
            "std::net",
            "std::thread",
            "Instant",
            "SystemTime",
            "Timestamp::now",
            "Zoned::now",
            "kube::Client",
            "kube::Api",
            "reqwest",
        ],
        within: |path| path.starts_with("src/plan/"),
        why: "plan is pure: no async, clock, client, log, chance or environment",
    },
    Ban {
        words: &[
            "crate::engine",
            "crate::aws::",
            "crate::run",
            "crate::telemetry",
            "crate::lease",
            "crate::kube_client",
        ],
        within: |path| path.starts_with("src/plan/") || path.starts_with("src/api/"),
        why: "arrows point at plan and api, not away from them",
    },
    Ban {
        words: &["fleet", "Fleet", "FleetKind", "appstream", "AppStream"],
        within: |path| path.starts_with("src/engine/"),
        why: "the engine names no kind",
    },
    Ban {
        words: &["AppStream::new", "live::AppStream"],
        within: |path| {
            path.starts_with("src/")
                && !["src/run.rs", "src/kinds.rs", "src/aws/live/"].iter().any(|a| path.starts_with(a))
        },
        why: "only run and the register know which AWS is real",
    },
];

/// Every offence in these sources, as `path:line: why: the line`.
fn offences(sources: &[Source]) -> Vec<String> {
    let mut all = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > LONGEST && !is_test(&source.path) {
            all.push(format!("{}: {lines} lines: no file has more than {LONGEST}", source.path));
        }
        let shipped = source.path.starts_with("src/") && !is_test(&source.path);
        for (number, line) in shipped_lines(&source.text).filter(|_| shipped) {
            let code = without_comment(line);
            let place = format!("{}:{number}", source.path);
            for ban in BANS.iter().filter(|ban| (ban.within)(&source.path)) {
                if ban.words.iter().any(|word| says(code, word)) {
                    all.push(format!("{place}: {}: {}", ban.why, line.trim()));
                }
            }
            if [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err("].iter().any(|call| code.contains(call)) {
                all.push(format!("{place}: unwrap and expect are for tests: {}", line.trim()));
            }
            if code.contains("unsafe ") {
                all.push(format!("{place}: no unsafe code: {}", line.trim()));
            }
        }
    }
    all
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.contains("/tests/")
        || path.starts_with("tests/")
        || name == "tests.rs"
        || name.ends_with("_tests.rs")
        || name == "canned.rs"
}

/// The lines before the first test module of a file, with their numbers.
fn shipped_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line)).take_while(|(_, line)| line.trim() != "#[cfg(test)]")
}

/// The line up to a comment; `//` inside an address is none.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// Whether a line says a word as a word of its own, or one that begins with it where it ends in `_`.
fn says(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_none_or(|c| !part(c));
        let after = word.ends_with(['_', ':']) || line[at + word.len()..].chars().next().is_none_or(|c| !part(c));
        before && after
    })
}

#[allow(clippy::unwrap_used)]
fn sources(under: &Path, root: &Path, all: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(under).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, root, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            all.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

#[test]
fn the_sources_keep_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["src", "simulator/src", "testbed/src"] {
        sources(&root.join(folder), root, &mut all);
    }
    assert!(all.len() > 80 && all.iter().any(|s| s.path == "src/plan/fleet/mod.rs"), "the sources are read");
    assert_eq!(offences(&all), Vec::<String>::new());
}

#[test]
fn planted_offences_are_found() {
    let planted = [
        ("src/engine/pass.rs", "use crate::plan::fleet::FleetKind;"),
        ("src/engine/mod.rs", "let name = \"Fleet\";"),
        ("src/engine/mod.rs", "use aws_sdk_appstream::Client;"),
        ("src/aws/gate.rs", "fn f(e: aws_sdk_sts::Error) {}"),
        ("src/settings.rs", "let c = aws_config::load_defaults();"),
        ("src/plan/fleet/mod.rs", "pub async fn plan() {}"),
        ("src/plan/fleet/mod.rs", "let now = jiff::Timestamp::now();"),
        ("src/plan/schedule.rs", "let zone = std::env::var(\"TZ\");"),
        ("src/plan/fleet/run.rs", "tracing::info!(\"x\");"),
        ("src/plan/fleet/run.rs", "let n: u8 = rand::random();"),
        ("src/plan/mod.rs", "use crate::engine::Engine;"),
        ("src/api/fleet.rs", "use crate::aws::AwsError;"),
        ("src/cli.rs", "let aws = AppStream::new(accounts, leave);"),
        ("src/lease.rs", "let x = y.unwrap();"),
        ("src/run.rs", "let x = y.expect(\"z\");"),
    ];
    for (path, line) in planted {
        let text = format!("//! A module.\n\n{line}\n");
        let found = offences(&[Source { path: path.into(), text }]);
        assert_eq!(found.len(), 1, "{path}: {line}: {found:?}");
        assert!(found[0].starts_with(&format!("{path}:3: ")), "{found:?}");
    }
    let long = Source { path: "testbed/src/demo.rs".into(), text: "//\n".repeat(LONGEST + 1) };
    assert_eq!(
        offences(&[long]),
        vec![format!("testbed/src/demo.rs: {} lines: no file has more than {LONGEST}", LONGEST + 1)]
    );
}

#[test]
fn what_is_allowed_is_not_found() {
    let fine = [
        ("src/engine/mod.rs", "// A Fleet is a kind.\n/// [`Fleet`]\nlet fleets_are_many = 1;\n"),
        ("src/aws/live/appstream.rs", "use aws_sdk_appstream::Client;\n"),
        ("src/plan/mod.rs", "use std::time::Duration; // no clock: tokio has one\nlet asynchronous = operand;\n"),
        ("src/lease.rs", "let x = y.unwrap_or_default();\n#[cfg(test)]\nmod tests { fn f() { x.unwrap(); } }\n"),
        ("src/lease_tests.rs", "x.unwrap();\n"),
        ("src/kinds.rs", "let appstream = AppStream::new(accounts, leave);\n"),
        ("src/aws/mod.rs", "let address = \"https://a.b\"; // .unwrap()\n"),
    ];
    for (path, text) in fine {
        assert_eq!(offences(&[Source { path: path.into(), text: text.into() }]), Vec::<String>::new(), "{path}");
    }
}
