//! One agent's connection: hello, then messages both ways until it ends or is replaced.
//!
//! **Invariant:** whatever arrives together is written together; output is stored before the event that follows it is.

use super::hello::{Hello, Proof, proof};
use super::live::Peer;
use super::register::Wish;
use super::told::Gone;
use super::{Dispatch, bounds, translate};
use crate::store::agents;
use bytes::Bytes;
use domain::AgentId;
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use protocol::{AttemptEvent, Fence, FromAgent, OutputFrame, RefusalCode, ToAgent, VERSIONS, common, decode, encode};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a socket carries, whoever owns the socket.
#[derive(Debug, Clone)]
pub enum Frame {
    /// A message.
    Text(String),
    /// Output.
    Binary(Bytes),
}

/// How long a connection may take to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// Most messages written in one go.
const TOGETHER: usize = 256;
/// Holds of others that an agent may speak of before its connection ends: an honest one has a few, after a long absence.
const FOREIGN: usize = 256;

/// An attempt's events of one round, in order.
pub(super) type Reports = Vec<(Fence, u64, AttemptEvent)>;

/// What a session keeps for itself.
pub(super) struct Session {
    pub agent: AgentId,
    /// Its number.
    pub number: i64,
    /// By how much the agent's clock is off as it was written down last, if it is far; `None` before the first look.
    pub clock_off: Option<Option<i64>>,
    /// Whether the agent said that it goes.
    pub leaving: bool,
    /// Reports of an end whose output is not all here yet.
    pub unfinished: HashMap<Fence, (u64, AttemptEvent)>,
    /// From where output was asked for again and has not come: once, and once more with each heartbeat, so that a full
    /// disk or a lost frame is not answered by a storm.
    pub asked: HashMap<Fence, u64>,
    /// The number of the last report of each attempt that goes on.
    pub last: HashMap<Fence, u64>,
    /// Holds that are not this agent's, of which it spoke all the same: each is written down once.
    pub foreign: HashSet<Fence>,
    /// Something it said could not be kept, and must come again: the connection ends.
    pub broken: bool,
}

impl Session {
    /// Whether a report leaves one out. An acknowledgement covers all numbers below its own, so none may be missing.
    fn skips(&mut self, fence: Fence, n: u64, event: &AttemptEvent) -> bool {
        let skips = self.last.insert(fence, n).is_some_and(|last| n > last + 1);
        if matches!(event, AttemptEvent::Ended { .. }) {
            self.last.remove(&fence);
        }
        skips
    }
}

impl Dispatch {
    /// Serves one connection from nowhere in particular to its end.
    pub async fn serve<I, O>(&self, incoming: I, outgoing: O)
    where
        I: Stream<Item = Frame> + Send + Unpin,
        O: Sink<Frame> + Send + Unpin,
    {
        self.serve_from("unknown", incoming, outgoing).await;
    }

