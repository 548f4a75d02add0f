//! One command of the plan, to its own end or to the one it is given: TERM, grace, KILL.
//!
//! **Invariant:** no process of the command lives when its exit is told, or the exit says that its engine does not answer.

use super::attempt::{Attempt, Limit, millis};
use super::halt::Why;
use crate::executor::{ExecError, Session, Signal, StepCommand};
use domain::time::human_duration;
use protocol::Exit;
use std::future::{Future, pending};
use std::time::Duration;
use tokio::time::{sleep_until, timeout};

/// How long a killed step may take to be gone before its engine counts as gone.
const KILLED: Duration = Duration::from_secs(30);
/// Most milliseconds between TERM and KILL when the agent itself goes.
const SHUTDOWN_GRACE: i64 = 3_000;

/// Why a running step is ended before its own end.
pub(super) enum Cut {
    Halt(Why),
    Time(i64),
    Disk(String),
}

impl Cut {
    /// How a step ends that was ended so.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Halt(why) => why.exit(),
            Self::Time(ms) => Exit::TimedOut(*ms),
            Self::Disk(sentence) => Exit::Failed(sentence.clone()),
        }
    }
}

impl Attempt {
    /// Runs one command of the plan.
    pub(super) async fn command(&mut self, command: StepCommand, limit: Limit) -> Exit {
        if self.session.is_none() {
            match self.prepare(limit).await {
                Exit::Exited(0) => {}
                other => return other,
            }
        }
        let Some(session) = self.session.as_deref() else {
            return Exit::Failed("The job's surroundings are not ready.".into());
        };
        let cut = self.cut(limit);
        tokio::pin!(cut);
        let mut early = None;
        let started = {
            let start = session.start(command);
            tokio::pin!(start);
            tokio::select! {
                biased;
                started = &mut start => started,
                why = &mut cut => {
                    early = Some(why);
                    match timeout(KILLED, start).await {
                        Ok(started) => started,
                        Err(_) => return Exit::Lost("The step could not be started or stopped: its engine does not answer.".into()),
                    }
                }
            }
        };
        if let Err(e) = started {
            return early.map_or_else(|| self.failed(e), |cut| cut.exit());
        }
        let cut = match early {
            Some(cut) => cut,
            None => tokio::select! {
                biased;
                ended = session.wait() => return match ended {
                    Ok(exit) => self.held.spool.fault().map_or(exit, Exit::Failed),
                    Err(e) => self.failed(e),
                },
                cut = cut => cut,
            },
        };
        if self.kill(session, &cut).await {
            cut.exit()
        } else {
            Exit::Lost(format!(
                "The step was not gone {} after it was killed: its engine does not answer.",
                human(KILLED)
            ))
        }
    }

    fn failed(&self, e: ExecError) -> Exit {
        match (self.held.spool.fault(), e) {
            (Some(sentence), _) => Exit::Failed(sentence),
            (None, ExecError::EngineGone(sentence)) => Exit::Lost(sentence),
            (None, e) => Exit::Failed(e.to_string()),
        }
    }

    /// TERM, grace, KILL; whether the step is gone.
    async fn kill(&self, session: &dyn Session, cut: &Cut) -> bool {
        self.held.spool.lift();
        let grace = match cut {
            Cut::Halt(Why::Forgotten) => 0,
            Cut::Halt(Why::Shutdown) => self.assignment.grace_ms.min(SHUTDOWN_GRACE),
            _ => self.assignment.grace_ms,
        };
        let mut gone = false;
        if grace > 0 {
            session.signal(Signal::Term).await;
            gone = timeout(millis(grace), session.wait()).await.is_ok();
        }
        if !gone {
            session.signal(Signal::Kill).await;
            gone = timeout(KILLED, session.wait()).await.is_ok();
        }
        self.held.spool.hold();
        gone
    }

    /// Waits for what ends a step before its own end.
    pub(super) fn cut(&self, limit: Limit) -> impl Future<Output = Cut> + Send + use<> {
        let (halt, spool) = (self.halt.clone(), self.held.spool.clone());
        let first = [limit, self.deadline].into_iter().flatten().min_by_key(|(at, _)| *at);
        async move {
            let late = async {
                match first {
                    Some((at, ms)) => {
                        sleep_until(at).await;
                        ms
                    }
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                why = halt.wait() => Cut::Halt(why),
                sentence = spool.failed() => Cut::Disk(sentence),
                ms = late => Cut::Time(ms),
            }
        }
    }
}

fn human(d: Duration) -> String {
    human_duration(i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
