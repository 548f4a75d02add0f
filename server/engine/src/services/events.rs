//! News: `domain::ports::Events`, from the store's publisher and the `events` table.
//!
//! **Invariant:** a waker that lags is woken all the same; what happened is always read from the table, by number.

use crate::store::{Store, places};
use async_trait::async_trait;
use domain::auth::{Action, Scope, Viewer, authorize};
use domain::event::{Event, Topic};
use domain::ports::{Events, Wake};
use domain::{Error, ProjectId, Result};
use std::sync::Arc;
use tokio::sync::broadcast;

/// More events than this behind, a reader is told to read the page again.
const TOO_OLD: i64 = 10_000;

/// The service behind `Events`. Cheap to clone.
#[derive(Clone)]
pub struct EventsService {
    store: Store,
}

impl EventsService {
    /// The service over a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Events for EventsService {
    async fn may_follow(&self, viewer: &Viewer, topic: Topic) -> Result<()> {
        let object = match topic {
            Topic::Queue => "the queue".to_owned(),
            Topic::Agents => "the agents".to_owned(),
            Topic::Triggers => "the triggers".to_owned(),
            Topic::Task(id) => format!("task {id}"),
            Topic::Plan(id) => format!("plan {id}"),
        };
        let project = match topic {
            Topic::Queue | Topic::Agents | Topic::Triggers => Some(ProjectId::DEFAULT),
            Topic::Task(id) => places::task(&self.store, id).await?.map(|(project, _)| project),
            Topic::Plan(id) => places::plan_project(&self.store, id).await?,
        };
        if project.is_none() {
            let mut named = object.chars();
            let named: String = named
                .next()
                .map(|c| c.to_uppercase().chain(named).collect())
                .unwrap_or_default();
            return Err(Error::NotFound(named));
        }
        authorize(
            viewer,
            Action::Read,
            Scope {
                project,
                object: &object,
            },
        )
    }

    async fn since(&self, viewer: &Viewer, topic: Option<Topic>, since: i64, limit: u32) -> Result<Option<Vec<Event>>> {
        match topic {
            Some(t) => self.may_follow(viewer, t).await?,
            None => authorize(viewer, Action::Read, Scope::default_project("the events"))?,
        }
        let (newest, oldest) = self.store.event_bounds().await?;
        // One task's events are found by their index, however many others there were.
        let alone = matches!(topic, Some(Topic::Task(_)));
        // A number of a database that was restored, or of rows that were cleared away, or very long ago.
        if since > newest || (since > 0 && since + 1 < oldest) || (!alone && newest - since > TOO_OLD) {
            return Ok(None);
        }
        let limit = limit.max(1);
        if alone {
            return Ok(Some(self.store.events_since(topic, since, limit).await?));
        }
        // A topic's events may be rare among many: look on until there are enough or nothing is left.
        let mut from = since;
        let mut out = Vec::new();
        while from < newest && out.len() < limit as usize {
            let page = self.store.events_since(None, from, limit).await?;
            let Some(last) = page.last().map(|e| e.seq) else { break };
            from = last;
            out.extend(page.into_iter().filter(|e| topic.is_none_or(|t| t.takes(e))));
        }
        Ok(Some(out))
    }

    fn wake(&self) -> Box<dyn Wake> {
        Box::new(Waker(self.store.news()))
    }
}

struct Waker(broadcast::Receiver<Arc<[Event]>>);

#[async_trait]
impl Wake for Waker {
    async fn next(&mut self) -> i64 {
        let mut newest = 0;
        loop {
            match self.0.recv().await {
                Ok(events) => newest = newest.max(events.last().map_or(0, |e| e.seq)),
                Err(broadcast::error::RecvError::Lagged(_)) => newest = i64::MAX,
                // The store is closing: nothing will happen any more.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
            // What came meanwhile needs no waking of its own.
            if self.0.is_empty() && newest > 0 {
                return newest;
            }
        }
    }
}
