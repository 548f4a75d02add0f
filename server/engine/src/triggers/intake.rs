//! Deliveries as they come in: proved first, then stored once, decided and answered in one go.
//!
//! **Invariant:** an address that is not ours, and a delivery that proves nothing, are answered alike; before the proof
//! nothing is stored but that there was something.

use super::rate::{Rate, Why};
use super::signature::{self, Custom, Headers, Proof};
use super::start::{Decided, Fired, Occasion, Starter, cause_of, judged, placed, write};
use crate::auth::vault::Vault;
use crate::store::hooks::{self, Hook, NewDelivery, Refusal, Taken};
use crate::store::secrets;
use crate::store::{NewEvent, Result, Tx, firings, triggers};
use domain::trigger::{FiringView, Generic, Provider};
use domain::webhook::Event;
use domain::{DeliveryId, SecretId, Timestamp};
use rand::RngCore;
use serde_json::{Value, json};
use std::sync::Arc;

/// Headers that are kept with a delivery; no others, and none that proves it.
const KEPT: [&str; 14] = [
    "content-type",
    "user-agent",
    "x-github-event",
    "x-github-delivery",
    "x-github-hook-id",
    "x-gitea-event",
    "x-gitea-delivery",
    "x-forgejo-event",
    "x-forgejo-delivery",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "idempotency-key",
    "webhook-id",
    "webhook-timestamp",
];
/// Headers by which senders name a delivery, the best first.
const NAMES: [&str; 7] = [
    "webhook-id",
    "x-github-delivery",
    "x-forgejo-delivery",
    "x-gitea-delivery",
    "x-gitlab-event-uuid",
    "idempotency-key",
    "x-request-id",
];
/// Longest name of a delivery.
const LONGEST: usize = 200;

/// A delivery as it came.
pub struct Sent<'a> {
    /// The end of the address.
    pub token: &'a str,
    /// From which address.
    pub sender: String,
    /// Its headers: name in lower case and value.
    pub headers: Vec<(String, String)>,
    /// Its body, as it came.
    pub body: &'a [u8],
}

/// What a sender is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// 202: it was taken now; 200 when it had been before.
    Taken {
        /// Whether it is new.
        new: bool,
        /// What came of it.
        firings: Vec<FiringView>,
    },
    /// 404: there is no such hook, or the delivery proves nothing.
    Unknown,
    /// 400: it is from whom it should be, and makes no sense.
    Malformed(String),
    /// 429.
    TooMany {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// 503: there is no space for what it would start.
    NoRoom(String),
}

/// Takes deliveries. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    starter: Starter,
    vault: Arc<Vault>,
    rate: Arc<Rate>,
}

impl Intake {
    /// Over what starts tasks, and the keys of secrets.
    #[must_use]
    pub fn new(starter: Starter, vault: Arc<Vault>) -> Self {
        Self {
            starter,
            vault,
            rate: Arc::default(),
        }
    }

