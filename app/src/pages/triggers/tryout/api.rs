//! Server functions of the page that tries a trigger.
//!
//! **Invariant:** nothing is started or saved by a try; a payload that is offered is as it may be shown.

use crate::error::Result;
use domain::trigger::{KnownFields, Provider, Tried, TriggerView};
use domain::{FiringId, HookId, Timestamp, TriggerId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the page is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TryPage {
    /// The trigger as it is saved.
    pub trigger: TriggerView,
    /// The URL of its plan's source.
    pub source: Option<String>,
    /// What stands in the form.
    pub draft: TryDraft,
    /// What the payload in the form is: that of a firing, or of the newest delivery.
    pub of: Option<Origin>,
    /// What was said of it last, without a script.
    pub answer: Option<Result<Tried>>,
    /// Who sends to its hook; anybody may be chosen where it has none.
    pub provider: Option<Provider>,
    /// That hook.
    pub hook: Option<HookId>,
    /// The fields that its deliveries had.
    pub known: Option<KnownFields>,
}

/// Where a payload comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The firing it was delivered for, where one was asked for.
    pub firing: Option<FiringId>,
    /// When it came.
    pub at: Timestamp,
    /// Whether it is too large to be edited in a page.
    pub large: bool,
}

/// The form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TryDraft {
    /// Rules, one a line.
    pub rules: String,
    /// The word of who would send it.
    pub provider: String,
    /// What a header would call it.
    pub event: String,
    /// The payload, as JSON.
    pub payload: String,
}

/// Most characters of a payload that are offered for editing.
#[cfg(feature = "ssr")]
const LARGEST: usize = 200_000;

/// The form of a try, with the payload of a firing or of the newest delivery; `draft`: as it was sent without a script.
///
/// # Errors
/// What the ports say.
#[server(prefix = "/ui", endpoint = "triggers/try-page", protocol = crate::wire::Get)]
pub async fn get_try(
    trigger: TriggerId,
    #[server(default)] firing: i64,
    #[server(default)] draft: u64,
) -> Result<TryPage> {
    use crate::context::{ports, viewer};
    use crate::error::Error;
    use domain::trigger::{Config, event_name};
    let (ports, viewer) = (ports()?, viewer()?);
    let there = ports.triggers.get(&viewer, trigger).await.map_err(Error::respond)?;
    let hook = match &there.config {
        Config::Webhook(webhook) => webhook.hook_id,
        Config::Poll(_) | Config::Cron(_) | Config::Upstream(_) => None,
    };
    let plan = ports.plans.get(&viewer, there.plan_id).await.ok();
    let (mut known, mut provider, mut found) = (None, None, None);
    if let Some(hook) = hook {
        let view = ports.hooks.get(&viewer, hook).await.map_err(Error::respond)?;
        provider = Some(view.provider);
        known = Some(
            ports
                .triggers
                .known_fields(&viewer, hook)
                .await
                .map_err(Error::respond)?,
        );
    }
    if firing > 0 {
        let firing = ports
            .triggers
            .firing(&viewer, FiringId(firing))
            .await
            .map_err(Error::respond)?;
        found = firing.delivery.map(|d| (Some(firing.id), d));
    } else if let Some(hook) = hook {
        let all = ports.hooks.deliveries(&viewer, hook).await.map_err(Error::respond)?;
        found = all.into_iter().next().map(|d| (None, d));
    }
    let page = format!("/triggers/{trigger}/try");
    let kept = crate::shelf::look::<(TryDraft, Result<Tried>)>(viewer.user, &page, draft);
    let (mut shown, answer) = kept.map_or((None, None), |(draft, answer)| (Some(draft), Some(answer)));
    let mut of = None;
    if shown.is_none() {
        let mut draft = TryDraft {
            rules: there.rules.join("\n"),
            provider: provider.unwrap_or(Provider::GitHub).as_str().into(),
            event: "push".into(),
            payload: String::new(),
        };
        if let Some((firing, delivery)) = found {
            let text = delivery.payload.as_ref().map(serde_json::to_string_pretty);
            let text = text.and_then(std::result::Result::ok).unwrap_or_default();
            let large = text.len() > LARGEST;
            of = (!text.is_empty()).then_some(Origin {
                firing,
                at: delivery.at,
                large,
            });
            draft.event = event_name(&delivery.headers).unwrap_or_default().to_owned();
            draft.payload = if large { String::new() } else { text };
        }
        shown = Some(draft);
    }
    Ok(TryPage {
        source: plan.and_then(|p| p.summary.source).map(|s| s.git),
        trigger: there,
        draft: shown.unwrap_or_default(),
        of,
        answer,
        provider,
        hook,
        known,
    })
}

/// Says what a trigger would do about a payload, with these rules in place of its own. Without a script the page comes
/// back with the answer.
///
/// # Errors
/// Everything that is wrong with rules and payload.
#[server(prefix = "/ui", endpoint = "triggers/try-payload", protocol = crate::wire::Post)]
pub async fn try_payload(trigger: TriggerId, #[server(default)] draft: TryDraft) -> Result<Tried> {
    use crate::context::{ports, viewer, wants_html};
    use crate::error::Error;
    use domain::trigger::{Config, TryOut, payload_of};
    let (ports, viewer) = (ports()?, viewer()?);
    let there = ports.triggers.get(&viewer, trigger).await.map_err(Error::respond)?;
    let draft = TryDraft {
        rules: draft.rules.replace("\r\n", "\n"),
        payload: draft.payload.replace("\r\n", "\n"),
        ..draft
    };
    let what = TryOut {
        plan_id: Some(there.plan_id),
        ignore_skip: matches!(&there.config, Config::Webhook(w) if w.ignore_skip),
        trigger_id: Some(there.id),
        ..super::wanted(&there, &draft)
    };
    let tried = match payload_of(&draft.payload) {
        Ok(payload) => {
            let payload = Some(payload);
            ports.triggers.try_out(&viewer, TryOut { payload, ..what }).await
        }
        Err(problem) => {
            // The rules are looked at as well: all mistakes at once.
            let rules = domain::trigger::check_rules(&what.rules, None);
            Err(domain::Error::Invalid {
                detail: "This cannot be tried.".into(),
                problems: std::iter::once(problem).chain(rules.problems).collect(),
            })
        }
    };
    if wants_html() {
        let page = format!("/triggers/{trigger}/try");
        let said = tried.clone().map_err(Error::Domain);
        let number = crate::shelf::put(viewer.user, &page, &(draft, said));
        leptos_axum::redirect(&format!("{page}?draft={number}#answer"));
    }
    tried.map_err(Error::respond)
}
