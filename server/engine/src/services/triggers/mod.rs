//! Triggers and their firings: `domain::ports::Triggers`.
//!
//! **Invariant:** a trigger that was saved can fire: its plan is there, its rules read, its chain has an end; every change
//! is audited.

mod save;
mod tryout;
mod view;

use crate::services::hooks::HooksService;
use crate::store::audit::Entry;
use crate::store::{firings, hooks, triggers};
use crate::triggers::Triggers as Loops;
use crate::triggers::intake::title;
use crate::triggers::start::{Occasion, Starter, cause_of, judged, news};
use async_trait::async_trait;
use domain::auth::{Action, Scope, Viewer, authorize};
use domain::page::{Page, PageQuery};
use domain::ports::Triggers;
use domain::trigger::{
    Cause, Checked, Config, Counts, CronPreview, CronQuestion, Day, FiringView, Kind, KnownFields, MadeTrigger,
    Neighbour, NewTrigger, Provider, PutTrigger, RulesCheck, RulesQuestion, Tried, TriggerQuery, TriggerView, TryOut,
    Verdict, event_name,
};
use domain::webhook::Event;
use domain::{Error, FiringId, HookId, ProjectId, Result, TriggerId};
use rand::RngCore;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Days that are drawn of a trigger.
const DAYS: i64 = 30;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// The service behind `Triggers`. Cheap to clone.
#[derive(Clone)]
pub struct TriggersService {
    starter: Starter,
    loops: Loops,
    hooks: HooksService,
    allow_local: bool,
}

impl TriggersService {
    /// The service over what starts tasks. `allow_local` as of sources.
    #[must_use]
    pub fn new(starter: Starter, loops: Loops, hooks: HooksService, allow_local: bool) -> Self {
        Self {
            starter,
            loops,
            hooks,
            allow_local,
        }
    }

    async fn found(&self, id: TriggerId) -> Result<triggers::Trigger> {
        let found = triggers::one(&self.starter.store, ProjectId::DEFAULT, id).await?;
        found.ok_or_else(|| absent(id))
    }

    async fn one(&self, id: TriggerId) -> Result<TriggerView> {
        let trigger = self.found(id).await?;
        let mut views = self.views(vec![trigger]).await?;
        views.pop().ok_or_else(|| absent(id))
    }

    async fn firing_view(&self, id: FiringId) -> Result<FiringView> {
        let found = firings::one(&self.starter.store, ProjectId::DEFAULT, id).await?;
        let mut firing = found.ok_or_else(|| no_firing(id))?;
        if let Some(delivery) = firing.delivery_id {
            firing.delivery = self.hooks.delivery(delivery).await?;
        }
        Ok(firing)
    }

    /// Fires one for an occasion of somebody's making, audited.
    async fn by_hand(
        &self,
        viewer: &Viewer,
        id: TriggerId,
        occasion: Occasion,
        action: &'static str,
    ) -> Result<FiringView> {
        if let Some(why) = self.starter.space.refusal() {
            return Err(Error::Unavailable(why));
        }
        let trigger = self.found(id).await?;
        let plans = self.starter.plans(std::slice::from_ref(&trigger)).await?;
        let decided = judged(&trigger, plans.get(&trigger.plan), occasion);
        let fired = self.starter.fire(vec![decided]).await?;
        let Some(firing) = fired.first().and_then(|f| f.firing) else {
            return Err(Error::Conflict("The trigger has fired for this already.".into()));
        };
        let entry = entry(viewer, &self.starter, action, id, &trigger.name);
        self.starter
            .store
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move { tx.audit(entry).await })
            })
            .await?;
        self.firing_view(firing).await
    }

    /// What a firing was about, as it was.
    async fn event_of(&self, firing: &FiringView) -> Result<Event> {
        if let Some(id) = firing.delivery_id {
            let delivery = hooks::delivery(&self.starter.store, ProjectId::DEFAULT, id).await?;
            let hook = match &delivery {
                Some(d) => hooks::one(&self.starter.store, ProjectId::DEFAULT, HookId(d.hook_id)).await?,
                None => None,
            };
            let (Some(delivery), Some(hook)) = (delivery, hook) else {
                return Err(Error::Conflict(
                    "The delivery of this firing is not kept any more.".into(),
                ));
            };
            return read_again(hook.provider, &delivery);
        }
        let c = &firing.cause;
        Ok(Event {
            kind: c.event.clone().unwrap_or_else(|| firing.kind.as_str().to_owned()),
            branch: c.branch.clone(),
            tag: c.tag.clone(),
            revision: c.revision.clone(),
            message: c.message.clone(),
            author: c.author.clone(),
            repository: c.repository.clone(),
            ..Event::default()
        })
    }
}

/// A delivery's event, from what is kept of it.
fn read_again(provider: Provider, delivery: &hooks::Delivery) -> Result<Event> {
    let gone = || Error::Conflict("The payload of this delivery is not kept any more.".into());
    let body = delivery.body.as_deref().ok_or_else(gone)?;
    let payload: Value = serde_json::from_str(body).map_err(|_| gone())?;
    let headers: Vec<(String, String)> = serde_json::from_str(&delivery.headers).unwrap_or_default();
    Event::read(provider, event_name(&headers), payload).map_err(Error::Conflict)
}

