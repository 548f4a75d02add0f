//! Events as the forges send them, cut to what is read. GitHub's own examples are read whole in the server's tests.

use super::*;
use crate::rule::Rule;
use serde_json::json;

const SHA: &str = "4e81b02a77d9c1e0b2f3a4958677a6b5c4d3e2f1";
const NONE: &str = "0000000000000000000000000000000000000000";

fn read(provider: Provider, name: &str, payload: Value) -> Event {
    Event::read(provider, Some(name), payload).unwrap()
}

fn github_push(to: &str, after: &str) -> Value {
    json!({
        "ref": to, "before": NONE, "after": after,
        "repository": { "full_name": "money/ledger" },
        "pusher": { "name": "mei" }, "sender": { "login": "mei.lin" },
        "head_commit": { "message": "Export as CSV\n\n[skip ci]" },
        "commits": [
            { "id": "1", "added": ["b.rs"], "modified": ["a.rs"], "removed": [] },
            { "id": SHA, "modified": ["a.rs"], "removed": ["c.rs"] },
        ],
    })
}

#[test]
fn pushes_are_the_same_from_everywhere() {
    let gitlab = json!({
        "object_kind": "push", "ref": "refs/heads/feature/x", "before": NONE, "after": SHA, "checkout_sha": SHA,
        "user_username": "mei.lin", "project": { "path_with_namespace": "money/ledger" },
        "commits": [
            { "id": "1", "message": "first", "added": ["b.rs"], "modified": ["a.rs"], "removed": [] },
            { "id": SHA, "message": "Export as CSV\n\n[skip ci]", "added": [], "modified": ["a.rs"], "removed": ["c.rs"] },
        ],
    });
    let pushes = [
        read(Provider::GitHub, "push", github_push("refs/heads/feature/x", SHA)),
        read(Provider::Gitea, "push", github_push("refs/heads/feature/x", SHA)),
        read(Provider::GitLab, "Push Hook", gitlab),
    ];
    for event in pushes {
        assert_eq!(
            (event.kind.as_str(), event.branch.as_deref()),
            ("push", Some("feature/x"))
        );
        assert_eq!(event.revision.as_deref(), Some(SHA));
        assert_eq!(
            (event.author.as_deref(), event.repository.as_deref()),
            (Some("mei.lin"), Some("money/ledger"))
        );
        assert_eq!(event.paths, ["a.rs", "b.rs", "c.rs"]);
        assert_eq!((event.skips(), event.tag), (Some("[skip ci]"), None));
    }
}

#[test]
fn tags_and_what_is_deleted_are_no_pushes() {
    for (name, after, kind) in [
        ("refs/tags/v1.0", SHA, "tag"),
        ("refs/tags/v1.0", NONE, "delete"),
        ("refs/heads/old", NONE, "delete"),
    ] {
        let event = read(Provider::GitHub, "push", github_push(name, after));
        assert_eq!(event.kind, kind, "{name} {after}");
        assert_eq!(event.revision.is_some(), kind != "delete");
        let gitlab = json!({ "object_kind": "tag_push", "ref": name, "after": after, "commits": [] });
        assert_eq!(read(Provider::GitLab, "", gitlab).kind, kind);
    }
}

