//! Settings that live in the database, by key.
//!
//! **Invariant:** a key that was ensured keeps its value.

use super::{Result, Tx, on_tx};

/// The value of a key; `value` becomes it when there is none.
///
/// # Errors
/// When the database fails.
pub async fn ensure(tx: &mut Tx, key: &str, value: &str) -> Result<String> {
    Ok(on_tx!(tx, c => sqlx::query_scalar(
        "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = settings.value RETURNING value")
        .bind(key).bind(value).fetch_one(c).await?))
}
