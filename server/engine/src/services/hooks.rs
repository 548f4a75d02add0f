//! Hooks: `domain::ports::Hooks`.
//!
//! **Invariant:** a hook's secrets are rows of `secrets` that are its own: they come and go with it; one that was made here
//! is in the answer that made it and in no other.

use super::secrets::SecretsService;
use crate::auth::secret::session;
use crate::clock::SharedClock;
use crate::store::audit::Entry;
use crate::store::hooks::{self, Delivery, Hook, HookChange};
use crate::store::secrets::{self, Place, Sealed};
use crate::store::{Error as StoreError, NewEvent, Store, Tx, triggers};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::auth::{Action, Scope, Via, Viewer, authorize};
use domain::ports::Hooks;
use domain::secret::SecretValue;
use domain::trigger::{
    DeliveryView, Generic, HookListener, HookView, NewHook, Provider, PutHook, ReceivedView, ShownOnce, hook_problems,
    name_problem, redact,
};
use domain::{DeliveryId, Error, HookId, Problem, ProjectId, Result, SecretId, Timestamp, UserId};
use rand::RngCore;
use serde_json::json;
use std::sync::Arc;

/// Deliveries that are shown of a hook.
const DELIVERIES: i64 = 50;

/// The service behind `Hooks`. Cheap to clone.
#[derive(Clone)]
pub struct HooksService {
    store: Store,
    clock: SharedClock,
    secrets: SecretsService,
    public_url: Arc<str>,
}

/// What a hook is to be.
#[derive(Debug, Clone)]
pub(super) struct HookParts {
    /// Its name.
    pub name: String,
    /// Who sends.
    pub provider: Provider,
    /// How a sender that is none of the forges signs.
    pub signing: Generic,
    /// Its secret; a fresh one when absent.
    pub secret: Option<SecretValue>,
}

/// A hook ready to be written.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    hook: HookChange,
    token: String,
    place: Place,
    sealed: Sealed,
    /// The secret, when it was made here.
    pub shown: Option<ShownOnce>,
}

/// A secret ready to be written.
struct Fresh {
    place: Place,
    sealed: Sealed,
    shown: Option<ShownOnce>,
}

impl HooksService {
    /// The service over a store and what seals secrets.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, secrets: SecretsService, public_url: &str) -> Self {
        Self {
            store,
            clock,
            secrets,
            public_url: public_url.into(),
        }
    }

    /// Where deliveries of a hook go.
    pub(super) fn url(&self, hook: &Hook) -> String {
        format!("{}/hooks/{}", self.public_url, hook.token)
    }

    /// A delivery as people see it.
    pub(super) async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryView>> {
        Ok(hooks::delivery(&self.store, ProjectId::DEFAULT, id).await?.map(shown))
    }

    /// Makes ready what a hook is to be.
    pub(super) fn prepared(&self, parts: HookParts) -> Result<Prepared> {
        let fresh = self.sealed(&parts.name, parts.provider, &parts.signing, parts.secret)?;
        Ok(Prepared {
            hook: HookChange {
                name: parts.name,
                provider: parts.provider,
                signing: parts.signing,
                secret: None,
                old_secret: None,
                rotating_since: None,
            },
            token: format!("hk_{}", session(&mut rand::rng())),
            place: fresh.place,
            sealed: fresh.sealed,
            shown: fresh.shown,
        })
    }

    /// Seals a secret that was given, or a fresh one.
    fn sealed(&self, name: &str, provider: Provider, signing: &Generic, given: Option<SecretValue>) -> Result<Fresh> {
        let (value, shown) = match given {
            Some(SecretValue(value)) => (value, None),
            None => {
                let made = fresh(provider, signing);
                (made.clone(), Some(ShownOnce(made)))
            }
        };
        let place = Place {
            project: ProjectId::DEFAULT,
            plan: None,
            name: secret_name(name),
        };
        let sealed = self.secrets.seal(&place, 1, &SecretValue(value))?;
        Ok(Fresh { place, sealed, shown })
    }

    async fn found(&self, id: HookId) -> Result<Hook> {
        hooks::one(&self.store, ProjectId::DEFAULT, id)
            .await?
            .ok_or_else(|| absent(id))
    }

    async fn view(&self, hook: Hook, listeners: &[(HookId, HookListener)]) -> Result<HookView> {
        let secret_at = match hook.secret {
            Some(id) => secrets::one(&self.store, hook.project, id)
                .await?
                .map(|s| Timestamp(s.set_at)),
            None => None,
        };
        let of_it = listeners.iter().filter(|(h, _)| *h == hook.id);
        let listeners: Vec<HookListener> = of_it.map(|(_, l)| l.clone()).collect();
        Ok(HookView {
            url: self.url(&hook),
            secret_at,
            triggers: listeners.iter().map(|l| l.id).collect(),
            listeners,
            refusals: hooks::refusals(&self.store, hook.id).await?,
            id: hook.id,
            name: hook.name,
            provider: hook.provider,
            signing: hook.signing,
            rotating_since: hook.rotating_since,
            accepted: hook.accepted,
            refused: hook.refused,
            seen_at: hook.seen_at,
            created_at: hook.created_at,
            version: hook.version,
            secret: None,
        })
    }

    async fn one(&self, id: HookId) -> Result<HookView> {
        let listeners = triggers::of_hooks(&self.store, ProjectId::DEFAULT).await?;
        let hook = self.found(id).await?;
        self.view(hook, &listeners).await
    }
}

