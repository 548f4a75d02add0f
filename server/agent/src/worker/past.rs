//! What an earlier agent did of an attempt before it died, and how this one takes it up.
//!
//! **Invariant:** what was told is not told again; a command that began is never begun a second time; set-up, which is ours
//! and can be done again, is done again.

use super::attempt::{Attempt, Limit};
use crate::executor::Handle;
use crate::halt::Cut;
use crate::outbox::Kept;
use domain::status::StepKind;
use domain::{StepId, Timestamp};
use protocol::{AttemptEvent, Exit, StepSpec};
use std::collections::BTreeMap;
use std::time::Duration;

/// The past of an attempt.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Whether there is none.
    pub fresh: bool,
    /// How long ago it was taken on.
    pub spent: Duration,
    /// Steps that were told ended, and how.
    pub ended: BTreeMap<StepId, Exit>,
    /// The step that was told begun and not ended.
    pub started: Option<Begun>,
    /// Bytes of output before the first command of the plan.
    base: Option<u64>,
    handle: Option<Handle>,
    /// Why the step that was begun was being ended, if it was.
    pub cut: Option<Cut>,
}

/// A step that an earlier agent began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub step: StepId,
    /// Where its output begins.
    pub from: u64,
    pub at: Timestamp,
}

impl Past {
    /// Of an attempt that is new here.
    pub fn none() -> Self {
        Self {
            fresh: true,
            ..Self::default()
        }
    }

    /// Of one that an earlier agent held.
    pub fn of(kept: &Kept) -> Self {
        let mut past = Self {
            // A machine that was started anew since counts from its start.
            spent: shim::since_boot().saturating_sub(kept.at),
            handle: kept.handle.clone(),
            cut: kept.cut.clone(),
            fresh: kept.events().next().is_none(),
            ..Self::default()
        };
        let plan = |id: StepId| {
            kept.assignment
                .steps
                .iter()
                .any(|s| s.id == id && s.kind == StepKind::Step)
        };
        for event in kept.events() {
            match event {
                AttemptEvent::StepStarted { step, from, at } => {
                    past.started = Some(Begun {
                        step: *step,
                        from: *from,
                        at: *at,
                    });
                    if plan(*step) {
                        past.base.get_or_insert(*from);
                    }
                }
                AttemptEvent::StepEnded(end) => {
                    past.started = past.started.filter(|b| b.step != end.step);
                    past.ended.insert(end.step, end.exit.clone());
                }
                AttemptEvent::Preparing { .. }
                | AttemptEvent::CheckedOut { .. }
                | AttemptEvent::Gap(_)
                | AttemptEvent::Ended { .. } => {}
            }
        }
        past
    }

    /// Whether this command was begun and not told ended.
    pub fn runs(&self, step: &StepSpec) -> bool {
        step.kind == StepKind::Step && self.started.is_some_and(|b| b.step == step.id)
    }
}

impl Attempt {
    /// Finds workspace and session again, where they were ready.
    pub(super) async fn regain(&mut self) {
        let mut setup = self.assignment.steps.iter().filter(|s| s.kind == StepKind::Setup);
        let ready = setup.find(|s| s.name == "prepare");
        if !ready.is_some_and(|s| self.past.ended.get(&s.id) == Some(&Exit::Exited(0))) {
            return self.unopen().await;
        }
        self.workspace = self.workspaces.left(self.slot);
        let (Some(executor), Some(handle), Some(workspace)) =
            (self.executor.clone(), self.past.handle.take(), self.workspace.clone())
        else {
            return;
        };
        let base = self.past.base.unwrap_or_else(|| self.held.spool.len());
        let fence = self.held.fence;
        match executor.recover(&handle, self.spec(workspace), base).await {
            Ok(found) => {
                let how = if found.is_some() { "goes on" } else { "is gone" };
                tracing::info!(attempt = %fence.attempt, "Attempt {} of the last run of this agent {how}.", fence.attempt);
                self.session = found;
            }
            Err(e) => {
                tracing::warn!(attempt = %fence.attempt, "Attempt {} of the last run of this agent could not be found again: {e}", fence.attempt)
            }
        }
    }

    /// Closes a session that was opened just before the agent died: set-up is done again, with another.
    async fn unopen(&mut self) {
        let (Some(executor), Some(handle), Some(workspace)) = (
            self.executor.clone(),
            self.past.handle.take(),
            self.workspaces.left(self.slot),
        ) else {
            return;
        };
        let base = self.held.spool.len();
        if let Ok(Some(session)) = executor.recover(&handle, self.spec(workspace), base).await {
            session.close().await;
        }
    }

    /// Before a checkout that was cut short is done again: a workspace that nothing writes in any more.
    pub(super) async fn renew(&mut self, limit: Limit) -> Result<(), Exit> {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        if let Some(path) = self.workspace.take() {
            self.workspaces.clear(&path, self.executor.as_ref());
        }
        match self.prepare(limit).await {
            Exit::Exited(0) => Ok(()),
            other => Err(other),
        }
    }
}