fn absent(id: TriggerId) -> Error {
    Error::NotFound(format!("Trigger {id}"))
}

fn no_firing(id: FiringId) -> Error {
    Error::NotFound(format!("Firing {id}"))
}

fn entry(viewer: &Viewer, starter: &Starter, action: &'static str, id: TriggerId, name: &str) -> Entry {
    Entry::by(viewer, starter.clock.now(), action).about("trigger", id.0, name)
}

/// A key of its own.
fn unique(of: &str) -> String {
    let mut bytes = [0u8; 12];
    rand::rng().fill_bytes(&mut bytes);
    format!("{of}:{}", crate::auth::secret::hex(&bytes))
}

#[async_trait]
impl Triggers for TriggersService {
    async fn list(&self, viewer: &Viewer, query: TriggerQuery, page: PageQuery) -> Result<Page<TriggerView>> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        let filter = TriggerQuery {
            text: query.text.filter(|t| !t.trim().is_empty()),
            ..query
        };
        let limit = page.limit()?;
        let mut found = triggers::list(&self.starter.store, ProjectId::DEFAULT, &filter, page.before()?, limit).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next_cursor = found.last().filter(|_| more).map(|t| t.id.to_string());
        Ok(Page {
            items: self.views(found).await?,
            next_cursor,
        })
    }

    async fn counts(&self, viewer: &Viewer) -> Result<Counts> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        let mut counts = Counts::default();
        for (kind, enabled, unwell, n) in triggers::counts(&self.starter.store, ProjectId::DEFAULT).await? {
            *counts.kinds.entry(kind).or_default() += n;
            if enabled {
                counts.on += n;
                counts.unwell += if unwell { n } else { 0 };
            } else {
                counts.off += n;
            }
        }
        Ok(counts)
    }

    async fn days(&self, viewer: &Viewer, wanted: Vec<TriggerId>) -> Result<Vec<Vec<Day>>> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        let today = self.starter.clock.now().0.div_euclid(DAY);
        let since = domain::Timestamp((today - DAYS + 1) * DAY);
        let rows = firings::days(&self.starter.store, &wanted, since).await?;
        Ok(wanted
            .iter()
            .map(|id| view::strip(*id, &rows, today - DAYS + 1, today))
            .collect())
    }

    async fn get(&self, viewer: &Viewer, id: TriggerId) -> Result<TriggerView> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("trigger {id}")))?;
        self.one(id).await
    }

    async fn create(&self, viewer: &Viewer, wish: NewTrigger) -> Result<MadeTrigger> {
        authorize(viewer, Action::Write, Scope::default_project("the triggers"))?;
        let (id, secret) = self.make(viewer, wish).await?;
        self.loops.wake();
        Ok(MadeTrigger {
            trigger: self.one(id).await?,
            secret,
        })
    }

    async fn save(&self, viewer: &Viewer, id: TriggerId, wish: PutTrigger) -> Result<TriggerView> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("trigger {id}")))?;
        self.change(viewer, id, wish).await?;
        self.loops.wake();
        self.one(id).await
    }

    async fn enable(&self, viewer: &Viewer, id: TriggerId, on: bool) -> Result<TriggerView> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("trigger {id}")))?;
        let present = self.found(id).await?;
        if present.enabled != on {
            let wish = PutTrigger {
                version: present.version,
                enabled: Some(on),
                ..PutTrigger::default()
            };
            self.change(viewer, id, wish).await?;
            self.loops.wake();
        }
        self.one(id).await
    }

    async fn delete(&self, viewer: &Viewer, id: TriggerId) -> Result<()> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("trigger {id}")))?;
        let trigger = self.found(id).await?;
        let entry = entry(viewer, &self.starter, "trigger.delete", id, &trigger.name);
        let now = self.starter.clock.now();
        self.starter
            .store
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    let Some(hook) = triggers::remove(tx, ProjectId::DEFAULT, id).await? else {
                        return Err(absent(id).into());
                    };
                    if let Some(hook) = hook {
                        crate::services::hooks::let_go(tx, hook).await?;
                    }
                    news(tx, id, "trigger.removed", now, json!({}));
                    tx.audit(entry).await
                })
            })
            .await?;
        Ok(())
    }

    async fn fire(&self, viewer: &Viewer, id: TriggerId) -> Result<FiringView> {
        authorize(viewer, Action::Run, Scope::default_project(&format!("trigger {id}")))?;
        let occasion = Occasion {
            key: unique("now"),
            scheduled_for: None,
            delivery: None,
            cause: Cause {
                title: "Fired by hand".into(),
                by: Some(viewer.name.clone()),
                ..Cause::default()
            },
            event: Event {
                kind: "manual".into(),
                ..Event::default()
            },
            replay_of: None,
            forced: true,
        };
        self.by_hand(viewer, id, occasion, "trigger.fire").await
    }

    async fn check(&self, viewer: &Viewer, id: TriggerId) -> Result<Checked> {
        authorize(viewer, Action::Run, Scope::default_project(&format!("trigger {id}")))?;
        let trigger = self.found(id).await?;
        if trigger.config.kind() != Kind::Poll {
            return Err(Error::Conflict(format!(
                "{} looks at nothing: it is no poll.",
                trigger.name
            )));
        }
        let looked = self.starter.check(self.loops.looker(), &trigger).await?;
        let looked =
            looked.ok_or_else(|| Error::Conflict("It is looked at just now; its health says what is found.".into()))?;
        Ok(Checked {
            good: looked.said.is_ok(),
            said: looked.said.unwrap_or_else(|why| why),
            firings: looked.fired,
        })
    }

    async fn firings(
        &self,
        viewer: &Viewer,
        trigger: Option<TriggerId>,
        verdicts: Vec<Verdict>,
        page: PageQuery,
    ) -> Result<Page<FiringView>> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        if let Some(id) = trigger {
            self.found(id).await?;
        }
        let limit = page.limit()?;
        let filter = firings::Filter { trigger, verdicts };
        let mut items = firings::list(&self.starter.store, ProjectId::DEFAULT, &filter, page.before()?, limit).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items.last().filter(|_| more).map(|f| f.id.to_string());
        Ok(Page { items, next_cursor })
    }

    async fn firing(&self, viewer: &Viewer, id: FiringId) -> Result<FiringView> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("firing {id}")))?;
        self.firing_view(id).await
    }

    async fn replay(&self, viewer: &Viewer, id: FiringId) -> Result<FiringView> {
        authorize(viewer, Action::Run, Scope::default_project(&format!("firing {id}")))?;
        let firing = firings::one(&self.starter.store, ProjectId::DEFAULT, id).await?;
        let firing = firing.ok_or_else(|| no_firing(id))?;
        let event = self.event_of(&firing).await?;
        let said = match firing.delivery_id {
            Some(_) => title(Provider::Generic, &event),
            None => firing.cause.title.clone(),
        };
        let occasion = Occasion {
            key: unique(&format!("replay:{id}")),
            scheduled_for: firing.scheduled_for,
            delivery: firing.delivery_id,
            cause: Cause {
                by: Some(viewer.name.clone()),
                task: firing.cause.task,
                ..cause_of(&event, said)
            },
            event,
            replay_of: Some(id),
            forced: false,
        };
        self.by_hand(viewer, firing.trigger_id, occasion, "trigger.replay")
            .await
    }

    async fn preview(&self, viewer: &Viewer, what: CronQuestion) -> Result<CronPreview> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        self.previewed(what).await
    }

    async fn others(&self, viewer: &Viewer, but: Option<TriggerId>) -> Result<Vec<Neighbour>> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        self.others(but).await
    }

    async fn known_fields(&self, viewer: &Viewer, hook: HookId) -> Result<KnownFields> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("hook {hook}")))?;
        self.known_fields(hook).await
    }

    async fn check_rules(&self, viewer: &Viewer, what: RulesQuestion) -> Result<RulesCheck> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        self.checked(what).await
    }

    async fn try_out(&self, viewer: &Viewer, what: TryOut) -> Result<Tried> {
        authorize(viewer, Action::Read, Scope::default_project("the triggers"))?;
        self.tried(what).await
    }
}

