//! A handler that panics costs one request: the person sees an id, the tracing holds the rest.
//!
//! **Invariant:** nothing of the fault itself is shown.

use crate::web::refusal::Refusal;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use domain::Error;
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;

/// Answers 500 with an id where a handler panicked.
pub async fn catch(request: Request, next: Next) -> Response {
    let html = request
        .headers()
        .get(header::ACCEPT)
        .is_some_and(|a| a.to_str().is_ok_and(|a| a.contains("text/html")));
    let path = request.uri().path().to_owned();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let what = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let id = format!("{:08x}", rand::random::<u32>());
            tracing::error!(fault = %id, path, "Fault {id}: a handler panicked: {what}");
            faulted(Error::Internal(id), html)
        }
    }
}

/// The answer for a fault of ours, as a page or a problem.
fn faulted(e: Error, html: bool) -> Response {
    if !html {
        return Refusal::from(e).into_response();
    }
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Something went wrong · Caracal</title>\
         <h1>Something went wrong</h1><p>{e}</p><p><a href=\"/\">Back to the queue</a></p></html>"
    );
    (StatusCode::INTERNAL_SERVER_ERROR, Html(page)).into_response()
}
