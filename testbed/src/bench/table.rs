//! The benchmark's one table, with the goal beside each figure.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::process;
use super::subject::Subject;
use crate::stage::repository;

/// The figures of one size.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Number of objects.
    pub size: usize,
    /// From the start of the process to its first AWS call.
    pub cold_start: Duration,
    /// Processor time until then.
    pub cold_start_cpu: Duration,
    /// Resident memory once settled.
    pub rss_mib: f64,
    /// From the first `create` to the last Ready.
    pub all_ready: Duration,
    /// AWS calls per object in that time.
    pub calls_each: f64,
    /// Requests that AWS throttled in the whole run.
    pub throttled: u64,
    /// AWS calls per object and resync, settled.
    pub aws_calls_per_resync: f64,
    /// AWS writes in all settled resyncs together.
    pub aws_writes_settled: u64,
    /// Kubernetes writes in all settled resyncs together, without the Lease.
    pub kubernetes_writes_settled: u64,
    /// Share of one core, settled.
    pub cpu: f64,
    /// Edit to AWS, nothing else going on.
    pub idle_edits: Vec<Duration>,
    /// The same right after a restart.
    pub restart_edits: Vec<Duration>,
    /// The same with a resync each second.
    pub resync_edits: Vec<Duration>,
}

/// A row: its name, its goal (from the requirements), the figure of one column, and whether it reaches the goal.
pub struct Row<M> {
    pub name: &'static str,
    pub goal: &'static str,
    pub figure: fn(&M) -> String,
    pub reached: fn(&M) -> bool,
}

fn rows(subject: Subject) -> [Row<Measured>; 11] {
    [
        Row {
            name: "cold start to first AWS call (CPU)",
            goal: "< 1 s",
            figure: |m| format!("{:.2} s ({:.2} s)", m.cold_start.as_secs_f64(), m.cold_start_cpu.as_secs_f64()),
            reached: |m| m.cold_start < Duration::from_secs(1),
        },
        Row {
            name: "RSS settled",
            goal: "≤ 25 / 30 / 40 MiB at 100 / 500 / 1000",
            figure: |m| format!("{:.1} MiB", m.rss_mib),
            reached: |m| {
                let goal = match m.size {
                    0..=100 => 25.0,
                    101..=500 => 30.0,
                    _ => 40.0,
                };
                m.rss_mib <= goal
            },
        },
        Row {
            name: "all Ready from apply",
            goal: "< 25.8 / 55.5 s at 500 / 1000",
            figure: |m| format!("{:.1} s", m.all_ready.as_secs_f64()),
            reached: |m| {
                let goal = match m.size {
                    0..=500 => 25.8,
                    501..=1000 => 55.5,
                    _ => return true,
                };
                m.all_ready.as_secs_f64() < goal
            },
        },
        Row {
            name: "AWS calls per object until Ready",
            goal: "≤ 8",
            figure: |m| format!("{:.2}", m.calls_each),
            reached: |m| m.calls_each <= 8.0,
        },
        Row {
            name: "requests that AWS throttled",
            goal: "0",
            figure: |m| m.throttled.to_string(),
            reached: |m| m.throttled == 0,
        },
        Row {
            name: "AWS calls per object and resync, settled",
            goal: "≤ 0.05",
            figure: |m| format!("{:.3}", m.aws_calls_per_resync),
            reached: |m| m.aws_calls_per_resync <= 0.05,
        },
        Row {
            name: "AWS and Kubernetes writes in three resyncs, settled",
            goal: "0 and 0",
            figure: |m| format!("{} and {}", m.aws_writes_settled, m.kubernetes_writes_settled),
            reached: |m| m.aws_writes_settled == 0 && m.kubernetes_writes_settled == 0,
        },
        Row {
            name: "CPU, settled",
            goal: "≤ 0.005 cores at 500, resync 60 s",
            figure: |m| format!("{:.4} cores", m.cpu),
            reached: |m| m.size > 500 || m.cpu <= 0.005,
        },
        Row {
            name: subject.edited().1,
            goal: "≤ 33 / 54 ms at 500",
            figure: |m| latency(&m.idle_edits),
            reached: |m| m.size > 500 || within(&m.idle_edits, 33, 54),
        },
        Row {
            name: "the same right after a restart, p50 / max",
            goal: "< 100 / 500 ms",
            figure: |m| latency(&m.restart_edits),
            reached: |m| within(&m.restart_edits, 100, 500),
        },
        Row {
            name: "the same while all objects are looked at each second, p50 / max",
            goal: "< 100 / 500 ms",
            figure: |m| latency(&m.resync_edits),
            reached: |m| within(&m.resync_edits, 100, 500),
        },
    ]
}

/// The stripped binary may be this large.
const BINARY_GOAL_MB: f64 = 30.0;

