//! Whether an engine was restarted since it started a container: what a daemon had read of a container's output and not
//! passed on dies with it, and without live-restore the container does.
//!
//! **Invariant:** *the same life* is only said where it is proved; an engine that does not tell is taken for another.

use super::client::{Engine, gone};
use bollard::errors::Error;
use bollard::models::ContainerState;
use bollard::query_parameters as query;
use domain::Timestamp;
use futures::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::timeout;

/// Milliseconds around a container's start in which the engine told of it.
const AROUND: i64 = 2_000;
/// How long an engine may take to say what it remembers: it may wait until the time asked for is over.
const REMEMBER: Duration = Duration::from_secs(5);

/// What is known of an engine's life since a container began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// It was not restarted.
    pub same: bool,
    /// Its containers go on while it is restarted.
    pub live_restore: bool,
}

/// A word for this life of the engine: it makes its own bridge anew at each start, unless containers run on.
pub(super) async fn word(engine: &Engine) -> Option<String> {
    let bridge = engine.api.inspect_network("bridge", None).await.ok()?;
    bridge.created
}

/// What became of the engine since it started this container, when its life had this `word`.
///
/// # Errors
/// When it is away.
pub(super) async fn since(engine: &Engine, id: &str, state: &ContainerState, was: Option<&str>) -> Result<Life, Error> {
    let live_restore = match engine.api.info().await {
        Ok(info) => info.live_restore_enabled.unwrap_or_default(),
        Err(e) if gone(&e) => return Err(e),
        Err(_) => false,
    };
    let same_word = !live_restore && was.is_some() && word(engine).await.as_deref() == was;
    Ok(Life {
        same: same_word || remembers(engine, id, state).await,
        live_restore,
    })
}

/// Whether the engine remembers having started it: it keeps its last 256 events, and none over a restart.
async fn remembers(engine: &Engine, id: &str, state: &ContainerState) -> bool {
    let Some(at) = state.started_at.as_ref().and_then(|t| Timestamp::parse(t)) else {
        return false;
    };
    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let filters = HashMap::from([("container", vec![id]), ("event", vec!["start"])]);
    let options = query::EventsOptionsBuilder::default()
        .since(&seconds(at.0 - AROUND))
        .until(&seconds(at.0 + AROUND))
        .filters(&filters)
        .build();
    let mut events = std::pin::pin!(engine.api.events(Some(options)));
    matches!(timeout(REMEMBER, events.next()).await, Ok(Some(Ok(_))))
}
