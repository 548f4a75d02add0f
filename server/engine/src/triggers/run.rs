//! The loops of triggers: what is due by the clock, what follows the ends of tasks, and what is old enough to go.
//!
//! **Invariant:** a loop that is killed goes on from the rows; one that fails says so once and tries again.

use super::poll::Looker;
use super::start::Starter;
use super::upstream::Ends;
use crate::queue::approval;
use crate::store::{Result, firings, hooks, triggers};
use domain::trigger::Kind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;

/// The longest sleep: a clock that is set is noticed within it.
const LONGEST: Duration = Duration::from_secs(10);
/// The sleep after a failure, or while there is no room.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two looks for what is old.
const UPKEEP: Duration = Duration::from_secs(900);
/// Payloads are kept so long: forges redeliver for three days, and a firing is to be understood for a week.
const BODIES_MS: i64 = 8 * 86_400_000;
/// Deliveries and firings are kept so long.
const ROWS_MS: i64 = 35 * 86_400_000;
/// Rows that go at once.
const AT_ONCE: i64 = 500;

/// The loops. Cheap to clone.
#[derive(Clone)]
pub struct Triggers {
    starter: Starter,
    looker: Looker,
    bell: Arc<Notify>,
    looks: Arc<Notify>,
}

impl Triggers {
    /// The loops over what starts tasks and what looks at remotes.
    #[must_use]
    pub fn new(starter: Starter, looker: Looker) -> Self {
        Self {
            starter,
            looks: looker.ended.clone(),
            looker,
            bell: Arc::default(),
        }
    }

    /// Wakes the loops that go by the clock: a trigger was saved.
    pub fn wake(&self) {
        self.bell.notify_one();
        self.looks.notify_one();
    }

    /// What looks at remotes.
    pub(crate) fn looker(&self) -> &Looker {
        &self.looker
    }

    /// Runs until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(
            self.times(Kind::Cron, &self.bell, &stop),
            self.times(Kind::Poll, &self.looks, &stop),
            self.ends(&stop),
            self.upkeep(&stop)
        );
    }

    async fn times(&self, kind: Kind, bell: &Notify, stop: &CancellationToken) {
        let mut failing = false;
        while !stop.is_cancelled() {
            let pause = match self.turn(kind).await {
                Ok(pause) => {
                    failing = false;
                    pause
                }
                Err(e) => {
                    complain(&mut failing, &e, "fire what is due");
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Fires, or looks at, what is due; how long to sleep then.
    async fn turn(&self, kind: Kind) -> Result<Duration> {
        match kind {
            Kind::Cron => while self.starter.crons().await? > 0 {},
            _ => {
                self.starter.polls(&self.looker).await?;
            }
        }
        let next = triggers::next_due(&self.starter.store, kind, self.starter.clock.now()).await?;
        let Some(next) = next else {
            return Ok(LONGEST);
        };
        let wait = next.since(self.starter.clock.now());
        // What is due still was held back for want of room.
        let wait = u64::try_from(wait)
            .ok()
            .filter(|ms| *ms > 0)
            .map_or(PAUSE, Duration::from_millis);
        Ok(wait.min(LONGEST))
    }

    async fn ends(&self, stop: &CancellationToken) {
        let mut news = self.starter.store.news();
        let (mut ends, mut failing) = (Ends::default(), false);
        loop {
            let done = match ends.is_new() {
                true => self.starter.ends(&mut ends).await,
                false => tokio::select! {
                    () = stop.cancelled() => break,
                    heard = news.recv() => match heard {
                        Ok(events) => self.starter.news(&mut ends, &events).await,
                        Err(RecvError::Lagged(_)) => self.starter.ends(&mut ends).await,
                        Err(RecvError::Closed) => break,
                    },
                },
            };
            match done {
                Ok(()) => failing = false,
                Err(e) => {
                    complain(&mut failing, &e, "follow the ends of tasks");
                    ends = Ends::default();
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
        if let Err(e) = self.starter.note(&mut ends, true).await {
            tracing::warn!(error = %e, "How far the ends of tasks were followed could not be noted: {e}");
        }
    }

    async fn upkeep(&self, stop: &CancellationToken) {
        let mut failing = false;
        loop {
            match self.old().await {
                Ok(()) => failing = false,
                Err(e) => complain(&mut failing, &e, "clear away old deliveries and firings"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(UPKEEP) => {}
            }
        }
    }

    async fn old(&self) -> Result<()> {
        self.forget_old().await?;
        let (_, effects) = approval::expire(&self.starter.store, self.starter.clock.now()).await?;
        self.starter.out.send(effects);
        Ok(())
    }

    async fn forget_old(&self) -> Result<()> {
        let now = self.starter.clock.now();
        let (bodies, rows) = (now.plus(-BODIES_MS), now.plus(-ROWS_MS));
        self.starter
            .store
            .write(move |tx| {
                Box::pin(async move {
                    hooks::forget_old(tx, bodies, rows, AT_ONCE).await?;
                    firings::forget_old(tx, rows, AT_ONCE).await
                })
            })
            .await
    }
}

fn complain(failing: &mut bool, error: &crate::store::Error, what: &str) {
    if !std::mem::replace(failing, true) {
        tracing::error!(%error, "Triggers cannot {what}: {error}");
    }
}
