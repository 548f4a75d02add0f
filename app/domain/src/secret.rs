//! Secrets as people and programs see them: everything but the value.
//!
//! **Invariant:** a value goes in and never comes out; it is shown by no `Debug` and in no answer.

use crate::{PlanId, SecretId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most bytes of a value.
pub const MOST: usize = 64 * 1024;

/// A value on its way in.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretValue(pub String);

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretView {
    /// Its id.
    pub id: SecretId,
    /// Its name, as plans name it.
    pub name: String,
    /// The plan whose alone it is; absent for one of the project.
    pub plan: Option<SecretPlan>,
    /// When it was set last.
    pub set_at: Timestamp,
    /// By whom.
    pub set_by: String,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// Rises each time it is set; name it when you set it anew.
    pub version: i64,
}

/// What uses a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SecretUserKind {
    /// A repository: it is opened with the secret.
    Repository,
    /// A hook: deliveries are judged by it.
    Hook,
    /// A hook that is being given another one: deliveries are judged by this one too.
    Rotating,
}

/// One that uses a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretUser {
    /// What it is.
    pub kind: SecretUserKind,
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// The plan of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretPlan {
    /// Its id.
    pub id: PlanId,
    /// Its name.
    pub name: String,
}

/// A secret to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Capitals, digits and `_`, as of an environment variable.
    pub name: String,
    /// The plan whose alone it is to be; the project's when absent.
    #[serde(default)]
    pub plan_id: Option<PlanId>,
    /// The value, at most 64 KiB.
    pub value: SecretValue,
}

/// A secret set anew.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetSecret {
    /// The version it was read at.
    pub version: i64,
    /// The value, at most 64 KiB.
    pub value: SecretValue,
}

/// What a new master key did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyRotation {
    /// Secrets that are under the new key now.
    pub moved: u64,
    /// Those that do not open; they, and the key they are under, stay as they were.
    pub unreadable: Vec<UnreadableSecret>,
}

/// A secret that does not open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnreadableSecret {
    /// Its id.
    pub id: SecretId,
    /// Its name.
    pub name: String,
    /// The plan whose alone it is; absent for one of the project.
    pub plan: Option<SecretPlan>,
    /// Why not.
    pub why: String,
    /// What uses it, in words.
    pub used_by: Vec<String>,
}

/// A value that a person gave: the line's end behind a single line is that of a terminal or of a paste. A text of several
/// lines, a key file say, stays as it is.
#[must_use]
pub fn without_line_end(text: &str) -> &str {
    let single = text.strip_suffix('\n').map(|t| t.strip_suffix('\r').unwrap_or(t));
    single.filter(|t| !t.contains('\n')).unwrap_or(text)
}

/// What is wrong with a name; `None` when nothing is.
#[must_use]
pub fn name_problem(name: &str) -> Option<&'static str> {
    let word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match name.chars().next() {
        None => Some("A secret needs a name."),
        Some(c) if c.is_ascii_digit() => Some("A secret's name begins with a capital letter or `_`."),
        _ if !name.chars().all(word) => {
            Some("A secret's name has capital letters, digits and `_`, as in `DEPLOY_KEY`.")
        }
        _ if name.len() > 100 => Some("A secret's name has at most 100 characters."),
        _ if name.starts_with("CARACAL_") => Some("Names that begin with `CARACAL_` are ours."),
        _ => None,
    }
}

/// What is wrong with a value; `None` when nothing is.
#[must_use]
pub fn value_problem(value: &SecretValue) -> Option<&'static str> {
    match &value.0 {
        v if v.is_empty() => Some("A secret needs a value."),
        v if v.len() > MOST => Some("A secret has at most 64 KiB."),
        v if v.contains('\0') => Some("A secret has no NUL: no environment variable could hold it."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_variables_and_values_are_never_shown() {
        for good in ["A", "_X9", "DEPLOY_KEY"] {
            assert_eq!(name_problem(good), None, "{good}");
        }
        for bad in ["", "9A", "deploy", "A-B", "A B", "Ä", "CARACAL_URL", &"A".repeat(101)] {
            assert!(name_problem(bad).is_some(), "{bad}");
        }
        let value = |v: &str| SecretValue(v.to_owned());
        assert_eq!(value_problem(&value("x\ny")), None);
        for bad in [value(""), value("a\0b"), value(&"x".repeat(MOST + 1))] {
            assert!(value_problem(&bad).is_some());
        }
        let wish: NewSecret = serde_json::from_str(r#"{"name":"A","value":"hunter2"}"#).unwrap();
        assert!(!format!("{wish:?}").contains("hunter2"));
    }
}
