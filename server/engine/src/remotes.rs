//! Repositories as git is asked about them: with the secret that opens them.
//!
//! **Invariant:** a secret is opened only to be used, and its use is noted where the answer is.

use crate::auth::vault::Vault;
use crate::outgoing::git::{Credentials, Remote};
use crate::store::{Result, Store, repositories, secrets};
use domain::git::{path_of, place_of};
use domain::repository::RepositoryView;
use domain::trigger::Provider;
use domain::{ProjectId, RepositoryId};
use protocol::Proof;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Opens repositories. Cheap to clone.
#[derive(Clone)]
pub struct Remotes {
    store: Store,
    vault: Arc<Vault>,
}

/// Why one cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shut {
    /// There is no such repository.
    Gone,
    /// Its secret cannot be opened.
    Sealed,
}

impl Remotes {
    /// Over a store and the keys.
    #[must_use]
    pub fn new(store: Store, vault: Arc<Vault>) -> Self {
        Self { store, vault }
    }

    /// A repository by its id, ready to be asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_id(&self, id: RepositoryId) -> Result<std::result::Result<Remote, Shut>> {
        match repositories::one(&self.store, ProjectId::DEFAULT, id).await? {
            Some(repository) => self.of(&repository).await,
            None => Ok(Err(Shut::Gone)),
        }
    }

    /// What is at a URL, ready to be asked: with the secret of the repository that is kept under it, if one is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn at(&self, url: &str) -> Result<std::result::Result<Remote, Shut>> {
        let all = repositories::list(&self.store, ProjectId::DEFAULT).await?;
        // The oldest that has a secret, so that adding another changes nothing.
        let kept = all.iter().rev().find(|r| r.secret_id.is_some() && same(&r.url, url));
        let Some(kept) = kept else {
            return Ok(Ok(Remote::open(url)));
        };
        Ok(self.of(kept).await?.map(|remote| Remote {
            url: url.to_owned(),
            ..remote
        }))
    }

    /// What proves to the source at a URL who asks, for the agent that checks it out. A secret that cannot be opened, or is
    /// none for such a URL, proves nothing: the checkout then says what the source says.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn proof(&self, url: &str) -> Result<Option<Proof>> {
        let Some((host, port)) = place_of(url) else {
            return Ok(None);
        };
        let credentials = self.at(url).await?.ok().and_then(|remote| remote.credentials);
        let scheme = url
            .split_once("://")
            .map_or("ssh", |(scheme, _)| scheme)
            .to_ascii_lowercase();
        Ok(match (credentials, scheme.as_str()) {
            (Some(Credentials::Key { private, .. }), "ssh") => Some(Proof::Key {
                private: private.to_string(),
            }),
            (Some(token), "http" | "https") => token.header().map(|(name, value)| {
                let host = if host.contains(':') {
                    format!("[{host}]")
                } else {
                    host.to_owned()
                };
                Proof::Header {
                    below: format!("{scheme}://{host}:{port}/"),
                    header: format!("{name}: {}", value.as_str()),
                }
            }),
            _ => None,
        })
    }

    /// A repository, ready to be asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(&self, repository: &RepositoryView) -> Result<std::result::Result<Remote, Shut>> {
        let credentials = match repository.secret_id {
            None => None,
            Some(id) => {
                let locked = secrets::locked(&self.store, id).await?;
                let text = locked.and_then(|l| self.vault.text(&l));
                let Some(text) = text else {
                    return Ok(Err(Shut::Sealed));
                };
                Some(credentials(repository.provider, Zeroizing::new(text)))
            }
        };
        Ok(Ok(Remote {
            url: repository.url.clone(),
            credentials,
        }))
    }
}

/// Whether two URLs lead to one repository in one way, whoever they name as user.
fn same(one: &str, other: &str) -> bool {
    let place = |url| place_of(url).map(|(host, port)| (host.to_ascii_lowercase(), port));
    place(one).is_some() && place(one) == place(other) && path_of(one) == path_of(other)
}

/// What a secret proves: a private key is for ssh, `user:password` is both, anything else is a token.
fn credentials(provider: Provider, text: Zeroizing<String>) -> Credentials {
    if text.contains("PRIVATE KEY-----") {
        // A key that lost its last line end on the way is no key to ssh.
        let private = Zeroizing::new(format!("{}\n", text.trim_end()));
        return Credentials::Key {
            private,
            known_hosts: None,
        };
    }
    let text = text.trim();
    let (user, secret) = match text.split_once(':') {
        Some((user, secret)) if !user.is_empty() => (user.to_owned(), secret),
        // With a token forges take any of these.
        _ => match provider {
            Provider::GitHub => ("x-access-token".to_owned(), text),
            Provider::GitLab => ("oauth2".to_owned(), text),
            Provider::Gitea | Provider::Generic => ("git".to_owned(), text),
        },
    };
    Credentials::Token {
        user,
        secret: Zeroizing::new(secret.to_owned()),
    }
}

impl Shut {
    /// In words.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Gone => "The repository is gone.",
            Self::Sealed => "The secret of the repository cannot be opened; set it anew.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_by_host_port_and_path() {
        let url = "https://git.example.org/team/app.git";
        assert!(same(url, "https://mei@Git.Example.ORG/team/app"));
        assert!(!same(url, "https://git.example.org/team/other.git"));
        assert!(!same(url, "https://git.example.org:8443/team/app.git"));
        assert!(!same(url, "https://evil.example/team/app.git"));
        // The key for one way in is not the password of another.
        assert!(!same(url, "git@git.example.org:team/app.git"));
        assert!(
            !same("/srv/git/app.git", "/srv/git/app.git"),
            "what is of this machine needs no secret"
        );
    }

    #[test]
    fn a_secret_is_read_as_what_it_is() {
        let read = |provider, text: &str| match credentials(provider, Zeroizing::new(text.to_owned())) {
            Credentials::Token { user, secret } => format!("{user}/{}", secret.as_str()),
            Credentials::Key { private, .. } => format!("key {:?}", private.ends_with("-----\n")),
        };
        assert_eq!(read(Provider::GitHub, "ghp_abc\n"), "x-access-token/ghp_abc");
        assert_eq!(read(Provider::GitLab, "glpat-x"), "oauth2/glpat-x");
        assert_eq!(read(Provider::Generic, "mei:s:x"), "mei/s:x");
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----";
        assert_eq!(read(Provider::Generic, key), "key true");
    }
}
