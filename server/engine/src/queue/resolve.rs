//! Finding what tasks need to know of their source, off the enqueueing path: the exact commit of a branch, and the file
//! that has the plan's jobs where it is kept in the repository.
//!
//! **Invariant:** every job of a task builds the same commit; a source that cannot be read fails the task at once with one
//! sentence; what is sought stands in the rows, so a restart goes on with it.

mod ask;

use super::approval::let_go;
use super::{Outward, apply};
use crate::clock::SharedClock;
use crate::outgoing::gate::HostGate;
use crate::outgoing::git::Git;
use crate::remotes::Remotes;
use crate::store::tasks::held::{self, Found};
use crate::store::tasks::{Resolving, resolving};
use crate::store::{NewEvent, Result, Store};
use ask::{Failed, Question};
use domain::lifecycle::{Effect, Event};
use domain::plan::Plan;
use domain::plan::document::SourceRules;
use domain::{JobId, TaskId};
use futures::FutureExt;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// At once to one host, and to all of them.
const AT_ONCE: (usize, usize) = (4, 16);

/// Finds exact commits and documents. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    store: Store,
    clock: SharedClock,
    out: Outward,
    rules: SourceRules,
    git: Git,
    remotes: Remotes,
    gate: HostGate,
    busy: Arc<Mutex<HashSet<i64>>>,
}

impl Resolver {
    /// A resolver; start it with [`Resolver::run`].
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, out: Outward, rules: SourceRules, git: Git, remotes: Remotes) -> Self {
        Self {
            store,
            clock,
            out,
            rules,
            git,
            remotes,
            gate: HostGate::new(AT_ONCE.0, AT_ONCE.1),
            busy: Arc::default(),
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
                    tracing::error!(error = %e, "Cannot read what is sought of sources: {e}");
                    continue;
                }
            };
            for (question, tasks) in self.take(open) {
                let me = self.clone();
                tokio::spawn(async move {
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
            let plan = serde_json::from_str::<Plan>(&r.resolved).ok();
            let question = Question {
                url: plan
                    .as_ref()
                    .and_then(|p| p.source.as_ref())
                    .map(|s| s.git.clone())
                    .unwrap_or_default(),
                branch: r.branch,
                revision: r.revision,
                plan: plan.filter(|p| p.unread().is_some()).map(|_| r.resolved),
            };
            groups.entry(question).or_default().push(TaskId(r.id));
        }
        groups
    }

    async fn answer(&self, question: Question, tasks: &[TaskId]) {
        let found = self.ask(&question).await;
        failpoint::reached("server.resolved");
        for task in tasks {
            let done = match &found {
                Ok(found) => self.found(*task, found.clone()).await,
                Err(failed) => self.failed(*task, failed.clone()).await,
            };
            match done {
                Ok(effects) => self.out.send(effects),
                Err(e) => {
                    tracing::error!(task.id = %task, error = %e, "Cannot note what was found for task {task}: {e}")
                }
            }
        }
    }

    async fn found(&self, task: TaskId, found: Found) -> Result<Vec<Effect>> {
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                let found = found.clone();
                async move {
                    let Some(known) = held::found(tx, task, &found, now).await? else {
                        // It was aborted meanwhile.
                        return Ok(Vec::new());
                    };
                    let goes = let_go(tx, task, &known, now).await?;
                    tx.emit(NewEvent {
                        at: now,
                        kind: "task.resolved",
                        subject: "task",
                        subject_id: task.0,
                        task_id: Some(task),
                        actor: None,
                        body: json!({ "revision": found.revision, "branch": found.branch, "awaits_approval": !goes }),
                    });
                    Ok(match goes {
                        true => vec![Effect::JobsReady {
                            jobs: Vec::<JobId>::new(),
                        }],
                        false => Vec::new(),
                    })
                }
                .boxed()
            })
            .await
    }

    async fn failed(&self, task: TaskId, failed: Failed) -> Result<Vec<Effect>> {
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                let Failed { reason, file } = failed.clone();
                async move {
                    let ended = apply(tx, task, vec![Event::SourceFailed { reason }], None, now).await?;
                    if let Some(file) = file.filter(|_| ended.refused == [None]) {
                        held::keep_unread(tx, task, &file)?;
                    }
                    Ok(ended.effects)
                }
                .boxed()
            })
            .await
    }
}
