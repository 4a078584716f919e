//! Grants on Windows machines and on GameLift: what their Secrets have, what they wait for, what is refused, and how they end.

use std::collections::BTreeSet;

use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::bed::{self, file, secret, secrets, until_secret};
use crate::stage::{GRANT, Stage, ask, condition, ready, stalled, until_so, word, working};

const FAST: [&str; 6] = [
    "--instance-start=1s",
    "--address-lag=200ms",
    "--host-key-lag=200ms",
    // Long enough for a look at an empty one, on a busy machine.
    "--windows-password=15s",
    "--access-keys=2",
    "--seed=3",
];

/// A Windows instance of a key pair of its own, whose private key is in the Secret of the pair's name, under `private.pem`
/// (PKCS#1, as AWS gives it) and `pkcs8.pem`.
pub async fn windows_with_a_key(stage: &Stage, instance: &str, pair: &str) {
    let made = stage.aws.lightsail("CreateKeyPair", &json!({ "keyPairName": pair })).unwrap();
    let pem = word(&made, "/privateKeyBase64");
    let files = json!({ "private.pem": pem, "pkcs8.pem": pkcs8_pem(&pem) });
    let key = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": pair }, "stringData": files });
    ask(&stage.admin, "POST", &secrets(&stage.namespace), Some(&key)).await.unwrap();
    let machine = json!({
        "instanceNames": [instance], "availabilityZone": "us-east-1a", "blueprintId": "windows_server_2022",
        "bundleId": "medium_win_3_0", "keyPairName": pair,
    });
    stage.aws.lightsail("CreateInstances", &machine).unwrap();
}

fn lightsail(name: &str, protocol: &str, more: Value) -> Value {
    spec(json!({ "lightsailInstance": { "name": name, "protocol": protocol } }), more)
}

fn spec(mut target: Value, more: Value) -> Value {
    target["duration"] = json!("1h");
    target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    target
}

fn files(secret: &Value) -> BTreeSet<&str> {
    secret["data"].as_object().unwrap().keys().map(String::as_str).collect()
}

