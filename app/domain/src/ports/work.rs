//! Ports of plans, tasks, queue, agents and events.
//!
//! **Invariant:** a method that changes something says in its answer what it became.

use crate::agent::{AgentTokenView, AgentTokenWish, AgentView, NewAgentToken, PatchAgent};
use crate::auth::Viewer;
use crate::event::{Event, Topic};
use crate::page::{Page, PageQuery};
use crate::plan::view::{NewPlan, PlanCheck, PlanSummary, PlanView, RevisionView, SavePlan};
use crate::queue::{QueueFigures, QueueItem, QueueView};
use crate::task::{AttemptView, CauseKind, RunPlan, TaskDocument, TaskQuery, TaskView};
use crate::{AgentId, AgentTokenId, JobId, PlanId, Result, TaskId};
use async_trait::async_trait;

/// Plans.
#[async_trait]
pub trait Plans: Send + Sync {
    /// A page of plans, newest first; `q` filters by text in name and description.
    async fn list(&self, viewer: &Viewer, q: Option<String>, page: PageQuery) -> Result<Page<PlanSummary>>;
    /// One plan.
    async fn get(&self, viewer: &Viewer, id: PlanId) -> Result<PlanView>;
    /// Makes a plan; every problem of the document at once.
    async fn create(&self, viewer: &Viewer, plan: NewPlan) -> Result<PlanView>;
    /// Saves a new revision; `Conflict` when `version` is stale.
    async fn save(&self, viewer: &Viewer, id: PlanId, plan: SavePlan) -> Result<PlanView>;
    /// Archives it: gone from lists, its tasks stay, its name is free.
    async fn delete(&self, viewer: &Viewer, id: PlanId) -> Result<()>;
    /// Its revisions, newest first.
    async fn revisions(&self, viewer: &Viewer, id: PlanId, page: PageQuery) -> Result<Page<RevisionView>>;
    /// Checks a document and saves nothing; `in_repository`, as the file of a plan that is kept there.
    async fn validate(&self, viewer: &Viewer, document: String, in_repository: bool) -> Result<PlanCheck>;
}

/// Tasks.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// A page of tasks, newest first.
    async fn list(&self, viewer: &Viewer, query: TaskQuery) -> Result<Page<TaskView>>;
    /// One task.
    async fn get(&self, viewer: &Viewer, id: TaskId) -> Result<TaskView>;
    /// The event number at which the next read of `get` can be followed from.
    async fn seq(&self) -> Result<i64>;
    /// Runs a plan.
    async fn run(&self, viewer: &Viewer, plan: PlanId, wish: RunPlan, cause: CauseKind) -> Result<TaskView>;
    /// Wants it to end; harmless when it has.
    async fn abort(&self, viewer: &Viewer, id: TaskId) -> Result<TaskView>;
    /// Lets a stranger's change run: its revision is approved for its plan, and every task that waited for that goes on.
    /// `Conflict` when the task waits for nobody.
    async fn approve(&self, viewer: &Viewer, id: TaskId) -> Result<TaskView>;
    /// Runs it again from its own snapshot.
    async fn rerun(&self, viewer: &Viewer, id: TaskId, failed_only: bool) -> Result<TaskView>;
    /// The document it runs, or the file that could not become one and what is wrong with that.
    async fn document(&self, viewer: &Viewer, id: TaskId) -> Result<TaskDocument>;
    /// Every attempt of a job, newest first.
    async fn attempts(&self, viewer: &Viewer, job: JobId) -> Result<Vec<AttemptView>>;
    /// A task's events, oldest first.
    async fn events(&self, viewer: &Viewer, id: TaskId) -> Result<Vec<Event>>;
}

/// The queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// What waits, in order.
    async fn waiting(&self, viewer: &Viewer) -> Result<Vec<QueueItem>>;
    /// The whole first page, tasks by `query`.
    async fn overview(&self, viewer: &Viewer, query: TaskQuery) -> Result<QueueView>;
    /// The figures alone, for the rail of every page; override it where they can be had for less.
    async fn figures(&self, viewer: &Viewer) -> Result<QueueFigures> {
        let page = PageQuery {
            limit: Some(1),
            cursor: None,
        };
        Ok(self
            .overview(
                viewer,
                TaskQuery {
                    page,
                    ..TaskQuery::default()
                },
            )
            .await?
            .figures)
    }
}

/// Agents.
#[async_trait]
pub trait Agents: Send + Sync {
    /// All agents, by name.
    async fn list(&self, viewer: &Viewer) -> Result<Vec<AgentView>>;
    /// One agent.
    async fn get(&self, viewer: &Viewer, id: AgentId) -> Result<AgentView>;
    /// Pauses, resumes, drains, renames or labels it. Admins.
    async fn patch(&self, viewer: &Viewer, id: AgentId, patch: PatchAgent) -> Result<AgentView>;
    /// Removes it: its credential is void. `Conflict` while it runs something, unless `force`: that is lost then. Admins.
    async fn remove(&self, viewer: &Viewer, id: AgentId, force: bool) -> Result<()>;
    /// What became of its connection and who changed it, newest first.
    async fn events(&self, viewer: &Viewer, id: AgentId, limit: u32) -> Result<Vec<Event>>;
    /// A notice that agents have told how busy they are, for callers of `list`; sees nothing of it.
    fn loads(&self) -> Box<dyn Wake>;
    /// Tokens that may still register agents, newest first. Admins.
    async fn tokens(&self, viewer: &Viewer) -> Result<Vec<AgentTokenView>>;
    /// One of them, used up, ended or not; nothing of one that was revoked. Admins.
    async fn token(&self, viewer: &Viewer, id: AgentTokenId) -> Result<AgentTokenView>;
    /// Makes a token that registers agents. Admins.
    async fn create_token(&self, viewer: &Viewer, wish: AgentTokenWish) -> Result<NewAgentToken>;
    /// Revokes one; the agents it registered stay. Admins.
    async fn revoke_token(&self, viewer: &Viewer, id: AgentTokenId) -> Result<()>;
}

/// News.
#[async_trait]
pub trait Events: Send + Sync {
    /// Whether the viewer may follow a topic.
    async fn may_follow(&self, viewer: &Viewer, topic: Topic) -> Result<()>;
    /// Events of a topic after `since`, oldest first; `None` when `since` is too old to be complete. All there are when
    /// they are fewer than `limit`, else at least as many.
    async fn since(&self, viewer: &Viewer, topic: Option<Topic>, since: i64, limit: u32) -> Result<Option<Vec<Event>>>;
    /// A notice that something new may be there, for callers of `since`; sees nothing of what it is.
    fn wake(&self) -> Box<dyn Wake>;
}

/// Waits for news.
#[async_trait]
pub trait Wake: Send {
    /// Returns when events newer than the last return may be there, with their newest number.
    async fn next(&mut self) -> i64;
}
