//! Firings: what triggers decided, each under the key of what it is about.
//!
//! **Invariant:** of one trigger and one key there is one firing; the tasks it started name it.

use super::{Error, Result, Store, Tx, on, on_tx};
use domain::trigger::{Cause, Evaluation, FiringView, Start, StartedTask, Verdict};
use domain::{DeliveryId, FiringId, PlanId, ProjectId, TaskId, Timestamp, TriggerId};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// A firing to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFiring {
    /// The trigger.
    pub trigger: TriggerId,
    /// What it is about: the delivery, instant, revision or task.
    pub key: String,
    /// For when it was due.
    pub scheduled_for: Option<Timestamp>,
    /// The delivery.
    pub delivery: Option<DeliveryId>,
    /// Why it fired.
    pub cause: Cause,
    /// What came of it.
    pub verdict: Verdict,
    /// Why nothing was started, or what went wrong.
    pub reason: Option<String>,
    /// How it was decided.
    pub evaluation: Evaluation,
    /// What it will start, while it is held.
    pub start: Option<Start>,
    /// The firing that it repeats.
    pub replay_of: Option<FiringId>,
}

/// Which firings are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this trigger.
    pub trigger: Option<TriggerId>,
    /// That ended so; any when empty.
    pub verdicts: Vec<Verdict>,
}

/// A firing that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Its id.
    pub id: FiringId,
    /// Why it fired.
    pub cause: Cause,
    /// What it is to start.
    pub start: Start,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    trigger_id: i64,
    trigger_name: String,
    kind: String,
    plan_id: i64,
    plan_name: String,
    at: i64,
    scheduled_for: Option<i64>,
    delivery_id: Option<i64>,
    cause: String,
    verdict: String,
    reason: Option<String>,
    evaluation: String,
    replay_of: Option<i64>,
}

impl Row {
    fn view(self, tasks: Vec<StartedTask>) -> Result<FiringView> {
        let bad = |e: serde_json::Error| Error::corrupt("firings", e);
        Ok(FiringView {
            id: FiringId(self.id),
            trigger_id: TriggerId(self.trigger_id),
            trigger: self.trigger_name,
            kind: self.kind.parse().map_err(|e| Error::corrupt("triggers", e))?,
            plan_id: PlanId(self.plan_id),
            plan: self.plan_name,
            at: Timestamp(self.at),
            scheduled_for: self.scheduled_for.map(Timestamp),
            cause: serde_json::from_str(&self.cause).map_err(bad)?,
            verdict: self.verdict.parse().map_err(|e| Error::corrupt("firings", e))?,
            reason: self.reason,
            evaluation: serde_json::from_str(&self.evaluation).map_err(bad)?,
            tasks,
            delivery_id: self.delivery_id.map(DeliveryId),
            delivery: None,
            replay_of: self.replay_of.map(FiringId),
        })
    }
}

const FIRINGS: &str = "SELECT f.id, f.trigger_id, t.name AS trigger_name, t.kind, t.plan_id, p.name AS plan_name, f.at, \
    f.scheduled_for, f.delivery_id, f.cause, f.verdict, f.reason, f.evaluation, f.replay_of \
    FROM firings f JOIN triggers t ON t.id = f.trigger_id JOIN plans p ON p.id = t.plan_id";

async fn with_tasks(store: &Store, rows: Vec<Row>) -> Result<Vec<FiringView>> {
    let ids: Vec<i64> = rows.iter().map(|r| r.id).collect();
    let mut tasks = started(store, &ids).await?;
    let view = |r: Row| {
        let own = tasks.remove(&r.id).unwrap_or_default();
        r.view(own)
    };
    rows.into_iter().map(view).collect()
}

/// A page of firings, newest first, one more than `limit` when there is a next page.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn list(
    store: &Store,
    project: ProjectId,
    filter: &Filter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<FiringView>> {
    let verdicts: Vec<&str> = filter.verdicts.iter().map(|v| v.as_str()).collect();
    // Words of ours, quoted: no text of a caller.
    let of = match verdicts[..] {
        [] => String::new(),
        _ => format!(" AND f.verdict IN ('{}')", verdicts.join("','")),
    };
    let one = if filter.trigger.is_some() {
        " AND f.trigger_id = $4"
    } else {
        ""
    };
    let sql = format!("{FIRINGS} WHERE t.project_id = $1 AND f.id < $2{one}{of} ORDER BY f.id DESC LIMIT $3 + 0");
    let (before, limit) = (before.unwrap_or(i64::MAX), i64::from(limit) + 1);
    let rows: Vec<Row> = on!(store.db(), p => {
        let q = sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(before).bind(limit);
        match filter.trigger {
            Some(trigger) => q.bind(trigger.0).fetch_all(p).await?,
            None => q.fetch_all(p).await?,
        }
    });
    with_tasks(store, rows).await
}

