//! One attempt as the connection sees it: its output and events in the order they happened, and how far the server has
//! them.
//!
//! **Invariant:** what is sent interleaves bytes and events exactly as they happened, so an event never overtakes the
//! output it refers to; what is not acknowledged stays and is sent again in the next session.

use crate::spool::Spool;
use bytes::Bytes;
use protocol::{AttemptEvent, Fence, FromAgent, Have, HaveState, MAX_OUTPUT, OutputFrame, encode};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that may be on their way beyond what the server has on disk.
pub const WINDOW: u64 = 4 << 20;
/// The first bytes leave at once; those that follow within this time leave together.
const GATHER: Duration = Duration::from_millis(1);
/// When a spool cannot be read, it is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// An attempt that is running, or has ended and is not wholly reported.
pub struct Held {
    /// Which.
    pub fence: Fence,
    /// Its output.
    pub spool: Arc<Spool>,
    bell: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Not acknowledged, in order.
    events: VecDeque<Noted>,
    /// The last number given.
    last: u64,
    /// The last number sent in this session.
    sent_event: u64,
    /// Offset sent in this session.
    sent: u64,
    /// Offset the server has for good.
    durable: u64,
    /// When the last frame left.
    left_at: Option<Instant>,
    ended: bool,
}

/// An event, and how much output came before it.
#[derive(Clone, Serialize, Deserialize)]
struct Noted {
    n: u64,
    after: u64,
    event: AttemptEvent,
}

/// What a report on disk holds: all that is needed to finish telling about an ended attempt after a restart.
#[derive(Serialize, Deserialize)]
struct Report {
    durable: u64,
    events: VecDeque<Noted>,
}

/// What the connection does next for one attempt.
pub enum Next {
    /// Send this text message.
    Text(String),
    /// Send this binary frame.
    Frame(Bytes),
    /// Ask again then; more may have come.
    Later(Instant),
    /// Nothing until the bell rings.
    Nothing,
}

impl Held {
    pub(super) fn new(fence: Fence, folder: &Path, bell: Arc<Notify>) -> Self {
        let spool = Arc::new(Spool::with_bell(folder, bell.clone()));
        Self {
            fence,
            spool,
            bell,
            state: Mutex::default(),
        }
    }

    /// What an earlier run of this agent left; `None` when it had not ended then.
    pub(super) fn recover(fence: Fence, folder: &Path, bell: Arc<Notify>) -> io::Result<Option<Self>> {
        let report = match std::fs::read(folder.join("report")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => std::fs::read(beside(folder)),
            read => read,
        };
        let report = match report {
            Ok(report) => report,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let report: Report = serde_json::from_slice(&report)?;
        let spool = Arc::new(Spool::open(folder, bell.clone())?);
        spool.forget(report.durable);
        let state = State {
            last: report.events.back().map_or(0, |e| e.n),
            sent_event: report.events.front().map_or(0, |e| e.n - 1),
            sent: report.durable,
            durable: report.durable,
            events: report.events,
            ended: true,
            ..State::default()
        };
        Ok(Some(Self {
            fence,
            spool,
            bell,
            state: Mutex::new(state),
        }))
    }

    /// Notes that something happened, after all output so far.
    pub fn note(&self, event: AttemptEvent) {
        let mut state = self.lock();
        state.last += 1;
        let noted = Noted {
            n: state.last,
            after: self.spool.len(),
            event,
        };
        if matches!(noted.event, AttemptEvent::Ended { .. }) {
            state.ended = true;
        }
        state.events.push_back(noted);
        let report = state.ended.then(|| Report {
            durable: state.durable,
            events: state.events.clone(),
        });
        drop(state);
        if let Some(report) = report
            && let Err(e) = self.keep(&report)
        {
            tracing::warn!(attempt = %self.fence.attempt, "The report of attempt {} could not be kept on disk: {e}", self.fence.attempt);
        }
        self.bell.notify_one();
    }

    /// Writes the report of an ended attempt, so that a restart in the moment before its acknowledgement loses nothing.
    fn keep(&self, report: &Report) -> io::Result<()> {
        let folder = self.spool.folder();
        let path = if self.spool.is_empty() {
            beside(folder)
        } else {
            folder.join("report")
        };
        let new = path.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(report)?)?;
        std::fs::rename(&new, &path)
    }

