//! Why an abort has not come to its end: its agent is away. Asked when a task is read, so it is true when it is read.
//!
//! **Invariant:** only a task that is to be aborted and still runs costs a read, and only its own jobs'.

use crate::store::{Result, Store, on};
use domain::status::{AgentStatus, Desired};
use domain::task::TaskView;
use domain::{JobId, Timestamp};

/// Job; its agent's name, state and when it was heard; the lease.
type Row = (i64, String, String, Option<i64>, Option<i64>);

/// Puts the sentence on each job whose agent cannot hear of the abort, and on the task.
pub(super) async fn say_where(store: &Store, task: &mut TaskView) -> Result<()> {
    if task.status.ended() || task.desired != Desired::Abort {
        return Ok(());
    }
    let sql = "SELECT j.id, g.name, g.status, g.seen_at, a.lease_until FROM jobs j \
               JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt JOIN agents g ON g.id = a.agent_id \
               WHERE j.task_id = $1 AND a.finished_at IS NULL AND g.status <> $2";
    let rows: Vec<Row> = on!(store.db(), p => sqlx::query_as(sql)
        .bind(task.id.0).bind(AgentStatus::Online.as_str()).fetch_all(p).await?);
    for (job, agent, status, seen, lease) in rows {
        let since = seen.map_or(String::new(), |at| format!(" since {}", Timestamp(at).to_words()));
        let until = lease.map_or(String::new(), |at| format!(" at {}", Timestamp(at).to_words()));
        let by = task.reason.clone().unwrap_or_default();
        let by = by
            .split_once(" Aborting: ")
            .map_or(by.as_str(), |(by, _)| by)
            .to_owned();
        let sentence = format!(
            "{by} Aborting: agent {agent} is {status}{since}; it ends when that agent is back, or when its lease ends{until}."
        );
        let sentence = sentence.trim_start().to_owned();
        if let Some(job) = task.jobs.iter_mut().find(|j| j.id == JobId(job)) {
            job.reason = Some(sentence.clone());
        }
        task.reason = Some(sentence);
    }
    Ok(())
}
