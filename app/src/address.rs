//! Addresses: what can be written into a query, and which paths may be followed.
//!
//! **Invariant:** both sides write the same address for the same state.

/// A path of this server, or `/` for anything that could lead elsewhere.
#[must_use]
pub fn local_path(next: &str) -> &str {
    let ok = next.starts_with('/')
        && !next.starts_with("//")
        && !next.starts_with("/login")
        && !next.contains(['\\', '\r', '\n'])
        && next.bytes().all(|b| b.is_ascii_graphic());
    if ok { next } else { "/" }
}

/// Percent-encodes a path so that it can be a query value.
#[must_use]
pub fn escape(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::with_capacity(path.len()), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"/-_.~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

/// A path with a query of the pairs that are not empty.
pub fn address<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query: Vec<String> = pairs
        .into_iter()
        .filter(|(_, v)| !v.is_empty())
        .map(|(k, v)| format!("{k}={}", escape(v)))
        .collect();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_followed() {
        for (next, want) in [
            ("/plans/3?tab=runs", "/plans/3?tab=runs"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nSet-Cookie: x=1", "/"),
            ("/login?next=/", "/"),
            ("", "/"),
        ] {
            assert_eq!(local_path(next), want, "{next:?}");
        }
        assert_eq!(escape("/tasks/1?a=b&c"), "/tasks/1%3Fa%3Db%26c");
    }
}
