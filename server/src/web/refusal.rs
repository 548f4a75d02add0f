//! Refusals over HTTP: `application/problem+json` (RFC 9457), one form for our errors and the framework's.
//!
//! **Invariant:** whatever refuses a call of the API, the body is a problem with `title`, `status` and `detail`.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{Error, Problem};
use serde::Serialize;
use utoipa::ToSchema;

/// A refused or failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// One sentence.
    pub detail: String,
    /// What is wrong with the input, place by place.
    pub errors: Vec<Problem>,
    /// A header that goes with it, as `Retry-After` or `Content-Range`.
    pub header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// The status in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong, one sentence.
    pub detail: String,
    /// Each wrong field with its place; absent when the input is not at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Problem>,
}

impl Refusal {
    /// A refusal with a sentence.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            header: None,
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.header = HeaderValue::from_str(value).ok().map(|v| Box::new((name, v)));
        self
    }

    /// There is nothing at this path.
    #[must_use]
    pub fn no_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is nothing at this path. The document at /api/v1/openapi.json lists what there is.",
        )
    }
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let refusal = Self::new(status, e.to_string());
        match e {
            Error::Invalid { problems, .. } => Self {
                errors: problems,
                ..refusal
            },
            Error::TooMany { retry_after } => refusal.with(header::RETRY_AFTER, &retry_after.to_string()),
            Error::Unauthenticated => refusal.with(header::WWW_AUTHENTICATE, "Bearer realm=\"caracal\""),
            _ => refusal,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = ProblemDetails {
            title: self.status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            errors: self.errors,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some((name, value)) = self.header.map(|h| *h) {
            headers.insert(name, value);
        }
        response
    }
}

/// Puts the refusal of a body that is too large, which comes from outside every route, into our form.
pub async fn too_large(response: Response) -> Response {
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        normalise(response).await
    } else {
        response
    }
}

/// Puts the framework's own refusals (wrong method, body too large, …) into our form.
pub async fn normalise(response: Response) -> Response {
    let status = response.status();
    let ours = |t: &HeaderValue| t.as_bytes().ends_with(b"json") || t.as_bytes().starts_with(b"text/event-stream");
    if !(status.is_client_error() || status.is_server_error())
        || response.headers().get(header::CONTENT_TYPE).is_some_and(ours)
    {
        return response;
    }
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => "This path does not take that method; `Allow` names those it takes.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too large: at most 1 MiB.",
        StatusCode::NOT_FOUND => return Refusal::no_path().into_response(),
        _ => "The request was refused.",
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut out = Refusal::new(status, detail).into_response();
    if let Some(allow) = allow {
        out.headers_mut().insert(header::ALLOW, allow);
    }
    out
}
