//! Messages between agent and server, both ways.
//!
//! **Invariant:** an [`AttemptEvent`] is acknowledged by its `n` only after it is committed; the agent keeps and resends
//! what is not acknowledged, in order.

use domain::agent::{Facts, Load};
use domain::label::Labels;
use domain::{AgentId, AttemptId, StepId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Assignment, Gap, Proof};

/// Names one hold on one attempt: a message with another epoch is from the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fence {
    /// The attempt.
    pub attempt: AttemptId,
    /// The fence; set when the attempt is assigned.
    pub epoch: i64,
}

/// Where an attempt stands on an agent's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaveState {
    /// It is being run.
    Running,
    /// It has ended; its report or output is not yet acknowledged.
    Unreported,
}

/// An attempt an agent holds at connect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Have {
    /// Which.
    pub fence: Fence,
    /// Where it stands.
    pub state: HaveState,
    /// Bytes of output in its spool.
    pub offset: u64,
}

/// How a step's command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with a code.
    Exited(i64),
    /// By a signal that was not ours.
    Signalled(i64),
    /// It ran past its own or the job's time, and its tree was killed; milliseconds it was allowed.
    TimedOut(i64),
    /// By an abort.
    Aborted,
    /// It could not be started or its set-up failed: one sentence, what and why.
    Failed(String),
    /// Its engine went away under it: one sentence.
    Lost(String),
    /// It did not have to run: why.
    Skipped(String),
}

/// A step's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEnd {
    /// Which step.
    pub step: StepId,
    /// How.
    pub exit: Exit,
    /// End of its output in the attempt's file; its start was in `StepStarted`.
    pub until: u64,
    /// When, by the agent's clock.
    pub at: Timestamp,
}

/// What happens to an attempt on its agent, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEvent {
    /// It was taken and is being prepared; with the executor that runs it.
    Preparing {
        /// The executor.
        executor: domain::status::ExecutorKind,
    },
    /// The checkout is done: what was found there.
    CheckedOut {
        /// Exact commit.
        revision: String,
        /// First line of its message.
        message: String,
        /// Its author's name.
        author: String,
    },
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
    StepEnded(StepEnd),
    /// Bytes are missing in its output, behind what was sent before this.
    Gap(Gap),
    /// All is over: no process of it lives, its output is complete.
    Ended {
        /// Whether it ended because it was told to (abort, deadline), else by itself.
        aborted: bool,
        /// What broke before or beside the steps, one sentence.
        error: Option<String>,
        /// Bytes of output in all; gaps take no part.
        length: u64,
        /// Their [`crate::Digest`], 16 hex digits.
        digest: String,
        /// When, by the agent's clock.
        at: Timestamp,
    },
}

/// Why a connection is refused, for a program: what it is worth to try again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The registration token is wrong, used up, ended or revoked.
    Token,
    /// The name is in use or cannot be one.
    Name,
    /// No common protocol version.
    Version,
    /// The credential is not known here.
    Credential,
    /// An admin removed this agent.
    Removed,
    /// A newer connection with the same credential has taken over.
    Replaced,
    /// Too many tries from this address; later it may do.
    Later,
    /// Something else, or a code of a later version.
    #[default]
    #[serde(other)]
    Other,
}

/// From agent to server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromAgent {
    /// The first message.
    Hello {
        /// Protocol versions it speaks.
        versions: Vec<u32>,
        /// Which agent it is.
        agent: AgentId,
        /// Proof: the credential it was given.
        credential: String,
        /// Number of the session it had, 0 when none.
        session: i64,
        /// What it holds.
        have: Vec<Have>,
        /// Its machine.
        facts: Facts,
        /// Labels of its own.
        labels: Labels,
        /// Jobs it runs at once.
        slots: u32,
    },
    /// Something happened to an attempt.
    Attempt {
        /// Which, and by which hold.
        fence: Fence,
        /// 1, 2, 3, … per attempt.
        n: u64,
        /// What.
        event: AttemptEvent,
    },
    /// It lives; sent at the interval the server dictates, with what it runs.
    Heartbeat {
        /// Attempts it runs.
        running: Vec<Fence>,
    },
    /// The answer to a rewind that cannot be met: output from `from` up to `to` was on the server's disk, was forgotten
    /// here, and is nowhere any more. It goes on at `to`.
    Gone {
        /// Which attempt.
        fence: Fence,
        /// Where the server wanted to be sent from.
        from: u64,
        /// The first byte there is.
        to: u64,
    },
    /// Its machine changed (engine gone or back, disk).
    Facts(Facts),
    /// Labels of its own changed (host name); all of them.
    Labels(Labels),
    /// How busy its machine is, after the welcome and with each heartbeat; its `at` is the agent's wall clock.
    Load(Load),
    /// Instead of a hello, the first time: makes this agent known. The answer is `Registered` or `Refused`; a hello follows
    /// on the same connection or another. Repeating it with the same credential answers the same and uses nothing up.
    Register {
        /// Protocol versions it speaks.
        versions: Vec<u32>,
        /// The registration token.
        token: String,
        /// The agent's own credential, made before: 64 hex digits of 256 random bits.
        credential: String,
        /// The name it must have; by its host name, with a number where that is taken, when absent.
        name: Option<String>,
        /// Its host name.
        hostname: String,
    },
    /// It takes no more jobs and goes when its attempts are reported.
    Draining,
    /// A kind of a later version.
    #[serde(other)]
    Unknown,
}

