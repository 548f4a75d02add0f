//! Making and saving triggers.
//!
//! **Invariant:** what is wrong is told all at once and nothing is saved; a trigger and the hook made for it are there
//! together or not at all.

use super::{TriggersService, circle, entry, waits_for};
use crate::services::hooks::{HookParts, insert};
use crate::store::tasks::{Runnable, runnable};
use crate::store::triggers::{Trigger, TriggerChange, chains, insert as insert_trigger, named, set_due, update};
use crate::store::{Error as StoreError, Tx, hooks, repositories};
use crate::triggers::cron;
use crate::triggers::start::news;
use domain::auth::{Role, Via, Viewer};
use domain::trigger::{Config, HookWish, NewTrigger, Provider, PutTrigger, ShownOnce, Wanted, name_problem, problems};
use domain::{Error, PlanId, Problem, ProjectId, Result, Timestamp, TriggerId};
use serde_json::json;

/// Highest priority for those who are not admins.
const CEILING: i64 = 50;

impl TriggersService {
    /// Makes a trigger; its id, and the secret that was made for its hook.
    pub(super) async fn make(&self, viewer: &Viewer, wish: NewTrigger) -> Result<(TriggerId, Option<ShownOnce>)> {
        let mut found = Vec::new();
        let config = Config::read(wish.kind, &wish.config, self.allow_local)
            .map_err(|more| found.extend(more))
            .ok();
        let plan = self.plan(wish.plan_id, &mut found).await?;
        let own = match config.as_ref() {
            Some(Config::Webhook(hook)) => match hook.hook() {
                HookWish::There(id) => {
                    if hooks::one(&self.starter.store, ProjectId::DEFAULT, id).await?.is_none() {
                        found.push(Problem::field("config.hook_id", format!("There is no hook {id}.")));
                    }
                    None
                }
                HookWish::Own(secret) => Some(HookParts {
                    name: wish.name.clone(),
                    provider: hook.provider.unwrap_or(Provider::Generic),
                    signing: hook.signing.clone().unwrap_or_default(),
                    secret,
                }),
            },
            _ => None,
        };
        let empty = Config::Webhook(domain::trigger::Webhook::default());
        let new = TriggerChange {
            hook: match &config {
                Some(Config::Webhook(hook)) => hook.hook_id,
                _ => None,
            },
            name: wish.name,
            plan: wish.plan_id,
            enabled: wish.enabled.unwrap_or(true),
            config: config.unwrap_or(empty),
            rules: trimmed(wish.rules),
            parameters: wish.parameters,
            branch: filled(wish.branch),
            revision: filled(wish.revision),
            priority: wish.priority.unwrap_or(0),
            cursor: None,
            next_at: None,
        };
        found.extend(checked(&new, plan.as_ref(), viewer));
        self.waited_for(&new, &mut found).await?;
        self.looked_at(&new, &mut found).await?;
        Error::refuse("The trigger was not made.", found)?;
        let hook = own.map(|parts| self.hooks.prepared(parts)).transpose()?;
        let (secret, starter) = (hook.as_ref().and_then(|h| h.shown.clone()), self.starter.clone());
        let by = (viewer.via != Via::Cli).then_some(viewer.user);
        let viewer = viewer.clone();
        let id = self
            .starter
            .store
            .write(move |tx| {
                let (mut new, hook, viewer, starter) = (new.clone(), hook.clone(), viewer.clone(), starter.clone());
                Box::pin(async move {
                    let now = starter.clock.now();
                    ends(tx, None, &new).await?;
                    if let Some(hook) = &hook {
                        new.hook = Some(insert(tx, hook, true, by, now).await?);
                    }
                    let Some(id) = insert_trigger(tx, ProjectId::DEFAULT, &new, by, now).await? else {
                        return Err(taken(&new.name));
                    };
                    begin(tx, id, &new, now).await?;
                    news(tx, id, "trigger.saved", now, json!({ "plan_id": new.plan }));
                    tx.audit(entry(&viewer, &starter, "trigger.create", id, &new.name))
                        .await?;
                    Ok(id)
                })
            })
            .await?;
        Ok((id, secret))
    }

