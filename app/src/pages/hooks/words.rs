//! Hooks in words: who sends, and what proves it.
//!
//! **Invariant:** the words say no more than what is kept.

use domain::trigger::{Generic, HookView, Provider};

/// Who sends, and what proves it.
pub fn sender(provider: Provider, signing: &Generic) -> String {
    match (provider, signing) {
        (Provider::Generic, Generic::Standard) => "another sender, signed by Standard Webhooks".into(),
        (Provider::Generic, Generic::Hmac(header)) => format!("another sender, HMAC-SHA-256 in {header}"),
        (Provider::Generic, Generic::Bearer) => "another sender, with a bearer token".into(),
        (forge, _) => forge.name().into(),
    }
}

/// Who listens: `push, nightly and 3 more`, `nobody`.
pub fn listening(hook: &HookView) -> String {
    let names: Vec<&str> = hook.listeners.iter().map(|l| l.name.as_str()).collect();
    match names[..] {
        [] => "nobody".into(),
        [one] => one.into(),
        [one, two] => format!("{one}, {two}"),
        [one, two, ref more @ ..] => format!("{one}, {two} and {} more", more.len()),
    }
}

/// Whether the newest that came was refused: somebody should look at it.
pub fn unwell(hook: &HookView) -> bool {
    let newest = hook.refusals.first().map(|r| r.at);
    newest.is_some_and(|at| hook.seen_at.is_none_or(|seen| at > seen))
}
