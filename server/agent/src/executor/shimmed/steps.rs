//! The steps of one attempt below one shim.
//!
//! **Invariant:** a job is taken once however often it is given; an end is told when all output before it is stored; letting
//! go leaves everything to be found again.

use super::Shim;
use super::tail::{Seen, Tail};
use crate::executor::output::Sink;
use shim::record;
use shim::wire::{End, Exit, Job, ToShim};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// A shim that is away for so long is gone: it calls every tenth of a second.
const GONE: Duration = Duration::from_secs(3);
/// Bells are rung for everything; this is the belt.
const LOOK: Duration = Duration::from_secs(1);
/// How long a shim that is away is waited for when a job is to be given.
const CALL: Duration = Duration::from_secs(10);

/// The steps.
pub(in crate::executor) struct Steps {
    shim: Arc<Shim>,
    seen: watch::Receiver<Seen>,
    tail: Mutex<Option<(oneshot::Sender<()>, JoinHandle<Shim>)>>,
}

/// The shim is gone, and the step with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::executor) struct Gone;

impl Steps {
    /// Begins to read what a shim's steps write; `beside` is an end that the spool could not take and that nobody heard of.
    pub(super) fn new(shim: Shim, tail: Tail, sink: Sink, beside: Option<End>) -> Self {
        let shim = Arc::new(shim);
        let (tell, seen) = watch::channel(tail.seen.clone());
        let (stop, stopped) = oneshot::channel();
        let reading = tokio::spawn(read(shim.clone(), tail, sink, tell, stopped, beside));
        Self {
            shim,
            seen,
            tail: Mutex::new(Some((stop, reading))),
        }
    }

    /// Starts a step; `false` when it could not be started, and `wait` says why.
    ///
    /// # Errors
    /// When the shim is gone.
    pub async fn start(&self, job: Job) -> Result<bool, Gone> {
        let step = job.step;
        let message = ToShim::Job(Box::new(job));
        let mut seen = self.seen.clone();
        let mut ups = self.shim.line.ups();
        loop {
            // Behind a reconnection its hello tells whether the job arrived.
            let taken = self.shim.line.standing().step == step;
            if !taken && !self.shim.line.say(&message).await {
                if self.seen.borrow().gone || timeout(CALL, self.shim.line.met()).await.is_err() {
                    return Err(Gone);
                }
                continue;
            }
            ups.mark_unchanged();
            let done = tokio::select! {
                done = seen.wait_for(|s| s.gone || begun(s, step)) => Some(done.map_err(|_| Gone)?.clone()),
                _ = ups.changed() => None,
            };
            match done {
                Some(done) if begun(&done, step) => return Ok(ran(&done, step)),
                Some(_) => return Err(Gone),
                None => self.shim.line.met_or(&mut seen).await,
            }
        }
    }

    /// Whether a step began here, or was taken and will.
    pub fn knows(&self, step: i64) -> bool {
        begun(&self.seen.borrow(), step) || self.shim.line.standing().step == step
    }

    /// Waits for a step's end.
    ///
    /// # Errors
    /// When the shim is gone without having told it.
    pub async fn wait(&self, step: i64) -> Result<End, Gone> {
        let mut seen = self.seen.clone();
        let over = |s: &Seen| s.end.as_ref().filter(|e| e.step == step).cloned();
        let seen = seen.wait_for(|s| s.gone || over(s).is_some()).await.map_err(|_| Gone)?;
        over(&seen).ok_or(Gone)
    }

    /// Whether a step has ended.
    pub fn ended(&self, step: i64) -> bool {
        let seen = self.seen.borrow();
        seen.gone || seen.end.as_ref().is_some_and(|e| e.step == step)
    }

    /// Orders something.
    pub async fn order(&self, message: &ToShim) {
        self.shim.line.say(message).await;
    }

    /// Stops reading and gives the shim back; `None` when it was given back already.
    pub async fn release(&self) -> Option<Shim> {
        let (stop, reading) = self.tail.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        drop(stop);
        reading.await.ok()
    }
}

/// Reading ends with the last who wants to know; what runs goes on.
impl Drop for Steps {
    fn drop(&mut self) {
        if let Some((_, reading)) = self.tail.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            reading.abort();
        }
    }
}

fn begun(seen: &Seen, step: i64) -> bool {
    seen.started == step || seen.end.as_ref().is_some_and(|e| e.step == step)
}

/// Whether it was started: a full disk may have taken that word, but not that of its end.
fn ran(seen: &Seen, step: i64) -> bool {
    let ended = seen.end.as_ref().filter(|e| e.step == step);
    seen.started == step || ended.is_some_and(|e| !matches!(e.exit, Exit::NotStarted { .. }))
}

/// Reads until told to stop, or the shim is gone and all it left is read.
async fn read(
    shim: Arc<Shim>,
    mut tail: Tail,
    sink: Sink,
    tell: watch::Sender<Seen>,
    mut stopped: oneshot::Receiver<()>,
    beside: Option<End>,
) -> Shim {
    let at = follow(&shim, &mut tail, &sink, &tell, &mut stopped, beside).await;
    // Whoever ends this waits for it, and has no other hold on the shim.
    Shim {
        home: shim.home.clone(),
        line: shim.line.clone(),
        at,
    }
}

async fn follow(
    shim: &Shim,
    tail: &mut Tail,
    sink: &Sink,
    tell: &watch::Sender<Seen>,
    stopped: &mut oneshot::Receiver<()>,
    mut beside: Option<End>,
) -> u64 {
    let line = &shim.line;
    let mut lost = std::pin::pin!(line.lost(GONE));
    let mut gone = false;
    loop {
        // Asked for first: all output before it is in the spool by now.
        beside = line.ended().or(beside);
        loop {
            match tail.drain(sink).await {
                Ok(true) => {
                    line.read(tail.at).await;
                    tail.punch(sink.stored());
                    told(tell, &tail.seen);
                }
                Ok(false) => break,
                Err(e) => {
                    tracing::error!("The spool of the shim {} cannot be read: {e}", shim.home.name());
                    gone = true;
                    break;
                }
            }
        }
        // Nothing is left to read: an end that only the record could take counts now.
        let left = beside.take();
        let left = left.or_else(|| record::read(&shim.home.record().ok()?).filter(|_| gone));
        if let Some(end) = left.filter(|e| tail.seen.end.as_ref().is_none_or(|known| known.step != e.step)) {
            if end.dropped > 0 {
                sink.dropped(end.dropped);
            }
            tail.seen.end = Some(end);
        }
        tail.seen.gone = gone;
        told(tell, &tail.seen);
        if gone {
            return tail.at;
        }
        tokio::select! {
            biased;
            _ = &mut *stopped => return tail.at,
            () = line.news() => {}
            () = &mut lost => gone = true,
            () = sleep(LOOK) => tail.rest(),
        }
    }
}

fn told(tell: &watch::Sender<Seen>, seen: &Seen) {
    tell.send_if_modified(|now| {
        let news = now != seen;
        if news {
            now.clone_from(seen);
        }
        news
    });
}