/// One firing.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn one(store: &Store, project: ProjectId, id: FiringId) -> Result<Option<FiringView>> {
    let sql = format!("{FIRINGS} WHERE t.project_id = $1 AND f.id = $2");
    let rows: Vec<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(id.0).fetch_all(p).await?);
    Ok(with_tasks(store, rows).await?.pop())
}

/// The firings of a delivery.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn of_delivery(store: &Store, project: ProjectId, id: DeliveryId) -> Result<Vec<FiringView>> {
    let sql = format!("{FIRINGS} WHERE t.project_id = $1 AND f.delivery_id = $2 AND f.replay_of IS NULL ORDER BY f.id");
    let rows: Vec<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(id.0).fetch_all(p).await?);
    with_tasks(store, rows).await
}

/// The newest firing of each of these triggers.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn newest(store: &Store, triggers: &[TriggerId]) -> Result<HashMap<TriggerId, FiringView>> {
    if triggers.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = triggers.iter().map(|t| t.0.to_string()).collect::<Vec<_>>().join(",");
    let sql = format!(
        "{FIRINGS} WHERE f.id IN (SELECT (SELECT MAX(n.id) FROM firings n WHERE n.trigger_id = o.id) FROM triggers o WHERE o.id IN ({ids}))"
    );
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(p).await?);
    let views = with_tasks(store, rows).await?;
    Ok(views.into_iter().map(|v| (v.trigger_id, v)).collect())
}

/// Firing, task, state, began, ended.
type TaskRow = (i64, i64, String, Option<i64>, Option<i64>);

/// The tasks that firings started, by firing.
async fn started(store: &Store, firings: &[i64]) -> Result<HashMap<i64, Vec<StartedTask>>> {
    if firings.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = firings.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let sql = format!(
        "SELECT firing_id, id, status, started_at, finished_at FROM tasks WHERE firing_id IN ({ids}) ORDER BY id"
    );
    let rows: Vec<TaskRow> = on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(p).await?);
    let mut found: HashMap<i64, Vec<StartedTask>> = HashMap::new();
    for (firing, id, status, began, ended) in rows {
        found.entry(firing).or_default().push(StartedTask {
            id: TaskId(id),
            status: status.parse().map_err(|e| Error::corrupt("tasks", e))?,
            took_ms: began.zip(ended).map(|(b, e)| e - b),
        });
    }
    Ok(found)
}

/// Makes one; `None` when the trigger has fired for this key.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &mut Tx, new: &NewFiring, now: Timestamp) -> Result<Option<FiringId>> {
    let json = |value: serde_json::Result<String>| value.map_err(|e| Error::corrupt("firings", e));
    let cause = json(serde_json::to_string(&new.cause))?;
    let evaluation = json(serde_json::to_string(&new.evaluation))?;
    let start = new.start.as_ref().map(|s| json(serde_json::to_string(s))).transpose()?;
    let made: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "INSERT INTO firings (trigger_id, key, at, scheduled_for, delivery_id, cause, verdict, reason, evaluation, start, replay_of) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (trigger_id, key) DO NOTHING RETURNING id",
        )
        .bind(new.trigger.0).bind(new.key.as_str()).bind(now.0).bind(new.scheduled_for.map(|t| t.0))
        .bind(new.delivery.map(|d| d.0)).bind(cause).bind(new.verdict.as_str()).bind(new.reason.as_deref()).bind(evaluation)
        .bind(start).bind(new.replay_of.map(|f| f.0)).fetch_optional(c).await?
    });
    Ok(made.map(|(id,)| FiringId(id)))
}

