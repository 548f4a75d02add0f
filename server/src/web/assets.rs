//! The files of the site: styles, scripts, the WebAssembly module, fonts and icons, out of the binary itself.
//! A debug build reads the same files from disk, so that an edit of the UI needs no restart.
//!
//! **Invariant:** nothing is compressed while a request waits; the build wrote `.br` and `.gz` twins, we only choose.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "$CARACAL_SITE"]
struct Site;

/// One file of the site as it lies there, perhaps already compressed.
struct File {
    bytes: Cow<'static, [u8]>,
    /// SHA-256 of the bytes; the entity tag.
    digest: [u8; 32],
}

/// The compressed forms the build may have written, best first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Answers a GET or HEAD of `path` (as in the URL, with its slash) if the site has that file:
/// 200 in the best encoding the client takes, or 304. `None`: not an asset, somebody else's path.
pub fn respond(path: &str, headers: &HeaderMap) -> Option<Response> {
    answer(path, headers, |name| {
        let file = Site::get(name)?;
        Some(File {
            digest: file.metadata.sha256_hash(),
            bytes: file.data,
        })
    })
}

fn answer(path: &str, headers: &HeaderMap, get: impl Fn(&str) -> Option<File>) -> Option<Response> {
    let name = path.strip_prefix('/')?;
    // A twin is a form of its file, not a page of its own.
    if name.is_empty() || ENCODINGS.iter().any(|(_, suffix)| name.ends_with(suffix)) {
        return None;
    }
    let (file, encoding) = ENCODINGS
        .into_iter()
        .filter(|(encoding, _)| accepts(headers, encoding))
        .find_map(|(encoding, suffix)| Some((get(&format!("{name}{suffix}"))?, Some(encoding))))
        .or_else(|| Some((get(name)?, None)))?;

    let tag = entity_tag(&file.digest);
    let mut response = if matches_tag(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(match file.bytes {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        });
        response.headers_mut().insert(CONTENT_TYPE, content_type(name));
        if let Some(encoding) = encoding {
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    };
    let fixed = response.headers_mut();
    fixed.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control(name)));
    fixed.insert(VARY, HeaderValue::from_static("accept-encoding"));
    fixed.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fixed.insert(ETAG, tag);
    }
    Some(response)
}

/// A name that holds the digest of its build is never another file; of the others, which carry no version, a browser asks
/// each time and mostly hears 304; fonts alone may be a week old.
fn cache_control(name: &str) -> &'static str {
    if name.ends_with(".woff2") {
        "public, max-age=604800"
    } else if is_fingerprinted(name) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// Whether a file of `pkg` is named `…-0123456789abcdef.…`, as xtask names chunks and the editor's module.
fn is_fingerprinted(name: &str) -> bool {
    let stem = name.strip_prefix("pkg/").and_then(|n| n.split('.').next());
    let digest = stem.and_then(|s| s.strip_suffix("_bg").unwrap_or(s).rsplit_once('-'));
    digest.is_some_and(|(_, d)| d.len() == 16 && d.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

fn content_type(name: &str) -> HeaderValue {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let text = if mime.type_() == "text" {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_string()
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}

fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
            let refused = weight
                .trim()
                .strip_prefix("q=")
                .is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
            name.trim().eq_ignore_ascii_case(encoding) && !refused
        })
}

fn entity_tag(digest: &[u8; 32]) -> String {
    use std::fmt::Write;
    // 128 bits are plenty to tell two builds apart.
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &digest[..16] {
        let _ = write!(tag, "{byte:02x}"); // writing to a String cannot fail
    }
    tag.push('"');
    tag
}

