//! News for all browsers: read once from the table, however many look on.
//!
//! **Invariant:** batches come in the order of their numbers and without a hole; a connection that lags is told so. What has
//! the number 0 is no row: it says that something kept in memory has changed, and may be missed.

use domain::auth::{Grant, Role, Via, Viewer};
use domain::event::Event;
use domain::ports::Ports;
use domain::{Error, Timestamp, UserId};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Batches a connection may lag behind.
const BATCHES: usize = 256;
/// Events of one read.
const PAGE: u32 = 1_000;
/// How seldom browsers hear that the loads of agents have changed.
const PULSE: Duration = Duration::from_secs(10);

/// The one reader of news; it begins with the first browser.
pub(super) struct Feed {
    ports: Ports,
    out: Mutex<Option<broadcast::Sender<Arc<[Event]>>>>,
}

impl Feed {
    pub fn new(ports: Ports) -> Self {
        Self {
            ports,
            out: Mutex::default(),
        }
    }

    /// Every batch from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<[Event]>> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        match &*out {
            Some(feed) => feed.subscribe(),
            None => {
                let (feed, first) = broadcast::channel(BATCHES);
                tokio::spawn(read(self.ports.clone(), feed.clone()));
                tokio::spawn(pulse(self.ports.clone(), feed.clone()));
                *out = Some(feed);
                first
            }
        }
    }
}

/// The server itself: what a browser may see of the news is decided per subscription.
fn server() -> Viewer {
    Viewer {
        user: UserId(0),
        name: "live feed".into(),
        grants: vec![Grant {
            project: None,
            role: Role::Viewer,
        }],
        scopes: None,
        via: Via::Cli,
        authz_epoch: 0,
    }
}

async fn read(ports: Ports, out: broadcast::Sender<Arc<[Event]>>) {
    let viewer = server();
    let mut wake = ports.events.wake();
    let mut at = seq(&ports).await;
    loop {
        match ports.events.since(&viewer, None, at, PAGE).await {
            Ok(Some(events)) if !events.is_empty() => {
                at = events.last().map_or(at, |e| e.seq);
                // Nobody may be listening just now.
                let _ = out.send(events.into());
            }
            Ok(Some(_)) => {
                wake.next().await;
            }
            // Too far behind to be complete: whoever was behind finds out by its own numbers.
            Ok(None) => at = seq(&ports).await,
            Err(error) => {
                tracing::warn!(%error, "News cannot be read: {error}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

/// Says that loads have changed: at once, then not again for a while.
async fn pulse(ports: Ports, out: broadcast::Sender<Arc<[Event]>>) {
    let mut loads = ports.agents.loads();
    loop {
        loads.next().await;
        let changed = Event {
            seq: 0,
            at: Timestamp(0),
            kind: "agent.load".into(),
            subject: "load".into(),
            subject_id: 0,
            task_id: None,
            actor: None,
            body: serde_json::Value::Null,
        };
        let _ = out.send(Arc::from([changed]));
        tokio::time::sleep(PULSE).await;
    }
}

async fn seq(ports: &Ports) -> i64 {
    loop {
        match ports.tasks.seq().await {
            Ok(seq) => return seq,
            Err(Error::Internal(_) | Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(500)).await,
            Err(error) => {
                tracing::warn!(%error, "The newest event cannot be read: {error}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
