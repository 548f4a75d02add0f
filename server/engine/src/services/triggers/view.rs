//! Triggers as people see them.
//!
//! **Invariant:** a health says what is so now; who is off is neither well nor unwell.

use super::TriggersService;
use crate::store::firings::{self, Day as Row};
use crate::store::hooks;
use crate::store::triggers::Trigger;
use domain::cron::Schedule;
use domain::trigger::{
    Config, Cron, Day, FiringView, Health, HealthState, LastFiring, TriggerView, Verdict, condition,
};
use domain::{HookId, PlanId, ProjectId, Result, TriggerId};
use std::collections::HashMap;

impl TriggersService {
    /// The views of triggers, in their order.
    pub(super) async fn views(&self, all: Vec<Trigger>) -> Result<Vec<TriggerView>> {
        let store = &self.starter.store;
        let ids: Vec<TriggerId> = all.iter().map(|t| t.id).collect();
        let mut newest = firings::newest(store, &ids).await?;
        let hooks: HashMap<HookId, hooks::Hook> = if all.iter().any(|t| t.hook.is_some()) {
            let all = hooks::list(store, ProjectId::DEFAULT).await?;
            all.into_iter().map(|h| (h.id, h)).collect()
        } else {
            HashMap::new()
        };
        let waited: Vec<PlanId> = all.iter().flat_map(|t| super::waits_for(&t.config)).copied().collect();
        let names = store.plan_names(&waited).await?;
        let plans = self.starter.plans(&all).await?;
        let view = |t: Trigger| {
            let hook = t.hook.and_then(|h| hooks.get(&h));
            let name = |id: PlanId| names.get(&id).cloned().unwrap_or_else(|| format!("plan {id}"));
            let runs = plans.get(&t.plan).map(|p| p.enabled);
            let mut config = t.config.clone();
            if let (Config::Webhook(webhook), Some(hook)) = (&mut config, hook) {
                webhook.hook_id = Some(hook.id);
                webhook.provider = Some(hook.provider);
                webhook.signing = Some(hook.signing.clone());
            }
            TriggerView {
                condition: condition(&config, &t.rules, name, |cron| said(cron, t.id)),
                health: health(&t, hook, runs),
                url: hook.map(|h| self.hooks.url(h)),
                next_fire_at: t.next_at.filter(|_| t.enabled),
                last_firing: newest.remove(&t.id).map(last),
                id: t.id,
                name: t.name,
                plan_id: t.plan,
                plan: t.plan_name,
                enabled: t.enabled,
                config,
                rules: t.rules,
                parameters: t.parameters,
                branch: t.branch,
                revision: t.revision,
                priority: t.priority,
                created_at: t.created_at,
                version: t.version,
            }
        };
        Ok(all.into_iter().map(view).collect())
    }
}

fn last(firing: FiringView) -> LastFiring {
    LastFiring {
        id: firing.id,
        at: firing.at,
        verdict: firing.verdict,
        reason: firing.reason,
        task: firing.tasks.first().copied(),
    }
}

/// A cron's times in words.
fn said(cron: &Cron, id: TriggerId) -> String {
    match Schedule::parse(&cron.cron, &cron.zone, id.0) {
        Ok(schedule) => schedule.sentence().trim_end_matches('.').to_owned(),
        Err(_) => cron.cron.clone(),
    }
}

fn health(t: &Trigger, hook: Option<&hooks::Hook>, runs: Option<bool>) -> Health {
    let of = |state, said: &str, at| Health {
        state,
        said: said.to_owned(),
        at,
    };
    match (t.enabled, runs) {
        (false, _) => return of(HealthState::Off, "switched off", None),
        (true, None) => return of(HealthState::Unwell, "its plan is gone", None),
        (true, Some(false)) => return of(HealthState::Unwell, "its plan is switched off", None),
        (true, Some(true)) => {}
    }
    match &t.config {
        Config::Webhook(_) => match hook {
            None => of(HealthState::Unwell, "its hook is gone", None),
            Some(h) if h.refused_at > h.seen_at => of(HealthState::Unwell, "last delivery refused", h.refused_at),
            Some(h) if h.seen_at.is_some() => of(HealthState::Well, "last delivery", h.seen_at),
            Some(_) => of(HealthState::Waiting, "waits for the first delivery", None),
        },
        Config::Upstream(up) => match up.plans.len() {
            1 => of(HealthState::Well, "follows 1 plan", None),
            n => of(HealthState::Well, &format!("follows {n} plans"), None),
        },
        Config::Cron(_) if t.next_at.is_none() => of(HealthState::Waiting, "has no more times", None),
        Config::Cron(_) => match (t.health, &t.health_said) {
            (HealthState::Unwell, said) => of(HealthState::Unwell, said.as_deref().unwrap_or("late"), t.looked_at),
            (HealthState::Well, _) => of(HealthState::Well, "on time", t.looked_at),
            _ => of(HealthState::Waiting, "waits for its first time", None),
        },
        Config::Poll(_) => match (t.health, &t.health_said) {
            (HealthState::Unwell, said) => of(
                HealthState::Unwell,
                said.as_deref().unwrap_or("cannot look"),
                t.health_since,
            ),
            (HealthState::Well, said) => of(HealthState::Well, said.as_deref().unwrap_or("last look"), t.looked_at),
            _ => of(HealthState::Waiting, "waits for its first look", None),
        },
    }
}

/// A trigger's days from the rows of several, one entry a day.
pub(super) fn strip(id: TriggerId, rows: &[Row], first: i64, last: i64) -> Vec<Day> {
    let mut days: Vec<Day> = (first..=last)
        .map(|day| Day {
            day,
            good: 0,
            bad: 0,
            nothing: 0,
        })
        .collect();
    for (trigger, day, verdict, status, n) in rows.iter().filter(|r| r.0 == id.0) {
        debug_assert_eq!(*trigger, id.0);
        let Some(entry) = usize::try_from(day - first).ok().and_then(|at| days.get_mut(at)) else {
            continue;
        };
        let n = u32::try_from(*n).unwrap_or(u32::MAX);
        let to = match (verdict.parse(), status.as_deref()) {
            (Ok(Verdict::Nothing), _) => &mut entry.nothing,
            (Ok(Verdict::Error), _) | (_, Some("failed" | "lost" | "timed_out" | "aborted")) => &mut entry.bad,
            _ => &mut entry.good,
        };
        *to = to.saturating_add(n);
    }
    days
}
