//! What live grants cost: how soon their Secrets come, how their renewals are spread, and what one costs that is not renewed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use testbed::Options;

use super::load::{Load, Write, kubernetes_writes};
use super::table::{self, Row};
use super::{EDITS, SIMULATOR, Settings, process, requests, say, throttled};
use crate::stage::Stage;

/// The figures of live grants.
#[derive(Clone, Debug)]
struct Measured {
    /// From the moment before each grant was created to its Secret, all created at once.
    at_once: Vec<Duration>,
    /// The same for single ones, beside those that live.
    alone: Vec<Duration>,
    /// Renewals in each minute.
    renewals: Vec<usize>,
    /// AWS calls for credentials in these minutes.
    access_calls: usize,
    /// All other AWS calls in these minutes.
    look_ups: usize,
    /// Kubernetes writes in these minutes.
    writes: usize,
    /// Writes in the last of these minutes that were about grants which were not renewed in it.
    idle_writes: usize,
    /// How many those were.
    idle: usize,
    /// Requests that AWS throttled in the whole run.
    throttled: u64,
    /// Share of one core in these minutes.
    cpu: f64,
    /// Resident memory at their end.
    rss_mib: f64,
}

/// Grants on one machine: people share machines, and looks at a machine are shared by its grants.
const SHARING: usize = 10;

/// Certificates are renewed when three tenths of their time are over, at the soonest.
const SOONEST: f64 = 0.3;

/// Between two grants that are created alone: each is to meet an operator that has finished the one before.
const APART: Duration = Duration::from_millis(500);

/// A grant that was renewed less than this before or after a minute is not idle in it: a renewal is a Secret and a status.
const RENEWING: Duration = Duration::from_secs(10);

const MINUTE: Duration = Duration::from_secs(60);

const ROWS: [Row<Measured>; 9] = [
    Row {
        name: "apply → Secret, all applied at once, p50 / p99",
        goal: "none: AWS is asked at most 100 times a second",
        figure: |m| seconds(&m.at_once),
        reached: |_| true,
    },
    Row {
        name: "apply → Secret, one more beside them, p50 / p99",
        goal: "within seconds (p99 < 5 s)",
        figure: |m| seconds(&m.alone),
        reached: |m| share(&m.alone, 0.99) < Duration::from_secs(5),
    },
    Row {
        name: "renewals per minute, mean / largest minute",
        goal: "largest ≤ 2 × mean",
        figure: |m| format!("{:.0} / {}", m.mean(), m.largest()),
        reached: |m| m.largest() as f64 <= 2.0 * m.mean(),
    },
    Row {
        name: "AWS calls per renewal, for credentials / shared look-ups",
        goal: "1 / less than 1",
        figure: |m| format!("{:.2} / {:.2}", m.per_renewal(m.access_calls), m.per_renewal(m.look_ups)),
        // What is under way at both ends of the time is counted once on one side.
        reached: |m| (0.98..=1.02).contains(&m.per_renewal(m.access_calls)) && m.per_renewal(m.look_ups) < 1.0,
    },
    Row {
        name: "requests that AWS throttled",
        goal: "0",
        figure: |m| m.throttled.to_string(),
        reached: |m| m.throttled == 0,
    },
    Row {
        name: "Kubernetes writes per renewal (Secret, status)",
        goal: "2",
        figure: |m| format!("{:.2}", m.per_renewal(m.writes)),
        reached: |m| m.per_renewal(m.writes) <= 2.02,
    },
    Row {
        name: "Kubernetes writes in a minute for grants that are not renewed in it",
        goal: "0",
        figure: |m| format!("{} for {}", m.idle_writes, m.idle),
        reached: |m| m.idle_writes == 0,
    },
    Row { name: "CPU, with the renewals", goal: "none", figure: |m| format!("{:.4} cores", m.cpu), reached: |_| true },
    Row {
        name: "RSS, all live",
        goal: "≤ 40 MiB at 1000",
        figure: |m| format!("{:.1} MiB", m.rss_mib),
        reached: |m| m.rss_mib <= 40.0,
    },
];

impl Measured {
    fn mean(&self) -> f64 {
        self.renewals.iter().sum::<usize>() as f64 / self.renewals.len().max(1) as f64
    }

    fn largest(&self) -> usize {
        self.renewals.iter().copied().max().unwrap_or_default()
    }

    fn per_renewal(&self, count: usize) -> f64 {
        count as f64 / self.renewals.iter().sum::<usize>().max(1) as f64
    }
}