#[test]
fn pull_requests_name_both_branches_and_whether_they_come_from_a_fork() {
    let github = |action: &str, head: u64| {
        json!({
            "action": action,
            "pull_request": {
                "number": 7, "title": "Add CSV", "user": { "login": "mei.lin" },
                "head": { "ref": "csv", "sha": SHA, "repo": { "id": head } },
                "base": { "ref": "main", "sha": NONE, "repo": { "id": 1 } },
            },
        })
    };
    let gitlab = |action: &str, source: u64, oldrev: Option<&str>| {
        json!({
            "object_kind": "merge_request", "user": { "username": "mei.lin" },
            "object_attributes": {
                "iid": 7, "title": "Add CSV", "action": action, "oldrev": oldrev, "source_branch": "csv", "target_branch": "main",
                "source_project_id": source, "target_project_id": 1, "last_commit": { "id": SHA },
            },
        })
    };
    for (event, action, fork) in [
        (
            read(Provider::GitHub, "pull_request", github("opened", 1)),
            "opened",
            false,
        ),
        (
            read(Provider::GitHub, "pull_request", github("synchronize", 2)),
            "synchronised",
            true,
        ),
        (
            read(Provider::Gitea, "pull_request", github("synchronized", 1)),
            "synchronised",
            false,
        ),
        (read(Provider::GitLab, "", gitlab("open", 2, None)), "opened", true),
        (
            read(Provider::GitLab, "", gitlab("update", 1, Some(NONE))),
            "synchronised",
            false,
        ),
        (read(Provider::GitLab, "", gitlab("update", 1, None)), "edited", false),
    ] {
        assert_eq!(
            (event.kind.as_str(), event.action.as_deref()),
            ("pull_request", Some(action))
        );
        assert_eq!(
            (event.branch.as_deref(), event.target.as_deref()),
            (Some("csv"), Some("main"))
        );
        assert_eq!(
            (event.number, event.revision.as_deref(), event.fork),
            (Some(7), Some(SHA), fork)
        );
        assert_eq!(event.author.as_deref(), Some("mei.lin"));
    }
    let mut removed = github("opened", 1);
    removed["pull_request"]["head"]["repo"] = Value::Null;
    assert!(
        read(Provider::GitHub, "pull_request", removed).fork,
        "what is unknown is not trusted"
    );
}

#[test]
fn releases_carry_their_tag() {
    let github =
        json!({ "action": "published", "release": { "tag_name": "v2", "name": "Two", "author": { "login": "mei" } } });
    let gitlab =
        json!({ "object_kind": "release", "action": "create", "tag": "v2", "name": "Two", "commit": { "id": SHA } });
    for event in [
        read(Provider::GitHub, "release", github),
        read(Provider::GitLab, "", gitlab),
    ] {
        assert_eq!(
            (event.kind.as_str(), event.action.as_deref()),
            ("release", Some("published"))
        );
        assert_eq!(
            (event.tag.as_deref(), event.message.as_deref()),
            (Some("v2"), Some("Two"))
        );
    }
}

#[test]
fn rules_look_at_fields_of_the_payload_and_through_lists() {
    let payload = json!({
        "event": "deploy", "stage": { "name": "prod", "ready": true, "n": 3, "none": null },
        "changes": [{ "files": ["a", "b"] }, { "files": ["c"] }, { "other": 1 }],
    });
    let event = Event::read(Provider::Generic, None, payload).unwrap();
    for (rule, holds) in [
        ("event == deploy", true),
        ("payload.stage.name == prod", true),
        ("payload.stage.ready == true && payload.stage.n == 3", true),
        ("payload.changes.files == c", true),
        ("payload.changes.files == d", false),
        ("payload.stage == prod", false),
        ("payload.stage.none == ''", true),
        ("payload.nothing.here == x", false),
    ] {
        assert_eq!(Rule::parse(rule).unwrap().ask(&event).holds, holds, "{rule}");
    }
}

#[test]
fn a_payload_that_lacks_what_it_must_have_is_refused_and_what_is_unknown_keeps_its_name() {
    for (provider, name, payload, message) in [
        (
            Provider::GitHub,
            "push",
            json!({}),
            "The payload is no push: it has no `ref`.",
        ),
        (
            Provider::GitHub,
            "push",
            json!({ "ref": "refs/heads/x", "after": 7 }),
            "The payload is no push: it has no `after`.",
        ),
        (
            Provider::GitHub,
            "pull_request",
            json!([]),
            "The payload is no pull request: it has no `pull_request.head.ref`.",
        ),
        (
            Provider::GitLab,
            "",
            json!("text"),
            "The payload is none of GitLab's: it has no `object_kind`.",
        ),
    ] {
        assert_eq!(Event::read(provider, Some(name), payload), Err(message.to_owned()));
    }
    let star = read(
        Provider::GitHub,
        "star",
        json!({ "action": "created", "sender": { "login": "mei" } }),
    );
    assert_eq!(
        (star.kind.as_str(), star.action.as_deref(), star.author.as_deref()),
        ("star", Some("created"), Some("mei"))
    );
    assert_eq!(
        read(Provider::GitLab, "", json!({ "object_kind": "note" })).kind,
        "note"
    );
}
