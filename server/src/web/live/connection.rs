//! One browser's connection: reads what it asks, writes what happens, ends when it or its rights do.
//!
//! **Invariant:** everything written goes through one bounded channel; who fills it waits, so memory does not grow with a
//! slow browser. An event is sent once per subscription, in order.

use super::feed::Feed;
use super::view::{self, Wish, text};
use crate::web::identity::Credential;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use domain::Error;
use domain::auth::Viewer;
use domain::event::{Event, Topic};
use domain::live::{FromBrowser, FromServer};
use domain::ports::Ports;
use futures::{SinkExt as _, StreamExt as _};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

/// Messages under way to a browser.
const OUT: usize = 64;
/// Subscriptions and views of one connection.
const MOST: usize = 64;
/// Messages a browser may send between two looks at its rights.
const CHATTER: u32 = 10_000;
/// How often rights are looked at again.
const RIGHTS: Duration = Duration::from_secs(5);
/// How often a silent connection is tried.
const PING: Duration = Duration::from_secs(20);
/// How long one message may take to be written before the browser counts as gone.
const WRITE: Duration = Duration::from_secs(30);
/// Broad topics tell their newest event at most this often.
const CALM: Duration = Duration::from_millis(100);
/// Events caught up with at a subscription; more is a reset.
const CATCH_UP: u32 = 500;
/// The same of a broad topic, of which only the newest is told: a reset says no less, and costs no reading.
const BROAD: u32 = 16;

struct Subscription {
    topic: Topic,
    /// The newest event sent.
    seq: i64,
    /// The newest event not sent yet, of a broad topic.
    owed: Option<Event>,
}

