//! Server functions of the queue: the page's data, aborting and rerunning a task.
//!
//! **Invariant:** each gets the viewer, calls one port and returns.

use super::filter::Filter;
use crate::error::Result;
use domain::TaskId;
use domain::queue::QueueView;
use leptos::prelude::*;

/// The whole first page.
///
/// # Errors
/// What the port says; `Invalid` for a filter that cannot be read.
#[server(prefix = "/ui", endpoint = "queue/get", protocol = crate::wire::Get)]
pub async fn get_queue(#[server(default)] filter: Filter) -> Result<QueueView> {
    use crate::context::{ports, viewer};
    let mut view = ports()?
        .queue
        .overview(&viewer()?, filter.task_query())
        .await
        .map_err(crate::Error::respond)?;
    // What the page does not show need not travel with it: jobs and steps are by far the most of a task.
    for task in &mut view.tasks.items {
        task.jobs.clear();
        task.parameters.clear();
    }
    Ok(view)
}

/// Wants a task to end. Stays on the page it was asked from.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "tasks/abort", protocol = crate::wire::Post)]
pub async fn abort_task(task: TaskId) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .tasks
        .abort(&viewer()?, task)
        .await
        .map_err(crate::Error::respond)?;
    Ok(())
}

/// Runs a task again from its own snapshot and leads to the new one.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "tasks/rerun", protocol = crate::wire::Post)]
pub async fn rerun_task(task: TaskId, #[server(default)] failed_only: bool) -> Result<()> {
    use crate::context::{ports, viewer};
    let new = ports()?
        .tasks
        .rerun(&viewer()?, task, failed_only)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect(&format!("/tasks/{}", new.id));
    Ok(())
}
