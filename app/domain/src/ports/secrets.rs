//! The port of secrets.
//!
//! **Invariant:** no method answers a value.

use crate::auth::Viewer;
use crate::secret::{KeyRotation, NewSecret, SecretUser, SecretView, SetSecret};
use crate::{Result, SecretId};
use async_trait::async_trait;

/// Secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// All of the project and its plans, by name.
    async fn list(&self, viewer: &Viewer) -> Result<Vec<SecretView>>;
    /// One.
    async fn get(&self, viewer: &Viewer, id: SecretId) -> Result<SecretView>;
    /// What uses one.
    async fn users(&self, viewer: &Viewer, id: SecretId) -> Result<Vec<SecretUser>>;
    /// Makes one; `Conflict` when the name is in use there.
    async fn create(&self, viewer: &Viewer, wish: NewSecret) -> Result<SecretView>;
    /// Sets one anew; `Conflict` when `version` is stale.
    async fn set(&self, viewer: &Viewer, id: SecretId, wish: SetSecret) -> Result<SecretView>;
    /// Removes one.
    async fn delete(&self, viewer: &Viewer, id: SecretId) -> Result<()>;
    /// Makes a new master key and puts every secret under it.
    async fn rotate_key(&self, viewer: &Viewer) -> Result<KeyRotation>;
}