    /// Takes a delivery.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&self, sent: Sent<'_>) -> Result<Answer> {
        let clock = &self.starter.clock;
        let elapsed = clock.elapsed();
        let hook = hooks::at(&self.starter.store, sent.token).await?;
        let watched = hook.as_ref().map_or(0, |h| h.id.0);
        if let Err(retry_after) = self.rate.may(Why::Refused, watched, &sent.sender, elapsed) {
            return Ok(Answer::TooMany { retry_after });
        }
        let secrets = match &hook {
            Some(hook) => self.secrets(hook).await?,
            None => Vec::new(),
        };
        let (provider, custom) = hook.as_ref().map_or((Provider::GitHub, Custom::Standard), kind);
        let find = |name: &str| header(&sent.headers, name);
        let known: Vec<&str> = secrets.iter().map(|(_, s)| s.as_str()).collect();
        // An address that is not ours takes as long as one that is.
        let against: &[&str] = if hook.is_some() { &known } else { &["nobody's"] };
        let proved = signature::judge(provider, &custom, &find, sent.body, against, clock.now());
        let Some(hook) = hook else {
            self.rate.count(Why::Refused, 0, &sent.sender, elapsed);
            return Ok(Answer::Unknown);
        };
        let proof = match proved {
            Ok(proof) => proof,
            Err(why) => {
                self.rate.count(Why::Refused, hook.id.0, &sent.sender, elapsed);
                self.refused(&hook, &sent, why.to_string()).await?;
                return Ok(Answer::Unknown);
            }
        };
        if let Err(retry_after) = self.rate.take(Why::Taken, hook.id.0, elapsed) {
            return Ok(Answer::TooMany { retry_after });
        }
        let event = match understood(hook.provider, &find, sent.body) {
            Ok(event) => event,
            Err(why) => {
                self.refused(&hook, &sent, why.clone()).await?;
                return Ok(Answer::Malformed(why));
            }
        };
        if let Some(why) = self.starter.space.refusal() {
            return Ok(Answer::NoRoom(why));
        }
        let used = secrets.get(proof.secret).map(|(id, _)| *id);
        self.accepted(&hook, &sent, proof, used, event).await
    }

    async fn accepted(
        &self,
        hook: &Hook,
        sent: &Sent<'_>,
        proof: Proof,
        secret: Option<SecretId>,
        event: Event,
    ) -> Result<Answer> {
        let starter = &self.starter;
        let find = |name: &str| header(&sent.headers, name);
        let listening = triggers::listening(&starter.store, hook.id).await?;
        let plans = starter.plans(&listening).await?;
        let new = delivery(hook, sent, &find, proof, &event)?;
        let cause = cause_of(&event, title(hook.provider, &event));
        let occasion = |key: &str| Occasion {
            key: format!("delivery:{key}"),
            scheduled_for: None,
            delivery: None,
            cause: cause.clone(),
            event: event.clone(),
            replay_of: None,
            forced: false,
        };
        let decided: Vec<Decided> = listening
            .iter()
            .map(|t| judged(t, plans.get(&t.plan), occasion(&new.key)))
            .collect();
        let (id, clock, terms) = (hook.id, starter.clock.clone(), starter.terms.clone());
        let (taken, fired, effects) = starter
            .store
            .write(move |tx| {
                let (new, decided, terms, now) = (new.clone(), decided.clone(), terms.clone(), clock.now());
                Box::pin(async move {
                    let taken = hooks::take(tx, id, &new, now).await?;
                    let Taken::New(delivery) = taken else {
                        return Ok((taken, Vec::new(), Vec::new()));
                    };
                    if let Some(secret) = secret {
                        secrets::touch(tx, secret, now).await?;
                    }
                    let (mut fired, mut effects) = (Vec::<Fired>::new(), Vec::new());
                    for one in decided {
                        fired.push(write(tx, &one.with_delivery(delivery), &mut effects, now).await?);
                    }
                    received(tx, id.0, delivery, now);
                    effects.extend(placed(tx, &fired, &terms, now).await?);
                    Ok((taken, fired, effects))
                })
            })
            .await?;
        starter.follow(&fired, effects);
        let (Taken::New(delivery) | Taken::Before(delivery)) = taken;
        Ok(Answer::Taken {
            new: matches!(taken, Taken::New(_)),
            firings: firings::of_delivery(&starter.store, hook.project, delivery).await?,
        })
    }

    /// Notes that something was refused.
    async fn refused(&self, hook: &Hook, sent: &Sent<'_>, reason: String) -> Result<()> {
        let (id, now) = (hook.id, self.starter.clock.now());
        let refusal = Refusal {
            sender: sent.sender.clone(),
            reason,
            headers: sent.headers.iter().map(|(name, _)| name.clone()).take(60).collect(),
            size: i64::try_from(sent.body.len()).unwrap_or(i64::MAX),
        };
        self.starter
            .store
            .write(move |tx| {
                let refusal = refusal.clone();
                Box::pin(async move {
                    hooks::refuse(tx, id, &refusal, now).await?;
                    tx.emit(NewEvent::about(
                        "hook",
                        id.0,
                        "hook.refused",
                        now,
                        json!({ "reason": refusal.reason }),
                    ));
                    Ok(())
                })
            })
            .await
    }

    /// The secrets a hook is judged by, the newest first.
    async fn secrets(&self, hook: &Hook) -> Result<Vec<(SecretId, String)>> {
        let mut found = Vec::new();
        for id in [hook.secret, hook.old_secret].into_iter().flatten() {
            let Some(locked) = secrets::locked(&self.starter.store, id).await? else {
                continue;
            };
            match self.vault.text(&locked) {
                Some(text) => found.push((id, text)),
                None => tracing::error!(
                    hook = hook.id.0,
                    secret = locked.name,
                    "The secret {} of the hook {} cannot be opened",
                    locked.name,
                    hook.name
                ),
            }
        }
        Ok(found)
    }
}

