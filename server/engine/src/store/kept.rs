//! What SQLite's one writer remembers of rows: open tasks, the fleet, the last ids. A report of an agent then costs no
//! read, and rows that name each other go out together.
//!
//! **Invariant:** it says what the rows say. Only the connection that every write goes through has one; a unit that fails,
//! and statements that nobody vouches for, empty it; debug builds compare it with the rows after every commit.

use super::{Result, Tx, on_tx};
use domain::lifecycle::TaskState;
use domain::placement::{Agent, Busy};
use domain::{AgentId, AttemptId, PlanId, TaskId, Timestamp};
use std::collections::HashMap;

/// Most open tasks that are remembered; beyond, all are read anew.
const TASKS: usize = 4_096;

/// What is remembered.
#[derive(Default)]
pub(super) struct Kept {
    tasks: HashMap<TaskId, (TaskState, PlanId)>,
    attempts: HashMap<AttemptId, TaskId>,
    fleet: Option<Vec<Agent>>,
    last: HashMap<&'static str, i64>,
    /// The hash of the newest row of the audit log.
    audit: Option<String>,
}

impl Tx {
    /// Remembers nothing any more.
    pub(super) fn forget(&mut self) {
        if let Some(kept) = &mut self.kept {
            *kept = Kept::default();
        }
    }

    /// Takes an open task out of what is remembered, for a change; [`Tx::keep_task`] puts it back.
    pub(super) fn take_task(&mut self, id: TaskId) -> Option<(TaskState, PlanId)> {
        let kept = self.kept.as_mut()?;
        let found = kept.tasks.remove(&id)?;
        for job in &found.0.jobs {
            kept.attempts.remove(&job.attempt.id);
        }
        Some(found)
    }

    /// The task of an attempt, if it is remembered.
    pub(super) fn kept_task_of(&self, attempt: AttemptId) -> Option<TaskId> {
        self.kept.as_ref()?.attempts.get(&attempt).copied()
    }

    /// Remembers a task as its rows are now, and which slots its jobs hold. Ended ones are let go.
    pub(crate) fn keep_task(&mut self, task: &TaskState, plan: PlanId) {
        let Some(kept) = &mut self.kept else { return };
        for agent in kept.fleet.iter_mut().flatten() {
            agent.busy.retain(|b| b.task != task.id);
            let held = task.jobs.iter().filter(|j| j.attempt.finished_at.is_none());
            let held = held.filter(|j| j.attempt.agent == Some(agent.id));
            agent.busy.extend(held.map(|j| Busy {
                task: task.id,
                job: j.id,
            }));
        }
        if task.status.ended() {
            return;
        }
        if kept.tasks.len() >= TASKS {
            kept.tasks.clear();
            kept.attempts.clear();
        }
        kept.attempts.extend(task.jobs.iter().map(|j| (j.attempt.id, task.id)));
        kept.tasks.insert(task.id, (task.clone(), plan));
    }

    /// An agent was heard: the leases of what it holds are longer.
    pub(super) fn keep_lease(&mut self, agent: AgentId, until: Timestamp) {
        let tasks = self.kept.iter_mut().flat_map(|kept| kept.tasks.values_mut());
        for job in tasks.flat_map(|(task, _)| &mut task.jobs) {
            if job.attempt.agent == Some(agent) && job.attempt.finished_at.is_none() {
                job.attempt.lease_until = Some(until);
            }
        }
    }

    /// The fleet, if it is remembered.
    pub(super) fn kept_fleet(&self) -> Option<&Vec<Agent>> {
        self.kept.as_ref()?.fleet.as_ref()
    }

    pub(super) fn keep_fleet(&mut self, fleet: &[Agent]) {
        if let Some(kept) = &mut self.kept {
            kept.fleet = Some(fleet.to_vec());
        }
    }

    /// The hash that the next entry of the audit log follows on, if it is remembered.
    pub(super) fn kept_audit(&self) -> Option<String> {
        self.kept.as_ref()?.audit.clone()
    }

    pub(super) fn keep_audit(&mut self, hash: &str) {
        if let Some(kept) = &mut self.kept {
            kept.audit = Some(hash.to_owned());
        }
    }

    /// Something of an agent's row changes.
    pub(super) fn forget_fleet(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.fleet = None;
        }
    }

    /// The next id of a table.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn id(&mut self, table: &'static str) -> Result<i64> {
        Ok(self.ids(table, 1).await?[0])
    }

    /// Takes the next `count` ids of a table, rising, for rows that are written with them.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn ids(&mut self, table: &'static str, count: usize) -> Result<Vec<i64>> {
        if self.kept.is_none() {
            let column = if table == "events" { "seq" } else { "id" };
            let sql = "SELECT nextval(pg_get_serial_sequence($1, $2)) FROM generate_series(1, $3)";
            let mut ids: Vec<i64> = on_tx!(self, c => sqlx::query_scalar(sql)
                .bind(table).bind(column).bind(count as i64).fetch_all(c).await?);
            ids.sort_unstable();
            return Ok(ids);
        }
        let last = match self.kept.as_ref().and_then(|k| k.last.get(table)) {
            Some(last) => *last,
            None => {
                let sql = "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = $1), 0)";
                on_tx!(self, c => sqlx::query_scalar(sql).bind(table).fetch_one(c).await?)
            }
        };
        let after = last + count as i64;
        if let Some(kept) = &mut self.kept {
            kept.last.insert(table, after);
        }
        Ok((last + 1..=after).collect())
    }
}

/// Compares what is remembered with the rows, between writes; answers what differs.
#[cfg(debug_assertions)]
pub(super) async fn difference(tx: &mut Tx) -> Result<Option<String>> {
    let Some(kept) = &tx.kept else { return Ok(None) };
    let tasks: Vec<_> = kept.tasks.values().cloned().collect();
    let fleet = kept.fleet.clone();
    let last: Vec<_> = kept.last.iter().map(|(t, n)| (*t, *n)).collect();
    for (task, plan) in tasks {
        let row = super::tasks::read(tx, task.id).await?;
        if row.as_ref() != Some(&(task.clone(), plan)) {
            return Ok(Some(format!("{task:?} is remembered, {row:?} is there")));
        }
    }
    if let Some(mut fleet) = fleet {
        let mut rows = super::agents::read_fleet(tx).await?;
        for agent in fleet.iter_mut().chain(&mut rows) {
            agent.busy.sort_unstable_by_key(|b| b.job);
        }
        if fleet != rows {
            return Ok(Some(format!("{fleet:?} is remembered, {rows:?} is there")));
        }
    }
    if let Some(kept) = tx.kept_audit() {
        let row: Option<String> = on_tx!(tx, c => sqlx::query_scalar("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(c).await?);
        if row.as_ref() != Some(&kept) {
            return Ok(Some(format!("the audit ends with {kept}, {row:?} is there")));
        }
    }
    for (table, n) in last {
        let sql = "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = $1), 0)";
        let row: i64 = on_tx!(tx, c => sqlx::query_scalar(sql).bind(table).fetch_one(c).await?);
        if row != n {
            return Ok(Some(format!("id {n} of {table} is remembered, {row} is there")));
        }
    }
    Ok(None)
}
