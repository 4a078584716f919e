//! `testbed bench`: what the operator costs with many objects, on a real API server and a simulated AWS.

mod grants;
mod load;
mod process;
mod subject;
mod table;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde_json::Value;
use testbed::Options;

use crate::simulator::Simulator;
use crate::stage::{Operator, Stage, program};
use load::Load;
use subject::Subject;
use table::Measured;

/// A table to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// AppStream fleets.
    Fleet,
    /// Lightsail instances.
    Instance,
    /// Live grants, of the largest size alone.
    Grant,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tables, in this order.
    pub tables: Vec<Table>,
    /// Numbers of objects, in the order of the table.
    pub sizes: Vec<usize>,
    /// The operator's `--resync`.
    pub resync: Duration,
    /// How long a certificate of the simulated AWS is valid.
    pub cert_ttl: Duration,
    /// Whether `docs/performance.md` is written.
    pub write: bool,
}

/// What AWS starts takes 2 s, and what it stops 1.5 s: short enough to wait for, long enough that the operator has to look again.
const SIMULATOR: [[&str; 2]; 5] = [
    ["--start", "2s"],
    ["--stop", "1.5s"],
    ["--instance-start", "2s"],
    ["--instance-stop", "1.5s"],
    ["--address-lag", "1s"],
];

/// Settled figures are taken over this many resyncs.
const RESYNCS: u32 = 3;

/// Edits per latency row: the median of 40 is stable to a few percent.
const EDITS: usize = 40;

/// Between two edits: they are to meet an operator that has finished the one before.
const BETWEEN_EDITS: Duration = Duration::from_millis(100);

/// Measures and prints one Markdown table after the other.
pub async fn measure(settings: &Settings) -> Result<()> {
    let mut tables = Vec::new();
    for table in &settings.tables {
        let text = match table {
            Table::Fleet => measure_sizes(Subject::Fleet, settings).await?,
            Table::Instance => measure_sizes(Subject::Instance, settings).await?,
            Table::Grant => grants::measure(settings).await?,
        };
        println!("{text}");
        tables.push(text);
    }
    if settings.write {
        table::write(&tables.join("\n"))?;
    }
    Ok(())
}

/// The table of objects that are settled, and edited.
async fn measure_sizes(subject: Subject, settings: &Settings) -> Result<String> {
    let binary = std::fs::metadata(program("windlass")?).context("look at the operator's binary")?.len();
    let mut all = Vec::new();
    for &size in &settings.sizes {
        let stage = Stage::start(Options { audit_log: true, ..Options::default() }, SIMULATOR.as_flattened()).await?;
        let measured = measure_size(&stage, subject, size, settings).await;
        all.push(measured.with_context(|| format!("N = {size}; logs will be in {}", stage.keep_logs().display()))?);
    }
    Ok(table::markdown(subject, &all, binary, settings.resync))
}

async fn measure_size(stage: &Stage, subject: Subject, size: usize, settings: &Settings) -> Result<Measured> {
    let namespace = stage.control_plane.namespace("bench").await;
    let client = stage.control_plane.admin_client().await;
    let load = Load::new(client, &namespace, subject.resource(), subject.spec());
    let resync = format!("{}s", settings.resync.as_secs());

    say(size, "cold start");
    load.create(0..1).await?;
    let before = requests(&stage.simulator)?;
    let operator = stage.start_operator(&["--resync", &resync])?;
    let cold_start = first_call(stage, &operator, before)?;
    let cold_start_cpu = process::cpu(operator.daemon.pid())?;
    load.wait_until_ready(1, Duration::from_secs(60)).await?;

    say(size, "all Ready from apply");
    let before = requests(&stage.simulator)?;
    let applied = Instant::now();
    let bound = Duration::from_secs(120 + size as u64);
    let (created, ready) = tokio::join!(load.create(1..size), load.wait_until_ready(size, bound));
    created?;
    ready?;
    let all_ready = applied.elapsed();
    let calls = requests(&stage.simulator)? - before;

    say(size, &format!("settled: {RESYNCS} resyncs of {resync}"));
    // The first whole interval after the load lets what is still due (events, the look after the last write) pass.
    tokio::time::sleep(settings.resync).await;
    let pid = operator.daemon.pid();
    let (aws_before, writes_before) = (requests(&stage.simulator)?, aws_writes(&stage.simulator)?);
    let kubernetes_before = load::kubernetes_writes(&stage.control_plane.audit_log())?;
    let cpu_before = process::cpu(pid)?;
    let began = Instant::now();
    tokio::time::sleep(settings.resync * RESYNCS).await;
    let cpu = (process::cpu(pid)? - cpu_before).as_secs_f64() / began.elapsed().as_secs_f64();
    let aws_calls = requests(&stage.simulator)? - aws_before;
    let aws_writes = aws_writes(&stage.simulator)? - writes_before;
    let kubernetes = load::kubernetes_writes(&stage.control_plane.audit_log())?;
    let kubernetes_writes = kubernetes.len() - kubernetes_before.len();
    let rss_mib = process::resident_mib(pid)?;

    say(size, "edits while idle");
    let idle_edits = edits(stage, &load, subject, size, "idle").await?;
    say(size, "edits right after a restart");
    operator.daemon.stop();
    let before = requests(&stage.simulator)?;
    let operator = stage.start_operator(&["--resync", &resync])?;
    first_call(stage, &operator, before)?;
    let restart_edits = edits(stage, &load, subject, size, "restart").await?;
    say(size, "edits while every object is looked at each second");
    operator.daemon.stop();
    let operator = stage.start_operator(&["--resync", "1s"])?;
    operator.wait_until_ready()?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let resync_edits = edits(stage, &load, subject, size, "resync").await?;

    let violations = stage.simulator.violations()?;
    ensure!(violations.is_empty(), "violations: {violations:#?}");
    let per_resync = |count: u64| count as f64 / f64::from(RESYNCS) / size as f64;
    Ok(Measured {
        size,
        cold_start,
        cold_start_cpu,
        rss_mib,
        all_ready,
        calls_each: calls as f64 / (size - 1).max(1) as f64,
        throttled: throttled(&stage.simulator)?,
        aws_calls_per_resync: per_resync(aws_calls),
        aws_writes_settled: aws_writes,
        kubernetes_writes_settled: kubernetes_writes as u64,
        cpu,
        idle_edits,
        restart_edits,
        resync_edits,
    })
}

