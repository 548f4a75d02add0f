//! Server functions of one task: the page's data, and pieces of a step's console.
//!
//! **Invariant:** each gets the viewer, asks ports and returns; the task and the tail are read after the `seq` that the
//! page follows from.

use super::failure::Failure;
use super::past::Past;
use crate::error::Result;
use domain::console::Pen;
use domain::console::view::Lines;
use domain::event::Event;
use domain::task::{AttemptView, TaskDocument, TaskView};
use domain::{JobId, StepId, TaskId, Timestamp};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Lines of the first paint, and of a page without a script.
pub const FIRST_PAINT: u32 = 200;

/// The page's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskPage {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The instant it was read at.
    pub now: Timestamp,
    /// The task.
    pub task: TaskView,
    /// The step whose console is shown; `None` when the task has none yet.
    pub step: Option<StepId>,
    /// What is shown of it; `None` on a refresh, when the page has it already.
    pub shown: Option<Shown>,
    /// What broke.
    pub failure: Option<Failure>,
    /// The earlier attempt that stands in its job's place, when it is one of its steps that is shown.
    pub past: Option<Past>,
    /// The tab's own data.
    pub tab: TabData,
}

/// What a tab shows beside the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TabData {
    /// The steps and their console: nothing more.
    Steps,
    /// The document that was run, or that could not be.
    Plan(TaskDocument),
    /// What happened.
    Events(Vec<Event>),
    /// Every attempt of every job.
    Attempts(Vec<(JobId, Vec<AttemptView>)>),
}

/// A piece of a step's console.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The lines.
    pub lines: Lines,
    /// Byte offset in the attempt's file behind the last terminated line; 0 when this is not the end.
    pub end: u64,
    /// The colours that stand there.
    pub pen: Pen,
    /// Whether the last line is unterminated.
    pub open: bool,
    /// Whether these are the last lines.
    pub tail: bool,
}

/// The task's page. `step` and `from` as in its address; `fresh` leaves out what does not change.
///
/// # Errors
/// What the ports say.
#[server(prefix = "/ui", endpoint = "tasks/get", protocol = crate::wire::Get)]
pub async fn get_task(
    task: TaskId,
    #[server(default)] step: Option<StepId>,
    #[server(default)] from: Option<i64>,
    #[server(default)] tab: String,
    #[server(default)] fresh: bool,
) -> Result<TaskPage> {
    use super::{failure, past, select};
    use crate::Error;
    use crate::context::{ports, viewer};
    let (ports, viewer) = (ports()?, viewer()?);
    // The number first: news that come between the reads are then heard again, never missed.
    let seq = ports.tasks.seq().await.map_err(Error::respond)?;
    let mut view = ports.tasks.get(&viewer, task).await.map_err(Error::respond)?;
    let chosen = select::chosen(&view);
    let console = ports.console;
    let failed = select::broken(&view);
    let mut failure = failed.map(|(job, step)| failure::of(&view, job, step));
    if let (Some(f), Some((_, Some(step)))) = (&mut failure, failed)
        && !fresh
    {
        let tail = console
            .tail(&viewer, step.id, FIRST_PAINT)
            .await
            .map_err(Error::respond)?;
        f.quote(&tail.lines.items);
    }
    let mut past = None;
    if let Some(wanted) = step.filter(|s| select::find(&view, *s).is_none()) {
        let again: Vec<JobId> = view.jobs.iter().filter(|j| j.attempt > 1).map(|j| j.id).collect();
        for job in again {
            let attempts = ports.tasks.attempts(&viewer, job).await.map_err(Error::respond)?;
            past = past.or(past::put_back(&mut view, attempts, wanted));
        }
        if past.is_none() {
            return Err(Error::respond(domain::Error::NotFound(format!(
                "Step {wanted} of task {task}"
            ))));
        }
    }
    let step = step.or(chosen);
    let mut shown = None;
    let tab = match tab.as_str() {
        "plan" => {
            let found = ports.tasks.document(&viewer, task).await;
            TabData::Plan(found.map_err(Error::respond)?)
        }
        "events" => TabData::Events(ports.tasks.events(&viewer, task).await.map_err(Error::respond)?),
        "attempts" => {
            let mut all = Vec::new();
            for job in &view.jobs {
                all.push((
                    job.id,
                    ports.tasks.attempts(&viewer, job.id).await.map_err(Error::respond)?,
                ));
            }
            TabData::Attempts(all)
        }
        _ => {
            if let Some(step) = step.filter(|_| !fresh) {
                shown = Some(match from {
                    Some(from) => {
                        let lines = console.lines(&viewer, step, from.max(1), FIRST_PAINT).await;
                        let lines = lines.map_err(Error::respond)?;
                        Shown {
                            lines,
                            end: 0,
                            pen: Pen::default(),
                            open: false,
                            tail: false,
                        }
                    }
                    None => {
                        let t = console.tail(&viewer, step, FIRST_PAINT).await.map_err(Error::respond)?;
                        Shown {
                            lines: t.lines,
                            end: t.end,
                            pen: t.pen,
                            open: t.open,
                            tail: true,
                        }
                    }
                });
            }
            // Without jobs there is nothing to look at but why: the file that should have had them.
            match view.jobs.is_empty() && view.status.ended() {
                true => {
                    let found = ports.tasks.document(&viewer, task).await;
                    TabData::Plan(found.map_err(Error::respond)?)
                }
                false => TabData::Steps,
            }
        }
    };
    Ok(TaskPage {
        seq,
        now: crate::context::visit()?.now,
        task: view,
        step,
        shown,
        failure,
        past,
        tab,
    })
}

/// Lets a stranger's change run.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "tasks/approve", protocol = crate::wire::Post)]
pub async fn approve_task(task: TaskId) -> Result<()> {
    use crate::context::{ports, viewer};
    let approved = ports()?.tasks.approve(&viewer()?, task).await;
    approved.map(|_| ()).map_err(crate::Error::respond)
}

/// The end of a step's console.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "steps/tail", protocol = crate::wire::Get)]
pub async fn get_tail(step: StepId) -> Result<Shown> {
    use crate::context::{ports, viewer};
    let t = ports()?
        .console
        .tail(&viewer()?, step, FIRST_PAINT)
        .await
        .map_err(crate::Error::respond)?;
    Ok(Shown {
        lines: t.lines,
        end: t.end,
        pen: t.pen,
        open: t.open,
        tail: true,
    })
}

/// Lines of a step's console, 1-based; fewer than asked for where they are very long.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "steps/lines", protocol = crate::wire::Get)]
pub async fn get_lines(step: StepId, from: i64, limit: u32) -> Result<Lines> {
    use crate::context::{ports, viewer};
    ports()?
        .console
        .lines(&viewer()?, step, from, limit)
        .await
        .map_err(crate::Error::respond)
}
