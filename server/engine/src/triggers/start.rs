//! From an occasion to a task: what a trigger decided becomes one firing and, where it starts something, one task, in one
//! write.
//!
//! **Invariant:** of one trigger and one key there is one firing, whoever asks how often; a task and the firing that
//! started it are there together or not at all.

use crate::clock::SharedClock;
use crate::queue::{Making, Outward, apply, create};
use crate::scheduler::{Terms, place_waiting};
use crate::space::Space;
use crate::store::firings::{self, NewFiring};
use crate::store::tasks::{Runnable, runnable};
use crate::store::triggers::Trigger;
use crate::store::{NewEvent, Result, Store, Tx};
use domain::lifecycle::{Effect, Event as Change};
use domain::task::CauseKind;
use domain::trigger::{Cause, Config, Decision, Evaluation, Kind, Overlap, Setting, Start, Verdict, Wanted, decide};
use domain::webhook::Event;
use domain::{DeliveryId, FiringId, PlanId, TaskId, Timestamp, TriggerId};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// What every part that starts tasks has in hand. Cheap to clone.
#[derive(Clone)]
pub struct Starter {
    pub(crate) store: Store,
    pub(crate) clock: SharedClock,
    pub(crate) out: Outward,
    pub(crate) terms: Terms,
    pub(crate) space: Arc<Space>,
}

/// Something that a trigger is asked about.
#[derive(Debug, Clone)]
pub(crate) struct Occasion {
    /// What it is about, once for all.
    pub key: String,
    /// For when it was due.
    pub scheduled_for: Option<Timestamp>,
    /// The delivery.
    pub delivery: Option<DeliveryId>,
    /// Why, for the firing.
    pub cause: Cause,
    /// What happened.
    pub event: Event,
    /// The firing that it repeats.
    pub replay_of: Option<FiringId>,
    /// Whether rules are passed over: somebody wants it now.
    pub forced: bool,
}

/// What a trigger decided about an occasion, ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    trigger: Trigger,
    plan: Option<Runnable>,
    firing: NewFiring,
    start: Option<Start>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fired {
    /// The firing; `None` when the trigger had fired for it before.
    pub firing: Option<FiringId>,
    /// The task that was started.
    pub task: Option<TaskId>,
    /// Whether its exact commit is sought first.
    pub resolving: bool,
}

/// What an occasion is called in a firing.
pub(crate) fn cause_of(event: &Event, title: String) -> Cause {
    Cause {
        title,
        event: Some(event.kind.clone()),
        branch: event.branch.clone(),
        tag: event.tag.clone(),
        revision: event.revision.clone(),
        message: event.message.as_ref().map(|m| first_line(m)),
        author: event.author.clone(),
        repository: event.repository.clone(),
        ..Cause::default()
    }
}

/// At most this much of a message is kept.
const LINE: usize = 300;

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(LINE).collect()
}

impl Starter {
    /// What starts tasks over a store.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, out: Outward, terms: Terms, space: Arc<Space>) -> Self {
        Self {
            store,
            clock,
            out,
            terms,
            space,
        }
    }

    /// The plans of these triggers, as they would run now.
    pub(crate) async fn plans(&self, triggers: &[Trigger]) -> Result<HashMap<PlanId, Runnable>> {
        let mut plans = HashMap::new();
        for trigger in triggers {
            if !plans.contains_key(&trigger.plan)
                && let Some(plan) = runnable(&self.store, trigger.plan).await?
            {
                plans.insert(trigger.plan, plan);
            }
        }
        Ok(plans)
    }

    /// Does it: a write of its own.
    pub(crate) async fn fire(&self, decided: Vec<Decided>) -> Result<Vec<Fired>> {
        let (clock, terms) = (self.clock.clone(), self.terms.clone());
        let (fired, effects) = self
            .store
            .write(move |tx| {
                let (decided, now, terms) = (decided.clone(), clock.now(), terms.clone());
                Box::pin(async move {
                    let mut fired = Vec::new();
                    let mut effects = Vec::new();
                    for one in &decided {
                        fired.push(write(tx, one, &mut effects, now).await?);
                    }
                    effects.extend(placed(tx, &fired, &terms, now).await?);
                    Ok((fired, effects))
                })
            })
            .await?;
        self.follow(&fired, effects);
        Ok(fired)
    }

    /// Lets out what follows a write.
    pub(crate) fn follow(&self, fired: &[Fired], effects: Vec<Effect>) {
        if fired.iter().any(|f| f.task.is_some()) {
            failpoint::reached("server.fired");
        }
        self.out.send(effects);
        if fired.iter().any(|f| f.resolving) {
            self.out.wake_resolver();
        }
    }
}