/// The table of the largest size.
pub async fn measure(settings: &Settings) -> Result<String> {
    let size = settings.sizes.iter().copied().max().context("no number of grants is given")?;
    let valid = format!("{}s", settings.cert_ttl.as_secs());
    let flags = [SIMULATOR.as_flattened(), &["--cert-ttl", &valid]].concat();
    let stage = Stage::start(Options { audit_log: true, ..Options::default() }, &flags).await?;
    let measured = measure_size(&stage, size, settings).await;
    let measured = measured.with_context(|| format!("N = {size}; logs will be in {}", stage.keep_logs().display()))?;
    let title = format!("AccessGrants, {SHARING} on a machine, certificates valid for {valid}");
    Ok(table::lines(&title, &[size], &ROWS, &[measured]))
}

async fn measure_size(stage: &Stage, size: usize, settings: &Settings) -> Result<Measured> {
    let namespace = stage.control_plane.namespace("bench").await;
    let client = stage.control_plane.admin_client().await;
    let audit_log = stage.control_plane.audit_log();
    let machines = (size + EDITS).div_ceil(SHARING);
    (0..machines).try_for_each(|number| stage.simulator.put_instance(&machine(number)))?;
    allow(client.clone(), &namespace).await?;
    let operator = stage.start_operator(&["--resync", &format!("{}s", settings.resync.as_secs())])?;
    operator.wait_until_ready()?;
    let load = Load::new(client, &namespace, resource("access.windlass.dev", "AccessGrant"), spec);

    say(size, "grants, all applied at once");
    let bound = Duration::from_secs(120 + size as u64);
    let (sent, ready) = tokio::join!(load.create(0..size), load.wait_until_ready(size, bound));
    ready?;
    let at_once = issued(&sent?, &kubernetes_writes(&audit_log)?)?;

    // As many minutes as a certificate is valid, from when the first ones are renewed.
    let minutes = u32::try_from(settings.cert_ttl.as_secs().div_ceil(MINUTE.as_secs())).context("count minutes")?;
    tokio::time::sleep(settings.cert_ttl.mul_f64(SOONEST)).await;
    say(size, &format!("grants: {minutes} minutes of renewals"));
    let pid = operator.daemon.pid();
    let (asked, cpu, began) = (requests(&stage.simulator)?, process::cpu(pid)?, SystemTime::now());
    tokio::time::sleep(MINUTE * minutes).await;
    let cpu = (process::cpu(pid)? - cpu).as_secs_f64() / began.elapsed()?.as_secs_f64();
    let rss_mib = process::resident_mib(pid)?;
    let calls = stage.simulator.audit(usize::try_from(asked)?)?;
    let writes = kubernetes_writes(&audit_log)?;
    let access_calls = calls.iter().filter(|call| call["operation"] == "GetInstanceAccessDetails").count();
    let within: Vec<_> = writes.iter().filter(|write| write.at >= began).cloned().collect();
    let (idle, idle_writes) = idle(&within, size, began + MINUTE * (minutes - 1));

    say(size, "grants, one more after the other");
    let mut sent = BTreeMap::new();
    load.connect().await?;
    for number in size..size + EDITS {
        sent.extend(load.create(number..number + 1).await?);
        tokio::time::sleep(APART).await;
    }
    load.wait_until_ready(size + EDITS, bound).await?;
    let alone = issued(&sent, &kubernetes_writes(&audit_log)?)?;

    let violations = stage.simulator.violations()?;
    ensure!(violations.is_empty(), "violations: {violations:#?}");
    Ok(Measured {
        at_once,
        alone,
        renewals: by_minute(&within, began, minutes),
        access_calls,
        look_ups: calls.len() - access_calls,
        writes: within.len(),
        idle_writes,
        idle,
        throttled: throttled(&stage.simulator)?,
        cpu,
        rss_mib,
    })
}

/// A grant on the machine that it shares with others.
fn spec(number: usize) -> Value {
    let instance = json!({ "name": machine(number / SHARING), "protocol": "ssh" });
    json!({ "lightsailInstance": instance, "duration": "8h", "reason": "the benchmark" })
}

fn machine(number: usize) -> String {
    format!("machine-{number}")
}

/// Lets the namespace open machines that are no objects of its own.
async fn allow(client: kube::Client, namespace: &str) -> Result<()> {
    let resource = resource("aws.windlass.dev", "Account");
    let account = DynamicObject::new("bench", &resource).data(json!({ "spec": {
        "default": true,
        "namespaces": { "names": [namespace] },
        "allow": { "grants": { "targets": ["LightsailInstance"], "unmanaged": true } },
    }}));
    let accounts: Api<DynamicObject> = Api::all_with(client, &resource);
    accounts.create(&PostParams::default(), &account).await.map(drop).context("create the Account")
}

fn resource(group: &str, kind: &str) -> ApiResource {
    let plural = format!("{}s", kind.to_lowercase());
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1alpha1", kind), &plural)
}