/// Edits [`EDITS`] objects one after the other; returns for each how long it took from the moment before the edit was sent
/// until AWS had the call that carries it out.
async fn edits(stage: &Stage, load: &Load, subject: Subject, size: usize, word: &str) -> Result<Vec<Duration>> {
    let before = requests(&stage.simulator)?;
    let mut sent = BTreeMap::new();
    load.connect().await?;
    // Spread over all objects, each at most once.
    let step = (size / EDITS).max(1);
    for number in (0..size).step_by(step).take(EDITS) {
        sent.insert(Load::name(number), load.edit(number, &subject.edit(word)).await?);
        tokio::time::sleep(BETWEEN_EDITS).await;
    }
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let updated = updates(&stage.simulator, subject, before)?;
        if sent.keys().all(|name| updated.contains_key(name)) {
            let latency = |(name, sent): (&String, &SystemTime)| {
                let at = updated.get(name).copied().unwrap_or(*sent);
                at.duration_since(*sent).with_context(|| format!("{name} was updated before it was edited"))
            };
            return sent.iter().map(latency).collect();
        }
        ensure!(Instant::now() < end, "{} of {} edits have reached AWS after a minute", updated.len(), sent.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// When each resource had its first successful edit since the audit log had `before` entries.
fn updates(simulator: &Simulator, subject: Subject, before: u64) -> Result<BTreeMap<String, SystemTime>> {
    let mut updated = BTreeMap::new();
    for entry in simulator.audit(usize::try_from(before)?)? {
        if entry["operation"] == subject.edited().0 && entry["outcome"] == "Ok" {
            let name = entry["resource"].as_str().unwrap_or_default();
            let name = name.rsplit_once('/').map_or(name, |(_, last)| last).to_owned();
            let at = entry["at"].as_str().context("an audit entry without a time")?;
            let at: jiff::Timestamp = at.parse().with_context(|| format!("parse the time {at}"))?;
            updated.entry(name).or_insert(SystemTime::from(at));
        }
    }
    Ok(updated)
}

/// How long after its process was started the operator made an AWS call.
fn first_call(stage: &Stage, operator: &Operator, before: u64) -> Result<Duration> {
    while requests(&stage.simulator)? == before {
        let waited = operator.started.elapsed();
        ensure!(operator.daemon.is_running(), "windlass has ended:\n{}", operator.daemon.log());
        ensure!(waited < Duration::from_secs(60), "the operator has made no AWS call in {waited:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(operator.started.elapsed())
}

fn requests(simulator: &Simulator) -> Result<u64> {
    count(&simulator.summary()?, "/requests")
}

fn aws_writes(simulator: &Simulator) -> Result<u64> {
    count(&simulator.summary()?, "/mutating")
}

fn throttled(simulator: &Simulator) -> Result<u64> {
    let summary = simulator.summary()?;
    let by_code = summary["by_code"].as_object().context("the simulator counts no codes")?;
    let throttles = by_code.iter().filter(|(code, _)| code.contains("Throttl") || code.contains("RequestLimit"));
    Ok(throttles.filter_map(|(_, count)| count.as_u64()).sum())
}

fn count(summary: &Value, pointer: &str) -> Result<u64> {
    summary
        .pointer(pointer)
        .and_then(Value::as_u64)
        .with_context(|| format!("find {pointer} in the simulator's counts"))
}

fn say(size: usize, what: &str) {
    eprintln!("bench: N = {size}: {what}");
}
