use super::*;
use crate::Problem;
use serde_json::json;

fn read(kind: Kind, config: serde_json::Value) -> Result<Config, Vec<Problem>> {
    Config::read(kind, &config, false)
}

#[test]
fn configurations_have_the_defaults_that_most_want_and_are_saved_as_they_are() {
    let cron = read(Kind::Cron, json!({ "cron": "30 2 * * 1-5" })).unwrap();
    let Config::Cron(c) = &cron else { panic!() };
    assert_eq!(
        (c.zone.as_str(), c.missed, c.overlap, c.most),
        ("UTC", Missed::Once, Overlap::Queue, 10)
    );
    let poll = read(
        Kind::Poll,
        json!({ "git": "https://example.com/a/b.git", "branches": ["main"] }),
    )
    .unwrap();
    let Config::Poll(p) = &poll else { panic!() };
    assert_eq!((p.every_ms(), p.commits), (Some(60_000), Seen::Latest));
    let up = read(Kind::Upstream, json!({ "plans": [3] })).unwrap();
    let Config::Upstream(u) = &up else { panic!() };
    assert_eq!(u.wanted(), [crate::status::TaskStatus::Passed]);
    for config in [cron, poll, up] {
        assert_eq!(Config::shaped(config.kind(), &config.saved()), Ok(config));
    }
    let hook = read(Kind::Webhook, json!({ "provider": "github", "secret": "hunter22" })).unwrap();
    assert!(!hook.saved().to_string().contains("hunter22"));
    assert!(!format!("{hook:?}").contains("hunter22"));
}

#[test]
fn every_mistake_is_told_at_its_field() {
    for (kind, config, fields) in [
        (Kind::Cron, json!({}), vec!["config"]),
        (Kind::Cron, json!({ "cron": "* * * * *", "cron2": 1 }), vec!["config"]),
        (
            Kind::Cron,
            json!({ "cron": "* * * * *", "most": 0, "from": "2027-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z" }),
            vec!["config.most", "config.until"],
        ),
        (Kind::Poll, json!({}), vec!["config"]),
        (
            Kind::Poll,
            json!({ "git": "ext::sh -c id", "every": "0.5s" }),
            vec!["config.git", "config.every"],
        ),
        (
            Kind::Poll,
            json!({ "url": "http://a.example/x", "pointer": "a", "tags": ["v*"] }),
            vec!["config.url", "config.pointer", "config.branches"],
        ),
        (
            Kind::Poll,
            json!({ "git": "https://a.example/x", "every": "500ms" }),
            vec!["config.every"],
        ),
        (Kind::Webhook, json!({}), vec!["config.provider"]),
        (
            Kind::Webhook,
            json!({ "hook_id": 1, "provider": "github" }),
            vec!["config.hook_id"],
        ),
        (
            Kind::Webhook,
            json!({ "provider": "github", "signing": "bearer", "secret": "short" }),
            vec!["config.signing", "config.secret"],
        ),
        (
            Kind::Webhook,
            json!({ "provider": "generic", "signing": { "hmac": "x y" } }),
            vec!["config.signing"],
        ),
        (Kind::Upstream, json!({ "plans": [] }), vec!["config.plans"]),
        (
            Kind::Upstream,
            json!({ "plans": [1, 1], "results": ["running"] }),
            vec!["config.plans", "config.results"],
        ),
    ] {
        let problems = read(kind, config.clone()).unwrap_err();
        let found: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(found, fields, "{config}");
    }
}

#[test]
fn conditions_read_as_one_would_say_them() {
    let rules = |r: &[&str]| r.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    for (kind, config, rules, words) in [
        (
            Kind::Webhook,
            json!({ "provider": "github" }),
            rules(&["event == push", "branch == main", "path == crates/**"]),
            "On a push to main that touches crates/**",
        ),
        (
            Kind::Webhook,
            json!({ "hook_id": 1 }),
            rules(&["event == tag", "tag == v*"]),
            "On a tag v*",
        ),
        (
            Kind::Webhook,
            json!({ "provider": "generic" }),
            rules(&["payload.env == \"prod\""]),
            "On a call, when payload.env == \"prod\"",
        ),
        (
            Kind::Poll,
            json!({ "git": "https://git.example/money/ledger.git", "branches": ["release/*"] }),
            vec![],
            "When release/* has a new commit in money/ledger",
        ),
        (
            Kind::Upstream,
            json!({ "plans": [1, 2], "branch": "main" }),
            vec![],
            "After p1 and p2 passed on main at the same revision",
        ),
    ] {
        let config = read(kind, config).unwrap();
        let said = condition(&config, &rules, |id| format!("p{id}"), |_| String::new());
        assert_eq!(said, words);
    }
}
