//! Rules: what is wrong with them where, and what they would decide about a payload.
//!
//! **Invariant:** a dry run is decided by the function that decides real firings.

use crate::answer::answer;
use domain::trigger::{KnownFields, Trial, check_rules};
use serde::Deserialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// Rules, and the fields that deliveries had.
#[derive(Deserialize)]
struct Question {
    rules: Vec<String>,
    known: Option<KnownFields>,
}

/// From rules and `KnownFields` to a `RulesCheck`.
#[wasm_bindgen]
pub fn rules(question: &str) -> String {
    answer(question, |what: Question| {
        Ok(check_rules(&what.rules, what.known.as_ref()))
    })
}

/// From a `Trial` to `Tried`.
#[wasm_bindgen]
pub fn try_out(trial: &str) -> String {
    answer(trial, Trial::judge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_checked_and_tried() {
        let checked = rules(r#"{"rules":["branch = main","brunch == x"],"known":null}"#);
        assert!(
            checked.contains(r#""path":"rules[0]","line":1,"column":8"#),
            "{checked}"
        );
        assert!(checked.contains("Did you mean `branch`?"), "{checked}");
        let trial = |text: &str| {
            let text = serde_json::to_string(text).unwrap();
            try_out(&format!(
                r#"{{"what":{{"rules":["payload.n == 3"]}},"text":{text},"source":null,"known":null}}"#
            ))
        };
        assert!(trial(r#"{"n":3}"#).contains(r#""verdict":"started""#));
        assert!(trial(r#"{"n":4}"#).contains("payload.n `4` is not `3`"));
        assert!(trial("{").contains(r#""path":"payload""#));
    }
}