/// How often access calls have asked for these machines.
fn access_calls(stage: &Stage, machines: &[&str]) -> usize {
    let calls = ["GetInstanceAccessDetails", "GetInstanceAccess", "GetComputeAccess"];
    let audit = stage.aws.audit(0).unwrap();
    let opens = |entry: &&Value| calls.contains(&word(entry, "/operation").as_str());
    audit.iter().filter(opens).filter(|entry| machines.iter().any(|machine| entry["resource"] == *machine)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_windows_machine_is_opened_with_its_password_however_aws_gives_it() {
    let stage = bed::stage("windows", &FAST).await;
    let grants = stage.of(&GRANT);
    let operator = stage.operator().ready().await;
    windows_with_a_key(&stage, "own", "mine").await;
    let other = stage.aws.lightsail("CreateKeyPair", &json!({ "keyPairName": "other" })).unwrap();
    let other = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "other" },
        "stringData": { "ssh-privatekey": word(&other, "/privateKeyBase64") },
    });
    ask(&stage.admin, "POST", &secrets(&stage.namespace), Some(&other)).await.unwrap();

    let key = |name: &str, key: &str| json!({ "decryptionKeyRef": { "name": name, "key": key } });
    let rows = [
        ("pkcs1", "own", key("mine", "private.pem")),
        ("pkcs8", "own", key("mine", "pkcs8.pem")),
        ("sealed", "own", json!({})),
        ("wrong", "own", json!({ "decryptionKeyRef": { "name": "other" } })),
        ("no-key", "own", key("mine", "none.pem")),
    ];
    for (name, machine, more) in rows {
        grants.create(name, lightsail(machine, "rdp", more)).await;
    }
    let desk = json!({ "name": "desk", "blueprint": "windows_server_2022", "bundle": "medium_win_3_0" });
    stage.sim("POST", "/instances", &desk);
    grants.create("clear", lightsail("desk", "rdp", json!({}))).await;
    grants.create("by-ssh", lightsail("desk", "ssh", json!({}))).await;
    // For a quarter of an hour AWS may not have the password: that is no error.
    let waits = grants.until("clear", "waits", |grant| working(grant, "PasswordNotReady")).await;
    assert_eq!(condition(&waits, "Stalled"), Default::default());
    assert_eq!(secret(&stage, "clear").await, None);

    let host = |name: &str| word(&stage.sim("GET", &format!("/instances/{name}"), &Value::Null), "/public_ip_address");
    let decrypted = ["connection.rdp", "host", "password", "port", "username"];
    let mut passwords = Vec::new();
    for (name, machine) in [("clear", "desk"), ("pkcs1", "own"), ("pkcs8", "own")] {
        let made = until_secret(&stage, name, "there", |_| true).await;
        assert_eq!((word(&made, "/type").as_str(), files(&made)), ("Opaque", decrypted.into()), "{name}");
        let host = host(machine);
        assert_eq!((file(&made, "host"), file(&made, "port")), (host.clone(), "3389".to_owned()));
        assert_eq!(file(&made, "username"), "Administrator");
        let rdp = file(&made, "connection.rdp");
        assert_eq!(
            rdp,
            format!("full address:s:{host}:3389\r\nusername:s:Administrator\r\nprompt for credentials:i:1\r\n")
        );
        passwords.push(file(&made, "password"));
        grants.until(name, "Ready", ready).await;
    }
    let given = stage.aws.secrets().unwrap();
    let of = |machine: &str, member: &str| {
        let found = given.iter().find(|one| one["resource"] == machine && one["member"] == member);
        found.map(|one| word(one, "/value")).unwrap_or_default()
    };
    let pem = file(&secret(&stage, "mine").await.unwrap(), "private.pem");
    let plain = decrypt(&of("own", "ciphertext"), &pem);
    assert_eq!(passwords, [of("desk", "password"), plain.clone(), plain]);

    let sealed = until_secret(&stage, "sealed", "there", |_| true).await;
    assert_eq!(files(&sealed), ["ciphertext", "connection.rdp", "host", "keyPairName", "port", "username"].into());
    assert_eq!((file(&sealed, "ciphertext"), file(&sealed, "keyPairName")), (of("own", "ciphertext"), "mine".into()));
    let wrong = grants.until("wrong", "refused", |grant| stalled(grant, "DecryptionFailed")).await;
    let said = condition(&wrong, "Stalled").2;
    assert!(said.contains("it is not that of the instance's key pair"), "{said}");
    grants.until("no-key", "waits for its key", |grant| working(grant, "DependencyNotReady")).await;
    let by_ssh = grants.until("by-ssh", "refused", |grant| stalled(grant, "InvalidSpec")).await;
    assert!(condition(&by_ssh, "Stalled").2.contains("protocol rdp"));
    for name in ["wrong", "no-key", "by-ssh"] {
        assert_eq!(secret(&stage, name).await, None, "{name}");
    }
    repaired_by_replacement(&stage).await;
    a_taken_name_costs_nothing(&stage).await;
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
    operator.stop();
}

