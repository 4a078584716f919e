//! The binary as a shell sees it: standard output, standard error, exit code.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn windlass(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn crds_prints_one_yaml_stream_of_all_definitions() {
    let done = windlass(&["crds"]);
    assert_eq!((done.status.code(), text(&done.stderr).as_str()), (Some(0), ""));
    let definitions: Vec<String> = windlass::crds::all().iter().map(windlass::crds::yaml).collect();
    assert_eq!(text(&done.stdout), definitions.join("---\n"));
}

#[test]
fn crds_writes_one_file_each_into_a_folder_that_it_makes() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    let done = windlass(&["crds", "--dir", deep.to_str().unwrap()]);
    assert_eq!((done.status.code(), done.stdout.len(), done.stderr.len()), (Some(0), 0, 0));
    for definition in windlass::crds::all() {
        let name = windlass::crds::file_name(&definition);
        assert_eq!(std::fs::read_to_string(deep.join(name)).unwrap(), windlass::crds::yaml(&definition));
    }
}

#[test]
fn what_went_wrong_is_one_line_that_names_the_input() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml/crds");
    let done = windlass(&["crds", "--dir", file.to_str().unwrap()]);
    let line = format!("windlass: making the folder {}: Not a directory (os error 20)\n", file.display());
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(1), line));
}

#[test]
fn a_flag_that_makes_no_sense_is_refused_before_anything_runs() {
    let done = windlass(&["run", "--resync=60"]);
    assert_eq!(done.status.code(), Some(2));
    let refusal = text(&done.stderr);
    assert!(refusal.contains("`60` is not a duration such as 90s, 1h30m or 500ms"), "{refusal}");
}

#[test]
fn a_rust_log_that_makes_no_sense_fails_the_start() {
    let done = Command::new(env!("CARGO_BIN_EXE_windlass")).arg("run").env("RUST_LOG", "windlass=loud").output();
    let done = done.unwrap();
    assert_eq!(done.status.code(), Some(1));
    let line = text(&done.stderr);
    assert!(line.starts_with("windlass: reading RUST_LOG: ") && line.lines().count() == 1, "{line}");
}
