//! Settings that live in the database, by key.
//!
//! **Invariant:** a key that was ensured keeps its value until it is put.

use super::{Result, Store, Tx, on, on_tx};

/// The value of a key; `value` becomes it when there is none.
///
/// # Errors
/// When the database fails.
pub async fn ensure(tx: &mut Tx, key: &str, value: &str) -> Result<String> {
    Ok(on_tx!(tx, c => sqlx::query_scalar(
        "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = settings.value RETURNING value")
        .bind(key).bind(value).fetch_one(c).await?))
}

/// The value of a key.
///
/// # Errors
/// When the database fails.
pub async fn get(store: &Store, key: &str) -> Result<Option<String>> {
    let sql = "SELECT value FROM settings WHERE key = $1";
    Ok(on!(store.db(), p => sqlx::query_scalar(sql).bind(key).fetch_optional(p).await?))
}

/// Sets a key.
///
/// # Errors
/// When the database fails.
pub async fn put(tx: &mut Tx, key: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO settings (key, value) VALUES ($1, $2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = settings.version + 1";
    on_tx!(tx, c => {
        sqlx::query(sql).bind(key).bind(value).execute(c).await?;
    });
    Ok(())
}
