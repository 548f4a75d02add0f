//! Telling a forge how a commit fares: the request for GitHub, GitLab, Gitea and Forgejo, and what its answer means.
//!
//! **Invariant:** what is sent keeps to the forge's own bounds, so that a long name is no reason for a refusal; the token
//! stands apart from the rest, for the one header that may not follow a redirect. Sources: docs.github.com/rest/commits/statuses,
//! docs.gitlab.com/api/commits, the OpenAPI document of Gitea (`/swagger.v1.json`), as of 2026-11.

mod answer;
mod place;
mod sent;
#[cfg(test)]
mod tests;

pub use answer::{Told, read};
pub use place::{Place, place};
pub use sent::{Sending, SentStatus};

use crate::git::check_revision;
pub use crate::trigger::Provider;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How a commit fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum State {
    /// It waits.
    Pending,
    /// It runs.
    Running,
    /// It passed.
    Success,
    /// It failed.
    Failure,
    /// It ended without a verdict: aborted, lost.
    Error,
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

/// What a forge is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The whole id of the commit.
    pub revision: String,
    /// How it fares.
    pub state: State,
    /// Where a person reads more.
    pub target_url: String,
    /// What tells this status from others of the commit: `caracal/app`.
    pub context: String,
    /// A sentence.
    pub description: String,
    /// The branch, where known: GitLab shows the status there.
    pub branch: Option<String>,
}

/// A request as it is to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Headers, but for the credentials.
    pub headers: Vec<(&'static str, String)>,
    /// The header that proves who asks.
    pub credentials: (&'static str, String),
    /// The body, JSON.
    pub body: String,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?} {}", self.method, self.url, self.headers, self.body)
    }
}

/// Most characters that forges take of a context, a description, a URL.
struct Bounds {
    context: usize,
    description: usize,
    url: usize,
}

/// The request that tells a forge of a status.
///
/// # Errors
/// One sentence, when the provider has no such thing or the commit is none.
pub fn request(provider: Provider, place: &Place, status: &Status, token: &str) -> Result<Request, String> {
    check_revision(&status.revision)?;
    let (api, path, revision) = (&place.api, &place.path, &status.revision);
    let mut headers = vec![("content-type", "application/json".to_owned())];
    let (url, credentials, body) = match provider {
        Provider::GitHub => {
            headers.push(("accept", "application/vnd.github+json".into()));
            headers.push(("x-github-api-version", "2022-11-28".into()));
            let url = format!("{api}/repos/{}/statuses/{revision}", segments(path));
            let bounds = Bounds {
                context: 255,
                description: 140,
                url: 2_000,
            };
            let body = fields(status, &bounds, "context");
            (url, ("authorization", format!("Bearer {token}")), body)
        }
        Provider::Gitea => {
            headers.push(("accept", "application/json".into()));
            let url = format!("{api}/repos/{}/statuses/{revision}", segments(path));
            let bounds = Bounds {
                context: 255,
                description: 255,
                url: 2_000,
            };
            let body = fields(status, &bounds, "context");
            (url, ("authorization", format!("token {token}")), body)
        }
        Provider::GitLab => {
            headers.push(("accept", "application/json".into()));
            let url = format!("{api}/projects/{}/statuses/{revision}", escaped(path));
            let bounds = Bounds {
                context: 255,
                description: 255,
                url: 255,
            };
            let mut body = fields(status, &bounds, "name");
            if let Some(branch) = &status.branch {
                body.insert("ref".into(), json!(branch));
            }
            (url, ("private-token", token.to_owned()), body)
        }
        Provider::Generic => {
            return Err(
                "only GitHub, GitLab, Gitea and Forgejo take the status of a commit: set the repository's provider"
                    .into(),
            );
        }
    };
    let mut body = body;
    body.insert("state".into(), json!(word(provider, status.state)));
    Ok(Request {
        method: "POST",
        url,
        headers,
        credentials,
        body: Value::Object(body).to_string(),
    })
}

/// A forge's own word for a state.
#[must_use]
pub fn word(provider: Provider, state: State) -> &'static str {
    let lab = provider == Provider::GitLab;
    match state {
        State::Pending => "pending",
        State::Running if lab => "running",
        // The others know no running: what it does is in the description.
        State::Running => "pending",
        State::Success => "success",
        State::Failure if lab => "failed",
        State::Failure => "failure",
        State::Error if lab => "canceled",
        State::Error => "error",
    }
}

fn fields(status: &Status, bounds: &Bounds, name: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert(name.into(), json!(short(&status.context, bounds.context)));
    fields.insert(
        "description".into(),
        json!(short(&status.description, bounds.description)),
    );
    // Half an address leads nowhere.
    if !status.target_url.is_empty() && status.target_url.chars().count() <= bounds.url {
        fields.insert("target_url".into(), json!(status.target_url));
    }
    fields
}

/// At most so many characters.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most - 1).collect();
    cut.push('…');
    cut
}

/// A path as one part of a URL.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// A path, its parts escaped.
fn segments(path: &str) -> String {
    path.split('/').map(escaped).collect::<Vec<_>>().join("/")
}
