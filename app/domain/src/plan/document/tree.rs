//! From YAML text to a tree whose every node and key knows its place, with aliases and merge keys unfolded.
//!
//! **Invariant:** the unfolded tree weighs at most `WEIGHT`, so no alias can make a small text large; scalars keep the text
//! as written (`3.10` stays `3.10`).

use super::report::{Place, Report};
use super::syntax;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Most that the tree may weigh with its aliases unfolded: bytes of text, and `NODE` for each node.
const WEIGHT: usize = 1 << 20;
const NODE: usize = 16;
/// Deepest nesting taken; a plan needs six.
const DEPTH: usize = 24;

/// A node and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
    weight: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A scalar as written; `plain` when it stood without quotes, so that it may mean a number, a bool or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<(Key, Rc<Node>)>),
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub text: String,
    pub place: Place,
}

impl Node {
    fn new(place: Place, value: Value) -> Self {
        let weight = NODE
            + match &value {
                Value::Scalar { text, .. } => text.len(),
                Value::List(items) => items.iter().map(|n| n.weight).sum(),
                Value::Map(entries) => entries.iter().map(|(k, n)| NODE + k.text.len() + n.weight).sum(),
            };
        Self { place, value, weight }
    }

    /// Whether it is YAML's "nothing": absent, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for sentences: "a list", "the number `5`".
    pub fn kind(&self) -> String {
        match &self.value {
            _ if self.is_null() => "nothing".into(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a mapping".into(),
            Value::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => {
                format!("the number `{}`", short(text))
            }
            Value::Scalar { text, .. } => format!("the text `{}`", short(text)),
        }
    }
}

/// The first line of a text, cut, for sentences.
pub(super) fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().filter(|c| !c.is_control()).take(40).collect();
    if cut.len() < text.trim_end().len() {
        format!("{cut}…")
    } else {
        cut
    }
}

/// A collection that is still open.
struct Open {
    place: Place,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Rc<Node>>),
    /// `key` is the one that waits for its value; `Some(None)` when what stood there was no key. `lines` finds repeats.
    Map {
        entries: Vec<(Key, Rc<Node>)>,
        key: Option<Option<Key>>,
        lines: HashMap<String, usize>,
    },
}

/// Reads the text's one document. `None` when there is none, or it cannot be read as YAML; the report then says why.
pub(super) fn parse(text: &str, report: &mut Report) -> Option<Rc<Node>> {
    let mut options = serde_saphyr::granit_parser::Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = DEPTH;
    options.block_nesting_limit = DEPTH;
    let mut build = Build {
        report,
        stack: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        documents: 0,
        refused: false,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => {
                let start = span.tag_start().unwrap_or(span.start);
                let place = Place {
                    line: start.line(),
                    column: start.col() + 1,
                };
                build.event(event, place);
            }
            Err(e) => {
                let (message, hint) = syntax::explain(e.kind());
                let mut place = Place {
                    line: e.marker().line(),
                    column: e.marker().col() + 1,
                };
                if syntax::is_tab(e.kind()) {
                    // The parser stops behind the tab; people look for the tab itself.
                    let line = text.split('\n').nth(place.line.saturating_sub(1)).unwrap_or_default();
                    place.column = line.chars().position(|c| c == '\t').map_or(place.column, |i| i + 1);
                }
                build.report.add("", place, message, hint);
                return None;
            }
        }
        if build.refused {
            return None;
        }
    }
    build.root.filter(|_| !build.refused)
}

struct Build<'r> {
    report: &'r mut Report,
    stack: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
    refused: bool,
}

