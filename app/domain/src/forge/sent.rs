//! Statuses of commits as they were sent to forges, or will be: for those who ask what became of them.
//!
//! **Invariant:** what a forge said is told as it is, in one sentence; no token is in it.

use super::{Provider, State};
use crate::{RepositoryId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// Where the sending of a status stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Sending {
    /// It is to be sent.
    Waiting,
    /// It was tried, and will be again.
    Retrying,
    /// The forge took it.
    Taken,
    /// The forge refused it, or it cannot be sent; it is not tried again.
    Refused,
    /// A newer one of the same task came before it was sent.
    Superseded,
}

/// The status of a commit that a forge was told, or is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SentStatus {
    /// Its id; later ones have higher ones.
    pub id: i64,
    /// The task it tells of.
    pub task_id: TaskId,
    /// The repository, whose forge is told.
    pub repository_id: RepositoryId,
    /// Its name; absent when it is gone.
    pub repository: Option<String>,
    /// Which forge that is at.
    pub provider: Option<Provider>,
    /// The commit.
    pub revision: String,
    /// What tells it from other statuses of the commit.
    pub context: String,
    /// How the commit fares.
    pub state: State,
    /// The same in a few words.
    pub description: String,
    /// Where the sending stands.
    pub sending: Sending,
    /// What stood in the way when it was tried last, one sentence.
    pub said: Option<String>,
    /// How often it was tried.
    pub tries: i64,
    /// When it was tried last.
    pub tried_at: Option<Timestamp>,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
}
