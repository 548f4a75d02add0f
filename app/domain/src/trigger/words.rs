//! Triggers in words: what makes one fire, as a person would say it.
//!
//! **Invariant:** the words say no more than the configuration does; names are quoted as they are.

use super::{Config, Cron, Poll, Provider, Upstream, Webhook};
use crate::git::called;
use crate::status::TaskStatus;

/// What is wrong with the name of a trigger or hook; `None` when nothing is.
#[must_use]
pub fn name_problem(name: &str) -> Option<&'static str> {
    let trimmed = name.trim();
    match () {
        () if trimmed.is_empty() => Some("A name is missing."),
        () if trimmed != name => Some("A name does not begin or end with a blank."),
        () if name.chars().count() > 100 => Some("A name has at most 100 characters."),
        () if name.chars().any(char::is_control) => Some("A name has no control characters."),
        () => None,
    }
}

/// What makes it fire, without an end. `plans` names plans by id, `schedule` says a cron's times.
#[must_use]
pub fn condition(
    config: &Config,
    rules: &[String],
    plans: impl Fn(crate::PlanId) -> String,
    schedule: impl Fn(&Cron) -> String,
) -> String {
    let said = match config {
        Config::Cron(cron) => return schedule(cron),
        Config::Poll(poll) => polled(poll),
        Config::Webhook(hook) => return delivered(hook, rules),
        Config::Upstream(up) => after(up, plans),
    };
    match rules {
        [] => said,
        some => format!("{said}, when {}", some.join(" and ")),
    }
}

fn polled(poll: &Poll) -> String {
    if let Some(url) = &poll.url {
        return match poll.pointer.as_deref() {
            None | Some("") => format!("When {} changes", short(url)),
            Some(pointer) => format!("When {pointer} of {} changes", short(url)),
        };
    }
    let of = poll
        .git
        .as_deref()
        .map(|url| format!(" in {}", called(url)))
        .unwrap_or_default();
    let what = match (poll.branches.as_slice(), poll.tags.as_slice()) {
        ([], []) => "any branch has a new commit".to_owned(),
        (branches, []) => format!("{} has a new commit", branches.join(" or ")),
        ([], tags) => format!("there is a new tag {}", tags.join(" or ")),
        (branches, tags) => format!(
            "{} has a new commit, or there is a new tag {}",
            branches.join(" or "),
            tags.join(" or ")
        ),
    };
    format!("When {what}{of}")
}

/// The last parts of a page's URL.
fn short(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    let from = url.rmatch_indices(['/', ':']).nth(1).map_or(0, |(at, _)| at + 1);
    &url[from..]
}

fn delivered(hook: &Webhook, rules: &[String]) -> String {
    // The common ones as one would say them; others as they are written.
    let (mut event, mut on, mut touching, mut rest) = (None, None, None, Vec::new());
    for rule in rules {
        let parts: Vec<&str> = rule.split_whitespace().collect();
        match parts[..] {
            ["event", "==", value] if event.is_none() => event = Some(bare(value)),
            ["branch" | "tag", "==", value] if on.is_none() => on = Some(bare(value)),
            ["path", "==", value] if touching.is_none() => touching = Some(bare(value)),
            _ => rest.push(rule.as_str()),
        }
    }
    let what = match event {
        Some("push") => "a push".to_owned(),
        Some("tag") => "a tag".to_owned(),
        Some("pull_request") => "a pull request".to_owned(),
        Some("release") => "a release".to_owned(),
        Some(other) => format!("the event {other}"),
        None if hook.provider == Some(Provider::Generic) => "a call".to_owned(),
        None => "any delivery".to_owned(),
    };
    let to = on.map(|to| {
        if event == Some("tag") {
            format!(" {to}")
        } else {
            format!(" to {to}")
        }
    });
    let touching = touching.map(|p| format!(" that touches {p}"));
    let when = (!rest.is_empty()).then(|| format!(", when {}", rest.join(" and ")));
    let parts = [to, touching, when].into_iter().flatten().collect::<String>();
    format!("On {what}{parts}")
}

fn bare(value: &str) -> &str {
    value.trim_matches(['"', '\''])
}

fn after(up: &Upstream, plans: impl Fn(crate::PlanId) -> String) -> String {
    let names: Vec<String> = up.plans.iter().map(|id| plans(*id)).collect();
    let results: Vec<&str> = up.wanted().iter().map(|s: &TaskStatus| s.as_str()).collect();
    let on = up.branch.as_ref().map(|b| format!(" on {b}")).unwrap_or_default();
    let same = if names.len() > 1 { " at the same revision" } else { "" };
    format!("After {} {}{on}{same}", names.join(" and "), results.join(" or "))
}
