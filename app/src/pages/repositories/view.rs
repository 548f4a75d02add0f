//! What the pages of repositories show.
//!
//! **Invariant:** none of it holds what opens a repository.

use crate::Error;
use domain::forge::SentStatus;
use domain::repository::{Connection, RepositoryUser, RepositoryView};
use domain::{RepositoryId, SecretId, Timestamp};
use serde::{Deserialize, Serialize};

/// A repository in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRow {
    /// Itself.
    pub repository: RepositoryView,
    /// What has to do with it.
    pub users: Vec<RepositoryUser>,
}

/// All repositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoriesView {
    /// The event number it was read at.
    pub seq: i64,
    /// The instant.
    pub now: Timestamp,
    /// All of them, by name.
    pub rows: Vec<RepositoryRow>,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryPage {
    /// The event number it was read at.
    pub seq: i64,
    /// The instant.
    pub now: Timestamp,
    /// Itself.
    pub repository: RepositoryView,
    /// The secret that opens it: id and name.
    pub secret: Option<(SecretId, String)>,
    /// What has to do with it.
    pub users: Vec<RepositoryUser>,
    /// What its forge was told last, or is to be.
    pub statuses: Vec<SentStatus>,
    /// What the test found that was made just now without a script.
    pub tested: Option<Connection>,
}

/// A repository as its form has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The version it was read at; 0 for a new one.
    #[serde(default)]
    pub version: i64,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where it is.
    #[serde(default)]
    pub url: String,
    /// Which forge it is at, in a word; to be read off the URL when empty.
    #[serde(default)]
    pub provider: String,
    /// Where the forge's API begins.
    #[serde(default)]
    pub api: String,
    /// The id of the secret that opens it; none when empty.
    #[serde(default)]
    pub opens: String,
}

/// The form of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryForm {
    /// Which; none for a new one.
    pub id: Option<RepositoryId>,
    /// Its name as it is kept.
    pub name: String,
    /// What stands in the form.
    pub draft: Draft,
    /// Why it was refused, when it was sent without a script.
    pub refused: Option<Error>,
    /// The secrets that it can be opened with, by name.
    pub secrets: Vec<(SecretId, String)>,
}
