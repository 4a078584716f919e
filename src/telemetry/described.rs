//! Every metric that the operator exports, as the documentation lists it: `docs/metrics.md` is made from this file.

/// A metric as the documentation lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// What Prometheus takes it for.
    pub form: Form,
    /// Its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    /// Whether it has one series for each object, and is there only with `--object-metrics`.
    pub per_object: bool,
}

/// What Prometheus takes a metric for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// It only grows, until the process ends.
    Counter,
    /// It is what it is at the moment.
    Gauge,
    /// How many observations were at most so big: `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Form {
    /// As the text format of Prometheus calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Every metric.
pub const ALL: [Described; 38] = [
    PASSES,
    PASS_SECONDS,
    PANICS,
    QUEUE_DEPTH,
    OLDEST_LOOK,
    AWS_REQUESTS,
    AWS_SECONDS,
    AWS_THROTTLES,
    AWS_TOKENS,
    KUBE_REQUESTS,
    EVENTS,
    LEADER,
    BUILD_INFO,
    OBJECTS,
    UNREADABLE,
    ORPHANS,
    OBJECTS_WITH_ERRORS,
    OLDEST_DRIFT,
    PENDING_CHANGES,
    OLDEST_PENDING_CHANGE,
    INSTANCES,
    SESSIONS,
    NEXT_GRANT_END,
    OBJECT_READY,
    OBJECT_SYNCED,
    OBJECT_STALLED,
    OBJECT_REASON,
    OBJECT_LAST_SUCCESS,
    OBJECT_PENDING_CHANGE,
    OBJECT_INSTANCES,
    OBJECT_SESSIONS,
    OBJECT_GRANT_END,
    PROCESS_CPU,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_FDS,
    PROCESS_THREADS,
    PROCESS_START,
];

/// What each label may say, and how many values it has at most: the number of series is bounded by these.
pub const LABELS: [(&str, &str); 18] = [
    ("account", "the AWS account that is asked: as many as Accounts name"),
    ("class", "`read` or `write`: each has a bucket of its own"),
    ("condition", "`Ready`, `Available`, `Synced`, `Reconciling`, `Stalled`, `Paused` or `Ended`"),
    ("effect", "what was asked of the API server: a closed list of under twenty"),
    ("impact", "what a change takes: `None`, `Restart` or `Refused`"),
    ("kind", "the kind with its group, such as `Fleet.appstream.windlass.dev`"),
    ("lane", "`urgent` (an edit, a deletion) or `routine`"),
    ("name", "the object's name; with `--object-metrics` alone"),
    ("namespace", "the object's namespace; with `--object-metrics` alone"),
    ("operation", "the operation as AWS spells it, such as `DescribeFleets`: those that the operator can ask for"),
    (
        "outcome",
        "how it ended; for AWS `ok` or the class of the error (`throttled`, `access_denied`, `rejected`, …): closed lists",
    ),
    (
        "ready",
        "`true` or `false`: whether the object is Ready in spite of it, because the change is left alone on purpose (`OnStop`, `Observe`)",
    ),
    (
        "reason",
        "the reason of the condition: a closed list, [troubleshooting.md](troubleshooting.md#reasons); what an object says otherwise is `Other`",
    ),
    ("region", "the Region that is asked: as many as objects and Accounts name"),
    ("service", "`appstream`, `lightsail`, `gamelift` or `sts`"),
    (
        "state",
        "of instances: `desired`, `running`, `in_use`, `available`; of sessions: `desired`, `actual`, `active`, `available`, and `awaited` by a stop",
    ),
    ("status", "`True`, `False` or `Unknown`"),
    ("version", "the program's version"),
];

