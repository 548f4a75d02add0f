//! Reading what a caller sends: JSON bodies, ids in paths, query fields.
//!
//! **Invariant:** every refusal is a problem that names the field; unknown fields are refused, never ignored.

use super::refusal::Refusal;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use domain::page::PageQuery;
use domain::{Error, Problem};
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// A JSON body. Malformed 400, wrong or unknown fields 422 with their path, another media type 415, too large 413.
#[derive(Debug)]
pub struct Sent<T>(pub T);

/// A JSON body that may be left out.
#[derive(Debug)]
pub struct MaySend<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (json, bytes) = read(request, state).await?;
        if bytes.is_empty() {
            return Err(Error::Malformed("A JSON body is missing.".into()).into());
        }
        parse(json, &bytes).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaySend<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (json, bytes) = read(request, state).await?;
        if bytes.is_empty() {
            Ok(Self(T::default()))
        } else {
            parse(json, &bytes).map(Self)
        }
    }
}

/// The body, and whether it says that it is JSON.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<(bool, Bytes), Refusal> {
    let json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|t| {
            let kind = t.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
        });
    let bytes = Bytes::from_request(request, state)
        .await
        .map_err(|e| match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => Error::Malformed("The body could not be read to its end.".into()).into(),
        })?;
    Ok((json, bytes))
}

/// 413.
pub fn too_large() -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large: at most 1 MiB.")
}

fn parse<T: DeserializeOwned>(json: bool, bytes: &[u8]) -> Result<T, Refusal> {
    if !json {
        let why = "Send JSON with `Content-Type: application/json`.";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).with(header::ACCEPT, "application/json"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        let (line, column) = (u32::try_from(inner.line()).ok(), u32::try_from(inner.column()).ok());
        // The place stands in its own fields.
        let message = inner.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        if inner.is_data() {
            let path = if path == "." { String::new() } else { path };
            let problem = Problem {
                path,
                line,
                column,
                message,
                hint: None,
            };
            let detail = format!("The body has a wrong field: {}.", problem.message);
            Refusal::from(Error::Invalid {
                detail,
                problems: vec![problem],
            })
        } else {
            let problem = Problem {
                path: String::new(),
                line,
                column,
                message,
                hint: None,
            };
            let refusal = Refusal::from(Error::Malformed(format!("The body is not JSON: {problem}.")));
            Refusal {
                errors: vec![problem],
                ..refusal
            }
        }
    })?;
    reader
        .end()
        .map_err(|e| Error::Malformed(format!("The body goes on after its JSON: {e}.")))?;
    Ok(value)
}

/// The id in a path. What is no id belongs to nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refusal::no_path())?
            .0;
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let id = text.parse().ok().filter(|_| plain);
        id.map(Self)
            .ok_or_else(|| Error::NotFound(format!("`{}`", text.chars().take(40).collect::<String>())).into())
    }
}

/// The fields of a query. Names are checked against the endpoint's table before the handler runs.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self::of(parts.uri.query()))
    }
}

impl Fields {
    /// The fields of a query string.
    #[must_use]
    pub fn of(query: Option<&str>) -> Self {
        Self(
            form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The names, in order, with repeats.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Every value of a field that may be repeated.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.clone())
            .collect()
    }

    /// The value of a field that comes once.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// The value of a field that comes once, read.
    ///
    /// # Errors
    /// `Invalid` with `what` it should be.
    pub fn read<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Error> {
        self.one(name)
            .map(|v| {
                v.parse()
                    .map_err(|_| Error::invalid_field(name, format!("`{v}` is not {what}")))
            })
            .transpose()
    }

    /// A field that is `true` or `false`; `false` when absent.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        Ok(self.read(name, "`true` or `false`")?.unwrap_or_default())
    }

    /// Which page is wanted.
    ///
    /// # Errors
    /// `Invalid` when `limit` is not 1 to 200.
    pub fn page(&self) -> Result<PageQuery, Error> {
        let page = PageQuery {
            limit: self.read("limit", "a number from 1 to 200")?,
            cursor: self.one("cursor").map(str::to_owned),
        };
        page.limit()?;
        Ok(page)
    }

    /// Every value of a field, each checked to be a known word.
    ///
    /// # Errors
    /// `Invalid` with every value that is none.
    pub fn words(&self, name: &str, known: impl Fn(&str) -> bool, of: &str) -> Result<Vec<String>, Error> {
        let all = self.all(name);
        let wrong = |v: &&String| !known(v);
        let problems: Vec<Problem> = all
            .iter()
            .filter(wrong)
            .map(|v| Problem::field(name, format!("`{v}` is none of {of}")))
            .collect();
        match problems.first() {
            None => Ok(all),
            Some(first) => Err(Error::Invalid {
                detail: first.to_string(),
                problems: problems.clone(),
            }),
        }
    }
}
