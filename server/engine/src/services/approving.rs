//! What a task is made of, and the approval of strangers' changes.
//!
//! **Invariant:** an approval, the tasks it lets go and its line in the audit log are one write.

use super::tasks::no_task;
use crate::clock::SharedClock;
use crate::queue::approval::{self, Approved};
use crate::scheduler::{Terms, place_waiting};
use crate::store::audit::Entry;
use crate::store::tasks::held;
use crate::store::{Error as StoreError, Store};
use domain::auth::{Via, Viewer};
use domain::lifecycle::Effect;
use domain::plan::Plan;
use domain::task::{TaskDocument, TaskView};
use domain::{Error, Result, TaskId};
use futures::FutureExt;

/// Approves a task's revision; what follows outside.
pub(super) async fn approve(
    store: &Store,
    clock: &SharedClock,
    terms: &Terms,
    viewer: &Viewer,
    id: TaskId,
) -> Result<Vec<Effect>> {
    let (clock, viewer, terms) = (clock.clone(), viewer.clone(), terms.clone());
    let effects = store
        .write(move |tx| {
            let (viewer, terms, now) = (viewer.clone(), terms.clone(), clock.now());
            async move {
                let user = (viewer.via != Via::Cli).then_some(viewer.user);
                let Approved::Tasks(tasks) = approval::approve(tx, id, user, &viewer.name, now).await? else {
                    return Err(StoreError::Refused(Error::Conflict(format!(
                        "Task #{id} waits for no approval."
                    ))));
                };
                for task in tasks {
                    let entry = Entry::by(&viewer, now, "task.approve");
                    tx.audit(entry.about("task", task.0, format!("with task {id}"))).await?;
                }
                place_waiting(tx, &terms, now).await
            }
            .boxed()
        })
        .await?;
    Ok(effects)
}

/// The document of a task.
pub(super) async fn document(store: &Store, task: &TaskView) -> Result<TaskDocument> {
    if let Some(file) = held::unread(store, task.id).await? {
        return Ok(TaskDocument {
            path: Some(file.path),
            revision: file.revision,
            text: file.body,
            problems: file.problems,
        });
    }
    let found = held::document(store, task.id).await?;
    let (text, resolved) = found.ok_or_else(|| no_task(task.id))?;
    let plan: Option<Plan> = serde_json::from_str(&resolved).ok();
    // What stands there until the file is read is the server's few lines about it.
    let unread = plan.as_ref().is_some_and(|p| p.unread().is_some());
    let path = plan.and_then(|p| p.file);
    Ok(TaskDocument {
        revision: task.revision.clone().filter(|_| path.is_some()),
        path,
        text: (!unread).then_some(text),
        problems: Vec::new(),
    })
}
