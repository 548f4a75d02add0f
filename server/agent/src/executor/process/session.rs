//! An attempt's place among this machine's processes.
//!
//! **Invariant:** at most one step of a session runs; after `close` none does and the scratch folder is gone or going; a
//! session that is let go without it leaves its step to be found again.

use super::Shared;
use super::scratch::{self, Scratch};
use super::supervisor::Supervisor;
use super::tree;
use super::user;
use crate::executor::output::Sink;
use crate::executor::shimmed::{Gone, Place, Steps, exit, nanos};
use crate::executor::{ExecError, Handle, Session, SessionSpec, Signal, StepCommand, command};
use async_trait::async_trait;
use domain::status::ExecutorKind;
use protocol::Exit;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use shim::wire::{Fence, Job, Stage, ToShim};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Plain, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a killed tree may take to be gone.
const KILLED: Duration = Duration::from_secs(30);

/// A session.
pub(super) struct ProcessSession {
    shared: Arc<Shared>,
    spec: SessionSpec,
    scratch: Scratch,
    user: Option<(u32, u32)>,
    /// Whether the workspace belongs to `user` already: it does after the first step began.
    given: Plain<bool>,
    kept: Kept,
    steps: Steps,
    /// The step that runs or ran last.
    step: Mutex<Option<StepCommand>>,
    /// Whether the shim may keep processes of its steps: it goes with the session then.
    keeps: AtomicBool,
}

/// What is needed to find a session again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub place: Place,
    pid: u32,
}

impl ProcessSession {
    /// A session below a free supervisor.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(
        shared: Arc<Shared>,
        spec: SessionSpec,
        scratch: Scratch,
        user: Option<(u32, u32)>,
        supervisor: Supervisor,
    ) -> Result<Self, ExecError> {
        let kept = Kept {
            place: supervisor.shim.place(),
            pid: supervisor.pid,
        };
        let steps = supervisor.shim.steps(Sink::new(spec.spool.clone()));
        let steps =
            steps.map_err(|e| ExecError::Machine(format!("The spool of the steps' shim cannot be read: {e}.")))?;
        Ok(Self {
            shared,
            spec,
            scratch,
            user,
            given: Plain::new(false),
            kept,
            steps,
            step: Mutex::new(None),
            keeps: AtomicBool::new(false),
        })
    }

    /// The session that an earlier agent had, `None` when nothing is left of it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn find(
        shared: Arc<Shared>,
        spec: SessionSpec,
        user: Option<(u32, u32)>,
        kept: Kept,
        base: u64,
    ) -> io::Result<Option<Self>> {
        let sink = Sink::new(spec.spool.clone());
        let stored = spec.spool.len();
        let Some(steps) = shared.supervisors.shims.find(&kept.place, base, stored, sink).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            scratch: Scratch::of(&spec.workspace),
            shared,
            user,
            given: Plain::new(stored > base),
            kept,
            steps,
            step: Mutex::new(None),
            // What its earlier steps were is not known here.
            keeps: AtomicBool::new(true),
            spec,
        }))
    }

    fn job(&self, step: &StepCommand) -> Result<Job, ExecError> {
        let argv = command::argv(&step.command)?;
        let mut env = step.env.clone();
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        for (key, value) in [
            ("HOME", text(&self.scratch.home)),
            ("TMPDIR", text(&self.scratch.tmp)),
            ("CARACAL_WORKSPACE", text(&self.spec.workspace)),
        ] {
            env.entry(key.into()).or_insert(value);
        }
        command::check_env(&env)?;
        Ok(Job {
            step: step.id.0,
            argv,
            env,
            inherit: false,
            dir: self.spec.workspace.clone(),
            fence: Some(Fence {
                writable: vec![self.spec.workspace.clone(), self.scratch.folder.clone()],
                readable: self.shared.settings.readable.clone(),
            }),
            user: self.user,
            deadline: step.limit.map(|(left, _)| nanos(shim::since_boot() + left)),
            lease: step.lease.map(nanos),
            grace_ms: self.spec.grace_ms,
            keep: step.keep,
        })
    }

    /// Before the first step, when the checkout is done: gives the workspace to the steps' user.
    async fn give(&self) -> Result<(), ExecError> {
        let Some(ids) = self.user else { return Ok(()) };
        if std::mem::replace(&mut *self.given.lock().unwrap_or_else(PoisonError::into_inner), true) {
            return Ok(());
        }
        let folders = [self.spec.workspace.clone(), self.scratch.folder.clone()];
        let given = tokio::task::spawn_blocking(move || folders.iter().try_for_each(|f| user::give(f, ids))).await;
        let why = match given {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(e)) => e.to_string(),
            Err(e) => e.to_string(),
        };
        Err(ExecError::Machine(format!(
            "The workspace could not be given to the steps' user: {why}."
        )))
    }

    /// The shim was killed, and what it had begun is to follow it.
    async fn bury(&self) -> ExecError {
        let leader = self.kept.pid;
        let _ = tokio::task::spawn_blocking(move || tree::kill_session(leader)).await;
        ExecError::EngineGone("The step's shim was killed, and the step with it.".into())
    }
}

