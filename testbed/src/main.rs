//! `testbed`: the control plane's programs, the demo and the benchmark.

use std::process::ExitCode;

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
        /// The kinds to measure.
        #[arg(long, value_delimiter = ',', value_enum, default_value = "fleet,instance")]
        kinds: Vec<bench::Subject>,
        /// Numbers of objects.
        #[arg(long, value_delimiter = ',', default_value = "100,500,1000")]
        sizes: Vec<usize>,
        /// One more number of objects.
        #[arg(long, env = "BENCH_N")]
        more: Option<usize>,
        /// The operator's resync interval in seconds; the goals are for 60.
        #[arg(long, env = "BENCH_RESYNC", default_value_t = 60)]
        resync: u64,
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
        Testbed::Bench { kinds: subjects, mut sizes, more, resync, write } => {
            sizes.extend(more);
            let resync = std::time::Duration::from_secs(resync);
            bench::measure(&bench::Settings { subjects, sizes, resync, write }).await
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
