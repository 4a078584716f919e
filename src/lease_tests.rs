//! Elections among several contenders on one clock that tests drive.

use std::sync::Mutex;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

use super::*;

/// The API server's side of one Lease.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Desk>>);

#[derive(Default)]
struct Desk {
    record: Option<Record>,
    version: u64,
    writes: usize,
}

/// How a contender reaches the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Good,
    /// No answer, and nothing arrives.
    Cut,
    /// Writes arrive, their answers do not.
    AnswersLost,
    /// Refused at once.
    Refused,
}

#[derive(Clone)]
struct Phone {
    server: Server,
    line: Arc<Mutex<Line>>,
}

impl Phone {
    async fn call<T>(&self, ask: impl FnOnce(&mut Desk) -> Result<T, LeaseFailure>) -> Result<T, LeaseFailure> {
        sleep(Duration::from_millis(5)).await;
        let line = *self.line.lock().unwrap();
        match line {
            Line::Good => ask(&mut self.server.0.lock().unwrap()),
            Line::Cut => std::future::pending().await,
            Line::AnswersLost => {
                drop(ask(&mut self.server.0.lock().unwrap()));
                std::future::pending().await
            }
            Line::Refused => Err(LeaseFailure::Other("connection refused".to_owned())),
        }
    }
}

impl Desk {
    fn keep(&mut self, record: &Record) -> Record {
        self.version += 1;
        self.writes += 1;
        let mut kept = record.clone();
        kept.metadata.resource_version = Some(self.version.to_string());
        self.record = Some(kept.clone());
        kept
    }
}

impl LeaseApi for Phone {
    async fn read(&self) -> Result<Option<Record>, LeaseFailure> {
        self.call(|desk| Ok(desk.record.clone())).await
    }
    async fn create(&self, record: &Record) -> Result<Record, LeaseFailure> {
        self.call(|desk| if desk.record.is_some() { Err(LeaseFailure::Conflict) } else { Ok(desk.keep(record)) }).await
    }
    async fn replace(&self, record: &Record) -> Result<Record, LeaseFailure> {
        self.call(|desk| {
            let there = desk.record.as_ref().and_then(|there| there.metadata.resource_version.clone());
            if there.is_none() || there != record.metadata.resource_version {
                return Err(LeaseFailure::Conflict);
            }
            Ok(desk.keep(record))
        })
        .await
    }
}

struct Process {
    lease: Lease,
    line: Arc<Mutex<Line>>,
    stop: oneshot::Sender<()>,
    runs: JoinHandle<()>,
    metrics: Metrics,
}

