//! The set-up of an attempt: workspace, session, source.
//!
//! **Invariant:** what cannot be made ready is one sentence, and the attempt's own steps are not begun.

use super::attempt::{Attempt, Limit, short};
use super::checkout;
use crate::clock;
use crate::executor::{ExecError, Executor, Progress, Session, SessionSpec};
use crate::spool::Spool;
use domain::console::view::Stream;
use domain::status::ExecutorKind;
use protocol::{AttemptEvent, Exit};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long set-up waits for an engine that is away; then the attempt is lost, and may be tried elsewhere.
const AWAY: Duration = Duration::from_secs(120);
/// How often it looks.
const AGAIN: Duration = Duration::from_secs(1);

/// Set-up says what it does as the output of its step.
struct Said<'a>(&'a Spool);

impl Progress for Said<'_> {
    fn say(&self, text: &str) {
        // A disk that refuses is noticed by the attempt itself.
        let _ = self.0.append(Stream::Stdout, clock::now(), text.as_bytes());
    }
}

/// Opens a session; an engine that is away (an upgrade, a crash) is waited for: nothing of the attempt ran yet, so nothing
/// need be lost of it.
async fn patiently(executor: &dyn Executor, spec: SessionSpec, said: &Said<'_>) -> Result<Box<dyn Session>, ExecError> {
    let until = Instant::now() + AWAY;
    let mut told = false;
    loop {
        match executor.open(spec.clone(), said).await {
            Err(ExecError::EngineGone(why)) if Instant::now() < until => {
                if !std::mem::replace(&mut told, true) {
                    said.say(&format!("{why} It is waited for.\n"));
                }
                sleep(AGAIN).await;
            }
            opened => return opened,
        }
    }
}

impl Attempt {
    /// Makes workspace and session ready.
    pub(super) async fn prepare(&mut self, limit: Limit) -> Exit {
        let Some(executor) = self.executor.clone() else {
            let wanted = self.assignment.executor.map_or("", ExecutorKind::as_str);
            return Exit::Failed(format!("This agent has no {wanted} executor."));
        };
        let made = match self.workspace.clone() {
            // Regained: only what runs in it is to be made anew.
            Some(path) => Ok(path),
            None => self.workspaces.make(self.slot, Some(&executor)),
        };
        let workspace = match made {
            Ok(path) => path,
            Err(e) if e.kind() == std::io::ErrorKind::StorageFull => {
                return Exit::Failed("The agent's disk is full: the workspace could not be made.".into());
            }
            Err(e) => return Exit::Failed(format!("The workspace could not be made: {e}.")),
        };
        self.workspace = Some(workspace.clone());
        let spec = self.spec(workspace);
        let said = Said(&self.held.spool);
        let opened = tokio::select! {
            biased;
            opened = patiently(executor.as_ref(), spec, &said) => opened,
            cut = self.cut(limit) => return cut.exit(),
        };
        match opened {
            Ok(session) => {
                if let Some(handle) = session.handle() {
                    self.held.runs_at(&handle);
                }
                self.session = Some(session);
                self.held.spool.fault().map_or(Exit::Exited(0), Exit::Failed)
            }
            Err(e) => self.failed(e),
        }
    }

    /// What a session is opened or found again with.
    pub(super) fn spec(&self, workspace: PathBuf) -> SessionSpec {
        SessionSpec {
            task: self.assignment.task,
            job: self.assignment.job,
            attempt: self.held.fence.attempt,
            number: self.assignment.number,
            slot: self.slot,
            image: self.assignment.image.clone(),
            limits: self.limits,
            workspace,
            grace_ms: u64::try_from(self.assignment.grace_ms).unwrap_or_default(),
            spool: self.held.spool.clone(),
        }
    }

    /// Puts the source into the workspace.
    pub(super) async fn checkout(&self, limit: Limit) -> Exit {
        let (Some(spec), Some(workspace)) = (&self.assignment.checkout, &self.workspace) else {
            return Exit::Failed("The assignment does not say what to check out.".into());
        };
        let mut cut = None;
        let stop = async { cut = Some(self.cut(limit).await) };
        let proof = checkout::Proved {
            proofs: &self.proofs,
            fence: self.held.fence,
        };
        let done = checkout::run(spec, proof, workspace, &self.held.spool, stop).await;
        match (done, cut) {
            (_, Some(cut)) => cut.exit(),
            (Ok(commit), None) => {
                self.held.note(AttemptEvent::CheckedOut {
                    revision: commit.revision,
                    message: short(commit.subject, 1_000),
                    author: short(commit.author, 200),
                });
                Exit::Exited(0)
            }
            (Err(sentence), None) => Exit::Failed(self.held.spool.fault().unwrap_or(sentence)),
        }
    }
}
