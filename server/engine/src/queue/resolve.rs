//! Finding the exact commit of tasks that name a branch: `git ls-remote`, off the enqueueing path.
//!
//! **Invariant:** every job of a task builds the same commit; a source that cannot be read fails the task at once with one
//! sentence; what is sought stands in the rows, so a restart goes on with it.

use super::{Outward, apply, short};
use crate::clock::SharedClock;
use crate::outgoing::{GitLimits, run_git};
use crate::store::tasks::{Resolving, resolving};
use crate::store::{Batch, NewEvent, Result, Store};
use domain::git::{Head, explain, ls_remote, parse_ls_remote};
use domain::lifecycle::{Effect, Event};
use domain::plan::Plan;
use domain::plan::document::SourceRules;
use domain::{JobId, TaskId};
use futures::FutureExt;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Longest a source may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of its answer: it is asked for one branch.
const ANSWER: usize = 1 << 20;

/// Finds exact commits.
#[derive(Clone)]
pub struct Resolver {
    store: Store,
    clock: SharedClock,
    out: Outward,
    rules: SourceRules,
    busy: Arc<Mutex<HashSet<i64>>>,
    at_once: Arc<Semaphore>,
}

/// What is asked of a source, and for which tasks.
type Question = (String, Option<String>);

impl Resolver {
    /// A resolver; start it with [`Resolver::run`].
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, out: Outward, rules: SourceRules) -> Self {
        Self {
            store,
            clock,
            out,
            rules,
            busy: Arc::default(),
            at_once: Arc::new(Semaphore::new(4)),
        }
    }

    /// Answers bells until it is told to stop. Tasks that ask the same of the same source share one answer.
    pub async fn run(self, stop: CancellationToken) {
        let bell = self.out.resolver_bell();
        bell.notify_one();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = bell.notified() => {}
            }
            let open = match resolving(&self.store).await {
                Ok(open) => open,
                Err(e) => {
                    tracing::error!(error = %e, "Cannot read which commits are sought: {e}");
                    continue;
                }
            };
            for (question, tasks) in self.take(open) {
                let me = self.clone();
                tokio::spawn(async move {
                    let Ok(_permit) = me.at_once.acquire().await else {
                        return;
                    };
                    me.answer(question, &tasks).await;
                    if let Ok(mut busy) = me.busy.lock() {
                        for t in &tasks {
                            busy.remove(&t.0);
                        }
                    }
                    // Tasks that came while this one was asked were left for the next round.
                    me.out.wake_resolver();
                });
            }
        }
    }

    /// Groups what nobody works on yet, and marks it as worked on.
    fn take(&self, open: Vec<Resolving>) -> BTreeMap<Question, Vec<TaskId>> {
        let mut groups: BTreeMap<Question, Vec<TaskId>> = BTreeMap::new();
        let Ok(mut busy) = self.busy.lock() else { return groups };
        for r in open {
            if !busy.insert(r.id) {
                continue;
            }
            let url = serde_json::from_str::<Plan>(&r.resolved)
                .ok()
                .and_then(|p| p.source)
                .map(|s| s.git);
            groups
                .entry((url.unwrap_or_default(), r.branch))
                .or_default()
                .push(TaskId(r.id));
        }
        groups
    }

    async fn answer(&self, (url, branch): Question, tasks: &[TaskId]) {
        let found = ask(&url, branch.as_deref(), self.rules).await;
        for task in tasks {
            let done = match &found {
                Ok(head) => self.found(*task, head.clone()).await,
                Err(reason) => self.failed(*task, reason.clone()).await,
            };
            match done {
                Ok(effects) => self.out.send(effects),
                Err(e) => tracing::error!(task.id = %task, error = %e, "Cannot note the commit of task {task}: {e}"),
            }
        }
    }

    async fn found(&self, task: TaskId, head: Head) -> Result<Vec<Effect>> {
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                let head = head.clone();
                async move {
                    let mut batch = Batch::default();
                    batch.push(
                        "UPDATE tasks SET revision = $1, branch = COALESCE(branch, $2), build = COALESCE(build, $3), \
                         reason_code = NULL, version = version + 1 WHERE id = $4 AND reason_code = 'resolving'",
                        [
                            head.revision.clone().into(),
                            head.branch.clone().into(),
                            short(&head.revision).into(),
                            task.0.into(),
                        ],
                    );
                    batch.push(
                        "UPDATE jobs SET ready_at = $1 WHERE task_id = $2 AND status = 'pending' AND ready_at IS NULL AND NOT EXISTS \
                         (SELECT 1 FROM job_needs n JOIN jobs d ON d.id = n.needs_id WHERE n.job_id = jobs.id AND d.status <> 'passed')",
                        [now.0.into(), task.0.into()],
                    );
                    tx.later(batch);
                    tx.emit(NewEvent {
                        at: now,
                        kind: "task.resolved",
                        subject: "task",
                        subject_id: task.0,
                        task_id: Some(task),
                        actor: None,
                        body: json!({ "revision": head.revision, "branch": head.branch }),
                    });
                    Ok(vec![Effect::JobsReady { jobs: Vec::<JobId>::new() }])
                }
                .boxed()
            })
            .await
    }

    async fn failed(&self, task: TaskId, reason: String) -> Result<Vec<Effect>> {
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                let event = Event::SourceFailed { reason: reason.clone() };
                async move { Ok(apply(tx, task, vec![event], None, now).await?.effects) }.boxed()
            })
            .await
    }
}

/// Asks a source where a branch stands.
async fn ask(url: &str, branch: Option<&str>, rules: SourceRules) -> std::result::Result<Head, String> {
    let call = ls_remote(url, branch, rules.allow_local)?;
    let limits = GitLimits {
        time: PATIENCE,
        out: ANSWER,
        // Ssh may write down a host's new keys.
        file: 64 << 20,
    };
    let answer = run_git(&call, Path::new("/"), &[], limits)
        .await
        .map_err(|fault| fault.sentence)?;
    if !answer.good {
        return Err(explain(url, &answer.err));
    }
    parse_ls_remote(&String::from_utf8_lossy(&answer.out), branch)
}