impl Process {
    fn start(server: &Server, identity: &str) -> Self {
        let line = Arc::new(Mutex::new(Line::Good));
        let phone = Phone { server: server.clone(), line: line.clone() };
        let metrics = Metrics::new(false).unwrap();
        let (contender, lease) = Contender::new(phone, settings(), identity.to_owned(), wall_clock, metrics.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let runs = tokio::spawn(contender.run(async move { drop(stopped.await) }));
        Self { lease, line, stop, runs, metrics }
    }
    fn set_line(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.runs.await.unwrap();
    }
    fn leads_by_its_metric(&self) -> bool {
        self.metrics.text().unwrap().contains("\nwindlass_leader 1\n")
    }
}

fn settings() -> LeaseSettings {
    LeaseSettings {
        namespace: "windlass-system".to_owned(),
        name: "windlass".to_owned(),
        duration: seconds(15),
        renew_deadline: seconds(10),
        retry: seconds(2),
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A wall clock that is years off and stands still: nothing may depend on it.
fn wall_clock() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn spec(server: &Server) -> LeaseSpec {
    server.0.lock().unwrap().record.clone().unwrap().spec.unwrap()
}

fn holder(server: &Server) -> String {
    spec(server).holder_identity.unwrap()
}

/// How long it takes until `lease` is granted.
async fn until_granted(lease: &Lease) -> Duration {
    let began = Instant::now();
    while !lease.granted() {
        sleep(Duration::from_millis(10)).await;
        assert!(began.elapsed() < seconds(300), "never granted");
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_first_one_leads_and_the_second_one_waits() {
    let server = Server::default();
    let first = Process::start(&server, "first");
    sleep(seconds(1)).await;
    let second = Process::start(&server, "second");
    for _ in 0..100 {
        sleep(seconds(1)).await;
        assert_eq!((first.lease.granted(), second.lease.granted()), (true, false));
    }
    assert_eq!(first.lease.taken_at(), Some(wall_clock()));
    assert_eq!(second.lease.taken_at(), None);
    assert_eq!((first.leads_by_its_metric(), second.leads_by_its_metric()), (true, false));
    let micro = || Some(MicroTime(wall_clock()));
    let expected = LeaseSpec {
        holder_identity: Some("first".to_owned()),
        lease_duration_seconds: Some(15),
        acquire_time: micro(),
        renew_time: micro(),
        lease_transitions: Some(0),
        ..LeaseSpec::default()
    };
    assert_eq!(spec(&server), expected);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_start_at_once_exactly_one_leads() {
    let server = Server::default();
    let both = [Process::start(&server, "one"), Process::start(&server, "two")];
    sleep(seconds(1)).await;
    assert_eq!(both.iter().filter(|process| process.lease.granted()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_costs_one_write_each_retry_and_no_read() {
    let server = Server::default();
    let leader = Process::start(&server, "leader");
    sleep(seconds(20) + Duration::from_millis(500)).await;
    // At 0, 2, … 20 s.
    assert_eq!(server.0.lock().unwrap().writes, 11);
    assert!(leader.lease.granted());
}

#[tokio::test(start_paused = true)]
async fn when_the_holder_dies_another_leads_within_the_lease_time() {
    let server = Server::default();
    let first = Process::start(&server, "first");
    sleep(seconds(1)).await;
    let second = Process::start(&server, "second");
    sleep(seconds(60)).await;
    first.runs.abort();
    let waited = until_granted(&second.lease).await;
    // 15 s from what it saw last (up to one retry after it was written), and up to one retry until it looks again.
    assert!(waited > seconds(13) && waited < seconds(20), "{waited:?}");
    assert_eq!((holder(&server).as_str(), spec(&server).lease_transitions), ("second", Some(1)));
    assert!(!first.lease.granted());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_holder_has_lost_its_grant_when_it_wakes_up_and_before_another_leads() {
    let server = Server::default();
    let first = Process::start(&server, "first");
    sleep(seconds(1)).await;
    let lease = first.lease.clone();
    // Frozen: its clock goes on, its tasks do not.
    first.runs.abort();
    let second = Process::start(&server, "second");
    while !second.lease.granted() {
        sleep(Duration::from_millis(100)).await;
        assert!(!(lease.granted() && second.lease.granted()), "both lead");
    }
    assert!(!lease.granted());
    assert_eq!(lease.taken_at(), None);
}

#[tokio::test(start_paused = true)]
async fn a_grant_ends_exactly_at_the_renew_deadline_from_the_start_of_the_last_renewal() {
    let server = Server::default();
    let leader = Process::start(&server, "leader");
    // The renewal at 2 s has gone through; every later one is cut.
    sleep(seconds(2) + Duration::from_millis(100)).await;
    leader.set_line(Line::Cut);
    sleep(Duration::from_millis(9_800)).await;
    assert!(leader.lease.granted());
    sleep(Duration::from_millis(200)).await;
    assert!(!leader.lease.granted());
    assert_eq!(*leader.lease.watch().borrow(), LeaseState::Standby);
    assert!(!leader.leads_by_its_metric());
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_reach_the_server_tries_on_and_leads_again_in_a_new_term() {
    for trouble in [Line::Cut, Line::Refused, Line::AnswersLost] {
        let server = Server::default();
        let leader = Process::start(&server, "leader");
        sleep(seconds(1)).await;
        let mut told = leader.lease.watch();
        assert_eq!(*told.borrow_and_update(), LeaseState::Held { taken_at: wall_clock() });
        leader.set_line(trouble);
        told.changed().await.unwrap();
        assert_eq!(*told.borrow_and_update(), LeaseState::Standby);
        sleep(seconds(120)).await;
        assert!(!leader.lease.granted());
        leader.set_line(Line::Good);
        told.changed().await.unwrap();
        assert_eq!(*told.borrow_and_update(), LeaseState::Held { taken_at: wall_clock() });
        assert!(leader.lease.granted());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_renewal_costs_a_read_and_no_grant() {
    let server = Server::default();
    let leader = Process::start(&server, "leader");
    sleep(seconds(1)).await;
    leader.set_line(Line::AnswersLost);
    sleep(seconds(2)).await;
    leader.set_line(Line::Good);
    for _ in 0..60 {
        sleep(seconds(1)).await;
        assert!(leader.lease.granted());
    }
    assert_eq!(spec(&server).lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_record_was_taken_stops_by_its_deadline_and_takes_nothing_back() {
    let server = Server::default();
    let leader = Process::start(&server, "leader");
    sleep(seconds(1)).await;
    {
        let mut desk = server.0.lock().unwrap();
        let mut record = desk.record.clone().unwrap();
        record.spec.as_mut().unwrap().holder_identity = Some("thief".to_owned());
        desk.keep(&record);
    }
    sleep(seconds(11)).await;
    assert!(!leader.lease.granted());
    assert_eq!(holder(&server), "thief");
}

#[tokio::test(start_paused = true)]
async fn the_longer_duration_of_two_settings_is_waited_for() {
    let server = Server::default();
    let first = Process::start(&server, "first");
    sleep(seconds(1)).await;
    first.runs.abort();
    server.0.lock().unwrap().record.as_mut().unwrap().spec.as_mut().unwrap().lease_duration_seconds = Some(60);
    let second = Process::start(&server, "second");
    let waited = until_granted(&second.lease).await;
    assert!(waited >= seconds(60), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_is_taken_at_the_next_look() {
    let server = Server::default();
    let first = Process::start(&server, "first");
    sleep(seconds(1)).await;
    let second = Process::start(&server, "second");
    sleep(seconds(5)).await;
    let lease = first.lease.clone();
    first.stop().await;
    assert_eq!((holder(&server).as_str(), lease.granted()), ("", false));
    let waited = until_granted(&second.lease).await;
    assert!(waited <= seconds(2), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn giving_back_while_a_renewal_is_under_way_gives_back_all_the_same() {
    let server = Server::default();
    let leader = Process::start(&server, "leader");
    sleep(seconds(1)).await;
    leader.set_line(Line::AnswersLost);
    sleep(seconds(1) + Duration::from_millis(100)).await;
    leader.set_line(Line::Good);
    leader.stop().await;
    assert_eq!(holder(&server), "");
}

#[tokio::test(start_paused = true)]
async fn giving_back_never_takes_the_lease_from_its_new_holder() {
    let server = Server::default();
    let first = Process::start(&server, "first");
    sleep(seconds(1)).await;
    first.set_line(Line::Refused);
    let second = Process::start(&server, "second");
    until_granted(&second.lease).await;
    first.set_line(Line::Good);
    first.stop().await;
    assert_eq!(holder(&server), "second");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_needs_no_lease_is_always_granted() {
    let lease = Lease::not_needed(wall_clock());
    advance(seconds(1_000_000)).await;
    assert!(lease.granted());
    assert_eq!(lease.taken_at(), Some(wall_clock()));
}
