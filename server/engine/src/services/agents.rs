//! Agents for both doors: look, pause, drain, resume, rename, label, remove, and the tokens that register them.
//!
//! **Invariant:** a change names the version it was read at; a stale one changes nothing. Every change is audited in the
//! transaction of what it changes.

mod tokens;

pub use tokens::AgentTokens;

use crate::clock::SharedClock;
use crate::dispatch::Dispatch;
use crate::queue::{Outward, apply};
use crate::store::agents::{self, BUILTIN, Change};
use crate::store::audit::Entry;
use crate::store::{Store, Tx};
use async_trait::async_trait;
use domain::agent::{AgentTokenView, AgentTokenWish, AgentView, NewAgentToken, PatchAgent, check_labels, check_name};
use domain::auth::{Action, Scope, Via, Viewer, authorize};
use domain::event::Event;
use domain::lifecycle::{self, Effect};
use domain::ports::Wake;
use domain::status::{AgentStatus, Availability};
use domain::{AgentId, AgentTokenId, AttemptId, Error, Result, TaskId, Timestamp, UserId};
use futures::FutureExt;

/// Longest note of a pause, in characters.
const NOTE: usize = 200;
/// Most slots of an agent.
const SLOTS: u32 = 1_000;

/// The port `Agents`.
#[derive(Clone)]
pub struct AgentsService {
    store: Store,
    clock: SharedClock,
    out: Outward,
    dispatch: Dispatch,
    tokens: AgentTokens,
}

impl AgentsService {
    /// The port over a store; dispatch knows who is connected.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, out: Outward, dispatch: Dispatch) -> Self {
        Self {
            tokens: AgentTokens::new(store.clone(), clock.clone()),
            store,
            clock,
            out,
            dispatch,
        }
    }

    async fn all(&self) -> Result<Vec<AgentView>> {
        let loads = self.dispatch.loads();
        let mut all = agents::list(&self.store).await?;
        for a in &mut all {
            a.load = loads.get(&a.id).copied();
        }
        Ok(all)
    }

    async fn one(&self, id: AgentId) -> Result<AgentView> {
        let all = self.all().await?;
        all.into_iter().find(|a| a.id == id).ok_or_else(|| absent(id))
    }
}

fn absent(id: AgentId) -> Error {
    Error::NotFound(format!("Agent {id}"))
}

/// Whoever may administer, or the refusal.
fn admin(viewer: &Viewer) -> Result<()> {
    authorize(viewer, Action::Administer, Scope::default_project("the agents"))
}

/// The user behind a viewer; the command line is none.
fn user(viewer: &Viewer) -> Option<UserId> {
    (viewer.via != Via::Cli).then_some(viewer.user)
}

/// What a patch changes, checked; every mistake is one sentence at its field.
fn changes(before: &AgentView, patch: PatchAgent, viewer: &Viewer, now: Timestamp) -> Result<Change> {
    let name = patch.name.map(|n| n.trim().to_owned()).filter(|n| *n != before.name);
    if let Some(name) = &name {
        check_name(name).map_err(|why| Error::invalid_field("name", why))?;
        if before.builtin || name == BUILTIN {
            let why = format!("`{BUILTIN}` is the agent inside the server, and always called so.");
            return Err(Error::invalid_field("name", why));
        }
    }
    let note = patch.note.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty());
    if note
        .as_ref()
        .is_some_and(|n| n.chars().count() > NOTE || n.chars().any(char::is_control))
    {
        return Err(Error::invalid_field(
            "note",
            format!("A note is one line of at most {NOTE} characters."),
        ));
    }
    if patch.paused_until.is_some_and(|until| until <= now) {
        return Err(Error::invalid_field("paused_until", "This lies in the past."));
    }
    let touched = patch.availability.is_some() || note.is_some() || patch.paused_until.is_some();
    let to = patch.availability.unwrap_or(before.availability);
    if patch.paused_until.is_some() && to != Availability::Paused {
        return Err(Error::invalid_field("paused_until", "Only a pause ends by itself."));
    }
    let kept = patch.availability.is_none();
    let availability = touched.then(|| match to {
        Availability::Active => (to, None, None),
        _ => (
            to,
            note.or_else(|| before.note.clone().filter(|_| kept)),
            patch.paused_until.or(before.paused_until.filter(|_| kept)),
        ),
    });
    if let Some(labels) = &patch.labels {
        check_labels(labels).map_err(|why| Error::invalid_field("labels", why))?;
    }
    if patch.slots.is_some_and(|n| n > SLOTS) {
        return Err(Error::invalid_field(
            "slots",
            format!("An agent has 1 to {SLOTS} slots; 0 stands for as many as it says itself."),
        ));
    }
    Ok(Change {
        name,
        availability,
        labels: patch.labels.filter(|l| *l != before.labels_set),
        slots: patch.slots.map(|n| (n > 0).then_some(n)),
        actor: (viewer.name.clone(), user(viewer)),
    })
}

/// A change in few words, for the audit.
fn in_words(c: &Change) -> String {
    let mut words = Vec::new();
    words.extend(c.name.as_ref().map(|n| format!("name {n}")));
    if let Some((to, note, until)) = &c.availability {
        words.push(to.to_string());
        words.extend(note.as_ref().map(|n| format!("“{n}”")));
        words.extend(until.map(|u| format!("until {u}")));
    }
    if let Some(labels) = &c.labels {
        let all: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        words.push(format!("labels [{}]", all.join(" ")));
    }
    words.extend(c.slots.map(|s| match s {
        Some(n) => format!("slots {n}"),
        None => "slots as reported".into(),
    }));
    words.join(", ")
}

