//! What stands in the form of a trigger: texts, as forms have them, to and from what is saved.
//!
//! **Invariant:** a trigger that is opened and saved unchanged stays what it was; a secret is never in a draft.

use domain::Timestamp;
use domain::trigger::{Config, Generic, Kind, Missed, Overlap, Provider, Seen, TriggerView};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// Version it was read at; 0 for a new one.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// The id of the plan it starts.
    pub plan: String,
    /// The word of its kind.
    pub kind: String,
    /// `true` when it is on.
    pub enabled: String,
    /// Five fields.
    pub cron: String,
    /// Time zone.
    pub zone: String,
    /// `once`, `all`, `skip`.
    pub missed: String,
    /// Of `all`, at most.
    pub most: String,
    /// `queue`, `skip`, `cancel`.
    pub overlap: String,
    /// Not before, `2026-11-20T14:32` in UTC.
    pub from: String,
    /// Not after.
    pub until: String,
    /// The id of a hook, or empty for one of its own.
    pub hook: String,
    /// Who sends.
    pub provider: String,
    /// `standard`, `hmac`, `bearer`.
    pub signing: String,
    /// The header of `hmac`.
    pub header: String,
    /// `true` when `[skip ci]` counts for nothing.
    pub ignore_skip: String,
    /// `git` or `url`.
    pub look_at: String,
    /// The id of a repository, or empty for a URL that needs no credentials.
    pub repository: String,
    /// URL of a git repository.
    pub git: String,
    /// Patterns, one a line or with commas between.
    pub branches: String,
    /// Patterns.
    pub tags: String,
    /// `latest` or `each`.
    pub commits: String,
    /// URL of anything else.
    pub url: String,
    /// Where in its JSON.
    pub pointer: String,
    /// Between two looks.
    pub every: String,
    /// Ids of plans it waits for.
    pub up1: String,
    /// Another one.
    pub up2: String,
    /// And another one.
    pub up3: String,
    /// `passed`, `failed`, `any`.
    pub result: String,
    /// Pattern of a branch.
    pub up_branch: String,
    /// Rules, one a line.
    pub rules: String,
    /// Branch of its tasks.
    pub branch: String,
    /// Commit of its tasks.
    pub revision: String,
    /// `name=value`, one a line.
    pub parameters: String,
    /// −100 to 100.
    pub priority: String,
}

/// Results that are meant by `any`.
const ANY: [&str; 5] = ["passed", "failed", "aborted", "timed_out", "lost"];
/// Results that are meant by `failed`.
const FAILED: [&str; 3] = ["failed", "timed_out", "lost"];

impl Draft {
    /// What a new one begins with.
    #[must_use]
    pub fn fresh(kind: Kind) -> Self {
        Self {
            kind: kind.as_str().into(),
            enabled: "true".into(),
            cron: "H 2 * * *".into(),
            zone: "UTC".into(),
            missed: "once".into(),
            most: "10".into(),
            overlap: "queue".into(),
            provider: Provider::GitHub.as_str().into(),
            signing: "standard".into(),
            look_at: "git".into(),
            commits: "latest".into(),
            every: "1m".into(),
            result: "passed".into(),
            rules: if kind == Kind::Webhook {
                "event == push".into()
            } else {
                String::new()
            },
            priority: "0".into(),
            ..Self::default()
        }
    }