/// The table of a kind. A figure that falls short of its goal is marked.
pub fn markdown(subject: Subject, all: &[Measured], binary: u64, resync: Duration) -> String {
    let title = format!("{}; resync {} s", subject.plural(), resync.as_secs());
    let sizes: Vec<_> = all.iter().map(|measured| measured.size).collect();
    let mut text = lines(&title, &sizes, &rows(subject), all);
    let size = binary as f64 / 1e6;
    let figure = mark(format!("{size:.1} MB"), size <= BINARY_GOAL_MB);
    let _ = writeln!(
        text,
        "| stripped binary | ≤ {BINARY_GOAL_MB} MB | {figure} |{}",
        " |".repeat(all.len().saturating_sub(1))
    );
    text
}

/// The head and the rows, a column for each size.
pub fn lines<M>(title: &str, sizes: &[usize], rows: &[Row<M>], all: &[M]) -> String {
    let mut text = String::new();
    let sizes: Vec<_> = sizes.iter().map(|size| format!("N = {size}")).collect();
    let _ = writeln!(text, "| figure ({title}) | goal | {} |", sizes.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(all.len()));
    for row in rows {
        let figures = all.iter().map(|measured| mark((row.figure)(measured), (row.reached)(measured)));
        let _ = writeln!(text, "| {} | {} | {} |", row.name, row.goal, figures.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// Writes `docs/performance.md` with the table and what it was measured on.
pub fn write(table: &str) -> Result<()> {
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let page = format!(
        "# Performance\n\n\
         Measured by `make bench` (`BENCH_WRITE=1` writes this page): a real kube-apiserver and etcd, the simulator with a \
         start of 2 s and a stop of 1.5 s, and the release binary, all on one machine, sharing its cores.\n\n\
         Machine: {}; {}; Kubernetes {}.\n\n{table}\n\
         A figure in bold with an exclamation mark falls short of its goal. An edit's time runs from right before the request \
         to the API server is sent until AWS has the call. Writes of the leader's Lease are not counted: they belong to \
         no object and do not grow with their number.\n\n\
         The resident memory of the operator with 100 settled Fleets, in MiB: 10.6 its code, 1.4 its constants, 2.0 \
         libraries, 1.0 data that the loader or the program has written to, 1.3 stacks, 6.6 heap. What made it less: \
         linking as one (4 MiB), one heap for all threads as the image has it (1), sharing equal ports between \
         Instances (2 at 1000), optimising for the smallest size with packed relocations (2.9 MB of the file, whose \
         code is resident nearly whole), and boxes and hashes for what is remembered of objects and Events. \
         Thresholds for the allocator (`MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_`) were tried and brought \
         less than 1 MiB. The first edit after a quiet time once waited for a TLS handshake with the API server (70 \
         to 100 ms); a connection is kept open since.\n",
        process::machine(),
        String::from_utf8_lossy(&rustc).trim(),
        testbed::version(),
    );
    let path = repository().join("docs/performance.md");
    std::fs::create_dir_all(repository().join("docs")).context("make the docs folder")?;
    std::fs::write(&path, page).with_context(|| format!("write {}", path.display()))
}

fn mark(figure: String, reached: bool) -> String {
    if reached { figure } else { format!("**{figure}** !") }
}

fn latency(all: &[Duration]) -> String {
    let (median, max) = median_and_max(all);
    format!("{:.0} / {:.0} ms", median.as_secs_f64() * 1e3, max.as_secs_f64() * 1e3)
}

fn within(all: &[Duration], median_ms: u64, max_ms: u64) -> bool {
    let (median, max) = median_and_max(all);
    median <= Duration::from_millis(median_ms) && max <= Duration::from_millis(max_ms)
}

fn median_and_max(all: &[Duration]) -> (Duration, Duration) {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    (median, sorted.last().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_figure_that_falls_short_is_marked_and_the_others_are_not() {
        let measured = Measured {
            size: 500,
            cold_start: Duration::from_millis(400),
            cold_start_cpu: Duration::from_millis(50),
            rss_mib: 31.0,
            all_ready: Duration::from_secs(20),
            calls_each: 6.5,
            throttled: 0,
            aws_calls_per_resync: 0.02,
            aws_writes_settled: 0,
            kubernetes_writes_settled: 1,
            cpu: 0.004,
            idle_edits: ms(&[30, 10, 20]),
            restart_edits: ms(&[30, 10, 600]),
            resync_edits: ms(&[101, 102, 103]),
        };
        let text = markdown(Subject::Fleet, &[measured], 31_000_000, Duration::from_secs(60));
        let figures: Vec<_> =
            text.lines().skip(2).map(|line| line.split(" | ").nth(2).unwrap().trim_end_matches(" |")).collect();
        assert_eq!(
            figures,
            [
                "0.40 s (0.05 s)",
                "**31.0 MiB** !",
                "20.0 s",
                "6.50",
                "0",
                "0.020",
                "**0 and 1** !",
                "0.0040 cores",
                "20 / 30 ms",
                "**30 / 600 ms** !",
                "**102 / 103 ms** !",
                "**31.0 MB** !",
            ]
        );
    }
}
