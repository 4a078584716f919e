//! `testbed`: the control plane's programs, the demo and the benchmark.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use testbed::{http, simulator};

mod bench;
mod demo;
mod stage;

/// A real Kubernetes control plane, built from source, and what is shown on it.
#[derive(Parser)]
enum Testbed {
    /// Find the control plane's programs, or build them, and print where they are.
    ControlPlane,
    /// Play the life of a few objects on a real API server and a simulated AWS.
    Demo {
        /// Leave everything running at the end, until Ctrl-C (`KEEP=1`).
        #[arg(long, env = "KEEP", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1,
              default_value = "false", default_missing_value = "true")]
        keep: bool,
    },
    /// Measure the operator with many objects and print one table for each kind. Wants a release build.
    Bench {
        /// The kinds to measure; grants only with the largest number of them.
        #[arg(long, value_delimiter = ',', value_enum, default_value = "fleet,instance,grant")]
        kinds: Vec<bench::Table>,
        /// Numbers of objects.
        #[arg(long, value_delimiter = ',', default_value = "100,500,1000")]
        sizes: Vec<usize>,
        /// One more number of objects.
        #[arg(long, env = "BENCH_N")]
        more: Option<usize>,
        /// The operator's resync interval in seconds; the goals are for 60.
        #[arg(long, env = "BENCH_RESYNC", default_value_t = 60)]
        resync: u64,
        /// How long a certificate of the simulated AWS is valid, in minutes; AWS's own are valid for ten.
        #[arg(long, env = "BENCH_CERT_MINUTES", default_value_t = 10)]
        cert_minutes: u64,
        /// Write docs/performance.md (`BENCH_WRITE=1`).
        #[arg(long, env = "BENCH_WRITE", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1,
              default_value = "false", default_missing_value = "true")]
        write: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Testbed::parse() {
        Testbed::ControlPlane => control_plane(),
        Testbed::Demo { keep } => demo::play(keep).await,
        Testbed::Bench { kinds: tables, mut sizes, more, resync, cert_minutes, write } => {
            sizes.extend(more);
            let resync = Duration::from_secs(resync);
            let cert_ttl = Duration::from_secs(60 * cert_minutes);
            bench::measure(&bench::Settings { tables, sizes, resync, cert_ttl, write }).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn control_plane() -> anyhow::Result<()> {
    let binaries = testbed::Binaries::find_or_build()?;
    for path in [binaries.etcd, binaries.apiserver, binaries.controller_manager, binaries.kubectl] {
        println!("{}", path.display());
    }
    Ok(())
}
