//! How questions come in and answers go out: as JSON, an answer as `{"Ok": …}` or `{"Err": …}` of `domain::Error`.
//!
//! **Invariant:** every question has an answer; one that cannot be read is answered as one that was badly put.

use domain::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Answers a question.
pub fn answer<Q: DeserializeOwned, A: Serialize>(question: &str, judge: impl FnOnce(Q) -> Result<A>) -> String {
    let read: Result<Q> = serde_json::from_str(question).map_err(|e| Error::Malformed(e.to_string()));
    let said = read.and_then(judge);
    serde_json::to_string(&said).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_an_answer() {
        let twice = |n: i64| Ok(n * 2);
        assert_eq!(answer("21", twice), r#"{"Ok":42}"#);
        assert!(answer("x", twice).starts_with(r#"{"Err":{"Malformed":"#));
        assert_eq!(
            answer("1", |_: i64| Err::<i64, _>(Error::NotFound("It".into()))),
            r#"{"Err":{"NotFound":"It"}}"#
        );
    }
}
