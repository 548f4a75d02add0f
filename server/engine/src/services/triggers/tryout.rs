//! Trying rules out on a delivery, or on a payload that somebody pasted.
//!
//! **Invariant:** it decides by the same function as a firing, and writes nothing.

use super::{TriggersService, read_again};
use crate::store::tasks::runnable;
use crate::store::{hooks, triggers};
use domain::cron::{Jump, Schedule};
use domain::trigger::{CronPreview, CronQuestion, Upcoming};
use domain::trigger::{Decision, Provider, Tried, TryOut, Verdict, Wanted, decide, problems};
use domain::webhook::Event;
use domain::{Error, HookId, ProjectId, Result, Timestamp};

/// Deliveries that are tried too.
const LAST: i64 = 50;

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
        let wanted = Wanted {
            rules: &what.rules,
            parameters: &what.parameters,
            branch: what.branch.as_deref().filter(|b| !b.is_empty()),
            revision: what.revision.as_deref().filter(|r| !r.is_empty()),
            ignore_skip: what.ignore_skip,
            source,
        };
        let found = problems(&wanted, 0, 100);
        let found: Vec<_> = found
            .into_iter()
            .filter(|p| p.path.starts_with("rules") || p.path.starts_with("parameters"))
            .collect();
        Error::refuse("This cannot be tried.", found)?;
        let event = self.event(&what).await?;
        let (decision, evaluation) = decide(&wanted, &event);
        let of_last = self.of_last(&what, &wanted).await?;
        let (verdict, reason, start) = match decision {
            Decision::Start(start) => (Verdict::Started, None, start),
            Decision::Nothing(why) => (Verdict::Nothing, Some(why), Default::default()),
            Decision::Error(why) => (Verdict::Error, Some(why), Default::default()),
        };
        Ok(Tried {
            verdict,
            reason,
            evaluation,
            branch: start.branch,
            revision: start.revision,
            parameters: start.parameters,
            of_last,
        })
    }

    async fn event(&self, what: &TryOut) -> Result<Event> {
        if let Some(payload) = &what.payload {
            let provider = what.provider.unwrap_or(Provider::Generic);
            let read = Event::read(provider, what.event.as_deref(), payload.clone());
            return read.map_err(|why| Error::invalid_field("payload", why));
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
        read_again(hook.provider, &delivery)
    }

    /// How many of the last deliveries of a trigger start something now, and how many would.
    async fn of_last(&self, what: &TryOut, wanted: &Wanted<'_>) -> Result<Option<[u32; 3]>> {
        let store = &self.starter.store;
        let trigger = match what.trigger_id {
            Some(id) => triggers::one(store, ProjectId::DEFAULT, id).await?,
            None => None,
        };
        let Some((trigger, id)) = trigger.and_then(|t| t.hook.map(|h| (t, h))) else {
            return Ok(None);
        };
        let Some(hook) = hooks::one(store, ProjectId::DEFAULT, id).await? else {
            return Ok(None);
        };
        let now = Wanted {
            rules: &trigger.rules,
            parameters: &trigger.parameters,
            branch: trigger.branch.as_deref(),
            revision: trigger.revision.as_deref(),
            ..*wanted
        };
        let mut counts = [0, 0, 0];
        for delivery in hooks::newest(store, ProjectId::DEFAULT, id, LAST).await? {
            let Ok(event) = read_again(hook.provider, &delivery) else {
                continue;
            };
            let starts = |w: &Wanted<'_>| u32::from(matches!(decide(w, &event).0, Decision::Start(_)));
            counts[0] += 1;
            counts[1] += starts(&now);
            counts[2] += starts(wanted);
        }
        Ok(Some(counts))
    }
}

/// Times that are shown.
const TIMES: usize = 10;

/// What an expression of cron means.
pub(super) fn preview(what: &CronQuestion, now: Timestamp) -> Result<CronPreview> {
    let zone = what.zone.as_deref().filter(|z| !z.is_empty()).unwrap_or("UTC");
    let seed = what.trigger_id.map_or(0, |t| t.0);
    let schedule = Schedule::parse(&what.cron, zone, seed).map_err(|problems| Error::Invalid {
        detail: "The expression cannot be read.".into(),
        problems,
    })?;
    let word = |jump| match jump {
        Jump::Forward => "forward".to_owned(),
        Jump::Back => "back".to_owned(),
    };
    let upcoming = |f: domain::cron::Firing| Upcoming {
        at: f.at,
        local: f.local,
        jump: f.jump.map(word),
    };
    Ok(CronPreview {
        sentence: schedule.sentence(),
        plain: schedule.plain().to_owned(),
        next: schedule.upcoming(now, TIMES).into_iter().map(upcoming).collect(),
    })
}