impl Build<'_> {
    fn event(&mut self, event: Event<'_>, place: Place) {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.refuse(
                        place,
                        "A plan is one document, and a second one starts here.",
                        "Take `---` and what follows out.",
                    );
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = self.tag(tag.as_deref(), place);
                let plain = style == ScalarStyle::Plain && tag != Some(true);
                self.done(
                    Node::new(
                        place,
                        Value::Scalar {
                            text: text.into_owned(),
                            plain,
                        },
                    ),
                    anchor,
                );
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), place);
                self.stack.push(Open {
                    place,
                    anchor,
                    kind: Kind::List(Vec::new()),
                });
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), place);
                self.stack.push(Open {
                    place,
                    anchor,
                    kind: Kind::Map {
                        entries: Vec::new(),
                        key: None,
                        lines: HashMap::new(),
                    },
                });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.stack.pop() else { return };
                let value = match open.kind {
                    Kind::List(items) => Value::List(items),
                    Kind::Map { entries, .. } => Value::Map(self.merged(entries)),
                };
                self.done(Node::new(open.place, value), open.anchor);
            }
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => self.put(node, place),
                None => self.refuse(
                    place,
                    "This alias stands inside what it refers to.",
                    "Write the value out.",
                ),
            },
            _ => {}
        }
    }

    /// `Some(true)` for `!!str`; other tags than the plain ones of YAML mean nothing in a plan.
    fn tag(&mut self, tag: Option<&Tag>, place: Place) -> Option<bool> {
        let tag = tag?;
        match tag.core_suffix() {
            Some("str") => Some(true),
            Some("int" | "float" | "bool" | "null" | "seq" | "map") => Some(false),
            _ => {
                let message = format!("The tag `{}` means nothing in a plan.", short(&tag.original()));
                self.report.add("", place, message, Some("Take it out.".into()));
                None
            }
        }
    }

    fn done(&mut self, node: Node, anchor: usize) {
        let place = node.place;
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(node, place);
    }

    fn put(&mut self, node: Rc<Node>, place: Place) {
        if node.weight > WEIGHT {
            self.refuse(
                place,
                "With its aliases unfolded the document is over 1 MiB.",
                "Use fewer aliases.",
            );
            return;
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open {
                kind: Kind::List(items),
                ..
            }) => items.push(node),
            Some(Open {
                kind: Kind::Map { entries, key, lines },
                ..
            }) => match key.take() {
                None => {
                    let named = match &node.value {
                        Value::Scalar { text, .. } => Some(Key {
                            text: text.clone(),
                            place,
                        }),
                        _ => {
                            let message = format!("A key is a word, and this is {}.", node.kind());
                            self.report.add("", place, message, None);
                            None
                        }
                    };
                    *key = Some(named);
                }
                Some(None) => {}
                Some(Some(name)) => match lines.get(&name.text) {
                    Some(first) if name.text != "<<" => {
                        let message = format!(
                            "`{}` stands here a second time; the first is on line {first}.",
                            short(&name.text)
                        );
                        self.report.add(
                            &short(&name.text),
                            name.place,
                            message,
                            Some("Keep one of them.".into()),
                        );
                    }
                    _ => {
                        lines.insert(name.text.clone(), name.place.line);
                        entries.push((name, node));
                    }
                },
            },
        }
    }

    /// Puts what `<<` refers to under the keys that stand in the mapping itself.
    fn merged(&mut self, entries: Vec<(Key, Rc<Node>)>) -> Vec<(Key, Rc<Node>)> {
        if entries.iter().all(|(k, _)| k.text != "<<") {
            return entries;
        }
        let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(k, _)| k.text == "<<");
        let mut names: HashSet<String> = own.iter().map(|(k, _)| k.text.clone()).collect();
        for (key, node) in merges {
            let sources = match &node.value {
                Value::List(items) => items.clone(),
                _ => vec![node],
            };
            for source in sources {
                let Value::Map(more) = &source.value else {
                    let message = format!("`<<` takes an alias of a mapping, and this is {}.", source.kind());
                    self.report.add("<<", key.place, message, None);
                    continue;
                };
                for (k, n) in more {
                    if names.insert(k.text.clone()) {
                        own.push((k.clone(), Rc::clone(n)));
                    }
                }
            }
        }
        own
    }

    fn refuse(&mut self, place: Place, message: &str, hint: &str) {
        self.report.add("", place, message, Some(hint.into()));
        self.refused = true;
    }
}
