//! A page or file behind a URL: whether it is another one than at the last look.
//!
//! **Invariant:** a page that cannot be understood is neither changed nor unchanged; what is kept of it is bounded.

use crate::trigger::Poll;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest validator of a server that is kept.
const LONGEST: usize = 1_000;

/// What of a page counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// Its bytes.
    #[default]
    Body,
    /// What its server says of its version: `ETag`, else `Last-Modified`.
    Version,
    /// The value at a JSON pointer (RFC 6901) in it.
    Pointer(String),
}

impl Watch {
    /// What counts for a poll.
    #[must_use]
    pub fn of(poll: &Poll) -> Self {
        match poll.pointer.as_deref() {
            None | Some("") => Self::Body,
            Some(pointer) => Self::Pointer(pointer.to_owned()),
        }
    }
}

/// What was seen last. Kept between looks as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlCursor {
    watch: Watch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// The digest of what counts.
    digest: String,
}

/// What a server answered.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// 200 or 304.
    pub status: u16,
    /// The header `ETag`.
    pub etag: Option<&'a str>,
    /// The header `Last-Modified`.
    pub last_modified: Option<&'a str>,
    /// The bytes.
    pub body: &'a [u8],
}

/// What a look told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Whether what counts is other than before.
    pub changed: bool,
    /// What tells this state of it from others: a digest.
    pub revision: String,
    /// What to keep for the next look.
    pub cursor: UrlCursor,
}

/// Headers to ask with, so that a server need not send what is known.
#[must_use]
pub fn conditions(cursor: Option<&UrlCursor>, watch: &Watch) -> Vec<(&'static str, String)> {
    let Some(cursor) = cursor.filter(|c| c.watch == *watch) else {
        return Vec::new();
    };
    match (&cursor.etag, &cursor.last_modified) {
        (Some(etag), _) => vec![("if-none-match", etag.clone())],
        (None, Some(at)) => vec![("if-modified-since", at.clone())],
        (None, None) => Vec::new(),
    }
}

/// Compares a page with what was seen last; without that, or when something else of it counts now, it is the start.
/// `digest` gives the hex digest of bytes.
///
/// # Errors
/// One sentence, when what counts is not to be found in it.
pub fn look_at(
    before: Option<&UrlCursor>,
    page: &Page<'_>,
    watch: &Watch,
    digest: impl Fn(&[u8]) -> String,
) -> Result<Looked, String> {
    let before = before.filter(|c| c.watch == *watch);
    if page.status == 304 {
        let before = before.ok_or("The server says that nothing changed, but it was not asked that.")?;
        return Ok(Looked {
            changed: false,
            revision: before.digest.clone(),
            cursor: before.clone(),
        });
    }
    let digest = match watch {
        Watch::Body => digest(page.body),
        Watch::Version => {
            let version = page.etag.map(strong).or(page.last_modified).ok_or(
                "The server says nothing of the page's version (no ETag, no Last-Modified): watch its body instead.",
            )?;
            digest(version.as_bytes())
        }
        Watch::Pointer(pointer) => {
            let json: Value =
                serde_json::from_slice(page.body).map_err(|e| format!("What the server answers is no JSON: {e}."))?;
            let value = json
                .pointer(pointer)
                .ok_or_else(|| format!("What the server answers has no value at `{pointer}`."))?;
            digest(value.to_string().as_bytes())
        }
    };
    let kept = |value: Option<&str>| value.filter(|v| v.len() <= LONGEST).map(str::to_owned);
    Ok(Looked {
        changed: before.is_some_and(|b| b.digest != digest),
        revision: digest.clone(),
        cursor: UrlCursor {
            watch: watch.clone(),
            etag: kept(page.etag),
            last_modified: kept(page.last_modified),
            digest,
        },
    })
}

