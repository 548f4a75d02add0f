//! Plans: `domain::ports::Plans`.
//!
//! **Invariant:** nothing is stored that the reader of documents has not passed whole; a save names the version it was
//! read at, and a stale one changes nothing.

use crate::clock::SharedClock;
use crate::store::audit::Entry;
use crate::store::plans::{Document, PlanChange, PlanState};
use crate::store::{NewEvent, Store, Tx};
use async_trait::async_trait;
use domain::auth::{Action, Scope, Via, Viewer, authorize};
use domain::page::{Page, PageQuery};
use domain::plan::document::{self, SourceRules};
use domain::plan::view::{NewPlan, PlanCheck, PlanSummary, PlanView, RevisionView, SavePlan};
use domain::ports::Plans;
use domain::{Error, PlanId, ProjectId, Result, Timestamp};
use serde_json::json;

/// Longest description or message of a save, in characters.
const LINE_MAX: usize = 500;

/// The service behind `Plans`. Cheap to clone.
#[derive(Clone)]
pub struct PlansService {
    store: Store,
    clock: SharedClock,
    rules: SourceRules,
}

impl PlansService {
    /// The service over a store; `rules` say which sources this server takes.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, rules: SourceRules) -> Self {
        Self { store, clock, rules }
    }

    /// What is to be stored, or everything that is wrong with it.
    fn checked(&self, viewer: &Viewer, wish: Wish) -> Result<PlanChange> {
        let mut problems = Vec::new();
        let read = document::read(&wish.document, &self.rules);
        if let Err(found) = &read {
            problems.extend(found.iter().cloned());
        }
        if let (Some(name), Ok(plan)) = (&wish.name, &read)
            && *name != plan.name
        {
            problems.push(domain::Problem::field(
                "name",
                format!(
                    "The name here is `{name}` and in the document `{}`; they must agree.",
                    plan.name
                ),
            ));
        }
        for (field, text) in [("description", &wish.description), ("message", &wish.message)] {
            problems.extend(
                text.as_deref()
                    .and_then(line_problem)
                    .map(|p| domain::Problem::field(field, p)),
            );
        }
        match read {
            Ok(plan) if problems.is_empty() => Ok(PlanChange {
                name: plan.name.clone(),
                description: wish.description.map(|d| d.trim().to_owned()),
                enabled: wish.enabled,
                document: Document::new(wish.document, &plan)?,
                author: (viewer.via != Via::Cli).then_some(viewer.user),
                message: wish.message.map(|m| m.trim().to_owned()).unwrap_or_default(),
            }),
            _ => Err(Error::Invalid {
                detail: told(problems.len()),
                problems,
            }),
        }
    }

    async fn found(&self, id: PlanId) -> Result<PlanView> {
        let plan = self.store.plan(ProjectId::DEFAULT, id).await?;
        plan.ok_or_else(|| absent(id))
    }
}

/// What somebody wants to store.
struct Wish {
    name: Option<String>,
    description: Option<String>,
    document: String,
    enabled: Option<bool>,
    message: Option<String>,
}

/// What is wrong with one line of text.
fn line_problem(text: &str) -> Option<String> {
    if text.chars().count() > LINE_MAX {
        return Some(format!("This is over {LINE_MAX} characters."));
    }
    text.trim()
        .chars()
        .any(char::is_control)
        .then(|| "This is one line of text, without control characters.".into())
}

fn told(problems: usize) -> String {
    match problems {
        1 => "The plan was not saved: one thing is wrong with it.".into(),
        n => format!("The plan was not saved: {n} things are wrong with it."),
    }
}

fn absent(id: PlanId) -> Error {
    Error::NotFound(format!("Plan {id}"))
}

/// The sentence for a name in use.
fn taken(name: &str, by: PlanId) -> Error {
    Error::Conflict(format!(
        "There is a plan `{name}` already (plan {by}). Choose another name, or edit that plan."
    ))
}

fn stale(read: i64, present: &PlanState) -> Error {
    let by = present
        .author
        .as_deref()
        .map(|a| format!(" by {a}"))
        .unwrap_or_default();
    Error::Conflict(format!(
        "The plan `{}` has been changed{by} since you read it: it is at version {} (revision {}), and you edited version {read}. \
         Nothing was saved. Read it again and put your changes in.",
        present.name, present.version, present.revision
    ))
}

/// News of a plan and a line in the audit log, in the transaction of what they tell.
async fn tell(
    tx: &mut Tx,
    viewer: &Viewer,
    id: PlanId,
    kind: &'static str,
    action: &'static str,
    body: serde_json::Value,
    now: Timestamp,
) -> crate::store::Result<()> {
    let after = body.to_string();
    tx.emit(NewEvent {
        at: now,
        kind,
        subject: "plan",
        subject_id: id.0,
        task_id: None,
        actor: Some(viewer.name.clone()),
        body,
    });
    tx.audit(Entry {
        object: Some("plan"),
        object_id: Some(id.0),
        after: Some(after),
        ..Entry::by(viewer, now, action)
    })
    .await
}

