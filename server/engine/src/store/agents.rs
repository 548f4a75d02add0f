//! Agents in the database: what they report, whether they are heard, and what they hold.
//!
//! **Invariant:** an agent's session epoch only rises; whoever holds an older one is no longer that agent.

mod change;
mod news;

pub use change::{
    Change, change, remove, rename_taken, resume_due, resume_due_now, set_clock_off, set_leaving, set_reported_labels,
};
pub use news::news;

use super::tasks_word as word;
use super::{Error, NewEvent, Result, Store, Tx, on, on_tx};
use domain::agent::{AgentView, Facts, SlotView};
use domain::label::Labels;
use domain::placement::{Agent, Busy};
use domain::status::{AgentStatus, Availability};
use domain::{AgentId, AttemptId, JobId, TaskId, Timestamp};
use sqlx::FromRow;
use std::collections::HashMap;

#[derive(FromRow)]
struct Row {
    id: i64,
    name: String,
    status: String,
    availability: String,
    note: Option<String>,
    slots: i64,
    slots_reported: i64,
    leaving: bool,
    paused_by: Option<String>,
    paused_until: Option<i64>,
    clock_off_ms: Option<i64>,
    facts: String,
    labels_reported: String,
    labels_set: String,
    seen_at: Option<i64>,
    created_at: i64,
    version: i64,
}

#[derive(FromRow)]
struct Held {
    agent_id: i64,
    task_id: i64,
    job_id: i64,
    plan: String,
    job: String,
    assigned_at: Option<i64>,
}

const AGENTS: &str = "SELECT a.id, a.name, a.status, a.availability, a.note, COALESCE(a.slots_set, a.slots) AS slots, \
    a.slots AS slots_reported, a.leaving, u.name AS paused_by, a.paused_until, a.clock_off_ms, a.facts, a.labels_reported, \
    a.labels_set, a.seen_at, a.created_at, a.version FROM agents a LEFT JOIN users u ON u.id = a.paused_by \
    WHERE a.removed_at IS NULL ORDER BY a.name";
const HELD: &str = "SELECT a.agent_id, j.task_id, j.id AS job_id, p.name AS plan, j.name AS job, a.assigned_at FROM attempts a \
    JOIN jobs j ON j.id = a.job_id JOIN tasks t ON t.id = j.task_id JOIN plans p ON p.id = t.plan_id \
    WHERE a.finished_at IS NULL AND a.agent_id IS NOT NULL ORDER BY a.assigned_at, a.id";

/// An agent's attempt that has not ended.
#[derive(Debug, Clone, FromRow)]
pub struct HeldAttempt {
    /// The attempt.
    pub attempt_id: i64,
    /// Its fence.
    pub epoch: i64,
    /// Its state.
    pub status: String,
    /// The task.
    pub task_id: i64,
    /// The job.
    pub job_id: i64,
    /// `abort` when it shall end.
    pub desired: String,
}

/// The name of the agent inside the server.
pub const BUILTIN: &str = "builtin";

/// All agents, by name.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn list(store: &Store) -> Result<Vec<AgentView>> {
    let (rows, held): (Vec<Row>, Vec<Held>) = on!(store.db(), p => (sqlx::query_as(AGENTS).fetch_all(&mut *p).await?, sqlx::query_as(HELD).fetch_all(p).await?));
    let mut by_agent: HashMap<i64, Vec<SlotView>> = HashMap::new();
    for h in held {
        by_agent.entry(h.agent_id).or_default().push(SlotView {
            task_id: TaskId(h.task_id),
            job_id: JobId(h.job_id),
            plan: h.plan,
            job: h.job,
            since: Timestamp(h.assigned_at.unwrap_or_default()),
        });
    }
    rows.into_iter()
        .map(|r| {
            Ok(AgentView {
                id: AgentId(r.id),
                running: by_agent.remove(&r.id).unwrap_or_default(),
                status: word(&r.status, "agents")?,
                availability: word(&r.availability, "agents")?,
                labels: r.labels()?,
                labels_set: r.labels_set()?,
                facts: r.facts()?,
                builtin: r.name == BUILTIN,
                name: r.name,
                note: r.note,
                paused_by: r.paused_by,
                paused_until: r.paused_until.map(Timestamp),
                leaving: r.leaving,
                slots: r.slots,
                slots_reported: r.slots_reported,
                load: None,
                clock_off_ms: r.clock_off_ms,
                seen_at: r.seen_at.map(Timestamp),
                created_at: Timestamp(r.created_at),
                version: r.version,
            })
        })
        .collect()
}

