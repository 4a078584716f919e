//! The AWS layer that ships, on a simulated AWS in this process, on a clock that tests drive.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use simulator::{Settings, World};
use tokio::time::Instant;
use windlass::aws::Leave;
use windlass::aws::accounts::Accounts;
use windlass::aws::gate::{Gate, Limits, Unobserved};

/// A simulated AWS, and who we are there.
pub struct InProcess {
    pub world: World,
    pub accounts: Accounts,
    pub clock: Clock,
}

/// What time it is, here and at AWS.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The operator with the root credentials of that account, in the simulated AWS's own Region.
pub fn in_process(settings: Settings, account: &str) -> InProcess {
    let region = settings.home_region.parse().unwrap();
    let world = World::new(settings);
    let time = SharedTimeSource::new(TokioTime(Instant::now()));
    let clock: Clock = {
        let time = time.clone();
        Arc::new(move || Timestamp::try_from(time.now()).unwrap())
    };
    world.follow({
        let clock = Arc::clone(&clock);
        move || clock()
    });
    let (id, secret) = simulator::credentials(account);
    let accounts = Accounts::in_process(
        "cluster-1".to_owned(),
        region,
        Arc::new(Gate::new(Limits::default(), Arc::new(Unobserved))),
        SharedHttpClient::new(world.http_client()),
        time,
        SharedAsyncSleep::new(TokioSleep::new()),
        Credentials::from_keys(id, secret, None),
    );
    InProcess { world, accounts, clock }
}

/// tokio's clock, which stands still while a test is paused.
#[derive(Debug)]
struct TokioTime(Instant);

impl TimeSource for TokioTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

/// A lease that is always ours.
pub struct Granted;

impl Leave for Granted {
    fn granted(&self) -> bool {
        true
    }
}
