//! Who may do what: roles as grants, token scopes, and the one function that decides.
//!
//! **Invariant:** `authorize` denies by default, and a token never allows more than its user's present role.

use crate::{Error, ProjectId, Result, UserId};
use serde::{Deserialize, Serialize};

/// A role in a project; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads plans, tasks, consoles, agents.
    Viewer,
    /// Also runs, aborts, reruns, fires.
    Runner,
    /// Also writes plans, triggers, hooks, repositories, secrets.
    Editor,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: &'static [Self] = &[Self::Viewer, Self::Runner, Self::Editor, Self::Admin];
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Runner => "runner",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(s: &str) -> std::result::Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|r| r.as_str() == s)
            .ok_or_else(|| format!("`{s}` is not a role: use viewer, runner, editor or admin"))
    }
}

/// What a token may be used for. No scope given means all that the role allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// Reading.
    Read,
    /// Running, aborting, rerunning, firing.
    Run,
    /// Writing plans and what belongs to them.
    Write,
    /// Administration.
    Admin,
    /// Scraping `/metrics`.
    Metrics,
}

impl TokenScope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[Self::Read, Self::Run, Self::Write, Self::Admin, Self::Metrics];
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Metrics => "metrics",
        }
    }
}

impl std::str::FromStr for TokenScope {
    type Err = String;
    fn from_str(s: &str) -> std::result::Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|r| r.as_str() == s)
            .ok_or_else(|| format!("`{s}` is not a scope: use read, run, write, admin or metrics"))
    }
}

/// A role given to a user, in one project or in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grant {
    /// `null` for every project.
    pub project: Option<ProjectId>,
    /// The role.
    pub role: Role,
}

/// How a viewer came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A browser session.
    Session,
    /// An API token.
    Token,
    /// The local command line, over the data folder's socket.
    Cli,
}

/// The authenticated identity that makes a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// The user.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their present grants.
    pub grants: Vec<Grant>,
    /// The token's scopes; `None` when there is no token or it was made without scopes.
    pub scopes: Option<Vec<TokenScope>>,
    /// How they came in.
    pub via: Via,
    /// Rises whenever the user's rights change; sockets compare it.
    pub authz_epoch: i64,
}

/// What is about to be done, by what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Look at something.
    Read,
    /// Run, abort, rerun, fire.
    Run,
    /// Change what is run.
    Write,
    /// Users, agents, settings.
    Administer,
    /// Scrape figures.
    Metrics,
}

/// On what it is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The project; `None` for what belongs to the whole server.
    pub project: Option<ProjectId>,
    /// What it is, for the sentence of a refusal: `plan 12`, `the agents`.
    pub object: &'a str,
}

impl<'a> Scope<'a> {
    /// Something of the one project.
    #[must_use]
    pub fn default_project(object: &'a str) -> Self {
        Self {
            project: Some(ProjectId::DEFAULT),
            object,
        }
    }
    /// Something of the whole server.
    #[must_use]
    pub fn server(object: &'a str) -> Self {
        Self { project: None, object }
    }
}

impl Action {
    /// The least role that may do it.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Run => Role::Runner,
            Self::Write => Role::Editor,
            Self::Administer | Self::Metrics => Role::Admin,
        }
    }
    /// The token scope that covers it.
    #[must_use]
    pub fn scope(self) -> TokenScope {
        match self {
            Self::Read => TokenScope::Read,
            Self::Run => TokenScope::Run,
            Self::Write => TokenScope::Write,
            Self::Administer => TokenScope::Admin,
            Self::Metrics => TokenScope::Metrics,
        }
    }
}

impl Viewer {
    /// The role in a project, the highest of the grants that reach it.
    #[must_use]
    pub fn role(&self, project: Option<ProjectId>) -> Option<Role> {
        self.grants
            .iter()
            .filter(|g| g.project.is_none() || (project.is_some() && g.project == project))
            .map(|g| g.role)
            .max()
    }

    /// Whether `authorize` would let it pass; for leaving out buttons, never instead of `authorize`.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        authorize(self, action, Scope::default_project("this")).is_ok()
    }
}

/// Decides whether the viewer may do this to that. The only such decision in the product.
///
/// # Errors
/// `NotFound` when they may not even look (so that ids tell nothing); `Forbidden` with the role or scope that it takes.
pub fn authorize(viewer: &Viewer, action: Action, scope: Scope<'_>) -> Result<()> {
    let Some(role) = viewer.role(scope.project) else {
        return Err(Error::NotFound(capital(scope.object)));
    };
    if action == Action::Metrics && viewer.scopes.as_ref().is_some_and(|s| s.contains(&TokenScope::Metrics)) {
        return Ok(());
    }
    if role < action.role() {
        return Err(Error::Forbidden(format!(
            "This takes the role {} on {}; you have {role}.",
            action.role(),
            scope.object
        )));
    }
    if let Some(scopes) = &viewer.scopes {
        let wanted = action.scope();
        // Whoever may write or run may also look at what comes of it; administration covers all.
        let covered = scopes.contains(&TokenScope::Admin) && wanted != TokenScope::Metrics
            || scopes.contains(&wanted)
            || wanted == TokenScope::Read && scopes.iter().any(|s| matches!(s, TokenScope::Run | TokenScope::Write));
        if !covered {
            return Err(Error::Forbidden(format!(
                "This token lacks the scope `{}`.",
                wanted.as_str()
            )));
        }
    }
    Ok(())
}

fn capital(s: &str) -> String {
    let mut c = s.chars();
    c.next()
        .map(|f| f.to_uppercase().chain(c).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(role: Role, scopes: Option<Vec<TokenScope>>) -> Viewer {
        Viewer {
            user: UserId(1),
            name: "ana".into(),
            grants: vec![Grant { project: None, role }],
            scopes,
            via: Via::Token,
            authz_epoch: 0,
        }
    }

    #[test]
    fn every_role_does_what_its_row_says_and_no_more() {
        for (role, allowed) in [
            (Role::Viewer, &[Action::Read][..]),
            (Role::Runner, &[Action::Read, Action::Run]),
            (Role::Editor, &[Action::Read, Action::Run, Action::Write]),
            (
                Role::Admin,
                &[
                    Action::Read,
                    Action::Run,
                    Action::Write,
                    Action::Administer,
                    Action::Metrics,
                ],
            ),
        ] {
            for action in [
                Action::Read,
                Action::Run,
                Action::Write,
                Action::Administer,
                Action::Metrics,
            ] {
                let got = authorize(&viewer(role, None), action, Scope::default_project("plan 1")).is_ok();
                assert_eq!(got, allowed.contains(&action), "{role} {action:?}");
            }
        }
    }

    #[test]
    fn a_scope_narrows_and_never_widens() {
        let read = Some(vec![TokenScope::Read]);
        let s = Scope::default_project("plan 1");
        assert!(authorize(&viewer(Role::Admin, read.clone()), Action::Read, s).is_ok());
        assert!(authorize(&viewer(Role::Admin, read), Action::Run, s).is_err());
        assert!(authorize(&viewer(Role::Viewer, Some(vec![TokenScope::Admin])), Action::Write, s).is_err());
    }

    #[test]
    fn without_a_grant_nothing_exists() {
        let mut v = viewer(Role::Admin, None);
        v.grants[0].project = Some(ProjectId(7));
        let got = authorize(&v, Action::Read, Scope::default_project("plan 1"));
        assert_eq!(got, Err(Error::NotFound("Plan 1".into())));
        assert!(authorize(&v, Action::Administer, Scope::server("the users")).is_err());
    }
}
