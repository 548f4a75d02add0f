//! Fields of a payload by dotted path, as rules name them: `payload.pull_request.draft`.
//!
//! **Invariant:** a list stands for all its members, so that a path needs no numbers; objects and null have no value.

use serde_json::Value;

/// Most values of a path.
const MOST: usize = 3_000;

/// The values at a path.
#[must_use]
pub fn at(payload: &Value, path: &str) -> Vec<String> {
    let mut found = vec![payload];
    for part in path.split('.') {
        let members = found.into_iter().flat_map(members);
        found = members.filter_map(|v| v.get(part)).take(MOST).collect();
    }
    let values = found.into_iter().flat_map(members).take(MOST);
    values
        .filter_map(|v| match v {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(v.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
        .collect()
}

fn members(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().flat_map(members).collect(),
        one => vec![one],
    }
}