/// Whatever somebody does to the content, the Secret is replaced and stays the same object: also where they have taken a part in
/// it with the value that it has, by server-side apply.
async fn repaired_by_replacement(stage: &Stage) {
    let path = format!("{}/clear", secrets(&stage.namespace));
    let first = secret(stage, "clear").await.unwrap();
    let by_others = |secret: &Value| {
        let all = secret["metadata"]["managedFields"].as_array().unwrap().clone();
        all.iter().any(|entry| entry["manager"] != "windlass")
    };
    let apply = |data: Value| {
        let body = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "clear" }, "data": data });
        let request = http::Request::patch(format!("{path}?fieldManager=mallory&force=true"));
        request.header("content-type", "application/apply-patch+yaml").body(body.to_string().into_bytes()).unwrap()
    };
    let same = json!({ "port": first["data"]["port"], "username": first["data"]["username"] });
    let edits = [apply(same), apply(json!({ "host": STANDARD.encode("evil.example") }))];
    let merge = json!({ "data": { "host": STANDARD.encode("evil.example"), "more": STANDARD.encode("x") } });
    for edit in edits {
        let taken: Value = stage.admin.request(edit).await.unwrap();
        assert!(by_others(&taken));
        let version = word(&taken, "/metadata/resourceVersion");
        let whole = until_secret(stage, "clear", "replaced", |now| {
            now["metadata"]["resourceVersion"] != version && !by_others(now)
        });
        let whole = whole.await;
        assert_eq!((&whole["data"], &whole["metadata"]["uid"]), (&first["data"], &first["metadata"]["uid"]));
    }
    // What comes later is seen as well.
    ask(&stage.admin, "PATCH", &format!("{path}?fieldManager=mallory"), Some(&merge)).await.unwrap();
    let whole = until_secret(stage, "clear", "replaced", |now| now["data"] == first["data"] && !by_others(now)).await;
    assert_eq!(whole["metadata"]["uid"], first["metadata"]["uid"]);
    let user = format!("system:serviceaccount:{}:windlass", stage.namespace);
    let deleted = stage.kube_audit().into_iter().filter(|event| {
        event["user"]["username"] == *user && event["verb"] == "delete" && event["objectRef"]["name"] == "clear"
    });
    assert_eq!(deleted.count(), 0, "it was deleted, not replaced");
}

