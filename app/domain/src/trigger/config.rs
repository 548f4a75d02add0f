//! What each kind of trigger needs to know.
//!
//! **Invariant:** every mistake is told at its field, all at once; what is absent has the default that most people want.

use super::{HookWish, Provider};
use crate::git::check_url;
use crate::secret::SecretValue;
use crate::status::TaskStatus;
use crate::{HookId, PlanId, Problem, RepositoryId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Looks at a source from time to time.
    Poll,
    /// At given times.
    Cron,
    /// When somebody calls.
    Webhook,
    /// When a task of another plan has ended.
    Upstream,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Poll, Self::Cron, Self::Webhook, Self::Upstream];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Cron => "cron",
            Self::Webhook => "webhook",
            Self::Upstream => "upstream",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = crate::status::UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|k| k.as_str() == s);
        found.ok_or_else(|| crate::status::UnknownWord(s.into()))
    }
}

/// A kind with what it needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", content = "config", rename_all = "lowercase")]
pub enum Config {
    /// Looks at a source.
    Poll(Poll),
    /// At given times.
    Cron(Cron),
    /// When somebody calls.
    Webhook(Webhook),
    /// When a task of another plan has ended.
    Upstream(Upstream),
}

/// Of a poll: one of `git`, `repository_id` and `url`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// URL of a git repository that needs no credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<String>,
    /// A repository, with its credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_id: Option<RepositoryId>,
    /// URL of anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of a URL: where in its JSON the value stands that is compared (RFC 6901); the whole body when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Patterns of branches; all when this and `tags` are empty.
    #[serde(default)]
    pub branches: Vec<String>,
    /// Patterns of tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether it fires for the newest commit or for each.
    #[serde(default)]
    pub commits: Seen,
    /// Between two looks, as `30s`, `5m`, `1h`; a minute when absent.
    #[serde(default = "minute")]
    pub every: String,
}

/// Which commits a poll fires for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// The newest, whatever lies between.
    #[default]
    Latest,
    /// Each that came since the last look.
    Each,
}

/// Of a cron.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Cron {
    /// Five fields, with names, `L`, `#`, `W` and `H`.
    pub cron: String,
    /// A time zone of the IANA's list; UTC when absent.
    #[serde(default = "utc")]
    pub zone: String,
    /// What becomes of times at which the server was down.
    #[serde(default)]
    pub missed: Missed,
    /// Of `all`: at most so many, the newest; 10 when absent.
    #[serde(default = "ten")]
    pub most: u32,
    /// What happens while its last task has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// Not before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Not after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What becomes of times that were missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// One task for all of them.
    #[default]
    Once,
    /// A task each, oldest first.
    All,
    /// Nothing; it is noted.
    Skip,
}

/// What happens while the last task has not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The new one starts when that has ended.
    #[default]
    Queue,
    /// Nothing; it is noted.
    Skip,
    /// That one is aborted, the new one starts.
    Cancel,
}

/// Of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The hook it listens to; one of its own is made when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_id: Option<HookId>,
    /// Who sends, of a hook of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// How a sender that is none of the forges signs, of a hook of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Generic>,
    /// The secret both sides know, of a hook of its own; a fresh one is made and shown once when absent.
    #[serde(default, skip_serializing)]
    pub secret: Option<SecretValue>,
    /// Starts something even for commits whose message asks for nothing (`[skip ci]`).
    #[serde(default)]
    pub ignore_skip: bool,
}

/// How a sender that is none of the forges signs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Generic {
    /// Standard Webhooks.
    #[default]
    Standard,
    /// HMAC-SHA256 of the body, in this header.
    Hmac(String),
    /// The secret as `Authorization: Bearer …`.
    Bearer,
}

/// Of an upstream trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The plans whose tasks it waits for. With several, all of them must have ended so at the same revision.
    pub plans: Vec<PlanId>,
    /// With which of these; passed when empty.
    #[serde(default)]
    pub results: Vec<TaskStatus>,
    /// On a branch that matches; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

fn minute() -> String {
    "1m".into()
}

fn utc() -> String {
    "UTC".into()
}

const fn ten() -> u32 {
    10
}

impl Config {
    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Poll(_) => Kind::Poll,
            Self::Cron(_) => Kind::Cron,
            Self::Webhook(_) => Kind::Webhook,
            Self::Upstream(_) => Kind::Upstream,
        }
    }

    /// Reads what somebody wrote for a kind, and checks it. `allow_local` as of sources.
    ///
    /// # Errors
    /// Everything that is wrong, below `config`.
    pub fn read(kind: Kind, given: &Value, allow_local: bool) -> Result<Self, Vec<Problem>> {
        let config = Self::shaped(kind, given)?;
        let problems = match &config {
            Self::Poll(poll) => poll.problems(allow_local),
            Self::Cron(cron) => cron.problems(),
            Self::Webhook(hook) => hook.problems(),
            Self::Upstream(up) => up.problems(),
        };
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Reads what was saved.
    ///
    /// # Errors
    /// What does not read.
    pub fn shaped(kind: Kind, given: &Value) -> Result<Self, Vec<Problem>> {
        let empty = Value::Object(serde_json::Map::new());
        let given = if given.is_null() { &empty } else { given };
        let wrong =
            |e: serde_json::Error| vec![Problem::field("config", format!("This is no {}: {e}.", kind.as_str()))];
        match kind {
            Kind::Poll => Poll::deserialize(given).map(Self::Poll),
            Kind::Cron => Cron::deserialize(given).map(Self::Cron),
            Kind::Webhook => Webhook::deserialize(given).map(Self::Webhook),
            Kind::Upstream => Upstream::deserialize(given).map(Self::Upstream),
        }
        .map_err(wrong)
    }

    /// As it is saved.
    #[must_use]
    pub fn saved(&self) -> Value {
        let value = match self {
            Self::Poll(c) => serde_json::to_value(c),
            Self::Cron(c) => serde_json::to_value(c),
            Self::Webhook(c) => serde_json::to_value(c),
            Self::Upstream(c) => serde_json::to_value(c),
        };
        value.unwrap_or_default()
    }
}

