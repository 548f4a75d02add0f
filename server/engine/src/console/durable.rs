//! Making output durable: one thread that syncs every console with new bytes, together, again and again.
//!
//! The first bytes after a silence are synced at once; while a round runs the next one gathers, so rounds are at most
//! [`PACE`] apart and one slow disk delays acknowledgements, never writers or readers.
//!
//! **Invariant:** a durable offset is told only after the sync that covers it has come back.

use super::file::{Console, locked};
use domain::AttemptId;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rounds begin no closer than this.
const PACE: Duration = Duration::from_millis(10);
/// Syncs at once: more would only queue in the disk.
const AT_ONCE: usize = 4;

/// Is told how far an attempt's console is durable.
pub type OnDurable = Arc<dyn Fn(AttemptId, u64) + Send + Sync>;

#[derive(Default)]
struct State {
    dirty: Vec<Arc<Console>>,
    stop: bool,
}

/// Consoles with bytes that are not durable yet.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

impl Queue {
    /// Notes a console; cheap when it is noted already.
    pub fn add(&self, console: &Arc<Console>) {
        if !console.dirty.swap(true, Ordering::AcqRel) {
            locked(&self.state).dirty.push(Arc::clone(console));
            self.wake.notify_one();
        }
    }

    pub fn stop(&self) {
        locked(&self.state).stop = true;
        self.wake.notify_one();
    }

    /// The thread: until it is stopped and nothing is left.
    pub fn run(&self, told: &OnDurable) {
        loop {
            let batch = {
                let mut state = locked(&self.state);
                while state.dirty.is_empty() && !state.stop {
                    state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.dirty.is_empty() {
                    return;
                }
                std::mem::take(&mut state.dirty)
            };
            let begun = Instant::now();
            if batch.len() == 1 {
                batch.iter().for_each(|c| sync(c, told));
            } else {
                let share = batch.len().div_ceil(AT_ONCE);
                std::thread::scope(|s| {
                    for part in batch.chunks(share) {
                        s.spawn(|| part.iter().for_each(|c| sync(c, told)));
                    }
                });
            }
            drop(batch);
            let state = locked(&self.state);
            if let (Some(rest), false) = (PACE.checked_sub(begun.elapsed()), state.stop) {
                drop(self.wake_by_stop(state, rest));
            }
        }
    }

    fn wake_by_stop<'a>(
        &'a self,
        state: std::sync::MutexGuard<'a, State>,
        rest: Duration,
    ) -> std::sync::MutexGuard<'a, State> {
        self.wake
            .wait_timeout_while(state, rest, |s| !s.stop)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

fn sync(console: &Arc<Console>, told: &OnDurable) {
    // Bytes that come from here on note the console anew.
    console.dirty.store(false, Ordering::Release);
    match console.make_durable() {
        Ok(len) => {
            failpoint::reached("server.synced");
            told(console.attempt, len);
        }
        Err(error) => {
            tracing::error!(attempt = console.attempt.0, %error, "console bytes could not be made durable");
        }
    }
}

/// Whether a console has nothing that waits for the disk.
pub(super) fn is_clean(console: &Console) -> bool {
    !console.dirty.load(Ordering::Acquire)
}

/// Keeps the thread, and ends it with the store.
pub(super) struct Worker {
    pub queue: Arc<Queue>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Worker {
    pub fn start(told: OnDurable) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let q = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("console-sync".into())
            .spawn(move || q.run(&told))?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue.stop();
        if let Some(thread) = self.thread.take() {
            // The last handle may be dropped by the callback itself: a thread cannot wait for its own end.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("the console's sync thread panicked");
            }
        }
    }
}
