//! One command of the plan, to its own end or to the one it is given: TERM, grace, KILL.
//!
//! **Invariant:** no process of the command lives when its exit is told, or the exit says that its engine does not answer.

use super::attempt::{Attempt, Leased, Limit, millis};
use crate::executor::{ExecError, Session, Signal, StepCommand};
use crate::halt::{Cut, Why};
use domain::time::human_duration;
use futures::FutureExt;
use protocol::Exit;
use std::future::{Future, pending};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a killed step may take to be gone before its engine counts as gone.
const KILLED: Duration = Duration::from_secs(30);
/// Most milliseconds between TERM and KILL when the agent itself goes.
const SHUTDOWN_GRACE: i64 = 3_000;

impl Attempt {
    /// Runs one command of the plan; one that an earlier agent began, with its output from `begun` on, is not begun again.
    pub(super) async fn command(&mut self, mut command: StepCommand, limit: Limit, begun: Option<u64>) -> Exit {
        if self.session.is_none() {
            if begun.is_some() {
                return Exit::Lost(
                    "The agent was restarted, and what ran of the step was gone when it came back.".into(),
                );
            }
            match self.prepare(limit).await {
                Exit::Exited(0) => {}
                other => return other,
            }
        }
        let Some(session) = self.session.as_deref() else {
            return Exit::Failed("The job's surroundings are not ready.".into());
        };
        command.limit = self
            .first(limit)
            .map(|(at, ms)| (at.saturating_duration_since(Instant::now()), ms));
        command.lease = *self.lease.borrow();
        let cut = self.cut(limit);
        tokio::pin!(cut);
        let mut early = None;
        let started = {
            let start = async {
                if let Some(from) = begun
                    && session.resume(command.clone(), from).await?
                {
                    return Ok(());
                }
                session.start(command).await
            };
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
        // What an earlier agent was ending is ended, and for its reason, whatever its command made of it.
        let before = self.past.cut.take().filter(|_| begun.is_some());
        if begun.is_some()
            && before.is_none()
            && let Some(Ok(exit)) = session.wait().now_or_never()
        {
            // It ended while no agent was there: that is its end, whatever time it is by now.
            return self.held.spool.fault().map_or(exit, Exit::Failed);
        }
        let cut = match before.or(early) {
            Some(cut) => cut,
            None => tokio::select! {
                biased;
                ended = session.wait() => return match ended {
                    Ok(exit) => self.held.spool.fault().map_or(exit, Exit::Failed),
                    Err(e) => self.failed(e),
                },
                cut = cut => cut,
                () = renew(session, self.lease.clone()) => return Exit::Lost("The agent's lease is not watched.".into()),
            },
        };
        if self.let_go() {
            return cut.exit();
        }
        self.held.cuts(&cut);
        if self.kill(session, &cut).await {
            cut.exit()
        } else {
            Exit::Lost(format!(
                "The step was not gone {} after it was killed: its engine does not answer.",
                human(KILLED)
            ))
        }
    }

    /// How a step ends that could not be run, or not to its end.
    pub(super) fn failed(&self, e: ExecError) -> Exit {
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
            Cut::Halt(Why::Shutdown | Why::Detach) => self.assignment.grace_ms.min(SHUTDOWN_GRACE),
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

    /// Whichever time is over first: the step's or the job's.
    fn first(&self, limit: Limit) -> Limit {
        [limit, self.deadline].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Waits for what ends a step before its own end.
    pub(super) fn cut(&self, limit: Limit) -> impl Future<Output = Cut> + Send + use<> {
        let (halt, spool) = (self.halt.clone(), self.held.spool.clone());
        let first = self.first(limit);
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

/// Passes each renewal of the lease on to what runs; never ends.
async fn renew(session: &dyn Session, mut lease: Leased) {
    loop {
        if lease.changed().await.is_err() {
            return pending().await;
        }
        let until = *lease.borrow_and_update();
        if let Some(until) = until {
            session.lease(until).await;
        }
    }
}

fn human(d: Duration) -> String {
    human_duration(i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