/// The names of a chain of plans that would never end, from the plan that is started back to itself.
fn circle(
    chains: &[(domain::PlanId, domain::PlanId)],
    from: domain::PlanId,
    to: &[domain::PlanId],
) -> Option<Vec<domain::PlanId>> {
    let mut left = vec![vec![from]];
    let mut seen = HashSet::from([from]);
    while let Some(path) = left.pop() {
        let Some(end) = path.last().copied() else { continue };
        if to.contains(&end) {
            return Some(path);
        }
        for (_, next) in chains.iter().filter(|(before, _)| *before == end) {
            if seen.insert(*next) {
                let mut longer = path.clone();
                longer.push(*next);
                left.push(longer);
            }
        }
    }
    None
}

/// The plans that a configuration waits for.
fn waits_for(config: &Config) -> &[domain::PlanId] {
    match config {
        Config::Upstream(up) => &up.plans,
        Config::Poll(_) | Config::Cron(_) | Config::Webhook(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::PlanId;

    #[test]
    fn a_chain_that_never_ends_is_found_with_its_way() {
        let chains = [(1, 2), (2, 3), (3, 4), (2, 5)].map(|(a, b)| (PlanId(a), PlanId(b)));
        let way =
            |from, to| circle(&chains, PlanId(from), &[PlanId(to)]).map(|w| w.iter().map(|p| p.0).collect::<Vec<_>>());
        // A trigger that starts 1 after 4: 1 → 2 → 3 → 4 → 1.
        assert_eq!(way(1, 4), Some(vec![1, 2, 3, 4]));
        assert_eq!(way(1, 1), Some(vec![1]));
        assert_eq!(way(4, 1), None);
        assert_eq!(way(5, 1), None);
    }
}