    /// A trigger as it is.
    #[must_use]
    pub fn of(t: &TriggerView) -> Self {
        let lines = |all: &[String]| all.join("\n");
        let mut draft = Self {
            version: t.version,
            name: t.name.clone(),
            plan: t.plan_id.to_string(),
            kind: t.config.kind().as_str().into(),
            enabled: if t.enabled { "true".into() } else { String::new() },
            rules: lines(&t.rules),
            branch: t.branch.clone().unwrap_or_default(),
            revision: t.revision.clone().unwrap_or_default(),
            parameters: t
                .parameters
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
                .join("\n"),
            priority: t.priority.to_string(),
            ..Self::fresh(t.config.kind())
        };
        draft.rules = lines(&t.rules);
        match &t.config {
            Config::Cron(c) => {
                (draft.cron, draft.zone, draft.most) = (c.cron.clone(), c.zone.clone(), c.most.to_string());
                draft.missed = match c.missed {
                    Missed::Once => "once",
                    Missed::All => "all",
                    Missed::Skip => "skip",
                }
                .into();
                draft.overlap = match c.overlap {
                    Overlap::Queue => "queue",
                    Overlap::Skip => "skip",
                    Overlap::Cancel => "cancel",
                }
                .into();
                (draft.from, draft.until) = (local(c.from), local(c.until));
            }
            Config::Webhook(w) => {
                draft.hook = w.hook_id.map(|h| h.to_string()).unwrap_or_default();
                draft.provider = w.provider.unwrap_or(Provider::Generic).as_str().into();
                (draft.signing, draft.header) = match &w.signing {
                    None | Some(Generic::Standard) => ("standard".into(), String::new()),
                    Some(Generic::Hmac(header)) => ("hmac".into(), header.clone()),
                    Some(Generic::Bearer) => ("bearer".into(), String::new()),
                };
                draft.ignore_skip = if w.ignore_skip { "true".into() } else { String::new() };
            }
            Config::Poll(p) => {
                draft.look_at = if p.url.is_some() { "url".into() } else { "git".into() };
                (draft.git, draft.url) = (p.git.clone().unwrap_or_default(), p.url.clone().unwrap_or_default());
                draft.repository = p.repository_id.map(|r| r.to_string()).unwrap_or_default();
                draft.pointer = p.pointer.clone().unwrap_or_default();
                (draft.branches, draft.tags, draft.every) = (lines(&p.branches), lines(&p.tags), p.every.clone());
                draft.commits = if p.commits == Seen::Each {
                    "each".into()
                } else {
                    "latest".into()
                };
            }
            Config::Upstream(u) => {
                let mut plans = u.plans.iter().map(ToString::to_string);
                draft.up1 = plans.next().unwrap_or_default();
                draft.up2 = plans.next().unwrap_or_default();
                draft.up3 = plans.next().unwrap_or_default();
                draft.result = match u.wanted().len() {
                    1 => "passed".into(),
                    3 => "failed".into(),
                    _ => "any".into(),
                };
                draft.up_branch = u.branch.clone().unwrap_or_default();
            }
        }
        draft
    }

    /// The word of its kind, read.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.parse().unwrap_or(Kind::Webhook)
    }

    /// What its kind needs to know, as the port takes it; `secret` of a hook of its own.
    #[must_use]
    pub fn config(&self, secret: &str) -> Value {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        match self.kind() {
            Kind::Cron => json!({
                "cron": self.cron.trim(), "zone": some(&self.zone).unwrap_or_else(|| "UTC".into()), "missed": self.missed,
                "overlap": self.overlap, "most": self.most.trim().parse::<u32>().unwrap_or(0),
                "from": instant(&self.from), "until": instant(&self.until),
            }),
            Kind::Webhook => {
                let hook: Option<i64> = self.hook.parse().ok();
                let ignore_skip = self.ignore_skip == "true";
                if hook.is_some() {
                    return json!({ "hook_id": hook, "ignore_skip": ignore_skip });
                }
                let signing = match self.signing.as_str() {
                    _ if self.provider != Provider::Generic.as_str() => None,
                    "hmac" => Some(json!({ "hmac": self.header.trim() })),
                    other => Some(json!(other)),
                };
                json!({ "provider": self.provider, "signing": signing, "secret": some(secret), "ignore_skip": ignore_skip })
            }
            Kind::Poll if self.look_at == "url" => {
                json!({ "url": self.url.trim(), "pointer": some(&self.pointer), "every": self.every.trim() })
            }
            Kind::Poll => {
                let repository: Option<i64> = self.repository.parse().ok();
                let git = Some(self.git.trim()).filter(|_| repository.is_none());
                json!({
                    "git": git, "repository_id": repository, "branches": words(&self.branches), "tags": words(&self.tags),
                    "commits": self.commits, "every": self.every.trim(),
                })
            }
            Kind::Upstream => {
                let plans = [&self.up1, &self.up2, &self.up3];
                let plans: Vec<i64> = plans.into_iter().filter_map(|p| p.parse().ok()).collect();
                let results: &[&str] = match self.result.as_str() {
                    "any" => &ANY,
                    "failed" => &FAILED,
                    _ => &["passed"],
                };
                json!({ "plans": plans, "results": results, "branch": some(&self.up_branch) })
            }
        }
    }

    /// The rules, one a line.
    #[must_use]
    pub fn rules(&self) -> Vec<String> {
        super::rules::lines(&self.rules)
    }

    /// The parameters by name; a line without `=` is a name without a value.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let lines = self.parameters.lines().map(str::trim).filter(|l| !l.is_empty());
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            (name.trim().to_owned(), value.trim().to_owned())
        };
        lines.map(pair).collect()
    }
}