const fn described(name: &'static str, form: Form, labels: &'static [&'static str], help: &'static str) -> Described {
    Described { name, form, labels, help, per_object: false }
}

const fn per_object(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Described {
    Described { name, form: Form::Gauge, labels, help, per_object: true }
}

/// Passes.
pub const PASSES: Described =
    described("windlass_passes_total", Form::Counter, &["kind", "outcome"], "Passes by how they ended");
/// How long they took.
pub const PASS_SECONDS: Described =
    described("windlass_pass_duration_seconds", Form::Histogram, &["kind"], "Time from the begin of a pass to its end");
/// Passes that panicked.
pub const PANICS: Described = described("windlass_panics_total", Form::Counter, &["kind"], "Passes that panicked");
/// What waits.
pub const QUEUE_DEPTH: Described =
    described("windlass_queue_depth", Form::Gauge, &["kind", "lane"], "Objects that wait for a pass");
/// The age of the oldest look.
pub const OLDEST_LOOK: Described = described(
    "windlass_oldest_look_seconds",
    Form::Gauge,
    &["kind"],
    "Time since the object that waits longest was last looked at",
);
/// Requests to AWS.
pub const AWS_REQUESTS: Described = described(
    "windlass_aws_requests_total",
    Form::Counter,
    &["service", "operation", "outcome"],
    "AWS requests by operation and class of answer",
);
/// How long AWS took.
pub const AWS_SECONDS: Described = described(
    "windlass_aws_request_duration_seconds",
    Form::Histogram,
    &["service", "operation"],
    "Time that AWS took to answer",
);
/// Requests that AWS throttled.
pub const AWS_THROTTLES: Described = described(
    "windlass_aws_throttles_total",
    Form::Counter,
    &["service", "operation"],
    "AWS requests that were throttled",
);
/// What the rate limit leaves.
pub const AWS_TOKENS: Described = described(
    "windlass_aws_tokens",
    Form::Gauge,
    &["account", "region", "service", "class"],
    "Requests that may be sent to AWS at once, as of the last one",
);
/// Requests to the API server.
pub const KUBE_REQUESTS: Described = described(
    "windlass_kube_requests_total",
    Form::Counter,
    &["effect", "outcome"],
    "Requests to the API server by effect",
);
/// Events.
pub const EVENTS: Described =
    described("windlass_events_total", Form::Counter, &["outcome"], "Events for people by what became of them");
/// Who leads.
pub const LEADER: Described = described(
    "windlass_leader",
    Form::Gauge,
    &[],
    "Whether this process may write: 1 for one replica, 0 for the others",
);
/// What runs.
pub const BUILD_INFO: Described = described("windlass_build_info", Form::Gauge, &["version"], "Always 1");

/// Objects by condition.
pub const OBJECTS: Described = described(
    "windlass_objects",
    Form::Gauge,
    &["kind", "condition", "status", "reason"],
    "Objects by condition, its status and its reason",
);
/// Objects that cannot be read.
pub const UNREADABLE: Described = described(
    "windlass_unreadable_objects",
    Form::Gauge,
    &["kind"],
    "Objects that this version cannot read and leaves alone",
);
/// Orphans.
pub const ORPHANS: Described =
    described("windlass_orphans", Form::Gauge, &["kind"], "AWS resources with our tags that no object stands for");
/// Objects on whose resource AWS reports errors.
pub const OBJECTS_WITH_ERRORS: Described = described(
    "windlass_objects_with_aws_errors",
    Form::Gauge,
    &["kind"],
    "Objects on whose resource AWS reports errors, such as FleetErrors",
);
/// Since when the oldest drift is there.
pub const OLDEST_DRIFT: Described = described(
    "windlass_oldest_drift_timestamp_seconds",
    Form::Gauge,
    &["kind"],
    "Since when the object is not Synced that is so for longest, of those that the operator is at: not Ready, Stalled or Paused, nor waiting for users or a window (Unix time)",
);
/// Pending changes.
pub const PENDING_CHANGES: Described = described(
    "windlass_pending_changes",
    Form::Gauge,
    &["kind", "impact", "ready"],
    "Differences between specs and AWS",
);
/// The oldest of them.
pub const OLDEST_PENDING_CHANGE: Described = described(
    "windlass_oldest_pending_change_timestamp_seconds",
    Form::Gauge,
    &["kind", "impact", "ready"],
    "Since when the oldest difference waits (Unix time)",
);
/// Instances of all fleets.
pub const INSTANCES: Described = described(
    "windlass_instances",
    Form::Gauge,
    &["kind", "state"],
    "Streaming instances of all objects, as the statuses show them (at most five minutes old)",
);
/// Sessions of all fleets.
pub const SESSIONS: Described = described(
    "windlass_sessions",
    Form::Gauge,
    &["kind", "state"],
    "Sessions of all objects, as the statuses show them (at most five minutes old)",
);
/// The end that comes next.
pub const NEXT_GRANT_END: Described = described(
    "windlass_next_grant_end_timestamp_seconds",
    Form::Gauge,
    &["kind"],
    "When the next grant ends of those that have not ended (Unix time): in the past, one is overdue",
);

/// Labels of an object.
const OBJECT: &[&str] = &["kind", "namespace", "name"];
const OBJECT_AND_STATE: &[&str] = &["kind", "namespace", "name", "state"];

/// Whether it is Ready.
pub const OBJECT_READY: Described = per_object("windlass_object_ready", OBJECT, "Whether the object is Ready");
/// Whether it is Synced.
pub const OBJECT_SYNCED: Described = per_object("windlass_object_synced", OBJECT, "Whether AWS equals the spec");
/// Whether it is Stalled.
pub const OBJECT_STALLED: Described =
    per_object("windlass_object_stalled", OBJECT, "Whether only an edit or a person can help");
/// Why it is Ready or not.
pub const OBJECT_REASON: Described = per_object(
    "windlass_object_reason",
    &["kind", "namespace", "name", "reason"],
    "Always 1: the reason of the condition Ready, or Ended",
);
/// When a pass last succeeded.
pub const OBJECT_LAST_SUCCESS: Described = per_object(
    "windlass_object_last_success_timestamp_seconds",
    OBJECT,
    "When a pass of the process that leads last ended without a failure (Unix time)",
);
/// Its oldest pending change.
pub const OBJECT_PENDING_CHANGE: Described = per_object(
    "windlass_object_pending_change_timestamp_seconds",
    OBJECT,
    "Since when the object's oldest difference waits (Unix time); absent where there is none",
);
/// Its instances.
pub const OBJECT_INSTANCES: Described =
    per_object("windlass_object_instances", OBJECT_AND_STATE, "The object's streaming instances");
/// Its sessions.
pub const OBJECT_SESSIONS: Described =
    per_object("windlass_object_sessions", OBJECT_AND_STATE, "The object's sessions");
/// Its end.
pub const OBJECT_GRANT_END: Described = per_object(
    "windlass_object_grant_end_timestamp_seconds",
    OBJECT,
    "When the grant ends (Unix time); absent when it has",
);

/// CPU time.
pub const PROCESS_CPU: Described =
    described("process_cpu_seconds_total", Form::Counter, &[], "User and system CPU time spent");
/// Memory.
pub const PROCESS_RESIDENT: Described =
    described("process_resident_memory_bytes", Form::Gauge, &[], "Resident memory size");
/// Addresses.
pub const PROCESS_VIRTUAL: Described =
    described("process_virtual_memory_bytes", Form::Gauge, &[], "Virtual memory size");
/// Files.
pub const PROCESS_FDS: Described = described("process_open_fds", Form::Gauge, &[], "Open file descriptors");
/// Threads.
pub const PROCESS_THREADS: Described = described("process_threads", Form::Gauge, &[], "Threads");
/// Its start.
pub const PROCESS_START: Described =
    described("process_start_time_seconds", Form::Gauge, &[], "When the process began (Unix time)");
