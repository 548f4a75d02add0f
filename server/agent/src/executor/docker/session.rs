//! An attempt's place on an engine: its steps' containers, one after the other, on the slot's network.
//!
//! **Invariant:** at most one container of a session runs; after `close` none does, and all are removed or being removed;
//! a session that is let go without it leaves its container to be found again, by its labels.

use super::client::{Engine, fault};
use super::container;
use super::image::Image;
use super::names::{Owner, STEP};
use super::network::Networks;
use super::profile::Effective;
use super::reaper::Reaper;
use super::{watch, workspace};
use crate::executor::ending::{Ending, ending};
use crate::executor::output::Sink;
use crate::executor::{ExecError, Handle, Session, SessionSpec, Signal, StepCommand};
use async_trait::async_trait;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{KillContainerOptionsBuilder, ListContainersOptionsBuilder};
use domain::AttemptId;
use domain::status::ExecutorKind;
use protocol::Exit;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

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
    /// What an earlier agent left of it.
    left: Mutex<Vec<ContainerSummary>>,
}

/// What is needed to find a session again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Attached {
    pub attempt: AttemptId,
    pub slot: usize,
    pub network: String,
    pub image: Image,
    pub limits: Effective,
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
    /// Goes with the session: what is let go is for another to watch.
    _watched: Arc<AbortOnDropHandle<()>>,
}

impl DockerSession {
    pub fn new(place: Arc<Place>) -> Self {
        Self {
            place,
            now: Arc::default(),
            left: Mutex::default(),
        }
    }

    /// The session an earlier agent had.
    ///
    /// # Errors
    /// When the engine does not say what is left of it.
    pub async fn find(place: Arc<Place>) -> Result<Self, ExecError> {
        let left = containers(&place.engine, &place.owner, place.spec.attempt).await?;
        Ok(Self {
            left: Mutex::new(left),
            ..Self::new(place)
        })
    }

    /// Removes what an earlier agent left and nobody takes up.
    fn discard(&self) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for id in left.into_iter().filter_map(|c| c.id) {
            self.place.reaper.remove(self.place.engine.clone(), id);
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
        let attached = Attached {
            attempt: self.place.spec.attempt,
            slot: self.place.spec.slot,
            network: self.place.network.clone(),
            image: self.place.image.clone(),
            limits: self.place.limits,
        };
        Some(Handle {
            kind: ExecutorKind::Docker,
            data: serde_json::to_value(attached).ok()?,
        })
    }

    async fn resume(&self, step: StepCommand, from: u64) -> Result<bool, ExecError> {
        let found = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let its = |c: &ContainerSummary| c.labels.as_ref().and_then(|l| l.get(STEP)) == Some(&step.id.to_string());
            left.iter().position(its).map(|i| left.swap_remove(i))
        };
        self.discard();
        let Some((state, id)) = found.and_then(|c| Some((c.state, c.id?))) else {
            // Whether it was made and removed, or never made, nobody knows: nothing may run twice.
            return Err(ExecError::EngineGone(
                "The agent was restarted, and the step's container was gone when it came back.".into(),
            ));
        };
        if state == Some(ContainerSummaryStateEnum::CREATED) {
            self.place.reaper.remove_now(&self.place.engine, &id).await;
            return Ok(false);
        }
        let (place, container) = (self.place.clone(), id.clone());
        let running = supervise(self.place.clone(), id, async move {
            watch::resumed(&place, &container, from).await
        });
        let end = running.end.clone();
        {
            let mut now = self.now();
            now.steps += 1;
            now.step = Some(running);
        }
        if state != Some(ContainerSummaryStateEnum::RUNNING) {
            // Its end is there to be told: no time that is over by now comes before it.
            let _ = end.wait().await;
        }
        Ok(true)
    }

    async fn start(&self, step: StepCommand) -> Result<(), ExecError> {
        if step.keep {
            return Err(ExecError::Refused(
                "The step is to keep what it leaves running (keep: true), and on this agent each step has a container of its own: its engine cannot reach the agent's folders. Run the job on an agent beside its engine."
                    .into(),
            ));
        }
        let nth = {
            let mut now = self.now();
            if now.closed || now.starting || now.step.as_ref().is_some_and(|s| !s.end.told()) {
                return Err(ExecError::Machine("This session cannot start a step now.".into()));
            }
            self.discard();
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
        self.discard();
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
        let (id, watched) = (started.id.clone(), place.clone());
        now.step = Some(supervise(place.clone(), id.clone(), async move {
            watch::end(&watched, started).await
        }));
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
fn supervise(
    place: Arc<Place>,
    id: String,
    end: impl Future<Output = Result<Exit, ExecError>> + Send + 'static,
) -> Running {
    let (tell, told) = ending();
    let container = id.clone();
    let watched = tokio::spawn(async move {
        let ended = end.await;
        if matches!(ended, Err(ExecError::EngineGone(_))) {
            Sink::new(place.spec.spool.clone()).broken_off();
        }
        tell.tell(ended);
        place.reaper.remove(place.engine.clone(), container);
    });
    Running {
        id,
        end: told,
        _watched: Arc::new(AbortOnDropHandle::new(watched)),
    }
}

/// The attached containers of an attempt.
///
/// # Errors
/// When the engine does not say.
pub(super) async fn containers(
    engine: &Engine,
    owner: &Owner,
    attempt: AttemptId,
) -> Result<Vec<ContainerSummary>, ExecError> {
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&owner.attempt(attempt))
        .build();
    let list = engine.api.list_containers(Some(options)).await;
    list.map_err(|e| fault("The engine's containers could not be listed", &e))
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
