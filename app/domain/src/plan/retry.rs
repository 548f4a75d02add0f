//! When a job is tried again: `retry: { limit: 2, on: [agent_lost, exit 75] }`.
//!
//! **Invariant:** a job without `retry` is never run twice; a passed or aborted one never is, whatever its plan says.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most new attempts of one job.
pub const RETRIES_MAX: u32 = 10;

/// How often a job is tried again, and after which ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// New attempts beyond the first; 0 for none.
    pub limit: u32,
    /// The ends that are followed by another attempt.
    pub on: Vec<RetryOn>,
}

/// An end that may be followed by another attempt. Written as in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RetryOn {
    /// `agent_lost`: the agent or its engine went away under it.
    AgentLost,
    /// `exit N`: the step that broke it ended with this code, 1 to 255.
    Exit(i64),
    /// `timed_out`: the job or one of its steps ran past its time.
    TimedOut,
    /// `failed`: any failure: an exit code, a signal, a set-up that did not work.
    Failed,
}

/// The words, for the reader's hint.
pub const RETRY_WORDS: &[&str] = &["agent_lost", "exit 75", "timed_out", "failed"];

impl Retry {
    /// Whether a job that ended so for the `number`th time is tried again.
    #[must_use]
    pub fn allows(&self, end: RetryOn, number: i64) -> bool {
        let meant = |on: &RetryOn| *on == end || *on == RetryOn::Failed && matches!(end, RetryOn::Exit(_));
        number <= i64::from(self.limit) && self.on.iter().any(meant)
    }

    /// Whether nothing is ever tried again.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.limit == 0 || self.on.is_empty()
    }
}

impl fmt::Display for RetryOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgentLost => f.write_str("agent_lost"),
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::TimedOut => f.write_str("timed_out"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

impl FromStr for RetryOn {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "agent_lost" => return Ok(Self::AgentLost),
            "timed_out" => return Ok(Self::TimedOut),
            "failed" => return Ok(Self::Failed),
            _ => {}
        }
        let code = s.strip_prefix("exit ").map(str::trim).unwrap_or_default();
        match code.parse() {
            Ok(code @ 1..=255) => Ok(Self::Exit(code)),
            _ => Err(format!("`{s}` is no end that a job can be tried again after")),
        }
    }
}

impl TryFrom<String> for RetryOn {
    type Error = String;

    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<RetryOn> for String {
    fn from(on: RetryOn) -> Self {
        on.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_went_and_others_do_not() {
        for word in RETRY_WORDS {
            assert_eq!(word.parse::<RetryOn>().map(|on| on.to_string()).as_deref(), Ok(*word));
        }
        for bad in ["", "exit", "exit 0", "exit 256", "exit -1", "exit x", "lost", "Failed"] {
            assert!(bad.parse::<RetryOn>().is_err(), "{bad}");
        }
        let json = r#"{"limit":2,"on":["agent_lost","exit 75"]}"#;
        let retry: Retry = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&retry).unwrap(), json);
    }

    #[test]
    fn an_end_is_tried_again_as_often_as_the_limit_says() {
        let on = |on: &[RetryOn]| Retry {
            limit: 2,
            on: on.to_vec(),
        };
        let exit = on(&[RetryOn::Exit(75)]);
        assert!(exit.allows(RetryOn::Exit(75), 2) && !exit.allows(RetryOn::Exit(75), 3));
        assert!(!exit.allows(RetryOn::Exit(1), 1) && !exit.allows(RetryOn::AgentLost, 1));
        let failed = on(&[RetryOn::Failed]);
        assert!(failed.allows(RetryOn::Exit(1), 1) && failed.allows(RetryOn::Failed, 1));
        assert!(!failed.allows(RetryOn::TimedOut, 1) && !Retry::default().allows(RetryOn::AgentLost, 1));
    }
}
