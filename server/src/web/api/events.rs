//! News as a stream of server-sent events.
//!
//! **Invariant:** each event carries its number as id, so `Last-Event-ID` resumes without a gap; where that is no longer
//! possible the stream says `reset` and goes on from now.

use super::Doors;
use super::endpoint::{Endpoint, endpoint, field};
use crate::web::body::Fields;
use crate::web::identity::{Identity, Who};
use crate::web::lasting;
use crate::web::refusal::Refusal;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::auth::Viewer;
use domain::event::{Event, Topic};
use domain::ports::{Events, Tasks, Wake};
use domain::{Error, Result};
use futures::stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

/// Events read at once.
const AT_ONCE: u32 = 500;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(
            Method::GET,
            "/events",
            "News as it happens; `Last-Event-ID` resumes behind that event.",
            follow,
        )
        .query([field(
            "topic",
            "`queue`, `agents`, `task/{id}` or `plan/{id}`; everything when absent.",
        )])
        .media("text/event-stream"),
    ]
}

struct Feed {
    events: Arc<dyn Events>,
    tasks: Arc<dyn Tasks>,
    wake: Box<dyn Wake>,
    viewer: Viewer,
    topic: Option<Topic>,
    since: i64,
    ready: VecDeque<sse::Event>,
}

async fn follow(
    State(web): Doors,
    Who(viewer): Who,
    Extension(who): Extension<Identity>,
    headers: HeaderMap,
    fields: Fields,
) -> std::result::Result<Response, Refusal> {
    let topic: Option<Topic> = fields.read("topic", "a topic: use queue, agents, task/12 or plan/3")?;
    let events = web.ports.events.clone();
    // Everything takes what the broadest topic takes.
    events.may_follow(&viewer, topic.unwrap_or(Topic::Queue)).await?;
    // The wake first: what happens between reading `seq` and waiting must not be missed.
    let wake = events.wake();
    let last = headers
        .get("last-event-id")
        .and_then(|v| v.to_str().ok())
        .filter(|v| !v.is_empty());
    let since = match last {
        Some(text) => text
            .parse()
            .map_err(|_| Error::Malformed("`Last-Event-ID` is the number of an event.".into()))?,
        None => web.ports.tasks.seq().await?,
    };
    let mut feed = Feed {
        events,
        tasks: web.ports.tasks.clone(),
        wake,
        viewer: viewer.clone(),
        topic,
        since,
        ready: VecDeque::new(),
    };
    // Once before the answer, so that a refusal is a refusal and not a broken stream.
    feed.read().await?;
    let stream = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let stream = lasting::while_allowed(stream, viewer, who.credential, &web);
    let keep = KeepAlive::new().text("here");
    Ok(([(lasting::UNBUFFERED, "no")], Sse::new(stream).keep_alive(keep)).into_response())
}

impl Feed {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.wake.next().await;
            // The reader comes back with its last id; an error here is told there.
            self.read().await.ok()?;
        }
    }

    /// Reads what there is behind `since`.
    async fn read(&mut self) -> Result<()> {
        match self.events.since(&self.viewer, self.topic, self.since, AT_ONCE).await? {
            Some(events) => {
                for e in events {
                    self.since = self.since.max(e.seq);
                    self.ready.extend(message(&e));
                }
            }
            None => {
                self.since = self.tasks.seq().await?;
                self.ready.push_back(
                    sse::Event::default()
                        .event("reset")
                        .id(self.since.to_string())
                        .data("{}"),
                );
            }
        }
        Ok(())
    }
}

fn message(e: &Event) -> Option<sse::Event> {
    // Data cannot hold a line break: JSON writes none.
    let data = serde_json::to_string(e).ok()?;
    Some(sse::Event::default().id(e.seq.to_string()).event(&e.kind).data(data))
}
