//! What a [`World`](crate::World) is told at its beginning.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The account of every access key that does not name one: AWS's own documentation uses it as its example account.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// Which attributes UpdateFleet accepts while a fleet is RUNNING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunningRule {
    /// The rule of the 2017 API reference: `DisplayName` and `ComputeCapacity`, nothing else.
    #[serde(rename = "2017")]
    Y2017,
    /// What the API reference lists today, by fleet type.
    #[default]
    #[serde(rename = "today")]
    Today,
}

/// What Lightsail answers to a start, stop or reboot of an instance that is not in a state for it. Nobody has written it
/// down; the API model allows all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrongState {
    /// Success, and nothing happens.
    NoOp,
    /// `InvalidInputException`.
    #[default]
    InvalidInput,
    /// `OperationFailureException`.
    OperationFailure,
}

/// What Lightsail answers to GetInstanceAccessDetails of an instance that is not running. Nobody has written it down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessWhenDown {
    /// `OperationFailureException`.
    #[default]
    Refused,
    /// Success, perhaps without an address.
    Answered,
}

/// How long AWS takes. Divided by [`Settings::speed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// StartFleet until the first instance is available (developer guide: 10 to 20 minutes; acceptance tests of a
    /// public Terraform provider: 9 to 12).
    pub start_fleet: Duration,
    /// StopFleet until STOPPED (developer guide: about 5 minutes).
    pub stop_fleet: Duration,
    /// One more instance on a RUNNING fleet, and the replacement of a used one (developer guide: 10 to 20 minutes).
    pub scale: Duration,
    /// From a lower desired capacity until an idle instance is gone. Nobody has written this down.
    pub scale_in: Duration,
    /// CreateImageBuilder or StartImageBuilder until RUNNING (5 to 10 minutes).
    pub start_builder: Duration,
    /// StopImageBuilder until STOPPED.
    pub stop_builder: Duration,
    /// DeleteImageBuilder until it is not described any more.
    pub delete_builder: Duration,
    /// CreateInstances until an instance is running (18 seconds in AWS's own sample).
    pub create_instance: Duration,
    /// StartInstance until it is running.
    pub start_instance: Duration,
    /// StopInstance until it is stopped.
    pub stop_instance: Duration,
    /// DeleteInstance until it is not shown any more.
    pub delete_instance: Duration,
    /// From running until GetInstance shows a new public IPv4 address.
    pub address_lag: Duration,
    /// An add-on, an address type or metadata options until they have taken effect.
    pub small_change: Duration,
    /// From running until Lightsail has seen a new instance's host keys. Nobody has written this down.
    pub host_key_lag: Duration,
    /// CreateInstances until Lightsail knows a Windows password (up to 15 minutes; EC2 asks to wait 4).
    pub windows_password: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        let minutes = |n: u64| seconds(n * 60);
        Self {
            start_fleet: minutes(12),
            stop_fleet: minutes(5),
            scale: minutes(10),
            scale_in: minutes(2),
            start_builder: minutes(10),
            stop_builder: minutes(5),
            delete_builder: minutes(1),
            create_instance: seconds(18),
            // "Seconds to minutes" is all that people report of the rest.
            start_instance: seconds(20),
            stop_instance: seconds(40),
            delete_instance: seconds(10),
            address_lag: seconds(5),
            small_change: seconds(5),
            host_key_lag: seconds(10),
            windows_password: minutes(4),
        }
    }
}

impl Timings {
    /// The same timings for an AWS that is `speed` times faster. A speed that is not above zero changes nothing.
    #[must_use]
    pub fn faster(self, speed: f64) -> Self {
        if !(speed > 0.0 && speed.is_finite()) {
            return self;
        }
        Self {
            start_fleet: self.start_fleet.div_f64(speed),
            stop_fleet: self.stop_fleet.div_f64(speed),
            scale: self.scale.div_f64(speed),
            scale_in: self.scale_in.div_f64(speed),
            start_builder: self.start_builder.div_f64(speed),
            stop_builder: self.stop_builder.div_f64(speed),
            delete_builder: self.delete_builder.div_f64(speed),
            create_instance: self.create_instance.div_f64(speed),
            start_instance: self.start_instance.div_f64(speed),
            stop_instance: self.stop_instance.div_f64(speed),
            delete_instance: self.delete_instance.div_f64(speed),
            address_lag: self.address_lag.div_f64(speed),
            small_change: self.small_change.div_f64(speed),
            host_key_lag: self.host_key_lag.div_f64(speed),
            windows_password: self.windows_password.div_f64(speed),
        }
    }
}

