//! Tasks for both doors: list, look, run, abort, run again.
//!
//! **Invariant:** a task and its first placement are one transaction; what agents are told leaves after the commit.

use super::ended::Ended;
use super::waiting::reasons;
use super::{aborting, approving};
use crate::clock::SharedClock;
use crate::console::{Consoles, Extent};
use crate::queue::{Making, Outward, again, apply, create};
use crate::scheduler::{Terms, place_waiting};
use crate::space::Space;
use crate::store::audit::Entry;
use crate::store::tasks::{self, Runnable, WaitingFilter};
use crate::store::{Error as StoreError, Store};
use async_trait::async_trait;
use domain::auth::{Action, Role, Scope, Viewer, authorize};
use domain::event::{Event, Topic};
use domain::page::Page;
use domain::queue::ReasonCode;
use domain::status::{Desired, JobStatus, StepStatus, TaskStatus};
use domain::task::{AttemptView, CauseKind, RunPlan, TaskDocument, TaskQuery, TaskView};
use domain::{Error, JobId, PlanId, ProjectId, Result, TaskId, git, lifecycle};
use futures::FutureExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Highest priority for those who are not admins.
const CEILING: i64 = 50;
/// Most events of a task that are answered.
const EVENTS: u32 = 2_000;

/// The port `Tasks`.
#[derive(Clone)]
pub struct TasksService {
    store: Store,
    clock: SharedClock,
    out: Outward,
    consoles: Consoles,
    terms: Terms,
    ended: Ended,
    space: Arc<Space>,
}

impl TasksService {
    /// The port over a store; `lease_ms` is how long an attempt's first hold lasts.
    #[must_use]
    pub fn new(
        store: Store,
        clock: SharedClock,
        out: Outward,
        consoles: Consoles,
        lease_ms: i64,
        space: Arc<Space>,
    ) -> Self {
        Self {
            store,
            clock,
            out,
            consoles,
            terms: Terms {
                lease_ms,
                space: Some(space.clone()),
            },
            ended: Ended::default(),
            space,
        }
    }

    async fn one(&self, id: TaskId) -> Result<TaskView> {
        let mut task = tasks::view(&self.store, id).await?.ok_or_else(|| no_task(id))?;
        if !task.status.ended() {
            self.say_why(std::slice::from_mut(&mut task)).await?;
            aborting::say_where(&self.store, &mut task).await?;
        }
        self.measure(&mut task);
        Ok(task)
    }

    /// Puts true sentences on what waits.
    async fn say_why(&self, found: &mut [TaskView]) -> Result<()> {
        let waiting: Vec<TaskId> = found
            .iter()
            .filter(|t| t.jobs.iter().any(|j| j.status == JobStatus::Pending))
            .map(|t| t.id)
            .collect();
        let filter = match waiting[..] {
            [] => return Ok(()),
            [one] => WaitingFilter::Task(one),
            _ => WaitingFilter::Head(1_000),
        };
        let now = self.clock.now();
        let why: HashMap<JobId, (ReasonCode, String)> = reasons(&self.store, &self.space, filter, now)
            .await?
            .into_iter()
            .map(|r| (r.waiting.place.job, (r.why.code, r.why.sentence)))
            .collect();
        for task in found {
            for job in task.jobs.iter_mut().filter(|j| j.status == JobStatus::Pending) {
                job.reason = why.get(&job.id).map(|(_, s)| s.clone());
            }
            if task.status == TaskStatus::Pending && task.reason.is_none() {
                task.reason = task.jobs.iter().find_map(|j| j.reason.clone());
            }
        }
        Ok(())
    }