fn matches_tag(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|offered| offered == "*" || offered.strip_prefix("W/").unwrap_or(offered) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> Option<File> {
        let bytes: &'static [u8] = match name {
            "pkg/caracal.css" => b"plain",
            "pkg/caracal.css.br" => b"br",
            "pkg/caracal.css.gz" => b"gz",
            "favicon.svg" | "fonts/inter.woff2" | "pkg/caracal_bg.wasm" | "pkg/caracal.js" => b"only plain",
            "pkg/editor-0123456789abcdef_bg.wasm" | "pkg/split_rest-0123456789abcdef.wasm" => b"of one build",
            "pkg/editor.js" | "pkg/split_rest-0123456789abcde.wasm" => b"of any",
            _ => return None,
        };
        let mut digest = [0; 32];
        digest[..bytes.len().min(32)].copy_from_slice(&bytes[..bytes.len().min(32)]);
        Some(File {
            bytes: Cow::Borrowed(bytes),
            digest,
        })
    }

    fn headers(pairs: &[(http::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn the_best_encoding_that_exists_and_is_accepted_is_chosen() {
        let cases = [
            ("/pkg/caracal.css", "gzip, deflate, br, zstd", Some("br")),
            ("/pkg/caracal.css", "gzip;q=1.0, br;q=0", Some("gzip")),
            ("/pkg/caracal.css", "GZIP", Some("gzip")),
            ("/pkg/caracal.css", "identity", None),
            ("/pkg/caracal.css", "", None),
            ("/favicon.svg", "br, gzip", None),
        ];
        for (path, accept, expected) in cases {
            let response = answer(path, &headers(&[(ACCEPT_ENCODING, accept)]), site).unwrap();
            let encoding = response
                .headers()
                .get(CONTENT_ENCODING)
                .map(|value| value.to_str().unwrap());
            assert_eq!(encoding, expected, "{path} with `{accept}`");
            assert_eq!(response.headers()[VARY], "accept-encoding");
        }
    }

    #[test]
    fn a_known_tag_is_answered_without_the_body() {
        let first = answer("/pkg/caracal.css", &HeaderMap::new(), site).unwrap();
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        for (offered, status) in [
            (tag.clone(), 304),
            (format!("\"other\", W/{tag}"), 304),
            ("*".into(), 304),
            ("\"other\"".into(), 200),
        ] {
            let response = answer("/pkg/caracal.css", &headers(&[(IF_NONE_MATCH, &offered)]), site).unwrap();
            assert_eq!(response.status(), status, "{offered}");
            assert_eq!(response.headers()[ETAG], *tag);
        }
        let brotli = answer(
            "/pkg/caracal.css",
            &headers(&[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, &tag)]),
            site,
        );
        assert_eq!(brotli.unwrap().status(), 200, "each encoding has a tag of its own");
    }

    #[test]
    fn types_and_lifetimes_follow_the_name() {
        let cases = [
            ("/pkg/caracal.css", "text/css; charset=utf-8", "no-cache"),
            ("/pkg/caracal.js", "text/javascript; charset=utf-8", "no-cache"),
            ("/pkg/caracal_bg.wasm", "application/wasm", "no-cache"),
            (
                "/pkg/editor-0123456789abcdef_bg.wasm",
                "application/wasm",
                "public, max-age=31536000, immutable",
            ),
            (
                "/pkg/split_rest-0123456789abcdef.wasm",
                "application/wasm",
                "public, max-age=31536000, immutable",
            ),
            ("/pkg/editor.js", "text/javascript; charset=utf-8", "no-cache"),
            ("/pkg/split_rest-0123456789abcde.wasm", "application/wasm", "no-cache"),
            ("/favicon.svg", "image/svg+xml", "no-cache"),
            ("/fonts/inter.woff2", "font/woff2", "public, max-age=604800"),
        ];
        for (path, mime, lifetime) in cases {
            let response = answer(path, &HeaderMap::new(), site).unwrap();
            assert_eq!(response.headers()[CONTENT_TYPE], mime, "{path}");
            assert_eq!(response.headers()[CACHE_CONTROL], lifetime, "{path}");
            assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        }
    }

    #[test]
    fn what_is_not_a_file_of_the_site_is_left_to_others() {
        for path in [
            "/",
            "/plans",
            "/pkg/caracal.css.br",
            "/pkg/caracal.css.gz",
            "pkg/caracal.css",
            "/../Cargo.toml",
        ] {
            assert!(answer(path, &HeaderMap::new(), site).is_none(), "{path}");
        }
    }
}
