//! What can happen to a task, what follows from it outside, and why it may be refused.
//!
//! **Invariant:** effects name only what others must do; every change of a row is found by comparing states.

use super::Fence;
use crate::status::{ExecutorKind, Outcome};
use crate::{AgentId, AttemptId, JobId, StepId, Timestamp};

/// Something that happens to a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Placement gave a job to an agent.
    Assigned {
        /// The job; it must be ready.
        job: JobId,
        /// Who gets it.
        agent: AgentId,
        /// The fence; above every earlier one of this job.
        epoch: i64,
        /// Until when the agent holds it without renewal.
        lease_until: Timestamp,
        /// Milliseconds the attempt may take from now on.
        timeout_ms: Option<i64>,
    },
    /// An agent says what happened to an attempt.
    Agent {
        /// Which attempt, and by which hold.
        fence: Fence,
        /// Who says so: the authenticated one, never one it names.
        agent: AgentId,
        /// What.
        event: AgentEvent,
    },
    /// The agent was heard: its hold runs anew.
    LeaseExtended {
        /// Which attempt, and by which hold.
        fence: Fence,
        /// Who was heard.
        agent: AgentId,
        /// Until when it holds it now.
        lease_until: Timestamp,
    },
    /// Someone wants the task ended.
    AbortAsked {
        /// Who, as the sentence "Aborted by anna." names them.
        by: String,
    },
    /// The lease of an attempt ran out unrenewed.
    LeaseExpired {
        /// Which.
        attempt: AttemptId,
        /// When its agent was heard last, if it is known.
        heard: Option<Timestamp>,
    },
    /// The agent came back and does not hold the attempt.
    AgentForgot {
        /// Which.
        attempt: AttemptId,
        /// The hold it should have had.
        epoch: i64,
    },
    /// An admin removed the agent that holds the attempt.
    AgentRemoved {
        /// Which.
        attempt: AttemptId,
        /// The hold it has.
        epoch: i64,
    },
    /// The rightful holder reported what cannot be: nothing it says of the attempt can be believed any more.
    AgentConfused {
        /// Which.
        attempt: AttemptId,
        /// Its hold.
        epoch: i64,
        /// Why it cannot be, one sentence.
        why: String,
    },
    /// The server's clock was set: what it measured by the old one moves along, so that nobody's hold is longer or shorter.
    ClockMoved {
        /// Milliseconds, back when negative.
        by_ms: i64,
        /// Agents that are connected: their holds run by what they say next.
        heard: Vec<AgentId>,
    },
    /// Time and grace of an attempt have passed and its agent did not confirm the end.
    DeadlinePassed {
        /// Which.
        attempt: AttemptId,
    },
    /// What the task should run cannot be had: its revision or document could not be resolved.
    SourceFailed {
        /// One sentence: what and why.
        reason: String,
    },
}

/// What happens to an attempt on its agent, in order. Mirrors the protocol's message of the same kind.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// It was taken and is being prepared.
    Preparing {
        /// The executor that runs it.
        executor: ExecutorKind,
    },
    /// The checkout is done. What was found there is the task's row; no state hangs on it.
    CheckedOut,
    /// A step's command begins.
    StepStarted {
        /// Which step.
        step: StepId,
        /// Where its output begins in the attempt's file.
        from: u64,
        /// When, by the agent's clock.
        at: Timestamp,
    },
    /// A step ended or was skipped.
    StepEnded {
        /// Which step.
        step: StepId,
        /// How.
        exit: Exit,
        /// End of its output in the attempt's file.
        until: u64,
        /// When, by the agent's clock.
        at: Timestamp,
    },
    /// Bytes are missing in its output. Where and why is the console's; no state hangs on it.
    OutputGap,
    /// All is over: no process of it lives, its output is complete (which the engine has checked).
    Ended {
        /// Whether it ended because it was told to (abort, deadline), else by itself.
        aborted: bool,
        /// What broke before or beside the steps, one sentence.
        error: Option<String>,
        /// When, by the agent's clock.
        at: Timestamp,
    },
}

/// How a step's command ended. Mirrors the protocol's type of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with a code.
    Exited(i64),
    /// By a signal that was not ours.
    Signalled(i64),
    /// It ran past its own or the job's time; milliseconds it was allowed.
    TimedOut(i64),
    /// By an abort.
    Aborted,
    /// It could not be started or its set-up failed: one sentence.
    Failed(String),
    /// Its engine went away under it: one sentence.
    Lost(String),
    /// It did not have to run: why.
    Skipped(String),
}

/// What follows outside the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the agent the attempt to run; harmless when it has it.
    Assign {
        /// To whom.
        agent: AgentId,
        /// Which.
        fence: Fence,
    },
    /// Tell the agent to end the attempt and report it.
    Abort {
        /// To whom.
        agent: AgentId,
        /// Which.
        fence: Fence,
    },
    /// Tell the agent, when it is heard again, to kill the attempt without a report.
    Forget {
        /// To whom.
        agent: AgentId,
        /// Which.
        fence: Fence,
    },
    /// A slot is free: placement should run.
    SlotFreed {
        /// Whose.
        agent: AgentId,
    },
    /// These jobs can be handed out from now on (`ready_at`): placement should run.
    JobsReady {
        /// Which.
        jobs: Vec<JobId>,
    },
    /// Write, in this same transaction, attempt `number` of the job with fresh steps ([`super::AttemptState::following`]):
    /// the job is pending again and its last attempt has ended.
    NewAttempt {
        /// Of which job.
        job: JobId,
        /// Its number.
        number: i64,
        /// Not handed out before this instant: only then has the old agent surely stopped the old attempt.
        not_before: Option<Timestamp>,
    },
    /// The task is over.
    TaskEnded {
        /// How.
        outcome: Outcome,
    },
}

/// Why an event changes nothing. Each is a sentence for the audit and for the one who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The attempt is not its job's current one, or the epoch is not the present one: tell the agent to forget it.
    #[error("This attempt has been replaced by a later one.")]
    Stale,
    /// Another agent holds it: tell the sender to forget it.
    #[error("This attempt is not held by this agent.")]
    NotYours,
    /// It is over, and not by this agent's word: tell the agent to forget it.
    #[error("It has already ended.")]
    Ended,
    /// It cannot follow on what is known. From the rightful holder it is a broken agent: let it forget the attempt and
    /// pass [`Event::AgentConfused`].
    #[error("{0}")]
    OutOfOrder(String),
    /// The job cannot be handed out now.
    #[error("{0}")]
    NotReady(String),
    /// The lease or deadline has not passed yet.
    #[error("It is not due yet.")]
    NotDue,
    /// The task has no such job, attempt or step.
    #[error("This task has no such job or step.")]
    Unknown,
}
