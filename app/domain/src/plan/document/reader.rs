//! How nodes become values: each reader notes what is wrong and goes on, so that all of it is told at once.
//!
//! **Invariant:** a reader that gives `None` has noted why, or what it read was absent.

use super::report::{Report, nearest, nearest_word};
use super::tree::{Key, Node, Value, short};
use super::value::Refusal;
use super::words::{self, Shape};
use crate::plan::document::SourceRules;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Most entries of one `env`.
const ENV_MOST: usize = 200;

/// Reads nodes into a report.
pub(super) struct Reader<'a> {
    pub report: &'a mut Report,
    pub rules: &'a SourceRules,
}

/// A mapping whose keys are known ones.
pub(super) struct Fields<'n> {
    pub node: &'n Node,
    path: String,
    entries: &'n [(Key, Rc<Node>)],
    /// Keys that unknown ones were taken for.
    meant: Vec<String>,
}

impl<'n> Fields<'n> {
    /// The value of a key; nothing when it is absent or has no value.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|(_, n)| n).filter(|n| !n.is_null())
    }
    /// Key and value as they stand.
    pub fn entry(&self, key: &str) -> Option<(&'n Key, &'n Node)> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(k, n)| (k, &**n))
    }
    /// Whether a key is missing, and not just misspelt: that has been noted already.
    pub fn lacks(&self, key: &str) -> bool {
        self.get(key).is_none() && self.meant.iter().all(|m| m != key)
    }
    /// The path of a key.
    pub fn path(&self, key: &str) -> String {
        join(&self.path, key)
    }
    /// The mapping's own path.
    pub fn here(&self) -> &str {
        &self.path
    }
}

