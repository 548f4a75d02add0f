//! An attempt's place on an engine: its steps' containers, one after the other, on the slot's network.
//!
//! **Invariant:** at most one container of a session runs; after `close` none does, and all are removed or being removed.

use super::client::Engine;
use super::container::{self, Started};
use super::image::Image;
use super::names::Owner;
use super::network::Networks;
use super::profile::Effective;
use super::reaper::Reaper;
use super::workspace;
use crate::executor::ending::{Ending, ending};
use crate::executor::output::Sink;
use crate::executor::{ExecError, Handle, Session, SessionSpec, Signal, StepCommand};
use async_trait::async_trait;
use bollard::query_parameters::KillContainerOptionsBuilder;
use protocol::Exit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How long an engine may take to end what it was told to kill, before its removal is left to the reaper.
const KILLED: Duration = Duration::from_secs(30);

/// What all steps of a session share.
pub(super) struct Place {
    pub engine: Engine,
    pub owner: Owner,
    pub spec: SessionSpec,
    pub image: Image,
    pub network: String,
    pub networks: Arc<Networks>,
    pub limits: Effective,
    pub reaper: Arc<Reaper>,
}

/// A session.
pub(super) struct DockerSession {
    place: Arc<Place>,
    now: Arc<Mutex<Now>>,
}

/// What a session does now.
#[derive(Default)]
struct Now {
    /// Steps begun.
    steps: u32,
    /// No step may begin any more.
    closed: bool,
    /// The step that runs or ran last.
    step: Option<Running>,
    /// A signal that came while a step was being started.
    early: Option<Signal>,
    starting: bool,
}

#[derive(Clone)]
struct Running {
    id: String,
    end: Ending,
}

impl DockerSession {
    pub fn new(place: Place) -> Self {
        Self {
            place: Arc::new(place),
            now: Arc::default(),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        lock(&self.now)
    }

    /// The running step, if one runs.
    fn running(&self) -> Option<Running> {
        self.now().step.clone().filter(|s| !s.end.told())
    }
}

#[async_trait]
impl Session for DockerSession {
    fn handle(&self) -> Option<Handle> {
        None
    }

    async fn resume(&self, _step: StepCommand) -> Result<bool, ExecError> {
        Ok(false)
    }

    async fn start(&self, step: StepCommand) -> Result<(), ExecError> {
        let nth = {
            let mut now = self.now();
            if now.closed || now.starting || now.step.as_ref().is_some_and(|s| !s.end.told()) {
                return Err(ExecError::Machine("This session cannot start a step now.".into()));
            }
            now.starting = true;
            now.early = None;
            now.steps += 1;
            now.steps
        };
        // On a task of its own: a caller that goes away must not leave a container that nobody knows.
        let (place, now) = (self.place.clone(), self.now.clone());
        let launched = tokio::spawn(async move { launch(&place, &now, nth, step).await });
        launched
            .await
            .unwrap_or_else(|e| Err(ExecError::Machine(format!("The step could not be started: {e}."))))
    }

    async fn wait(&self) -> Result<Exit, ExecError> {
        let step = self.now().step.clone();
        match step {
            Some(step) => step.end.wait().await,
            None => Err(ExecError::Machine("No step was started.".into())),
        }
    }

    async fn signal(&self, signal: Signal) {
        {
            let mut now = self.now();
            if now.starting {
                now.early = Some(signal);
                return;
            }
        }
        if let Some(step) = self.running() {
            send(&self.place.engine, &step.id, signal).await;
        }
    }

    async fn close(&self) {
        self.now().closed = true;
        let Some(step) = self.running() else { return };
        let grace = Duration::from_millis(self.place.spec.grace_ms);
        self.signal(Signal::Term).await;
        if timeout(grace, step.end.wait()).await.is_err() {
            self.signal(Signal::Kill).await;
            let _ = timeout(KILLED, step.end.wait()).await;
        }
        if !step.end.told() {
            self.place.reaper.remove(self.place.engine.clone(), step.id);
        }
    }
}

async fn launch(place: &Arc<Place>, now: &Mutex<Now>, nth: u32, step: StepCommand) -> Result<(), ExecError> {
    let started = match prepared(place, nth).await {
        Ok(()) => container::start(place, nth, step).await,
        Err(e) => Err(e),
    };
    let (id, early, closed) = {
        let mut now = lock(now);
        now.starting = false;
        let started = match started {
            Ok(started) => started,
            Err(e) => return Err(e),
        };
        let id = started.id.clone();
        let end = supervise(place.clone(), started);
        now.step = Some(Running { id: id.clone(), end });
        (id, now.early.take(), now.closed)
    };
    if closed {
        send(&place.engine, &id, Signal::Kill).await;
    } else if let Some(signal) = early {
        send(&place.engine, &id, signal).await;
    }
    Ok(())
}

/// Before the first step, when the checkout is done: lets an image's own user into the workspace.
async fn prepared(place: &Place, nth: u32) -> Result<(), ExecError> {
    if nth > 1 || !workspace::foreign(&place.image.user) {
        return Ok(());
    }
    let path = place.spec.workspace.clone();
    let opened = tokio::task::spawn_blocking(move || workspace::open_to_all(&path)).await;
    let user = &place.image.user;
    match opened {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(ExecError::Machine(format!(
            "The workspace could not be opened to the image's user {user}: {e}."
        ))),
        Err(e) => Err(ExecError::Machine(format!(
            "The workspace could not be opened to the image's user {user}: {e}."
        ))),
    }
}

/// Watches a container to its end, then hands it to the reaper.
fn supervise(place: Arc<Place>, started: Started) -> Ending {
    let (tell, end) = ending();
    let id = started.id.clone();
    tokio::spawn(async move {
        let sink = Sink::new(place.spec.spool.clone());
        let ended = container::end(&place.engine, started, &place.image, &sink, place.limits).await;
        if matches!(ended, Err(ExecError::EngineGone(_))) {
            sink.broken_off();
        }
        tell.tell(ended);
        place.reaper.remove(place.engine.clone(), id);
    });
    end
}

async fn send(engine: &Engine, id: &str, signal: Signal) {
    let word = match signal {
        Signal::Term => "SIGTERM",
        Signal::Kill => "SIGKILL",
    };
    let options = KillContainerOptionsBuilder::default().signal(word).build();
    // It may have ended by now; an engine that is away is noticed by whoever waits.
    let _ = engine.api.kill_container(id, Some(options)).await;
}

fn lock(now: &Mutex<Now>) -> MutexGuard<'_, Now> {
    now.lock().unwrap_or_else(PoisonError::into_inner)
}