/// Who sends, and how that is proved.
fn kind(hook: &Hook) -> (Provider, Custom) {
    let custom = match &hook.signing {
        Generic::Standard => Custom::Standard,
        Generic::Hmac(header) => Custom::Hmac(header.to_ascii_lowercase()),
        Generic::Bearer => Custom::Bearer,
    };
    (hook.provider, custom)
}

/// The value of a header that comes once; one that comes twice with different values is none.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// What a body says; a form's field `payload` where it is a form (GitHub and Gitea can be set so).
pub(crate) fn understood(provider: Provider, find: Headers<'_>, body: &[u8]) -> std::result::Result<Event, String> {
    let kind = find("content-type").unwrap_or_default();
    let form = kind
        .split(';')
        .next()
        .is_some_and(|k| k.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    let field = form.then(|| {
        let mut pairs = form_urlencoded::parse(body);
        pairs
            .find(|(name, _)| name == "payload")
            .map(|(_, value)| value.into_owned().into_bytes())
    });
    let text = match &field {
        Some(Some(payload)) => payload.as_slice(),
        Some(None) => return Err("It is a form without a field `payload`.".into()),
        None => body,
    };
    let payload: Value = if text.is_empty() && provider == Provider::Generic {
        Value::Null
    } else {
        serde_json::from_slice(text).map_err(|e| format!("Its payload is not JSON: {e}."))?
    };
    if !payload.is_object() && provider != Provider::Generic {
        return Err("Its payload is no JSON object.".into());
    }
    let name = match provider {
        Provider::GitHub => find("x-github-event"),
        Provider::Gitea => find("x-forgejo-event")
            .or_else(|| find("x-gitea-event"))
            .or_else(|| find("x-github-event")),
        Provider::GitLab => find("x-gitlab-event"),
        Provider::Generic => None,
    };
    Event::read(provider, name, payload)
}

/// The row of a delivery.
fn delivery(hook: &Hook, sent: &Sent<'_>, find: Headers<'_>, proof: Proof, event: &Event) -> Result<NewDelivery> {
    let named = NAMES.into_iter().find_map(find).filter(|n| !n.is_empty());
    let key = match named {
        Some(name) => name.chars().take(LONGEST).collect(),
        // Nameless ones are each their own: nothing tells a repetition from the same thing said twice.
        None => {
            let mut bytes = [0u8; 16];
            rand::rng().fill_bytes(&mut bytes);
            format!("own-{}", crate::auth::secret::hex(&bytes))
        }
    };
    let kept: Vec<&(String, String)> = sent
        .headers
        .iter()
        .filter(|(n, _)| KEPT.contains(&n.as_str()))
        .collect();
    let age = match (proof.secret, hook.old_secret) {
        (0, Some(_)) => ", the new secret",
        (0, None) => "",
        _ => ", the old secret",
    };
    let corrupt = |e: serde_json::Error| crate::store::Error::corrupt("hook_deliveries", e);
    Ok(NewDelivery {
        key,
        sender: sent.sender.clone(),
        event: Some(event.kind.clone()),
        headers: serde_json::to_string(&kept).map_err(corrupt)?,
        proof: format!("{}{age}", proof.scheme),
        size: i64::try_from(sent.body.len()).unwrap_or(i64::MAX),
        body: event.payload.to_string(),
    })
}

/// What happened, in a few words.
pub(crate) fn title(provider: Provider, event: &Event) -> String {
    let on = |to: &Option<String>| to.as_ref().map(|b| format!(" to {b}")).unwrap_or_default();
    let number = event.number.map(|n| format!(" {n}")).unwrap_or_default();
    let action = event.action.as_deref().unwrap_or_default();
    match event.kind.as_str() {
        "push" => format!("Push{}", on(&event.branch)),
        "tag" => format!("Tag {}", event.tag.as_deref().unwrap_or_default()),
        "pull_request" => format!("Pull request{number} {action}{}", on(&event.target)),
        "release" => format!("Release {} {action}", event.tag.as_deref().unwrap_or_default()),
        "ping" => format!("Test by {}", provider.name()),
        "delete" => "Branch or tag deleted".into(),
        kind => format!("{} {action}", kind.replace('_', " ")),
    }
    .trim_end()
    .to_owned()
}

/// Tells that a hook took something.
fn received(tx: &mut Tx, hook: i64, delivery: DeliveryId, now: Timestamp) {
    tx.emit(NewEvent::about(
        "hook",
        hook,
        "hook.received",
        now,
        json!({ "delivery_id": delivery }),
    ));
}
