//! The doors: REST, pages, sockets and health, one router over the ports.
//!
//! **Invariant:** deny by default: what is not listed as open passes `identify` and takes a viewer.

pub mod agent;
pub mod api;
pub mod assets;
mod badge;
pub mod body;
mod health;
pub mod hooks;
pub mod identity;
mod lasting;
pub mod listen;
pub mod live;
pub mod local;
pub mod middleware;
pub mod refusal;
pub mod site;
pub mod ui;

pub use site::{Readiness, Site, Web};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use middleware::{fault, headers, trace};
use tower_http::limit::RequestBodyLimitLayer;

/// The largest body: 1 MiB.
pub const BODY_LIMIT: usize = 1 << 20;

/// The whole router. `apart` are the doors that prove who calls in their own way: `/agent` and `/hooks`.
pub fn router(web: Web, apart: Router<Web>) -> Router {
    let all = Router::new()
        .merge(health::router())
        .merge(api::router(&web))
        .merge(badge::router(&web))
        .merge(apart)
        .merge(live::router(&web))
        .fallback_service(ui::router(&web).with_state(web.clone()));
    wrapped(all, &web).with_state(web)
}

/// The router of the local socket: what the command line needs.
pub fn local_router(web: Web) -> Router {
    wrapped(health::router().merge(api::local(&web)), &web).with_state(web)
}

fn wrapped(router: Router<Web>, web: &Web) -> Router<Web> {
    router
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(map_response(refusal::too_large))
        .layer(from_fn_with_state(web.clone(), headers::secure))
        .layer(from_fn(fault::catch))
        .layer(from_fn(trace::trace))
}