    /// Takes all that is on disk of it away. Blocking.
    pub(super) fn remove(&self) -> io::Result<()> {
        if !self.spool.is_empty() {
            self.spool.remove()?;
        }
        match std::fs::remove_file(beside(self.spool.folder())) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// A new session: everything not acknowledged goes again.
    pub fn restart(&self) {
        let mut state = self.lock();
        state.sent = state.durable;
        state.sent_event = state.events.front().map_or(state.last, |e| e.n - 1);
    }

    /// What to send next.
    pub fn next(&self, now: Instant) -> Next {
        let mut state = self.lock();
        let waiting = state.events.iter().find(|e| e.n > state.sent_event).cloned();
        let limit = waiting.as_ref().map_or_else(|| self.spool.len(), |e| e.after);
        if state.sent < limit {
            return self.frame(&mut state, limit, waiting.is_some(), now);
        }
        let Some(noted) = waiting else { return Next::Nothing };
        state.sent_event = noted.n;
        Next::Text(encode(&FromAgent::Attempt {
            fence: self.fence,
            n: noted.n,
            event: noted.event,
        }))
    }

    fn frame(&self, state: &mut State, limit: u64, hurry: bool, now: Instant) -> Next {
        if state.sent.saturating_sub(state.durable) >= WINDOW {
            return Next::Nothing;
        }
        let ready = limit - state.sent;
        if let Some(then) = state
            .left_at
            .map(|t| t + GATHER)
            .filter(|t| !hurry && ready < MAX_OUTPUT as u64 && *t > now)
        {
            return Next::Later(then);
        }
        match self.spool.read(state.sent, ready.min(MAX_OUTPUT as u64) as usize) {
            Ok(piece) => {
                let frame = OutputFrame {
                    fence: self.fence,
                    offset: state.sent,
                    marks: piece.marks,
                    bytes: piece.bytes,
                };
                state.sent += frame.bytes.len() as u64;
                state.left_at = Some(now);
                Next::Frame(frame.encode())
            }
            Err(e) => {
                tracing::error!(attempt = %self.fence.attempt, "The output of attempt {} cannot be read: {e}", self.fence.attempt);
                Next::Later(now + RETRY)
            }
        }
    }

    /// Events up to `n` are committed at the server.
    pub fn acknowledge(&self, n: u64) {
        let mut state = self.lock();
        while state.events.front().is_some_and(|e| e.n <= n) {
            state.events.pop_front();
        }
        state.sent_event = state.sent_event.max(n.min(state.last));
    }

    /// Output up to `offset` is on the server's disk.
    pub fn durable(&self, offset: u64) {
        let mut state = self.lock();
        let offset = offset.min(self.spool.len());
        if offset > state.durable {
            state.durable = offset;
            state.sent = state.sent.max(offset);
            drop(state);
            self.spool.forget(offset);
            self.bell.notify_one();
        }
    }

    /// The server wants the output from `offset` on, again.
    pub fn rewind(&self, offset: u64) {
        let mut state = self.lock();
        if offset < state.durable {
            tracing::error!(
                attempt = %self.fence.attempt,
                "The server wants output of attempt {} again that it had on disk and that is gone here ({offset} < {})",
                self.fence.attempt, state.durable
            );
        }
        state.sent = offset.clamp(state.durable, self.spool.len());
        drop(state);
        self.bell.notify_one();
    }

    /// Whether it has ended and the server has all of it: an end is acknowledged only once every byte of it is stored.
    #[must_use]
    pub fn told(&self) -> bool {
        let state = self.lock();
        state.ended && state.events.is_empty()
    }

    /// Whether it runs still.
    #[must_use]
    pub fn running(&self) -> bool {
        !self.lock().ended
    }

    /// How it is named at connect.
    #[must_use]
    pub fn have(&self) -> Have {
        let state = if self.running() {
            HaveState::Running
        } else {
            HaveState::Unreported
        };
        Have {
            fence: self.fence,
            state,
            offset: self.spool.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the report of an attempt without output lies: a folder of its own would cost more than its step.
fn beside(folder: &Path) -> PathBuf {
    folder.with_extension("report")
}