/// From server to agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToAgent {
    /// The answer to `Hello`.
    Welcome {
        /// The version both speak from now on.
        version: u32,
        /// Number of this session; a newer one ends it.
        session: i64,
        /// The server, for labels of containers.
        server: String,
        /// Milliseconds between heartbeats.
        heartbeat_ms: u64,
        /// Milliseconds a lease lasts beyond the last heartbeat answered.
        lease_ms: u64,
    },
    /// The answer to `Register`.
    Registered {
        /// The agent it is from now on.
        agent: AgentId,
        /// Its name.
        name: String,
    },
    /// The connection is refused or ended; the sentence says why.
    Refused {
        /// Why.
        reason: String,
        /// The same for a program.
        #[serde(default)]
        code: RefusalCode,
    },
    /// What proves to the source of an attempt who asks; nothing when there is nothing any more. Sent before its `Assign`, and
    /// with every greeting while the attempt is being prepared.
    Proof {
        /// Which.
        fence: Fence,
        /// The proof.
        #[serde(default)]
        proof: Option<Proof>,
    },
    /// Run this.
    Assign(Box<Assignment>),
    /// End this attempt: TERM, grace, KILL; then report `Ended { aborted: true }`.
    Abort {
        /// Which.
        fence: Fence,
    },
    /// The attempt's events up to `n` are committed.
    Ack {
        /// Which.
        fence: Fence,
        /// Up to here.
        n: u64,
    },
    /// The attempt's output up to `offset` is on disk; the spool may forget it.
    Durable {
        /// Which.
        fence: Fence,
        /// Up to here.
        offset: u64,
    },
    /// Send the attempt's output again from `offset` on.
    Rewind {
        /// Which.
        fence: Fence,
        /// From here.
        offset: u64,
    },
    /// The heartbeat is heard: leases run anew from now.
    Extend,
    /// This attempt is not this agent's any more: kill it without report and forget it.
    Forget {
        /// Which.
        fence: Fence,
    },
    /// A kind of a later version.
    #[serde(other)]
    Unknown,
}

/// A message as JSON text.
///
/// # Panics
/// Never: our messages have text keys only.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("messages have text keys only, so they are JSON")
}

/// A message from JSON text. A message of an unknown kind with content is an error here; callers skip it.
///
/// # Errors
/// When the text is not a message we know.
pub fn decode<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_went() {
        let fence = Fence {
            attempt: AttemptId(7),
            epoch: 3,
        };
        for m in [
            ToAgent::Welcome {
                version: 1,
                session: 9,
                server: "s".into(),
                heartbeat_ms: 5_000,
                lease_ms: 600_000,
            },
            ToAgent::Durable { fence, offset: 1 << 40 },
            ToAgent::Extend,
            ToAgent::Refused {
                reason: "no".into(),
                code: RefusalCode::Removed,
            },
        ] {
            assert_eq!(decode::<ToAgent>(&encode(&m)).unwrap(), m);
        }
        let m = FromAgent::Attempt {
            fence,
            n: 4,
            event: AttemptEvent::StepEnded(StepEnd {
                step: StepId(1),
                exit: Exit::Exited(3),
                until: 12,
                at: Timestamp(5),
            }),
        };
        assert_eq!(decode::<FromAgent>(&encode(&m)).unwrap(), m);
    }

    #[test]
    fn a_kind_of_a_later_version_is_known_as_unknown() {
        assert_eq!(decode::<ToAgent>("\"promote\"").unwrap(), ToAgent::Unknown);
        assert!(decode::<ToAgent>("{\"promote\":{\"x\":1}}").is_err());
        // Version 1 sends no code, a later one may send one of its own.
        for text in [
            r#"{"refused":{"reason":"no"}}"#,
            r#"{"refused":{"reason":"no","code":"tired"}}"#,
        ] {
            let code = RefusalCode::Other;
            assert_eq!(
                decode::<ToAgent>(text).unwrap(),
                ToAgent::Refused {
                    reason: "no".into(),
                    code
                }
            );
        }
    }
}
