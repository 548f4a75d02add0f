//! The queue for both doors: what waits and why, what runs, and the first page in one read.
//!
//! **Invariant:** the event number is read before anything else, so a page that follows from it misses nothing.

use super::waiting::{Reasoned, explain, reasons};
use crate::clock::SharedClock;
use crate::space::Space;
use crate::store::tasks::{WaitingFilter, counts, running, waiting_all};
use crate::store::{Store, agents};
use async_trait::async_trait;
use domain::Result;
use domain::auth::{Action, Scope, Viewer, authorize};
use domain::placement::Agent;
use domain::queue::{QueueFigures, QueueItem, QueueView};
use domain::status::{AgentStatus, Availability};
use domain::task::TaskQuery;
use std::sync::Arc;

/// Most waiting and running jobs a page shows.
const SHOWN: i64 = 200;

/// The port `Queue`.
#[derive(Clone)]
pub struct QueueService {
    store: Store,
    clock: SharedClock,
    tasks: Arc<dyn domain::ports::Tasks>,
    space: Arc<Space>,
}

impl QueueService {
    /// The port over a store; the tasks of its page come through their own port.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, tasks: Arc<dyn domain::ports::Tasks>, space: Arc<Space>) -> Self {
        Self {
            store,
            clock,
            tasks,
            space,
        }
    }
}

#[async_trait]
impl domain::ports::Queue for QueueService {
    async fn waiting(&self, viewer: &Viewer) -> Result<Vec<QueueItem>> {
        authorize(viewer, Action::Read, Scope::default_project("the queue"))?;
        let found = reasons(&self.store, &self.space, WaitingFilter::Head(SHOWN), self.clock.now()).await?;
        Ok(items(found))
    }

    async fn overview(&self, viewer: &Viewer, query: TaskQuery) -> Result<QueueView> {
        authorize(viewer, Action::Read, Scope::default_project("the queue"))?;
        let seq = self.store.event_bounds().await?.0;
        let now = self.clock.now();
        let fleet = agents::fleet_now(&self.store).await?;
        let waiting = waiting_all(&self.store, WaitingFilter::Head(SHOWN)).await?;
        let found = explain(&fleet, &self.space, waiting, now);
        let mut figures = figures(&fleet);
        (figures.waiting, figures.running) = counts(&self.store).await?;
        figures.blocked = found.iter().filter(|r| r.why.code.blocked()).count() as i64;
        Ok(QueueView {
            seq,
            now,
            figures,
            waiting: items(found),
            running: running(&self.store, SHOWN).await?,
            tasks: self.tasks.list(viewer, query).await?,
        })
    }

    async fn figures(&self, viewer: &Viewer) -> Result<QueueFigures> {
        authorize(viewer, Action::Read, Scope::default_project("the queue"))?;
        let mut figures = figures(&agents::fleet_now(&self.store).await?);
        (figures.waiting, figures.running) = counts(&self.store).await?;
        let left = self.space.is_low().then(|| self.space.look()).flatten();
        figures.disk_left = left.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        Ok(figures)
    }
}

fn figures(fleet: &[Agent]) -> QueueFigures {
    let online = |a: &&Agent| a.status == AgentStatus::Online;
    let taking = |a: &&Agent| a.status == AgentStatus::Online && a.availability == Availability::Active;
    QueueFigures {
        busy: fleet.iter().map(|a| a.busy.len() as i64).sum(),
        slots: fleet.iter().filter(taking).map(|a| i64::from(a.slots)).sum(),
        online: fleet.iter().filter(online).count() as i64,
        agents: fleet.len() as i64,
        ..QueueFigures::default()
    }
}

fn items(found: Vec<Reasoned>) -> Vec<QueueItem> {
    found
        .into_iter()
        .zip(1..)
        .map(|(r, position)| QueueItem {
            task_id: r.waiting.place.task,
            job_id: r.waiting.place.job,
            job: r.waiting.job,
            plan: r.waiting.plan,
            branch: r.waiting.branch,
            cause: r.waiting.cause,
            reason_code: r.why.code,
            reason: r.why.sentence,
            blocker: r.why.blocker,
            position,
            priority: r.waiting.place.priority,
            estimated_start: None,
            agents: r.agents,
            since: r.waiting.since,
        })
        .collect()
}
