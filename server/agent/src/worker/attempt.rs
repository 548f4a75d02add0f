//! One attempt from its assignment to its end.
//!
//! **Invariant:** steps are told in order, each at most once; after the end no process of the attempt lives and its output
//! grows no more. After an abort nothing more is told of the steps that did not run.

use super::past::Past;
use super::proofs::Proofs;
use super::workspace::Workspaces;
use crate::clock;
use crate::executor::{Executor, Session, StepCommand};
use crate::halt::{Halt, Why};
use crate::outbox::Held;
use domain::Timestamp;
use domain::plan::Limits;
use domain::status::{ExecutorKind, StepKind};
use domain::time::human_duration;
use protocol::{Assignment, AttemptEvent, Exit, StepEnd, StepSpec};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Most bytes of a sentence that is told.
const SENTENCE: usize = 4_000;

/// Until when something may run, and how many milliseconds it was given; `None` for ever.
pub(super) type Limit = Option<(Instant, i64)>;

/// An attempt that is being run.
pub(super) struct Attempt {
    pub(super) assignment: Assignment,
    pub(super) held: Arc<Held>,
    pub(super) halt: Arc<Halt>,
    pub(super) slot: usize,
    pub(super) executor: Option<Arc<dyn Executor>>,
    pub(super) limits: Limits,
    pub(super) workspaces: Arc<Workspaces>,
    pub(super) proofs: Arc<Proofs>,
    pub(super) deadline: Limit,
    pub(super) workspace: Option<PathBuf>,
    pub(super) session: Option<Box<dyn Session>>,
    /// What an earlier agent did of it.
    pub(super) past: Past,
    pub(super) lease: Leased,
    /// Whether it was ended from outside: abort, deadline, lease, shutdown.
    ordered: bool,
}

/// Until when steps may run, since boot.
pub(super) type Leased = watch::Receiver<Option<Duration>>;

/// What an attempt is run with.
pub(super) struct Surroundings {
    pub executor: Option<Arc<dyn Executor>>,
    pub defaults: Limits,
    pub workspaces: Arc<Workspaces>,
    pub proofs: Arc<Proofs>,
    pub lease: Leased,
}

/// The end of an attempt, to be told once its slot is free.
pub(super) struct End {
    held: Arc<Held>,
    aborted: bool,
    error: Option<String>,
}

impl End {
    /// Tells it.
    pub fn tell(self) {
        let spool = &self.held.spool;
        self.held.note(AttemptEvent::Ended {
            aborted: self.aborted,
            error: self.error.map(|e| short(e, SENTENCE)),
            length: spool.len(),
            digest: spool.digest(),
            at: clock::now(),
        });
    }
}

impl Attempt {
    pub fn new(
        assignment: Assignment,
        held: Arc<Held>,
        halt: Arc<Halt>,
        slot: usize,
        past: Past,
        around: Surroundings,
    ) -> Self {
        let left = |ms| millis(ms).saturating_sub(past.spent);
        let deadline = assignment.timeout_ms.map(|ms| (Instant::now() + left(ms), ms));
        let limits = Limits {
            cpu_milli: assignment.limits.cpu_milli.or(around.defaults.cpu_milli),
            memory: assignment.limits.memory.or(around.defaults.memory),
        };
        Self {
            assignment,
            held,
            halt,
            slot,
            executor: around.executor,
            limits,
            workspaces: around.workspaces,
            proofs: around.proofs,
            deadline,
            workspace: None,
            session: None,
            past,
            lease: around.lease,
            ordered: false,
        }
    }

