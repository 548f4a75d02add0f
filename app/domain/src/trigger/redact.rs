//! Taking secrets out of what others sent, before anybody sees it.
//!
//! **Invariant:** what stands under a name that sounds like a secret is shown to nobody, whatever it is; the form of the
//! payload stays.

use serde_json::Value;

/// What stands in their place.
pub const TAKEN_OUT: &str = "(taken out)";
/// Parts of names that sound like secrets, in lower case.
const SECRET: [&str; 9] = [
    "secret",
    "token",
    "password",
    "passwd",
    "authorization",
    "api_key",
    "apikey",
    "private_key",
    "credential",
];

/// Takes secrets out of a payload.
pub fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                let holds = !value.is_null() && !value.is_boolean() && value != "";
                if holds && is_secret(name) {
                    *value = Value::String(TAKEN_OUT.into());
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a name, or a dotted path of names, sounds like a secret's.
#[must_use]
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    SECRET.iter().any(|s| name.contains(s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_sounds_like_a_secret_is_taken_out_wherever_it_stands() {
        let mut payload = json!({
            "ref": "refs/heads/main", "token": "abc", "a": [{ "Deploy-Token": { "x": "y" }, "n": 1 }], "token_ok": true,
            "secret": "", "hook": { "config": { "secret": "********", "url": "https://x" } },
        });
        redact(&mut payload);
        assert_eq!(
            payload,
            json!({
                "ref": "refs/heads/main", "token": TAKEN_OUT, "a": [{ "Deploy-Token": TAKEN_OUT, "n": 1 }], "token_ok": true,
                "secret": "", "hook": { "config": { "secret": TAKEN_OUT, "url": "https://x" } },
            })
        );
    }
}