/// How long each took from its creation to its Secret, by the API server's own time of the Secret.
fn issued(sent: &BTreeMap<String, SystemTime>, writes: &[Write]) -> Result<Vec<Duration>> {
    let secrets = writes.iter().filter(|write| write.resource == "secrets" && write.verb == "create");
    let made: BTreeMap<_, _> = secrets.map(|write| (&write.name, write.at)).collect();
    let latency = |(name, sent): (&String, &SystemTime)| {
        let at = made.get(name).with_context(|| format!("no Secret was created for {name}"))?;
        at.duration_since(*sent).with_context(|| format!("the Secret of {name} is older than its grant"))
    };
    sent.iter().map(latency).collect()
}

/// Secrets that were replaced, in each minute.
fn by_minute(writes: &[Write], began: SystemTime, minutes: u32) -> Vec<usize> {
    let mut counts = vec![0; minutes as usize];
    for write in writes.iter().filter(|write| is_renewal(write)) {
        let minute = write.at.duration_since(began).unwrap_or_default().as_secs() / MINUTE.as_secs();
        // What came between the end of the time and the reading of the log belongs to no minute.
        if let Some(count) = usize::try_from(minute).ok().and_then(|minute| counts.get_mut(minute)) {
            *count += 1;
        }
    }
    counts
}

fn is_renewal(write: &Write) -> bool {
    write.resource == "secrets" && write.verb == "update"
}

/// The grants that were not renewed in the minute from then on, and how many writes were about them.
fn idle(writes: &[Write], size: usize, from: SystemTime) -> (usize, usize) {
    let (first, last) = (from - RENEWING, from + MINUTE + RENEWING);
    let near = writes.iter().filter(|write| is_renewal(write) && write.at >= first && write.at < last);
    let renewed: BTreeSet<_> = near.map(|write| write.name.as_str()).collect();
    let in_it = writes.iter().filter(|write| write.at >= from && write.at < from + MINUTE);
    // The name of an Event begins with that of its object and a dot.
    let about = |write: &Write| write.name.split('.').next().unwrap_or_default().to_owned();
    (size - renewed.len(), in_it.filter(|write| !renewed.contains(about(write).as_str())).count())
}

fn seconds(all: &[Duration]) -> String {
    format!("{:.2} / {:.2} s", share(all, 0.5).as_secs_f64(), share(all, 0.99).as_secs_f64())
}

/// The time that this share of them did not exceed.
fn share(all: &[Duration], share: f64) -> Duration {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(second: u64, verb: &str, resource: &str, name: &str) -> Write {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + second);
        Write { at, verb: verb.into(), resource: resource.into(), name: name.into() }
    }

    #[test]
    fn renewals_count_by_the_minute_and_what_others_write_counts_as_idle() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let writes = [
            write(5, "update", "secrets", "f-0"),
            write(5, "update", "accessgrants", "f-0"),
            write(59, "update", "secrets", "f-1"),
            write(61, "update", "secrets", "f-2"),
            write(62, "update", "accessgrants", "f-2"),
            write(63, "create", "events", "f-2.18a"),
            write(64, "create", "events", "f-3.18a"),
            write(65, "update", "accessgrants", "f-0"),
            write(66, "update", "accessgrants", "f-1"),
            write(125, "update", "secrets", "f-4"),
        ];
        assert_eq!(by_minute(&writes, began, 2), [2, 1]);
        // f-1, f-2 and f-4 were renewed in that minute or right beside it; f-0 and f-3 had a write each without it.
        assert_eq!(idle(&writes, 10, began + MINUTE), (7, 2));
    }

    #[test]
    fn a_share_is_the_time_that_so_many_did_not_exceed() {
        let all: Vec<_> = (1..=1000).rev().map(Duration::from_millis).collect();
        assert_eq!([0.5, 0.99].map(|of| share(&all, of)), [500, 990].map(Duration::from_millis));
        assert_eq!(share(&all[..1], 0.99), Duration::from_secs(1));
    }

    #[test]
    fn grants_that_are_renewed_together_fall_short() {
        let measured = Measured {
            at_once: vec![Duration::from_secs(9)],
            alone: vec![Duration::from_secs(6)],
            renewals: vec![10, 50, 0],
            access_calls: 60,
            look_ups: 3,
            writes: 120,
            idle_writes: 1,
            idle: 900,
            throttled: 0,
            cpu: 0.01,
            rss_mib: 40.1,
        };
        let text = table::lines("AccessGrants", &[1000], &ROWS, &[measured]);
        let figures: Vec<_> =
            text.lines().skip(2).map(|line| line.split(" | ").nth(2).unwrap().trim_end_matches(" |")).collect();
        assert_eq!(
            figures,
            [
                "9.00 / 9.00 s",
                "**6.00 / 6.00 s** !",
                "**20 / 50** !",
                "1.00 / 0.05",
                "0",
                "2.00",
                "**1 for 900** !",
                "0.0100 cores",
                "**40.1 MiB** !",
            ]
        );
    }
}
