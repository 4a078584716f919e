//! The `windlass` binary: parse, call, exit code.

use std::future::Future;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use tokio::signal::unix::{SignalKind, signal};
use windlass::cli::{Cli, Command, CrdsArgs, RunArgs};
use windlass::crds;
use windlass::memory;
use windlass::settings::Surroundings;
use windlass::telemetry::logs;
use windlass::telemetry::traces::{LAST, Traces};

/// What stopped a command: one line that says what we were doing to what.
type Failure = Box<dyn std::error::Error>;

/// The work is waiting: two threads carry thousands of objects, and each more would cost memory for its stack and its
/// allocator arena.
const WORKERS: usize = 2;
/// File and DNS look-ups; the default of 512 would keep as many stacks.
const BLOCKING_WORKERS: usize = 4;
/// Four times the default: without optimisation the SDK's nested futures need more than 2 MiB. Untouched stack costs no memory.
const STACK: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    let done = match Cli::read().command {
        Command::Run(args) => run(*args),
        Command::Crds(args) => show_crds(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when standard error is closed.
            drop(writeln!(io::stderr(), "windlass: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: RunArgs) -> Result<(), Failure> {
    let closed = memory::close();
    let surroundings = surroundings();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_WORKERS)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| format!("starting the runtime: {error}"))?;
    let disabled = env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    let endpoint = args.otlp_endpoint().filter(|_| !disabled);
    let traces = endpoint.map(|to| Traces::start(to, &surroundings.identity(), runtime.handle().clone()));
    let layer = traces.as_ref().and_then(|traces| traces.as_ref().ok());
    logs::start(args.log_format(), env::var("RUST_LOG").ok().as_deref(), layer)?;
    // Whole platforms set these variables for every pod: what is wrong with them must not keep fleets from being served.
    if let Some(Err(error)) = &traces {
        tracing::warn!("there are no traces: {error}");
    }
    if let Err(error) = closed {
        tracing::warn!("the memory of this process is open to others of its user: {error}");
    }
    let settings = args.settings(&surroundings)?;
    let done = runtime.block_on(async {
        let shutdown = told_to_stop()?;
        windlass::run::run(settings, shutdown).await
    });
    if let Some(Ok(traces)) = traces {
        traces.end();
    }
    // A look-up of a name cannot be called off.
    runtime.shutdown_timeout(LAST);
    done
}

/// Ends at the first SIGTERM or SIGINT. The second one ends the process where it stands: whoever sends it does not want
/// to wait for the drain.
fn told_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let hear = |kind| signal(kind).map_err(|error| format!("listening for signals: {error}"));
    let (mut terminate, mut interrupt) = (hear(SignalKind::terminate())?, hear(SignalKind::interrupt())?);
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let signal = next().await;
        tracing::info!(signal, "stopping");
        drop(stop);
        let signal = next().await;
        tracing::warn!(signal, "stopping at once");
        std::process::exit(1);
    });
    Ok(async move { drop(stopped.await) })
}

fn surroundings() -> Surroundings {
    let file = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let set = |text: &String| !text.is_empty();
    Surroundings {
        pod_name: env::var("POD_NAME").ok().filter(set),
        host_name: file("/proc/sys/kernel/hostname").or_else(|| env::var("HOSTNAME").ok()).filter(set),
        pod_namespace: env::var("POD_NAMESPACE")
            .ok()
            .or_else(|| file("/var/run/secrets/kubernetes.io/serviceaccount/namespace"))
            .filter(set),
        chance: rand::random(),
    }
}

fn show_crds(args: &CrdsArgs) -> Result<(), Failure> {
    match &args.dir {
        Some(dir) => write_crds(dir),
        None => print_crds(),
    }
}

fn write_crds(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| format!("making the folder {}: {error}", dir.display()))?;
    for definition in crds::all() {
        let file = dir.join(crds::file_name(&definition));
        fs::write(&file, crds::yaml(&definition)).map_err(|error| format!("writing {}: {error}", file.display()))?;
    }
    Ok(())
}

fn print_crds() -> Result<(), Failure> {
    let documents: Vec<String> = crds::all().iter().map(crds::yaml).collect();
    let stream = documents.join("---\n");
    let printed = io::stdout().lock().write_all(stream.as_bytes());
    printed.map_err(|error| format!("printing the custom resource definitions: {error}").into())
}