impl Poll {
    /// Milliseconds between two looks.
    #[must_use]
    pub fn every_ms(&self) -> Option<i64> {
        crate::time::parse_duration(&self.every).ok()
    }

    fn problems(&self, allow_local: bool) -> Vec<Problem> {
        let mut found = Vec::new();
        let sources = [self.git.is_some(), self.repository_id.is_some(), self.url.is_some()];
        if sources.iter().filter(|s| **s).count() != 1 {
            let mut problem = Problem::field("config", "A poll looks at one source.");
            problem.hint = Some("Give one of `git`, `repository_id` and `url`.".into());
            found.push(problem);
        }
        if let Some(Err(why)) = self.git.as_ref().map(|url| check_url(url, allow_local)) {
            found.push(Problem::field("config.git", format!("{}.", capital(&why))));
        }
        if let Some(url) = &self.url {
            let http = url.starts_with("https://") || allow_local && url.starts_with("http://");
            if !http || url.len() > 2_000 || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
                found.push(Problem::field(
                    "config.url",
                    "A URL that is polled begins with `https://`.",
                ));
            }
        }
        if self
            .pointer
            .as_ref()
            .is_some_and(|p| !p.is_empty() && !p.starts_with('/'))
        {
            let mut problem = Problem::field("config.pointer", "A JSON pointer begins with `/`.");
            problem.hint = Some("As in `/releases/0/version`.".into());
            found.push(problem);
        }
        match self.every_ms() {
            None => {
                let mut problem = Problem::field("config.every", format!("`{}` is no length of time.", self.every));
                problem.hint = Some("As in `30s`, `5m`, `1h`.".into());
                found.push(problem);
            }
            Some(ms) if !(1_000..=31 * 86_400_000).contains(&ms) => {
                found.push(Problem::field(
                    "config.every",
                    "A poll looks once a second at most, and once a month at least.",
                ));
            }
            Some(_) => {}
        }
        if self.url.is_some() && (!self.branches.is_empty() || !self.tags.is_empty()) {
            found.push(Problem::field(
                "config.branches",
                "What lies at a URL has no branches and no tags.",
            ));
        }
        for (field, patterns) in [("branches", &self.branches), ("tags", &self.tags)] {
            if patterns.len() > 50 || patterns.iter().any(|p| p.is_empty() || p.len() > 240) {
                let path = format!("config.{field}");
                found.push(Problem::field(
                    path,
                    "At most 50 patterns, each of 1 to 240 characters.",
                ));
            }
        }
        found
    }
}

impl Cron {
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        #[cfg(feature = "cron")]
        if let Err(more) = crate::cron::Schedule::parse(&self.cron, &self.zone, 0) {
            let below = |p: Problem| Problem {
                path: format!("config.{}", p.path),
                ..p
            };
            found.extend(more.into_iter().map(below));
        }
        if !(1..=100).contains(&self.most) {
            found.push(Problem::field(
                "config.most",
                "At least 1 and at most 100 missed times are made good.",
            ));
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until <= from
        {
            found.push(Problem::field("config.until", "It ends before it begins."));
        }
        found
    }
}

impl Webhook {
    /// The hook that is wished for.
    #[must_use]
    pub fn hook(&self) -> HookWish {
        match self.hook_id {
            Some(id) => HookWish::There(id),
            None => HookWish::Own(self.secret.clone()),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let own = self.provider.is_some() || self.signing.is_some() || self.secret.is_some();
        if self.hook_id.is_some() && own {
            let why = "Provider, signing and secret are the hook's; change them there, or leave `hook_id` out.";
            found.push(Problem::field("config.hook_id", why));
        }
        if self.hook_id.is_none() && self.provider.is_none() {
            let mut problem = Problem::field("config.provider", "Say who sends, or name a hook.");
            problem.hint = Some("`github`, `gitlab`, `gitea` or `generic`; or `hook_id`.".into());
            found.push(problem);
        }
        found.extend(super::hook::problems(
            "config.",
            self.provider,
            self.signing.as_ref(),
            self.secret.as_ref(),
        ));
        found
    }
}

impl Upstream {
    /// The results it waits for.
    #[must_use]
    pub fn wanted(&self) -> &[TaskStatus] {
        if self.results.is_empty() {
            &[TaskStatus::Passed]
        } else {
            &self.results
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut plans = self.plans.clone();
        plans.sort_unstable();
        plans.dedup();
        if plans.is_empty() || plans.len() > 20 || plans.len() != self.plans.len() {
            found.push(Problem::field("config.plans", "Name 1 to 20 plans, each once."));
        }
        if let Some(one) = self.results.iter().find(|r| !r.ended()) {
            let why = format!("`{one}` is no end: a task ends passed, failed, aborted, timed_out, lost or skipped.");
            found.push(Problem::field("config.results", why));
        }
        if let Some(pattern) = &self.branch
            && (pattern.is_empty() || pattern.len() > 240)
        {
            found.push(Problem::field("config.branch", "A pattern has 1 to 240 characters."));
        }
        found
    }
}

/// With a capital first letter.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