    /// Runs it; when this answers with its end, nothing of it lives. `None` when it was let go: it goes on.
    pub async fn run(mut self) -> Option<End> {
        if self.past.fresh {
            let kind = self.executor.as_ref().map(|e| e.kind()).or(self.assignment.executor);
            self.held.note(AttemptEvent::Preparing {
                executor: kind.unwrap_or(ExecutorKind::Process),
            });
        } else {
            self.regain().await;
        }
        let mut error = self.steps().await;
        if self.let_go() {
            return None;
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
        if let Some(path) = self.workspace.take() {
            self.workspaces.clear(&path, self.executor.as_ref());
        }
        if self.ordered {
            error = self.halt.why().as_ref().and_then(Why::sentence).or(error);
        }
        Some(End {
            held: self.held,
            aborted: self.ordered,
            error,
        })
    }

    /// Whether it is to go on without this agent.
    pub(super) fn let_go(&self) -> bool {
        let found_again = |s: &dyn Session| s.handle().is_some();
        self.halt.why() == Some(Why::Detach) && self.session.as_deref().is_none_or(found_again)
    }

    /// Runs the steps; answers what broke beside the plan's own.
    async fn steps(&mut self) -> Option<String> {
        let mut error = None;
        let mut stopped: Option<String> = None;
        for step in std::mem::take(&mut self.assignment.steps) {
            if let Some(exit) = self.past.ended.get(&step.id) {
                if step.kind == StepKind::Setup {
                    error = broken(&step, exit);
                }
                stopped = self.stops(&step, exit).or(stopped);
                continue;
            }
            // What an earlier agent began runs still: it is taken up to be ended, and what it wrote is stored before its end.
            let runs = self.session.is_some() && self.past.runs(&step);
            if self.halt.why().is_some() && !runs {
                self.ordered = true;
                break;
            }
            if let Some(why) = stopped.as_ref().or(step.skip.as_ref()) {
                self.ended(&step, Exit::Skipped(why.clone()));
                continue;
            }
            if self.past.started.is_none_or(|b| b.step != step.id) {
                self.held.note(AttemptEvent::StepStarted {
                    step: step.id,
                    from: self.held.spool.len(),
                    at: clock::now(),
                });
            }
            let exit = self.step(&step).await;
            if self.let_go() {
                return None;
            }
            if step.kind == StepKind::Setup {
                error = broken(&step, &exit);
            }
            stopped = self.stops(&step, &exit);
            self.ordered = match &exit {
                Exit::TimedOut(_) => self.late(),
                Exit::Aborted | Exit::Lost(_) => self.halt.why().is_some(),
                _ => false,
            };
            if step.kind == StepKind::Step {
                failpoint::reached("agent.exited");
            }
            self.ended(&step, exit);
        }
        // Also where the step may fail: steps that were not run for it must not count as passed.
        error.or_else(|| self.held.spool.fault())
    }

    fn ended(&self, step: &StepSpec, exit: Exit) {
        let exit = match exit {
            Exit::Failed(sentence) => Exit::Failed(short(sentence, SENTENCE)),
            Exit::Lost(sentence) => Exit::Lost(short(sentence, SENTENCE)),
            Exit::Skipped(sentence) => Exit::Skipped(short(sentence, SENTENCE)),
            other => other,
        };
        let until = self.held.spool.len();
        self.held.note(AttemptEvent::StepEnded(StepEnd {
            step: step.id,
            exit,
            until,
            at: clock::now(),
        }));
    }

    /// Why the steps after this one do not run, if they do not.
    fn stops(&self, step: &StepSpec, exit: &Exit) -> Option<String> {
        let name = &step.name;
        match exit {
            Exit::Exited(0) | Exit::Skipped(_) | Exit::Aborted => None,
            Exit::Lost(_) => Some("The engine went away under an earlier step.".into()),
            _ if self.held.spool.fault().is_some() => Some("The agent's disk failed under an earlier step.".into()),
            Exit::TimedOut(_) if self.late() => Some("The job had run out of time.".into()),
            _ if step.kind == StepKind::Setup => Some(format!("The set-up failed at {name}.")),
            _ if step.allow_failure => None,
            Exit::TimedOut(_) => Some(format!("An earlier step ran out of time: {name}.")),
            _ => Some(format!("An earlier step failed: {name}.")),
        }
    }

    /// Whether the job's own time is over.
    fn late(&self) -> bool {
        self.deadline.is_some_and(|(at, _)| at <= Instant::now())
    }

    async fn step(&mut self, step: &StepSpec) -> Exit {
        let begun = self.past.started.filter(|b| b.step == step.id);
        let spent = begun.map_or(Duration::ZERO, |b| since(b.at));
        let limit = step
            .timeout_ms
            .map(|ms| (Instant::now() + millis(ms).saturating_sub(spent), ms));
        match (step.kind, &step.command) {
            (StepKind::Setup, _) if step.name == "prepare" => self.prepare(limit).await,
            (StepKind::Setup, _) if step.name == "checkout" => {
                if begun.is_some()
                    && let Err(exit) = self.renew(limit).await
                {
                    return exit;
                }
                self.checkout(limit).await
            }
            (StepKind::Step, Some(command)) => {
                let mut env = self.assignment.env.clone();
                env.extend(step.env.clone());
                env.insert("CARACAL_STEP".into(), step.name.clone());
                let command = StepCommand {
                    id: step.id,
                    name: step.name.clone(),
                    command: command.clone(),
                    env,
                    keep: step.keep,
                    limit: None,
                    lease: None,
                };
                self.command(command, limit, begun.map(|b| b.from)).await
            }
            _ => Exit::Failed(format!(
                "This agent does not know how to run the {} step {}.",
                step.kind, step.name
            )),
        }
    }
}

/// What broke when a set-up step did not end well.
fn broken(step: &StepSpec, exit: &Exit) -> Option<String> {
    match exit {
        Exit::Failed(sentence) | Exit::Lost(sentence) => Some(sentence.clone()),
        Exit::TimedOut(ms) => Some(format!(
            "The set-up ran out of time at {}: it had {}.",
            step.name,
            human_duration(*ms)
        )),
        _ => None,
    }
}

/// How long ago that was, by clocks that may have jumped since.
fn since(at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(clock::now().0 - at.0).unwrap_or_default())
}

/// A time span of a plan.
pub(super) fn millis(ms: i64) -> Duration {
    // A century is as good as for ever, and does not overflow the clock.
    Duration::from_millis(u64::try_from(ms).unwrap_or_default().min(3_200_000_000_000))
}

/// A text from elsewhere, cut to `most` bytes, so that no message grows beyond what a server takes.
pub(super) fn short(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, most, cut) in [
            ("short", 5, "short"),
            ("aäää", 6, "aä…"),
            ("", 0, ""),
            ("long text", 5, "lo…"),
        ] {
            assert_eq!(short(text.into(), most), cut);
        }
    }
}
