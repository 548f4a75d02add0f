//! An attempt's place among this machine's processes.
//!
//! **Invariant:** at most one step of a session runs; after `close` none does and the scratch folder is gone or going.

use super::Shared;
use super::confine::Fence;
use super::job::{Job, Message, News};
use super::pipes;
use super::runner::{Line, Working};
use super::scratch::{self, Scratch};
use super::user;
use crate::executor::ending::{Ending, ending};
use crate::executor::output::Sink;
use crate::executor::{ExecError, Handle, Session, SessionSpec, Signal, StepCommand, command};
use async_trait::async_trait;
use domain::status::ExecutorKind;
use protocol::Exit;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex as Plain, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The search path of steps that set none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long a killed tree may take to be gone.
const KILLED: Duration = Duration::from_secs(30);
/// How long output may go on when the runner was killed under its step.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A session.
pub(super) struct ProcessSession {
    shared: Arc<Shared>,
    spec: SessionSpec,
    scratch: Scratch,
    user: Option<(u32, u32)>,
    /// Whether the workspace belongs to `user` already: it does after the first step began.
    given: Plain<bool>,
    step: Mutex<Option<Running>>,
}

/// The step that runs or ran last.
struct Running {
    line: Line,
    end: Ending,
}

impl ProcessSession {
    pub fn new(shared: Arc<Shared>, spec: SessionSpec, scratch: Scratch, user: Option<(u32, u32)>) -> Self {
        Self {
            shared,
            spec,
            scratch,
            user,
            given: Plain::new(false),
            step: Mutex::new(None),
        }
    }

    fn job(&self, step: StepCommand) -> Result<Job, ExecError> {
        let argv = command::argv(&step.command)?;
        let mut env = step.env;
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        for (key, value) in [
            ("PATH", PATH.into()),
            ("HOME", text(&self.scratch.home)),
            ("TMPDIR", text(&self.scratch.tmp)),
            ("CARACAL_WORKSPACE", text(&self.spec.workspace)),
        ] {
            env.entry(key.into()).or_insert(value);
        }
        if let Some(name) = env.keys().find(|k| k.is_empty() || k.contains(['=', '\0'])) {
            return Err(ExecError::Refused(format!(
                "{name:?} cannot be the name of a variable."
            )));
        }
        if let Some((name, _)) = env.iter().find(|(_, v)| v.contains('\0')) {
            return Err(ExecError::Refused(format!(
                "The variable {name} holds a NUL byte, which no program can be given."
            )));
        }
        Ok(Job {
            argv,
            env,
            workspace: self.spec.workspace.clone(),
            fence: Fence {
                writable: vec![self.spec.workspace.clone(), self.scratch.folder.clone()],
                readable: self.shared.settings.readable.clone(),
            },
            user: self.user,
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

    /// A runner that has taken the job, with its output being read.
    async fn employ(&self, job: Job) -> Result<(Working, JoinHandle<()>), ExecError> {
        loop {
            // One that waited may have been ended by somebody meanwhile: then another does it.
            let (runner, new) = self.shared.runner()?;
            if let Some((working, stdout, stderr)) = runner.employ(job.clone()).await? {
                let sink = Sink::new(self.spec.spool.clone());
                return Ok((working, tokio::spawn(pipes::drain(stdout, stderr, sink))));
            }
            if new {
                return Err(ExecError::Machine(
                    "The step's runner ended before it had its job.".into(),
                ));
            }
        }
    }
}

/// A session that is let go without being closed ends its step.
impl Drop for ProcessSession {
    fn drop(&mut self) {
        if let Some(step) = self.step.get_mut() {
            step.line.order(&Message::Kill);
        }
    }
}

#[async_trait]
impl Session for ProcessSession {
    fn handle(&self) -> Handle {
        Handle {
            kind: ExecutorKind::Process,
            data: serde_json::Value::Null,
        }
    }

    async fn start(&self, step: StepCommand) -> Result<(), ExecError> {
        let job = self.job(step)?;
        // Held over the start: a signal that comes meanwhile waits and then finds the step.
        let mut now = self.step.lock().await;
        if now.as_ref().is_some_and(|s| !s.end.told()) {
            return Err(ExecError::Machine("This session cannot start a step now.".into()));
        }
        self.give().await?;
        let (mut runner, draining) = self.employ(job).await?;
        match runner.hear().await {
            Some(News::Started) => {}
            Some(News::Failed { why, plan }) => {
                self.shared.keep(runner.free());
                return Err(if plan {
                    ExecError::Refused(why)
                } else {
                    ExecError::Machine(why)
                });
            }
            _ => {
                runner.bury().await;
                return Err(ExecError::Machine(
                    "The step's runner ended before its step began.".into(),
                ));
            }
        }
        let line = runner.line();
        let end = supervise(self.shared.clone(), runner, draining);
        *now = Some(Running { line, end });
        Ok(())
    }

    async fn wait(&self) -> Result<Exit, ExecError> {
        let end = self.step.lock().await.as_ref().map(|s| s.end.clone());
        match end {
            Some(end) => end.wait().await,
            None => Err(ExecError::Machine("No step was started.".into())),
        }
    }

    async fn signal(&self, signal: Signal) {
        if let Some(step) = self.step.lock().await.as_ref() {
            step.line.order(&match signal {
                Signal::Term => Message::Term,
                Signal::Kill => Message::Kill,
            });
        }
    }

    async fn close(&self) {
        let end = self.step.lock().await.as_ref().map(|s| s.end.clone());
        if let Some(end) = end.filter(|e| !e.told()) {
            self.signal(Signal::Term).await;
            if timeout(Duration::from_millis(self.spec.grace_ms), end.wait())
                .await
                .is_err()
            {
                self.signal(Signal::Kill).await;
                let _ = timeout(KILLED, end.wait()).await;
            }
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

/// Waits for the step's end and for the end of its output; then the runner is free.
fn supervise(shared: Arc<Shared>, mut runner: Working, mut draining: JoinHandle<()>) -> Ending {
    let (tell, end) = ending();
    tokio::spawn(async move {
        let ended = match runner.hear().await {
            Some(News::Exited(code)) => Exit::Exited(code),
            Some(News::Signalled(signal)) => Exit::Signalled(signal),
            _ => {
                runner.bury().await;
                if timeout(LAST_WORDS, &mut draining).await.is_err() {
                    draining.abort();
                }
                tell.tell(Err(ExecError::Machine(
                    "The step's runner was killed, and the step with it.".into(),
                )));
                return;
            }
        };
        shared.keep(runner.free());
        let _ = draining.await;
        tell.tell(Ok(ended));
    });
    end
}
