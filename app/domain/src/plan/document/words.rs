//! The words of a plan document: which keys each mapping takes, which come later, and what people write instead.
//!
//! **Invariant:** these lists are the only ones; the published JSON Schema is tested against them.

/// A kind of mapping.
pub(super) struct Shape {
    /// What it is, with its article, for sentences.
    pub what: &'static str,
    /// The keys it takes.
    pub keys: &'static [&'static str],
}

/// The document itself. From `image` on the keys are those of the one job of a plan without `jobs`.
pub(super) const PLAN: Shape = Shape {
    what: "a plan",
    keys: &[
        "name", "source", "file", "env", "jobs", "steps", "image", "executor", "runs_on", "timeout", "retry", "limits",
    ],
};
pub(super) const SOURCE: Shape = Shape {
    what: "a source",
    keys: &["git", "branch", "submodules"],
};
pub(super) const JOB: Shape = Shape {
    what: "a job",
    keys: &[
        "needs", "image", "executor", "runs_on", "env", "timeout", "retry", "limits", "steps",
    ],
};
pub(super) const LIMITS: Shape = Shape {
    what: "`limits`",
    keys: &["cpus", "memory"],
};
pub(super) const RETRY: Shape = Shape {
    what: "`retry`",
    keys: &["limit", "on"],
};
pub(super) const STEP: Shape = Shape {
    what: "a step",
    keys: &[
        "name",
        "run",
        "command",
        "env",
        "when",
        "allow_failure",
        "keep",
        "timeout",
    ],
};

/// The words of `executor`.
pub(super) const EXECUTORS: &[&str] = &["docker", "process"];

/// Keys that a plan will have and this version refuses, so that nobody believes them to work.
const LATER: &[&str] = &[
    "parameters",
    "secrets",
    "matrix",
    "services",
    "artifacts",
    "reports",
    "cache",
    "approval",
    "concurrency",
    "shell",
    "svn",
];

/// What is written by habit from other systems, and its word here; the first that fits the mapping counts.
const HABITS: &[(&str, &str)] = &[
    ("script", "run"),
    ("scripts", "run"),
    ("cmd", "run"),
    ("commands", "run"),
    ("sh", "run"),
    ("args", "command"),
    ("environment", "env"),
    ("variables", "env"),
    ("vars", "env"),
    ("depends_on", "needs"),
    ("dependencies", "needs"),
    ("after", "needs"),
    ("stages", "jobs"),
    ("tasks", "jobs"),
    ("pipeline", "jobs"),
    ("agent", "runs_on"),
    ("labels", "runs_on"),
    ("tags", "runs_on"),
    ("container", "image"),
    ("docker", "image"),
    ("if", "when"),
    ("only", "when"),
    ("condition", "when"),
    ("ignore_errors", "allow_failure"),
    ("continue_on_error", "allow_failure"),
    ("background", "keep"),
    ("detach", "keep"),
    ("repository", "source"),
    ("repo", "source"),
    ("scm", "source"),
    ("git", "source"),
    ("url", "git"),
    ("ref", "branch"),
    ("recursive", "submodules"),
    ("cpu", "cpus"),
    ("mem", "memory"),
    ("ram", "memory"),
    ("resources", "limits"),
    ("time_limit", "timeout"),
    ("retries", "retry"),
    ("max", "limit"),
    ("attempts", "limit"),
    ("when", "on"),
    ("title", "name"),
    ("id", "name"),
];

/// Whether a later version will take the key.
pub(super) fn comes_later(key: &str) -> bool {
    LATER.contains(&key)
}

/// The word here for one brought from elsewhere.
pub(super) fn habit(key: &str, shape: &Shape) -> Option<&'static str> {
    let key = key.to_lowercase().replace('-', "_");
    HABITS
        .iter()
        .find(|(from, to)| *from == key && shape.keys.contains(to))
        .map(|(_, to)| *to)
}

/// The keys a step's `when` can compare.
pub(super) const WHEN: &[&str] = &["branch", "event", "agent", "os", "arch", "hostname", "engine"];
/// Those that later versions add.
pub(super) const WHEN_LATER: &[&str] = &["tag", "path"];
