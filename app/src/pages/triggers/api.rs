//! Server functions of triggers and firings.
//!
//! **Invariant:** each gets the viewer, calls its ports and returns; what is worked out here is only how it is told.

#[cfg(feature = "ssr")]
mod told;

use super::view::{FiringPage, FiringsView, PlanTriggers, TriggerPage, TriggersView};
use crate::error::Result;
use domain::trigger::Checked;
use domain::{FiringId, PlanId, TriggerId};
use leptos::prelude::*;

/// A page of triggers. `is`: a kind, or `unwell`; all when empty.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "triggers/list", protocol = crate::wire::Get)]
pub async fn list_triggers(
    #[server(default)] is: String,
    #[server(default)] q: String,
    #[server(default)] cursor: String,
) -> Result<TriggersView> {
    use crate::context::{viewer, visit};
    use domain::trigger::{Kind, TriggerQuery};
    let (visit, viewer) = (visit()?, viewer()?);
    let ports = &visit.ports;
    // The number first: news that come between the two reads are then heard again, never missed.
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let query = TriggerQuery {
        kinds: is.parse::<Kind>().into_iter().collect(),
        plan: None,
        text: Some(q).filter(|q| !q.trim().is_empty()),
        unwell: is == "unwell",
    };
    let all = query == TriggerQuery::default() && cursor.is_empty();
    let found = ports
        .triggers
        .list(&viewer, query, told::page(cursor, 50))
        .await
        .map_err(crate::Error::respond)?;
    let counts = ports.triggers.counts(&viewer).await.map_err(crate::Error::respond)?;
    let crons = match all && found.next_cursor.is_none() {
        true => Some(found.items.clone()),
        false => told::crons(&visit, &viewer).await?,
    };
    Ok(TriggersView {
        seq,
        now: visit.now,
        triggers: told::rows(&visit, &viewer, found).await?,
        counts,
        next: crons.as_deref().and_then(told::soonest),
        band: crons.as_deref().and_then(|all| told::band(all, visit.now)),
    })
}

/// The triggers of a plan.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "triggers/of-plan", protocol = crate::wire::Get)]
pub async fn triggers_of_plan(plan: PlanId) -> Result<PlanTriggers> {
    use crate::context::{viewer, visit};
    use domain::trigger::TriggerQuery;
    let (visit, viewer) = (visit()?, viewer()?);
    let seq = visit.ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let query = TriggerQuery {
        plan: Some(plan),
        ..TriggerQuery::default()
    };
    let found = visit
        .ports
        .triggers
        .list(&viewer, query, told::page(String::new(), 50))
        .await
        .map_err(crate::Error::respond)?;
    Ok(PlanTriggers {
        seq,
        now: visit.now,
        triggers: told::rows(&visit, &viewer, found).await?.items,
    })
}

/// One trigger with its hook and a page of its firings. `verdict`: those alone of which that came; all when empty.
///
/// # Errors
/// What the ports say.
#[server(prefix = "/ui", endpoint = "triggers/get", protocol = crate::wire::Get)]
pub async fn get_trigger(
    trigger: TriggerId,
    #[server(default)] verdict: String,
    #[server(default)] cursor: String,
) -> Result<TriggerPage> {
    use crate::context::{viewer, visit};
    use domain::page::Page;
    use domain::trigger::Config;
    let (visit, viewer) = (visit()?, viewer()?);
    let ports = &visit.ports;
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let found = ports
        .triggers
        .get(&viewer, trigger)
        .await
        .map_err(crate::Error::respond)?;
    let hook = match &found.config {
        Config::Webhook(webhook) => match webhook.hook_id {
            Some(id) => Some(ports.hooks.get(&viewer, id).await.map_err(crate::Error::respond)?),
            None => None,
        },
        Config::Poll(_) | Config::Cron(_) | Config::Upstream(_) => None,
    };
    let repository = match &found.config {
        Config::Poll(poll) => match poll.repository_id {
            // One that is gone is named by its id.
            Some(id) => ports.repositories.get(&viewer, id).await.ok().map(|r| r.name),
            None => None,
        },
        Config::Webhook(_) | Config::Cron(_) | Config::Upstream(_) => None,
    };
    let verdicts = verdict.parse().into_iter().collect();
    let firings = ports
        .triggers
        .firings(&viewer, Some(trigger), verdicts, told::page(cursor, 25))
        .await
        .map_err(crate::Error::respond)?;
    let one = Page {
        items: vec![found.clone()],
        next_cursor: None,
    };
    let row = told::rows(&visit, &viewer, one).await?.items.pop();
    Ok(TriggerPage {
        seq,
        now: visit.now,
        row: row.ok_or_else(|| crate::Error::respond(domain::Error::NotFound(format!("Trigger {trigger}"))))?,
        trigger: found,
        hook,
        repository,
        firings: told::firings(firings),
    })
}

