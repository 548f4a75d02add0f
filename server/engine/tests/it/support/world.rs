//! An engine with a test clock, a person of each role, and plans made through the port.

use super::{Database, FakeAgent};
use domain::auth::{Grant, Role, Via, Viewer};
use domain::plan::view::NewPlan;
use domain::status::{JobStatus, TaskStatus};
use domain::task::{CauseKind, RunPlan, TaskView};
use domain::{AgentId, PlanId, TaskId, Timestamp, UserId};
use engine::assembly::{Engine, Options};
use engine::clock::TestClock;
use engine::dispatch::Settings;
use engine::store::{Db, Location};
use futures::FutureExt;
use std::sync::Arc;
use tempfile::TempDir;

/// The instant tests begin at.
pub const NOW: i64 = 1_795_000_000_000;

/// A running engine.
pub struct World {
    /// Its data folder.
    pub dir: TempDir,
    /// Where its database is.
    pub at: Location,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Itself.
    pub engine: Engine,
    /// A person with every right.
    pub ana: Viewer,
}

impl World {
    /// A fresh engine over SQLite.
    pub async fn new() -> Self {
        Self::on(Database::sqlite()).await
    }

    /// A fresh engine over this database.
    pub async fn on(database: Database) -> Self {
        let Database { dir, at } = database;
        let clock = TestClock::at(NOW);
        let engine = Self::open(&dir, &at, &clock, |_| {}).await;
        let id = engine
            .store
            .write(|tx| Box::pin(async move { tx.insert_user("ana", "x", Role::Admin, Timestamp(NOW)).await }))
            .await
            .unwrap();
        Self {
            dir,
            at,
            clock,
            engine,
            ana: viewer(id, Role::Admin),
        }
    }

    /// Stops the engine and starts another over the same folder, with other times.
    pub async fn restart_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let Self {
            dir,
            at,
            clock,
            engine,
            ana,
        } = self;
        engine.stop().await;
        let engine = Self::open(&dir, &at, &clock, change).await;
        Self {
            dir,
            at,
            clock,
            engine,
            ana,
        }
    }

    async fn open(dir: &TempDir, at: &Location, clock: &Arc<TestClock>, change: impl FnOnce(&mut Settings)) -> Engine {
        let mut settings = Settings {
            allow_local: true,
            ..Settings::default()
        };
        change(&mut settings);
        let options = Options {
            database: at.clone(),
            data: dir.path().to_owned(),
            settings,
            clock: clock.clone(),
        };
        Engine::start(options).await.unwrap()
    }

    /// Another engine over what a stopped one has left.
    pub async fn again(dir: TempDir, at: Location, clock: Arc<TestClock>, ana: Viewer) -> Self {
        let engine = Self::open(&dir, &at, &clock, |_| {}).await;
        Self {
            dir,
            at,
            clock,
            engine,
            ana,
        }
    }

    /// Stops the engine and starts another over the same folder.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// A plan of this document.
    pub async fn plan(&self, document: &str) -> PlanId {
        let plan = NewPlan {
            document: document.to_owned(),
            ..NewPlan::default()
        };
        self.engine
            .ports
            .plans
            .create(&self.ana, plan)
            .await
            .unwrap()
            .summary
            .id
    }

    /// Runs a plan.
    pub async fn run(&self, plan: PlanId) -> TaskView {
        self.run_as(plan, RunPlan::default()).await
    }

    /// Runs a plan at a revision.
    pub async fn run_at(&self, plan: PlanId, revision: &str) -> TaskView {
        let wish = RunPlan {
            revision: Some(revision.to_owned()),
            ..RunPlan::default()
        };
        self.run_as(plan, wish).await
    }

    /// Runs a plan as somebody wants it.
    pub async fn run_as(&self, plan: PlanId, wish: RunPlan) -> TaskView {
        let tasks = &self.engine.ports.tasks;
        tasks.run(&self.ana, plan, wish, CauseKind::Api).await.unwrap()
    }

    /// A task as it is now.
    pub async fn task(&self, id: TaskId) -> TaskView {
        self.engine.ports.tasks.get(&self.ana, id).await.unwrap()
    }

    /// A task's state and those of its jobs.
    pub async fn states(&self, id: TaskId) -> (TaskStatus, Vec<JobStatus>) {
        let t = self.task(id).await;
        (t.status, t.jobs.iter().map(|j| j.status).collect())
    }

    /// Waits for news until the task is in a state; fails the test when the news stop for 10 s.
    pub async fn until(&self, id: TaskId, status: TaskStatus) -> TaskView {
        let mut news = self.engine.store.news();
        loop {
            let task = self.task(id).await;
            if task.status == status {
                return task;
            }
            let next = tokio::time::timeout(std::time::Duration::from_secs(10), news.recv()).await;
            assert!(
                next.is_ok(),
                "task {id} stays {} and never becomes {status}",
                task.status
            );
        }
    }

    /// A further agent of this name: its id and its credential.
    pub async fn register(&self, name: &'static str) -> (AgentId, String) {
        let credential = format!("credential of {name}");
        let hash = engine::dispatch::credential_hash(&credential);
        let insert = format!(
            "INSERT INTO agents (name, credential_hash, slots, created_at) VALUES ('{name}', '{hash}', 1, {NOW})"
        );
        self.sql(insert).await;
        let all = self.engine.ports.agents.list(&self.ana).await.unwrap();
        (all.iter().find(|a| a.name == name).unwrap().id, credential)
    }

    /// Nothing goes on without an owner or a deadline (I6).
    pub async fn nothing_is_stuck(&self) {
        use engine::clock::Clock as _;
        let found = engine::store::orphans(&self.engine.store, self.clock.now(), 0)
            .await
            .unwrap();
        assert!(found.is_empty(), "{found:?}");
    }

    /// Runs a statement as a write.
    pub async fn sql(&self, text: String) {
        let written = self.engine.store.write(move |tx| {
            let text = text.clone();
            async move {
                let mut batch = engine::store::Batch::default();
                batch.push(text, []);
                tx.run(batch).await
            }
            .boxed()
        });
        written.await.unwrap();
    }

    /// What the audit says of an action, oldest first: actor, object, and what came of it.
    pub async fn audited(&self, action: &'static str) -> Vec<(Option<i64>, Option<i64>, String)> {
        let sql = "SELECT actor_id, object_id, COALESCE(after, '') FROM audit WHERE action = $1 ORDER BY seq";
        match self.engine.store.db() {
            Db::Sqlite(p) => {
                sqlx::query_as(sql)
                    .bind(action)
                    .fetch_all(&mut *p.take().await.unwrap())
                    .await
            }
            Db::Postgres(p) => sqlx::query_as(sql).bind(action).fetch_all(p).await,
        }
        .unwrap()
    }

    /// An agent with so many slots and these labels beside `os=linux`, connected.
    pub async fn agent(&self, slots: u32, labels: &[(&str, &str)]) -> FakeAgent {
        let (id, credential) = self.engine.builtin_agent().await.unwrap();
        FakeAgent::connect(&self.engine, id, &credential, slots, labels, Vec::new()).await
    }
}

/// Somebody with a role.
pub fn viewer(user: UserId, role: Role) -> Viewer {
    let grants = vec![Grant { project: None, role }];
    Viewer {
        user,
        name: "ana".into(),
        grants,
        scopes: None,
        via: Via::Session,
        authz_epoch: 0,
    }
}