#[async_trait]
impl domain::ports::Agents for AgentsService {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<AgentView>> {
        authorize(viewer, Action::Read, Scope::default_project("the agents"))?;
        self.all().await
    }

    async fn get(&self, viewer: &Viewer, id: AgentId) -> Result<AgentView> {
        authorize(viewer, Action::Read, Scope::default_project("the agents"))?;
        self.one(id).await
    }

    async fn patch(&self, viewer: &Viewer, id: AgentId, patch: PatchAgent) -> Result<AgentView> {
        admin(viewer)?;
        let before = self.one(id).await?;
        let (now, version) = (self.clock.now(), patch.version);
        let change = changes(&before, patch, viewer, now)?;
        let entry = Entry {
            object: Some("agent"),
            object_id: Some(id.0),
            after: Some(in_words(&change)),
            ..Entry::by(viewer, now, "agent.change")
        };
        let taken = change.name.clone();
        let done = self
            .store
            .write(move |tx| {
                let (change, entry) = (change.clone(), entry.clone());
                async move {
                    if let Some(name) = &change.name
                        && agents::rename_taken(tx, id, name).await?
                    {
                        return Ok(None);
                    }
                    let done = agents::change(tx, id, version, &change, now).await?;
                    if done {
                        tx.audit(entry).await?;
                    }
                    Ok(Some(done))
                }
                .boxed()
            })
            .await?;
        match done {
            Some(true) => {}
            Some(false) => {
                return Err(Error::Conflict(format!(
                    "{} was changed meanwhile (version {} now, {version} when you read it). Look at it again, then repeat.",
                    before.name, before.version
                )));
            }
            None => {
                let name = taken.unwrap_or_default();
                return Err(Error::Conflict(format!("There is an agent `{name}` already.")));
            }
        }
        // A resumed agent, or one with other labels, may take what waited for it.
        self.out.send(vec![Effect::SlotFreed { agent: id }]);
        self.one(id).await
    }

    async fn remove(&self, viewer: &Viewer, id: AgentId, force: bool) -> Result<()> {
        admin(viewer)?;
        let before = self.one(id).await?;
        if before.builtin && before.status == AgentStatus::Online {
            return Err(Error::Conflict(
                "The built-in agent is part of the server. Pause it, or start the server with --no-agent.".into(),
            ));
        }
        let (now, name) = (self.clock.now(), before.name.clone());
        let entry = Entry {
            object: Some("agent"),
            object_id: Some(id.0),
            after: Some(if force { format!("{name}, forced") } else { name.clone() }),
            ..Entry::by(viewer, now, "agent.remove")
        };
        let actor = viewer.name.clone();
        let effects = self
            .store
            .write(move |tx| {
                let (entry, actor, name) = (entry.clone(), actor.clone(), name.clone());
                async move {
                    let lost = end_held(tx, id, &name, force, now).await?;
                    if !agents::remove(tx, id, &actor, now).await? {
                        return Err(absent(id).into());
                    }
                    tx.audit(entry).await?;
                    Ok(lost)
                }
                .boxed()
            })
            .await?;
        // It hears what to kill before its connection ends.
        self.dispatch.let_go(effects).await;
        self.dispatch.dismiss(id);
        Ok(())
    }

    async fn events(&self, viewer: &Viewer, id: AgentId, limit: u32) -> Result<Vec<Event>> {
        authorize(viewer, Action::Read, Scope::default_project("the agents"))?;
        self.one(id).await?;
        Ok(agents::news(&self.store, id, limit.clamp(1, 200)).await?)
    }

    fn loads(&self) -> Box<dyn Wake> {
        Box::new(Loads(self.dispatch.follow_loads()))
    }

    async fn tokens(&self, viewer: &Viewer) -> Result<Vec<AgentTokenView>> {
        self.tokens.list(viewer).await
    }

    async fn token(&self, viewer: &Viewer, id: AgentTokenId) -> Result<AgentTokenView> {
        self.tokens.one(viewer, id).await
    }

    async fn create_token(&self, viewer: &Viewer, wish: AgentTokenWish) -> Result<NewAgentToken> {
        self.tokens.create(viewer, wish).await
    }

    async fn revoke_token(&self, viewer: &Viewer, id: AgentTokenId) -> Result<()> {
        self.tokens.revoke(viewer, id).await
    }
}

/// Waits for agents to tell how busy they are.
struct Loads(tokio::sync::watch::Receiver<i64>);

#[async_trait]
impl Wake for Loads {
    async fn next(&mut self) -> i64 {
        if self.0.changed().await.is_err() {
            // The engine is closing: nothing will be told any more.
            std::future::pending::<()>().await;
        }
        *self.0.borrow_and_update()
    }
}

/// Ends what the agent holds as lost; refused without `force` where there is something.
async fn end_held(
    tx: &mut Tx,
    id: AgentId,
    name: &str,
    force: bool,
    now: Timestamp,
) -> crate::store::Result<Vec<Effect>> {
    let held = agents::held(tx, id).await?;
    if !held.is_empty() && !force {
        let what = match held.len() {
            1 => "a job".to_owned(),
            n => format!("{n} jobs"),
        };
        let why = format!("{name} runs {what}. Drain it first, or force the removal: what runs there is lost then.");
        return Err(Error::Conflict(why).into());
    }
    let mut effects = Vec::new();
    for row in held {
        let event = lifecycle::Event::AgentRemoved {
            attempt: AttemptId(row.attempt_id),
            epoch: row.epoch,
        };
        effects.extend(apply(tx, TaskId(row.task_id), vec![event], None, now).await?.effects);
    }
    Ok(effects)
}
