//! Who makes a request and from where: put into the request's extensions by `middleware::identify`.
//!
//! **Invariant:** a request with an `Authorization` header is judged by that alone; its cookies are not even read.

use super::refusal::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::Error;
use domain::auth::Viewer;
use domain::ports::{Access, Client};

/// Who makes a request.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The viewer, when they proved who they are.
    pub viewer: Option<Viewer>,
    /// What they proved it with.
    pub credential: Credential,
    /// Where from.
    pub client: Client,
}

/// What a request brought to prove who makes it.
#[derive(Clone, Default)]
pub enum Credential {
    /// Nothing, or the local socket's token.
    #[default]
    None,
    /// A session cookie's value; no `Authorization` came.
    Session(String),
    /// A Bearer token.
    Token(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Session(_) => "Session(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

impl Credential {
    /// The session cookie's value.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Session(secret) => Some(secret),
            _ => None,
        }
    }

    /// The viewer's present rights, for what lasts; `None` once the credential or the user has ended.
    ///
    /// # Errors
    /// When they cannot be looked up now.
    pub async fn present(&self, access: &dyn Access, viewer: &Viewer) -> domain::Result<Option<Viewer>> {
        match self {
            Self::Session(secret) => access.by_session(secret).await,
            Self::Token(token) => access.by_token(token).await,
            Self::None => access.refresh(viewer).await,
        }
    }
}

/// The viewer of a call that takes one; 401 without.
#[derive(Debug, Clone)]
pub struct Who(pub Viewer);

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts
            .extensions
            .get::<Identity>()
            .and_then(|i| i.viewer.clone())
            .map(Self)
            .ok_or_else(|| Error::Unauthenticated.into())
    }
}
