#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::Instant;

use super::*;
use crate::plan::Class;

/// A clock that follows tokio's, which stands still in these tests unless everybody waits.
pub(crate) fn test_clock() -> Clock {
    let (start, base) = (Instant::now(), Timestamp::UNIX_EPOCH);
    Arc::new(move || base + start.elapsed())
}

pub(crate) fn second(n: i64) -> Timestamp {
    Timestamp::from_second(n).unwrap()
}

pub(crate) fn refusal() -> AwsError {
    AwsError {
        operation: "DescribeFleets",
        class: Class::Unavailable,
        code: "InternalFailure".to_owned(),
        message: "out of order".to_owned(),
        request_id: None,
    }
}

const UNUSED: Duration = Duration::from_secs(3600);

struct Reads {
    shared: Arc<Shared<&'static str, u32>>,
    count: Arc<AtomicU32>,
    at_once: Arc<AtomicU32>,
}

impl Reads {
    fn new() -> Self {
        let shared = Arc::new(Shared::new(test_clock(), UNUSED));
        Self { shared, count: Arc::default(), at_once: Arc::default() }
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    /// Asks in a task of its own; a read takes a second and gives its number.
    fn ask(&self, not_before: i64) -> tokio::task::JoinHandle<ReadResult<u32>> {
        let (shared, count, at_once) = (Arc::clone(&self.shared), Arc::clone(&self.count), Arc::clone(&self.at_once));
        tokio::spawn(async move {
            let read = || {
                let (count, at_once) = (Arc::clone(&count), Arc::clone(&at_once));
                async move {
                    assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0, "two reads of one key at once");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    Ok(count.fetch_add(1, Ordering::SeqCst) + 1)
                }
                .boxed()
            };
            shared.since(&"key", second(not_before), read).await
        })
    }
}

async fn began_and_value(asked: tokio::task::JoinHandle<ReadResult<u32>>) -> (i64, u32) {
    let snapshot = asked.await.unwrap().unwrap();
    (snapshot.began.as_second(), snapshot.value)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_ask_at_once_share_one_read() {
    let reads = Reads::new();
    let asked: Vec<_> = (0..100).map(|_| reads.ask(0)).collect();
    for asked in asked {
        assert_eq!(began_and_value(asked).await, (0, 1));
    }
    assert_eq!(reads.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_written_meanwhile_waits_for_the_next_read_and_shares_it() {
    let reads = Reads::new();
    let before = reads.ask(0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // 500 ms: rounded up to the second, so that only a read that begins then satisfies it.
    let after: Vec<_> = (0..10).map(|_| reads.ask(1)).collect();
    assert_eq!(began_and_value(before).await, (0, 1));
    for after in after {
        assert_eq!(began_and_value(after).await, (1, 2));
    }
    assert_eq!(reads.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_new_enough_is_given_at_once() {
    let reads = Reads::new();
    assert_eq!(began_and_value(reads.ask(0)).await, (0, 1));
    tokio::time::sleep(Duration::from_secs(600)).await;
    let asked = Instant::now();
    assert_eq!(began_and_value(reads.ask(0)).await, (0, 1));
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_everybody_left_is_given_up_and_made_anew() {
    let reads = Reads::new();
    let left = reads.ask(0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    left.abort();
    let _ = left.await;
    reads.at_once.store(0, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(reads.count(), 0);
    assert_eq!(began_and_value(reads.ask(0)).await, (60, 1));
}

#[tokio::test(start_paused = true)]
async fn a_read_goes_on_when_the_one_who_began_it_leaves() {
    let reads = Reads::new();
    let first = reads.ask(0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = reads.ask(0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.abort();
    assert_eq!(began_and_value(second).await, (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_fails_for_all_who_waited_and_is_not_kept() {
    let shared: Shared<&str, u32> = Shared::new(test_clock(), UNUSED);
    let fails = || async { Err(refusal()) }.boxed();
    let (one, other) = tokio::join!(shared.since(&"key", second(0), fails), shared.since(&"key", second(0), fails));
    assert_eq!((one, other), (Err(refusal()), Err(refusal())));
    let later = shared.since(&"key", second(0), || async { Ok(7) }.boxed()).await;
    assert_eq!(later.unwrap().value, 7);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asked_for_is_forgotten() {
    let shared: Shared<&str, u32> = Shared::new(test_clock(), UNUSED);
    for key in ["used", "unused"] {
        shared.since(&key, second(0), || async { Ok(1) }.boxed()).await.unwrap();
    }
    tokio::time::sleep(UNUSED / 2).await;
    assert!(shared.latest(&"used").is_some());
    tokio::time::sleep(UNUSED / 2).await;
    shared.evict();
    assert!(shared.latest(&"used").is_some());
    assert!(shared.latest(&"unused").is_none());
}
