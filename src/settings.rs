//! What `windlass run` is told, parsed: nothing below the command line sees a flag or an environment variable.

use std::net::SocketAddr;
use std::time::Duration;

use crate::api::Region;

/// Everything that the controller is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// The namespaces to watch; empty means all.
    pub watch_namespaces: Vec<String>,
    /// The Region of objects that name none; absent means whatever the AWS SDK finds (`AWS_REGION`, profile, instance).
    pub region: Option<Region>,
    /// The id of this cluster in the ownership tags; absent means the uid of the `kube-system` namespace.
    pub cluster_id: Option<String>,
    /// Whether objects need an Account object, so that none is reached with the operator's own identity.
    pub require_account: bool,
    /// How often every object is looked at without an event; 1 s to 1 h.
    pub resync: Duration,
    /// Where /metrics, /livez and /readyz are served.
    pub listen: SocketAddr,
    /// The leader election; absent means that this process acts without asking.
    pub lease: Option<LeaseSettings>,
    /// Whether metrics are also kept for each object (their number grows with the number of objects).
    pub object_metrics: bool,
    /// Who this process is, among all that ever run: `holderIdentity` of the lease and reporter of events.
    pub identity: String,
}

/// The leader election's Lease and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// How long the others wait after the last renewal they saw, before they take over; at least 1 s.
    pub duration: Duration,
    /// How long a renewal lets this process write; shorter than `duration`.
    pub renew_deadline: Duration,
    /// How often the Lease is renewed or looked at; shorter than `renew_deadline`.
    pub retry: Duration,
}

/// What is wrong with what the controller was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The times of the lease are in the wrong order.
    #[error(
        "lease times must grow: lease-retry {retry:?} < lease-renew-deadline {renew_deadline:?} < lease-duration {duration:?}"
    )]
    LeaseTimes {
        /// `--lease-duration`
        duration: Duration,
        /// `--lease-renew-deadline`
        renew_deadline: Duration,
        /// `--lease-retry`
        retry: Duration,
    },
}

impl LeaseSettings {
    /// Refuses times under which two processes could both believe they lead.
    ///
    /// # Errors
    /// When `retry < renew_deadline < duration` does not hold.
    pub fn checked(self) -> Result<Self, SettingsError> {
        let Self { duration, renew_deadline, retry, .. } = self;
        if retry < renew_deadline && renew_deadline < duration {
            Ok(self)
        } else {
            Err(SettingsError::LeaseTimes { duration, renew_deadline, retry })
        }
    }
}

/// Where this process runs, as far as its name and namespace go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `POD_NAME`, from the downward API.
    pub pod_name: Option<String>,
    /// The kernel's host name.
    pub host_name: Option<String>,
    /// The pod's namespace: `POD_NAMESPACE`, else what the service account's volume says.
    pub pod_namespace: Option<String>,
    /// A number that no other process has: two processes of one pod name must not share an identity.
    pub chance: u64,
}

impl Surroundings {
    /// `<POD_NAME or host name>_<random>`.
    pub fn identity(&self) -> String {
        let name = self.pod_name.as_ref().or(self.host_name.as_ref()).map_or("windlass", String::as_str);
        format!("{name}_{:016x}", self.chance)
    }
}

/// Reads a duration as Go writes it: `1h30m`, `2.5s`, `100ms`.
///
/// # Errors
/// A sentence that names the text, when it is none.
pub fn go_duration(text: &str) -> Result<Duration, String> {
    let ill_formed = || format!("`{text}` is not a duration such as 90s, 1h30m or 500ms");
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(ill_formed)?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(ill_formed()),
        };
        let number: f64 = number.parse().map_err(|_| ill_formed())?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| ill_formed())?;
        total = total.checked_add(part).ok_or_else(ill_formed)?;
        rest = tail;
    }
    if text.is_empty() { Err(ill_formed()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_go_writes_it() {
        let read = |text| go_duration(text).ok();
        assert_eq!(read("60s"), Some(Duration::from_secs(60)));
        assert_eq!(read("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(read("1m0.5s"), Some(Duration::from_millis(60_500)));
        assert_eq!(read("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(read("0s"), Some(Duration::ZERO));
        for text in ["", "60", "s", "-1s", "1d", "1 s", "1..5s", ".s", "1e9s", "99999999999999999999999h", "1h-3m"] {
            assert_eq!(
                go_duration(text),
                Err(format!("`{text}` is not a duration such as 90s, 1h30m or 500ms")),
                "{text:?}"
            );
        }
    }

    #[test]
    fn lease_times_that_let_two_processes_lead_are_refused() {
        let times = |duration, renew_deadline, retry| LeaseSettings {
            namespace: "ns".to_owned(),
            name: "windlass".to_owned(),
            duration: Duration::from_secs(duration),
            renew_deadline: Duration::from_secs(renew_deadline),
            retry: Duration::from_secs(retry),
        };
        assert_eq!(times(15, 10, 2).checked(), Ok(times(15, 10, 2)));
        for (duration, renew_deadline, retry) in [(10, 10, 2), (15, 2, 2), (5, 10, 2)] {
            assert!(times(duration, renew_deadline, retry).checked().is_err());
        }
    }

    #[test]
    fn an_identity_names_the_pod_before_the_host() {
        let host = Surroundings { host_name: Some("node-1".to_owned()), chance: 255, ..Surroundings::default() };
        let pod = Surroundings { pod_name: Some("windlass-0".to_owned()), ..host.clone() };
        assert_eq!(pod.identity(), "windlass-0_00000000000000ff");
        assert_eq!(host.identity(), "node-1_00000000000000ff");
        assert_eq!(Surroundings::default().identity(), "windlass_0000000000000000");
    }
}
