//! Events on a clock that tests drive.

use std::sync::{Arc, Mutex};

use tokio::time::{advance, sleep};

use super::*;

#[derive(Debug, Clone, PartialEq)]
enum Written {
    New { namespace: String, note: String },
    Series { namespace: String, count: i32 },
}

/// An API server that writes down what it is asked, and forgets Events when told to.
#[derive(Clone, Default)]
struct Server {
    written: Arc<Mutex<Vec<Written>>>,
    forgets: Arc<Mutex<bool>>,
    hangs: Arc<Mutex<bool>>,
    namespace_goes: Arc<Mutex<bool>>,
}

impl Server {
    async fn answer(&self) {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
    }
    fn written(&self) -> Vec<Written> {
        self.written.lock().unwrap().clone()
    }
}

impl EventApi for Server {
    async fn create(&self, event: &Event) -> Result<(), kube::Error> {
        self.answer().await;
        if *self.namespace_goes.lock().unwrap() {
            return Err(kube::Error::Api(Box::new(
                serde_json::from_value(json!({
                    "code": 403, "reason": "Forbidden", "message": "it is being terminated",
                    "details": { "causes": [{ "reason": "NamespaceTerminating" }] },
                }))
                .unwrap(),
            )));
        }
        let text = |text: &Option<String>| text.clone().unwrap();
        let new = Written::New { namespace: text(&event.metadata.namespace), note: text(&event.note) };
        self.written.lock().unwrap().push(new);
        Ok(())
    }
    async fn repeat(&self, namespace: &str, _: &str, count: i32, _: Timestamp) -> Result<bool, kube::Error> {
        self.answer().await;
        if *self.forgets.lock().unwrap() {
            return Ok(false);
        }
        self.written.lock().unwrap().push(Written::Series { namespace: namespace.to_owned(), count });
        Ok(true)
    }
}

fn start(server: &Server) -> (Events, Metrics, tokio::task::JoinHandle<()>) {
    let metrics = Metrics::new(false).unwrap();
    let (events, poster) = events(server.clone(), "pod_1".to_owned(), || Timestamp::UNIX_EPOCH, metrics.clone());
    (events, metrics, tokio::spawn(poster.run()))
}

