//! GitLab's events.
//!
//! **Invariant:** as for GitHub's; the words for what happened are GitHub's, which most people know.

use super::{Event, changed, needed, pushed, text};
use serde_json::Value;

/// Reads one by the kind that its payload names.
pub(super) fn read(p: &Value) -> Result<Event, String> {
    let kind = text(p, "/object_kind").or_else(|| text(p, "/event_name"));
    let kind = kind.ok_or("The payload is none of GitLab's: it has no `object_kind`.")?;
    let mut event = match kind.as_str() {
        "push" | "tag_push" => push(p)?,
        "merge_request" => merge_request(p)?,
        "release" => release(p)?,
        _ => Event {
            kind,
            ..Event::default()
        },
    };
    event.repository = text(p, "/project/path_with_namespace");
    let user = || {
        text(p, "/user_username")
            .or_else(|| text(p, "/user/username"))
            .or_else(|| text(p, "/user_name"))
    };
    event.author = event.author.or_else(user);
    Ok(event)
}

fn push(p: &Value) -> Result<Event, String> {
    let pushed = pushed(p)?;
    // Of an annotated tag `after` is the tag's own object.
    let revision = text(p, "/checkout_sha").or_else(|| pushed.revision.clone());
    let commits = p.get("commits");
    let all = commits.and_then(Value::as_array).into_iter().flatten();
    let last = all
        .clone()
        .find(|c| c.get("id").and_then(Value::as_str) == revision.as_deref())
        .or_else(|| all.last());
    Ok(Event {
        message: last.and_then(|c| text(c, "/message")),
        revision,
        paths: changed(commits),
        ..pushed
    })
}

fn merge_request(p: &Value) -> Result<Event, String> {
    let of = |field: &str| format!("/object_attributes/{field}");
    let project = |side: &str| p.pointer(&of(&format!("{side}_project_id"))).and_then(Value::as_u64);
    let (from, to) = (project("source"), project("target"));
    let action = text(p, &of("action")).map(|action| match action.as_str() {
        "open" => "opened".into(),
        "reopen" => "reopened".into(),
        // Without commits it is a change of title, labels and the like.
        "update" if text(p, &of("oldrev")).is_some() => "synchronised".into(),
        "update" => "edited".into(),
        "close" => "closed".into(),
        "merge" => "merged".into(),
        _ => action,
    });
    Ok(Event {
        kind: "pull_request".into(),
        action,
        branch: Some(needed(p, &of("source_branch"), "merge request")?),
        target: Some(needed(p, &of("target_branch"), "merge request")?),
        revision: Some(needed(p, &of("last_commit/id"), "merge request")?),
        message: text(p, &of("title")),
        number: p.pointer(&of("iid")).and_then(Value::as_u64),
        fork: from.is_none() || from != to,
        from: text(p, &of("source/path_with_namespace")),
        ..Event::default()
    })
}

fn release(p: &Value) -> Result<Event, String> {
    let action = text(p, "/action").map(|action| match action.as_str() {
        "create" => "published".into(),
        "update" => "edited".into(),
        "delete" => "deleted".into(),
        _ => action,
    });
    Ok(Event {
        kind: "release".into(),
        action,
        tag: Some(needed(p, "/tag", "release")?),
        revision: text(p, "/commit/id"),
        message: text(p, "/name"),
        ..Event::default()
    })
}
