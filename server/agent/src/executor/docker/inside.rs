//! An attempt's place in one container: its steps run one after the other below the shim, with no word to the engine.
//!
//! **Invariant:** at most one step of a session runs; after `close` the container is gone or going; a session that is let
//! go without it leaves its container to be found again.

use super::client::{Engine, gone};
use super::image::Image;
use super::profile::{Effective, WORKSPACE};
use super::vessel::{Vessel, Yard};
use super::workspace;
use crate::executor::command::{SHELL, argv, check_env};
use crate::executor::output::Sink;
use crate::executor::shimmed::{Gone, Place, Steps, exit, nanos};
use crate::executor::{ExecError, Handle, Session, SessionSpec, Signal, StepCommand};
use async_trait::async_trait;
use domain::status::ExecutorKind;
use protocol::Exit;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use shim::wire::{Exit as Found, Job, Stage, ToShim};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a killed step may take to be gone.
const KILLED: Duration = Duration::from_secs(30);
const MIB: i64 = 1 << 20;

/// A session.
pub(super) struct InsideSession {
    yard: Yard,
    spec: SessionSpec,
    kept: Kept,
    steps: Steps,
    step: Mutex<Option<StepCommand>>,
    /// Whether the workspace is open to the image's user.
    opened: AtomicBool,
}

/// What is needed to find a session again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub place: Place,
    pub container: String,
    pub image: Image,
    pub limits: Effective,
    pub slot: usize,
    pub network: String,
}

impl InsideSession {
    /// A session in a vessel.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(yard: Yard, vessel: Vessel, spec: SessionSpec, network: String) -> Result<Self, ExecError> {
        let kept = Kept {
            place: vessel.shim.place(),
            container: vessel.id.clone(),
            image: vessel.wanted.image.clone(),
            limits: vessel.wanted.limits,
            slot: vessel.wanted.slot,
            network,
        };
        let steps = vessel.shim.steps(Sink::new(spec.spool.clone())).map_err(|e| {
            yard.reaper.remove(yard.engine.clone(), vessel.id.clone());
            ExecError::Machine(format!("The spool of the container's shim cannot be read: {e}."))
        })?;
        Ok(Self {
            yard,
            spec,
            kept,
            steps,
            step: Mutex::new(None),
            opened: AtomicBool::new(false),
        })
    }

    /// The session an earlier agent had; `None` when nothing is left of it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn find(yard: Yard, spec: SessionSpec, kept: Kept, base: u64) -> io::Result<Option<Self>> {
        let stored = spec.spool.len();
        let sink = Sink::new(spec.spool.clone());
        let Some(steps) = yard.shims.find(&kept.place, base, stored, sink).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            yard,
            spec,
            kept,
            steps,
            step: Mutex::new(None),
            opened: AtomicBool::new(false),
        }))
    }

    fn job(&self, step: &StepCommand) -> Result<Job, ExecError> {
        let mut env = step.env.clone();
        env.entry("CARACAL_WORKSPACE".into())
            .or_insert_with(|| WORKSPACE.into());
        check_env(&env)?;
        Ok(Job {
            step: step.id.0,
            argv: argv(&step.command)?,
            env,
            inherit: true,
            dir: WORKSPACE.into(),
            deadline: step.limit.map(|(left, _)| nanos(shim::since_boot() + left)),
            lease: step.lease.map(nanos),
            grace_ms: self.spec.grace_ms,
            keep: step.keep,
            ..Job::default()
        })
    }

    /// Before the first step, when the checkout is done: lets an image's own user into the workspace.
    async fn open_workspace(&self) -> Result<(), ExecError> {
        let user = &self.kept.image.user;
        if self.opened.swap(true, Ordering::AcqRel) || !workspace::foreign(user) {
            return Ok(());
        }
        let path = self.spec.workspace.clone();
        let opened = tokio::task::spawn_blocking(move || workspace::open_to_all(&path)).await;
        opened.map_err(io::Error::other).and_then(|done| done).map_err(|e| {
            ExecError::Machine(format!(
                "The workspace could not be opened to the image's user {user}: {e}."
            ))
        })
    }

    /// Why a shim went without a word.
    async fn gone(&self) -> ExecError {
        let engine: &Engine = &self.yard.engine;
        let state = match engine.api.inspect_container(&self.kept.container, None).await {
            Ok(found) => found.state,
            Err(e) if gone(&e) => {
                return ExecError::EngineGone(
                    "Docker was stopped while the step ran, and its container with it; the output is complete up to there."
                        .into(),
                );
            }
            Err(_) => None,
        };
        if state.and_then(|s| s.oom_killed).unwrap_or_default() {
            return ExecError::Machine(self.out_of_memory());
        }
        ExecError::EngineGone(
            "The step's container was killed: Docker was restarted, or somebody removed it; the output is complete up to there."
                .into(),
        )
    }

    fn out_of_memory(&self) -> String {
        format!(
            "The step ran out of memory: its limit is {} MiB.",
            self.kept.limits.memory / MIB
        )
    }

    fn not_started(&self, exit: &Found, argv: &[String]) -> ExecError {
        let image = &self.kept.image.name;
        let program = argv.first().map_or("The program", String::as_str);
        let Found::NotStarted { at, errno, why } = exit else {
            return ExecError::Machine("The step ended before it began.".into());
        };
        let is = |e: Errno| *errno == e.raw_os_error();
        match at {
            Stage::Program if is(Errno::NOENT) && program == SHELL => ExecError::Refused(format!(
                "The image {image} has no {SHELL}, which a step's script needs; give the step a command: list or take another image."
            )),
            Stage::Program if is(Errno::NOENT) => {
                ExecError::Refused(format!("There is no command {program} in the image {image}."))
            }
            Stage::Program if is(Errno::ACCESS) => {
                ExecError::Refused(format!("{program} in the image {image} is not executable."))
            }
            Stage::Program => {
                ExecError::Refused(format!("{program} could not be started in the image {image}: {why}."))
            }
            Stage::Folder => ExecError::Machine(format!("The workspace is not there in the container: {why}.")),
            Stage::Machine | Stage::Rights => {
                ExecError::Machine(format!("The step's process could not be made in the container: {why}."))
            }
        }
    }
}

