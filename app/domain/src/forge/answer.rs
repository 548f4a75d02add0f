//! What a forge's answer to a status means: done, again later, or never.
//!
//! **Invariant:** nothing is given up that another try could still do, and nothing is tried again that a person must mend.

use super::Provider;

/// Longest a forge may make us wait, in milliseconds.
const LONGEST: i64 = 3_600_000;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The forge knows it.
    Done,
    /// Another try may do.
    Again {
        /// Milliseconds to wait at least, where the forge says.
        after: Option<i64>,
        /// Why, one sentence.
        why: String,
    },
    /// No further try will do until a person changes something.
    GiveUp {
        /// Why, one sentence.
        why: String,
    },
}

/// Reads an answer: its status, its headers by name in lower case, the beginning of its body, and the time in
/// milliseconds since 1970.
pub fn read(provider: Provider, status: u16, header: impl Fn(&str) -> Option<String>, body: &str, now: i64) -> Told {
    let after = wait(&header, now);
    let says = says(body);
    let again = |why: String| Told::Again { after, why };
    let give_up = |why: &str| Told::GiveUp {
        why: format!("{why} (HTTP {status}{says})."),
    };
    let spent = header("x-ratelimit-remaining").as_deref() == Some("0");
    match status {
        200..=299 => Told::Done,
        // What is told is over already, or was told twice: the forge knows as much or more.
        400 if provider == Provider::GitLab && body.contains("Cannot transition status") => Told::Done,
        429 => again(format!("The forge asks for fewer requests (HTTP 429{says}).")),
        403 if spent || header("retry-after").is_some() || body.to_ascii_lowercase().contains("rate limit") => {
            again(format!("The forge asks for fewer requests (HTTP 403{says})."))
        }
        401 => give_up("The forge does not accept the token"),
        403 => give_up("The token may not set the status of commits there"),
        404 => give_up("The forge knows no such repository or commit, or does not show it to this token"),
        408 | 409 | 423 | 425 => again(format!("The forge could not take it now (HTTP {status}{says}).")),
        500..=599 => again(format!("The forge is in trouble (HTTP {status}{says}).")),
        _ => give_up("The forge refuses the status"),
    }
}

/// `Retry-After` in seconds, else GitHub's `X-RateLimit-Reset`, else GitLab's `RateLimit-Reset`: seconds since 1970.
fn wait(header: &impl Fn(&str) -> Option<String>, now: i64) -> Option<i64> {
    let number = |name: &str| header(name).and_then(|v| v.trim().parse::<i64>().ok());
    let spent = |name: &str| number(name) == Some(0);
    let reset = |name: &str| number(name).map(|at| at.saturating_mul(1_000).saturating_sub(now));
    let ms = number("retry-after")
        .map(|s| s.saturating_mul(1_000))
        .or_else(|| {
            spent("x-ratelimit-remaining")
                .then(|| reset("x-ratelimit-reset"))
                .flatten()
        })
        .or_else(|| spent("ratelimit-remaining").then(|| reset("ratelimit-reset")).flatten())?;
    Some(ms.clamp(0, LONGEST))
}

/// The message in an answer, for a person: forges send `{"message": …}`.
fn says(body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let message = json.as_ref().and_then(|j| j.get("message").or_else(|| j.get("error")));
    let text = match message {
        Some(serde_json::Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
        None => return String::new(),
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    let text = text.trim().trim_end_matches('.');
    match text.is_empty() {
        true => String::new(),
        false => format!(": {text}"),
    }
}
