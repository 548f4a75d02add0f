//! Deliveries that hooks took.
//!
//! **Invariant:** what a sender calls by one name is one row, however often it is sent.

use crate::store::{Error, Result, Store, Tx, on, on_tx};
use domain::trigger::{ReceivedFiring, ReceivedView};
use domain::{DeliveryId, FiringId, HookId, ProjectId, Timestamp};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// A delivery to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id at the sender.
    pub key: String,
    /// From which address.
    pub sender: String,
    /// What the sender calls it, where a header says so.
    pub event: Option<String>,
    /// Its headers, without what proves it, as JSON.
    pub headers: String,
    /// What proved it.
    pub proof: String,
    /// Bytes of its body.
    pub size: i64,
    /// Its payload.
    pub body: String,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    /// Its id.
    pub id: i64,
    /// Its hook.
    pub hook_id: i64,
    /// Its id at the sender.
    pub key: String,
    /// When it came.
    pub received_at: i64,
    /// From which address.
    pub sender: String,
    /// What the sender calls it.
    pub event: Option<String>,
    /// Its headers, JSON.
    pub headers: String,
    /// What proved it.
    pub proof: String,
    /// Bytes of its body.
    pub size: i64,
    /// Its payload, while it is kept.
    pub body: Option<String>,
}

/// Whether a delivery is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is.
    New(DeliveryId),
    /// It was taken before.
    Before(DeliveryId),
}

const DELIVERIES: &str = "SELECT d.id, d.hook_id, d.key, d.received_at, d.sender, d.event, d.headers, d.proof, d.size, d.body \
    FROM hook_deliveries d JOIN hooks h ON h.id = d.hook_id WHERE h.project_id = $1";

/// Takes a delivery, and counts it; one that was taken before changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn take(tx: &mut Tx, hook: HookId, new: &NewDelivery, now: Timestamp) -> Result<Taken> {
    on_tx!(tx, c => {
        let made: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO hook_deliveries (hook_id, key, received_at, sender, event, headers, proof, size, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (hook_id, key) DO NOTHING RETURNING id",
        )
        .bind(hook.0).bind(new.key.as_str()).bind(now.0).bind(new.sender.as_str()).bind(new.event.as_deref())
        .bind(new.headers.as_str()).bind(new.proof.as_str()).bind(new.size).bind(new.body.as_str())
        .fetch_optional(&mut *c).await?;
        match made {
            Some((id,)) => {
                sqlx::query("UPDATE hooks SET accepted = accepted + 1, seen_at = $2 WHERE id = $1")
                    .bind(hook.0).bind(now.0).execute(&mut *c).await?;
                Ok(Taken::New(DeliveryId(id)))
            }
            None => {
                let there: Option<(i64,)> = sqlx::query_as("SELECT id FROM hook_deliveries WHERE hook_id = $1 AND key = $2")
                    .bind(hook.0).bind(new.key.as_str()).fetch_optional(&mut *c).await?;
                let (id,) = there.ok_or_else(|| Error::corrupt("hook_deliveries", "a delivery is there and is not"))?;
                Ok(Taken::Before(DeliveryId(id)))
            }
        }
    })
}

/// One delivery.
///
/// # Errors
/// When the database fails.
pub async fn delivery(store: &Store, project: ProjectId, id: DeliveryId) -> Result<Option<Delivery>> {
    let sql = format!("{DELIVERIES} AND d.id = $2");
    Ok(on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(id.0).fetch_optional(p).await?))
}

/// A hook's newest deliveries whose payloads are kept, newest first.
///
/// # Errors
/// When the database fails.
pub async fn newest(store: &Store, project: ProjectId, hook: HookId, most: i64) -> Result<Vec<Delivery>> {
    let sql = format!("{DELIVERIES} AND d.hook_id = $2 AND d.body IS NOT NULL ORDER BY d.id DESC LIMIT $3 + 0");
    Ok(on!(store.db(), p => {
        sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(hook.0).bind(most).fetch_all(p).await?
    }))
}

/// A hook's newest deliveries without their payloads, and what came of each, newest first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn received(store: &Store, hook: HookId, most: i64) -> Result<Vec<ReceivedView>> {
    type Row = (i64, String, Option<String>, i64, String, String, i64);
    let sql = "SELECT id, key, event, received_at, sender, proof, size FROM hook_deliveries WHERE hook_id = $1 \
         ORDER BY id DESC LIMIT $2 + 0";
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(sql).bind(hook.0).bind(most).fetch_all(p).await?);
    let Some(oldest) = rows.last().map(|r| r.0) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT f.delivery_id, f.id, t.name, f.verdict FROM hook_deliveries d JOIN firings f ON f.delivery_id = d.id \
         JOIN triggers t ON t.id = f.trigger_id WHERE d.hook_id = $1 AND d.id >= $2 ORDER BY f.id";
    let firings: Vec<(i64, i64, String, String)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(hook.0).bind(oldest).fetch_all(p).await?);
    let mut by_delivery: HashMap<i64, Vec<ReceivedFiring>> = HashMap::new();
    for (delivery, id, trigger, verdict) in firings {
        let verdict = verdict.parse().map_err(|e| Error::corrupt("firings", e))?;
        let firing = ReceivedFiring {
            id: FiringId(id),
            trigger,
            verdict,
        };
        by_delivery.entry(delivery).or_default().push(firing);
    }
    let view = |(id, key, event, at, from, proof, size)| ReceivedView {
        id: DeliveryId(id),
        key,
        event,
        at: Timestamp(at),
        from,
        proof,
        size,
        firings: by_delivery.remove(&id).unwrap_or_default(),
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Lets go of payloads older than `bodies` and of rows older than `rows`, at most `most` of each.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(tx: &mut Tx, bodies: Timestamp, rows: Timestamp, most: i64) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query(
            "UPDATE hook_deliveries SET body = NULL WHERE id IN \
             (SELECT id FROM hook_deliveries WHERE received_at < $1 AND body IS NOT NULL ORDER BY received_at LIMIT $2 + 0)",
        )
        .bind(bodies.0).bind(most).execute(&mut *c).await?;
        sqlx::query(
            "DELETE FROM hook_deliveries WHERE id IN \
             (SELECT id FROM hook_deliveries WHERE received_at < $1 ORDER BY received_at LIMIT $2 + 0)",
        )
        .bind(rows.0).bind(most).execute(&mut *c).await?;
    });
    Ok(())
}
