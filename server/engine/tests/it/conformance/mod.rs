//! What both databases must do alike: each function here runs on SQLite and on PostgreSQL, straight over the store.
//!
//! **Invariant:** whoever changes what the store does says so here first; nothing in here knows which database it is on.

mod access;
mod agents;
mod events;
mod hand_out;
mod keys;
mod listing;
mod plans;
mod secrets;
mod tasks;
mod waiting;
mod writes;

use domain::plan::Plan;
use domain::plan::document::{SourceRules, read};
use domain::status::{ExecutorKind, StepKind};
use domain::task::{Cause, CauseKind};
use domain::{AgentId, PlanId, ProjectId, TaskId, Timestamp};
use engine::store::agents::{connected, ensure_builtin};
use engine::store::plans::{Document, PlanChange};
use engine::store::tasks::{NewJob, NewStep, NewTask, demands, insert};
use engine::store::{Batch, NewEvent, Result, Store, Tx, Value};
use futures::FutureExt;
use futures::future::BoxFuture;

/// The instant everything happens at unless a test says otherwise.
const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// Text that databases like to get wrong.
const ODD: &str = "Żółć — 漢字 🐈‍⬛ 'quoted' \"twice\" 100%_\\ $1 ?1 -- ;";

fn later(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

/// A write that cannot fail.
async fn write<T, F>(store: &Store, f: F) -> T
where
    T: Send + 'static,
    F: for<'a> FnMut(&'a mut Tx) -> BoxFuture<'a, Result<T>> + Send + 'static,
{
    store.write(f).await.unwrap()
}

/// A statement of the test's own, in a write.
async fn run(store: &Store, sql: &'static str, values: Vec<Value>) {
    write(store, move |tx| {
        let mut batch = Batch::default();
        batch.push(sql, values.clone());
        async move { tx.run(batch).await }.boxed()
    })
    .await;
}

/// A plan and what tasks of it are made from.
#[derive(Clone)]
struct Made {
    id: PlanId,
    digest: String,
    plan: Plan,
}

fn change(document: &str) -> (PlanChange, Plan) {
    let plan = read(document, &SourceRules { allow_local: true }).unwrap();
    let change = PlanChange {
        name: plan.name.clone(),
        description: None,
        enabled: None,
        document: Document::new(document.to_owned(), &plan).unwrap(),
        author: None,
        message: String::new(),
    };
    (change, plan)
}

async fn plan(store: &Store, document: &str) -> Made {
    let (change, plan) = change(document);
    let digest = change.document.digest.clone();
    let id = write(store, move |tx| {
        let change = change.clone();
        async move { tx.insert_plan(ProjectId::DEFAULT, &change, NOW).await }.boxed()
    })
    .await;
    Made { id, digest, plan }
}

/// The plan most tests need: one job, one step.
async fn simple(store: &Store, name: &str) -> Made {
    plan(store, &format!("name: {name}\nsteps: [{{run: \"true\"}}]\n")).await
}

impl Made {
    /// A task of it, as enqueueing would make it; jobs that need nothing are ready at once.
    fn task(&self) -> NewTask {
        let jobs = self.plan.jobs.iter().map(|job| NewJob {
            key: job.key.clone(),
            needs: job.needs.clone(),
            spec: serde_json::to_string(job).unwrap(),
            requirements: demands(job),
            timeout_ms: None,
            retry: None,
            steps: [("prepare", StepKind::Setup), ("run", StepKind::Step)]
                .map(|(name, kind)| NewStep {
                    kind,
                    ordinal: 0,
                    name: name.to_owned(),
                    allow_failure: kind == StepKind::Step,
                })
                .into(),
            ready_at: job.needs.is_empty().then_some(NOW),
            passed: None,
        });
        NewTask {
            project: ProjectId::DEFAULT,
            plan: self.id,
            plan_revision: 1,
            digest: self.digest.clone(),
            cause: Cause {
                kind: CauseKind::Api,
                by: Some("ana".into()),
                rerun_of: None,
                firing_id: None,
                fork: None,
            },
            created_by: None,
            branch: None,
            revision: None,
            build: None,
            message: None,
            author: None,
            reason_code: None,
            reason: None,
            priority: 0,
            parameters: [("level".to_owned(), ODD.to_owned())].into(),
            jobs: jobs.collect(),
        }
    }
}

async fn put(store: &Store, task: NewTask) -> TaskId {
    write(store, move |tx| {
        let task = task.clone();
        async move { Ok(insert(tx, &task, NOW).await?.0) }.boxed()
    })
    .await
}

/// The built-in agent, connected with so many slots; answers its session too.
async fn agent(store: &Store, slots: u32) -> (AgentId, i64) {
    write(store, move |tx| {
        async move {
            let id = ensure_builtin(tx, "hash", NOW).await?;
            let facts = domain::agent::Facts {
                executors: vec![ExecutorKind::Process],
                hostname: ODD.into(),
                ..Default::default()
            };
            let labels = [("os".to_owned(), "linux".to_owned())].into();
            Ok((id, connected(tx, id, &facts, &labels, slots, NOW).await?))
        }
        .boxed()
    })
    .await
}

fn event(n: i64, task: Option<TaskId>) -> NewEvent {
    NewEvent {
        at: later(n),
        kind: "task.created",
        subject: "task",
        subject_id: n,
        task_id: task,
        actor: Some(ODD.into()),
        body: serde_json::json!({ "plan_id": 7, "text": ODD }),
    }
}