#[async_trait]
impl Session for InsideSession {
    fn handle(&self) -> Option<Handle> {
        Some(Handle {
            kind: ExecutorKind::Docker,
            data: serde_json::to_value(&self.kept).ok()?,
        })
    }

    async fn start(&self, step: StepCommand) -> Result<(), ExecError> {
        let job = self.job(&step)?;
        // Held over the start: a signal that comes meanwhile waits and then finds the step.
        let mut now = self.step.lock().await;
        if now.as_ref().is_some_and(|s| !self.steps.ended(s.id.0)) {
            return Err(ExecError::Machine("This session cannot start a step now.".into()));
        }
        self.open_workspace().await?;
        let (id, argv) = (step.id.0, job.argv.clone());
        match self.steps.start(job).await {
            Ok(true) => {
                *now = Some(step);
                Ok(())
            }
            Ok(false) => match self.steps.wait(id).await {
                Ok(end) => Err(self.not_started(&end.exit, &argv)),
                Err(Gone) => Err(self.gone().await),
            },
            Err(Gone) => Err(self.gone().await),
        }
    }

    async fn resume(&self, step: StepCommand, _from: u64) -> Result<bool, ExecError> {
        let known = self.steps.knows(step.id.0);
        if known {
            *self.step.lock().await = Some(step);
        }
        Ok(known)
    }

    async fn wait(&self) -> Result<Exit, ExecError> {
        let step = self.step.lock().await.as_ref().map(|s| (s.id.0, s.limit));
        let Some((id, limit)) = step else {
            return Err(ExecError::Machine("No step was started.".into()));
        };
        let end = match self.steps.wait(id).await {
            Ok(end) => end,
            Err(Gone) => return Err(self.gone().await),
        };
        if end.starved {
            return Ok(Exit::Failed(self.out_of_memory()));
        }
        let outside = "Docker was restarted without live-restore, or somebody stopped the container; the output is complete up to there";
        exit(&end, limit.map(|(_, ms)| ms), outside).unwrap_or_else(|| Err(self.not_started(&end.exit, &[])))
    }

    async fn signal(&self, signal: Signal) {
        if self.step.lock().await.is_some() {
            self.steps
                .order(&match signal {
                    Signal::Term => ToShim::Term,
                    Signal::Kill => ToShim::Kill,
                })
                .await;
        }
    }

    async fn lease(&self, until: Duration) {
        self.steps.order(&ToShim::Lease(nanos(until))).await;
    }

    async fn close(&self) {
        let step = self.step.lock().await.as_ref().map(|s| s.id.0);
        if let Some(id) = step.filter(|id| !self.steps.ended(*id)) {
            self.signal(Signal::Term).await;
            let grace = Duration::from_millis(self.spec.grace_ms);
            if timeout(grace, self.steps.wait(id)).await.is_err() {
                self.signal(Signal::Kill).await;
                let _ = timeout(KILLED, self.steps.wait(id)).await;
            }
        }
        if let Some(shim) = self.steps.release().await {
            shim.dismiss().await;
            self.yard
                .reaper
                .remove(self.yard.engine.clone(), self.kept.container.clone());
        }
    }
}
