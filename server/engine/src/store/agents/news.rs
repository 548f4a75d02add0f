//! What is told of an agent: the small facts in its events, and reading them back.
//!
//! **Invariant:** events of an agent say what differs from the rows before, so they are made before those are written.

use super::{Facts, Result};
use crate::store::{Store, Tx, on, on_tx};
use domain::event::Event;
use domain::label::Labels;
use domain::{AgentId, Timestamp};
use serde_json::{Value, json};

type Before = (String, Option<i64>, Option<String>, i64, String, String);

/// The body of `agent.online`: whether it is the first time, how long it was away, and what is not as it was.
pub(super) async fn online(
    tx: &mut Tx,
    id: AgentId,
    facts: &Facts,
    labels: &Labels,
    slots: u32,
    now: Timestamp,
) -> Result<Value> {
    let before: Option<Before> = on_tx!(tx, c => sqlx::query_as(
        "SELECT status, seen_at, version_text, slots, labels_reported, facts FROM agents WHERE id = $1")
        .bind(id.0).fetch_optional(c).await?);
    let mut body = json!({ "agent_id": id.0, "version": facts.version });
    let Some((_, Some(seen), version, had_slots, had_labels, had_facts)) = before else {
        body["first"] = true.into();
        return Ok(body);
    };
    body["away_ms"] = now.since(Timestamp(seen)).max(0).into();
    let mut changed = Vec::new();
    if let Some(version) = version.filter(|v| *v != facts.version) {
        changed.push(format!("version {version} → {}", facts.version));
    }
    if had_slots != i64::from(slots) {
        changed.push(format!("slots {had_slots} → {slots}"));
    }
    // Of rows that do not read there is nothing to compare.
    let had: Labels = serde_json::from_str(&had_labels).unwrap_or_default();
    for key in had.keys().chain(labels.keys().filter(|k| !had.contains_key(*k))) {
        let (was, is) = (had.get(key).map_or("", |v| v), labels.get(key).map_or("", |v| v));
        if was != is {
            let shown = |v: &str| if v.is_empty() { "none".to_owned() } else { v.to_owned() };
            changed.push(format!("label {key} {} → {}", shown(was), shown(is)));
        }
    }
    let had: Facts = serde_json::from_str(&had_facts).unwrap_or_default();
    if had.engine != facts.engine {
        let shown = |e: &Option<String>| e.clone().unwrap_or_else(|| "none".into());
        changed.push(format!("engine {} → {}", shown(&had.engine), shown(&facts.engine)));
    }
    if !changed.is_empty() {
        body["changed"] = changed.into();
    }
    Ok(body)
}

/// The kind and body of the event, where its engine went or came back, or its disk ran full or has space again; `None` for
/// any other change.
pub(super) async fn trouble(tx: &mut Tx, id: AgentId, facts: &Facts) -> Result<Option<(&'static str, Value)>> {
    let before: Option<String> = on_tx!(tx, c => sqlx::query_scalar("SELECT facts FROM agents WHERE id = $1")
        .bind(id.0).fetch_optional(c).await?);
    let had: Facts = before.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
    let body = |why: &Option<String>| json!({ "agent_id": id.0, "why": why });
    Ok(if had.disk_error.is_some() != facts.disk_error.is_some() {
        Some(("agent.disk", body(&facts.disk_error)))
    } else if had.engine_error != facts.engine_error {
        Some(("agent.engine", body(&facts.engine_error)))
    } else {
        None
    })
}

/// An agent's events, newest first. Changes of its facts that are none of a person's concern are left out.
///
/// # Errors
/// When the database fails.
pub async fn news(store: &Store, id: AgentId, limit: u32) -> Result<Vec<Event>> {
    let sql = "SELECT seq, at, kind, subject, subject_id, task_id, actor, body FROM events \
               WHERE subject = 'agent' AND subject_id = $1 AND kind <> 'agent.changed' ORDER BY seq DESC LIMIT $2";
    let rows: Vec<crate::store::events::EventRow> =
        on!(store.db(), p => sqlx::query_as(sql).bind(id.0).bind(i64::from(limit)).fetch_all(p).await?);
    Ok(rows.into_iter().map(Event::from).collect())
}