/// Quotas of one account and region. Absent: no limit (AWS's own default is 10 fleets, 10 stacks, 10 builders).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Fleets.
    pub fleets: Option<usize>,
    /// Stacks.
    pub stacks: Option<usize>,
    /// Image builders.
    pub image_builders: Option<usize>,
    /// Instances of one AppStream instance type, summed over the fleets that are not stopped.
    pub instances_per_type: Option<i64>,
    /// Lightsail instances (AWS counts vCPUs: about 10 instances of today's sizes, 5 in a new account).
    pub lightsail_instances: Option<usize>,
    /// Lightsail static IPs (AWS's own default is 5).
    pub static_ips: Option<usize>,
}

/// Everything a world is told at its beginning; [`Settings::default`] is a patient, realistic AWS.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seed of every random choice (request ids, instance ids, keys).
    pub seed: u64,
    /// What the clock shows at first. Ignored once [`World::follow`](crate::World::follow) was called.
    pub start: Timestamp,
    /// The UpdateFleet rule for RUNNING fleets.
    pub rules: RunningRule,
    /// Items on one page of the lists that have no size parameter (DescribeFleets, DescribeStacks, ListAssociated…).
    pub page_size: usize,
    /// How long AWS takes.
    pub timings: Timings,
    /// How many times faster than [`Settings::timings`] states change. Never shortens how long a credential, a
    /// streaming URL or a session is valid.
    pub speed: f64,
    /// How long after a write every read still shows the world before it.
    pub visibility_lag: Duration,
    /// Requests per second for one account, region and service, above which `ThrottlingException` is answered.
    pub request_rate: Option<f64>,
    /// Whether the last page carries `NextToken: ""` instead of no token.
    pub empty_next_token: bool,
    /// What Lightsail answers to a start, stop or reboot in the wrong state.
    pub wrong_state: WrongState,
    /// Whether Lightsail refuses to change an instance while another operation on it goes on.
    pub refuse_overlap: bool,
    /// Whether Lightsail's errors carry the `code` member beside `__type`, which hides the type from the Rust SDK.
    pub error_sub_codes: bool,
    /// How long a certificate of GetInstanceAccessDetails is valid (people report ten minutes). Never divided by the speed.
    pub cert_ttl: Duration,
    /// Private keys that GetInstanceAccessDetails hands out in turn, at least one. AWS makes a new one for every call; one
    /// takes a tenth of a second. Certificates are new in every answer.
    pub access_keys: u64,
    /// What Lightsail answers when access to an instance is asked for that is not running.
    pub access_when_down: AccessWhenDown,
    /// Quotas of every account and region.
    pub quotas: Quotas,
    /// Account in which helpers put what is given without one.
    pub home_account: String,
    /// Region in which helpers put what is given without one.
    pub home_region: String,
    /// Whether every account starts with the demo images of [`seeds`](crate::seeds).
    pub demo_images: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            // 2026-01-01T00:00:00Z: any instant would do, a fixed one makes runs repeat.
            start: Timestamp::constant(1_767_225_600, 0),
            rules: RunningRule::default(),
            page_size: 50,
            timings: Timings::default(),
            speed: 1.0,
            visibility_lag: Duration::ZERO,
            request_rate: None,
            empty_next_token: false,
            wrong_state: WrongState::default(),
            refuse_overlap: false,
            error_sub_codes: true,
            cert_ttl: Duration::from_secs(600),
            access_keys: 8,
            access_when_down: AccessWhenDown::default(),
            quotas: Quotas::default(),
            home_account: DEFAULT_ACCOUNT.to_owned(),
            home_region: "us-east-1".to_owned(),
            demo_images: true,
        }
    }
}
