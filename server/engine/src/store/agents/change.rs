//! What people and agents change of an agent's row beside sessions and facts.
//!
//! **Invariant:** a person's change is conditional on the version they read, and each change is an event.

use super::{Error, NewEvent, Result, event};
use crate::store::{Store, Tx, on, on_tx};
use domain::label::Labels;
use domain::status::Availability;
use domain::{AgentId, Timestamp, UserId};
use serde_json::{Value, json};

/// What an admin changes; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Another name.
    pub name: Option<String>,
    /// Whether it takes jobs, with the note and the end of a pause.
    pub availability: Option<(Availability, Option<String>, Option<Timestamp>)>,
    /// Labels over those it reports.
    pub labels: Option<Labels>,
    /// Slots over those it reports; `Some(None)` for those it reports.
    pub slots: Option<Option<u32>>,
    /// Who changes it, by name and, where they are a user, id.
    pub actor: (String, Option<UserId>),
}

/// Changes an agent, one event for each thing; answers whether the version was the present one.
///
/// # Errors
/// When the database fails, or the name is in use.
pub async fn change(tx: &mut Tx, id: AgentId, version: i64, change: &Change, now: Timestamp) -> Result<bool> {
    tx.forget_fleet();
    let done = on_tx!(tx, c => sqlx::query(
        "UPDATE agents SET version = version + 1 WHERE id = $1 AND version = $2 AND removed_at IS NULL")
        .bind(id.0).bind(version).execute(c).await?.rows_affected());
    if done == 0 {
        return Ok(false);
    }
    let (actor, user) = &change.actor;
    let mut told = |kind: &'static str, mut body: Value| {
        body["agent_id"] = id.0.into();
        tx.emit(NewEvent {
            actor: Some(actor.clone()),
            body,
            ..event(id, kind, now)
        });
    };
    if let Some(name) = &change.name {
        told("agent.renamed", json!({ "name": name }));
    }
    if let Some((to, note, until)) = &change.availability {
        let kind = match to {
            Availability::Active => "agent.resumed",
            Availability::Paused => "agent.paused",
            Availability::Draining => "agent.draining",
        };
        told(kind, json!({ "note": note, "until": until }));
    }
    if let Some(labels) = &change.labels {
        told("agent.labels", json!({ "labels": labels }));
    }
    if let Some(slots) = change.slots {
        told("agent.slots", json!({ "slots": slots }));
    }
    if let Some(name) = &change.name {
        on_tx!(tx, c => { sqlx::query("UPDATE agents SET name = $2 WHERE id = $1").bind(id.0).bind(name).execute(c).await?; });
    }
    if let Some((to, note, until)) = &change.availability {
        let by = user.filter(|_| *to != Availability::Active).map(|u| u.0);
        on_tx!(tx, c => { sqlx::query(
            "UPDATE agents SET availability = $2, note = $3, paused_until = $4, paused_by = $5 WHERE id = $1")
            .bind(id.0).bind(to.as_str()).bind(note).bind(until.map(|u| u.0)).bind(by).execute(c).await?; });
    }
    if let Some(labels) = &change.labels {
        let text = serde_json::to_string(labels).map_err(|e| Error::corrupt("agents", e))?;
        on_tx!(tx, c => { sqlx::query("UPDATE agents SET labels_set = $2 WHERE id = $1").bind(id.0).bind(text).execute(c).await?; });
    }
    if let Some(slots) = change.slots {
        on_tx!(tx, c => { sqlx::query("UPDATE agents SET slots_set = $2 WHERE id = $1")
            .bind(id.0).bind(slots.map(i64::from)).execute(c).await?; });
    }
    Ok(true)
}

/// Whether another agent has this name.
///
/// # Errors
/// When the database fails.
pub async fn rename_taken(tx: &mut Tx, id: AgentId, name: &str) -> Result<bool> {
    let found: Option<i64> = on_tx!(tx, c => sqlx::query_scalar(
        "SELECT id FROM agents WHERE name = $1 AND id <> $2 AND removed_at IS NULL").bind(name).bind(id.0).fetch_optional(c).await?);
    Ok(found.is_some())
}

