//! A program beside a test: what it gets, what it says, and how it ends.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use testbed::Daemon;

/// Long enough for a shell on a busy machine.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn its_arguments_environment_and_folder_arrive_and_its_output_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let mut command = shell("echo \"$1|$WORD|$(pwd)\"; echo to stderr >&2; exit 3");
    command.args(["sh", "two words; $HOME"]).env("WORD", "a'b\"c").current_dir(&folder);
    let daemon = Daemon::spawn("echo", command);
    assert_eq!(daemon.wait_exit(SOON), Some(3));
    assert_eq!(daemon.log(), format!("two words; $HOME|a'b\"c|{}\nto stderr\n", folder.display()));
    assert!(!daemon.is_running());
}

#[test]
fn a_line_is_waited_for_until_it_comes_the_program_ends_or_the_time_is_over() {
    let daemon = Daemon::spawn("lines", shell("echo one; sleep 0.2; echo listening on 7; sleep 600"));
    assert_eq!(daemon.wait_for_line("listening", SOON).unwrap(), "listening on 7");
    let error = daemon.wait_for_line("never", Duration::from_millis(50)).unwrap_err().to_string();
    assert_eq!(error, "lines has not printed \"never\" in 50ms:\none\nlistening on 7");
    let daemon = Daemon::spawn("ended", shell("echo bye; exit 5"));
    let error = daemon.wait_for_line("hello", SOON).unwrap_err().to_string();
    assert_eq!(error, "ended ended with code 5 before it printed \"hello\":\nbye");
}

#[test]
fn stop_asks_first_and_tells_the_exit_code() {
    let daemon =
        Daemon::spawn("polite", shell("trap 'echo asked; exit 7' TERM; echo up; while :; do sleep 0.05; done"));
    daemon.wait_for_line("up", SOON).unwrap();
    assert_eq!(daemon.stop(), Some(7));
    assert_eq!(daemon.log(), "up\nasked\n");
    assert_eq!(daemon.stop(), Some(7));
}

#[test]
fn a_stopped_program_can_go_on_and_a_killed_one_cannot() {
    let daemon = Daemon::spawn("counter", shell("while :; do echo tick; sleep 0.02; done"));
    daemon.wait_for_line("tick", SOON).unwrap();
    daemon.signal("STOP");
    // What was on its way when the signal came may still arrive.
    std::thread::sleep(Duration::from_millis(100));
    let frozen = daemon.log();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(daemon.log(), frozen);
    assert!(daemon.is_running());
    daemon.signal("CONT");
    let end = std::time::Instant::now() + SOON;
    while daemon.log() == frozen {
        assert!(std::time::Instant::now() < end, "it does not go on");
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.kill();
    assert_eq!(daemon.exit_code(), Some(137));
}

#[test]
fn a_missing_program_is_an_exit_code_and_a_line_in_the_log() {
    let daemon = Daemon::spawn("missing", Command::new("/nowhere/at-all"));
    assert_eq!(daemon.wait_exit(SOON), Some(127));
    assert!(daemon.log().contains("/nowhere/at-all"), "{}", daemon.log());
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}
