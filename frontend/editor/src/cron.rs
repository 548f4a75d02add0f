//! Expressions of cron: what one means, when it fires next, and whom it meets then.
//!
//! **Invariant:** the other schedules are those that were told last; before that there are none.

use crate::answer::answer;
use domain::Timestamp;
use domain::trigger::{CronQuestion, Crowd, Neighbour, preview};
use std::cell::RefCell;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    /// Read once, as that takes longer than a letter may.
    static OTHERS: RefCell<Crowd> = RefCell::default();
}

/// Takes the other schedules there are: a list of `Neighbour`.
#[wasm_bindgen]
pub fn meet(others: &str) -> String {
    answer(others, |others: Vec<Neighbour>| {
        OTHERS.set(Crowd::of(&others));
        Ok(())
    })
}

/// From a `CronQuestion` to a `CronPreview`; `now` in milliseconds since 1970.
#[wasm_bindgen]
pub fn cron(question: &str, now: f64) -> String {
    answer(question, |what: CronQuestion| {
        OTHERS.with_borrow(|others| preview(&what, Timestamp(now as i64), others))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_read_and_others_are_met() {
        let now = 1_795_320_000_000.0; // 2026-11-22T04:00:00Z
        let question = r#"{"cron":"30 2 * * 1-5","zone":"Europe/Berlin"}"#;
        assert!(cron(question, now).contains(r#""sentence":"At 02:30 on weekdays.""#));
        assert!(cron(question, now).contains(r#""together":null"#));
        let others = r#"[{"id":1,"name":"nightly","cron":"30 1 * * *","zone":"UTC","from":null,"until":null}]"#;
        assert_eq!(meet(others), r#"{"Ok":null}"#);
        assert!(cron(question, now).contains(r#""names":["nightly"]"#));
        assert!(cron(r#"{"cron":"61 2 * * *"}"#, now).contains(r#""column":1"#));
    }
}
