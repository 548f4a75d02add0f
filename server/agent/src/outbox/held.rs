//! One attempt as the connection sees it: its output and events in the order they happened, and how far the server has
//! them.
//!
//! **Invariant:** what is sent interleaves bytes and events exactly as they happened, so an event never overtakes the
//! output it refers to; what is not acknowledged stays and is sent again in the next session.

use super::journal::{Journal, Kept, Line, Noted};
use crate::executor::Handle;
use crate::halt::Cut;
use crate::spool::Spool;
use bytes::Bytes;
use protocol::{AttemptEvent, Fence, FromAgent, Have, HaveState, MAX_OUTPUT, OutputFrame, encode};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that may be on their way beyond what the server has on disk: as much as comes while that writes to a disk, which
/// takes some ten milliseconds at best. It lies in files on both sides, not in memory.
pub const WINDOW: u64 = 16 << 20;
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
    pub(super) journal: Arc<Journal>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Not acknowledged, in order.
    pub(super) events: VecDeque<Noted>,
    /// The last number given.
    pub(super) last: u64,
    /// Gaps of the spool that are among the events, or were.
    pub(super) gaps: usize,
    /// Bytes the server wants again that are forgotten here: from, to.
    gone: Option<(u64, u64)>,
    /// The last number sent in this session.
    sent_event: u64,
    /// Offset sent in this session.
    sent: u64,
    /// Offset the server has for good.
    durable: u64,
    /// Offset the server has, on disk or not: what it asked to go on from in this session.
    had: u64,
    /// When the last frame left.
    left_at: Option<Instant>,
    ended: bool,
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
    pub(super) fn new(fence: Fence, folder: &Path, bell: Arc<Notify>, journal: Arc<Journal>) -> Self {
        let spool = Arc::new(Spool::with_bell(folder, bell.clone()));
        Self {
            fence,
            spool,
            bell,
            journal,
            state: Mutex::default(),
        }
    }

    /// What an earlier run of this agent held.
    pub(super) fn recover(
        fence: Fence,
        folder: &Path,
        bell: Arc<Notify>,
        journal: Arc<Journal>,
        kept: &Kept,
    ) -> io::Result<Self> {
        let spool = Arc::new(Spool::open(folder, bell.clone())?);
        let last = kept.events.last();
        let gone = spool.forgotten();
        let state = State {
            gaps: kept
                .events
                .iter()
                .filter(|e| matches!(e.event, AttemptEvent::Gap(_)))
                .count(),
            sent: gone,
            durable: gone,
            last: last.map_or(0, |e| e.n),
            ended: last.is_some_and(|e| matches!(e.event, AttemptEvent::Ended { .. })),
            events: kept.events.iter().cloned().collect(),
            ..State::default()
        };
        Ok(Self {
            fence,
            spool,
            bell,
            journal,
            state: Mutex::new(state),
        })
    }

    /// Notes that something happened, after all output so far.
    pub fn note(&self, event: AttemptEvent) {
        let mut state = self.lock();
        self.take_gaps(&mut state);
        state.last += 1;
        let noted = Noted {
            n: state.last,
            after: self.spool.len(),
            event,
        };
        // Before anybody can be told.
        self.journal.add(&Line::Note {
            fence: self.fence,
            noted: Cow::Borrowed(&noted),
        });
        if matches!(noted.event, AttemptEvent::Ended { .. }) {
            state.ended = true;
        }
        state.events.push_back(noted);
        drop(state);
        self.bell.notify_one();
    }

    /// Notes where its steps run.
    pub fn runs_at(&self, handle: &Handle) {
        self.journal.add(&Line::Handle {
            fence: self.fence,
            handle: Cow::Borrowed(handle),
        });
    }

    /// Notes why the step that runs is ended, before it is.
    pub fn cuts(&self, cut: &Cut) {
        self.journal.add(&Line::Cut {
            fence: self.fence,
            cut: Cow::Borrowed(cut),
        });
    }

    /// Takes its output on disk away. Blocking.
    pub(super) fn remove(&self) -> io::Result<()> {
        if self.spool.is_empty() && self.spool.gaps(0).is_empty() {
            return Ok(());
        }
        self.spool.remove()
    }

    /// A new session: everything not acknowledged goes again.
    pub fn restart(&self) {
        let mut state = self.lock();
        state.sent = state.durable;
        state.had = state.durable;
        state.gone = None;
        state.sent_event = state.events.front().map_or(state.last, |e| e.n - 1);
    }

    /// What to send next.
    pub fn next(&self, now: Instant) -> Next {
        let mut state = self.lock();
        self.take_gaps(&mut state);
        if let Some((from, to)) = state.gone.take() {
            let fence = self.fence;
            return Next::Text(encode(&FromAgent::Gone { fence, from, to }));
        }
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
        if state.sent.saturating_sub(state.had.max(state.durable)) >= WINDOW {
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
        match self.read(state.sent, ready.min(MAX_OUTPUT as u64) as usize) {
            Ok((frame, to)) => {
                state.sent = to;
                state.left_at = Some(now);
                Next::Frame(frame)
            }
            Err(e) => {
                tracing::error!(attempt = %self.fence.attempt, "The output of attempt {} cannot be read: {e}", self.fence.attempt);
                Next::Later(now + RETRY)
            }
        }
    }

    /// A frame from `from` on, and where it ends. The bytes go from the file to their place in it.
    fn read(&self, from: u64, max: usize) -> io::Result<(Bytes, u64)> {
        let (to, marks) = self.spool.cover(from, max)?;
        let mut frame = OutputFrame::head(self.fence, from, &marks, (to - from) as usize);
        self.spool.read_onto(&mut frame, from, to)?;
        Ok((frame.into(), to))
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
            state.gone = Some((offset, state.durable));
        }
        state.sent = offset.clamp(state.durable, self.spool.len());
        state.had = state.sent;
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
