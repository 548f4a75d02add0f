//! The port of repositories.
//!
//! **Invariant:** no method answers what opens one.

use crate::auth::Viewer;
use crate::forge::SentStatus;
use crate::repository::{Connection, NewRepository, PutRepository, RepositoryUser, RepositoryView};
use crate::{RepositoryId, Result, TaskId};
use async_trait::async_trait;

/// Repositories.
#[async_trait]
pub trait Repositories: Send + Sync {
    /// All, newest first.
    async fn list(&self, viewer: &Viewer) -> Result<Vec<RepositoryView>>;
    /// One.
    async fn get(&self, viewer: &Viewer, id: RepositoryId) -> Result<RepositoryView>;
    /// Makes one; every problem at once.
    async fn create(&self, viewer: &Viewer, wish: NewRepository) -> Result<RepositoryView>;
    /// Saves one; `Conflict` when `version` is stale.
    async fn save(&self, viewer: &Viewer, id: RepositoryId, wish: PutRepository) -> Result<RepositoryView>;
    /// Removes one; `Conflict` while something uses it.
    async fn delete(&self, viewer: &Viewer, id: RepositoryId) -> Result<()>;
    /// Asks one for its branches and tags, and keeps how it is.
    async fn test(&self, viewer: &Viewer, id: RepositoryId) -> Result<Connection>;
    /// What has to do with one, or with any: triggers, plans, hooks.
    async fn users(&self, viewer: &Viewer, id: Option<RepositoryId>) -> Result<Vec<RepositoryUser>>;
    /// The statuses that its forge was told last, or is to be, newest first, at most 50.
    async fn statuses(&self, viewer: &Viewer, id: RepositoryId) -> Result<Vec<SentStatus>>;
    /// The statuses that forges were told of a task, or are to be, newest first.
    async fn statuses_of(&self, viewer: &Viewer, task: TaskId) -> Result<Vec<SentStatus>>;
}
