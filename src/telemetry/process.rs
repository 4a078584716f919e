//! What the process costs: memory, CPU and open files, under the names that every Prometheus client uses.
//!
//! Read from `/proc` here: the `process` feature of the prometheus crate would add two crates for these six numbers.

use std::fs;

use prometheus::{Counter, Gauge, IntGauge, Registry};

use super::described::{self, Described};

/// The process's own metrics. Where there is no `/proc` they stay 0.
#[derive(Debug)]
pub struct Process {
    cpu_seconds: Counter,
    resident_bytes: IntGauge,
    virtual_bytes: IntGauge,
    open_fds: IntGauge,
    threads: IntGauge,
    start_seconds: Gauge,
}

/// Linux counts CPU time for user space in hundredths of a second on every architecture (`USER_HZ`, proc_pid_stat(5)).
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// Registers them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |of: Described| {
            let gauge = IntGauge::new(of.name, of.help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let cpu_seconds = Counter::new(described::PROCESS_CPU.name, described::PROCESS_CPU.help)?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        let start_seconds = Gauge::new(described::PROCESS_START.name, described::PROCESS_START.help)?;
        registry.register(Box::new(start_seconds.clone()))?;
        Ok(Self {
            cpu_seconds,
            resident_bytes: gauge(described::PROCESS_RESIDENT)?,
            virtual_bytes: gauge(described::PROCESS_VIRTUAL)?,
            open_fds: gauge(described::PROCESS_FDS)?,
            threads: gauge(described::PROCESS_THREADS)?,
            start_seconds,
        })
    }

    /// Takes the numbers of this moment.
    pub fn measure(&self) {
        if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
            if let Some(seconds) = cpu_seconds(&stat) {
                self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
            }
            let booted = || fs::read_to_string("/proc/stat").ok().and_then(|stat| boot_seconds(&stat));
            // It never changes, and the machine's figures are long.
            if self.start_seconds.get() == 0.0
                && let (Some(after), Some(boot)) = (start_seconds(&stat), booted())
            {
                self.start_seconds.set(boot + after);
            }
        }
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            let set = |gauge: &IntGauge, field, unit| {
                if let Some(value) = status_field(&status, field) {
                    gauge.set(value * unit);
                }
            };
            set(&self.resident_bytes, "VmRSS:", 1024);
            set(&self.virtual_bytes, "VmSize:", 1024);
            set(&self.threads, "Threads:", 1);
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is being read.
            let open = entries.count().saturating_sub(1);
            self.open_fds.set(i64::try_from(open).unwrap_or(i64::MAX));
        }
    }
}

/// Fields 14 and 15 of proc_pid_stat(5). The second field is the command in parentheses and may hold spaces.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut after_command = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: f64 = after_command.nth(11)?.parse().ok()?;
    let system: f64 = after_command.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Field 22 of proc_pid_stat(5): since the machine's start.
fn start_seconds(stat: &str) -> Option<f64> {
    let ticks: f64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

/// When the machine started, in Unix time: `btime` of proc_stat(5).
fn boot_seconds(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn status_field(status: &str, field: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_command_with_spaces_and_parentheses() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 900 0 3 0 250 50 0 0 20 0 3 0 100 1000 10 18446744073709551615";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("42 (cut"), None);
        assert_eq!(start_seconds(stat), Some(1.0));
        assert_eq!(boot_seconds("cpu 1 2\nbtime 1700000000\nprocesses 3\n"), Some(1_700_000_000.0));
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        let status = "Name:\twindlass\nVmSize:\t  20480 kB\nVmRSS:\t   10240 kB\nThreads:\t3\n";
        assert_eq!(status_field(status, "VmRSS:"), Some(10240));
        assert_eq!(status_field(status, "VmHWM:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_numbers_of_this_process_are_there() {
        let process = Process::new(&Registry::new()).unwrap();
        process.measure();
        assert!(process.resident_bytes.get() > 1 << 20);
        assert!(process.open_fds.get() >= 3);
        assert!(process.threads.get() >= 1);
        let now = jiff::Timestamp::now().as_duration().as_secs_f64();
        let age = now - process.start_seconds.get();
        assert!((-2.0..3600.0).contains(&age), "began {age} s ago");
    }
}
