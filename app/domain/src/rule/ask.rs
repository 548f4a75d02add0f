//! Asking a rule about an event.
//!
//! **Invariant:** what need not be compared is not, and is not told; what an answer tells decided it or was on the way.

use super::{Comparison, Node, Op, glob};
use serde::{Deserialize, Serialize};

/// Values shown of one that has many, as changed paths.
const SHOWN: usize = 20;
/// Characters shown of a value.
const LENGTH: usize = 200;

/// What is known of an event.
pub trait Facts {
    /// The values of a key: none where there is no such thing, several where there are several.
    fn values(&self, key: &str) -> Vec<String>;
}

/// What a rule answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it holds.
    pub holds: bool,
    /// What was compared, in order.
    pub compared: Vec<Compared>,
    /// Which of these decided.
    pub decided: Vec<usize>,
}

/// One comparison and its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// What was looked at.
    pub key: String,
    /// How.
    pub op: Op,
    /// With what.
    pub wanted: String,
    /// What it was: the first values, each cut; none where there was no such thing.
    pub found: Vec<String>,
    /// How many values there were.
    pub count: usize,
    /// Whether it holds.
    pub holds: bool,
}

impl Answer {
    /// Why, in words without an end: "branch `x` does not match `release/*`".
    #[must_use]
    pub fn why(&self) -> String {
        let decided = self.decided.iter().filter_map(|i| self.compared.get(*i));
        decided.map(Compared::words).collect::<Vec<_>>().join(", and ")
    }
}

impl Compared {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { key, wanted, .. } = self;
        // Whether one of the values fits, of which `!=` is the opposite.
        let fits = self.holds == (self.op != Op::Unequal);
        let subject = match (self.count, self.found.first()) {
            (0, _) | (_, None) => format!("there is no {key}: it"),
            (1, Some(one)) if one.is_empty() => format!("{key} is empty: it"),
            (1, Some(one)) => format!("{key} `{one}`"),
            (n, Some(_)) if fits => format!("one of {n} values of {key}"),
            (n, Some(first)) => format!("none of {n} values of {key} (the first is `{first}`)"),
        };
        let verb = match (self.op, glob::is_glob(wanted), fits || self.count > 1) {
            (Op::Found, _, true) => "contains",
            (Op::Found, _, false) => "does not contain",
            (_, true, true) => "matches",
            (_, true, false) => "does not match",
            (_, false, true) => "is",
            (_, false, false) => "is not",
        };
        format!("{subject} {verb} `{wanted}`")
    }
}

/// Asks a tree.
pub(super) fn ask(tree: &Node, facts: &dyn Facts) -> Answer {
    let mut compared = Vec::new();
    let (holds, decided) = node(tree, facts, &mut compared);
    Answer {
        holds,
        compared,
        decided,
    }
}

fn node(tree: &Node, facts: &dyn Facts, compared: &mut Vec<Compared>) -> (bool, Vec<usize>) {
    match tree {
        Node::Compare(comparison) => {
            let one = compare(comparison, facts);
            let holds = one.holds;
            compared.push(one);
            (holds, vec![compared.len() - 1])
        }
        Node::Not(inner) => {
            let (holds, decided) = node(inner, facts, compared);
            (!holds, decided)
        }
        Node::All(nodes) => several(nodes, false, facts, compared),
        Node::Any(nodes) => several(nodes, true, facts, compared),
    }
}

/// Asks until one answers `enough`: that one decides, else all do.
fn several(nodes: &[Node], enough: bool, facts: &dyn Facts, compared: &mut Vec<Compared>) -> (bool, Vec<usize>) {
    let mut all = Vec::new();
    for one in nodes {
        let (holds, decided) = node(one, facts, compared);
        if holds == enough {
            return (enough, decided);
        }
        all.extend(decided);
    }
    (!enough, all)
}

fn compare(c: &Comparison, facts: &dyn Facts) -> Compared {
    let values = facts.values(&c.key);
    let fits = |value: &str| match (&c.regex, glob::is_glob(&c.wanted)) {
        (Some(regex), _) => regex.is_match(value),
        (None, true) => glob::matches(&c.wanted, value),
        (None, false) => value == c.wanted,
    };
    // What there is none of equals the empty text.
    let any = if values.is_empty() {
        fits("")
    } else {
        values.iter().any(|v| fits(v))
    };
    let cut = |v: &String| match v.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &v[..end]),
        None => v.clone(),
    };
    Compared {
        key: c.key.clone(),
        op: c.op,
        wanted: c.wanted.clone(),
        count: values.len(),
        found: values.iter().take(SHOWN).map(cut).collect(),
        holds: any == (c.op != Op::Unequal),
    }
}