/// A secret that nobody can guess, in the form the sender wants it.
fn fresh(provider: Provider, signing: &Generic) -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    match (provider, signing) {
        (Provider::Generic, Generic::Standard) => format!("whsec_{}", STANDARD.encode(bytes)),
        _ => crate::auth::secret::hex(&bytes),
    }
}

/// The name of a hook's secret: its own, with something that no other has.
fn secret_name(hook: &str) -> String {
    let mut bytes = [0u8; 4];
    rand::rng().fill_bytes(&mut bytes);
    let of = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = hook.chars().take(60).map(of).collect();
    format!("HOOK_{name}_{}", crate::auth::secret::hex(&bytes).to_uppercase())
}

fn absent(id: HookId) -> Error {
    Error::NotFound(format!("Hook {id}"))
}

fn taken(name: &str) -> StoreError {
    Error::Conflict(format!("There is a hook `{name}` already. Choose another name.")).into()
}

/// A delivery as people see it: secrets in it taken out.
fn shown(delivery: Delivery) -> DeliveryView {
    let mut payload = delivery.body.as_deref().and_then(|b| serde_json::from_str(b).ok());
    if let Some(payload) = &mut payload {
        redact(payload);
    }
    DeliveryView {
        id: DeliveryId(delivery.id),
        hook_id: HookId(delivery.hook_id),
        key: delivery.key,
        at: Timestamp(delivery.received_at),
        from: delivery.sender,
        proof: delivery.proof,
        size: delivery.size,
        headers: serde_json::from_str(&delivery.headers).unwrap_or_default(),
        payload,
    }
}

/// Writes a hook with its secret, inside a write.
pub(super) async fn insert(
    tx: &mut Tx,
    new: &Prepared,
    own: bool,
    by: Option<UserId>,
    now: Timestamp,
) -> crate::store::Result<HookId> {
    let Some(secret) = secrets::insert(tx, &new.place, &new.sealed, by, now).await? else {
        return Err(taken(&new.hook.name));
    };
    let hook = HookChange {
        secret: Some(secret),
        ..new.hook.clone()
    };
    let made = hooks::insert(tx, ProjectId::DEFAULT, &new.token, &hook, own, now).await?;
    made.ok_or_else(|| taken(&new.hook.name))
}

/// Lets go of a hook that was made for a trigger, when no trigger listens to it any more; inside a write.
pub(super) async fn let_go(tx: &mut Tx, id: HookId) -> crate::store::Result<()> {
    if !hooks::is_own(tx, id).await? || !hooks::listeners(tx, id).await?.is_empty() {
        return Ok(());
    }
    gone(tx, id).await
}