fn fleet(uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("appstream.windlass.dev/v1alpha1".to_owned()),
        kind: Some("Fleet".to_owned()),
        namespace: Some("team".to_owned()),
        name: Some("desk".to_owned()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

fn news(note: &str) -> News {
    News { reason: "Stopped".to_owned(), action: "StopFleet", warning: false, note: note.to_owned() }
}

fn new(note: &str) -> Written {
    Written::New { namespace: "team".to_owned(), note: note.to_owned() }
}

fn series(count: i32) -> Written {
    Written::Series { namespace: "team".to_owned(), count }
}

fn counted(metrics: &Metrics, outcome: &str) -> String {
    let prefix = format!("windlass_events_total{{outcome=\"{outcome}\"}} ");
    metrics.text().unwrap().lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or("0").to_owned()
}

async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_news_within_an_hour_are_one_event_with_a_series() {
    let server = Server::default();
    let (events, metrics, _task) = start(&server);
    for _ in 0..1000 {
        events.tell(&fleet("a"), news("idle"));
        settle().await;
    }
    assert_eq!(server.written(), [new("idle"), series(2)]);
    assert_eq!(counted(&metrics, "counted"), "998");
    advance(REFRESH).await;
    events.tell(&fleet("a"), news("idle"));
    settle().await;
    assert_eq!(server.written().last(), Some(&series(1001)));
    advance(SAME).await;
    events.tell(&fleet("a"), news("idle"));
    settle().await;
    assert_eq!(server.written(), [new("idle"), series(2), series(1001), new("idle")]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_goes_takes_no_news_and_that_is_no_failure() {
    let server = Server::default();
    *server.namespace_goes.lock().unwrap() = true;
    let (events, metrics, _task) = start(&server);
    events.tell(&fleet("a"), news("idle"));
    settle().await;
    assert_eq!((counted(&metrics, "dropped"), counted(&metrics, "failed")), ("1".to_owned(), "0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn other_words_or_another_object_are_other_news() {
    let server = Server::default();
    let (events, _, _task) = start(&server);
    events.tell(&fleet("a"), news("idle"));
    events.tell(&fleet("a"), news("schedule"));
    events.tell(&fleet("b"), news("idle"));
    settle().await;
    assert_eq!(server.written(), [new("idle"), new("schedule"), new("idle")]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_gone_is_said_anew() {
    let server = Server::default();
    let (events, _, _task) = start(&server);
    events.tell(&fleet("a"), news("idle"));
    settle().await;
    *server.forgets.lock().unwrap() = true;
    events.tell(&fleet("a"), news("idle"));
    settle().await;
    assert_eq!(server.written(), [new("idle"), new("idle")]);
}

#[tokio::test(start_paused = true)]
async fn an_object_with_ever_new_words_is_quiet_after_its_burst_and_others_are_heard() {
    let server = Server::default();
    let (events, metrics, _task) = start(&server);
    for n in 0..100 {
        events.tell(&fleet("loud"), news(&n.to_string()));
    }
    events.tell(&fleet("other"), news("heard"));
    settle().await;
    let written = server.written();
    assert_eq!((written.len(), written.last()), (26, Some(&new("heard"))));
    assert_eq!(counted(&metrics, "dropped"), "75");
    advance(REFILL).await;
    events.tell(&fleet("loud"), news("one more"));
    events.tell(&fleet("loud"), news("too many"));
    settle().await;
    assert_eq!(server.written()[26..], [new("one more")]);
}

#[tokio::test(start_paused = true)]
async fn telling_never_waits_for_a_server_that_does_not_answer() {
    let server = Server::default();
    *server.hangs.lock().unwrap() = true;
    let (events, metrics, _task) = start(&server);
    settle().await;
    for n in 0..QUEUE + 10 {
        events.tell(&fleet(&n.to_string()), news("idle"));
    }
    assert_eq!(counted(&metrics, "dropped"), "10");
    settle().await;
    advance(REQUEST).await;
    settle().await;
    assert_eq!(counted(&metrics, "failed"), "1");
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_the_end_is_still_posted() {
    let server = Server::default();
    let (events, _, task) = start(&server);
    events.tell(&fleet("a"), news("deleted"));
    drop(events);
    task.await.unwrap();
    assert_eq!(server.written(), [new("deleted")]);
}

#[tokio::test(start_paused = true)]
async fn memory_has_a_bound() {
    let server = Server::default();
    let metrics = Metrics::new(false).unwrap();
    let (_events, mut poster) = events(server, String::new(), || Timestamp::UNIX_EPOCH, metrics);
    for n in 0..REMEMBERED + 100 {
        let outcome = poster.post(&fleet(&n.to_string()), news("idle")).await;
        assert_eq!(outcome == EventOutcome::Posted, n < REMEMBERED, "{n}");
    }
    advance(REFILL).await;
    assert_eq!(poster.post(&fleet("later"), news("idle")).await, EventOutcome::Posted);
    assert_eq!(poster.said.len(), REMEMBERED);
}

#[test]
fn an_event_keeps_to_the_api_servers_bounds() {
    let metrics = Metrics::new(false).unwrap();
    let long = "ä".repeat(1000);
    let (_events, poster) = events(Server::default(), long.clone(), || Timestamp::UNIX_EPOCH, metrics);
    let object = ObjectReference { name: Some("x".repeat(253)), namespace: None, ..fleet("a") };
    let event = poster.event(&object, &News { warning: true, ..news(&long) }, cut(&long, NOTE));
    let expected = Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.0000000000000000", "x".repeat(236))),
            namespace: Some("default".to_owned()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
        reporting_controller: Some("windlass.dev/windlass".to_owned()),
        reporting_instance: Some("ä".repeat(64)),
        action: Some("StopFleet".to_owned()),
        reason: Some("Stopped".to_owned()),
        note: Some("ä".repeat(512)),
        type_: Some("Warning".to_owned()),
        regarding: Some(object),
        ..Event::default()
    };
    assert_eq!(event, expected);
}
