//! What the parts around the engine ask of the API server, asked of a real one: the lease, events, the cluster's id.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::coordination::v1::{Lease as Record, LeaseSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ObjectReference, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Config, Resource, ResourceExt};
use testbed::ControlPlane;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use windlass::engine::KubePort;
use windlass::engine::events::{ClusterEvents, events};
use windlass::engine::live::LiveKube;
use windlass::kube_client::{Clients, cluster_id};
use windlass::lease::{ClusterLease, Contender, Lease};
use windlass::plan::fleet::FleetKind;
use windlass::plan::{KeyFound, KeyRef, KeySource, News, SecretText};
use windlass::settings::LeaseSettings;
use windlass::telemetry::Metrics;

async fn clients(control_plane: &ControlPlane) -> Clients {
    clients_of(control_plane.admin()).await
}

async fn clients_of(kubeconfig: Kubeconfig) -> Clients {
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Clients::of(&config).unwrap()
}

struct Process {
    lease: Lease,
    stop: oneshot::Sender<()>,
    runs: JoinHandle<()>,
}

fn contend(clients: &Clients, namespace: &str, identity: &str) -> Process {
    let settings = LeaseSettings {
        namespace: namespace.to_owned(),
        name: "windlass".to_owned(),
        duration: Duration::from_secs(3),
        renew_deadline: Duration::from_secs(2),
        retry: Duration::from_millis(300),
    };
    let api = ClusterLease::new(clients.lease.clone(), &settings);
    let metrics = Metrics::new(false).unwrap();
    let (contender, lease) = Contender::new(api, settings, identity.to_owned(), Timestamp::now, metrics);
    let (stop, stopped) = oneshot::channel::<()>();
    let runs = tokio::spawn(contender.run(async move { drop(stopped.await) }));
    Process { lease, stop, runs }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_lease_is_taken_renewed_given_back_and_inherited() {
    let control_plane = ControlPlane::shared().await;
    let clients = clients(control_plane).await;
    let namespace = control_plane.namespace("lease").await;
    let record = async || {
        let records: Api<Record> = Api::namespaced(clients.requests.clone(), &namespace);
        records.get("windlass").await.unwrap().spec.unwrap()
    };
    let first = contend(&clients, &namespace, "first");
    until("the first leads", async || first.lease.granted()).await;
    let taken = record().await;
    let second = contend(&clients, &namespace, "second");
    until("a renewal", async || record().await.renew_time > taken.renew_time).await;
    let renewed = record().await;
    let expected = LeaseSpec {
        holder_identity: Some("first".to_owned()),
        lease_duration_seconds: Some(3),
        lease_transitions: Some(0),
        acquire_time: taken.acquire_time.clone(),
        renew_time: renewed.renew_time.clone(),
        ..LeaseSpec::default()
    };
    assert_eq!(renewed, expected);
    assert!(first.lease.granted() && !second.lease.granted());

    first.stop.send(()).unwrap();
    first.runs.await.unwrap();
    until("the second inherits", async || second.lease.granted()).await;
    assert!(!first.lease.granted());
    let inherited = record().await;
    assert_eq!((inherited.holder_identity.as_deref(), inherited.lease_transitions), (Some("second"), Some(1)));

    // Killed, not stopped: the third waits for the lease's whole time.
    second.runs.abort();
    let killed = Instant::now();
    let third = contend(&clients, &namespace, "third");
    until("the third takes over", async || {
        assert!(!(second.lease.granted() && third.lease.granted()), "two lead at once");
        third.lease.granted()
    })
    .await;
    assert!(killed.elapsed() > Duration::from_secs(2), "{:?}", killed.elapsed());
    assert_eq!(record().await.holder_identity.as_deref(), Some("third"));
    third.stop.send(()).unwrap();
    third.runs.await.unwrap();
    assert_eq!(record().await.holder_identity.as_deref(), Some(""));
}

fn news(reason: &str, note: &str) -> News {
    News { reason: reason.to_owned(), action: "StopFleet", warning: true, note: note.to_owned() }
}

async fn object(clients: &Clients, namespace: &str, name: &str) -> ObjectReference {
    let maps: Api<ConfigMap> = Api::namespaced(clients.requests.clone(), namespace);
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    maps.create(&PostParams::default(), &map).await.unwrap().object_ref(&())
}

#[tokio::test]
async fn events_are_accepted_repeated_and_said_anew_when_gone() {
    let control_plane = ControlPlane::shared().await;
    let clients = clients(control_plane).await;
    let namespace = control_plane.namespace("events").await;
    // The longest name there is, the longest note, and an identity that is too long.
    let about = object(&clients, &namespace, &"x".repeat(253)).await;
    let api: Api<Event> = Api::namespaced(clients.requests.clone(), &namespace);
    let all = async || api.list(&ListParams::default()).await.unwrap().items;
    let metrics = Metrics::new(false).unwrap();
    let (events, poster) =
        events(ClusterEvents(clients.requests.clone()), "i".repeat(200), Timestamp::now, metrics.clone());
    let task = tokio::spawn(poster.run());

    let note = "é".repeat(600);
    events.tell(&about, news("WaitingForSessions", &note));
    until("the event", async || all().await.len() == 1).await;
    let event = all().await.remove(0);
    assert_eq!(
        (event.reason.as_deref(), event.action.as_deref(), event.type_.as_deref(), event.note.map(|note| note.len())),
        (Some("WaitingForSessions"), Some("StopFleet"), Some("Warning"), Some(1024))
    );
    assert_eq!((event.regarding, event.series), (Some(about.clone()), None));

    for _ in 0..10 {
        events.tell(&about, news("WaitingForSessions", &note));
    }
    until("the series", async || all().await.iter().any(|event| event.series.is_some())).await;
    assert_eq!(all().await.remove(0).series.unwrap().count, 2);

    events.tell(&about, news("Stopped", "first"));
    until("other news", async || all().await.len() == 2).await;
    for event in all().await {
        api.delete(&event.name_any(), &Default::default()).await.unwrap();
    }
    events.tell(&about, news("Stopped", "first"));
    drop(events);
    task.await.unwrap();
    let notes: Vec<_> = all().await.into_iter().filter_map(|event| event.note).collect();
    assert_eq!(notes, ["first"]);
    assert!(!metrics.text().unwrap().contains("outcome=\"failed\""));
}

#[tokio::test]
async fn news_about_what_has_no_namespace_is_told_in_default() {
    let control_plane = ControlPlane::shared().await;
    let clients = clients(control_plane).await;
    let namespaces: Api<Namespace> = Api::all(clients.requests.clone());
    let about = namespaces.get("kube-system").await.unwrap().object_ref(&());
    let metrics = Metrics::new(false).unwrap();
    let (events, poster) = events(ClusterEvents(clients.requests.clone()), "pod_1".to_owned(), Timestamp::now, metrics);
    events.tell(&about, news("DefaultConflict", "two defaults"));
    drop(events);
    poster.run().await;
    let api: Api<Event> = Api::namespaced(clients.requests.clone(), "default");
    let told = api.list(&ListParams::default()).await.unwrap().items;
    assert!(told.iter().any(|event| event.note.as_deref() == Some("two defaults")), "{told:?}");
}

#[tokio::test]
async fn a_cluster_is_known_by_the_uid_of_its_kube_system() {
    let control_plane = ControlPlane::shared().await;
    let clients = clients(control_plane).await;
    let namespaces: Api<Namespace> = Api::all(clients.requests.clone());
    let uid = namespaces.get("kube-system").await.unwrap().uid();
    assert_eq!(cluster_id(&clients.requests).await.ok(), uid);
}

#[tokio::test]
async fn a_key_of_a_secret_or_config_map_is_read_as_it_is_where_the_role_is_bound() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.namespace("keys").await;
    let admin = clients(control_plane).await;
    let bytes = |value: &[u8]| ByteString(value.to_vec());
    let mut secret = Secret::default();
    secret.metadata.name = Some("start".to_owned());
    secret.data = Some(
        [("script", &b"echo \xc3\xa9"[..]), ("empty", b""), ("binary", b"\xff")]
            .map(|(key, value)| (key.to_owned(), bytes(value)))
            .into(),
    );
    let secrets: Api<Secret> = Api::namespaced(admin.requests.clone(), &namespace);
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let mut map = ConfigMap::default();
    map.metadata.name = Some("start".to_owned());
    map.data = Some(BTreeMap::from([("script".to_owned(), "echo map".to_owned())]));
    map.binary_data = Some([("text", &b"text"[..]), ("binary", b"\xff")].map(|(k, v)| (k.to_owned(), bytes(v))).into());
    let maps: Api<ConfigMap> = Api::namespaced(admin.requests.clone(), &namespace);
    maps.create(&PostParams::default(), &map).await.unwrap();

    let read = async |clients: &Clients, source, name: &str, key: &str| {
        let port = LiveKube::<FleetKind>::new(clients.requests.clone(), clients.watches.clone());
        port.read_key(&namespace, &KeyRef { source, name: name.to_owned(), key: key.to_owned() }).await
    };
    let value = |text: &str| KeyFound::Value(SecretText::new(text.to_owned()));
    for (source, name, key, found) in [
        (KeySource::Secret, "start", "script", value("echo é")),
        (KeySource::Secret, "start", "empty", value("")),
        (KeySource::Secret, "start", "binary", KeyFound::NotText),
        (KeySource::Secret, "start", "other", KeyFound::Absent),
        (KeySource::Secret, "other", "script", KeyFound::Absent),
        (KeySource::ConfigMap, "start", "script", value("echo map")),
        (KeySource::ConfigMap, "start", "text", value("text")),
        (KeySource::ConfigMap, "start", "binary", KeyFound::NotText),
        (KeySource::ConfigMap, "start", "other", KeyFound::Absent),
        (KeySource::ConfigMap, "other", "script", KeyFound::Absent),
    ] {
        assert_eq!(read(&admin, source, name, key).await, found, "{source:?} {name} {key}");
    }
    let operator = clients_of(control_plane.service_account(&namespace, "windlass").await).await;
    for (source, plural) in [(KeySource::Secret, "secrets"), (KeySource::ConfigMap, "configmaps")] {
        let found = read(&operator, source, "start", "script").await;
        let KeyFound::NotPermitted(words) = &found else { panic!("{found:?}") };
        assert!(words.contains(&format!("cannot get resource \"{plural}\"")), "{words}");
    }
    let roles = control_plane.folder().path().join(format!("{namespace}.yaml"));
    std::fs::write(&roles, include_str!("rbac/secrets.yaml").replace("NAMESPACE", &namespace)).unwrap();
    let kubeconfig = control_plane.write_kubeconfig(&control_plane.admin());
    let applied = control_plane.kubectl(&kubeconfig).arg("apply").arg("-f").arg(&roles).output().unwrap();
    assert!(applied.status.success(), "{applied:?}");
    // The API server's authorizer reads role bindings through a watch.
    for (source, text) in [(KeySource::Secret, "echo é"), (KeySource::ConfigMap, "echo map")] {
        until("the right", async || read(&operator, source, "start", "script").await == value(text)).await;
    }
}
