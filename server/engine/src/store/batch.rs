//! Several statements sent as one: on SQLite a hop per statement costs more than the fsync (shim.md §6).
//!
//! **Invariant:** each statement's placeholders are its own, `$1` to `$n`; joining renumbers them.

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

/// Statements with their values, in order.
#[derive(Debug, Default)]
pub struct Batch {
    statements: Vec<(String, Vec<Value>)>,
}

impl Batch {
    /// Adds a statement. Its text must not come from outside: ids and words are bound.
    pub fn push(&mut self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) {
        self.statements.push((sql.into(), values.into_iter().collect()));
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    pub(super) fn single(self) -> Vec<(String, Vec<Value>)> {
        self.statements
    }

    /// All statements as one text, placeholders renumbered.
    pub(super) fn joined(self) -> Option<(String, Vec<Value>)> {
        if self.statements.is_empty() {
            return None;
        }
        let mut sql = String::new();
        let mut values: Vec<Value> = Vec::new();
        for (text, vs) in self.statements {
            let mut rest = text.as_str();
            while let Some(at) = rest.find('$') {
                sql.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                if let Ok(n) = rest[..digits].parse::<usize>() {
                    sql.push_str(&(n + values.len()).to_string());
                }
                rest = &rest[digits..];
            }
            sql.push_str(rest);
            sql.push(';');
            values.extend(vs);
        }
        Some((sql, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
