//! From text to tree.
//!
//! **Invariant:** every mistake has a column inside the text or right behind it; depth and number of comparisons are bounded.

use super::{Comparison, LONGEST, Mistake, Node, Op};
use regex_lite::RegexBuilder;

/// Deepest nesting.
const DEEPEST: usize = 32;
/// Most comparisons of a rule.
const MOST: usize = 64;
/// Bytes a compiled regular expression may take.
const REGEX: usize = 256 * 1024;

/// Reads a whole rule.
pub(super) fn parse(text: &str) -> Result<Node, Mistake> {
    if text.len() > LONGEST {
        return Err(Mistake {
            column: 1,
            message: format!("The rule is longer than {LONGEST} bytes."),
            hint: Some("Make several rules of it: all of a trigger's must be true.".into()),
        });
    }
    let mut parser = Parser {
        chars: text.chars().collect(),
        at: 0,
        depth: 0,
        comparisons: 0,
    };
    parser.blanks();
    if parser.peek().is_none() {
        return Err(parser.wrong(0, "The rule is empty.", "Write `key == value`, as in `branch == main`."));
    }
    let tree = parser.any()?;
    match parser.peek() {
        None => Ok(tree),
        Some(')') => Err(parser.wrong(parser.at, "This `)` closes nothing.", "Take it away.")),
        Some(_) => Err(parser.wrong(
            parser.at,
            "Here the rule should end or go on with `&&` or `||`.",
            "A value with blanks or signs stands in quotes, as in `message == 'a b'`.",
        )),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    comparisons: usize,
}

impl Parser {
    fn wrong(&self, at: usize, message: impl Into<String>, hint: impl Into<String>) -> Mistake {
        let hint = hint.into();
        Mistake {
            column: at.min(self.chars.len()) + 1,
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn next_is(&self, sign: &str) -> bool {
        sign.chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c))
    }

    /// Goes past a sign and the blanks behind it, if it stands here.
    fn past(&mut self, sign: &str) -> bool {
        let here = self.next_is(sign);
        if here {
            self.at += sign.len();
            self.blanks();
        }
        here
    }

    fn any(&mut self) -> Result<Node, Mistake> {
        let mut nodes = vec![self.all()?];
        while self.past("||") {
            nodes.push(self.all()?);
        }
        Ok(one_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, Mistake> {
        let mut nodes = vec![self.one()?];
        while self.past("&&") {
            nodes.push(self.one()?);
        }
        Ok(one_or(nodes, Node::All))
    }

    fn one(&mut self) -> Result<Node, Mistake> {
        let began = self.at;
        match self.peek() {
            Some('!' | '(') if self.depth == DEEPEST => Err(self.wrong(
                began,
                format!("The rule is nested deeper than {DEEPEST}."),
                "Make several rules of it.",
            )),
            Some('!') => {
                self.past("!");
                self.depth += 1;
                let inner = self.one()?;
                self.depth -= 1;
                Ok(Node::Not(Box::new(inner)))
            }
            Some('(') => {
                self.past("(");
                self.depth += 1;
                let inner = self.any()?;
                self.depth -= 1;
                if self.past(")") {
                    Ok(inner)
                } else {
                    Err(self.wrong(began, "This `(` is never closed.", "Close it with `)`."))
                }
            }
            _ => self.comparison().map(Node::Compare),
        }
    }

    fn comparison(&mut self) -> Result<Comparison, Mistake> {
        let began = self.at;
        self.comparisons += 1;
        if self.comparisons > MOST {
            return Err(self.wrong(
                began,
                format!("The rule compares more than {MOST} times."),
                "Make several rules of it.",
            ));
        }
        let key = self.word(|c| c.is_alphanumeric() || "_.-/".contains(c));
        if !key.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return Err(self.wrong(
                began,
                "Here should stand what is compared.",
                "Write `key == value`, as in `branch == main`.",
            ));
        }
        self.blanks();
        let signs = [("==", Op::Equal), ("!=", Op::Unequal), ("=~", Op::Found)];
        let Some(op) = signs.into_iter().find(|(sign, _)| self.past(sign)).map(|(_, op)| op) else {
            let hint = match self.peek() {
                Some('=' | ':') => format!("Write `{key} == …`."),
                Some('~') => format!("Write `{key} =~ …` for a regular expression."),
                _ => format!("Write `{key} == …`, `{key} != …` or `{key} =~ …`."),
            };
            return Err(self.wrong(self.at, format!("After `{key}` should stand how it is compared."), hint));
        };
        let (at, wanted) = self.value(&key)?;
        let regex = match op {
            Op::Found => Some(
                RegexBuilder::new(&wanted)
                    .size_limit(REGEX)
                    .build()
                    .map_err(|e| self.wrong(at, format!("This is no regular expression: {e}."), ""))?,
            ),
            _ => None,
        };
        Ok(Comparison {
            key,
            column: began + 1,
            op,
            wanted,
            regex,
        })
    }

    /// A value with its place: in quotes, or a word.
    fn value(&mut self, key: &str) -> Result<(usize, String), Mistake> {
        let began = self.at;
        let value = match self.peek() {
            Some(quote @ ('\'' | '"')) => {
                self.at += 1;
                let value = self.word(|c| c != quote);
                if self.peek() != Some(quote) {
                    return Err(self.wrong(
                        began,
                        format!("This {quote} is never closed."),
                        format!("Close it with {quote}."),
                    ));
                }
                self.at += 1;
                value
            }
            _ => {
                let mut value = String::new();
                while let Some(c) = self.peek() {
                    if c.is_whitespace() || c == '(' || c == ')' || self.next_is("&&") || self.next_is("||") {
                        break;
                    }
                    value.push(c);
                    self.at += 1;
                }
                if value.is_empty() {
                    let hint = format!("For nothing at all write `{key} == ''`.");
                    return Err(self.wrong(self.at, format!("`{key}` is compared with nothing."), hint));
                }
                value
            }
        };
        self.blanks();
        Ok((began, value))
    }

    fn word(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| fits(*c)) {
            word.push(c);
            self.at += 1;
        }
        word
    }
}

fn one_or(mut nodes: Vec<Node>, many: impl Fn(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.remove(0),
        _ => many(nodes),
    }
}
