//! Several statements sent as one: on SQLite a hop per statement costs more than the fsync (shim.md §6).
//!
//! **Invariant:** each statement's placeholders are its own, `$1` to `$n`; joining renumbers them.

use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer or NULL.
    Int(Option<i64>),
    /// A text or NULL.
    Text(Option<String>),
    /// A truth.
    Bool(bool),
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(Some(n))
    }
}
impl From<Option<i64>> for Value {
    fn from(n: Option<i64>) -> Self {
        Self::Int(n)
    }
}
impl From<&str> for Value {
    fn from(t: &str) -> Self {
        Self::Text(Some(t.to_owned()))
    }
}
impl From<String> for Value {
    fn from(t: String) -> Self {
        Self::Text(Some(t))
    }
}
impl From<Option<String>> for Value {
    fn from(t: Option<String>) -> Self {
        Self::Text(t)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

/// A statement that is said of many rows: on SQLite once, over a JSON list of them (RFC 8259; SQLite's `json_each`), so
/// that its text, and with it the prepared statement, is the same for any number of rows.
#[derive(Debug)]
pub(crate) struct Each {
    /// Where it stands among others that are put off together, and which it is: no other has this number. Inserts come
    /// before updates.
    pub order: u8,
    /// For SQLite: `$1` is the list, each row an array of the values in their order.
    pub sqlite: &'static str,
    /// For PostgreSQL: a row's values are `$1` to `$n`.
    pub postgres: &'static str,
    /// Which value names the row: of several that name the same, the last is written. `None` where every one counts.
    pub key: Option<usize>,
}

#[derive(Debug)]
enum Statement {
    One(Cow<'static, str>, Vec<Value>),
    Each(&'static Each, Vec<Vec<Value>>),
}

/// Statements with their values, in order.
#[derive(Debug, Default)]
pub struct Batch {
    statements: Vec<Statement>,
}

impl Batch {
    /// Adds a statement. Its text must not come from outside: ids and words are bound.
    pub fn push(&mut self, sql: impl Into<Cow<'static, str>>, values: impl IntoIterator<Item = Value>) {
        self.statements
            .push(Statement::One(sql.into(), values.into_iter().collect()));
    }

    /// Says a statement of one more row. It joins those of its kind, but never passes what [`Batch::push`] added.
    pub(crate) fn each(&mut self, kind: &'static Each, row: impl IntoIterator<Item = Value>) {
        let row: Vec<Value> = row.into_iter().collect();
        let mut at = self.statements.len();
        while let Some(Statement::Each(known, rows)) = at.checked_sub(1).and_then(|i| self.statements.get_mut(i)) {
            if known.order == kind.order {
                debug_assert_eq!(known.sqlite, kind.sqlite, "two statements have the same place");
                match kind.key.and_then(|k| rows.iter_mut().find(|r| r.get(k) == row.get(k))) {
                    Some(earlier) => *earlier = row,
                    None => rows.push(row),
                }
                return;
            }
            if known.order < kind.order {
                break;
            }
            at -= 1;
        }
        self.statements.insert(at, Statement::Each(kind, vec![row]));
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    pub(super) fn append(&mut self, other: Self) {
        for statement in other.statements {
            match statement {
                Statement::Each(kind, rows) => rows.into_iter().for_each(|row| self.each(kind, row)),
                one => self.statements.push(one),
            }
        }
    }

    /// One by one, for PostgreSQL.
    pub(super) fn single(self) -> Vec<(Cow<'static, str>, Vec<Value>)> {
        let mut out = Vec::with_capacity(self.statements.len());
        for statement in self.statements {
            match statement {
                Statement::One(sql, values) => out.push((sql, values)),
                Statement::Each(kind, rows) => {
                    out.extend(rows.into_iter().map(|row| (Cow::Borrowed(kind.postgres), row)));
                }
            }
        }
        out
    }

    /// All statements as one text, placeholders renumbered, for SQLite.
    pub(super) fn joined(self) -> Option<(String, Vec<Value>)> {
        if self.statements.is_empty() {
            return None;
        }
        let mut sql = String::new();
        let mut values: Vec<Value> = Vec::new();
        for statement in self.statements {
            let (text, own) = match statement {
                Statement::One(text, own) => (text, own),
                Statement::Each(kind, rows) => (Cow::Borrowed(kind.sqlite), vec![list(&rows).into()]),
            };
            let mut rest = text.as_ref();
            while let Some(at) = rest.find('$') {
                sql.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                if let Ok(n) = rest[..digits].parse::<usize>() {
                    let _ = write!(sql, "{}", n + values.len());
                }
                rest = &rest[digits..];
            }
            sql.push_str(rest);
            sql.push(';');
            values.extend(own);
        }
        Some((sql, values))
    }
}

/// Rows as a JSON list of arrays.
fn list(rows: &[Vec<Value>]) -> String {
    serde_json::to_string(rows).unwrap_or_default()
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(n) => n.serialize(out),
            Self::Text(t) => t.serialize(out),
            Self::Bool(b) => b.serialize(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Each = Each {
        order: 1,
        sqlite: "first $1",
        postgres: "first",
        key: Some(0),
    };
    const SECOND: Each = Each {
        order: 2,
        sqlite: "second $1",
        postgres: "second",
        key: None,
    };

    #[test]
    fn rows_join_their_kind_and_never_pass_what_stands_between() {
        let batch = || {
            let mut b = Batch::default();
            b.each(&SECOND, [1.into(), "a".into()]);
            b.each(&FIRST, [7.into(), "old".into()]);
            b.each(&SECOND, [1.into(), Value::Int(None)]);
            b.each(&FIRST, [7.into(), "new".into()]);
            b.push("between $1", [3.into()]);
            b.each(&FIRST, [7.into(), true.into()]);
            b
        };
        let single: Vec<_> = batch().single().into_iter().map(|(sql, _)| sql).collect();
        assert_eq!(single, ["first", "second", "second", "between $1", "first"]);
        let (sql, values) = batch().joined().unwrap();
        assert_eq!(sql, "first $1;second $2;between $3;first $4;");
        assert_eq!(
            values,
            [
                r#"[[7,"new"]]"#.into(),
                r#"[[1,"a"],[1,null]]"#.into(),
                3.into(),
                "[[7,true]]".into()
            ]
        );
    }

    #[test]
    fn placeholders_are_renumbered_across_statements() {
        let mut b = Batch::default();
        b.push("UPDATE a SET x = $2 WHERE id = $1", [1.into(), "t".into()]);
        b.push("DELETE FROM b WHERE id = $1", [7.into()]);
        let (sql, values) = b.joined().unwrap();
        assert_eq!(sql, "UPDATE a SET x = $2 WHERE id = $1;DELETE FROM b WHERE id = $3;");
        assert_eq!(values.len(), 3);
    }
}
