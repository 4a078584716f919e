#![allow(clippy::unwrap_used)]

use futures::FutureExt;

use super::super::batch::strictly;
use super::super::batch::tests::{refusal, second, test_clock};
use super::*;

const PLACE: &str = "place";
const PAGES: u32 = 10;

/// AWS with the fleets `0` to `999` in ten pages of 100 ms; a read by name takes 100 ms. It writes down what it was asked.
#[derive(Clone, Default)]
struct Aws {
    asked: Arc<Mutex<Vec<String>>>,
    out_of_order: bool,
}

impl Source<u32> for Aws {
    fn all(&self) -> BoxFuture<'static, Result<All<u32>, AwsError>> {
        lock(&self.asked).push("all".to_owned());
        async {
            tokio::time::sleep(Duration::from_millis(100) * PAGES).await;
            let items = (0..1000).map(|n| (n.to_string(), Arc::new(n))).collect();
            Ok(All { items, pages: PAGES })
        }
        .boxed()
    }

    fn named(&self, names: Vec<String>) -> BoxFuture<'static, Result<HashMap<String, Arc<u32>>, AwsError>> {
        lock(&self.asked).push(names.join("+"));
        let out_of_order = self.out_of_order;
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if out_of_order {
                return Err(refusal());
            }
            let there = names.into_iter().filter_map(|name| Some((name.parse::<u32>().ok()?, name)));
            Ok(there.filter(|(n, _)| *n < 1000).map(|(n, name)| (name, Arc::new(n))).collect())
        }
        .boxed()
    }
}

impl Aws {
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.asked))
    }
}

fn listings() -> Arc<Listings<&'static str, u32>> {
    Arc::new(Listings::new(strictly(test_clock()), Duration::from_secs(3 * 3600)))
}

async fn one(
    listings: &Listings<&'static str, u32>,
    aws: &Aws,
    name: &str,
    since: i64,
    urgency: Urgency,
) -> (i64, Option<u32>) {
    let known = listings.one(&PLACE, name, second(since), urgency, aws).await.unwrap();
    (known.began.as_second(), known.value.as_deref().copied())
}