    /// Serves one connection from this address to its end.
    pub async fn serve_from<I, O>(&self, from: &str, mut incoming: I, mut outgoing: O)
    where
        I: Stream<Item = Frame> + Send + Unpin,
        O: Sink<Frame> + Send + Unpin,
    {
        let Some(mut first) = first_message(&mut incoming).await else {
            return;
        };
        if let FromAgent::Register {
            versions,
            token,
            credential,
            name,
            hostname,
        } = first
        {
            if common(VERSIONS, &versions).is_none() {
                return refuse(&mut outgoing, RefusalCode::Version, &no_common(&versions)).await;
            }
            let wish = Wish {
                token,
                credential,
                name,
                hostname,
            };
            let answer = match self.register(wish, from).await {
                Ok(answer) => answer,
                Err(e) => return refuse(&mut outgoing, RefusalCode::Other, &e.public().to_string()).await,
            };
            let refused = matches!(answer, ToAgent::Refused { .. });
            if send(&mut outgoing, &mut vec![answer]).await.is_err() || refused {
                let _ = outgoing.close().await;
                return;
            }
            match first_message(&mut incoming).await {
                Some(next) => first = next,
                None => return,
            }
        }
        let FromAgent::Hello {
            versions,
            agent,
            credential,
            have,
            facts,
            labels,
            slots,
            ..
        } = first
        else {
            return refuse(&mut outgoing, RefusalCode::Other, "The first message is not a hello.").await;
        };
        let hello = Hello {
            versions,
            agent,
            credential,
            have,
            facts,
            labels,
            slots,
        };
        match proof(&self.store, hello.agent, &hello.credential).await {
            Ok(Proof::Good) => {}
            Ok(Proof::Removed) => {
                let reason = "This agent was removed by an admin. Empty its data folder to register it anew.";
                return refuse(&mut outgoing, RefusalCode::Removed, reason).await;
            }
            Ok(Proof::Bad) => {
                tracing::warn!(agent.id = %hello.agent, "Refused an agent with a wrong credential");
                let reason = "This server does not know this agent, or its credential is wrong.";
                return refuse(&mut outgoing, RefusalCode::Credential, reason).await;
            }
            Err(e) => return refuse(&mut outgoing, RefusalCode::Other, &e.public().to_string()).await,
        }
        let Some(version) = common(VERSIONS, &hello.versions) else {
            return refuse(&mut outgoing, RefusalCode::Version, &no_common(&hello.versions)).await;
        };
        if let Err(reason) = bounds::hello(&hello.facts, &hello.labels, hello.slots, &hello.have) {
            tracing::warn!(agent.id = %hello.agent, "Refused the hello of agent {}: {reason}", hello.agent);
            return refuse(&mut outgoing, RefusalCode::Other, reason).await;
        }
        let agent = hello.agent;
        // Joined before the write, so that what is placed in it finds this connection.
        let (peer, mut orders) = self.join(agent);
        let number = match self.agree(hello, version).await {
            Ok(agreed) => {
                for message in &agreed.first {
                    if outgoing.feed(Frame::Text(encode(message))).await.is_err() {
                        break;
                    }
                }
                let _ = outgoing.flush().await;
                agreed.session
            }
            Err(e) => {
                self.live.leave(agent, &peer);
                return refuse(&mut outgoing, RefusalCode::Other, &e.public().to_string()).await;
            }
        };
        tracing::info!(agent.id = %agent, session = number, "Agent {agent} is connected");
        let mut session = Session {
            agent,
            number,
            clock_off: None,
            leaving: false,
            unfinished: HashMap::new(),
            asked: HashMap::new(),
            last: HashMap::new(),
            foreign: HashSet::new(),
            broken: false,
        };
        let why = self
            .talk(&mut session, &peer, &mut orders, incoming, &mut outgoing)
            .await;
        if self.live.leave(agent, &peer) {
            self.unheard(&session, why).await;
        }
        let _ = outgoing.close().await;
        tracing::info!(agent.id = %agent, session = number, "Agent {agent} is disconnected");
    }