/// Nobody asks AWS for credentials that could not be kept.
async fn a_taken_name_costs_nothing(stage: &Stage) {
    let grants = stage.of(&GRANT);
    let own =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "own" }, "stringData": { "a": "b" } });
    let own = ask(&stage.admin, "POST", &secrets(&stage.namespace), Some(&own)).await.unwrap();
    let before = access_calls(stage, &["desk"]);
    grants.create("second", lightsail("desk", "rdp", json!({ "secret": { "name": "own" } }))).await;
    grants.until("second", "Stalled", |grant| stalled(grant, "SecretNotOwned")).await;
    assert_eq!(access_calls(stage, &["desk"]), before);
    assert_eq!(secret(stage, "own").await.unwrap()["metadata"]["resourceVersion"], own["metadata"]["resourceVersion"]);
    // The name is looked at again.
    ask(&stage.admin, "DELETE", &format!("{}/own", secrets(&stage.namespace)), None).await.unwrap();
    until_secret(stage, "own", "the second's", |secret| secret["data"].get("password").is_some()).await;
    grants.until("second", "Ready", ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn gamelifts_machines_are_opened_until_they_are_gone() {
    let stage = bed::stage("games", &FAST).await;
    let grants = stage.of(&GRANT);
    let operator = stage.operator().ready().await;
    let fleet = |seed: Value| stage.aws.put_game_fleet(&seed).unwrap();
    let machine = |fleet: &str, seed: Value| stage.aws.put_compute(fleet, &seed).unwrap();
    let linux = fleet(json!({ "server_sdk": 4 }));
    let windows = fleet(json!({ "server_sdk": 4, "operating_system": "WINDOWS_2022" }));
    let modern = fleet(json!({ "server_sdk": 5, "locations": ["eu-west-1"] }));
    let containers = fleet(json!({ "kind": "CONTAINER" }));
    let anywhere = fleet(json!({ "kind": "ANYWHERE", "locations": ["custom-office"] }));
    let (on_linux, on_windows) = (machine(&linux, json!({})), machine(&windows, json!({})));
    let abroad = machine(&modern, json!({ "location": "eu-west-1" }));
    let packed = machine(&containers, json!({ "containers": ["game", "sidecar"] }));
    let own = machine(&anywhere, json!({ "name": "own-1" }));
    let instance =
        |fleet: &str, id: &str| spec(json!({ "gameLiftInstance": { "fleetId": fleet, "instanceId": id } }), json!({}));
    let compute = |fleet: &str, name: &str| {
        spec(json!({ "gameLiftCompute": { "fleetId": fleet, "computeName": name } }), json!({}))
    };

    grants.create("linux", instance(&linux, &on_linux)).await;
    grants.create("windows", instance(&windows, &on_windows)).await;
    grants.create("abroad", compute(&modern, &abroad)).await;
    grants.create("packed", compute(&containers, &packed)).await;
    let address = |fleet: &str, name: &str| {
        let shown = stage.sim("GET", &format!("/gamelift/fleets/{fleet}"), &Value::Null);
        let all = shown["computes"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    };

    let made = until_secret(&stage, "linux", "there", |_| true).await;
    assert_eq!(made["type"], "kubernetes.io/ssh-auth");
    assert_eq!(files(&made), ["host", "port", "ssh-privatekey", "ssh_config", "username"].into());
    assert_eq!(json!(file(&made, "host")), address(&linux, &on_linux)["ip_address"]);
    assert_eq!((file(&made, "username"), file(&made, "port")), ("gl-user-remote".into(), "22".into()));
    // AWS gives it without the newline at its end.
    assert!(file(&made, "ssh-privatekey").ends_with("-----END RSA PRIVATE KEY-----\n"));
    assert!(file(&made, "ssh_config").contains("Host linux\n"));

    let made = until_secret(&stage, "windows", "there", |_| true).await;
    assert_eq!(made["type"], "Opaque");
    assert_eq!(files(&made), ["connection.rdp", "host", "password", "port", "username"].into());
    assert_eq!(file(&made, "password").len(), 20);

    let whole = [
        "AWS_ACCESS_KEY_ID",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "connect.sh",
        "credentials",
        "target",
    ];
    for (name, region, target) in [
        ("abroad", "eu-west-1", abroad.clone()),
        ("packed", "us-east-1", word(&address(&containers, &packed), "/instance_id")),
    ] {
        let made = until_secret(&stage, name, "there", |_| true).await;
        let mut wanted = BTreeSet::from(whole);
        if name == "packed" {
            wanted.insert("containers.json");
        }
        assert_eq!((word(&made, "/type").as_str(), files(&made)), ("Opaque", wanted), "{name}");
        assert_eq!((file(&made, "AWS_REGION"), file(&made, "target")), (region.to_owned(), target.clone()), "{name}");
        let (id, key, token) =
            (file(&made, "AWS_ACCESS_KEY_ID"), file(&made, "AWS_SECRET_ACCESS_KEY"), file(&made, "AWS_SESSION_TOKEN"));
        assert_eq!(
            file(&made, "credentials"),
            format!(
                "[default]\naws_access_key_id = {id}\naws_secret_access_key = {key}\naws_session_token = {token}\n"
            )
        );
        let script = file(&made, "connect.sh");
        assert!(script.contains(&format!("aws ssm start-session --target '{target}' --region '{region}'")), "{script}");
    }
    let made = secret(&stage, "packed").await.unwrap();
    let shown = address(&containers, &packed);
    let wanted: Vec<Value> = (shown["containers"].as_array().unwrap().iter())
        .map(|one| json!({ "containerName": one["name"], "containerRuntimeId": one["runtime_id"] }))
        .collect();
    assert_eq!(wanted.len(), 2);
    assert_eq!(serde_json::from_str::<Value>(&file(&made, "containers.json")).unwrap(), json!(wanted));

    // What gives no access says why, and AWS is not asked for it.
    let closed = [own.as_str(), "i-0a1b2c3d4e5f67890", "compute-nobody"];
    let before = access_calls(&stage, &closed);
    grants.create("anywhere", compute(&anywhere, &own)).await;
    grants.create("inside", instance(&containers, "i-0a1b2c3d4e5f67890")).await;
    grants.create("nobody", compute(&containers, "compute-nobody")).await;
    let refused = grants.until("anywhere", "refused", |grant| stalled(grant, "AnywhereFleet")).await;
    assert_eq!(
        condition(&refused, "Stalled").2,
        "AWS gives no access to the computes of an Anywhere fleet: they are your own machines"
    );
    let refused = grants.until("inside", "refused", |grant| stalled(grant, "ContainerFleet")).await;
    assert!(condition(&refused, "Stalled").2.contains("create a grant with gameLiftCompute"));
    grants.until("nobody", "waits", |grant| working(grant, "ComputeNotFound")).await;
    assert_eq!(access_calls(&stage, &closed), before);
    // The fleet's build decides which call opens it; AWS says so.
    grants.create("too-new", instance(&modern, &abroad)).await;
    let refused = grants.until("too-new", "refused", |grant| stalled(grant, "Rejected")).await;
    assert!(condition(&refused, "Stalled").2.contains("InvalidRequestException"), "{refused}");

    // The machines go, as they do when a fleet shrinks: with the next look, which a touched Secret begins, AWS says so twice.
    let gone = [("linux", &linux, &on_linux), ("packed", &containers, &packed), ("abroad", &modern, &abroad)];
    for (name, fleet, machine) in gone {
        stage.sim("DELETE", &format!("/gamelift/fleets/{fleet}/computes/{machine}"), &Value::Null);
        let edit = json!({ "data": { "target": STANDARD.encode("i-evil") } });
        let path = format!("{}/{name}?fieldManager=mallory", secrets(&stage.namespace));
        ask(&stage.admin, "PATCH", &path, Some(&edit)).await.unwrap();
    }
    for (name, ..) in gone {
        let over = grants.until(name, "over", |grant| condition(grant, "Ended").1 == "TargetGone").await;
        assert_eq!(condition(&over, "Ready"), Default::default());
        until_so("the Secret is gone", async || secret(&stage, name).await.is_none()).await;
        let told = async || {
            grants.events(name).await.iter().any(|(reason, note, _)| reason == "Ended" && note.contains("TargetGone"))
        };
        until_so("an Event tells it", told).await;
    }
    // A machine of the same name is another one.
    let again = secret(&stage, "windows").await.unwrap();
    assert_eq!(file(&again, "password").len(), 20, "what is there stays");
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
    operator.stop();
}

/// RSA with the padding of PKCS#1 v1.5, by the library and not by the operator.
fn decrypt(ciphertext: &str, pkcs1: &str) -> String {
    let key = PrivateDecryptingKey::from_pkcs8(&pkcs8(pkcs1)).unwrap();
    let key = Pkcs1PrivateDecryptingKey::new(key).unwrap();
    let mut space = vec![0; key.min_output_size()];
    let plain = key.decrypt(&STANDARD.decode(ciphertext).unwrap(), &mut space).unwrap();
    String::from_utf8(plain.to_vec()).unwrap()
}

/// `openssl pkcs8 -topk8 -nocrypt` of an RSA key of 2048 bits.
fn pkcs8_pem(pkcs1: &str) -> String {
    let text = STANDARD.encode(pkcs8(pkcs1));
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// PrivateKeyInfo (RFC 5208): version 0, rsaEncryption, the key in an octet string.
fn pkcs8(pkcs1: &str) -> Vec<u8> {
    let body: String = pkcs1.lines().filter(|line| !line.starts_with('-')).collect();
    let key = STANDARD.decode(body).unwrap();
    let long = |tag: u8, inside: &[u8]| {
        let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], inside].concat()
    };
    let version_and_algorithm =
        [0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    long(0x30, &[&version_and_algorithm[..], &long(0x04, &key)].concat())
}
