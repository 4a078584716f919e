//! A login with what GetInstanceAccessDetails answers: the ordinary `ssh` client, a real `sshd`, and the end of the
//! certificate.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testbed::simulator::Simulator;
use testbed::{Scratch, Sshd, SshdOptions, ssh};

/// Long enough for a login on a busy machine, short enough to wait for the end.
const CERT_TTL: &str = "20s";

#[test]
fn a_certificate_logs_in_until_it_expires_and_only_to_the_host_that_was_witnessed() {
    let scratch = Scratch::new("ssh").unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_testbed")).with_file_name("windlass-simulator");
    let flags = ["--cert-ttl", CERT_TTL, "--speed", "1000"];
    let simulator = Simulator::start(&scratch, &program, &flags).unwrap();
    simulator.put_instance("web").unwrap();
    let authority = simulator.ssh_authority().unwrap();
    let host_keys = simulator.host_key_files("web").unwrap();
    let sshd =
        Sshd::start(&scratch, &SshdOptions { authority: &authority, host_keys: &host_keys, principal: "ubuntu" })
            .unwrap();

    let details = access(&simulator);
    let address = details["ipAddress"].as_str().unwrap().to_owned();
    let files = write(&scratch.path().join("first"), &details);
    let (done, said) = log_in(&sshd, &files, &address);
    assert!(done && said.contains("hello from inside"), "{said}\n{}", sshd.log());
    let accepted = sshd.wait_for_line("Accepted publickey", Duration::from_secs(10)).unwrap();
    assert!(accepted.contains("RSA-CERT") && accepted.contains("CA RSA"), "{accepted}");

    // Every host key that was witnessed is enough: the server proves itself by any of them.
    for key in details["hostKeys"].as_array().unwrap() {
        let mut one = access(&simulator);
        one["hostKeys"] = json!([key]);
        let files = write(&scratch.path().join(key["algorithm"].as_str().unwrap()), &one);
        let (done, said) = log_in(&sshd, &files, &address);
        assert!(done, "{key}: {said}\n{}", sshd.log());
    }

    // The file names another machine's keys.
    let others = {
        simulator.put_instance("other").unwrap();
        let mut forged = access(&simulator);
        forged["hostKeys"] = access_to(&simulator, "other")["hostKeys"].take();
        forged
    };
    let files_of_others = write(&scratch.path().join("others"), &others);
    let (done, said) = log_in(&sshd, &files_of_others, &address);
    assert!(!done && said.contains("Host key verification failed"), "{said}");

    // The key alone, without its certificate.
    let bare = write(&scratch.path().join("bare"), &access(&simulator));
    fs::remove_file(bare.join("key-cert.pub")).unwrap();
    let (done, said) = log_in(&sshd, &bare, &address);
    assert!(!done && said.contains("Permission denied (publickey)"), "{said}");

    wait_until(details["expiresAt"].as_f64().unwrap());
    let (done, said) = log_in(&sshd, &files, &address);
    assert!(!done && said.contains("Permission denied (publickey)"), "{said}");
    let refused = sshd.wait_for_line("Certificate invalid: expired", Duration::from_secs(10)).unwrap();
    assert!(!refused.is_empty());

    // Renewed: the same machine, another certificate.
    let renewed = write(&scratch.path().join("renewed"), &access(&simulator));
    let (done, said) = log_in(&sshd, &renewed, &address);
    assert!(done, "{said}\n{}", sshd.log());
}

#[test]
fn another_users_certificate_is_refused() {
    let scratch = Scratch::new("ssh-user").unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_testbed")).with_file_name("windlass-simulator");
    let simulator = Simulator::start(&scratch, &program, &[]).unwrap();
    simulator.put_instance("web").unwrap();
    let (authority, host_keys) = (simulator.ssh_authority().unwrap(), simulator.host_key_files("web").unwrap());
    let options = SshdOptions { authority: &authority, host_keys: &host_keys, principal: "ec2-user" };
    let sshd = Sshd::start(&scratch, &options).unwrap();
    let details = access(&simulator);
    let files = write(&scratch.path().join("files"), &details);
    let (done, said) = log_in(&sshd, &files, details["ipAddress"].as_str().unwrap());
    assert!(!done && said.contains("Permission denied (publickey)"), "{said}");
    sshd.wait_for_line("does not contain an authorized principal", Duration::from_secs(10)).unwrap();
}

fn access(simulator: &Simulator) -> Value {
    access_to(simulator, "web")
}

fn access_to(simulator: &Simulator, name: &str) -> Value {
    let input = json!({"instanceName": name, "protocol": "ssh"});
    simulator.lightsail("GetInstanceAccessDetails", &input).unwrap()["accessDetails"].take()
}

/// The files that OpenSSH wants, under the names that it looks for.
fn write(folder: &Path, details: &Value) -> PathBuf {
    fs::create_dir(folder).unwrap();
    let text = |member: &str| details[member].as_str().unwrap();
    fs::write(folder.join("key"), text("privateKey")).unwrap();
    fs::set_permissions(folder.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(folder.join("key-cert.pub"), format!("{}\n", text("certKey"))).unwrap();
    let line = |key: &Value| {
        let (algorithm, public) = (key["algorithm"].as_str().unwrap(), key["publicKey"].as_str().unwrap());
        format!("{} {algorithm} {public}\n", text("ipAddress"))
    };
    let known: String = details["hostKeys"].as_array().unwrap().iter().map(line).collect();
    fs::write(folder.join("known_hosts"), known).unwrap();
    folder.to_owned()
}

fn log_in(sshd: &Sshd, files: &Path, address: &str) -> (bool, String) {
    let path = |name: &str| files.join(name).display().to_string();
    let mut arguments = vec!["-F".to_owned(), "none".to_owned(), "-i".to_owned(), path("key")];
    for setting in [
        "IdentitiesOnly=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "GlobalKnownHostsFile=none".to_owned(),
        format!("UserKnownHostsFile={}", path("known_hosts")),
    ] {
        arguments.extend(["-o".to_owned(), setting]);
    }
    arguments.extend(sshd.reach(address));
    arguments.extend([address.to_owned(), "echo hello from inside".to_owned()]);
    ssh(files, &arguments).unwrap()
}

/// Waits until the machine's clock shows so many seconds since 1970.
fn wait_until(seconds: f64) {
    let end = Instant::now() + Duration::from_secs(60);
    while SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() < seconds + 0.1 {
        assert!(Instant::now() < end, "the certificate expires too late");
        std::thread::sleep(Duration::from_millis(50));
    }
}
