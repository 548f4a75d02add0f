//! Repositories: source URLs with what opens them and how they were when last asked.
//!
//! **Invariant:** credentials are a secret, named and never shown; a URL holds none.

use crate::health::Health;
use crate::secret::SecretValue;
use crate::trigger::{Provider, name_problem};
use crate::{Problem, RepositoryId, SecretId, Timestamp, git};
use serde::{Deserialize, Serialize};

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepositoryView {
    /// Its id.
    pub id: RepositoryId,
    /// Its name, unique in the project.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Which forge it is at; `generic` for none.
    pub provider: Provider,
    /// Where the forge's API begins, when that is not to be read off the URL.
    pub api: Option<String>,
    /// The secret that opens it: a token, `user:password`, or a private key for ssh.
    pub secret_id: Option<SecretId>,
    /// How it was when it was last asked.
    pub health: Health,
    /// Why it is not healthy, one sentence.
    pub said: Option<String>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// When it was last asked.
    pub asked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Rises with each save; name it when you save.
    pub version: i64,
}

/// A repository to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRepository {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Which forge it is at; read off the host when absent.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Where the forge's API begins.
    #[serde(default)]
    pub api: Option<String>,
    /// A secret of the project that opens it.
    #[serde(default)]
    pub secret_id: Option<SecretId>,
    /// What opens it, kept as a secret of its own; instead of `secret_id`.
    #[serde(default)]
    pub secret: Option<SecretValue>,
}

/// A save of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PutRepository {
    /// The version it was read at; a stale one is refused with 409.
    pub version: i64,
    /// Its name; unchanged when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it is; unchanged when absent.
    #[serde(default)]
    pub url: Option<String>,
    /// Which forge it is at; unchanged when absent.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Where the forge's API begins; unchanged when absent, none when empty.
    #[serde(default)]
    pub api: Option<String>,
    /// A secret that opens it; unchanged when absent, none when 0.
    #[serde(default)]
    pub secret_id: Option<SecretId>,
    /// What opens it from now on, instead of `secret_id`. The secret it has is set anew when nothing else uses that; else
    /// one of its own is made.
    #[serde(default)]
    pub secret: Option<SecretValue>,
}

/// What has to do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RepositoryUserKind {
    /// A trigger that looks at it.
    Trigger,
    /// A plan whose source it is.
    Plan,
    /// A hook that is delivered to for it: a trigger that listens there starts a plan whose source it is.
    Hook,
}

impl RepositoryUserKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Plan => "plan",
            Self::Hook => "hook",
        }
    }
}

/// One that has to do with a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepositoryUser {
    /// The repository.
    pub repository_id: RepositoryId,
    /// What it is.
    pub kind: RepositoryUserKind,
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether it names the repository itself, which then cannot be removed; else its URL is that of the same place.
    pub named: bool,
}

/// What a test of a connection found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Connection {
    /// How it is.
    pub health: Health,
    /// In words: how many branches and tags there are, or why they cannot be read.
    pub said: String,
    /// The branch that is checked out when none is named.
    pub default_branch: Option<String>,
    /// Some of its branches, by name.
    pub branches: Vec<String>,
}

/// Whether two URLs are those of one repository, whatever way leads there.
#[must_use]
pub fn same_place(a: &str, b: &str) -> bool {
    if git::is_local(a) && git::is_local(b) {
        return git::path_of(a) == git::path_of(b);
    }
    let host = |url| git::place_of(url).map(|(host, _)| host.to_ascii_lowercase());
    host(a).is_some() && host(a) == host(b) && git::path_of(a).eq_ignore_ascii_case(git::path_of(b))
}

/// The forge that a URL's host tells of.
#[must_use]
pub fn provider_of(url: &str) -> Provider {
    let host = git::place_of(url).map_or(String::new(), |(host, _)| host.to_ascii_lowercase());
    let named = |part: &str| host.split('.').any(|label| label == part);
    match () {
        () if named("github") => Provider::GitHub,
        () if named("gitlab") => Provider::GitLab,
        () if named("gitea") || named("forgejo") || named("codeberg") => Provider::Gitea,
        () => Provider::Generic,
    }
}

/// What is wrong with the parts of a repository, each at its field.
#[must_use]
pub fn problems(name: &str, url: &str, api: Option<&str>, allow_local: bool) -> Vec<Problem> {
    let mut found: Vec<Problem> = name_problem(name)
        .map(|why| Problem::field("name", why))
        .into_iter()
        .collect();
    if let Err(why) = git::check_url(url, allow_local) {
        found.push(Problem::field("url", why));
    }
    if let Some(api) = api.filter(|a| !a.is_empty()) {
        let http = api.starts_with("https://") || allow_local && api.starts_with("http://");
        if !http || api.len() > 2_000 || api.chars().any(|c| c.is_control() || c.is_whitespace()) {
            found.push(Problem::field("api", "The address of an API begins with `https://`."));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_of_forges() {
        for (url, provider) in [
            ("https://github.com/a/b.git", Provider::GitHub),
            ("git@gitlab.example.org:a/b.git", Provider::GitLab),
            ("ssh://git@codeberg.org/a/b", Provider::Gitea),
            ("https://git.example.org/gitlab/b", Provider::Generic),
            ("/srv/git/github/app.git", Provider::Generic),
        ] {
            assert_eq!(provider_of(url), provider, "{url}");
        }
    }

    #[test]
    fn one_repository_has_many_addresses() {
        for (a, b, want) in [
            ("https://git.example/A/b.git", "git@git.example:a/b", true),
            ("ssh://git@git.example/a/b", "https://git.example/a/b/", true),
            ("https://git.example/a/b", "https://git.example/a/c", false),
            ("https://git.example/a/b", "https://other.example/a/b", false),
            ("/srv/git/a.git", "file:///srv/git/a/", true),
            ("/srv/git/a", "/srv/git/A", false),
            ("/srv/git/a", "https://git.example/srv/git/a", false),
        ] {
            assert_eq!(same_place(a, b), want, "{a} {b}");
        }
    }

    #[test]
    fn mistakes_are_told_at_their_fields() {
        let found = problems("", "https://u:p@a.example/b", Some("ftp://x"), false);
        let paths: Vec<&str> = found.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(paths, ["name", "url", "api"]);
        assert_eq!(problems("a", "/srv/a.git", Some("http://127.0.0.1/api"), true), []);
    }
}