    /// Saves a trigger.
    pub(super) async fn change(&self, viewer: &Viewer, id: TriggerId, wish: PutTrigger) -> Result<()> {
        let present = self.found(id).await?;
        let kind = present.config.kind();
        let mut found = Vec::new();
        let config = match &wish.config {
            None => present.config.clone(),
            Some(given) => match Config::read(kind, &kept_hook(given, &present), self.allow_local) {
                Ok(config) => config,
                Err(more) => {
                    found.extend(more);
                    present.config.clone()
                }
            },
        };
        let to = wish.plan_id.unwrap_or(present.plan);
        let plan = self.plan(to, &mut found).await?;
        let hook = match &config {
            Config::Webhook(hook) => hook.hook_id.or(present.hook),
            _ => None,
        };
        if let Some(other) = hook.filter(|h| Some(*h) != present.hook)
            && hooks::one(&self.starter.store, ProjectId::DEFAULT, other)
                .await?
                .is_none()
        {
            found.push(Problem::field("config.hook_id", format!("There is no hook {other}.")));
        }
        let over = |given: Option<String>, was: &Option<String>| given.map_or_else(|| was.clone(), |g| filled(Some(g)));
        let enabled = wish.enabled.unwrap_or(present.enabled);
        // What it saw counts as long as it looks at the same and was not off.
        let goes_on = enabled && present.enabled && config == present.config;
        let new = TriggerChange {
            name: wish.name.unwrap_or_else(|| present.name.clone()),
            plan: to,
            enabled,
            config,
            rules: wish.rules.map_or_else(|| present.rules.clone(), trimmed),
            parameters: wish.parameters.unwrap_or_else(|| present.parameters.clone()),
            branch: over(wish.branch, &present.branch),
            revision: over(wish.revision, &present.revision),
            priority: wish.priority.unwrap_or(present.priority),
            hook,
            cursor: present.cursor.clone().filter(|_| goes_on),
            next_at: present.next_at.filter(|_| goes_on),
        };
        found.extend(checked(&new, plan.as_ref(), viewer));
        self.waited_for(&new, &mut found).await?;
        self.looked_at(&new, &mut found).await?;
        Error::refuse("The trigger was not saved.", found)?;
        let (viewer, starter, version) = (viewer.clone(), self.starter.clone(), wish.version);
        let action = match (present.enabled, new.enabled) {
            (true, false) => "trigger.disable",
            (false, true) => "trigger.enable",
            _ => "trigger.save",
        };
        self.starter
            .store
            .write(move |tx| {
                let (new, present, viewer, starter) = (new.clone(), present.clone(), viewer.clone(), starter.clone());
                Box::pin(async move {
                    let now = starter.clock.now();
                    ends(tx, Some(id), &new).await?;
                    if named(tx, ProjectId::DEFAULT, &new.name).await?.is_some_and(|other| other != id) {
                        return Err(taken(&new.name));
                    }
                    if !update(tx, id, version, &new).await? {
                        let name = &present.name;
                        let at = present.version;
                        return Err(Error::Conflict(format!(
                            "{name} was changed meanwhile (version {at} now, {version} when you read it). Nothing was saved; read it again."
                        ))
                        .into());
                    }
                    if !goes_on {
                        begin(tx, id, &new, now).await?;
                    }
                    if present.hook != new.hook
                        && let Some(old) = present.hook
                    {
                        crate::services::hooks::let_go(tx, old).await?;
                    }
                    news(tx, id, "trigger.saved", now, json!({ "plan_id": new.plan }));
                    tx.audit(entry(&viewer, &starter, action, id, &new.name)).await
                })
            })
            .await?;
        Ok(())
    }

    async fn plan(&self, id: PlanId, found: &mut Vec<Problem>) -> Result<Option<Runnable>> {
        let plan = runnable(&self.starter.store, id).await?;
        if plan.is_none() {
            found.push(Problem::field("plan_id", format!("There is no plan {id}.")));
        }
        Ok(plan)
    }

