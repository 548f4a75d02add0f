//! What follows the end of a task: triggers that wait for its plan, and firings that wait for it to make room.
//!
//! **Invariant:** ends are read from the table of events, in order, from where the last look ended; one that is read twice
//! fires nothing twice.

use super::start::{Fired, Occasion, Starter, judged, placed, task, told};
use crate::store::follow::Follower;
use crate::store::tasks::view;
use crate::store::triggers::Trigger;
use crate::store::{Result, firings, triggers};
use domain::event::Event as News;
use domain::status::TaskStatus;
use domain::task::TaskView;
use domain::trigger::{Cause, Config, Kind, Upstream, Verdict};
use domain::webhook::Event;
use domain::{PlanId, TaskId, TriggerId};
use serde_json::json;
use std::collections::HashSet;

/// Where the last look ended.
const SEEN: &str = "triggers.seen";

/// How far the ends of tasks have been looked at, and what waits for some.
#[derive(Debug)]
pub(crate) struct Ends {
    at: Follower,
    /// The upstream triggers that are on; read anew after something was saved.
    waiting: Option<Vec<Trigger>>,
    /// Triggers of which a firing waits.
    holding: HashSet<TriggerId>,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            at: Follower::new(SEEN),
            waiting: None,
            holding: HashSet::new(),
        }
    }
}

impl Ends {
    /// Whether nothing was looked at yet.
    pub(crate) fn is_new(&self) -> bool {
        self.at.is_new()
    }
}

impl Starter {
    /// Looks at all that has ended since the last look.
    pub(crate) async fn ends(&self, ends: &mut Ends) -> Result<()> {
        if ends.is_new() {
            ends.at.begin(&self.store).await?;
            ends.holding = firings::holding(&self.store).await?.into_iter().collect();
            for trigger in &ends.holding {
                self.release(*trigger).await?;
            }
        }
        loop {
            let page = ends.at.behind(&self.store).await?;
            if page.is_empty() {
                return self.note(ends, false).await;
            }
            self.read(ends, &page).await?;
        }
    }

    /// Looks at events that have just been written. Those that follow on what was seen need no look at the table.
    pub(crate) async fn news(&self, ends: &mut Ends, events: &[News]) -> Result<()> {
        match ends.at.fresh(events) {
            Some(fresh) => self.read(ends, fresh).await?,
            None => return self.ends(ends).await,
        }
        self.note(ends, false).await
    }

    async fn read(&self, ends: &mut Ends, page: &[News]) -> Result<()> {
        for event in page {
            if event.subject == "trigger" {
                let id = TriggerId(event.subject_id);
                match event.kind.as_str() {
                    "trigger.fired" if event.body.get("verdict").is_some_and(|v| v == "held") => {
                        ends.holding.insert(id);
                    }
                    "trigger.fired" => {}
                    _ => ends.waiting = None,
                }
            }
            if let Some((task, plan)) = ended(event) {
                if ends.waiting.is_none() {
                    ends.waiting = Some(triggers::of_kind(&self.store, Kind::Upstream).await?);
                }
                self.after(ends.waiting.as_deref().unwrap_or_default(), task, plan)
                    .await?;
                if !ends.holding.is_empty() {
                    self.make_room(task).await?;
                }
            }
            ends.at.passed(event);
        }
        Ok(())
    }

    /// Notes where it stands: now and then, and at the end.
    pub(crate) async fn note(&self, ends: &mut Ends, at_once: bool) -> Result<()> {
        ends.at.note(&self.store, self.clock.elapsed(), at_once).await
    }

    async fn after(&self, waiting: &[Trigger], id: TaskId, plan: PlanId) -> Result<()> {
        let concerned: Vec<(&Trigger, &Upstream)> = waiting
            .iter()
            .filter_map(|t| match &t.config {
                Config::Upstream(up) if up.plans.contains(&plan) => Some((t, up)),
                _ => None,
            })
            .collect();
        if concerned.is_empty() {
            return Ok(());
        }
        let Some(task) = view(&self.store, id).await? else {
            return Ok(());
        };
        let mut decided = Vec::new();
        for (trigger, up) in concerned {
            let Some(key) = self.fits(up, &task).await? else {
                continue;
            };
            let plans = self.plans(std::slice::from_ref(trigger)).await?;
            decided.push(judged(trigger, plans.get(&trigger.plan), occasion(&task, key)));
        }
        if !decided.is_empty() {
            self.fire(decided).await?;
        }
        Ok(())
    }