/// Removes a hook with its secrets.
async fn gone(tx: &mut Tx, id: HookId) -> crate::store::Result<()> {
    let Some(of_it) = hooks::remove(tx, ProjectId::DEFAULT, id).await? else {
        return Err(absent(id).into());
    };
    for secret in of_it {
        dropped(tx, secret).await?;
    }
    Ok(())
}

/// Removes a secret that a hook let go of, unless something else has come to use it.
async fn dropped(tx: &mut Tx, secret: SecretId) -> crate::store::Result<()> {
    if secrets::used_by(tx, secret).await?.is_empty() {
        secrets::remove(tx, ProjectId::DEFAULT, secret).await?;
    }
    Ok(())
}

fn entry(viewer: &Viewer, now: Timestamp, action: &'static str, id: HookId, name: &str) -> Entry {
    Entry::by(viewer, now, action).about("hook", id.0, name)
}

fn saved(tx: &mut Tx, id: HookId, now: Timestamp) {
    tx.emit(NewEvent::about("hook", id.0, "hook.saved", now, json!({})));
}

#[async_trait]
impl Hooks for HooksService {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<HookView>> {
        authorize(viewer, Action::Read, Scope::default_project("the hooks"))?;
        let listeners = triggers::of_hooks(&self.store, ProjectId::DEFAULT).await?;
        let mut out = Vec::new();
        for hook in hooks::list(&self.store, ProjectId::DEFAULT).await? {
            out.push(self.view(hook, &listeners).await?);
        }
        Ok(out)
    }