/// One a line, or with commas between.
fn words(text: &str) -> Vec<String> {
    text.split(['\n', ','])
        .map(str::trim)
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

/// As a field of a form has it, to the minute.
fn local(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string().chars().take(16).collect())
        .unwrap_or_default()
}

fn instant(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| {
        if text.len() == 16 {
            format!("{text}:00Z")
        } else {
            text.to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::trigger::{Health, HealthState};
    use domain::{PlanId, TriggerId};

    fn view(config: Config) -> TriggerView {
        TriggerView {
            id: TriggerId(3),
            name: "n".into(),
            condition: String::new(),
            plan_id: PlanId(7),
            plan: "p".into(),
            enabled: true,
            config,
            rules: vec!["event == push".into(), "branch == main".into()],
            parameters: BTreeMap::from([("level".into(), "a=b".into())]),
            branch: None,
            revision: None,
            priority: 5,
            url: None,
            next_fire_at: None,
            last_firing: None,
            health: Health {
                state: HealthState::Well,
                said: String::new(),
                at: None,
            },
            created_at: Timestamp(0),
            version: 4,
        }
    }

    #[test]
    fn what_is_opened_and_saved_unchanged_stays_what_it_was() {
        for (kind, config) in [
            (
                Kind::Cron,
                json!({ "cron": "0 0 * * *", "zone": "Europe/Berlin", "missed": "all", "most": 3, "overlap": "cancel",
                    "from": "2026-11-20T14:32:00Z" }),
            ),
            (
                Kind::Poll,
                json!({ "git": "https://a.example/b.git", "branches": ["main", "rel/*"], "tags": ["v*"], "commits": "each", "every": "5m" }),
            ),
            (Kind::Poll, json!({ "repository_id": 4, "branches": ["main"] })),
            (
                Kind::Poll,
                json!({ "url": "https://a.example/b", "pointer": "/v", "every": "1h" }),
            ),
            (
                Kind::Upstream,
                json!({ "plans": [1, 2], "results": ["passed"], "branch": "main" }),
            ),
            (
                Kind::Upstream,
                json!({ "plans": [1], "results": ["failed", "timed_out", "lost"] }),
            ),
            (Kind::Webhook, json!({ "hook_id": 5, "ignore_skip": true })),
        ] {
            let was = Config::read(kind, &config, false).unwrap();
            let draft = Draft::of(&view(was.clone()));
            assert_eq!(Config::read(kind, &draft.config(""), false), Ok(was), "{config}");
            assert_eq!(draft.rules(), ["event == push", "branch == main"]);
            assert_eq!(
                draft.parameters(),
                BTreeMap::from([("level".to_owned(), "a=b".to_owned())])
            );
        }
    }

    #[test]
    fn what_a_new_one_begins_with_can_be_saved() {
        for kind in Kind::ALL {
            let mut draft = Draft::fresh(kind);
            (draft.git, draft.up1) = ("https://a.example/b".into(), "1".into());
            assert!(
                Config::read(kind, &draft.config(""), false).is_ok(),
                "{}",
                kind.as_str()
            );
        }
    }
}