impl Row {
    fn facts(&self) -> Result<Facts> {
        if self.facts == "{}" {
            return Ok(Facts::default());
        }
        serde_json::from_str(&self.facts).map_err(|e| Error::corrupt("agents", e))
    }
    fn labels(&self) -> Result<Labels> {
        let mut labels: Labels =
            serde_json::from_str(&self.labels_reported).map_err(|e| Error::corrupt("agents", e))?;
        labels.extend(self.labels_set()?);
        Ok(labels)
    }
    fn labels_set(&self) -> Result<Labels> {
        serde_json::from_str(&self.labels_set).map_err(|e| Error::corrupt("agents", e))
    }
    fn placed(self, busy: Vec<Busy>) -> Result<Agent> {
        let facts = self.facts()?;
        Ok(Agent {
            id: AgentId(self.id),
            status: word(&self.status, "agents")?,
            availability: match word(&self.availability, "agents")? {
                Availability::Active if self.leaving => Availability::Draining,
                other => other,
            },
            labels: self.labels()?,
            builtin: self.name == BUILTIN,
            name: self.name,
            note: self.note,
            slots: u32::try_from(self.slots).unwrap_or(0),
            busy,
            executors: facts.executors,
            engine_error: facts.engine_error,
            disk_full: facts.disk_error.is_some(),
        })
    }
}

fn fleet_of(rows: Vec<Row>, held: Vec<(i64, i64, i64)>) -> Result<Vec<Agent>> {
    let mut by_agent: HashMap<i64, Vec<Busy>> = HashMap::new();
    for (agent, task, job) in held {
        by_agent.entry(agent).or_default().push(Busy {
            task: TaskId(task),
            job: JobId(job),
        });
    }
    rows.into_iter()
        .map(|r| {
            let busy = by_agent.remove(&r.id).unwrap_or_default();
            r.placed(busy)
        })
        .collect()
}

const BUSY: &str = "SELECT a.agent_id, j.task_id, j.id FROM attempts a JOIN jobs j ON j.id = a.job_id \
    WHERE a.finished_at IS NULL AND a.agent_id IS NOT NULL";

/// The fleet as placement sees it, inside a write.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn fleet(tx: &mut Tx) -> Result<Vec<Agent>> {
    if let Some(fleet) = tx.kept_fleet() {
        return Ok(fleet.clone());
    }
    let fleet = read_fleet(tx).await?;
    tx.keep_fleet(&fleet);
    Ok(fleet)
}

/// Reads it from its rows.
pub(super) async fn read_fleet(tx: &mut Tx) -> Result<Vec<Agent>> {
    let (rows, held) =
        on_tx!(tx, c => (sqlx::query_as(AGENTS).fetch_all(&mut *c).await?, sqlx::query_as(BUSY).fetch_all(c).await?));
    fleet_of(rows, held)
}

/// The fleet as placement sees it, for sentences.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn fleet_now(store: &Store) -> Result<Vec<Agent>> {
    let (rows, held) = on!(store.db(), p => (sqlx::query_as(AGENTS).fetch_all(&mut *p).await?, sqlx::query_as(BUSY).fetch_all(p).await?));
    fleet_of(rows, held)
}

/// Makes the built-in agent or gives it a new credential; answers its id.
///
/// # Errors
/// When the database fails.
pub async fn ensure_builtin(tx: &mut Tx, credential_hash: &str, now: Timestamp) -> Result<AgentId> {
    tx.forget_fleet();
    let id: i64 = on_tx!(tx, c => sqlx::query_scalar(
        "INSERT INTO agents (project_id, name, credential_hash, created_at) VALUES (NULL, $1, $2, $3) \
         ON CONFLICT (name) WHERE removed_at IS NULL DO UPDATE SET credential_hash = excluded.credential_hash RETURNING id")
        .bind(BUILTIN).bind(credential_hash).bind(now.0).fetch_one(c).await?);
    Ok(AgentId(id))
}