    async fn get(&self, viewer: &Viewer, id: HookId) -> Result<HookView> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("hook {id}")))?;
        self.one(id).await
    }

    async fn create(&self, viewer: &Viewer, wish: NewHook) -> Result<HookView> {
        authorize(viewer, Action::Write, Scope::default_project("the hooks"))?;
        let mut found: Vec<Problem> = name_problem(&wish.name)
            .map(|w| Problem::field("name", w))
            .into_iter()
            .collect();
        found.extend(hook_problems(
            "",
            Some(wish.provider),
            wish.signing.as_ref(),
            wish.secret.as_ref(),
        ));
        Error::refuse("The hook was not made.", found)?;
        let prepared = self.prepared(HookParts {
            name: wish.name,
            provider: wish.provider,
            signing: wish.signing.unwrap_or_default(),
            secret: wish.secret,
        })?;
        let shown = prepared.shown.clone();
        let (viewer, now) = (viewer.clone(), self.clock.now());
        let by = (viewer.via != Via::Cli).then_some(viewer.user);
        let id = self
            .store
            .write(move |tx| {
                let (prepared, viewer) = (prepared.clone(), viewer.clone());
                Box::pin(async move {
                    let id = insert(tx, &prepared, false, by, now).await?;
                    saved(tx, id, now);
                    tx.audit(entry(&viewer, now, "hook.create", id, &prepared.hook.name))
                        .await?;
                    Ok(id)
                })
            })
            .await?;
        Ok(HookView {
            secret: shown,
            ..self.one(id).await?
        })
    }

    async fn save(&self, viewer: &Viewer, id: HookId, wish: PutHook) -> Result<HookView> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("hook {id}")))?;
        let present = self.found(id).await?;
        let provider = wish.provider.unwrap_or(present.provider);
        let signing = match wish.signing {
            Some(signing) => signing,
            None if provider == present.provider => present.signing.clone(),
            None => Generic::default(),
        };
        let name = wish.name.unwrap_or_else(|| present.name.clone());
        let mut found: Vec<Problem> = name_problem(&name)
            .map(|w| Problem::field("name", w))
            .into_iter()
            .collect();
        found.extend(hook_problems("", Some(provider), Some(&signing), wish.secret.as_ref()));
        let another = wish.fresh_secret || wish.secret.is_some();
        if wish.fresh_secret && wish.secret.is_some() {
            found.push(Problem::field(
                "secret",
                "Give a secret or ask for a fresh one, not both.",
            ));
        }
        Error::refuse("The hook was not saved.", found)?;
        let new = another
            .then(|| self.sealed(&name, provider, &signing, wish.secret))
            .transpose()?;
        let shown = new.as_ref().and_then(|f| f.shown.clone());
        let new = new.map(|f| (f.place, f.sealed));
        let (viewer, now, version, forget) = (viewer.clone(), self.clock.now(), wish.version, wish.forget_old);
        let by = (viewer.via != Via::Cli).then_some(viewer.user);
        self.store
            .write(move |tx| {
                let (present, new, viewer) = (present.clone(), new.clone(), viewer.clone());
                let mut change = HookChange {
                    name: name.clone(),
                    provider,
                    signing: signing.clone(),
                    secret: present.secret,
                    old_secret: present.old_secret.filter(|_| !forget),
                    rotating_since: present.rotating_since.filter(|_| !forget),
                };
                Box::pin(async move {
                    let mut action = if forget { "hook.forget_old_secret" } else { "hook.save" };
                    if let Some((place, sealed)) = &new {
                        let Some(secret) = secrets::insert(tx, place, sealed, by, now).await? else {
                            return Err(taken(&place.name));
                        };
                        // The one before it is believed on, unless it is to be forgotten at once.
                        change.old_secret = present.secret.filter(|_| !forget);
                        change.rotating_since = change.old_secret.map(|_| now);
                        change.secret = Some(secret);
                        action = "hook.new_secret";
                    }
                    if hooks::named(tx, ProjectId::DEFAULT, &change.name).await?.is_some_and(|other| other != id) {
                        return Err(taken(&change.name));
                    }
                    if !hooks::update(tx, id, version, &change).await? {
                        let why = format!(
                            "{} was changed meanwhile (version {} now, {version} when you read it). Nothing was saved; read it again.",
                            present.name, present.version
                        );
                        return Err(Error::Conflict(why).into());
                    }
                    let kept: [Option<SecretId>; 2] = [change.secret, change.old_secret];
                    for old in [present.secret, present.old_secret].into_iter().flatten() {
                        if !kept.contains(&Some(old)) {
                            dropped(tx, old).await?;
                        }
                    }
                    saved(tx, id, now);
                    tx.audit(entry(&viewer, now, action, id, &change.name)).await
                })
            })
            .await?;
        Ok(HookView {
            secret: shown,
            ..self.one(id).await?
        })
    }

    async fn delete(&self, viewer: &Viewer, id: HookId) -> Result<()> {
        authorize(viewer, Action::Write, Scope::default_project(&format!("hook {id}")))?;
        let hook = self.found(id).await?;
        let (viewer, now) = (viewer.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let entry = entry(&viewer, now, "hook.delete", id, &hook.name);
                Box::pin(async move {
                    let listeners = hooks::listeners(tx, id).await?;
                    if !listeners.is_empty() {
                        let why = format!(
                            "These triggers listen to it: {}. Give them another hook, or remove them.",
                            listeners.join(", ")
                        );
                        return Err(Error::Conflict(why).into());
                    }
                    gone(tx, id).await?;
                    saved(tx, id, now);
                    tx.audit(entry).await
                })
            })
            .await?;
        Ok(())
    }

    async fn deliveries(&self, viewer: &Viewer, id: HookId) -> Result<Vec<DeliveryView>> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("hook {id}")))?;
        self.found(id).await?;
        let all = hooks::newest(&self.store, ProjectId::DEFAULT, id, DELIVERIES).await?;
        Ok(all.into_iter().map(shown).collect())
    }

    async fn received(&self, viewer: &Viewer, id: HookId) -> Result<Vec<ReceivedView>> {
        authorize(viewer, Action::Read, Scope::default_project(&format!("hook {id}")))?;
        self.found(id).await?;
        Ok(hooks::received(&self.store, id, DELIVERIES).await?)
    }
}
