//! Strangers' changes: anybody may open a pull request from a fork, and what it holds would run on the agents, so a member
//! approves each revision first (reliability S29).
//!
//! **Invariant:** an approval is of one plan and one exact revision, never of a person or a branch: what is pushed after it
//! waits anew, and the same revision, however often it is sent, does not.

use super::{apply, short};
use crate::store::tasks::held;
use crate::store::{NewEvent, Result, Store, Tx};
use domain::lifecycle::{Effect, Event};
use domain::{PlanId, TaskId, Timestamp, UserId};
use futures::FutureExt;
use serde_json::json;

/// Nobody wants a change that nobody has looked at for so long.
const PATIENCE_MS: i64 = 14 * 86_400_000;
/// Tasks that end at once.
const AT_ONCE: i64 = 100;

/// Why a stranger's change waits, one sentence; `None` when its revision was approved.
pub(super) async fn needs_approval(
    tx: &mut Tx,
    plan: PlanId,
    revision: Option<&str>,
    fork: &str,
) -> Result<Option<String>> {
    if let Some(revision) = revision {
        if held::approved(tx, plan, revision).await? {
            return Ok(None);
        }
        let revision = short(revision);
        return Ok(Some(format!(
            "Waits for a member to approve {revision}, which comes from the fork {fork}."
        )));
    }
    Ok(Some(format!(
        "Waits for a member to approve it, as it was asked for by the fork {fork}."
    )))
}

/// Lets a task have what it waited for, unless it is a stranger's and waits for a member now; inside a write.
pub(super) async fn let_go(tx: &mut Tx, id: TaskId, of: &held::Known, now: Timestamp) -> Result<bool> {
    if let Some(fork) = &of.fork
        && let Some(why) = needs_approval(tx, of.plan, of.revision.as_deref(), fork).await?
    {
        held::hold(tx, id, &why).await?;
        return Ok(false);
    }
    held::free(tx, id, now);
    Ok(true)
}

/// What came of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approved {
    /// These tasks go on: all of the plan that waited for this revision.
    Tasks(Vec<TaskId>),
    /// The task does not wait for a member.
    NotAwaiting,
}

/// A member approves the revision of a task; inside a write. Place what waits afterwards.
///
/// # Errors
/// When the database fails.
pub async fn approve(tx: &mut Tx, id: TaskId, user: Option<UserId>, by: &str, now: Timestamp) -> Result<Approved> {
    let Some(known) = held::awaiting(tx, id).await? else {
        return Ok(Approved::NotAwaiting);
    };
    let tasks = held::approve(tx, id, &known, user, now).await?;
    for task in &tasks {
        held::free(tx, *task, now);
        tx.emit(NewEvent {
            at: now,
            kind: "task.approved",
            subject: "task",
            subject_id: task.0,
            task_id: Some(*task),
            actor: Some(by.to_owned()),
            body: json!({ "revision": known.revision, "fork": known.fork, "plan_id": known.plan }),
        });
    }
    Ok(Approved::Tasks(tasks))
}

/// Ends tasks that have waited for a member too long; how many.
///
/// # Errors
/// When the database fails.
pub async fn expire(store: &Store, now: Timestamp) -> Result<(usize, Vec<Effect>)> {
    let old = held::unapproved_since(store, now.plus(-PATIENCE_MS), AT_ONCE).await?;
    let mut effects = Vec::new();
    for task in &old {
        let task = *task;
        effects.extend(
            store
                .write(move |tx| {
                    async move {
                        let late = Event::AbortAsked {
                            by: "the server, as nobody approved it within 14 days".into(),
                        };
                        // A member may have come first.
                        if held::awaiting(tx, task).await?.is_none() {
                            return Ok(Vec::new());
                        }
                        Ok(apply(tx, task, vec![late], None, now).await?.effects)
                    }
                    .boxed()
                })
                .await?,
        );
    }
    Ok((old.len(), effects))
}
