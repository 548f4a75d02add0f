//! A step's console: its exact bytes, and its lines.
//!
//! **Invariant:** bytes leave as they were stored, under any range; `Accept` is not looked at.

use super::Doors;
use super::answer::Answer;
use super::endpoint::{Endpoint, endpoint, field};
use super::range::{self, Asked};
use crate::web::body::{Fields, Id};
use crate::web::identity::Who;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::auth::Viewer;
use domain::console::view::{Gaps, Lines};
use domain::ports::{ByteStream, Console};
use domain::{Error, StepId};
use futures::{Stream, StreamExt as _, stream};
use std::ops::Range;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(
            Method::GET,
            "/steps/{id}/console",
            "A step's exact bytes; takes `Range` (RFC 9110). `Caracal-Gaps: 2; bytes=4096; unknown=1` says where bytes are missing: places, bytes in them, places of unknown size.",
            console,
        )
        .media("text/plain"),
        endpoint(Method::GET, "/steps/{id}/lines", "Lines of a step's console.", lines)
            .query([
                field("from", "First line wanted, 1-based; 1 when absent."),
                field("limit", "Lines wanted, 1 to 5000; 500 when absent."),
            ])
            .gives::<Lines>(),
    ]
}

async fn console(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<StepId>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let whole = web.ports.console.step_bytes(&viewer, id, None).await?;
    let (total, etag) = (whole.total, quoted(&whole.etag));
    let mut out = HeaderMap::new();
    out.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    out.insert(GAPS, gaps(whole.gaps));
    out.extend(HeaderValue::from_str(&etag).ok().map(|v| (header::ETAG, v)));
    if range::if_none_match(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, out).into_response());
    }
    let head = method == Method::HEAD;
    // RFC 9110 §14.2: a Range counts for GET alone.
    let asked = if head {
        Asked::Whole
    } else {
        range::asked(&headers, total, &etag)
    };
    match asked {
        Asked::Whole => {
            out.insert(header::CONTENT_LENGTH, total.into());
            let body = if head {
                Body::empty()
            } else {
                exactly(whole.bytes, total)
            };
            Ok((out, body).into_response())
        }
        Asked::Part(part) => {
            let slice = web.ports.console.step_bytes(&viewer, id, Some(part.clone())).await?;
            let Range { start, end } = part;
            out.insert(header::CONTENT_LENGTH, (end - start).into());
            out.extend(content_range(&format!("bytes {start}-{}/{total}", end - 1)));
            Ok((StatusCode::PARTIAL_CONTENT, out, exactly(slice.bytes, end - start)).into_response())
        }
        Asked::Parts(parts) => {
            let boundary = format!("{:032x}", rand::random::<u128>());
            let heads: Vec<String> = parts.iter().map(|p| part_head(&boundary, p, total)).collect();
            let end = format!("\r\n--{boundary}--\r\n");
            let length = heads.iter().map(|h| h.len() as u64).sum::<u64>()
                + parts.iter().map(|p| p.end - p.start).sum::<u64>()
                + end.len() as u64;
            let kind = format!("multipart/byteranges; boundary={boundary}");
            if let Ok(kind) = HeaderValue::from_str(&kind) {
                out.insert(header::CONTENT_TYPE, kind);
            }
            out.insert(header::CONTENT_LENGTH, length.into());
            let pieces = stream::iter(heads.into_iter().zip(parts)).then(move |(head, part)| {
                let (console, viewer) = (web.ports.console.clone(), viewer.clone());
                async move { piece(console.as_ref(), &viewer, id, head, part).await }
            });
            let bytes = pieces.flatten().chain(stream::iter([Ok(end.into_bytes())]));
            Ok((StatusCode::PARTIAL_CONTENT, out, Body::from_stream(bytes)).into_response())
        }
        Asked::Outside => {
            let detail = format!("The range lies outside: the console has {total} bytes.");
            let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, detail);
            Ok(refusal
                .with(header::CONTENT_RANGE, &format!("bytes */{total}"))
                .into_response())
        }
    }
}

/// The header that says how much is missing.
pub(super) const GAPS: HeaderName = HeaderName::from_static("caracal-gaps");

/// How much is missing: `2; bytes=4096; unknown=1`.
pub(super) fn gaps(missing: Gaps) -> HeaderValue {
    let Gaps { count, bytes, unknown } = missing;
    let text = match unknown {
        0 => format!("{count}; bytes={bytes}"),
        n => format!("{count}; bytes={bytes}; unknown={n}"),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("0; bytes=0"))
}

/// What stands before a stretch of a multipart answer (RFC 9110 §14.6).
fn part_head(boundary: &str, part: &Range<u64>, total: u64) -> String {
    let (first, last) = (part.start, part.end - 1);
    format!(
        "\r\n--{boundary}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes {first}-{last}/{total}\r\n\r\n"
    )
}

/// One stretch behind its head.
async fn piece(console: &dyn Console, viewer: &Viewer, id: StepId, head: String, part: Range<u64>) -> ByteStream {
    let length = part.end - part.start;
    match console.step_bytes(viewer, id, Some(part)).await {
        Ok(slice) => Box::pin(stream::iter([Ok(head.into_bytes())]).chain(cut(slice.bytes, length))),
        Err(e) => Box::pin(stream::iter([Err(std::io::Error::other(e))])),
    }
}

fn quoted(etag: &str) -> String {
    if etag.starts_with('"') || etag.starts_with("W/") {
        etag.to_owned()
    } else {
        format!("\"{etag}\"")
    }
}

fn content_range(value: &str) -> Option<(HeaderName, HeaderValue)> {
    HeaderValue::from_str(value).ok().map(|v| (header::CONTENT_RANGE, v))
}

fn exactly(bytes: ByteStream, length: u64) -> Body {
    Body::from_stream(cut(bytes, length))
}

/// The stream, cut at the length that was promised: a live console may have grown since.
fn cut(bytes: ByteStream, length: u64) -> impl Stream<Item = std::io::Result<Vec<u8>>> + Send {
    bytes.scan(length, |left, piece| {
        let piece = match piece {
            _ if *left == 0 => None,
            Ok(mut piece) => {
                piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece.len() as u64;
                Some(Ok(piece))
            }
            Err(e) => Some(Err(e)),
        };
        std::future::ready(piece)
    })
}

async fn lines(State(web): Doors, Who(viewer): Who, Id(id): Id<StepId>, fields: Fields) -> Answer<Lines> {
    let from: i64 = fields.read("from", "a line number")?.unwrap_or(1);
    let limit: u32 = fields.read("limit", "a number from 1 to 5000")?.unwrap_or(500);
    if from < 1 {
        return Err(Error::invalid_field("from", "the first line is 1").into());
    }
    if !(1..=5_000).contains(&limit) {
        return Err(Error::invalid_field("limit", format!("{limit} is not between 1 and 5000")).into());
    }
    Ok(Json(web.ports.console.lines(&viewer, id, from, limit).await?))
}