#[async_trait]
impl Session for ProcessSession {
    fn handle(&self) -> Option<Handle> {
        Some(Handle {
            kind: ExecutorKind::Process,
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
        self.give().await?;
        self.keeps.fetch_or(step.keep, Ordering::AcqRel);
        let (id, argv) = (step.id.0, job.argv.clone());
        match self.steps.start(job).await {
            Ok(true) => {
                *now = Some(step);
                Ok(())
            }
            Ok(false) => match self.steps.wait(id).await {
                Ok(end) => Err(not_started(&end.exit, &argv, &self.spec)),
                Err(Gone) => Err(self.bury().await),
            },
            Err(Gone) => Err(self.bury().await),
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
        match self.steps.wait(id).await {
            Ok(end) => exit(
                &end,
                limit.map(|(_, ms)| ms),
                "the machine or somebody on it ended the step's shim",
            )
            .unwrap_or_else(|| Err(not_started(&end.exit, &[], &self.spec))),
            Err(Gone) => Err(self.bury().await),
        }
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
        let free = step.is_none_or(|id| self.steps.ended(id)) && !self.keeps.load(Ordering::Acquire);
        match self.steps.release().await {
            Some(shim) if free && shim.up() => self.shared.supervisors.give_back(Supervisor {
                shim,
                pid: self.kept.pid,
            }),
            Some(shim) => shim.dismiss().await,
            None => {}
        }
        if let Some(folder) = self.scratch.aside(self.shared.aside.fetch_add(1, Ordering::Relaxed)) {
            self.shared.removals.spawn_blocking(move || {
                if let Err(e) = scratch::remove(&folder) {
                    tracing::warn!("The folder {} could not be removed: {e}", folder.display());
                }
            });
        }
    }
}

/// Why a command did not start, for a person.
fn not_started(exit: &shim::wire::Exit, argv: &[String], spec: &SessionSpec) -> ExecError {
    let program = argv.first().map_or("The program", String::as_str);
    let shim::wire::Exit::NotStarted { at, errno, why } = exit else {
        return ExecError::Machine("The step ended before it began.".into());
    };
    let is = |e: Errno| *errno == e.raw_os_error();
    match at {
        Stage::Folder => ExecError::Machine(format!(
            "The workspace {} is not there any more: {why}.",
            spec.workspace.display()
        )),
        Stage::Rights => ExecError::Machine(format!("The step's rights could not be limited: {why}.")),
        Stage::Machine => ExecError::Machine(format!("The step's process could not be made: {why}.")),
        Stage::Program if is(Errno::NOENT) => {
            ExecError::Refused(format!("There is no command {program} on this agent."))
        }
        Stage::Program if is(Errno::ACCESS) => ExecError::Refused(format!(
            "{program} cannot be executed: it is no program, or lies outside of what a step may read."
        )),
        Stage::Program if is(Errno::TOOBIG) => ExecError::Refused(format!(
            "{program} could not be started: its arguments and environment are too long together."
        )),
        Stage::Program if is(Errno::NOEXEC) => ExecError::Refused(format!(
            "{program} cannot be executed: it is not in a format this machine knows (a script needs #! in its first line)."
        )),
        Stage::Program => ExecError::Machine(format!("{program} could not be started: {why}.")),
    }
}