/// `jobs` and `test` make `jobs.test`.
pub(super) fn join(path: &str, key: &str) -> String {
    let key = short(key);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

impl Reader<'_> {
    /// Notes a problem at a node.
    pub fn note(&mut self, path: &str, node: &Node, message: impl Into<String>, hint: Option<&str>) {
        self.report.add(path, node.place, message, hint.map(str::to_owned));
    }

    /// Notes that a node is of the wrong kind.
    pub fn wrong(&mut self, path: &str, node: &Node, wanted: &str, hint: &str) {
        let message = format!("`{path}` takes {wanted}, and this is {}.", node.kind());
        self.report.add(path, node.place, message, Some(hint.to_owned()));
    }

    /// A mapping with the keys of a shape; unknown ones are noted.
    pub fn fields<'n>(&mut self, node: &'n Node, path: &str, shape: &Shape, hint: &str) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            let what = if path.is_empty() {
                "The document".to_owned()
            } else {
                format!("`{path}`")
            };
            let message = format!(
                "{what} takes a mapping of keys and values, and this is {}.",
                node.kind()
            );
            self.note(path, node, message, Some(hint));
            return None;
        };
        let mut meant = Vec::new();
        for (key, _) in entries {
            if !shape.keys.contains(&key.text.as_str()) && !self.report.is_full() {
                meant.extend(self.unknown(path, key, shape));
            }
        }
        Some(Fields {
            node,
            path: path.to_owned(),
            entries,
            meant,
        })
    }

    /// Notes an unknown key; gives back the one that was meant, if that is clear.
    fn unknown(&mut self, path: &str, key: &Key, shape: &Shape) -> Option<String> {
        let name = short(&key.text);
        let path = join(path, &key.text);
        if words::comes_later(&key.text) {
            let message = format!("`{name}` is not known to this version of Caracal yet.");
            self.report
                .add(&path, key.place, message, Some("Take it out for now.".into()));
            return None;
        }
        let meant = words::habit(&key.text, shape).or_else(|| nearest_word(&key.text, shape.keys));
        let hint = meant.map_or_else(
            || format!("Its keys are {}.", listed(shape.keys)),
            |w| format!("Did you mean `{w}`?"),
        );
        self.report.add(
            &path,
            key.place,
            format!("{} has no key `{name}`.", capital(shape.what)),
            Some(hint),
        );
        meant.map(str::to_owned)
    }

    /// A text: any scalar, as written.
    pub fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        let Value::Scalar { text, .. } = &node.value else {
            self.wrong(
                path,
                node,
                "a text",
                "Put it in quotes, or below `|`, when it starts with a sign of YAML.",
            );
            return None;
        };
        if node.is_null() {
            self.note(
                path,
                node,
                format!("`{path}` has no value."),
                Some("Write `\"\"` for an empty text."),
            );
            return None;
        }
        if text.contains('\0') {
            self.note(
                path,
                node,
                format!("`{path}` holds a NUL character."),
                Some("Take it out."),
            );
            return None;
        }
        if text.contains("${{") {
            let (message, hint) = if path.ends_with(".run") || path.contains(".command") {
                (
                    "`${{ }}` is never put into commands.",
                    "Use an environment variable, as in `\"$NAME\"`.",
                )
            } else {
                (
                    "`${{ }}` is not known to this version of Caracal yet.",
                    "Write the value itself.",
                )
            };
            self.note(path, node, message, Some(hint));
            return None;
        }
        Some(text.clone())
    }

    /// A text that a function of ours reads.
    pub fn read<T>(&mut self, node: &Node, path: &str, f: impl Fn(&str) -> Result<T, Refusal>) -> Option<T> {
        let text = self.text(node, path)?;
        match f(&text) {
            Ok(v) => Some(v),
            Err((message, hint)) => {
                self.report.add(path, node.place, message, hint);
                None
            }
        }
    }

    /// A text that passes a check.
    pub fn checked(&mut self, node: &Node, path: &str, f: impl Fn(&str) -> Result<(), Refusal>) -> Option<String> {
        self.read(node, path, |t| f(t).map(|()| t.to_owned()))
    }

    /// One of a few words.
    pub fn word(&mut self, node: &Node, path: &str, words: &[&str]) -> Option<String> {
        self.read(node, path, |t| {
            if words.contains(&t) {
                return Ok(t.to_owned());
            }
            let hint = nearest(t, words).unwrap_or_else(|| format!("Use {}.", listed(words)));
            Err((format!("`{}` is none of the words of `{path}`.", short(t)), Some(hint)))
        })
    }

    /// `true` or `false`.
    pub fn flag(&mut self, node: &Node, path: &str) -> Option<bool> {
        match &node.value {
            Value::Scalar { text, plain: true } if text == "true" => Some(true),
            Value::Scalar { text, plain: true } if text == "false" => Some(false),
            _ => {
                self.wrong(
                    path,
                    node,
                    "`true` or `false`",
                    "Write `true` or `false`, without quotes.",
                );
                None
            }
        }
    }

    /// A list, or one entry in its place; each with its path.
    pub fn list<'n>(&mut self, node: &'n Node, path: &str) -> Vec<(String, &'n Node)> {
        match &node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(i, n)| (format!("{path}[{i}]"), &**n))
                .collect(),
            _ => vec![(path.to_owned(), node)],
        }
    }

    /// An `env`: names and texts.
    pub fn env(&mut self, node: Option<&Node>, path: &str) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let Some(node) = node else { return env };
        let Value::Map(entries) = &node.value else {
            self.wrong(
                path,
                node,
                "names and values",
                "Write `NAME: value`, one below the other.",
            );
            return env;
        };
        if entries.len() > ENV_MOST {
            self.note(
                path,
                node,
                format!("`{path}` has {} entries; at most {ENV_MOST} are taken.", entries.len()),
                None,
            );
            return env;
        }
        for (key, value) in entries {
            let path = join(path, &key.text);
            if let Err((message, hint)) = super::value::env_name(&key.text) {
                self.report.add(&path, key.place, message, hint);
            }
            if let Some(text) = self.text(value, &path) {
                env.insert(key.text.clone(), text);
            }
        }
        env
    }
}

/// "`a`, `b` and `c`".
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [most @ .., last] => {
            format!(
                "{} and `{last}`",
                most.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

fn capital(s: &str) -> String {
    let mut c = s.chars();
    c.next()
        .map(|f| f.to_uppercase().chain(c).collect())
        .unwrap_or_default()
}
