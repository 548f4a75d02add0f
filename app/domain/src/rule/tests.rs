//! What people write, and what they are told.

use super::*;
use std::collections::BTreeMap;

struct Event(BTreeMap<&'static str, Vec<String>>);

impl Facts for Event {
    fn values(&self, key: &str) -> Vec<String> {
        self.0.get(key).cloned().unwrap_or_default()
    }
}

fn push() -> Event {
    let one = |v: &str| vec![v.to_owned()];
    Event(BTreeMap::from([
        ("event", one("push")),
        ("branch", one("feature/csv-export")),
        ("message", one("Export the ledger as CSV")),
        (
            "path",
            ["crates/export/src/csv.rs", "Cargo.lock"].map(String::from).to_vec(),
        ),
    ]))
}

fn ask(text: &str) -> Answer {
    Rule::parse(text)
        .unwrap_or_else(|e| panic!("{text}: {e:?}"))
        .ask(&push())
}

#[test]
fn rules_hold_or_do_not() {
    for (text, holds) in [
        ("event == push", true),
        ("event==push", true),
        ("branch == feature/*", true),
        ("branch == release/*", false),
        ("branch != release/*", true),
        ("path == crates/**", true),
        ("path == docs/**", false),
        ("path != docs/**", true),
        ("path != Cargo.lock", false),
        ("message =~ '(?i)ledger'", true),
        ("message =~ ^ledger", false),
        ("tag == ''", true),
        ("tag == v*", false),
        ("tag != v1", true),
        ("event == tag || event == push", true),
        ("event == push && branch == main || path == Cargo.lock", true),
        ("event == push && (branch == main || path == docs/**)", false),
        ("!(branch == main) && !event == tag", true),
        ("message == 'Export the ledger as CSV'", true),
        ("message == \"it's\"", false),
    ] {
        assert_eq!(ask(text).holds, holds, "{text}");
    }
}

#[test]
fn an_answer_says_which_value_decided() {
    for (text, why) in [
        (
            "branch == release/*",
            "branch `feature/csv-export` does not match `release/*`",
        ),
        (
            "event == push && branch == main",
            "branch `feature/csv-export` is not `main`",
        ),
        (
            "event == push && branch == feature/*",
            "event `push` is `push`, and branch `feature/csv-export` matches `feature/*`",
        ),
        (
            "branch == main || event == tag",
            "branch `feature/csv-export` is not `main`, and event `push` is not `tag`",
        ),
        (
            "path == docs/**",
            "none of 2 values of path (the first is `crates/export/src/csv.rs`) matches `docs/**`",
        ),
        ("path != Cargo.lock", "one of 2 values of path is `Cargo.lock`"),
        ("tag == v*", "there is no tag: it does not match `v*`"),
        (
            "message =~ skip",
            "message `Export the ledger as CSV` does not contain `skip`",
        ),
    ] {
        assert_eq!(ask(text).why(), why, "{text}");
    }
    let answer = ask("event == tag && branch == main");
    assert_eq!(answer.compared.len(), 1, "what need not be asked is not");
}

#[test]
fn mistakes_have_a_column_and_say_what_to_do() {
    for (text, column, message) in [
        ("", 1, "The rule is empty."),
        ("   ", 1, "The rule is empty."),
        ("branch = main", 8, "After `branch` should stand how it is compared."),
        ("branch", 7, "After `branch` should stand how it is compared."),
        ("branch == ", 11, "`branch` is compared with nothing."),
        (
            "branch == a b",
            13,
            "Here the rule should end or go on with `&&` or `||`.",
        ),
        ("== main", 1, "Here should stand what is compared."),
        ("größe == x && == y", 15, "Here should stand what is compared."),
        ("(branch == a", 1, "This `(` is never closed."),
        ("branch == a)", 12, "This `)` closes nothing."),
        ("message == 'a", 12, "This ' is never closed."),
        ("a == b &&", 10, "Here should stand what is compared."),
    ] {
        let mistake = Rule::parse(text).expect_err(text);
        assert_eq!((mistake.column, mistake.message.as_str()), (column, message), "{text}");
        assert!(mistake.hint.is_some(), "{text}");
    }
    let regex = Rule::parse("message =~ '(a'").expect_err("no regex");
    assert_eq!(regex.column, 12);
    assert!(
        regex.message.starts_with("This is no regular expression"),
        "{}",
        regex.message
    );
}

#[test]
fn what_is_made_to_exhaust_is_refused() {
    for text in [
        "(".repeat(5_000),
        "!".repeat(4_000) + "a == b",
        "(".repeat(40) + "a == b" + &")".repeat(40),
        vec!["a == b"; 65].join(" && "),
        "m =~ '".to_owned() + &"(a{50}){50}".repeat(20) + "'",
    ] {
        assert!(Rule::parse(&text).is_err(), "{}", &text[..40]);
    }
}

#[test]
fn keys_are_told_with_their_columns() {
    let rule = Rule::parse("!(event == push) || payload.pull_request.draft == true").unwrap();
    assert_eq!(rule.keys(), [("event", 3), ("payload.pull_request.draft", 21)]);
}
