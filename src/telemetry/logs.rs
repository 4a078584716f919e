//! Log lines: text or JSON to standard error, and what may never be in them.

use std::io;

use clap::ValueEnum;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, fmt};

use super::traces::Traces;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// RUST_LOG makes no sense.
    #[error("reading RUST_LOG: {0}")]
    Filter(#[from] ParseError),
    /// Somebody was first.
    #[error("starting the log: {0}")]
    Taken(#[from] TryInitError),
}

/// Starts the log for the whole process, and the traces if there are to be any. `directives` is the value of `RUST_LOG`;
/// absent or empty means `info`.
///
/// # Errors
/// When the directives make no sense, or a log was started before.
pub fn start(format: LogFormat, directives: Option<&str>, traces: Option<&Traces>) -> Result<(), LogError> {
    let lines = subscriber(format, directives, io::stderr)?;
    // A layer that is `None` would make each line and span that nobody wants cost what a wanted one does.
    match traces {
        Some(traces) => lines.with(traces.layer()).try_init()?,
        None => lines.try_init()?,
    }
    Ok(())
}

/// A subscriber that writes to `writer` what `directives` ask for and [`may_be_written`] allows.
fn subscriber<W>(
    format: LogFormat,
    directives: Option<&str>,
    writer: W,
) -> Result<impl Subscriber + for<'span> LookupSpan<'span> + Send + Sync + use<W>, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let asked = directives.filter(|text| !text.trim().is_empty()).unwrap_or("info");
    let filter = EnvFilter::builder().parse(asked)?.and(filter_fn(may_be_written));
    let lines = fmt::layer().with_writer(writer);
    let layer = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(tracing_subscriber::registry().with(layer.with_filter(filter)))
}

/// Whether a line may be written whatever RUST_LOG says. Spans never are: ours are for [`super::traces`].
///
/// Below INFO only our own crate may speak: the SDK's and kube's TRACE and DEBUG print request and response bodies, where
/// credentials and Secrets are. A list of the loud ones would miss the next dependency. `kube_client::client` prints the
/// body that it could not parse already at WARN, so there only ERROR passes (which it uses for statuses and transport).
fn may_be_written(line: &Metadata<'_>) -> bool {
    let target = line.target();
    if line.is_span() {
        false
    } else if of(target, "windlass") {
        true
    } else if of(target, "kube_client::client") {
        *line.level() <= Level::ERROR
    } else {
        *line.level() <= Level::INFO
    }
}

/// Whether a target lies in a module.
pub(super) fn of(target: &str, module: &str) -> bool {
    target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, directives: Option<&str>, speak: impl FnOnce()) -> String {
        let paper = Paper::default();
        let writer = paper.clone();
        with_default(subscriber(format, directives, move || writer.clone()).unwrap(), speak);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    macro_rules! whisper {
        ($($target:literal),+) => {
            $(
                tracing::trace!(target: $target, "canary in {}", $target);
                tracing::debug!(target: $target, "canary in {}", $target);
                tracing::debug_span!(target: $target, "canary-span", target = $target).in_scope(|| {
                    tracing::info!(target: $target, "spoken by {}", $target);
                });
            )+
        };
    }

    fn others_whisper() {
        whisper!(
            "aws_smithy_runtime",
            "aws_smithy_runtime::client::http::body::minimum_throughput",
            "aws_smithy_runtime_api",
            "aws_config",
            "aws_sigv4",
            "aws_runtime",
            "aws_sdk_appstream",
            "aws_sdk_sts::operation",
            "kube_client",
            "kube_runtime::watcher",
            "hyper",
            "rustls",
            "h2",
            "tower",
            "windlasses"
        );
    }

    #[test]
    fn a_dependency_never_speaks_below_info_whatever_rust_log_says() {
        for directives in [
            "trace",
            "aws_smithy_runtime=trace",
            "info,aws_smithy_runtime=trace,aws_sdk_appstream=debug,kube_client=trace,hyper=trace,rustls=trace",
            "windlass=trace,aws_config=debug,[canary-span]=trace",
        ] {
            for format in [LogFormat::Text, LogFormat::Json] {
                let lines = written(format, Some(directives), others_whisper);
                assert!(!lines.contains("canary"), "{directives}: {lines}");
            }
        }
        let lines = written(LogFormat::Text, Some("trace"), others_whisper);
        assert_eq!(lines.matches("spoken by").count(), 15, "{lines}");
    }

    #[test]
    fn the_body_that_kube_could_not_parse_is_not_written() {
        let lines = written(LogFormat::Text, Some("trace"), || {
            tracing::warn!(target: "kube_client::client", "canary: the body");
            tracing::error!(target: "kube_client::client::builder", "failed with status 503");
        });
        assert!(!lines.contains("canary"), "{lines}");
        assert!(lines.contains("failed with status 503"), "{lines}");
    }

    #[test]
    fn our_own_lines_follow_rust_log() {
        let speak = || {
            tracing::debug!(target: "windlass::engine", "quiet");
            tracing::info!(target: "windlass::engine", "loud");
        };
        let lines = |directives| written(LogFormat::Text, directives, speak);
        let heard = |directives| (lines(directives).contains("quiet"), lines(directives).contains("loud"));
        assert_eq!(heard(None), (false, true));
        assert_eq!(heard(Some("")), (false, true));
        assert_eq!(heard(Some("windlass=debug")), (true, true));
        assert_eq!(heard(Some("windlass=warn")), (false, false));
    }

    #[test]
    fn a_json_line_is_one_object_with_its_fields() {
        let line =
            written(LogFormat::Json, None, || tracing::info!(target: "windlass::engine", object = "a/b", "settled"));
        let object: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
        assert_eq!(
            (&object["level"], &object["target"], &object["object"], &object["message"]),
            (&"INFO".into(), &"windlass::engine".into(), &"a/b".into(), &"settled".into())
        );
    }

    #[test]
    fn directives_that_make_no_sense_are_an_error() {
        let refusal = start(LogFormat::Text, Some("windlass=loud"), None).unwrap_err().to_string();
        assert!(refusal.starts_with("reading RUST_LOG: error parsing level filter"), "{refusal}");
    }
}
