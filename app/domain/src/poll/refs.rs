//! Branches and tags of a repository: which of them a trigger follows, and what is new of them.
//!
//! **Invariant:** a cursor stays below a bound, whatever a repository does; an answer that is suddenly short starts nothing
//! when it is whole again.

use crate::git::Named;
use crate::rule::glob;
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

/// What a trigger makes of several commits that came at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The newest alone.
    #[default]
    Latest,
    /// Each.
    Each,
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
pub struct Seen {
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
pub fn look(before: Option<&Cursor>, now: &[Named], patterns: &Patterns, mode: Mode) -> Result<Seen, TooMany> {
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
        return Ok(Seen {
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
            each: mode == Mode::Each && kind == Kind::Branch && old.is_some(),
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
    Ok(Seen { new, cursor })
}

impl Patterns {
    /// Whether they match a name as git has it.
    #[must_use]
    pub fn follow(&self, name: &str) -> bool {
        match split(name) {
            Some((Kind::Branch, short)) => self.branches.iter().any(|p| glob::matches(p, short)),
            Some((Kind::Tag, short)) => self.tags.iter().any(|p| glob::matches(p, short)),
            None => false,
        }
    }
}

fn split(name: &str) -> Option<(Kind, &str)> {
    let branch = name.strip_prefix("refs/heads/").map(|s| (Kind::Branch, s));
    branch.or_else(|| name.strip_prefix("refs/tags/").map(|s| (Kind::Tag, s)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(refs: &[(&str, &str)]) -> Vec<Named> {
        let full = |n: &str| match n.strip_prefix("tag:") {
            Some(tag) => format!("refs/tags/{tag}"),
            None => format!("refs/heads/{n}"),
        };
        refs.iter()
            .map(|(n, r)| Named {
                name: full(n),
                revision: (*r).into(),
            })
            .collect()
    }

    fn patterns(branches: &[&str], tags: &[&str]) -> Patterns {
        let owned = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect();
        Patterns {
            branches: owned(branches),
            tags: owned(tags),
        }
    }

    /// Looks one after another; what is new at each, as `name old→new`.
    fn looks(patterns: &Patterns, rounds: &[&[(&str, &str)]]) -> Vec<String> {
        let (mut cursor, mut told) = (None, Vec::new());
        for round in rounds {
            let seen = look(cursor.as_ref(), &named(round), patterns, Mode::Latest).unwrap();
            let words: Vec<String> = seen
                .new
                .iter()
                .map(|n| format!("{} {}→{}", n.name, n.old.as_deref().unwrap_or("-"), n.new))
                .collect();
            told.push(words.join(", "));
            cursor = Some(seen.cursor);
        }
        told
    }

    #[test]
    fn only_what_changed_after_the_start_is_new() {
        let all = patterns(&["**"], &["v*"]);
        let rounds: &[&[(&str, &str)]] = &[
            &[("main", "a"), ("tag:v1", "a")],
            &[("main", "a"), ("tag:v1", "a")],
            &[
                ("main", "b"),
                ("x", "c"),
                ("tag:v1", "a"),
                ("tag:v2", "b"),
                ("tag:old", "b"),
            ],
            // A forced push is a push.
            &[("main", "a"), ("x", "c"), ("tag:v1", "b"), ("tag:v2", "b")],
        ];
        assert_eq!(
            looks(&all, rounds),
            ["", "", "main a→b, x -→c, v2 -→b", "main b→a, v1 a→b"]
        );
        // An empty repository is a start too.
        assert_eq!(looks(&all, &[&[], &[("main", "a")]]), ["", "main -→a"]);
        let release = patterns(&["release/*"], &[]);
        assert_eq!(
            looks(
                &release,
                &[&[("main", "a")], &[("main", "b"), ("release/1", "b"), ("tag:v1", "b")]]
            ),
            ["", "release/1 -→b"]
        );
        assert_eq!(looks(&patterns(&[], &[]), &[&[], &[("main", "a")]]), ["", ""]);
    }

    #[test]
    fn what_went_away_and_came_back_as_it_was_is_not_new() {
        let all = patterns(&["**"], &[]);
        let rounds: &[&[(&str, &str)]] = &[
            &[("main", "a"), ("x", "a")],
            &[("main", "a")],
            &[("main", "a"), ("x", "a")],
            &[],
            &[],
            &[("main", "a"), ("x", "b")],
        ];
        assert_eq!(looks(&all, rounds), ["", "", "", "", "", "x a→b"]);
    }

    #[test]
    fn patterns_that_are_new_start_nothing_for_what_was_there() {
        let here = named(&[("main", "a"), ("release/1", "r")]);
        let start = look(None, &here, &patterns(&["main"], &[]), Mode::Latest).unwrap();
        let wider = patterns(&["main", "release/*"], &[]);
        let seen = look(Some(&start.cursor), &here, &wider, Mode::Latest).unwrap();
        assert_eq!(seen.new, []);
        let later = named(&[("main", "b"), ("release/1", "s"), ("release/2", "t")]);
        let seen = look(Some(&seen.cursor), &later, &wider, Mode::Latest).unwrap();
        let names: Vec<&str> = seen.new.iter().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["main", "release/1", "release/2"]);
        // With the patterns the change of a branch that both match counts.
        let seen = look(Some(&start.cursor), &later, &wider, Mode::Latest).unwrap();
        assert_eq!(seen.new.len(), 1);
    }

    #[test]
    fn commits_one_by_one_are_asked_for_where_there_are_any_between() {
        let all = patterns(&["**"], &["**"]);
        let start = look(None, &named(&[("main", "a"), ("tag:v", "a")]), &all, Mode::Each).unwrap();
        let now = named(&[("main", "b"), ("x", "b"), ("tag:v", "b")]);
        let seen = look(Some(&start.cursor), &now, &all, Mode::Each).unwrap();
        let each: Vec<(&str, bool)> = seen.new.iter().map(|n| (n.name.as_str(), n.each)).collect();
        assert_eq!(each, [("main", true), ("x", false), ("v", false)]);
        let seen = look(Some(&start.cursor), &now, &all, Mode::Latest).unwrap();
        assert!(seen.new.iter().all(|n| !n.each));
    }

    #[test]
    fn a_cursor_stays_below_a_bound() {
        let all = patterns(&["**"], &["**"]);
        let many = |from: usize, to: usize| -> Vec<Named> {
            (from..to)
                .map(|n| Named {
                    name: format!("refs/heads/b{n}"),
                    revision: "a".repeat(40),
                })
                .collect()
        };
        assert_eq!(
            look(None, &many(0, MOST + 1), &all, Mode::Latest),
            Err(TooMany(MOST + 1))
        );
        let narrow = patterns(&["b1"], &[]);
        assert!(look(None, &many(0, 100_000), &narrow, Mode::Latest).is_ok());
        let mut cursor = look(None, &many(0, MOST), &all, Mode::Latest).unwrap().cursor;
        for round in 1..5 {
            let seen = look(
                Some(&cursor),
                &many(round * MOST, (round + 1) * MOST),
                &all,
                Mode::Latest,
            )
            .unwrap();
            assert_eq!(seen.new.len(), MOST);
            cursor = seen.cursor;
            assert!(cursor.refs.len() + cursor.gone.len() <= MOST + MOST_GONE);
        }
        let json = serde_json::to_string(&cursor).unwrap();
        assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor);
        // An answer that is suddenly empty starts nothing when it is whole again.
        let empty = look(Some(&cursor), &[], &all, Mode::Latest).unwrap().cursor;
        assert_eq!(
            look(Some(&empty), &many(4 * MOST, 5 * MOST), &all, Mode::Latest)
                .unwrap()
                .new,
            []
        );
        assert_eq!((cursor.len(), cursor.is_empty(), empty.is_empty()), (MOST, false, true));
    }
}
