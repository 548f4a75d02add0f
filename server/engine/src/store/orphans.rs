//! Looks for what nobody would ever end: the check behind "nothing is stuck" (invariant I6), for tests, `make chaos` and
//! whoever looks into a database.
//!
//! **Invariant:** it only reads, and uses none of the code that it checks.

use super::{Result, Store, on};
use domain::Timestamp;

/// Each row: what is wrong, the kind of thing, its id. `$1` is now, `$2` the milliseconds that sweepers may be late.
const CHECKS: &str = "\
SELECT 'has ended jobs only, and goes on' AS what, 'task' AS kind, t.id AS id FROM tasks t WHERE t.finished_at IS NULL AND $1 > 0 \
  AND EXISTS (SELECT 1 FROM jobs j WHERE j.task_id = t.id) \
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.task_id = t.id AND j.finished_at IS NULL) \
UNION ALL SELECT 'has ended, and a job of it has not', 'task', t.id FROM tasks t WHERE t.finished_at IS NOT NULL \
  AND EXISTS (SELECT 1 FROM jobs j WHERE j.task_id = t.id AND j.finished_at IS NULL) \
UNION ALL SELECT 'goes on without a current attempt that does', 'job', j.id FROM jobs j WHERE j.finished_at IS NULL \
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.number = j.attempt AND a.finished_at IS NULL) \
UNION ALL SELECT 'has ended, and an attempt of it has not', 'job', j.id FROM jobs j WHERE j.finished_at IS NOT NULL \
  AND EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.finished_at IS NULL) \
UNION ALL SELECT 'waits for nothing, and is not ready', 'job', j.id FROM jobs j JOIN tasks t ON t.id = j.task_id \
  WHERE j.status = 'pending' AND j.ready_at IS NULL AND (t.reason_code IS NULL OR t.reason_code NOT IN ('resolving', 'approval')) \
  AND NOT EXISTS (SELECT 1 FROM job_needs n JOIN jobs d ON d.id = n.needs_id WHERE n.job_id = j.id AND d.status <> 'passed') \
UNION ALL SELECT 'needs a job that will never pass', 'job', j.id FROM jobs j WHERE j.status = 'pending' \
  AND EXISTS (SELECT 1 FROM job_needs n JOIN jobs d ON d.id = n.needs_id WHERE n.job_id = j.id AND d.finished_at IS NOT NULL AND d.status <> 'passed') \
UNION ALL SELECT 'waits in a task that is to be aborted', 'job', j.id FROM jobs j JOIN tasks t ON t.id = j.task_id \
  WHERE j.status = 'pending' AND t.desired = 'abort' \
UNION ALL SELECT 'is handed out without a lease', 'attempt', a.id FROM attempts a \
  WHERE a.finished_at IS NULL AND a.agent_id IS NOT NULL AND a.lease_until IS NULL \
UNION ALL SELECT 'outlived its lease', 'attempt', a.id FROM attempts a \
  WHERE a.finished_at IS NULL AND a.agent_id IS NOT NULL AND a.lease_until + $2 < $1 \
UNION ALL SELECT 'runs on no agent', 'attempt', a.id FROM attempts a \
  WHERE a.finished_at IS NULL AND a.agent_id IS NULL AND a.status <> 'waiting' \
UNION ALL SELECT 'goes on in an attempt that has ended', 'step', s.id FROM steps s JOIN attempts a ON a.id = s.attempt_id \
  WHERE a.finished_at IS NOT NULL AND s.finished_at IS NULL";

/// Everything that has no live owner and no deadline: one sentence each, empty when all is well. `late_ms` is how long
/// after a lease's end a sweep may come.
///
/// # Errors
/// When the database fails.
pub async fn orphans(store: &Store, now: Timestamp, late_ms: i64) -> Result<Vec<String>> {
    let rows: Vec<(String, String, i64)> = on!(store.db(), p => sqlx::query_as(CHECKS)
        .bind(now.0).bind(late_ms).fetch_all(p).await?);
    Ok(rows
        .into_iter()
        .map(|(what, kind, id)| format!("{kind} {id} {what}"))
        .collect())
}
