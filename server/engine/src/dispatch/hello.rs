//! The first words of a connection: who it is, which version both speak, and what became of the attempts it held.
//!
//! **Invariant:** after a hello, server and agent agree on every attempt: held by both, handed out anew, forgotten by the
//! agent, or lost.

use super::assignment::{self, Given};
use super::{Dispatch, translate};
use crate::queue::apply;
use crate::scheduler::place_waiting;
use crate::store::agents::{self, HeldAttempt};
use crate::store::{Result, Store};
use domain::agent::Facts;
use domain::label::Labels;
use domain::lifecycle::{Effect, Event, Fence};
use domain::{AgentId, AttemptId, TaskId};
use futures::FutureExt;
use protocol::{Have, ToAgent};
use sha2::{Digest, Sha256};

/// How a credential is stored: SHA-256, hex. It is 256 random bits, so no slow hash is needed.
#[must_use]
pub fn credential_hash(credential: &str) -> String {
    Sha256::digest(credential.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// What an agent says first.
pub(super) struct Hello {
    pub versions: Vec<u32>,
    pub agent: AgentId,
    pub credential: String,
    pub have: Vec<Have>,
    pub facts: Facts,
    pub labels: Labels,
    pub slots: u32,
}

/// What it is answered: the session's number and what to send first.
pub(super) struct Agreed {
    pub session: i64,
    pub first: Vec<ToAgent>,
}

/// What a credential is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It is this agent's.
    Good,
    /// It was this agent's, which an admin removed.
    Removed,
    /// It is not.
    Bad,
}

/// Whether the credential is the agent's, in constant time.
pub(super) async fn proof(store: &Store, agent: AgentId, credential: &str) -> Result<Proof> {
    let Some((stored, removed)) = agents::credential(store, agent).await? else {
        return Ok(Proof::Bad);
    };
    let given = credential_hash(credential);
    let differs = stored
        .bytes()
        .zip(given.bytes())
        .fold(stored.len() ^ given.len(), |d, (a, b)| d | usize::from(a ^ b));
    Ok(match (differs, removed) {
        (0, false) => Proof::Good,
        (0, true) => Proof::Removed,
        _ => Proof::Bad,
    })
}

/// What is to be done about one attempt the rows say the agent holds.
enum Verdict {
    Goes,
    Again,
    Lost,
}

fn verdict(row: &HeldAttempt, have: &[Have]) -> Verdict {
    let has = have
        .iter()
        .any(|h| h.fence.attempt.0 == row.attempt_id && h.fence.epoch == row.epoch);
    match (has, row.status.as_str()) {
        (true, _) => Verdict::Goes,
        // It was handed out and the agent never said that it took it: the message was lost, not the work.
        (false, "assigned") => Verdict::Again,
        (false, _) => Verdict::Lost,
    }
}

impl Dispatch {
    /// Begins a session and reconciles what is held, in one write.
    pub(super) async fn agree(&self, hello: Hello, version: u32) -> Result<Agreed> {
        let (clock, lease_ms, terms) = (self.clock.clone(), self.settings.lease_ms, self.terms());
        let Hello {
            agent,
            have,
            facts,
            labels,
            slots,
            ..
        } = hello;
        let asked = have.clone();
        let (session, held, mut effects) = self
            .store
            .write(move |tx| {
                let (have, facts, labels, terms) = (asked.clone(), facts.clone(), labels.clone(), terms.clone());
                let now = clock.now();
                async move {
                    let session = agents::connected(tx, agent, &facts, &labels, slots, now).await?;
                    agents::heard(tx, agent, now, now.plus(lease_ms)).await?;
                    let held = agents::held(tx, agent).await?;
                    let mut effects = Vec::new();
                    for row in held.iter().filter(|r| matches!(verdict(r, &have), Verdict::Lost)) {
                        let gone = Event::AgentForgot {
                            attempt: AttemptId(row.attempt_id),
                            epoch: row.epoch,
                        };
                        effects.extend(apply(tx, TaskId(row.task_id), vec![gone], None, now).await?.effects);
                    }
                    effects.extend(place_waiting(tx, &terms, now).await?);
                    Ok((session, held, effects))
                }
                .boxed()
            })
            .await?;
        let welcome = ToAgent::Welcome {
            version,
            session,
            server: self.settings.server.clone(),
            heartbeat_ms: self.settings.heartbeat_ms.unsigned_abs(),
            lease_ms: self.settings.lease_ms.unsigned_abs(),
        };
        let mut first = vec![welcome];
        for h in &have {
            if !held
                .iter()
                .any(|r| r.attempt_id == h.fence.attempt.0 && r.epoch == h.fence.epoch)
            {
                first.push(ToAgent::Forget { fence: h.fence });
            }
        }
        for row in &held {
            let fence = Fence {
                attempt: AttemptId(row.attempt_id),
                epoch: row.epoch,
            };
            match verdict(row, &have) {
                Verdict::Goes => {
                    self.live.begin(fence, agent, self.clock.elapsed());
                    self.live.sign(fence.attempt, self.clock.elapsed());
                    let offset = self.stored(fence.attempt).await;
                    first.push(ToAgent::Rewind {
                        fence: translate::fence(fence),
                        offset,
                    });
                    // Set-up that was cut short is done again, and no agent keeps what proves who asks.
                    if matches!(row.status.as_str(), "assigned" | "preparing")
                        && let Some(given) = self.given(fence).await?
                    {
                        first.push(given.proves(fence));
                    }
                    if row.desired == "abort" {
                        first.push(ToAgent::Abort {
                            fence: translate::fence(fence),
                        });
                    }
                }
                Verdict::Again => {
                    if let Some(given) = self.given(fence).await? {
                        self.live.begin(fence, agent, self.clock.elapsed());
                        first.extend(given.messages(fence));
                    }
                }
                // The agent is here and does not have it: there is nobody to tell but those who follow its console.
                Verdict::Lost => {
                    self.live.end(fence.attempt);
                    self.consoles.ended(fence.attempt);
                    effects.retain(|e| !matches!(e, Effect::Forget { fence: f, .. } if *f == fence));
                }
            }
        }
        self.out.send(effects);
        Ok(Agreed { session, first })
    }

    async fn given(&self, fence: Fence) -> Result<Option<Given>> {
        assignment::read(&self.store, &self.remotes, &self.settings, fence).await
    }

    /// Bytes stored of an attempt.
    async fn stored(&self, attempt: AttemptId) -> u64 {
        let consoles = self.consoles.clone();
        let read = tokio::task::spawn_blocking(move || consoles.received(attempt)).await;
        match read {
            Ok(Ok(received)) => received,
            _ => 0,
        }
    }
}