/// Ends the wait of a firing; `false` when it did not wait any more.
///
/// # Errors
/// When the database fails.
pub async fn release(tx: &mut Tx, id: FiringId, verdict: Verdict, reason: Option<&str>) -> Result<bool> {
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as("UPDATE firings SET verdict = $2, reason = $3, start = NULL WHERE id = $1 AND verdict = 'held' RETURNING id")
            .bind(id.0).bind(verdict.as_str()).bind(reason).fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// The oldest firing of a trigger that waits.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn held(tx: &mut Tx, trigger: TriggerId) -> Result<Option<Held>> {
    let sql = "SELECT id, cause, start FROM firings WHERE trigger_id = $1 AND verdict = 'held' ORDER BY id LIMIT 1";
    let row: Option<(i64, String, Option<String>)> =
        on_tx!(tx, c => sqlx::query_as(sql).bind(trigger.0).fetch_optional(c).await?);
    let bad = |e: serde_json::Error| Error::corrupt("firings", e);
    row.map(|(id, cause, start)| {
        Ok(Held {
            id: FiringId(id),
            cause: serde_json::from_str(&cause).map_err(bad)?,
            start: serde_json::from_str(start.as_deref().unwrap_or("{}")).map_err(bad)?,
        })
    })
    .transpose()
}

/// The triggers that have firings that wait.
///
/// # Errors
/// When the database fails.
pub async fn holding(store: &Store) -> Result<Vec<TriggerId>> {
    let sql = "SELECT DISTINCT trigger_id FROM firings WHERE verdict = 'held'";
    let rows: Vec<(i64,)> = on!(store.db(), p => sqlx::query_as(sql).fetch_all(p).await?);
    Ok(rows.into_iter().map(|(id,)| TriggerId(id)).collect())
}

/// The tasks that a trigger started and that have not ended, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn running(tx: &mut Tx, trigger: TriggerId) -> Result<Vec<TaskId>> {
    let sql = "SELECT t.id FROM tasks t JOIN firings f ON f.id = t.firing_id \
         WHERE t.status IN ('pending', 'running') AND f.trigger_id = $1 ORDER BY t.id";
    let rows: Vec<(i64,)> = on_tx!(tx, c => sqlx::query_as(sql).bind(trigger.0).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id,)| TaskId(id)).collect())
}

/// The trigger that started a task, if one did.
///
/// # Errors
/// When the database fails.
pub async fn trigger_of(store: &Store, task: TaskId) -> Result<Option<TriggerId>> {
    let sql = "SELECT f.trigger_id FROM tasks t JOIN firings f ON f.id = t.firing_id WHERE t.id = $1";
    let row: Option<(i64,)> = on!(store.db(), p => sqlx::query_as(sql).bind(task.0).fetch_optional(p).await?);
    Ok(row.map(|(id,)| TriggerId(id)))
}

/// What triggers did on each of the last days: trigger, day (since 1970, UTC), verdict, worst status of its tasks, how often.
pub type Day = (i64, i64, String, Option<String>, i64);

/// The firings of these triggers since an instant, by day.
///
/// # Errors
/// When the database fails.
pub async fn days(store: &Store, triggers: &[TriggerId], since: Timestamp) -> Result<Vec<Day>> {
    if triggers.is_empty() {
        return Ok(Vec::new());
    }
    let ids = triggers.iter().map(|t| t.0.to_string()).collect::<Vec<_>>().join(",");
    let sql = format!(
        "SELECT f.trigger_id, f.at / 86400000 AS day, f.verdict, t.status, COUNT(*) FROM firings f \
         LEFT JOIN tasks t ON t.firing_id = f.id WHERE f.trigger_id IN ({ids}) AND f.at >= $1 \
         GROUP BY f.trigger_id, f.at / 86400000, f.verdict, t.status"
    );
    Ok(on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(since.0).fetch_all(p).await?))
}

/// Lets go of firings older than this, at most `most`; each trigger keeps its newest.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(tx: &mut Tx, before: Timestamp, most: i64) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query(
            "DELETE FROM firings WHERE id IN (SELECT f.id FROM firings f WHERE f.at < $1 AND f.verdict <> 'held' \
             AND f.id < (SELECT MAX(n.id) FROM firings n WHERE n.trigger_id = f.trigger_id) ORDER BY f.at LIMIT $2 + 0)",
        )
        .bind(before.0).bind(most).execute(c).await?;
    });
    Ok(())
}