    async fn talk<I, O>(
        &self,
        session: &mut Session,
        peer: &Peer,
        orders: &mut mpsc::UnboundedReceiver<ToAgent>,
        mut incoming: I,
        outgoing: &mut O,
    ) -> Gone
    where
        I: Stream<Item = Frame> + Send + Unpin,
        O: Sink<Frame> + Send + Unpin,
    {
        let silence = Duration::from_millis(self.settings.unreachable_ms.unsigned_abs());
        let mut answers: Vec<ToAgent> = Vec::new();
        let mut orders_batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = peer.replaced.cancelled() => {
                    let reason = "A newer connection of this agent has taken over.".to_owned();
                    answers.push(ToAgent::Refused { reason, code: RefusalCode::Replaced });
                    let _ = send(outgoing, &mut answers).await;
                    return Gone::Closed;
                }
                n = orders.recv_many(&mut orders_batch, TOGETHER) => {
                    if n == 0 { return Gone::Closed }
                    answers.append(&mut orders_batch);
                }
                got = tokio::time::timeout(silence, incoming.next()) => {
                    let frame = match got {
                        Ok(Some(frame)) => frame,
                        Ok(None) => return Gone::Closed,
                        Err(_) => return Gone::Silent,
                    };
                    let mut reports: Reports = Vec::new();
                    if !self.take(session, frame, &mut reports, &mut answers).await { return Gone::Wrong }
                    // Whatever has arrived meanwhile goes into the same write.
                    // So many at most, and orders have their turn.
                    for _ in 1..TOGETHER {
                        if session.broken || session.foreign.len() > FOREIGN { break }
                        let Some(Some(frame)) = incoming.next().now_or_never() else { break };
                        if !self.take(session, frame, &mut reports, &mut answers).await { return Gone::Wrong }
                    }
                    if !reports.is_empty() && !self.record(session, reports, &mut answers).await {
                        return Gone::Wrong;
                    }
                    if session.broken {
                        return Gone::Wrong;
                    }
                    if session.foreign.len() > FOREIGN {
                        tracing::warn!(agent.id = %session.agent, "Agent {} speaks of too many attempts that are not its own", session.agent);
                        return Gone::Wrong;
                    }
                }
            }
            // Who does not read is gone as well: else nobody would notice that it is silent.
            if !matches!(
                tokio::time::timeout(silence, send(outgoing, &mut answers)).await,
                Ok(Ok(()))
            ) {
                return Gone::Silent;
            }
        }
    }

    /// Takes one frame in; `false` ends the connection.
    async fn take(
        &self,
        session: &mut Session,
        frame: Frame,
        reports: &mut Reports,
        answers: &mut Vec<ToAgent>,
    ) -> bool {
        match frame {
            Frame::Binary(bytes) => match OutputFrame::decode(bytes) {
                Ok(output) => {
                    self.output(session, &output, reports, answers).await;
                    true
                }
                Err(e) => {
                    tracing::warn!(agent.id = %session.agent, "Agent {} sent {e}", session.agent);
                    false
                }
            },
            Frame::Text(text) => {
                match decode::<FromAgent>(&text) {
                    Ok(FromAgent::Attempt { fence, n, event }) => {
                        if session.skips(fence, n, &event) {
                            tracing::warn!(agent.id = %session.agent, attempt.id = %fence.attempt, n, "Agent {} left out a report before its number {n}", session.agent);
                            return false;
                        }
                        self.report(session, fence, n, event, reports, answers).await;
                    }
                    Ok(FromAgent::Heartbeat { running }) => {
                        answers.push(ToAgent::Extend);
                        self.look_after(session, &running, answers).await;
                        self.heard(session.agent);
                        let me = session.agent;
                        let mine = |f: &Fence| self.live.holder(f.attempt) == Some((me, translate::held(*f)));
                        session.asked.retain(|f, _| mine(f));
                        session.last.retain(|f, _| mine(f));
                        // Of an attempt that ended but for its output, the end itself asks again.
                        let asked = session
                            .asked
                            .iter()
                            .filter(|(f, _)| !session.unfinished.contains_key(f));
                        answers.extend(asked.map(|(f, o)| ToAgent::Rewind { fence: *f, offset: *o }));
                        self.ask_again(session, answers);
                        for (fence, (n, event)) in std::mem::take(&mut session.unfinished) {
                            self.report(session, fence, n, event, reports, answers).await;
                        }
                    }
                    Ok(FromAgent::Gone { fence, from, to }) => self.gone(session, fence, from, to, answers).await,
                    Ok(FromAgent::Facts(facts)) => self.new_facts(session.agent, facts).await,
                    Ok(FromAgent::Labels(labels)) => self.new_labels(session.agent, labels).await,
                    Ok(FromAgent::Load(load)) => self.new_load(session, load).await,
                    Ok(FromAgent::Draining) => self.leaves(session).await,
                    // Unknown kinds are ignored; a second hello means nothing.
                    Ok(_) | Err(_) => {}
                }
                true
            }
        }
    }

    fn heard(&self, agent: AgentId) {
        let (store, clock, lease_ms) = (self.store.clone(), self.clock.clone(), self.settings.lease_ms);
        // Not awaited: a heartbeat shall not wait for the disk, and the next one says the same.
        tokio::spawn(async move {
            let now = clock.now();
            let written = store.write(move |tx| agents::heard(tx, agent, now, now.plus(lease_ms)).boxed());
            if let Err(e) = written.await {
                tracing::warn!(agent.id = %agent, error = %e, "Cannot note that agent {agent} was heard: {e}");
            }
        });
    }

    async fn new_facts(&self, agent: AgentId, facts: domain::agent::Facts) {
        if let Err(reason) = bounds::facts(&facts) {
            tracing::warn!(agent.id = %agent, "Passed over new facts of agent {agent}: {reason}");
            return;
        }
        let now = self.clock.now();
        let written = self.store.write(move |tx| {
            let facts = facts.clone();
            async move { agents::set_facts(tx, agent, &facts, now).await }.boxed()
        });
        match written.await {
            // An engine that is back may take what waited for it.
            Ok(()) => self.place().await,
            Err(e) => tracing::error!(agent.id = %agent, error = %e, "Cannot note the facts of agent {agent}: {e}"),
        }
    }
}

/// The first message of a connection; `None` when it does not come in time or is none.
async fn first_message<I: Stream<Item = Frame> + Unpin>(incoming: &mut I) -> Option<FromAgent> {
    let Ok(Some(Frame::Text(text))) = tokio::time::timeout(HELLO, incoming.next()).await else {
        return None;
    };
    Some(decode(&text).unwrap_or(FromAgent::Unknown))
}

fn no_common(theirs: &[u32]) -> String {
    format!(
        "No common protocol version: the server speaks {VERSIONS:?}, the agent {theirs:?}. Renew the older of the two."
    )
}

async fn send<O: Sink<Frame> + Unpin>(outgoing: &mut O, messages: &mut Vec<ToAgent>) -> Result<(), ()> {
    for m in messages.drain(..) {
        outgoing.feed(Frame::Text(encode(&m))).await.map_err(|_| ())?;
    }
    outgoing.flush().await.map_err(|_| ())
}

async fn refuse<O: Sink<Frame> + Unpin>(outgoing: &mut O, code: RefusalCode, reason: &str) {
    let _ = send(
        outgoing,
        &mut vec![ToAgent::Refused {
            reason: reason.to_owned(),
            code,
        }],
    )
    .await;
    let _ = outgoing.close().await;
}