    async fn looked_at(&self, new: &TriggerChange, found: &mut Vec<Problem>) -> Result<()> {
        if let Config::Poll(poll) = &new.config
            && let Some(id) = poll.repository_id
            && repositories::one(&self.starter.store, ProjectId::DEFAULT, id)
                .await?
                .is_none()
        {
            found.push(Problem::field(
                "config.repository_id",
                format!("There is no repository {id}."),
            ));
        }
        Ok(())
    }

    async fn waited_for(&self, new: &TriggerChange, found: &mut Vec<Problem>) -> Result<()> {
        for id in waits_for(&new.config) {
            if !self.starter.store.has_plan(ProjectId::DEFAULT, *id).await? {
                found.push(Problem::field("config.plans", format!("There is no plan {id}.")));
            }
        }
        Ok(())
    }
}

/// The hook that a webhook has stays, whatever a save of the rest leaves out.
fn kept_hook(given: &serde_json::Value, present: &Trigger) -> serde_json::Value {
    let mut given = given.clone();
    if let (Some(hook), Some(fields)) = (present.hook, given.as_object_mut())
        && !fields.contains_key("hook_id")
    {
        for of_hook in ["provider", "signing"] {
            fields.remove(of_hook);
        }
        fields.insert("hook_id".into(), hook.0.into());
    }
    given
}

fn trimmed(rules: Vec<String>) -> Vec<String> {
    rules
        .into_iter()
        .map(|r| r.trim().to_owned())
        .filter(|r| !r.is_empty())
        .collect()
}

/// An empty field of a form means none.
fn filled(value: Option<String>) -> Option<String> {
    value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
}

fn checked(new: &TriggerChange, plan: Option<&Runnable>, viewer: &Viewer) -> Vec<Problem> {
    let mut found: Vec<Problem> = name_problem(&new.name)
        .map(|why| Problem::field("name", why))
        .into_iter()
        .collect();
    let source = plan.and_then(|p| p.resolved.source.as_ref()).map(|s| s.git.as_str());
    let wanted = Wanted {
        rules: &new.rules,
        parameters: &new.parameters,
        branch: new.branch.as_deref(),
        revision: new.revision.as_deref(),
        ignore_skip: false,
        source: source.or(plan.is_none().then_some("")),
    };
    let admin = viewer.role(Some(ProjectId::DEFAULT)) == Some(Role::Admin);
    found.extend(problems(&wanted, new.priority, if admin { 100 } else { CEILING }));
    found
}

fn taken(name: &str) -> StoreError {
    Error::Conflict(format!("There is a trigger `{name}` already. Choose another name.")).into()
}

/// Refuses a chain of plans that would never end.
async fn ends(tx: &mut Tx, id: Option<TriggerId>, new: &TriggerChange) -> crate::store::Result<()> {
    let waits = waits_for(&new.config);
    if waits.is_empty() {
        return Ok(());
    }
    let others = chains(tx, ProjectId::DEFAULT).await?;
    let others: Vec<_> = others.into_iter().filter(|t| Some(t.id) != id).collect();
    let links: Vec<(PlanId, PlanId)> = others
        .iter()
        .flat_map(|t| waits_for(&t.config).iter().map(|before| (*before, t.plan)))
        .collect();
    let Some(way) = circle(&links, new.plan, waits) else {
        return Ok(());
    };
    let mut names = Vec::new();
    for plan in way.iter().chain([&new.plan]) {
        names.push(tx.plan_name(*plan).await?.unwrap_or_else(|| plan.to_string()));
    }
    let why = format!("This would go round for ever: {}.", names.join(" → "));
    Err(Error::invalid_field("config.plans", why).into())
}

/// Begins anew: when it is due first.
async fn begin(tx: &mut Tx, id: TriggerId, new: &TriggerChange, now: Timestamp) -> crate::store::Result<()> {
    let due = match &new.config {
        _ if !new.enabled => None,
        Config::Cron(config) => cron::next(config, id, now),
        Config::Poll(_) => Some(now),
        Config::Webhook(_) | Config::Upstream(_) => None,
    };
    set_due(tx, id, due).await
}