/// Removes an agent: its name is free, its credential void. Its rows stay, for what it ran.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, id: AgentId, actor: &str, now: Timestamp) -> Result<bool> {
    tx.forget_fleet();
    let done = on_tx!(tx, c => sqlx::query(
        "UPDATE agents SET removed_at = $2, status = 'offline', version = version + 1 WHERE id = $1 AND removed_at IS NULL")
        .bind(id.0).bind(now.0).execute(c).await?.rows_affected());
    if done > 0 {
        tx.emit(NewEvent {
            actor: Some(actor.to_owned()),
            ..event(id, "agent.removed", now)
        });
    }
    Ok(done > 0)
}

/// Whether a pause ends now.
///
/// # Errors
/// When the database fails.
pub async fn resume_due(store: &Store, now: Timestamp) -> Result<bool> {
    let found: Option<i64> = on!(store.db(), p => sqlx::query_scalar(
        "SELECT id FROM agents WHERE availability = 'paused' AND paused_until <= $1 AND removed_at IS NULL LIMIT 1")
        .bind(now.0).fetch_optional(p).await?);
    Ok(found.is_some())
}

/// Ends every pause whose time is over.
///
/// # Errors
/// When the database fails.
pub async fn resume_due_now(tx: &mut Tx, now: Timestamp) -> Result<()> {
    tx.forget_fleet();
    let ids: Vec<i64> = on_tx!(tx, c => sqlx::query_scalar(
        "UPDATE agents SET availability = 'active', note = NULL, paused_until = NULL, paused_by = NULL, version = version + 1 \
         WHERE availability = 'paused' AND paused_until <= $1 AND removed_at IS NULL RETURNING id")
        .bind(now.0).fetch_all(c).await?);
    for id in ids {
        tx.emit(NewEvent {
            body: json!({ "agent_id": id, "why": "The time of its pause is over." }),
            ..event(AgentId(id), "agent.resumed", now)
        });
    }
    Ok(())
}

/// The agent's own program was told to stop: it takes no more, until it connects anew.
///
/// # Errors
/// When the database fails.
pub async fn set_leaving(tx: &mut Tx, id: AgentId, session: i64, now: Timestamp) -> Result<()> {
    tx.forget_fleet();
    let done = on_tx!(tx, c => sqlx::query("UPDATE agents SET leaving = TRUE WHERE id = $1 AND epoch = $2 AND NOT leaving")
        .bind(id.0).bind(session).execute(c).await?.rows_affected());
    if done > 0 {
        tx.emit(NewEvent {
            body: json!({ "agent_id": id.0, "why": "Its program was told to stop." }),
            ..event(id, "agent.draining", now)
        });
    }
    Ok(())
}

/// How far an agent's clock is ahead, where that is worth a warning. What is so already is no event.
///
/// # Errors
/// When the database fails.
pub async fn set_clock_off(tx: &mut Tx, id: AgentId, off_ms: Option<i64>, now: Timestamp) -> Result<()> {
    let was: Option<Option<i64>> = on_tx!(tx, c => sqlx::query_scalar("SELECT clock_off_ms FROM agents WHERE id = $1")
        .bind(id.0).fetch_optional(c).await?);
    if domain::agent::same_clock(was.flatten(), off_ms) {
        return Ok(());
    }
    on_tx!(tx, c => { sqlx::query("UPDATE agents SET clock_off_ms = $2 WHERE id = $1").bind(id.0).bind(off_ms).execute(c).await?; });
    tx.emit(NewEvent {
        body: json!({ "agent_id": id.0, "off_ms": off_ms }),
        ..event(id, "agent.clock", now)
    });
    Ok(())
}

/// Labels of the agent's own changed.
///
/// # Errors
/// When the database fails.
pub async fn set_reported_labels(tx: &mut Tx, id: AgentId, labels: &Labels, now: Timestamp) -> Result<()> {
    tx.forget_fleet();
    let text = serde_json::to_string(labels).map_err(|e| Error::corrupt("agents", e))?;
    on_tx!(tx, c => { sqlx::query("UPDATE agents SET labels_reported = $2 WHERE id = $1").bind(id.0).bind(text).execute(c).await?; });
    tx.emit(event(id, "agent.changed", now));
    Ok(())
}