/// The hash of an agent's credential, and whether the agent was removed; `None` when there never was one.
///
/// # Errors
/// When the database fails.
pub async fn credential(store: &Store, id: AgentId) -> Result<Option<(String, bool)>> {
    let row: Option<(Option<String>, Option<i64>)> = on!(store.db(), p => sqlx::query_as(
        "SELECT credential_hash, removed_at FROM agents WHERE id = $1").bind(id.0).fetch_optional(p).await?);
    Ok(row.and_then(|(hash, removed)| Some((hash?, removed.is_some()))))
}

/// An agent connected: a new session, its facts, and the event, which says what is not as it was. Answers the session's
/// number.
///
/// # Errors
/// When the database fails.
pub async fn connected(
    tx: &mut Tx,
    id: AgentId,
    facts: &Facts,
    labels: &Labels,
    slots: u32,
    now: Timestamp,
) -> Result<i64> {
    tx.forget_fleet();
    let body = news::online(tx, id, facts, labels, slots, now).await?;
    let facts_text = serde_json::to_string(facts).map_err(|e| Error::corrupt("agents", e))?;
    let labels = serde_json::to_string(labels).map_err(|e| Error::corrupt("agents", e))?;
    let epoch: i64 = on_tx!(tx, c => sqlx::query_scalar(
        "UPDATE agents SET epoch = epoch + 1, status = 'online', seen_at = $2, facts = $3, labels_reported = $4, slots = $5, \
         version_text = $6, leaving = FALSE WHERE id = $1 RETURNING epoch")
        .bind(id.0).bind(now.0).bind(facts_text).bind(labels).bind(i64::from(slots)).bind(&facts.version)
        .fetch_one(c).await?);
    tx.emit(NewEvent {
        body,
        ..event(id, "agent.online", now)
    });
    Ok(epoch)
}

/// What an agent says of its machine has changed.
///
/// # Errors
/// When the database fails.
pub async fn set_facts(tx: &mut Tx, id: AgentId, facts: &Facts, now: Timestamp) -> Result<()> {
    tx.forget_fleet();
    let told = news::trouble(tx, id, facts).await?;
    let text = serde_json::to_string(facts).map_err(|e| Error::corrupt("agents", e))?;
    on_tx!(tx, c => { sqlx::query("UPDATE agents SET facts = $2 WHERE id = $1").bind(id.0).bind(text).execute(c).await?; });
    let (kind, body) = match told {
        Some(told) => told,
        None => ("agent.changed", event(id, "", now).body),
    };
    tx.emit(NewEvent {
        body,
        ..event(id, kind, now)
    });
    Ok(())
}

/// Sets whether an agent is heard, but only for the session that says so; answers whether that changed anything. The
/// sentence says why, for the event.
///
/// # Errors
/// When the database fails.
pub async fn set_status(
    tx: &mut Tx,
    id: AgentId,
    session: i64,
    status: AgentStatus,
    why: &str,
    now: Timestamp,
) -> Result<bool> {
    tx.forget_fleet();
    let done = on_tx!(tx, c => sqlx::query("UPDATE agents SET status = $3 WHERE id = $1 AND epoch = $2 AND status <> $3")
        .bind(id.0).bind(session).bind(status.as_str()).execute(c).await?.rows_affected());
    if done > 0 {
        let kind = match status {
            AgentStatus::Online => "agent.online",
            AgentStatus::Unreachable => "agent.unreachable",
            AgentStatus::Offline => "agent.offline",
        };
        tx.emit(NewEvent {
            body: serde_json::json!({ "agent_id": id.0, "why": why }),
            ..event(id, kind, now)
        });
    }
    Ok(done > 0)
}

/// Agents that stand there as online and were not heard since: who is of them, and by which session.
///
/// # Errors
/// When the database fails.
pub async fn silent(store: &Store, heard_before: Timestamp) -> Result<Vec<(AgentId, i64)>> {
    let rows: Vec<(i64, i64)> = on!(store.db(), p => sqlx::query_as(
        "SELECT id, epoch FROM agents WHERE status = 'online' AND (seen_at IS NULL OR seen_at <= $1)")
        .bind(heard_before.0).fetch_all(p).await?);
    Ok(rows.into_iter().map(|(id, epoch)| (AgentId(id), epoch)).collect())
}

/// At start nobody is connected: agents that were online are unreachable until they come back.
///
/// # Errors
/// When the database fails.
pub async fn all_unheard(tx: &mut Tx) -> Result<()> {
    tx.forget_fleet();
    on_tx!(tx, c => {
        sqlx::query("UPDATE agents SET status = 'unreachable' WHERE status = 'online'").execute(c).await?;
    });
    Ok(())
}

