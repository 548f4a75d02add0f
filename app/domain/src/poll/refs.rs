//! Branches and tags of a repository: which of them a trigger follows, and what is new of them.
//!
//! **Invariant:** a cursor stays below a bound, whatever a repository does; an answer that is suddenly short starts nothing
//! when it is whole again.

use crate::git::Named;
use crate::rule;
use crate::trigger::{Poll, Seen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most branches and tags that one trigger follows.
pub const MOST: usize = 5_000;
/// Most that are remembered of those that went away.
const MOST_GONE: usize = 500;

/// Which branches and tags a trigger follows, as globs; neither: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patterns {
    /// Of branches: `release/*`.
    #[serde(default)]
    pub branches: Vec<String>,
    /// Of tags: `v*`.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
}

/// What was seen last. Kept between looks as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// By which patterns.
    patterns: Patterns,
    /// Names as git has them, and the commit of each.
    refs: BTreeMap<String, String>,
    /// Those that went away, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<(String, String)>,
}

impl Cursor {
    /// The commit that a branch or tag (`refs/heads/main`) was seen at.
    #[must_use]
    pub fn at(&self, name: &str) -> Option<&str> {
        self.refs.get(name).map(String::as_str)
    }

    /// How many are followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// Whether none is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
    }
}

/// A branch or tag that is at another commit than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// What it is.
    pub kind: Kind,
    /// Its name: `main`, `v1.2`.
    pub name: String,
    /// The commit it was at, where it was seen before.
    pub old: Option<String>,
    /// The commit it is at.
    pub new: String,
    /// Whether the commits from `old` to `new` are wanted one by one; else `new` alone.
    pub each: bool,
}

/// What a look told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is new, in the order of git's names: branches, then tags.
    pub new: Vec<New>,
    /// What to keep for the next look.
    pub cursor: Cursor,
}

/// The patterns match more than a trigger can follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The patterns match {0} branches and tags; a trigger follows at most {MOST}. Make them narrower.")]
pub struct TooMany(pub usize);

/// Compares what stands in a repository with what was seen last; without that, it is the start and nothing is new.
///
/// # Errors
/// When the patterns match too much; the cursor then stays as it is.
pub fn look(before: Option<&Cursor>, now: &[Named], patterns: &Patterns, commits: Seen) -> Result<Found, TooMany> {
    let refs: BTreeMap<String, String> = now
        .iter()
        .filter(|r| patterns.follow(&r.name))
        .map(|r| (r.name.clone(), r.revision.clone()))
        .collect();
    if refs.len() > MOST {
        return Err(TooMany(refs.len()));
    }
    let mut cursor = Cursor {
        patterns: patterns.clone(),
        refs,
        gone: Vec::new(),
    };
    let Some(before) = before else {
        return Ok(Found {
            new: Vec::new(),
            cursor,
        });
    };
    let gone: BTreeMap<&str, &str> = before.gone.iter().map(|(n, r)| (n.as_str(), r.as_str())).collect();
    let new = cursor.refs.iter().filter_map(|(name, revision)| {
        let old = before.at(name).or_else(|| gone.get(name.as_str()).copied());
        // What the patterns did not match before may have been there for ever.
        let started = old.is_some() || before.patterns.follow(name);
        if !started || old == Some(revision) {
            return None;
        }
        let (kind, short) = split(name)?;
        Some(New {
            kind,
            name: short.to_owned(),
            old: old.map(str::to_owned),
            new: revision.clone(),
            each: commits == Seen::Each && kind == Kind::Branch && old.is_some(),
        })
    });
    let new = new.collect();
    let all = before.gone.iter().map(|(n, r)| (n, r)).chain(&before.refs);
    let mut left: Vec<(String, String)> = all
        .filter(|(name, _)| !cursor.refs.contains_key(*name) && patterns.follow(name))
        .map(|(n, r)| (n.clone(), r.clone()))
        .collect();
    // A whole repository may go and come back: more is remembered while there is room for it.
    let room = MOST_GONE.max(MOST.saturating_sub(cursor.refs.len()));
    left.drain(..left.len().saturating_sub(room));
    cursor.gone = left;
    Ok(Found { new, cursor })
}

impl Patterns {
    /// Those of a poll: without any, all branches.
    #[must_use]
    pub fn of(poll: &Poll) -> Self {
        let mut patterns = Self {
            branches: poll.branches.clone(),
            tags: poll.tags.clone(),
        };
        if patterns == Self::default() {
            patterns.branches.push("**".into());
        }
        patterns
    }

    /// Whether they match a name as git has it.
    #[must_use]
    pub fn follow(&self, name: &str) -> bool {
        match split(name) {
            Some((Kind::Branch, short)) => self.branches.iter().any(|p| rule::matches(p, short)),
            Some((Kind::Tag, short)) => self.tags.iter().any(|p| rule::matches(p, short)),
            None => false,
        }
    }
}

fn split(name: &str) -> Option<(Kind, &str)> {
    let branch = name.strip_prefix("refs/heads/").map(|s| (Kind::Branch, s));
    branch.or_else(|| name.strip_prefix("refs/tags/").map(|s| (Kind::Tag, s)))
}

#[cfg(test)]
mod tests;
