//! Ranges and conditions of RFC 9110 §13 and §14, over bytes of a known length.
//!
//! **Invariant:** what cannot be understood is ignored, as the RFC asks, and the whole is sent; only a range that lies
//! outside is refused.

use axum::http::{HeaderMap, header};
use std::ops::Range;

/// What part of the bytes is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// All of them.
    Whole,
    /// These.
    Part(Range<u64>),
    /// Several stretches, in the order asked for.
    Parts(Vec<Range<u64>>),
    /// Some that do not exist: 416.
    Outside,
}

/// Reads `Range` and `If-Range`.
pub fn asked(headers: &HeaderMap, total: u64, etag: &str) -> Asked {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    // A strong comparison: part of other bytes than the caller has would be worse than all of them.
    if text(header::IF_RANGE).is_some_and(|tag| tag != etag || tag.starts_with("W/")) {
        return Asked::Whole;
    }
    text(header::RANGE)
        .and_then(|r| parse(r, total))
        .unwrap_or(Asked::Whole)
}

/// Most stretches of one request; more are answered by the whole.
const MOST: usize = 32;

fn parse(range: &str, total: u64) -> Option<Asked> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let asked = set
        .split(',')
        .map(|one| stretch(one.trim(), total))
        .collect::<Option<Vec<_>>>()?;
    let inside: Vec<_> = asked.iter().flatten().cloned().collect();
    let sum: u64 = inside.iter().map(|r| r.end - r.start).sum();
    match inside.len() {
        0 => Some(Asked::Outside),
        1 => inside.into_iter().next().map(Asked::Part),
        // Many or overlapping stretches would cost more than the whole (RFC 9110 §14.2).
        n if n > MOST || sum > total => None,
        _ => Some(Asked::Parts(inside)),
    }
}

/// One stretch: `None` when it cannot be read, `Some(None)` when it lies outside.
fn stretch(one: &str, total: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = one.split_once('-')?;
    let number = |t: &str| {
        let digits = !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        // A number too large for us lies behind every end.
        digits.then(|| t.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (start, end) = match (first, last) {
        ("", suffix) => (total.saturating_sub(number(suffix)?), total),
        (first, "") => (number(first)?, total),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(total))
        }
    };
    Some((start < end).then_some(start..end))
}

/// Whether `If-None-Match` names these bytes.
pub fn if_none_match(headers: &HeaderMap, etag: &str) -> bool {
    let weak = |t: &str| t.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|t| t.trim() == "*" || weak(t) == weak(etag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        use Asked::{Outside, Part, Parts, Whole};
        for (range, total, want) in [
            ("bytes=0-499", 1_000, Part(0..500)),
            ("bytes=500-999", 1_000, Part(500..1_000)),
            ("bytes=-500", 1_000, Part(500..1_000)),
            ("bytes=9500-", 10_000, Part(9_500..10_000)),
            ("bytes=0-0", 1_000, Part(0..1)),
            ("Bytes=0-", 1_000, Part(0..1_000)),
            ("bytes=0-99999999999999999999", 1_000, Part(0..1_000)),
            ("bytes=-5000", 1_000, Part(0..1_000)),
            ("bytes=1000-", 1_000, Outside),
            ("bytes=2000-3000", 1_000, Outside),
            ("bytes=-0", 1_000, Outside),
            ("bytes=0-", 0, Outside),
            ("bytes=-1", 0, Outside),
            ("bytes=5-2", 1_000, Whole),
            ("bytes=a-b", 1_000, Whole),
            ("bytes=-", 1_000, Whole),
            ("bytes=+1-2", 1_000, Whole),
            ("bytes=0-1,5-6", 1_000, Parts(vec![0..2, 5..7])),
            ("bytes=0-1, 2000-", 1_000, Part(0..2)),
            ("bytes=2000-, 3000-", 1_000, Outside),
            ("bytes=0-,0-", 1_000, Whole),
            ("bytes=0-1,", 1_000, Whole),
            ("lines=0-1", 1_000, Whole),
            ("bytes", 1_000, Whole),
        ] {
            let mut h = HeaderMap::new();
            h.insert(header::RANGE, HeaderValue::from_static(range));
            assert_eq!(asked(&h, total, "\"e\""), want, "{range} of {total}");
        }
    }

    #[test]
    fn conditions_compare_tags() {
        let mut h = HeaderMap::new();
        h.insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
        for (tag, part) in [
            ("\"e\"", true),
            ("\"f\"", false),
            ("W/\"e\"", false),
            ("Thu, 01 Jan 1970 00:00:00 GMT", false),
        ] {
            h.insert(header::IF_RANGE, HeaderValue::from_static(tag));
            assert_eq!(asked(&h, 9, "\"e\"") == Asked::Part(0..1), part, "{tag}");
        }
        for (tag, same) in [
            ("\"e\"", true),
            ("W/\"e\"", true),
            ("\"a\", \"e\"", true),
            ("*", true),
            ("\"f\"", false),
        ] {
            let mut h = HeaderMap::new();
            h.insert(header::IF_NONE_MATCH, HeaderValue::from_static(tag));
            assert_eq!(if_none_match(&h, "\"e\""), same, "{tag}");
        }
    }
}
