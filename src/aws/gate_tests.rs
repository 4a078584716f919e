#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use super::*;

const LONG: Duration = Duration::from_secs(3600);

fn key(access: Access) -> BucketKey {
    BucketKey { account: "111122223333".into(), region: "eu-central-1".into(), service: Service::AppStream, access }
}

fn gate() -> Arc<Gate> {
    Arc::new(Gate::new(Limits::default(), Arc::new(Unobserved)))
}

async fn take_many(gate: &Gate, count: u32) -> Duration {
    let began = Instant::now();
    for _ in 0..count {
        gate.take(&key(Access::Read), Urgency::Routine, LONG).await.unwrap();
    }
    began.elapsed()
}

fn about(took: Duration, wanted: f64) {
    let took = took.as_secs_f64();
    assert!((took - wanted).abs() < 0.05 * wanted.max(1.0), "took {took} s, not about {wanted} s");
}

#[tokio::test(start_paused = true)]
async fn a_full_bucket_gives_its_burst_at_once_and_then_its_rate() {
    let gate = gate();
    assert_eq!(take_many(&gate, 50).await, Duration::ZERO);
    about(take_many(&gate, 200).await, 2.0);
}

#[tokio::test(start_paused = true)]
async fn throttled_answers_halve_the_rate_once_a_second_down_to_the_floor() {
    let gate = gate();
    for _ in 0..10 {
        gate.ended(&key(Access::Read), "DescribeFleets", Some(Class::Throttled), Duration::ZERO);
    }
    // Ten at once are one sign: 50 a second, and half the burst.
    about(take_many(&gate, 25 + 100).await, 2.0);
    for _ in 0..10 {
        tokio::time::sleep(SLOWDOWN_SPACING).await;
        gate.ended(&key(Access::Read), "DescribeFleets", Some(Class::Throttled), Duration::ZERO);
    }
    assert_eq!(lock(&gate.bucket(&key(Access::Read)).level).rate, FLOOR);
    take_many(&gate, 1).await;
    about(take_many(&gate, 3).await, 3.0);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_recovers_after_five_seconds_and_is_whole_again_within_twenty_more() {
    let gate = gate();
    gate.ended(&key(Access::Read), "DescribeFleets", Some(Class::Throttled), Duration::ZERO);
    let rate = |gate: &Gate| {
        let bucket = gate.bucket(&key(Access::Read));
        let mut level = lock(&bucket.level);
        level.advance(Instant::now());
        level.rate
    };
    tokio::time::sleep(RECOVERY_AFTER).await;
    assert_eq!(rate(&gate), 50.0);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!((rate(&gate) - 70.0).abs() < 0.1, "{}", rate(&gate));
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(rate(&gate), CEILING);
}

#[tokio::test(start_paused = true)]
async fn reads_do_not_hold_up_writes() {
    let gate = gate();
    take_many(&gate, 50).await;
    let began = Instant::now();
    gate.take(&key(Access::Write), Urgency::Routine, Duration::from_millis(1)).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_request_overtakes_a_thousand_routine_ones() {
    let gate = gate();
    take_many(&gate, 50).await;
    for _ in 0..1000 {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { gate.take(&key(Access::Read), Urgency::Routine, LONG).await });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    gate.take(&key(Access::Read), Urgency::Urgent, LONG).await.unwrap();
    assert!(began.elapsed() <= Duration::from_millis(20), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn routine_requests_keep_their_order_and_an_eighth_of_the_permits_beside_urgent_ones() {
    let gate = gate();
    take_many(&gate, 50).await;
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for (count, urgency, name) in [(3, Urgency::Routine, 'r'), (16, Urgency::Urgent, 'u')] {
        for n in 0..count {
            let (gate, served) = (Arc::clone(&gate), Arc::clone(&served));
            waiting.push(tokio::spawn(async move {
                gate.take(&key(Access::Read), urgency, LONG).await.unwrap();
                served.lock().unwrap().push(format!("{name}{n}"));
            }));
            tokio::task::yield_now().await;
        }
    }
    for task in waiting {
        task.await.unwrap();
    }
    let served = served.lock().unwrap().join(" ");
    assert_eq!(served, "u0 u1 u2 u3 u4 u5 u6 r0 u7 u8 u9 u10 u11 u12 u13 r1 u14 u15 r2");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gets_no_permit_in_time_is_refused_and_leaves_the_queue() {
    let gate = gate();
    take_many(&gate, 50).await;
    for _ in 0..8 {
        tokio::time::sleep(SLOWDOWN_SPACING).await;
        gate.ended(&key(Access::Read), "DescribeFleets", Some(Class::Throttled), Duration::ZERO);
    }
    take_many(&gate, 1).await;
    let patience = Duration::from_millis(500);
    let refused = gate.take(&key(Access::Read), Urgency::Routine, patience).await;
    assert_eq!(refused, Err(NoPermit(patience)));
    let bucket = gate.bucket(&key(Access::Read));
    assert!(lock(&bucket.queue).routine.is_empty());
    // The next in line is served although the one before it gave up.
    assert_eq!(gate.take(&key(Access::Read), Urgency::Routine, Duration::from_secs(2)).await, Ok(()));
}

#[derive(Default)]
struct Recorded(Mutex<Vec<String>>);

impl GateObserver for Recorded {
    fn request(&self, service: Service, operation: &'static str, failure: Option<Class>, _: Duration) {
        self.0.lock().unwrap().push(format!("{} {operation} {failure:?}", service.as_str()));
    }
    fn throttled(&self, _: Service, operation: &'static str) {
        self.0.lock().unwrap().push(format!("throttled {operation}"));
    }
    fn tokens(&self, bucket: &BucketKey, tokens: f64, rate: f64) {
        self.0.lock().unwrap().push(format!("{} {tokens} at {rate}", bucket.access.as_str()));
    }
    fn waited(&self, _: &BucketKey, wait: Duration) {
        self.0.lock().unwrap().push(format!("waited {wait:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_observer_is_told_of_permits_requests_and_throttling() {
    let recorded = Arc::new(Recorded::default());
    let gate = Gate::new(Limits::default(), recorded.clone());
    gate.take(&key(Access::Write), Urgency::Routine, LONG).await.unwrap();
    gate.ended(&key(Access::Write), "StopFleet", None, Duration::ZERO);
    gate.ended(&key(Access::Write), "StopFleet", Some(Class::Throttled), Duration::ZERO);
    assert_eq!(
        *recorded.0.lock().unwrap(),
        [
            "waited 0ns",
            "write 49 at 100",
            "appstream StopFleet None",
            "appstream StopFleet Some(Throttled)",
            "throttled StopFleet",
            "write 25 at 50",
        ]
    );
}
