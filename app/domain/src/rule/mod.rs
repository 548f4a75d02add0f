//! Rules: what must be true of an event for a trigger to start something, in the grammar of DESIGN §7: `key op value` with
//! `&& || ! ( )`, the operators `==`, `!=` (globs) and `=~` (a regular expression).
//!
//! **Invariant:** an answer is decided by the values it names and nothing else, so that its sentence is the whole truth;
//! no rule, however it is written, takes more time than its length times that of what it looks at.

mod ask;
mod glob;
mod parse;
#[cfg(test)]
mod tests;

pub use ask::{Answer, Compared, Facts};
pub use glob::matches;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

/// Most bytes of a rule.
pub const LONGEST: usize = 4_096;

/// A rule that was understood.
#[derive(Debug, Clone)]
pub struct Rule {
    text: String,
    tree: Node,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where, in characters, 1-based.
    pub column: usize,
    /// What is wrong, one sentence.
    pub message: String,
    /// What would do.
    pub hint: Option<String>,
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// One of them is equal, or matches as a glob.
    #[serde(rename = "==")]
    Equal,
    /// None of them is equal or matches.
    #[serde(rename = "!=")]
    Unequal,
    /// The regular expression is found in one of them.
    #[serde(rename = "=~")]
    Found,
}

#[derive(Debug, Clone)]
enum Node {
    Compare(Comparison),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

#[derive(Debug, Clone)]
struct Comparison {
    key: String,
    /// Where the key stands.
    column: usize,
    op: Op,
    wanted: String,
    regex: Option<Regex>,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// The first mistake in it, at its column.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let tree = parse::parse(text)?;
        Ok(Self {
            text: text.trim().to_owned(),
            tree,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The keys it looks at, each with its column, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<(&str, usize)> {
        let (mut keys, mut left) = (Vec::new(), vec![&self.tree]);
        while let Some(node) = left.pop() {
            match node {
                Node::Compare(c) => keys.push((c.key.as_str(), c.column)),
                Node::Not(inner) => left.push(inner),
                Node::All(nodes) | Node::Any(nodes) => left.extend(nodes.iter().rev()),
            }
        }
        keys
    }

    /// Whether it holds, and what was compared to find out.
    #[must_use]
    pub fn ask(&self, facts: &dyn Facts) -> Answer {
        ask::ask(&self.tree, facts)
    }
}
