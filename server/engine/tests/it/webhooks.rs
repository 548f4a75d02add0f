//! GitHub's own examples of its webhooks, all of them (npm's `@octokit/webhooks-examples`, a tool of the tests).

use domain::rule::{Facts, Rule};
use domain::webhook::{Event, Provider};
use serde_json::Value;
use std::path::Path;

fn examples() -> Vec<(String, Vec<Value>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../node_modules/@octokit/webhooks-examples/api.github.com/index.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}; run `npm ci`", path.display()));
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    let name = |e: &Value| e["name"].as_str().unwrap().to_owned();
    all.iter()
        .map(|e| (name(e), e["examples"].as_array().unwrap().clone()))
        .collect()
}

#[test]
fn every_example_is_read_and_says_who_did_it() {
    let (mut read, mut kinds) = (0, std::collections::BTreeSet::new());
    for (name, payloads) in examples() {
        for payload in payloads {
            let event =
                Event::read(Provider::GitHub, Some(&name), payload.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
            let sender = payload["sender"]["login"].as_str();
            assert!(sender.is_none() || event.author.is_some(), "{name}: {sender:?}");
            assert_eq!(
                event.values("payload.sender.login").first().map(String::as_str),
                sender,
                "{name}"
            );
            kinds.insert(event.kind);
            read += 1;
        }
    }
    assert!(
        read > 250 && kinds.len() > 40,
        "{read} examples of {} kinds",
        kinds.len()
    );
}

#[test]
fn rules_find_what_githubs_examples_tell() {
    let all = examples();
    let holds = |name: &str, rule: &str| {
        let rule = Rule::parse(rule).unwrap();
        let payloads = &all.iter().find(|(n, _)| n == name).unwrap().1;
        let events = payloads
            .iter()
            .map(|p| Event::read(Provider::GitHub, Some(name), p.clone()).unwrap());
        events.filter(|e| rule.ask(e).holds).count()
    };
    for (name, rule, want) in [
        ("push", "event == push && branch == master && path == README.md", 2),
        ("push", "event == tag && tag == simple-*", 1),
        ("push", "event == delete", 4),
        ("pull_request", "action == synchronised && target == master", 1),
        (
            "pull_request",
            "action =~ '^(opened|reopened|synchronised)$' && fork == false && author == Codertocat",
            7,
        ),
        (
            "pull_request",
            "payload.pull_request.draft == true && action == opened",
            0,
        ),
        ("release", "action == published && tag == 0.0.*", 3),
    ] {
        assert_eq!(holds(name, rule), want, "{name}: {rule}");
    }
}