    /// The key under which a trigger fires for a task; `None` when it does not concern it, or not yet.
    async fn fits(&self, up: &Upstream, task: &TaskView) -> Result<Option<String>> {
        if !up.wanted().contains(&task.status) {
            return Ok(None);
        }
        if let Some(pattern) = &up.branch
            && !task.branch.as_ref().is_some_and(|b| domain::rule::matches(pattern, b))
        {
            return Ok(None);
        }
        if up.plans.len() == 1 {
            return Ok(Some(format!("task:{}", task.id)));
        }
        // Fan-in: all of them, at this revision.
        let Some(revision) = &task.revision else {
            return Ok(None);
        };
        for plan in up.plans.iter().filter(|p| **p != task.plan.id) {
            if !crate::store::tasks::ended_so(&self.store, *plan, revision, up.wanted()).await? {
                return Ok(None);
            }
        }
        Ok(Some(format!("revision:{revision}")))
    }

    /// A task has ended: what waited for its trigger's last task may start.
    async fn make_room(&self, ended: TaskId) -> Result<()> {
        let Some(trigger) = firings::trigger_of(&self.store, ended).await? else {
            return Ok(());
        };
        self.release(trigger).await
    }

    /// Starts the oldest firing of a trigger that waits, if nothing of it runs any more.
    pub(crate) async fn release(&self, id: TriggerId) -> Result<()> {
        let Some(trigger) = triggers::one(&self.store, domain::ProjectId::DEFAULT, id).await? else {
            return Ok(());
        };
        let plans = self.plans(std::slice::from_ref(&trigger)).await?;
        let plan = plans.get(&trigger.plan).filter(|p| p.enabled).cloned();
        let (clock, terms) = (self.clock.clone(), self.terms.clone());
        let (fired, effects) = self
            .store
            .write(move |tx| {
                let (trigger, plan, terms, now) = (trigger.clone(), plan.clone(), terms.clone(), clock.now());
                Box::pin(async move {
                    if !firings::running(tx, trigger.id).await?.is_empty() {
                        return Ok((Vec::new(), Vec::new()));
                    }
                    let Some(held) = firings::held(tx, trigger.id).await? else {
                        return Ok((Vec::new(), Vec::new()));
                    };
                    let Some(plan) = plan else {
                        let why = format!(
                            "Nothing was started, because the plan {} is gone or switched off.",
                            trigger.plan_name
                        );
                        firings::release(tx, held.id, Verdict::Nothing, Some(&why)).await?;
                        return Ok((Vec::new(), Vec::new()));
                    };
                    firings::release(tx, held.id, Verdict::Started, None).await?;
                    let (made, resolving) = task(tx, &trigger, &plan, &held.start, held.id, &held.cause, now).await?;
                    told(tx, &trigger, held.id, Verdict::Started, Some(made), now);
                    let fired = vec![Fired {
                        firing: Some(held.id),
                        task: Some(made),
                        resolving,
                    }];
                    let effects = placed(tx, &fired, &terms, now).await?;
                    Ok((fired, effects))
                })
            })
            .await?;
        self.follow(&fired, effects);
        Ok(())
    }
}

/// The task that an event says has ended, and its plan.
fn ended(event: &News) -> Option<(TaskId, PlanId)> {
    let status: TaskStatus = event.kind.strip_prefix("task.")?.parse().ok()?;
    let plan = event.body.get("plan_id")?.as_i64()?;
    (event.subject == "task" && status.ended()).then_some((TaskId(event.subject_id), PlanId(plan)))
}

/// The end of a task, as rules see it.
fn occasion(task: &TaskView, key: String) -> Occasion {
    let event = Event {
        kind: "upstream".into(),
        action: Some(task.status.to_string()),
        branch: task.branch.clone(),
        revision: task.revision.clone(),
        message: task.message.clone(),
        author: task.author.clone(),
        fork: task.cause.fork.is_some(),
        from: task.cause.fork.clone(),
        payload: json!({
            "task": task.id, "plan": task.plan.name, "status": task.status, "parameters": task.parameters,
        }),
        ..Event::default()
    };
    Occasion {
        key,
        scheduled_for: None,
        delivery: None,
        cause: Cause {
            task: Some(task.id),
            ..super::start::cause_of(&event, format!("{} #{} {}", task.plan.name, task.id, task.status))
        },
        event,
        replay_of: None,
        forced: false,
    }
}
