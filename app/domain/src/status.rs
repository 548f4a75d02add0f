//! States of tasks, jobs, attempts, steps and agents (DESIGN §4), and their words.
//!
//! **Invariant:** every state has one word, the same in the database, the API and the page; states only move forward.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),* }
        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The word for it, in database, API and page.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(s: &str) -> Result<Self, UnknownWord> {
                match s { $($word => Ok(Self::$variant),)* _ => Err(UnknownWord(s.to_owned())) }
            }
        }
    };
}

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known word here")]
pub struct UnknownWord(pub String);

words! {
    /// How something ended.
    Outcome {
        /// It did what it should.
        Passed = "passed",
        /// It said no: an exit code, or a step that could not start.
        Failed = "failed",
        /// A person or rule ended it.
        Aborted = "aborted",
        /// It ran past its time.
        TimedOut = "timed_out",
        /// Its agent or engine went away.
        Lost = "lost",
        /// It did not have to run.
        Skipped = "skipped",
    }
}

words! {
    /// What is wanted of a task or job, apart from what is seen.
    Desired {
        /// It shall run to its end.
        Run = "run",
        /// It shall end now.
        Abort = "abort",
    }
}

words! {
    /// A task's state. `Pending` is shown as *waiting*.
    TaskStatus {
        /// Nothing of it is assigned yet.
        Pending = "pending",
        /// From the first assignment on.
        Running = "running",
        /// Ended: every job passed, may have failed, or was skipped.
        Passed = "passed",
        /// Ended: a job failed.
        Failed = "failed",
        /// Ended because that was desired.
        Aborted = "aborted",
        /// Ended: a job ran past its time.
        TimedOut = "timed_out",
        /// Ended: a job's agent went away.
        Lost = "lost",
        /// Ended: every job was skipped.
        Skipped = "skipped",
    }
}

words! {
    /// A job's state.
    JobStatus {
        /// It waits, and its reason says for what.
        Pending = "pending",
        /// Assigned: workspace and image are being made ready.
        Preparing = "preparing",
        /// Its steps run, or their output is being completed.
        Running = "running",
        /// Ended well.
        Passed = "passed",
        /// Ended: a step failed.
        Failed = "failed",
        /// Ended because that was desired.
        Aborted = "aborted",
        /// Ended: it or a step ran past its time.
        TimedOut = "timed_out",
        /// Ended: its agent went away.
        Lost = "lost",
        /// Ended without running: something it needs did not pass.
        Skipped = "skipped",
    }
}

words! {
    /// An attempt's state; the unit of lease, fence and output.
    AttemptStatus {
        /// Not handed out.
        Waiting = "waiting",
        /// Handed to an agent, not acknowledged.
        Assigned = "assigned",
        /// The agent makes workspace and image ready.
        Preparing = "preparing",
        /// Steps run.
        Running = "running",
        /// Steps have ended; output and clean-up are being completed.
        Finalizing = "finalizing",
        /// Over; its outcome is set.
        Ended = "ended",
    }
}

words! {
    /// A step's state.
    StepStatus {
        /// Not begun.
        Pending = "pending",
        /// Its command runs.
        Running = "running",
        /// Its command has ended; output is being completed.
        Finalizing = "finalizing",
        /// Ended with exit code 0.
        Passed = "passed",
        /// Ended otherwise, or could not start.
        Failed = "failed",
        /// Ended by an abort.
        Aborted = "aborted",
        /// Ended by its timeout.
        TimedOut = "timed_out",
        /// Its agent went away.
        Lost = "lost",
        /// Did not have to run.
        Skipped = "skipped",
    }
}

words! {
    /// What kind of step it is; only `Step` is of the plan.
    StepKind {
        /// Making workspace and image ready, checking out.
        Setup = "setup",
        /// A step of the plan.
        Step = "step",
        /// A side container.
        Service = "service",
        /// Clearing away.
        Cleanup = "cleanup",
    }
}

words! {
    /// Whether an agent is heard.
    AgentStatus {
        /// Its connection is up.
        Online = "online",
        /// Not heard for 15 s; what it runs may go on.
        Unreachable = "unreachable",
        /// Not connected, and nothing of it is awaited.
        Offline = "offline",
    }
}

words! {
    /// Whether an agent takes new jobs.
    Availability {
        /// It does.
        Active = "active",
        /// It does not, by a person's will.
        Paused = "paused",
        /// It does not; it ends what it has and goes.
        Draining = "draining",
    }
}

words! {
    /// How a step runs.
    ExecutorKind {
        /// In a container of a Docker engine.
        Docker = "docker",
        /// As a process of the agent's machine.
        Process = "process",
        /// By a script in the step itself: the tests' double.
        Scripted = "scripted",
    }
}

impl TaskStatus {
    /// Whether this is an end.
    #[must_use]
    pub fn ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}
impl JobStatus {
    /// Whether this is an end.
    #[must_use]
    pub fn ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Preparing | Self::Running)
    }
}
impl StepStatus {
    /// Whether this is an end.
    #[must_use]
    pub fn ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Finalizing)
    }
}

macro_rules! from_outcome {
    ($($t:ident),*) => {$(
        impl From<Outcome> for $t {
            fn from(o: Outcome) -> Self {
                match o {
                    Outcome::Passed => Self::Passed,
                    Outcome::Failed => Self::Failed,
                    Outcome::Aborted => Self::Aborted,
                    Outcome::TimedOut => Self::TimedOut,
                    Outcome::Lost => Self::Lost,
                    Outcome::Skipped => Self::Skipped,
                }
            }
        }
        impl $t {
            /// The outcome, once it has ended.
            #[must_use]
            pub fn outcome(self) -> Option<Outcome> {
                match self {
                    Self::Passed => Some(Outcome::Passed),
                    Self::Failed => Some(Outcome::Failed),
                    Self::Aborted => Some(Outcome::Aborted),
                    Self::TimedOut => Some(Outcome::TimedOut),
                    Self::Lost => Some(Outcome::Lost),
                    Self::Skipped => Some(Outcome::Skipped),
                    _ => None,
                }
            }
        }
    )*};
}
from_outcome!(TaskStatus, JobStatus, StepStatus);
