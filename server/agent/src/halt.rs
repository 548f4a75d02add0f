//! How a running attempt is told to end.
//!
//! **Invariant:** the first reason stands, except that *forgotten* replaces any: then nothing more is told.

use domain::time::human_duration;
use protocol::Exit;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Why a running attempt must end now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The server said so.
    Abort,
    /// The server was not heard for the whole lease, in milliseconds: it may give the job to another agent soon.
    Lease(u64),
    /// This agent is shutting down, and what runs cannot go on without it.
    Shutdown,
    /// This agent goes, and what can go on without it does; the next start takes it up again.
    Detach,
    /// It is not this agent's any more.
    Forgotten,
}

impl Why {
    /// How a step ends that ran meanwhile.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Abort | Self::Forgotten => Exit::Aborted,
            Self::Lease(_) | Self::Shutdown | Self::Detach => Exit::Lost(self.sentence().unwrap_or_default()),
        }
    }

    /// What a person is told, where it is not told already.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Abort | Self::Forgotten => None,
            Self::Lease(ms) => Some(format!(
                "The agent did not hear its server for {} and stopped the job itself.",
                human_duration(i64::try_from(*ms).unwrap_or(i64::MAX))
            )),
            Self::Shutdown | Self::Detach => Some("The agent was shut down while the job ran.".into()),
        }
    }
}

/// Why a running step is ended before its own end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Its attempt is to end.
    Halt(Why),
    /// Its time is over; milliseconds it was given.
    Time(i64),
    /// The agent's disk does not take its output: one sentence.
    Disk(String),
}

impl Cut {
    /// How a step ends that was ended so.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Halt(why) => why.exit(),
            Self::Time(ms) => Exit::TimedOut(*ms),
            Self::Disk(sentence) => Exit::Failed(sentence.clone()),
        }
    }
}

/// The switch of one attempt; any side may set it, the attempt waits for it.
#[derive(Debug)]
pub struct Halt(watch::Sender<Option<Why>>);

impl Default for Halt {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Halt {
    /// Sets it.
    pub fn set(&self, why: Why) {
        self.0.send_if_modified(|now| {
            let change = now.is_none() || (why == Why::Forgotten && *now != Some(Why::Forgotten));
            if change {
                *now = Some(why);
            }
            change
        });
    }

    /// Why it is set, if it is.
    #[must_use]
    pub fn why(&self) -> Option<Why> {
        self.0.borrow().clone()
    }

    /// Waits until it is set.
    pub async fn wait(&self) -> Why {
        let mut seen = self.0.subscribe();
        let why = seen.wait_for(Option::is_some).await.ok().and_then(|w| w.clone());
        // The sender lives in `self`, so the channel cannot be closed here.
        why.unwrap_or(Why::Shutdown)
    }
}