/// Without the mark of a weak one: servers that compress make weak what was strong.
fn strong(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page<'a>(etag: Option<&'a str>, body: &'a str) -> Page<'a> {
        Page {
            status: 200,
            etag,
            last_modified: None,
            body: body.as_bytes(),
        }
    }

    /// Looks one after another: whether each was a change, or why it was nothing.
    fn looks(watch: &Watch, pages: &[Page<'_>]) -> Vec<Result<bool, String>> {
        let mut cursor = None;
        let mut told = Vec::new();
        for page in pages {
            let looked = look_at(cursor.as_ref(), page, watch, |b| {
                String::from_utf8_lossy(b).into_owned()
            });
            told.push(looked.map(|l| {
                cursor = Some(l.cursor);
                l.changed
            }));
        }
        told
    }

    #[test]
    fn what_counts_is_compared_and_nothing_else() {
        let same = Page {
            status: 304,
            ..page(None, "")
        };
        for (watch, pages, want) in [
            (
                Watch::Body,
                vec![page(None, "a"), page(Some("x"), "a"), page(Some("x"), "b"), same],
                vec![false, false, true, false],
            ),
            (
                Watch::Version,
                vec![
                    page(Some("\"1\""), "a"),
                    page(Some("W/\"1\""), "b"),
                    page(Some("\"2\""), "b"),
                ],
                vec![false, false, true],
            ),
            (
                Watch::Pointer("/tag/0".into()),
                vec![
                    page(None, r#"{"tag": ["v1"], "n": 1}"#),
                    page(None, r#"{"n": 2, "tag": [ "v1" ]}"#),
                    page(None, r#"{"tag": ["v2"]}"#),
                    page(None, r#"{"tag": [null]}"#),
                ],
                vec![false, false, true, true],
            ),
        ] {
            let got: Vec<bool> = looks(&watch, &pages).into_iter().map(Result::unwrap).collect();
            assert_eq!(got, want, "{watch:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_no_change_and_is_said() {
        let pointer = Watch::Pointer("/tag".into());
        let good = page(None, r#"{"tag": 1}"#);
        let got = looks(&pointer, &[good, page(None, "<html>"), page(None, "{}"), good]);
        assert_eq!((got[0].clone(), got[3].clone()), (Ok(false), Ok(false)));
        assert!(got[1].as_ref().is_err_and(|e| e.contains("no JSON")));
        assert!(got[2].as_ref().is_err_and(|e| e.contains("`/tag`")));
        assert!(looks(&Watch::Version, &[page(None, "a")])[0].is_err());
        let unasked = Page { status: 304, ..good };
        assert!(looks(&Watch::Body, &[unasked])[0].is_err());
    }

    #[test]
    fn a_server_is_asked_with_what_it_said_last() {
        let digest = |b: &[u8]| b.len().to_string();
        let dated = Page {
            last_modified: Some("Sat, 21 Nov 2026 10:00:00 GMT"),
            ..page(None, "a")
        };
        let tagged = Page {
            etag: Some("W/\"1\""),
            ..dated
        };
        let cursor = |p: &Page<'_>| look_at(None, p, &Watch::Body, digest).unwrap().cursor;
        assert_eq!(
            conditions(Some(&cursor(&tagged)), &Watch::Body),
            [("if-none-match", "W/\"1\"".to_owned())]
        );
        assert_eq!(
            conditions(Some(&cursor(&dated)), &Watch::Body)[0].0,
            "if-modified-since"
        );
        assert_eq!(conditions(Some(&cursor(&page(None, "a"))), &Watch::Body), []);
        assert_eq!(conditions(None, &Watch::Body), []);
        // What counts was changed by a person: asked anew, and a start.
        let pointer = Watch::Pointer(String::new());
        assert_eq!(conditions(Some(&cursor(&tagged)), &pointer), []);
        let looked = look_at(Some(&cursor(&tagged)), &page(None, "[1]"), &pointer, digest).unwrap();
        assert!(!looked.changed);
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(conditions(Some(&cursor(&page(Some(&long), "a"))), &Watch::Body), []);
        let json = serde_json::to_string(&looked.cursor).unwrap();
        assert_eq!(serde_json::from_str::<UrlCursor>(&json).unwrap(), looked.cursor);
    }
}
