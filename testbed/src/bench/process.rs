//! What Linux says about a running process.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Resident memory in MiB (`VmRSS`).
pub fn resident_mib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path)
        .with_context(|| format!("read {path} (the benchmark runs on Linux only)"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = kib
        .and_then(|rest| rest.split_whitespace().next())
        .context("find VmRSS")?;
    Ok(kib.parse::<f64>().context("parse VmRSS")? / 1024.0)
}

/// Processor time used since its start, user and system together.
pub fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The second field is the name in parentheses and may hold spaces; the times are fields 14 and 15 (proc(5)).
    let rest = stat.rsplit_once(')').context("parse /proc/PID/stat")?.1;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let ticks = |index: usize| -> Result<f64> {
        fields
            .get(index)
            .context("parse /proc/PID/stat")?
            .parse::<f64>()
            .context("parse /proc/PID/stat")
    };
    Ok(Duration::from_secs_f64(
        (ticks(11)? + ticks(12)?) / ticks_per_second(),
    ))
}

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output();
    // 100 on every Linux that runs today.
    output
        .ok()
        .and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok())
        .unwrap_or(100.0)
}

/// One line about this machine, for reading figures beside those of another.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_default();
        line.split_once(':')
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory_kib = field(&read("/proc/meminfo"), "MemTotal");
    let memory_kib = memory_kib
        .split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<f64>().ok())
        .unwrap_or(0.0);
    format!(
        "{cores} cores of {}, {:.0} GiB memory, Linux {}",
        field(&read("/proc/cpuinfo"), "model name"),
        memory_kib / 1024.0 / 1024.0,
        read("/proc/sys/kernel/osrelease").trim()
    )
}
