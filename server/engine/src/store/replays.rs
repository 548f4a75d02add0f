//! Answers of creating requests, kept under the client's `Idempotency-Key` for a day.
//!
//! **Invariant:** one key makes one thing: a key in use is never begun again, and no one-time secret is kept.

use super::{Result, Tx, on_tx};
use domain::ports::{Replay, ReplayKey};
use domain::{Timestamp, UserId};

/// How long a key is remembered: 24 hours.
const KEPT_MS: i64 = 86_400_000;

impl Tx {
    /// Begins a request under a key, or says what became of an earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_replay(&mut self, user: UserId, key: &ReplayKey, now: Timestamp) -> Result<Replay> {
        on_tx!(self, c => {
            sqlx::query("DELETE FROM idempotency WHERE ends_at <= $1").bind(now.0).execute(c).await?;
        });
        let made: Option<(String,)> = on_tx!(self, c => {
            sqlx::query_as(
                "INSERT INTO idempotency (user_id, key, path, body_hash, status, answer, ends_at) VALUES ($1,$2,$3,$4,0,'',$5) \
                 ON CONFLICT (user_id, key) DO NOTHING RETURNING key",
            )
            .bind(user.0).bind(key.key.as_str()).bind(key.path.as_str()).bind(key.body_hash.as_str())
            .bind(now.0 + KEPT_MS).fetch_optional(c).await?
        });
        if made.is_some() {
            return Ok(Replay::New);
        }
        let (path, body_hash, status, answer): (String, String, i64, String) = on_tx!(self, c => {
            sqlx::query_as("SELECT path, body_hash, status, answer FROM idempotency WHERE user_id = $1 AND key = $2")
                .bind(user.0).bind(key.key.as_str()).fetch_one(c).await?
        });
        Ok(match u16::try_from(status).unwrap_or(0) {
            _ if path != key.path || body_hash != key.body_hash => Replay::Other,
            0 => Replay::Open,
            status => Replay::Answered {
                status,
                answer: Some(answer).filter(|a| !a.is_empty()),
            },
        })
    }

    /// Keeps the answer of a request; `None` frees its key, because nothing was made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_replay(&mut self, user: UserId, key: &str, answer: Option<(u16, Option<String>)>) -> Result<()> {
        match answer {
            Some((status, body)) => on_tx!(self, c => {
                sqlx::query("UPDATE idempotency SET status = $3, answer = $4 WHERE user_id = $1 AND key = $2")
                    .bind(user.0).bind(key).bind(i64::from(status)).bind(body.unwrap_or_default()).execute(c).await?;
            }),
            None => on_tx!(self, c => {
                sqlx::query("DELETE FROM idempotency WHERE user_id = $1 AND key = $2 AND status = 0")
                    .bind(user.0).bind(key).execute(c).await?;
            }),
        }
        Ok(())
    }
}