/// Agents that were not heard for so long that none of their leases can run any more are offline; answers how many.
///
/// # Errors
/// When the database fails.
pub async fn fade(tx: &mut Tx, heard_before: Timestamp, now: Timestamp) -> Result<usize> {
    tx.forget_fleet();
    let gone: Vec<i64> = on_tx!(tx, c => sqlx::query_scalar(
        "UPDATE agents SET status = 'offline' WHERE status = 'unreachable' AND (seen_at IS NULL OR seen_at <= $1) RETURNING id")
        .bind(heard_before.0).fetch_all(c).await?);
    for id in &gone {
        tx.emit(NewEvent {
            body: serde_json::json!({ "agent_id": id, "why": "It was not heard for as long as a lease lasts." }),
            ..event(AgentId(*id), "agent.offline", now)
        });
    }
    Ok(gone.len())
}

/// Whether an agent is to fade now.
///
/// # Errors
/// When the database fails.
pub async fn fading(store: &Store, heard_before: Timestamp) -> Result<bool> {
    let found: Option<i64> = on!(store.db(), p => sqlx::query_scalar(
        "SELECT id FROM agents WHERE status = 'unreachable' AND (seen_at IS NULL OR seen_at <= $1) LIMIT 1")
        .bind(heard_before.0).fetch_optional(p).await?);
    Ok(found.is_some())
}

/// Notes that an agent was heard: seen now, and what it holds is its own for longer.
///
/// # Errors
/// None of its own: the write itself may fail.
pub async fn heard(tx: &mut Tx, id: AgentId, now: Timestamp, lease_until: Timestamp) -> Result<()> {
    let mut batch = super::Batch::default();
    batch.push(
        "UPDATE agents SET seen_at = $2 WHERE id = $1",
        [id.0.into(), now.0.into()],
    );
    batch.push(
        "UPDATE attempts SET lease_until = $2 WHERE agent_id = $1 AND finished_at IS NULL",
        [id.0.into(), lease_until.0.into()],
    );
    tx.later(batch);
    tx.keep_lease(id, lease_until);
    Ok(())
}

/// Attempts an agent holds that have not ended.
///
/// # Errors
/// When the database fails.
pub async fn held(tx: &mut Tx, id: AgentId) -> Result<Vec<HeldAttempt>> {
    Ok(on_tx!(tx, c => sqlx::query_as(
        "SELECT a.id AS attempt_id, a.epoch, a.status, j.task_id, j.id AS job_id, j.desired FROM attempts a \
         JOIN jobs j ON j.id = a.job_id WHERE a.agent_id = $1 AND a.finished_at IS NULL ORDER BY a.id")
        .bind(id.0).fetch_all(c).await?))
}

/// An attempt that nobody renewed, or that runs past its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Which.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// Whether its lease has ended; else its deadline has passed.
    pub lease: bool,
    /// When its agent was heard last.
    pub heard: Option<Timestamp>,
}

/// Attempts whose lease or deadline has passed.
///
/// # Errors
/// When the database fails.
pub async fn overdue(store: &Store, now: Timestamp, margin_ms: i64) -> Result<Vec<Overdue>> {
    let rows: Vec<(i64, i64, Option<i64>, Option<i64>)> = on!(store.db(), p => sqlx::query_as(
        "SELECT a.id, j.task_id, a.lease_until, g.seen_at FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN agents g ON g.id = a.agent_id \
         WHERE a.finished_at IS NULL AND a.agent_id IS NOT NULL AND (a.lease_until <= $1 OR a.deadline_at <= $2)")
        .bind(now.0).bind(now.0 - margin_ms).fetch_all(p).await?);
    Ok(rows
        .into_iter()
        .map(|(attempt, task, lease, seen)| Overdue {
            attempt: AttemptId(attempt),
            task: TaskId(task),
            lease: lease.is_some_and(|l| l <= now.0),
            heard: seen.map(Timestamp),
        })
        .collect())
}

fn event(id: AgentId, kind: &'static str, at: Timestamp) -> NewEvent {
    NewEvent {
        at,
        kind,
        subject: "agent",
        subject_id: id.0,
        task_id: None,
        actor: None,
        body: serde_json::json!({ "agent_id": id.0 }),
    }
}