/// Places what was started, inside the write that started it.
pub(crate) async fn placed(tx: &mut Tx, fired: &[Fired], terms: &Terms, now: Timestamp) -> Result<Vec<Effect>> {
    if fired.iter().any(|f| f.task.is_some() && !f.resolving) {
        return place_waiting(tx, terms, now).await;
    }
    Ok(Vec::new())
}

/// Decides, and writes nothing.
pub(crate) fn judged(trigger: &Trigger, plan: Option<&Runnable>, occasion: Occasion) -> Decided {
    let began = Instant::now();
    let rules: &[String] = if occasion.forced { &[] } else { &trigger.rules };
    let ignore_skip = match &trigger.config {
        Config::Webhook(hook) => hook.ignore_skip,
        Config::Poll(_) => false,
        Config::Cron(_) | Config::Upstream(_) => true,
    };
    let wanted = Wanted {
        rules,
        parameters: &trigger.parameters,
        branch: trigger.branch.as_deref(),
        revision: trigger.revision.as_deref(),
        ignore_skip: ignore_skip || occasion.forced,
        source: plan.and_then(|p| p.resolved.source.as_ref()).map(|s| s.git.as_str()),
    };
    let (decision, mut evaluation) = decide(&wanted, &occasion.event);
    let (mut verdict, mut reason, mut start) = match decision {
        Decision::Start(start) => (Verdict::Started, None, Some(start)),
        Decision::Nothing(why) => (Verdict::Nothing, Some(why), None),
        Decision::Error(why) => (Verdict::Error, Some(why), None),
    };
    if start.is_some() {
        let name = &trigger.plan_name;
        let off = match plan {
            None => Some((
                Verdict::Error,
                format!("Nothing was started, because the plan {name} is gone."),
            )),
            Some(p) if !p.enabled => Some((
                Verdict::Nothing,
                format!("Nothing was started, because the plan {name} is switched off."),
            )),
            Some(_) => None,
        };
        if let Some((what, why)) = off {
            (verdict, reason, start) = (what, Some(why), None);
        }
    }
    if start.is_some() && trigger.priority != 0 {
        evaluation.set.push(Setting {
            name: "priority".into(),
            value: trigger.priority.to_string(),
        });
    }
    evaluation.took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    Decided {
        firing: NewFiring {
            trigger: trigger.id,
            key: occasion.key,
            scheduled_for: occasion.scheduled_for,
            delivery: occasion.delivery,
            cause: occasion.cause,
            verdict,
            reason,
            evaluation,
            start: None,
            replay_of: occasion.replay_of,
        },
        trigger: trigger.clone(),
        plan: plan.cloned(),
        start,
    }
}

impl Decided {
    /// An occasion that starts nothing for a reason of its own.
    pub(crate) fn nothing(trigger: &Trigger, occasion: Occasion, verdict: Verdict, why: String) -> Self {
        Self {
            firing: NewFiring {
                trigger: trigger.id,
                key: occasion.key,
                scheduled_for: occasion.scheduled_for,
                delivery: occasion.delivery,
                cause: occasion.cause,
                verdict,
                reason: Some(why),
                evaluation: Evaluation::default(),
                start: None,
                replay_of: occasion.replay_of,
            },
            trigger: trigger.clone(),
            plan: None,
            start: None,
        }
    }

    /// The delivery, which is known only inside the write.
    pub(crate) fn with_delivery(mut self, id: DeliveryId) -> Self {
        self.firing.delivery = Some(id);
        self
    }
}

