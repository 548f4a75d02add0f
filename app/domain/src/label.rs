//! Labels and conditions: what an agent offers, what a job or step asks.
//!
//! **Invariant:** a condition is decided by text equality alone, so that the sentence "needs X" is always the whole truth.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an agent offers: `os`, `arch`, `hostname`, `engine` and whatever its owner sets.
pub type Labels = BTreeMap<String, String>;

/// `key == value` or `key != value` (the equality part of DESIGN §7's grammar).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Condition {
    /// The key, with `labels.` taken off where it stood.
    pub key: String,
    /// `true` for `==`, `false` for `!=`.
    pub equal: bool,
    /// The value to compare with.
    pub value: String,
}

impl Condition {
    /// Whether it holds for these values; an absent key equals the empty text.
    #[must_use]
    pub fn holds(&self, values: &Labels) -> bool {
        (values.get(&self.key).map_or("", String::as_str) == self.value) == self.equal
    }
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCondition {
    /// What is wrong, one sentence.
    pub message: String,
    /// What would do.
    pub hint: Option<String>,
}

impl Condition {
    /// Reads `key == value` and `key != value`, several joined by `&&`. A value with blanks or signs stands in quotes;
    /// `labels.` before a key is taken off.
    ///
    /// # Errors
    /// When a part is no such condition, or uses a part of the grammar that comes later.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, BadCondition> {
        let parts = split_and(text);
        parts.into_iter().map(|part| Self::parse(part, text)).collect()
    }

    fn parse(part: &str, whole: &str) -> Result<Self, BadCondition> {
        let bad = |message: String, hint: Option<String>| Err(BadCondition { message, hint });
        let part = part.trim();
        if part.is_empty() {
            return bad(
                if whole.trim().is_empty() {
                    "The condition is empty.".into()
                } else {
                    format!("A part of `{whole}` is empty.")
                },
                Some("Write `key == value`, as in `os == linux`.".into()),
            );
        }
        if part.starts_with('~') {
            return bad(
                format!("Soft conditions, as in `{part}`, are not known to this version of Caracal yet."),
                Some("Leave `~` out: the condition must then hold.".into()),
            );
        }
        if part.contains("=~") || part.contains("||") || part.starts_with(['!', '(']) {
            return bad(
                format!("`{part}` uses `=~`, `||`, `!` or `( )`, which this version of Caracal does not know yet."),
                Some("Use `==` and `!=`, joined by `&&`.".into()),
            );
        }
        let key_end = part
            .find(|c: char| !(c.is_ascii_alphanumeric() || "._-/".contains(c)))
            .unwrap_or(part.len());
        let (key, rest) = part.split_at(key_end);
        let rest = rest.trim_start();
        let (equal, value) = if let Some(v) = rest.strip_prefix("==") {
            (true, v)
        } else if let Some(v) = rest.strip_prefix("!=") {
            (false, v)
        } else {
            let example = match rest.strip_prefix(['=', ':']) {
                Some(v) if !key.is_empty() => format!("Did you mean `{key} == {}`?", v.trim()),
                _ => "Write `key == value`, as in `os == linux`.".into(),
            };
            return bad(format!("`{part}` is not a condition."), Some(example));
        };
        let key = key.strip_prefix("labels.").unwrap_or(key);
        if !key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || key.len() > 100 {
            return bad(
                format!("`{part}` has no key that could be compared."),
                Some("A key starts with a letter.".into()),
            );
        }
        let value = unquote(value.trim()).ok_or_else(|| BadCondition {
            message: format!("The value in `{part}` cannot be read."),
            hint: Some("Put a value with blanks or signs in quotes, as in `pool == 'big ones'`.".into()),
        })?;
        Ok(Self {
            key: key.to_owned(),
            equal,
            value: value.to_owned(),
        })
    }
}

/// Splits at `&&` outside quotes.
fn split_and(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quote) = (Vec::new(), 0, None);
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        match (quote, bytes[i]) {
            (None, q @ (b'"' | b'\'')) => quote = Some(q),
            (Some(q), b) if q == b => quote = None,
            (None, b'&') if bytes.get(i + 1) == Some(&b'&') => {
                parts.push(&text[from..i]);
                i += 1;
                from = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    parts.push(&text[from..]);
    parts
}

/// The value without its quotes; `None` when it is empty, unclosed, or holds blanks or signs without quotes.
fn unquote(v: &str) -> Option<&str> {
    for q in ['"', '\''] {
        if let Some(inner) = v.strip_prefix(q) {
            return inner.strip_suffix(q).filter(|i| !i.contains(q));
        }
    }
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'`&|()=!<>~*?[]{}".contains(c);
    (!v.is_empty() && v.chars().all(plain)).then_some(v)
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.key,
            if self.equal { "==" } else { "!=" },
            self.value
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        for (text, expected) in [
            ("os == linux", "os == linux"),
            ("os==linux", "os == linux"),
            ("labels.pool != slow", "pool != slow"),
            ("pool == 'big ones'", "pool == big ones"),
            ("pool == \"a && b\" && os != windows", "pool == a && b; os != windows"),
            ("branch == release/1.2", "branch == release/1.2"),
            ("env.CI == ''", "env.CI == "),
        ] {
            let got =
                Condition::parse_all(text).map(|c| c.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            assert_eq!(got.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_gets_a_sentence() {
        for (text, part) in [
            ("", "empty"),
            ("os == linux &&", "empty"),
            ("linux", "not a condition"),
            ("os = linux", "Did you mean `os == linux`?"),
            ("os: linux", "Did you mean `os == linux`?"),
            ("os ==", "cannot be read"),
            ("os == two words", "in quotes"),
            ("os == 'open", "in quotes"),
            ("~pool == warm", "Leave `~` out"),
            ("branch =~ 'v*'", "does not know yet"),
            ("a == b || c == d", "does not know yet"),
            ("!(a == b)", "does not know yet"),
            ("== x", "no key"),
            ("1x == y", "no key"),
        ] {
            let got = Condition::parse_all(text).map_err(|e| format!("{} {}", e.message, e.hint.unwrap_or_default()));
            assert!(got.as_ref().is_err_and(|e| e.contains(part)), "{text:?}: {got:?}");
        }
    }

    #[test]
    fn an_absent_label_equals_the_empty_text() {
        let labels = Labels::from([("os".into(), "linux".into())]);
        for (text, holds) in [
            ("os == linux", true),
            ("os != linux", false),
            ("pool == x", false),
            ("pool != x", true),
            ("pool == ''", true),
        ] {
            assert_eq!(Condition::parse_all(text).unwrap()[0].holds(&labels), holds, "{text}");
        }
    }
}
