//! The command line: flags, each also an environment variable, and what they become.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::api::Region;
use crate::settings::{LeaseSettings, RunSettings, SettingsError, Surroundings, go_duration};
use crate::telemetry::logs::LogFormat;

/// A Kubernetes operator for AWS AppStream 2.0 fleets, stacks and image builders, and Lightsail instances
#[derive(Debug, Parser)]
#[command(name = "windlass", version, about, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The command line and environment of this process. An empty variable is as good as none: templates leave them so. Ends
    /// the process with a sentence where they cannot be read.
    pub fn read() -> Self {
        let empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        let without = |arg: Arg| if empty(&arg) { arg.env(None) } else { arg };
        let command = Self::command().mut_subcommands(|command| command.mut_args(without));
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller
    Run(Box<RunArgs>),
    /// Print the custom resource definitions
    Crds(CrdsArgs),
}

/// Flags of `windlass crds`.
#[derive(Debug, Args)]
pub struct CrdsArgs {
    /// Write one file for each definition into this folder, in place of one YAML stream to standard output
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Flags of `windlass run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Namespaces to watch (repeat it, or separate them by commas) [default: all]
    #[arg(long, env = "WINDLASS_WATCH_NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    watch_namespace: Vec<String>,

    /// Region of objects that name none [default: what the AWS SDK finds: AWS_REGION, the profile, the instance]
    #[arg(long, env = "WINDLASS_REGION")]
    region: Option<Region>,

    /// Id of this cluster in the ownership tags [default: the uid of the namespace kube-system]
    #[arg(long, env = "WINDLASS_CLUSTER_ID", value_parser = cluster_id)]
    cluster_id: Option<String>,

    /// Act only where an Account object allows it, never with the operator's own identity alone
    #[arg(long, env = "WINDLASS_REQUIRE_ACCOUNT", default_value = "false", default_missing_value = "true",
          action = ArgAction::Set, num_args = 0..=1, value_parser = BoolishValueParser::new())]
    require_account: bool,

    /// How often every object is looked at without an event (1s to 1h)
    #[arg(long, env = "WINDLASS_RESYNC", default_value = "60s", value_parser = resync)]
    resync: Duration,

    /// Address of /metrics, /livez and /readyz
    #[arg(long, env = "WINDLASS_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    /// Act only while holding the Lease
    #[arg(long, env = "WINDLASS_LEADER_ELECT", default_value = "true", default_missing_value = "true",
          action = ArgAction::Set, num_args = 0..=1, value_parser = BoolishValueParser::new())]
    leader_elect: bool,

    /// Namespace of the Lease [default: the pod's, else windlass-system]
    #[arg(long, env = "WINDLASS_LEASE_NAMESPACE", value_parser = namespace)]
    lease_namespace: Option<String>,

    /// Name of the Lease
    #[arg(long, env = "WINDLASS_LEASE_NAME", default_value = "windlass", value_parser = object_name)]
    lease_name: String,

    /// How long others wait after the last renewal they saw (1s to 1h)
    #[arg(long, env = "WINDLASS_LEASE_DURATION", default_value = "15s", value_parser = lease_duration)]
    lease_duration: Duration,

    /// How long a renewal lets this process write; shorter than the lease duration
    #[arg(long, env = "WINDLASS_LEASE_RENEW_DEADLINE", default_value = "10s", value_parser = lease_time)]
    lease_renew_deadline: Duration,

    /// How often the Lease is renewed or looked at; shorter than the renew deadline
    #[arg(long, env = "WINDLASS_LEASE_RETRY", default_value = "2s", value_parser = lease_time)]
    lease_retry: Duration,

    /// Form of the log lines
    #[arg(long, env = "WINDLASS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// Also keep metrics for each object
    #[arg(long, env = "WINDLASS_OBJECT_METRICS", default_value = "false", default_missing_value = "true",
          action = ArgAction::Set, num_args = 0..=1, value_parser = BoolishValueParser::new())]
    object_metrics: bool,

    /// Send traces by OTLP over HTTP to this collector, such as http://collector.monitoring:4318 [default: no traces]. Obeyed,
    /// too: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_*
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
}

/// The Lease's namespace outside of a cluster: the one that the chart is installed into by default.
const LEASE_NAMESPACE: &str = "windlass-system";

impl RunArgs {
    /// The form of the log lines.
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// Where traces are sent, if they are.
    pub fn otlp_endpoint(&self) -> Option<&str> {
        self.otlp_endpoint.as_deref()
    }

    /// What the controller is told.
    ///
    /// # Errors
    /// When flags that are right alone do not fit together.
    pub fn settings(self, surroundings: &Surroundings) -> Result<RunSettings, SettingsError> {
        let lease = LeaseSettings {
            namespace: self
                .lease_namespace
                .or_else(|| surroundings.pod_namespace.clone())
                .unwrap_or_else(|| LEASE_NAMESPACE.to_owned()),
            name: self.lease_name,
            duration: self.lease_duration,
            renew_deadline: self.lease_renew_deadline,
            retry: self.lease_retry,
        };
        Ok(RunSettings {
            // Named twice, a namespace is still watched once.
            watch_namespaces: self.watch_namespace.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            region: self.region,
            cluster_id: self.cluster_id,
            require_account: self.require_account,
            resync: self.resync,
            listen: self.listen,
            lease: if self.leader_elect { Some(lease.checked()?) } else { None },
            object_metrics: self.object_metrics,
            identity: surroundings.identity(),
        })
    }
}

/// 1 s: below, the shared reads of AWS would be the whole of the request budget. 1 h: above, a drift or a missed event
/// stays for longer than anybody would look for it.
fn resync(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1), Duration::from_secs(3600))
}

/// 1 s is the unit of `leaseDurationSeconds`; after 1 h nobody would wait for a takeover.
fn lease_duration(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1), Duration::from_secs(3600))
}

/// 100 ms: below, the election would be the API server's main load.
fn lease_time(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(100), Duration::from_secs(3600))
}

fn within(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let duration = go_duration(text)?;
    if duration < least || duration > most {
        return Err(format!("`{text}` is not between {least:?} and {most:?}"));
    }
    Ok(duration)
}

/// A DNS label of up to 63 characters (RFC 1123), as Kubernetes names namespaces.
fn namespace(text: &str) -> Result<String, String> {
    if text.len() <= 63 && !text.contains('.') {
        object_name(text).map_err(|_| format!("`{text}` is not the name of a namespace"))
    } else {
        Err(format!("`{text}` is not the name of a namespace"))
    }
}

/// A DNS subdomain of up to 253 characters (RFC 1123), as Kubernetes names most objects.
fn object_name(text: &str) -> Result<String, String> {
    let well_formed = !text.is_empty()
        && text.len() <= 253
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
        && text.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    if well_formed { Ok(text.to_owned()) } else { Err(format!("`{text}` is not the name of a Kubernetes object")) }
}

/// 63 characters are enough for a uid (36) or a cluster name, and far below the 256 of an AWS tag value.
fn cluster_id(text: &str) -> Result<String, String> {
    let well_formed = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if well_formed {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not 1 to 63 letters, digits, `.`, `_`, `-`, starting with a letter or digit"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(flags: &[&str]) -> Result<RunSettings, String> {
        let line = ["windlass", "run"].iter().chain(flags);
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        let Command::Run(args) = cli.command else { panic!("another command") };
        let surroundings = Surroundings { pod_name: Some("pod".to_owned()), chance: 1, ..Surroundings::default() };
        args.settings(&surroundings).map_err(|error| error.to_string())
    }

    fn defaults() -> RunSettings {
        RunSettings {
            watch_namespaces: vec![],
            region: None,
            cluster_id: None,
            require_account: false,
            resync: Duration::from_secs(60),
            listen: "0.0.0.0:8080".parse().unwrap(),
            lease: Some(LeaseSettings {
                namespace: "windlass-system".to_owned(),
                name: "windlass".to_owned(),
                duration: Duration::from_secs(15),
                renew_deadline: Duration::from_secs(10),
                retry: Duration::from_secs(2),
            }),
            object_metrics: false,
            identity: "pod_0000000000000001".to_owned(),
        }
    }

    #[test]
    fn no_flag_at_all_is_a_complete_command() {
        assert_eq!(run(&[]), Ok(defaults()));
    }

    #[test]
    fn every_flag_is_heard() {
        let settings = run(&[
            "--watch-namespace=a,b",
            "--watch-namespace=c",
            "--region=eu-central-1",
            "--cluster-id=prod.1",
            "--require-account",
            "--resync=2m",
            "--listen=[::1]:9090",
            "--leader-elect=true",
            "--lease-namespace=ops",
            "--lease-name=windlass.two",
            "--lease-duration=3s",
            "--lease-renew-deadline=2s",
            "--lease-retry=500ms",
            "--log-format=json",
            "--object-metrics",
        ]);
        let expected = RunSettings {
            watch_namespaces: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            region: Some("eu-central-1".parse().unwrap()),
            cluster_id: Some("prod.1".to_owned()),
            require_account: true,
            resync: Duration::from_secs(120),
            listen: "[::1]:9090".parse().unwrap(),
            lease: Some(LeaseSettings {
                namespace: "ops".to_owned(),
                name: "windlass.two".to_owned(),
                duration: Duration::from_secs(3),
                renew_deadline: Duration::from_secs(2),
                retry: Duration::from_millis(500),
            }),
            object_metrics: true,
            ..defaults()
        };
        assert_eq!(settings, Ok(expected));
        assert_eq!(run(&["--leader-elect=false"]), Ok(RunSettings { lease: None, ..defaults() }));
        assert_eq!(run(&["--leader-elect", "false"]), Ok(RunSettings { lease: None, ..defaults() }));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_reason() {
        for (flag, reason) in [
            ("--resync=500ms", "`500ms` is not between 1s and 3600s"),
            ("--resync=60", "`60` is not a duration"),
            ("--watch-namespace=", "`` is not the name of a namespace"),
            ("--watch-namespace=a,,b", "`` is not the name of a namespace"),
            ("--watch-namespace=a.b", "`a.b` is not the name of a namespace"),
            ("--region=frankfurt", "`frankfurt` is not an AWS Region"),
            ("--cluster-id=a b", "`a b` is not 1 to 63 letters"),
            ("--lease-name=UPPER", "`UPPER` is not the name of a Kubernetes object"),
            ("--lease-duration=5s", "lease times must grow"),
            ("--leader-elect=perhaps", "invalid value 'perhaps'"),
        ] {
            let refusal = run(&[flag]).unwrap_err();
            assert!(refusal.contains(reason), "{flag}: {refusal}");
        }
    }

    #[test]
    fn every_flag_of_run_is_also_an_environment_variable_named_after_it() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for flag in run.get_arguments().filter(|flag| flag.get_id() != "help") {
            let long = flag.get_long().unwrap();
            let ours = format!("WINDLASS_{}", long.replace('-', "_").to_uppercase());
            // Where a specification names it, by that.
            let expected = if long == "otlp-endpoint" { "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned() } else { ours };
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(expected.as_str()));
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
