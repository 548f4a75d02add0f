//! Hooks: addresses to which others deliver, with the secrets that deliveries are judged by.
//!
//! **Invariant:** the address is no secret, the secret is shown once at most; what was refused has left no byte of its body.

use super::{Generic, Provider, ShownOnce, Verdict};
use crate::secret::{SecretValue, value_problem};
use crate::{DeliveryId, FiringId, HookId, PlanId, Problem, Timestamp, TriggerId};
use serde::{Deserialize, Serialize};

/// Fewest characters of a secret.
const SHORTEST: usize = 8;

/// A hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HookView {
    /// Its id.
    pub id: HookId,
    /// Its name, unique in the project.
    pub name: String,
    /// Where deliveries go.
    pub url: String,
    /// Who sends.
    pub provider: Provider,
    /// How a sender that is none of the forges signs.
    pub signing: Generic,
    /// When its secret was set.
    pub secret_at: Option<Timestamp>,
    /// Since when it has another secret, while the old one is believed too.
    pub rotating_since: Option<Timestamp>,
    /// Deliveries that were taken.
    pub accepted: i64,
    /// Deliveries that were refused.
    pub refused: i64,
    /// When the newest was taken.
    pub seen_at: Option<Timestamp>,
    /// The triggers that listen to it.
    pub triggers: Vec<TriggerId>,
    /// The same by name, with the plans they start.
    pub listeners: Vec<HookListener>,
    /// What was refused last, newest first, at most 20.
    pub refusals: Vec<RefusalView>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Rises with each save; name it when you save.
    pub version: i64,
    /// A secret that was made for it just now: hand it to the sender, it is not shown again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<ShownOnce>,
}

/// A trigger that listens to a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HookListener {
    /// Its id.
    pub id: TriggerId,
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// The plan it starts.
    pub plan_id: PlanId,
    /// That plan's name.
    pub plan: String,
}

/// A delivery that was taken, without its payload, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceivedView {
    /// Its id here.
    pub id: DeliveryId,
    /// Its id at the sender.
    pub key: String,
    /// What the sender calls it, where a header says so.
    pub event: Option<String>,
    /// When it came.
    pub at: Timestamp,
    /// From which address.
    pub from: String,
    /// What proved it.
    pub proof: String,
    /// Bytes of its body.
    pub size: i64,
    /// What triggers decided about it.
    pub firings: Vec<ReceivedFiring>,
}

/// What a trigger decided about a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceivedFiring {
    /// The firing.
    pub id: FiringId,
    /// The trigger's name.
    pub trigger: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusalView {
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub from: String,
    /// Why.
    pub reason: String,
    /// The names of its headers.
    pub headers: Vec<String>,
    /// Bytes of its body.
    pub size: i64,
}

/// A delivery that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveryView {
    /// Its id here.
    pub id: DeliveryId,
    /// The hook.
    pub hook_id: HookId,
    /// Its id at the sender.
    pub key: String,
    /// When it came.
    pub at: Timestamp,
    /// From which address.
    pub from: String,
    /// What proved it: the header of its signature, and which secret.
    pub proof: String,
    /// Bytes of its body.
    pub size: i64,
    /// Its headers, without what proves it.
    pub headers: Vec<(String, String)>,
    /// Its payload, secrets in it taken out; absent when it is not kept any more.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub payload: Option<serde_json::Value>,
}

/// What headers call a delivery, as `push`.
#[must_use]
pub fn event_name(headers: &[(String, String)]) -> Option<&str> {
    let named = headers.iter().find(|(name, _)| name.to_lowercase().ends_with("-event"));
    named.map(|(_, value)| value.as_str())
}

/// A hook to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewHook {
    /// Its name.
    pub name: String,
    /// Who sends.
    pub provider: Provider,
    /// How a sender that is none of the forges signs; Standard Webhooks when absent.
    #[serde(default)]
    pub signing: Option<Generic>,
    /// The secret both sides know; a fresh one is made, and shown once, when absent.
    #[serde(default)]
    pub secret: Option<SecretValue>,
}

/// A save of a hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PutHook {
    /// The version it was read at; a stale one is refused with 409.
    pub version: i64,
    /// Its name; unchanged when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Who sends; unchanged when absent.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// How a sender that is none of the forges signs; unchanged when absent.
    #[serde(default)]
    pub signing: Option<Generic>,
    /// Another secret. The old one is believed too until `forget_old`.
    #[serde(default)]
    pub secret: Option<SecretValue>,
    /// `true`: a fresh secret is made and shown once. The old one is believed too until `forget_old`.
    #[serde(default)]
    pub fresh_secret: bool,
    /// `true`: the old secret is believed no more.
    #[serde(default)]
    pub forget_old: bool,
}

/// What is wrong with the parts of a hook, each at its field below `prefix`.
#[must_use]
pub fn problems(
    prefix: &str,
    provider: Option<Provider>,
    signing: Option<&Generic>,
    secret: Option<&SecretValue>,
) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut bad = |field: &str, why: &str| found.push(Problem::field(format!("{prefix}{field}"), why));
    if let Some(signing) = signing {
        if provider.is_some_and(|p| p != Provider::Generic) && *signing != Generic::Standard {
            bad("signing", "How a forge signs is known; leave this out.");
        }
        if let Generic::Hmac(header) = signing {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            if header.is_empty() || header.len() > 64 || !header.bytes().all(fits) {
                bad(
                    "signing",
                    "The name of a header has letters, digits and `-`, at most 64.",
                );
            }
        }
    }
    if let Some(secret) = secret {
        if let Some(why) = value_problem(secret) {
            bad("secret", why);
        } else if secret.0.chars().count() < SHORTEST {
            bad("secret", "A secret that can be guessed is none: at least 8 characters.");
        } else if secret.0.starts_with("whsec_") && secret.0.len() < 30 {
            bad("secret", "What follows `whsec_` is at least 24 bytes in base64.");
        }
    }
    found
}