struct View {
    acked: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Drop for View {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Connection {
    ports: Ports,
    viewer: watch::Sender<Viewer>,
    credential: Credential,
    subscriptions: HashMap<u32, Subscription>,
    views: HashMap<u32, View>,
    out: mpsc::Sender<Message>,
    chatter: u32,
}

/// Serves one browser to its end.
pub(super) async fn serve(socket: WebSocket, ports: Ports, viewer: Viewer, credential: Credential, feed: Arc<Feed>) {
    let (sink, mut incoming) = socket.split();
    let (out, queue) = mpsc::channel(OUT);
    let mut writer = tokio::spawn(write(sink, queue));
    let mut news = feed.follow();
    let mut connection = Connection {
        ports,
        viewer: watch::Sender::new(viewer),
        credential,
        subscriptions: HashMap::new(),
        views: HashMap::new(),
        out,
        chatter: 0,
    };
    let mut rights = interval(RIGHTS);
    rights.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rights.tick().await;
    let mut calm: Option<Instant> = None;
    let why = loop {
        let due = calm.unwrap_or_else(Instant::now);
        let go_on = tokio::select! {
            message = incoming.next() => match message {
                Some(Ok(Message::Text(t))) => connection.hear(&t).await,
                Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
                Some(Ok(_)) => Ok(()),
            },
            batch = news.recv() => match batch {
                Ok(events) => connection.news(&events, &mut calm).await,
                Err(broadcast::error::RecvError::Lagged(_)) => connection.reset_all().await,
                Err(broadcast::error::RecvError::Closed) => break None,
            },
            () = sleep_until(due), if calm.is_some() => {
                calm = None;
                connection.pay().await
            },
            _ = rights.tick() => connection.look_at_rights().await,
            _ = &mut writer => break None,
        };
        if let Err(why) = go_on {
            break why;
        }
    };
    if let Some(reason) = why {
        let close = CloseFrame {
            code: axum::extract::ws::close_code::POLICY,
            reason: reason.into(),
        };
        let _ = connection.out.try_send(Message::Close(Some(close)));
    }
    drop(connection);
    let _ = timeout(Duration::from_secs(1), writer).await;
}

/// Writes what is queued, pings when there is nothing.
async fn write(mut sink: futures::stream::SplitSink<WebSocket, Message>, mut queue: mpsc::Receiver<Message>) {
    loop {
        let message = match timeout(PING, queue.recv()).await {
            Ok(Some(m)) => m,
            Ok(None) => return,
            Err(_) => Message::Ping(Vec::new().into()),
        };
        if !matches!(timeout(WRITE, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// `Err` ends the connection, with what the browser is told of it.
type Step = Result<(), Option<&'static str>>;

impl Connection {
    async fn say(&self, message: &FromServer) -> Step {
        self.out.send(text(message)).await.map_err(|_| None)
    }

    async fn hear(&mut self, message: &str) -> Step {
        self.chatter += 1;
        if self.chatter > CHATTER {
            return Err(Some("too many messages"));
        }
        // What is not known is of a later version, and ignored.
        let Ok(message) = serde_json::from_str::<FromBrowser>(message) else {
            return Ok(());
        };
        match message {
            FromBrowser::Sub { id, topic, since } => self.subscribe(id, &topic, since).await,
            FromBrowser::Unsub { id } => {
                self.subscriptions.remove(&id);
                Ok(())
            }
            FromBrowser::View {
                id,
                attempt,
                from,
                follow,
            } => {
                self.view(Wish {
                    id,
                    attempt,
                    from,
                    follow,
                })
                .await
            }
            FromBrowser::Unview { id } => {
                self.views.remove(&id);
                Ok(())
            }
            FromBrowser::Ack { id, offset } => {
                if let Some(v) = self.views.get(&id) {
                    v.acked.send_modify(|a| *a = (*a).max(offset));
                }
                Ok(())
            }
        }
    }

    fn full(&mut self, id: u32) -> bool {
        // A view that was refused or has ended holds no place.
        self.views.retain(|_, v| !v.task.is_finished());
        let known = self.subscriptions.contains_key(&id) || self.views.contains_key(&id);
        !known && self.subscriptions.len() + self.views.len() >= MOST
    }

    async fn refuse(&self, id: u32, detail: impl Into<String>) -> Step {
        self.say(&FromServer::Refused {
            id,
            detail: detail.into(),
        })
        .await
    }

    async fn subscribe(&mut self, id: u32, topic: &str, since: i64) -> Step {
        let Ok(topic) = topic.parse::<Topic>() else {
            return self.refuse(id, format!("There is no topic `{topic}`.")).await;
        };
        if self.full(id) {
            return self.refuse(id, "This connection follows too much already.").await;
        }
        let viewer = self.viewer.borrow().clone();
        if let Err(e) = self.ports.events.may_follow(&viewer, topic).await {
            return self.refuse(id, e.to_string()).await;
        }
        let mut seq = since;
        let most = if narrow(topic) { CATCH_UP } else { BROAD };
        match self.ports.events.since(&viewer, Some(topic), since, most).await {
            Ok(Some(events)) if events.len() < most as usize => {
                let newest = events.last().map_or(since, |e| e.seq);
                let events = if narrow(topic) {
                    events
                } else {
                    events.into_iter().next_back().into_iter().collect()
                };
                for event in events {
                    self.say(&FromServer::Ev { id, event }).await?;
                }
                seq = newest;
            }
            Ok(_) => self.say(&FromServer::Reset { id }).await?,
            Err(e) => return self.refuse(id, e.to_string()).await,
        }
        self.subscriptions.insert(id, Subscription { topic, seq, owed: None });
        Ok(())
    }

    async fn view(&mut self, wish: Wish) -> Step {
        let id = wish.id;
        if self.full(id) {
            return self.refuse(id, "This connection follows too much already.").await;
        }
        // The old view of this id ends before the new one begins.
        self.views.remove(&id);
        let (acked, acks) = watch::channel(wish.from);
        let (console, viewer) = (Arc::clone(&self.ports.console), self.viewer.subscribe());
        let task = tokio::spawn(view::run(console, viewer, wish, acks, self.out.clone()));
        self.views.insert(id, View { acked, task });
        Ok(())
    }

    async fn news(&mut self, events: &[Event], calm: &mut Option<Instant>) -> Step {
        let mut now = Vec::new();
        for (id, sub) in &mut self.subscriptions {
            let (topic, last) = (sub.topic, sub.seq);
            for event in events.iter().filter(|e| topic.takes(e)) {
                if event.seq == 0 {
                    // No row: it takes the place of nothing that is owed, and carries the number known already.
                    let seq = sub.seq;
                    sub.owed.get_or_insert_with(|| Event { seq, ..event.clone() });
                    continue;
                }
                if event.seq <= last {
                    continue;
                }
                sub.seq = event.seq;
                if narrow(topic) {
                    now.push((*id, event.clone()));
                } else {
                    sub.owed = Some(event.clone());
                }
            }
        }
        for (id, event) in now {
            self.say(&FromServer::Ev { id, event }).await?;
        }
        // Leading edge here too: the first news of a broad topic leaves at once, then all is calm for a while.
        if calm.is_none() && self.pay_any().await? {
            *calm = Some(Instant::now() + CALM);
        }
        Ok(())
    }

    async fn pay(&mut self) -> Step {
        self.pay_any().await.map(drop)
    }

    async fn pay_any(&mut self) -> Result<bool, Option<&'static str>> {
        let owed: Vec<_> = self
            .subscriptions
            .iter_mut()
            .filter_map(|(id, s)| s.owed.take().map(|event| (*id, event)))
            .collect();
        let any = !owed.is_empty();
        for (id, event) in owed {
            self.say(&FromServer::Ev { id, event }).await?;
        }
        Ok(any)
    }

    /// News were missed: every page reads again.
    async fn reset_all(&mut self) -> Step {
        for id in self.subscriptions.keys().copied().collect::<Vec<_>>() {
            self.say(&FromServer::Reset { id }).await?;
        }
        Ok(())
    }

    /// The viewer's present rights; what they no longer allow ends.
    async fn look_at_rights(&mut self) -> Step {
        self.chatter = 0;
        self.views.retain(|_, v| !v.task.is_finished());
        let access = &self.ports.access;
        let viewer = self.viewer.borrow().clone();
        // A session that was ended elsewhere, or a token that was revoked, ends here too.
        match self.credential.present(access.as_ref(), &viewer).await {
            Ok(Some(now)) if now.grants == viewer.grants && now.authz_epoch == viewer.authz_epoch => return Ok(()),
            Ok(Some(now)) => {
                self.viewer.send_replace(now.clone());
                for (id, topic) in self
                    .subscriptions
                    .iter()
                    .map(|(id, s)| (*id, s.topic))
                    .collect::<Vec<_>>()
                {
                    if let Err(e) = self.ports.events.may_follow(&now, topic).await {
                        self.subscriptions.remove(&id);
                        self.refuse(id, e.to_string()).await?;
                    }
                }
            }
            Ok(None) => return Err(Some("signed out")),
            // A database that does not answer takes nobody's rights away.
            Err(Error::Unavailable(_) | Error::Internal(_)) => {}
            Err(_) => return Err(Some("signed out")),
        }
        Ok(())
    }
}

/// Whether every event of a topic is told, not only the newest: few enough, and a page may show them.
fn narrow(topic: Topic) -> bool {
    matches!(topic, Topic::Task(_) | Topic::Plan(_))
}