fn page<T>(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> i64) -> Page<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(|last| cursor(last).to_string());
    Page { items, next_cursor }
}

#[async_trait]
impl Plans for PlansService {
    async fn list(&self, viewer: &Viewer, q: Option<String>, query: PageQuery) -> Result<Page<PlanSummary>> {
        authorize(viewer, Action::Read, Scope::default_project("the plans"))?;
        let (limit, before) = (query.limit()?, query.before()?);
        let q = q.as_deref().map(str::trim).filter(|q| !q.is_empty());
        let found = self.store.plans(ProjectId::DEFAULT, q, before, limit).await?;
        Ok(page(found, limit, |p| p.id.0))
    }

    async fn get(&self, viewer: &Viewer, id: PlanId) -> Result<PlanView> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("plan {id}")))?;
        self.found(id).await
    }

    async fn create(&self, viewer: &Viewer, plan: NewPlan) -> Result<PlanView> {
        authorize(viewer, Action::Write, Scope::default_project("the plans"))?;
        let NewPlan {
            name,
            description,
            document,
            enabled,
        } = plan;
        let change = self.checked(
            viewer,
            Wish {
                name,
                description,
                document,
                enabled,
                message: None,
            },
        )?;
        let (who, now) = (viewer.clone(), self.clock.now());
        let id = self
            .store
            .write(move |tx| {
                let (change, who) = (change.clone(), who.clone());
                Box::pin(async move {
                    if let Some(other) = tx.plan_named(ProjectId::DEFAULT, &change.name).await? {
                        return Err(taken(&change.name, other).into());
                    }
                    let id = tx.insert_plan(ProjectId::DEFAULT, &change, now).await?;
                    let body = json!({ "name": change.name, "revision": 1 });
                    tell(tx, &who, id, "plan.created", "plan.create", body, now).await?;
                    Ok(id)
                })
            })
            .await?;
        self.found(id).await
    }

    async fn save(&self, viewer: &Viewer, id: PlanId, plan: SavePlan) -> Result<PlanView> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("plan {id}")))?;
        if !self.store.has_plan(ProjectId::DEFAULT, id).await? {
            return Err(absent(id));
        }
        let SavePlan {
            version,
            name,
            description,
            document,
            enabled,
            message,
        } = plan;
        let change = self.checked(
            viewer,
            Wish {
                name,
                description,
                document,
                enabled,
                message,
            },
        )?;
        let (who, now) = (viewer.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let (change, who) = (change.clone(), who.clone());
                Box::pin(async move {
                    let present = tx.plan_state(ProjectId::DEFAULT, id).await?;
                    let present = present.ok_or_else(|| absent(id))?;
                    if present.version != version {
                        return Err(stale(version, &present).into());
                    }
                    if let Some(other) = tx.plan_named(ProjectId::DEFAULT, &change.name).await?
                        && other != id
                    {
                        return Err(taken(&change.name, other).into());
                    }
                    if !tx.update_plan(id, version, &present, &change, now).await? {
                        return Err(stale(version, &present).into());
                    }
                    let revision = present.revision + i64::from(present.digest != change.document.digest);
                    let body = json!({ "name": change.name, "revision": revision, "version": version + 1 });
                    tell(tx, &who, id, "plan.saved", "plan.save", body, now).await
                })
            })
            .await?;
        self.found(id).await
    }

    async fn delete(&self, viewer: &Viewer, id: PlanId) -> Result<()> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("plan {id}")))?;
        let (who, now) = (viewer.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let who = who.clone();
                Box::pin(async move {
                    let name = tx
                        .archive_plan(ProjectId::DEFAULT, id, now)
                        .await?
                        .ok_or_else(|| absent(id))?;
                    tell(
                        tx,
                        &who,
                        id,
                        "plan.archived",
                        "plan.archive",
                        json!({ "name": name }),
                        now,
                    )
                    .await
                })
            })
            .await?;
        Ok(())
    }

    async fn revisions(&self, viewer: &Viewer, id: PlanId, query: PageQuery) -> Result<Page<RevisionView>> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("plan {id}")))?;
        let (limit, before) = (query.limit()?, query.before()?);
        if !self.store.has_plan(ProjectId::DEFAULT, id).await? {
            return Err(absent(id));
        }
        let found = self.store.plan_revisions(id, before, limit).await?;
        Ok(page(found, limit, |r| r.number))
    }

    async fn validate(&self, viewer: &Viewer, document: String, in_repository: bool) -> Result<PlanCheck> {
        authorize(viewer, Action::Read, Scope::default_project("the plans"))?;
        Ok(match in_repository {
            true => document::check_file(&document, &self.rules),
            false => document::check(&document, &self.rules),
        })
    }
}