    /// How much a running step has written so far, and lines nobody has counted yet.
    fn measure(&self, task: &mut TaskView) {
        for job in &mut task.jobs {
            let attempt = job.attempt_id;
            let unended = !job.status.ended();
            for step in job
                .setup
                .iter_mut()
                .chain(&mut job.steps)
                .filter(|s| s.started_at.is_some())
            {
                let extent = Extent::of(step.console_from.unsigned_abs(), step.bytes.unsigned_abs());
                // Nothing was written, or all is known: there is no need to look at the file.
                let known = !unended && step.lines > 0 || extent.len == 0;
                let silent = step.status != StepStatus::Running && known;
                let Some((place, standing)) = (!silent)
                    .then(|| {
                        Some((
                            self.consoles.in_file(attempt, extent).ok()?,
                            self.consoles.standing(attempt).ok()?,
                        ))
                    })
                    .flatten()
                else {
                    continue;
                };
                let (from, int) = (place.from, |n: u64| i64::try_from(n).unwrap_or(i64::MAX));
                step.console_from = int(from);
                step.bytes = if step.status == StepStatus::Running {
                    int(standing.len.saturating_sub(from))
                } else {
                    int(place.len)
                };
                // Its command has ended, and some of what it wrote is still on its way here.
                if unended && step.status.ended() && place.end() > standing.len {
                    step.status = StepStatus::Finalizing;
                }
                if step.bytes > 0 && step.lines == 0 {
                    let extent = Extent::of(from, step.bytes.unsigned_abs());
                    step.lines = self.consoles.count(attempt, extent).map_or(0, |n| n as i64);
                }
            }
        }
    }

    /// New work takes space that there must be.
    fn has_room(&self) -> Result<()> {
        self.space.refusal().map_or(Ok(()), |why| Err(Error::Unavailable(why)))
    }

    async fn authorized(&self, viewer: &Viewer, action: Action, id: TaskId) -> Result<()> {
        // One project for now; when there are more, the task's own is read here.
        authorize(viewer, action, Scope::default_project(&format!("task #{id}")))
    }

    async fn enqueue(&self, viewer: &Viewer, plan: Runnable, making: Making) -> Result<TaskView> {
        let resolving = plan.resolved.asks(making.revision.as_deref());
        let (clock, terms, viewer) = (self.clock.clone(), self.terms.clone(), viewer.clone());
        let (id, effects) = self
            .store
            .write(move |tx| {
                let (plan, making, terms, now) = (plan.clone(), making.clone(), terms.clone(), clock.now());
                let entry = Entry::by(&viewer, now, "task.run");
                async move {
                    let id = create(tx, &plan, &making, now).await?;
                    tx.audit(of(entry, id, format!("plan {}", plan.plan))).await?;
                    let effects = if resolving {
                        Vec::new()
                    } else {
                        place_waiting(tx, &terms, now).await?
                    };
                    Ok((id, effects))
                }
                .boxed()
            })
            .await?;
        failpoint::reached("server.enqueued");
        self.out.send(effects);
        if resolving {
            self.out.wake_resolver();
        }
        self.one(id).await
    }
}

#[async_trait]
impl domain::ports::Tasks for TasksService {
    async fn list(&self, viewer: &Viewer, query: TaskQuery) -> Result<Page<TaskView>> {
        authorize(viewer, Action::Read, Scope::default_project("the tasks"))?;
        check_words(&query)?;
        let limit = query.page.limit()? as usize;
        let mut listed = tasks::list(&self.store, ProjectId::DEFAULT, &query).await?;
        let more = listed.len() > limit;
        listed.truncate(limit);
        let next_cursor = more.then(|| listed.last().map(|l| l.id.to_string())).flatten();
        let mut items = self.ended.views(&self.store, &listed).await?;
        self.say_why(&mut items).await?;
        Ok(Page { items, next_cursor })
    }

    async fn get(&self, viewer: &Viewer, id: TaskId) -> Result<TaskView> {
        self.authorized(viewer, Action::Read, id).await?;
        self.one(id).await
    }

    async fn seq(&self) -> Result<i64> {
        Ok(self.store.event_bounds().await?.0)
    }