/// Writes what was decided; inside a write.
pub(crate) async fn write(tx: &mut Tx, decided: &Decided, effects: &mut Vec<Effect>, now: Timestamp) -> Result<Fired> {
    let mut firing = decided.firing.clone();
    let mut start = decided.start.clone();
    if start.is_some() {
        lapped(tx, decided, &mut firing, &mut start, effects, now).await?;
    }
    let Some(id) = firings::insert(tx, &firing, now).await? else {
        return Ok(Fired {
            firing: None,
            task: None,
            resolving: false,
        });
    };
    let mut fired = Fired {
        firing: Some(id),
        task: None,
        resolving: false,
    };
    if let (Some(start), Some(plan)) = (&start, &decided.plan) {
        let made = task(tx, &decided.trigger, plan, start, id, &firing.cause, now).await?;
        (fired.task, fired.resolving) = (Some(made.0), made.1);
    }
    told(tx, &decided.trigger, id, firing.verdict, fired.task, now);
    Ok(fired)
}

/// What becomes of a cron's task while its last one has not ended.
async fn lapped(
    tx: &mut Tx,
    decided: &Decided,
    firing: &mut NewFiring,
    start: &mut Option<Start>,
    effects: &mut Vec<Effect>,
    now: Timestamp,
) -> Result<()> {
    let Config::Cron(cron) = &decided.trigger.config else {
        return Ok(());
    };
    let running = firings::running(tx, decided.trigger.id).await?;
    let waits = firings::held(tx, decided.trigger.id).await?.is_some();
    let Some(first) = running.first().copied() else {
        return Ok(());
    };
    match cron.overlap {
        Overlap::Skip => {
            firing.verdict = Verdict::Nothing;
            firing.reason = Some(format!(
                "Nothing was started, because #{first} has not ended, and the trigger then starts nothing."
            ));
            *start = None;
        }
        Overlap::Queue => {
            firing.verdict = Verdict::Held;
            let behind = if waits { " and those that wait before it" } else { "" };
            firing.reason = Some(format!("It starts when #{first}{behind} has ended."));
            firing.start = start.take();
        }
        Overlap::Cancel => {
            for id in running {
                let asked = Change::AbortAsked {
                    by: decided.trigger.name.clone(),
                };
                effects.extend(
                    apply(tx, id, vec![asked], Some(&decided.trigger.name), now)
                        .await?
                        .effects,
                );
            }
        }
    }
    Ok(())
}

/// Makes the task of a firing; whether its exact commit is sought first.
pub(crate) async fn task(
    tx: &mut Tx,
    trigger: &Trigger,
    plan: &Runnable,
    start: &Start,
    firing: FiringId,
    cause: &Cause,
    now: Timestamp,
) -> Result<(TaskId, bool)> {
    let about = start.revision.is_some() && start.revision == cause.revision;
    let making = Making {
        user: None,
        by: cause.by.clone().unwrap_or_else(|| trigger.name.clone()),
        cause: match trigger.config.kind() {
            Kind::Poll => CauseKind::Poll,
            Kind::Cron => CauseKind::Cron,
            Kind::Webhook => CauseKind::Webhook,
            Kind::Upstream => CauseKind::Upstream,
        },
        firing: Some(firing),
        branch: start.branch.clone(),
        revision: start.revision.as_ref().map(|r| r.to_ascii_lowercase()),
        parameters: start.parameters.clone(),
        priority: trigger.priority,
        // Of that very commit; the checkout tells of any other.
        message: cause.message.clone().filter(|_| about),
        author: cause.author.clone().filter(|_| about),
        fork: start.fork.clone(),
    };
    let resolving = plan.resolved.asks(making.revision.as_deref());
    Ok((create(tx, plan, &making, now).await?, resolving))
}

/// Tells that a trigger fired.
pub(crate) fn told(
    tx: &mut Tx,
    trigger: &Trigger,
    firing: FiringId,
    verdict: Verdict,
    task: Option<TaskId>,
    now: Timestamp,
) {
    news(
        tx,
        trigger.id,
        "trigger.fired",
        now,
        json!({
            "firing_id": firing, "verdict": verdict, "plan_id": trigger.plan, "hook_id": trigger.hook, "task_id": task,
        }),
    );
}

/// An event about a trigger.
pub(crate) fn news(tx: &mut Tx, id: TriggerId, kind: &'static str, now: Timestamp, body: serde_json::Value) {
    tx.emit(NewEvent::about("trigger", id.0, kind, now, body));
}
