//! What a forge tells of: one event, in the words of rules, whichever forge it was.
//!
//! **Invariant:** reading is the same in server and browser, so that a dry run is no guess; what a payload does not say stays
//! unsaid. Sources: the forges' own documentation of their webhooks, as of 2026-11.

mod github;
mod gitlab;
mod payload;
#[cfg(test)]
mod tests;

pub use crate::trigger::Provider;
pub use payload::at as payload_at;

use crate::rule::Facts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `push`, `tag`, `pull_request`, `release`, `delete`, `ping`, else as the forge calls it.
    pub kind: String,
    /// Of pull requests and releases: `opened`, `reopened`, `synchronised`, `published`, else as the forge calls it.
    pub action: Option<String>,
    /// The branch that was pushed, or that a pull request comes from.
    pub branch: Option<String>,
    /// The branch that a pull request is to go to.
    pub target: Option<String>,
    /// The tag, of tags and releases.
    pub tag: Option<String>,
    /// The commit that it is about.
    pub revision: Option<String>,
    /// Its message; a pull request's or release's title where the forge does not say.
    pub message: Option<String>,
    /// Who did it, by the name the forge knows them by.
    pub author: Option<String>,
    /// Changed files, sorted, each once; none where the forge does not say.
    pub paths: Vec<String>,
    /// The repository, as `group/name`.
    pub repository: Option<String>,
    /// Number of a pull request.
    pub number: Option<u64>,
    /// Whether it comes from another repository than the one it is to go to; unknown counts as so.
    pub fork: bool,
    /// The repository that a pull request comes from, as `group/name`, where the forge says it.
    #[serde(default)]
    pub from: Option<String>,
    /// All that was sent.
    pub payload: Value,
}

/// Words in a commit's message by which its author asks for nothing to be started.
const SKIP: [&str; 4] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip caracal]"];

/// Keys that rules may compare, beside `payload.` and what follows.
pub const KEYS: [&str; 10] = [
    "event",
    "action",
    "branch",
    "target",
    "tag",
    "path",
    "message",
    "author",
    "repository",
    "fork",
];

impl Event {
    /// Reads a payload; `name` is the header by which a forge says what it is.
    ///
    /// # Errors
    /// A sentence, when it lacks what such an event always has.
    pub fn read(provider: Provider, name: Option<&str>, payload: Value) -> Result<Self, String> {
        let mut event = match provider {
            Provider::GitHub | Provider::Gitea => github::read(name.unwrap_or_default(), &payload)?,
            Provider::GitLab => gitlab::read(&payload)?,
            Provider::Generic => Self {
                kind: payload_at(&payload, "event")
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| "webhook".into()),
                fork: true,
                ..Self::default()
            },
        };
        event.paths.sort();
        event.paths.dedup();
        event.payload = payload;
        Ok(event)
    }

    /// Whose change it is, when it is of a repository that is not ours: anybody may open a pull request from a fork.
    #[must_use]
    pub fn stranger(&self) -> Option<&str> {
        let theirs = self.fork && matches!(self.kind.as_str(), "pull_request" | "upstream");
        theirs.then(|| self.from.as_deref().unwrap_or("a repository that is gone"))
    }

    /// The words by which its author asks for nothing to be started.
    #[must_use]
    pub fn skips(&self) -> Option<&'static str> {
        let message = self.message.as_ref()?.to_lowercase();
        SKIP.into_iter().find(|word| message.contains(word))
    }
}

impl Facts for Event {
    fn values(&self, key: &str) -> Vec<String> {
        if let Some(path) = key.strip_prefix("payload.") {
            return payload_at(&self.payload, path);
        }
        let one = |value: &Option<String>| value.iter().cloned().collect();
        match key {
            "event" => vec![self.kind.clone()],
            "action" => one(&self.action),
            "branch" => one(&self.branch),
            "target" => one(&self.target),
            "tag" => one(&self.tag),
            "path" => self.paths.clone(),
            "message" => one(&self.message),
            "author" => one(&self.author),
            "repository" => one(&self.repository),
            "fork" => vec![self.fork.to_string()],
            _ => Vec::new(),
        }
    }
}

/// What every forge says of a push alike: which ref it moved, and to where.
fn pushed(p: &Value) -> Result<Event, String> {
    let name = needed(p, "/ref", "push")?;
    // Zeros are the other side of a ref that was made or removed.
    let revision = Some(needed(p, "/after", "push")?).filter(|r| !r.bytes().all(|b| b == b'0'));
    let tag = name.strip_prefix("refs/tags/").map(str::to_owned);
    let branch = name.strip_prefix("refs/heads/").unwrap_or(&name);
    let kind = match (&tag, &revision) {
        (_, None) => "delete",
        (Some(_), Some(_)) => "tag",
        (None, Some(_)) => "push",
    };
    Ok(Event {
        kind: kind.into(),
        branch: tag.is_none().then(|| branch.to_owned()),
        tag,
        revision,
        ..Event::default()
    })
}

/// A text somewhere in a payload, by JSON Pointer (RFC 6901); an empty one counts as none.
fn text(value: &Value, pointer: &str) -> Option<String> {
    let found = value.pointer(pointer)?.as_str()?;
    (!found.is_empty()).then(|| found.to_owned())
}

/// The same, which must be there.
fn needed(value: &Value, pointer: &str, what: &str) -> Result<String, String> {
    text(value, pointer).ok_or_else(|| {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        format!("The payload is no {what}: it has no `{field}`.")
    })
}

/// Files that commits say they changed.
fn changed(commits: Option<&Value>) -> Vec<String> {
    let commits = commits.and_then(Value::as_array).into_iter().flatten();
    let lists = commits.flat_map(|c| ["added", "modified", "removed"].map(|l| c.get(l)));
    let files = lists.flatten().filter_map(Value::as_array).flatten();
    files.filter_map(Value::as_str).map(str::to_owned).collect()
}