#[tokio::test(start_paused = true)]
async fn one_fleet_alone_is_asked_for_by_its_name() {
    let (listings, aws) = (listings(), Aws::default());
    assert_eq!(one(&listings, &aws, "7", 0, Urgency::Routine).await, (0, Some(7)));
    assert_eq!(one(&listings, &aws, "none", 0, Urgency::Routine).await, (0, None));
    // And what it said is used again while it is new enough.
    assert_eq!(one(&listings, &aws, "7", 0, Urgency::Routine).await, (0, Some(7)));
    assert_eq!(aws.asked(), ["7", "none"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_at_once_cost_one_complete_read_and_three_by_name() {
    let (listings, aws) = (listings(), Aws::default());
    let asked: Vec<_> = (0..1000)
        .map(|n: u32| {
            let (listings, aws) = (Arc::clone(&listings), aws.clone());
            tokio::spawn(async move { one(&listings, &aws, &n.to_string(), 0, Urgency::Routine).await })
        })
        .collect();
    for (n, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap().1, Some(u32::try_from(n).unwrap()));
    }
    assert_eq!(aws.asked(), ["0", "1", "2", "all"]);
}

#[tokio::test(start_paused = true)]
async fn resyncs_spread_over_a_minute_share_complete_reads() {
    let (listings, aws, clock) = (listings(), Aws::default(), test_clock());
    listings.all(&PLACE, second(0), &aws).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    aws.asked();
    // Each of 500 fleets looks once in the next minute, at what is no older than a minute.
    let began = clock();
    for n in 0..500 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let not_before = clock() - Duration::from_secs(60);
        listings.one(&PLACE, &n.to_string(), not_before, Urgency::Routine, &aws).await.unwrap();
    }
    assert!(age(began, clock()) < Duration::from_secs(70));
    assert_eq!(aws.asked(), ["0", "1", "2", "all"]);
}

#[tokio::test(start_paused = true)]
async fn those_who_have_just_written_are_asked_about_together() {
    let (listings, aws) = (listings(), Aws::default());
    listings.all(&PLACE, second(0), &aws).await.unwrap();
    tokio::time::sleep(Duration::from_secs(9)).await;
    aws.asked();
    let asked: Vec<_> = (0..30)
        .map(|n: u32| {
            let (listings, aws) = (Arc::clone(&listings), aws.clone());
            tokio::spawn(async move { one(&listings, &aws, &n.to_string(), 10, Urgency::Routine).await })
        })
        .collect();
    for (n, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap(), (10, Some(u32::try_from(n).unwrap())));
    }
    let requests = aws.asked();
    assert_eq!(requests.iter().map(|names| names.split('+').count()).collect::<Vec<_>>(), [1, 25, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_question_fails_for_all_who_asked_it_together() {
    let (listings, aws) = (listings(), Aws { out_of_order: true, ..Aws::default() });
    for n in 0..10 {
        listings.wrote(&PLACE, &n.to_string(), Some(true));
    }
    let asked = (0..10).map(|n: u32| {
        let (listings, aws) = (Arc::clone(&listings), aws.clone());
        async move { listings.one(&PLACE, &n.to_string(), second(0), Urgency::Routine, &aws).await.unwrap_err() }
    });
    assert_eq!(futures::future::join_all(asked).await, vec![refusal(); 10]);
    // The first alone, then the nine who came meanwhile.
    assert_eq!(aws.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_just_deleted_is_not_asked_for_together_with_others() {
    let (listings, aws) = (listings(), Aws::default());
    for n in 0..3 {
        listings.wrote(&PLACE, &n.to_string(), Some(true));
    }
    listings.wrote(&PLACE, "2", Some(false));
    let asked = (0..3).map(|n: u32| {
        let (listings, aws) = (Arc::clone(&listings), aws.clone());
        async move { one(&listings, &aws, &n.to_string(), 0, Urgency::Routine).await }
    });
    futures::future::join_all(asked).await;
    assert_eq!(aws.asked(), ["0", "2", "1"]);
}

#[tokio::test(start_paused = true)]
async fn an_edit_does_not_wait_for_pages_that_are_under_way() {
    let (listings, aws) = (listings(), Aws::default());
    let pages = {
        let (listings, aws) = (Arc::clone(&listings), aws.clone());
        tokio::spawn(async move { listings.all(&PLACE, second(0), &aws).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let asked = tokio::time::Instant::now();
    assert_eq!(one(&listings, &aws, "7", 0, Urgency::Urgent).await, (0, Some(7)));
    assert_eq!(asked.elapsed(), Duration::from_millis(100));
    assert_eq!(pages.await.unwrap().unwrap().value.pages, PAGES);
    assert_eq!(aws.asked(), ["all", "7"]);
}

#[tokio::test(start_paused = true)]
async fn a_routine_look_joins_pages_that_began_late_enough() {
    let (listings, aws) = (listings(), Aws::default());
    let pages = {
        let (listings, aws) = (Arc::clone(&listings), aws.clone());
        tokio::spawn(async move { listings.all(&PLACE, second(0), &aws).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(one(&listings, &aws, "7", 0, Urgency::Routine).await, (0, Some(7)));
    pages.await.unwrap().unwrap();
    assert_eq!(aws.asked(), ["all"]);
}

#[tokio::test(start_paused = true)]
async fn the_later_of_a_read_by_name_and_a_complete_one_counts() {
    let (listings, aws) = (listings(), Aws::default());
    listings.all(&PLACE, second(0), &aws).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(one(&listings, &aws, "7", 5, Urgency::Urgent).await, (5, Some(7)));
    assert_eq!(one(&listings, &aws, "7", 0, Urgency::Urgent).await, (5, Some(7)));
    assert_eq!(one(&listings, &aws, "8", 0, Urgency::Urgent).await, (0, Some(8)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    listings.all(&PLACE, second(6), &aws).await.unwrap();
    assert_eq!(one(&listings, &aws, "7", 0, Urgency::Urgent).await, (6, Some(7)));
    assert_eq!(aws.asked(), ["all", "7", "all"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_makes_every_earlier_read_of_its_name_too_old_even_at_the_same_instant() {
    let (listings, aws) = (listings(), Aws::default());
    listings.all(&PLACE, second(0), &aws).await.unwrap();
    one(&listings, &aws, "7", 0, Urgency::Urgent).await;
    listings.wrote(&PLACE, "7", None);
    let under_way = {
        let (listings, aws) = (Arc::clone(&listings), aws.clone());
        tokio::spawn(async move { one(&listings, &aws, "7", 0, Urgency::Urgent).await })
    };
    tokio::task::yield_now().await;
    // The read that is under way now began before this write.
    listings.wrote(&PLACE, "7", None);
    one(&listings, &aws, "7", 0, Urgency::Urgent).await;
    under_way.await.unwrap();
    one(&listings, &aws, "8", 0, Urgency::Urgent).await;
    assert_eq!(aws.asked(), ["all", "7", "7"]);
}
