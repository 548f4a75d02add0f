//! Counters of failed sign-ins, by hashed key; they survive a restart.
//!
//! **Invariant:** a row holds no name and no address, only a hash of them.

use super::{Result, Tx, on_tx};
use domain::Timestamp;

impl Tx {
    /// How often each key failed and when last; 0 where it never did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failures(&mut self, keys: [&str; 3]) -> Result<[(i64, Timestamp); 3]> {
        let rows: Vec<(String, i64, i64)> = on_tx!(self, c => {
            sqlx::query_as("SELECT key, count, last_at FROM login_failures WHERE key IN ($1,$2,$3)")
                .bind(keys[0]).bind(keys[1]).bind(keys[2]).fetch_all(c).await?
        });
        Ok(keys.map(|k| {
            rows.iter()
                .find(|r| r.0 == k)
                .map_or((0, Timestamp(0)), |r| (r.1, Timestamp(r.2)))
        }))
    }

    /// Sets a key's count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_failures(&mut self, key: &str, count: i64, last: Timestamp, until: Timestamp) -> Result<()> {
        on_tx!(self, c => {
            sqlx::query(
                "INSERT INTO login_failures (key, count, last_at, blocked_until) VALUES ($1,$2,$3,$4) \
                 ON CONFLICT (key) DO UPDATE SET count = excluded.count, last_at = excluded.last_at, \
                 blocked_until = excluded.blocked_until",
            )
            .bind(key).bind(count).bind(last.0).bind(until.0).execute(c).await?;
        });
        Ok(())
    }

    /// Takes one failure back from each key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_back_failure(&mut self, keys: [&str; 2]) -> Result<()> {
        on_tx!(self, c => {
            sqlx::query("UPDATE login_failures SET count = count - 1 WHERE key IN ($1,$2) AND count > 0")
                .bind(keys[0]).bind(keys[1]).execute(c).await?;
        });
        Ok(())
    }

    /// Forgets a key, and whatever last failed before an instant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_failures(&mut self, key: &str, before: Timestamp) -> Result<()> {
        on_tx!(self, c => {
            sqlx::query("DELETE FROM login_failures WHERE key = $1 OR last_at < $2").bind(key).bind(before.0).execute(c).await?;
        });
        Ok(())
    }
}
