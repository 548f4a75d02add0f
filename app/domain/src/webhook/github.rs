//! GitHub's events, and Gitea's and Forgejo's, which follow them but for a few names.
//!
//! **Invariant:** an event of which we know nothing is told under its own name, never as another.

use super::{Event, changed, needed, pushed, text};
use serde_json::Value;

/// Reads one by its name.
pub(super) fn read(name: &str, p: &Value) -> Result<Event, String> {
    let mut event = match name {
        "push" => push(p)?,
        "pull_request" => pull_request(p)?,
        "release" => release(p)?,
        _ => Event {
            kind: if name.is_empty() { "webhook" } else { name }.into(),
            action: text(p, "/action"),
            ..Event::default()
        },
    };
    event.repository = text(p, "/repository/full_name");
    let sender = || text(p, "/sender/login").or_else(|| text(p, "/sender/username"));
    event.author = event.author.or_else(sender);
    Ok(event)
}

fn push(p: &Value) -> Result<Event, String> {
    let pushed = pushed(p)?;
    let pusher = || {
        text(p, "/pusher/login")
            .or_else(|| text(p, "/pusher/username"))
            .or_else(|| text(p, "/pusher/name"))
    };
    Ok(Event {
        message: text(p, "/head_commit/message"),
        author: text(p, "/sender/login").or_else(pusher),
        paths: changed(p.get("commits")),
        ..pushed
    })
}

fn pull_request(p: &Value) -> Result<Event, String> {
    let repository = |side: &str| {
        p.pointer(&format!("/pull_request/{side}/repo/id"))
            .and_then(Value::as_u64)
    };
    let (from, to) = (repository("head"), repository("base"));
    Ok(Event {
        kind: "pull_request".into(),
        action: text(p, "/action").map(|action| match action.as_str() {
            "synchronize" | "synchronized" => "synchronised".into(),
            _ => action,
        }),
        branch: Some(needed(p, "/pull_request/head/ref", "pull request")?),
        target: Some(needed(p, "/pull_request/base/ref", "pull request")?),
        revision: Some(needed(p, "/pull_request/head/sha", "pull request")?),
        message: text(p, "/pull_request/title"),
        author: text(p, "/pull_request/user/login"),
        number: p.pointer("/pull_request/number").and_then(Value::as_u64),
        // A fork that was removed has no id any more.
        fork: from.is_none() || from != to,
        from: text(p, "/pull_request/head/repo/full_name"),
        ..Event::default()
    })
}

fn release(p: &Value) -> Result<Event, String> {
    Ok(Event {
        kind: "release".into(),
        action: text(p, "/action"),
        tag: Some(needed(p, "/release/tag_name", "release")?),
        message: text(p, "/release/name"),
        author: text(p, "/release/author/login"),
        ..Event::default()
    })
}
