//! Trying rules out on a delivery, or on a payload that somebody pasted; what an expression of cron means beside the others.
//!
//! **Invariant:** it decides by the same function as a firing, on what may be shown of a payload, and writes nothing.

use super::{TriggersService, read_again};
use crate::store::tasks::runnable;
use crate::store::triggers::Trigger;
use crate::store::{hooks, triggers};
use domain::trigger::{
    Config, CronPreview, CronQuestion, Crowd, Decision, Kind, KnownFields, Neighbour, RulesCheck, RulesQuestion, Tried,
    TriggerQuery, TryOut, Wanted, check_rules, decide, preview, redact, try_out,
};
use domain::webhook::Event;
use domain::{Error, HookId, ProjectId, Result, TriggerId};

/// Deliveries that are looked at too.
const LAST: i64 = 50;
/// Bytes of their payloads after which no older one is.
const BYTES: i64 = 8 << 20;
/// Other schedules that one is compared with.
const OTHERS: u32 = 200;

/// What came to a hook before, as far as it is looked at.
struct Past {
    /// Newest first.
    events: Vec<Event>,
    /// Whether nothing else ever came.
    all: bool,
}

impl Past {
    fn known(&self) -> KnownFields {
        KnownFields::of(&self.events, self.all)
    }
}

impl TriggersService {
    pub(super) async fn tried(&self, what: TryOut) -> Result<Tried> {
        let plan = match what.plan_id {
            Some(id) => runnable(&self.starter.store, id).await?,
            None => None,
        };
        let source = plan
            .as_ref()
            .and_then(|p| p.resolved.source.as_ref())
            .map(|s| s.git.as_str());
        let wanted = what.wanted(source);
        let trigger = match what.trigger_id {
            Some(id) => triggers::one(&self.starter.store, ProjectId::DEFAULT, id).await?,
            None => None,
        };
        let (event, of) = self.event(&what).await?;
        let past = match of.or_else(|| trigger.as_ref().and_then(|t| t.hook)) {
            Some(hook) => self.past(hook).await?,
            None => None,
        };
        let tried = try_out(&wanted, &event, past.as_ref().map(Past::known).as_ref())?;
        let listens = trigger.filter(|t| t.hook.is_some());
        Ok(Tried {
            of_last: listens
                .zip(past)
                .map(|(trigger, past)| of_last(&trigger, &wanted, &past)),
            ..tried
        })
    }

    /// The event that is tried, and the hook that it came to if it did.
    async fn event(&self, what: &TryOut) -> Result<(Event, Option<HookId>)> {
        if let Some(event) = what.event()? {
            return Ok((event, None));
        }
        let Some(id) = what.delivery_id else {
            return Err(Error::invalid_field(
                "payload",
                "Give a payload, or the id of a delivery.",
            ));
        };
        let absent = || Error::NotFound(format!("Delivery {id}"));
        let store = &self.starter.store;
        let delivery = hooks::delivery(store, ProjectId::DEFAULT, id)
            .await?
            .ok_or_else(absent)?;
        let hook = hooks::one(store, ProjectId::DEFAULT, HookId(delivery.hook_id))
            .await?
            .ok_or_else(absent)?;
        Ok((shown(read_again(hook.provider, &delivery)?), Some(hook.id)))
    }

    async fn past(&self, hook: HookId) -> Result<Option<Past>> {
        let store = &self.starter.store;
        let Some(hook) = hooks::one(store, ProjectId::DEFAULT, hook).await? else {
            return Ok(None);
        };
        let kept = hooks::newest(store, ProjectId::DEFAULT, hook.id, LAST).await?;
        let (mut events, mut left) = (Vec::new(), BYTES);
        for delivery in &kept {
            left -= delivery.size;
            if left < 0 && !events.is_empty() {
                break;
            }
            events.extend(read_again(hook.provider, delivery).ok().map(shown));
        }
        let all = i64::try_from(events.len()).is_ok_and(|n| n >= hook.accepted);
        Ok(Some(Past { events, all }))
    }

    /// The fields that deliveries of a hook had.
    pub(super) async fn known_fields(&self, hook: HookId) -> Result<KnownFields> {
        let past = self.past(hook).await?;
        let past = past.ok_or_else(|| Error::NotFound(format!("Hook {hook}")))?;
        Ok(past.known())
    }

    pub(super) async fn checked(&self, what: RulesQuestion) -> Result<RulesCheck> {
        let hook = match (what.hook_id, what.trigger_id) {
            (Some(hook), _) => Some(hook),
            (None, Some(id)) => self.found(id).await?.hook,
            (None, None) => None,
        };
        let known = match hook {
            Some(hook) => Some(self.known_fields(hook).await?),
            None => None,
        };
        Ok(check_rules(&what.rules, known.as_ref()))
    }

    /// What an expression of cron means.
    pub(super) async fn previewed(&self, what: CronQuestion) -> Result<CronPreview> {
        let others = Crowd::of(&self.others(what.trigger_id).await?);
        preview(&what, self.starter.clock.now(), &others)
    }

    /// The schedules there are, but for one.
    pub(super) async fn others(&self, but: Option<TriggerId>) -> Result<Vec<Neighbour>> {
        let filter = TriggerQuery {
            kinds: vec![Kind::Cron],
            ..TriggerQuery::default()
        };
        let all = triggers::list(&self.starter.store, ProjectId::DEFAULT, &filter, None, OTHERS).await?;
        let other = |t: Trigger| match t.config {
            Config::Cron(cron) if t.enabled && t.next_at.is_some() && Some(t.id) != but => Some(Neighbour {
                id: t.id,
                name: t.name,
                cron: cron.cron,
                zone: cron.zone,
                from: cron.from,
                until: cron.until,
            }),
            _ => None,
        };
        Ok(all.into_iter().filter_map(other).collect())
    }
}

/// An event without what is shown to nobody: who may try may not guess it.
fn shown(mut event: Event) -> Event {
    redact(&mut event.payload);
    event
}

/// Of the last deliveries: how many there are, how many start something now, and how many would.
fn of_last(trigger: &Trigger, wanted: &Wanted<'_>, past: &Past) -> [u32; 3] {
    let now = Wanted {
        rules: &trigger.rules,
        parameters: &trigger.parameters,
        branch: trigger.branch.as_deref(),
        revision: trigger.revision.as_deref(),
        ..*wanted
    };
    let mut counts = [0, 0, 0];
    for event in &past.events {
        let starts = |w: &Wanted<'_>| u32::from(matches!(decide(w, event).0, Decision::Start(_)));
        counts[0] += 1;
        counts[1] += starts(&now);
        counts[2] += starts(wanted);
    }
    counts
}