    async fn run(&self, viewer: &Viewer, plan: PlanId, wish: RunPlan, cause: CauseKind) -> Result<TaskView> {
        authorize(viewer, Action::Run, Scope::default_project(&format!("plan {plan}")))?;
        let found = tasks::runnable(&self.store, plan).await?;
        let found = found.ok_or_else(|| Error::NotFound(format!("Plan {plan}")))?;
        if !found.enabled {
            return Err(Error::Conflict(
                "This plan is switched off; switch it on in its editor, then run it.".into(),
            ));
        }
        check_wish(viewer, &found, &wish)?;
        self.has_room()?;
        let making = Making {
            user: Some(viewer.user),
            firing: None,
            by: viewer.name.clone(),
            cause,
            branch: filled(wish.branch),
            revision: filled(wish.revision).map(|r| r.to_ascii_lowercase()),
            parameters: wish.parameters,
            priority: wish.priority.unwrap_or(0),
            message: None,
            author: None,
            fork: None,
        };
        self.enqueue(viewer, found, making).await
    }

    async fn abort(&self, viewer: &Viewer, id: TaskId) -> Result<TaskView> {
        self.authorized(viewer, Action::Run, id).await?;
        let (clock, viewer, terms) = (self.clock.clone(), viewer.clone(), self.terms.clone());
        let effects = self
            .store
            .write(move |tx| {
                let (by, terms, now) = (viewer.name.clone(), terms.clone(), clock.now());
                let entry = Entry::by(&viewer, now, "task.abort");
                async move {
                    let asked = lifecycle::Event::AbortAsked { by: by.clone() };
                    let applied = apply(tx, id, vec![asked], Some(&by), now).await?;
                    let Some(task) = applied.task else {
                        return Err(StoreError::Refused(no_task(id)));
                    };
                    if applied.refused == [None] {
                        tx.audit(of(entry, id, task.status.to_string())).await?;
                    }
                    let mut effects = applied.effects;
                    if task.desired == Desired::Abort {
                        effects.extend(place_waiting(tx, &terms, now).await?);
                    }
                    Ok(effects)
                }
                .boxed()
            })
            .await?;
        self.out.send(effects);
        self.one(id).await
    }

    async fn approve(&self, viewer: &Viewer, id: TaskId) -> Result<TaskView> {
        self.authorized(viewer, Action::Run, id).await?;
        self.one(id).await?;
        let effects = approving::approve(&self.store, &self.clock, &self.terms, viewer, id).await?;
        self.out.send(effects);
        self.one(id).await
    }

    async fn document(&self, viewer: &Viewer, id: TaskId) -> Result<TaskDocument> {
        self.authorized(viewer, Action::Read, id).await?;
        let task = tasks::view(&self.store, id).await?.ok_or_else(|| no_task(id))?;
        approving::document(&self.store, &task).await
    }

    async fn rerun(&self, viewer: &Viewer, id: TaskId, failed_only: bool) -> Result<TaskView> {
        self.authorized(viewer, Action::Run, id).await?;
        let snapshot = tasks::snapshot(&self.store, id).await?.ok_or_else(|| no_task(id))?;
        if failed_only && !snapshot.ended {
            return Err(Error::Conflict(format!(
                "Task #{id} has not ended; abort it, or wait, then rerun what failed."
            )));
        }
        if failed_only && snapshot.jobs.values().all(|s| *s == JobStatus::Passed) {
            return Err(Error::Conflict(format!(
                "Every job of task #{id} passed: there is nothing failed to rerun."
            )));
        }
        self.has_room()?;
        let making = Making {
            user: Some(viewer.user),
            firing: None,
            by: viewer.name.clone(),
            cause: CauseKind::Rerun,
            branch: None,
            revision: None,
            parameters: snapshot.parameters.clone(),
            priority: snapshot.priority,
            message: None,
            author: None,
            fork: snapshot.fork.clone(),
        };
        let resolving = snapshot.resolved.asks(snapshot.revision.as_deref());
        let (clock, terms, viewer) = (self.clock.clone(), self.terms.clone(), viewer.clone());
        let (new, effects) = self
            .store
            .write(move |tx| {
                let (snapshot, making, terms, now) = (snapshot.clone(), making.clone(), terms.clone(), clock.now());
                let entry = Entry::by(&viewer, now, "task.rerun");
                async move {
                    let new = again(tx, id, &snapshot, failed_only, &making, now).await?;
                    tx.audit(of(entry, new, format!("of task {id}"))).await?;
                    Ok((new, place_waiting(tx, &terms, now).await?))
                }
                .boxed()
            })
            .await?;
        self.out.send(effects);
        if resolving {
            self.out.wake_resolver();
        }
        self.one(new).await
    }

