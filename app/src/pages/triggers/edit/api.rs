//! Server functions of the form.
//!
//! **Invariant:** each gets the viewer, calls ports and returns; a secret is given once, to who made it.

use super::draft::Draft;
use crate::error::{Error, Result};
use domain::trigger::{CronPreview, DeliveryView, HookView, KnownFields, Neighbour, RulesCheck, Tried};
use domain::{DeliveryId, HookId, PlanId, RepositoryId, TriggerId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the form is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EditView {
    /// The event number before which it was read; follow from it.
    pub seq: i64,
    /// The trigger, unless it is new.
    pub id: Option<TriggerId>,
    /// Its name as it is saved.
    pub name: String,
    /// What stands in the form.
    pub draft: Draft,
    /// Why it was refused last, without a script.
    pub refused: Option<Error>,
    /// Plans that can be started or followed, by name.
    pub plans: Vec<(PlanId, String)>,
    /// Hooks there are.
    pub hooks: Vec<(HookId, String)>,
    /// Repositories there are.
    pub repositories: Vec<(RepositoryId, String)>,
    /// The hook it listens to.
    pub hook: Option<HookView>,
    /// The secret that was made for that hook just now.
    pub secret: Option<String>,
    /// The newest deliveries of that hook: what each was, and the first with its payload.
    pub deliveries: Vec<DeliveryView>,
    /// What its expression means, of crons.
    pub preview: Option<CronPreview>,
    /// Other schedules.
    pub others: Vec<Neighbour>,
    /// The fields that deliveries of that hook had.
    pub known: Option<KnownFields>,
}

/// Deliveries that the form shows.
#[cfg(feature = "ssr")]
const DELIVERIES: usize = 10;

/// The form of a new trigger: for a plan, of a kind, like another one, or as it was refused.
///
/// # Errors
/// `Unauthenticated`; `Forbidden` for those who may not write triggers.
#[server(prefix = "/ui", endpoint = "triggers/new", protocol = crate::wire::Get)]
pub async fn get_trigger_new(
    #[server(default)] plan: String,
    #[server(default)] from: i64,
    #[server(default)] kind: String,
    #[server(default)] draft: u64,
) -> Result<EditView> {
    use domain::auth::{Action, Scope, authorize};
    let viewer = crate::context::viewer()?;
    authorize(&viewer, Action::Write, Scope::default_project("the triggers")).map_err(Error::respond)?;
    let (wanted, refused) = match crate::shelf::look::<(Draft, Error)>(viewer.user, "/triggers/new", draft) {
        Some((draft, refused)) => (draft, Some(refused)),
        None if from > 0 => (like(from).await?, None),
        None => {
            let kind = kind.parse().unwrap_or(domain::trigger::Kind::Webhook);
            (
                Draft {
                    plan,
                    ..Draft::fresh(kind)
                },
                None,
            )
        }
    };
    filled(None, String::new(), wanted, refused, None).await
}

/// A draft like another trigger, with a hook of its own.
#[cfg(feature = "ssr")]
async fn like(id: i64) -> Result<Draft> {
    use crate::context::{ports, viewer};
    let there = ports()?
        .triggers
        .get(&viewer()?, TriggerId(id))
        .await
        .map_err(Error::respond)?;
    Ok(Draft {
        version: 0,
        name: format!("{} (copy)", there.name),
        ..Draft::of(&there)
    })
}

/// The form of a trigger that is there; `made` is where a secret that was made for it lies.
///
/// # Errors
/// What the port says; `Forbidden` for those who may not write triggers.
#[server(prefix = "/ui", endpoint = "triggers/edit", protocol = crate::wire::Get)]
pub async fn get_trigger_edit(
    trigger: TriggerId,
    #[server(default)] draft: u64,
    #[server(default)] made: u64,
) -> Result<EditView> {
    use crate::context::{ports, viewer};
    use domain::auth::{Action, Scope, authorize};
    let (ports, viewer) = (ports()?, viewer()?);
    authorize(&viewer, Action::Write, Scope::default_project("the triggers")).map_err(Error::respond)?;
    let there = ports.triggers.get(&viewer, trigger).await.map_err(Error::respond)?;
    let page = format!("/triggers/{trigger}/edit");
    let kept = crate::shelf::look::<(Draft, Error)>(viewer.user, &page, draft);
    let (mut wanted, refused) = match kept {
        Some((draft, refused)) => (draft, Some(refused)),
        None => (Draft::of(&there), None),
    };
    // Whoever saves again after a refusal does it over what stands there now; the page has said so.
    wanted.version = there.version;
    let secret = crate::shelf::take::<String>(viewer.user, &page, made);
    filled(Some(trigger), there.name, wanted, refused, secret).await
}

#[cfg(feature = "ssr")]
async fn filled(
    id: Option<TriggerId>,
    name: String,
    draft: Draft,
    refused: Option<Error>,
    secret: Option<String>,
) -> Result<EditView> {
    use crate::context::{ports, viewer};
    use domain::page::PageQuery;
    use domain::trigger::{CronQuestion, Kind};
    let (ports, viewer) = (ports()?, viewer()?);
    let seq = ports.tasks.seq().await.map_err(Error::respond)?;
    let page = PageQuery {
        limit: Some(PageQuery::MAX),
        cursor: None,
    };
    let plans = ports.plans.list(&viewer, None, page).await.map_err(Error::respond)?;
    let mut plans: Vec<(PlanId, String)> = plans.items.into_iter().map(|p| (p.id, p.name)).collect();
    plans.sort_by_key(|(_, name)| name.to_lowercase());
    let hooks = ports.hooks.list(&viewer).await.map_err(Error::respond)?;
    let repositories = ports.repositories.list(&viewer).await.map_err(Error::respond)?;
    let chosen: Option<HookId> = draft.hook.parse().ok();
    let hook = hooks.iter().find(|h| Some(h.id) == chosen).cloned();
    let mut deliveries = match &hook {
        Some(h) => ports.hooks.deliveries(&viewer, h.id).await.map_err(Error::respond)?,
        None => Vec::new(),
    };
    deliveries.truncate(DELIVERIES);
    for older in deliveries.iter_mut().skip(1) {
        older.payload = None;
    }
    let question = CronQuestion {
        cron: draft.cron.clone(),
        zone: Some(draft.zone.clone()),
        trigger_id: id,
    };
    let preview = match draft.kind() {
        Kind::Cron => ports.triggers.preview(&viewer, question).await.ok(),
        _ => None,
    };
    let others = ports.triggers.others(&viewer, id).await.map_err(Error::respond)?;
    let known = match &hook {
        Some(h) => Some(
            ports
                .triggers
                .known_fields(&viewer, h.id)
                .await
                .map_err(Error::respond)?,
        ),
        None => None,
    };
    Ok(EditView {
        seq,
        id,
        name,
        draft,
        refused,
        plans,
        hooks: hooks.into_iter().map(|h| (h.id, h.name)).collect(),
        repositories: repositories.into_iter().map(|r| (r.id, r.name)).collect(),
        hook,
        secret,
        deliveries,
        preview,
        others,
        known,
    })
}

/// Makes or saves a trigger and leads to it; a webhook that is new to its form, where its address is.
///
/// # Errors
/// What the port says. Without a script the form comes back with what was typed.
#[server(prefix = "/ui", endpoint = "triggers/save", protocol = crate::wire::Post)]
pub async fn save_trigger(
    #[server(default)] trigger: i64,
    #[server(default)] secret: String,
    draft: Draft,
) -> Result<()> {
    use crate::context::{ports, viewer, wants_html};
    use domain::trigger::{Kind, NewTrigger, PutTrigger};
    let (ports, viewer) = (ports()?, viewer()?);
    let draft = Draft {
        rules: draft.rules.replace("\r\n", "\n"),
        parameters: draft.parameters.replace("\r\n", "\n"),
        branches: draft.branches.replace("\r\n", "\n"),
        tags: draft.tags.replace("\r\n", "\n"),
        ..draft
    };
    let page = match trigger {
        0 => "/triggers/new".to_owned(),
        id => format!("/triggers/{id}/edit"),
    };
    let plan = PlanId(draft.plan.parse().unwrap_or(0));
    let priority = draft.priority.trim().parse().ok();
    let done = if trigger == 0 {
        let wish = NewTrigger {
            name: draft.name.trim().to_owned(),
            kind: draft.kind(),
            plan_id: plan,
            enabled: Some(draft.enabled == "true"),
            config: draft.config(&secret),
            rules: draft.rules(),
            parameters: draft.parameters(),
            branch: Some(draft.branch.clone()),
            revision: Some(draft.revision.clone()),
            priority,
        };
        ports
            .triggers
            .create(&viewer, wish)
            .await
            .map(|m| (m.trigger.id, m.secret))
    } else {
        let wish = PutTrigger {
            version: draft.version,
            name: Some(draft.name.trim().to_owned()),
            plan_id: Some(plan),
            enabled: Some(draft.enabled == "true"),
            config: Some(draft.config("")),
            rules: Some(draft.rules()),
            parameters: Some(draft.parameters()),
            branch: Some(draft.branch.clone()),
            revision: Some(draft.revision.clone()),
            priority,
        };
        ports
            .triggers
            .save(&viewer, TriggerId(trigger), wish)
            .await
            .map(|t| (t.id, None))
    };
    match done {
        Ok((id, made)) => {
            let to = match made {
                Some(made) => {
                    let edit = format!("/triggers/{id}/edit");
                    let number = crate::shelf::put(viewer.user, &edit, &made.0);
                    format!("{edit}?made={number}")
                }
                None if trigger == 0 && draft.kind() == Kind::Webhook => format!("/triggers/{id}/edit"),
                None => format!("/triggers/{id}"),
            };
            leptos_axum::redirect(&to);
            Ok(())
        }
        Err(e) if wants_html() => {
            let number = crate::shelf::put(viewer.user, &page, &(draft, Error::Domain(e)));
            leptos_axum::redirect(&format!("{page}?draft={number}"));
            Ok(())
        }
        Err(e) => Err(Error::respond(e)),
    }
}

/// What an expression of cron means, while it is written.
///
/// # Errors
/// Everything that is wrong with it.
#[server(prefix = "/ui", endpoint = "triggers/cron", protocol = crate::wire::Get)]
pub async fn preview_cron(cron: String, zone: String, #[server(default)] trigger: i64) -> Result<CronPreview> {
    use crate::context::{ports, viewer};
    let what = domain::trigger::CronQuestion {
        cron,
        zone: Some(zone),
        trigger_id: (trigger > 0).then_some(TriggerId(trigger)),
    };
    ports()?
        .triggers
        .preview(&viewer()?, what)
        .await
        .map_err(Error::respond)
}

/// What there is to say of rules, while they are written; `hook`: whose deliveries they will be asked about.
///
/// # Errors
/// What the port says.
#[server(prefix = "/ui", endpoint = "triggers/rules", protocol = crate::wire::Post)]
pub async fn check_rules(#[server(default)] rules: String, #[server(default)] hook: i64) -> Result<RulesCheck> {
    use crate::context::{ports, viewer};
    let what = domain::trigger::RulesQuestion {
        rules: super::rules::lines(&rules),
        hook_id: (hook > 0).then_some(HookId(hook)),
        trigger_id: None,
    };
    ports()?
        .triggers
        .check_rules(&viewer()?, what)
        .await
        .map_err(Error::respond)
}

/// What rules would decide about a delivery, while they are written.
///
/// # Errors
/// Everything that is wrong with them.
#[server(prefix = "/ui", endpoint = "triggers/try", protocol = crate::wire::Post)]
pub async fn try_rules(
    delivery: DeliveryId,
    #[server(default)] trigger: i64,
    #[server(default)] rules: String,
    #[server(default)] plan: String,
    #[server(default)] ignore_skip: bool,
) -> Result<Tried> {
    use crate::context::{ports, viewer};
    let what = domain::trigger::TryOut {
        plan_id: plan.parse().ok().map(PlanId),
        rules: super::rules::lines(&rules),
        ignore_skip,
        delivery_id: Some(delivery),
        trigger_id: (trigger > 0).then_some(TriggerId(trigger)),
        ..Default::default()
    };
    ports()?
        .triggers
        .try_out(&viewer()?, what)
        .await
        .map_err(Error::respond)
}