/// Switches a trigger on or off. Stays on the page.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "triggers/enable", protocol = crate::wire::Post)]
pub async fn enable_trigger(trigger: TriggerId, #[server(default)] on: bool) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .triggers
        .enable(&viewer()?, trigger, on)
        .await
        .map_err(crate::Error::respond)?;
    Ok(())
}

/// Fires a trigger now and leads to the firing.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "triggers/fire", protocol = crate::wire::Post)]
pub async fn fire_trigger(trigger: TriggerId) -> Result<()> {
    use crate::context::{ports, viewer};
    let firing = ports()?
        .triggers
        .fire(&viewer()?, trigger)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect(&format!("/firings/{}", firing.id));
    Ok(())
}

/// Looks at what a poll looks at, now, and says what was found. Stays on the page.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "triggers/check", protocol = crate::wire::Post)]
pub async fn check_trigger(trigger: TriggerId) -> Result<Checked> {
    use crate::context::{ports, viewer};
    ports()?
        .triggers
        .check(&viewer()?, trigger)
        .await
        .map_err(crate::Error::respond)
}

/// Removes a trigger and leads to the list.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "triggers/remove", protocol = crate::wire::Post)]
pub async fn remove_trigger(trigger: TriggerId) -> Result<()> {
    use crate::context::{ports, viewer};
    ports()?
        .triggers
        .delete(&viewer()?, trigger)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect("/triggers");
    Ok(())
}

/// A page of firings of all triggers. `verdict` as of one trigger.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "firings/list", protocol = crate::wire::Get)]
pub async fn list_firings(
    #[server(default)] verdict: String,
    #[server(default)] cursor: String,
) -> Result<FiringsView> {
    use crate::context::{ports, viewer};
    let (ports, viewer) = (ports()?, viewer()?);
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let verdicts = verdict.parse().into_iter().collect();
    let firings = ports
        .triggers
        .firings(&viewer, None, verdicts, told::page(cursor, 50))
        .await
        .map_err(crate::Error::respond)?;
    Ok(FiringsView {
        seq,
        firings: told::firings(firings),
    })
}

/// One firing with its delivery.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "firings/get", protocol = crate::wire::Get)]
pub async fn get_firing(firing: FiringId) -> Result<FiringPage> {
    use crate::context::{ports, viewer};
    let (ports, viewer) = (ports()?, viewer()?);
    let seq = ports.tasks.seq().await.map_err(crate::Error::respond)?;
    let mut found = ports
        .triggers
        .firing(&viewer, firing)
        .await
        .map_err(crate::Error::respond)?;
    let payload = found.delivery.as_mut().and_then(|d| d.payload.take());
    let (payload, more) = payload.as_ref().map(told::pretty).unzip();
    Ok(FiringPage {
        seq,
        firing: found,
        payload,
        more: more.unwrap_or(0),
    })
}

/// Decides again about what a firing was about, by the trigger as it is now, and leads to that firing.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "firings/replay", protocol = crate::wire::Post)]
pub async fn replay_firing(firing: FiringId) -> Result<()> {
    use crate::context::{ports, viewer};
    let again = ports()?
        .triggers
        .replay(&viewer()?, firing)
        .await
        .map_err(crate::Error::respond)?;
    leptos_axum::redirect(&format!("/firings/{}", again.id));
    Ok(())
}