    async fn attempts(&self, viewer: &Viewer, job: JobId) -> Result<Vec<AttemptView>> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("job {job}")))?;
        let found = tasks::attempts_of(&self.store, job).await?;
        if found.is_empty() {
            return Err(Error::NotFound(format!("Job {job}")));
        }
        Ok(found)
    }

    async fn events(&self, viewer: &Viewer, id: TaskId) -> Result<Vec<Event>> {
        self.authorized(viewer, Action::Read, id).await?;
        Ok(self.store.events_since(Some(Topic::Task(id)), 0, EVENTS).await?)
    }
}

pub(super) fn no_task(id: TaskId) -> Error {
    Error::NotFound(format!("Task #{id}"))
}

/// An empty field of a form means none.
fn filled(value: Option<String>) -> Option<String> {
    value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
}

fn check_wish(viewer: &Viewer, plan: &Runnable, wish: &RunPlan) -> Result<()> {
    let mut problems = Vec::new();
    let mut bad = |path: &str, message: String| problems.push(domain::Problem::field(path, message));
    let ceiling = if viewer.role(Some(plan.project)) == Some(Role::Admin) {
        100
    } else {
        CEILING
    };
    if let Some(p) = wish.priority.filter(|p| !(-100..=ceiling).contains(p)) {
        bad(
            "priority",
            format!("{p} is not between −100 and {ceiling}, the highest you may give."),
        );
    }
    for (field, value, check) in [
        (
            "branch",
            &wish.branch,
            git::check_ref as fn(&str) -> std::result::Result<(), String>,
        ),
        ("revision", &wish.revision, git::check_revision),
    ] {
        let Some(value) = value.as_deref().map(str::trim).filter(|v| !v.is_empty()) else {
            continue;
        };
        if plan.resolved.source.is_none() {
            bad(field, format!("This plan has no source, so it takes no {field}."));
        } else if let Err(why) = check(value) {
            bad(field, why);
        }
    }
    for name in wish.parameters.keys() {
        bad(
            &format!("parameters.{name}"),
            format!("This plan asks for no parameter `{name}`."),
        );
    }
    Error::refuse("The plan cannot be run like this.", problems)
}

/// An entry about a task.
fn of(entry: Entry, task: TaskId, after: String) -> Entry {
    entry.about("task", task.0, after)
}

/// Words of a filter that name nothing are told, not passed over.
fn check_words(q: &TaskQuery) -> Result<()> {
    for s in &q.status {
        if s != "waiting" && s.parse::<TaskStatus>().is_err() {
            let known: Vec<&str> = TaskStatus::ALL.iter().map(|s| s.as_str()).collect();
            return Err(Error::invalid_field(
                "status",
                format!("`{s}` is no state: use {}, or waiting.", known.join(", ")),
            ));
        }
    }
    for c in &q.cause {
        if c.parse::<CauseKind>().is_err() {
            let known: Vec<&str> = CauseKind::ALL.iter().map(|s| s.as_str()).collect();
            return Err(Error::invalid_field(
                "cause",
                format!("`{c}` is no cause: use {}.", known.join(", ")),
            ));
        }
    }
    Ok(())
}
