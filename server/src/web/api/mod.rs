//! The public API under `/api/v1`: one file for each noun, thin over the ports.
//!
//! **Invariant:** a handler reads its input, asks one port, and shows the answer; who may do what is the port's decision.

mod agents;
pub mod answer;
mod badges;
pub mod endpoint;
mod events;
mod hooks;
mod me;
pub mod openapi;
mod plans;
mod queue;
mod range;
mod reference;
mod repositories;
mod secrets;
mod steps;
mod tasks;
mod tokens;
mod triggers;
mod users;

pub use reference::reference;

use super::middleware::{identify, origin};
use super::refusal::{Refusal, normalise};
use super::site::Web;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use domain::Error;
use endpoint::Endpoint;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// The whole table, in the order of the document.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    [
        plans::endpoints(),
        badges::endpoints(),
        tasks::endpoints(),
        steps::endpoints(),
        queue::endpoints(),
        agents::endpoints(),
        events::endpoints(),
        me::endpoints(),
        users::endpoints(),
        tokens::endpoints(),
        secrets::endpoints(),
        triggers::endpoints(),
        hooks::endpoints(),
        repositories::endpoints(),
    ]
    .concat()
}

/// The API's router.
pub fn router(web: &Web) -> Router<Web> {
    guarded(mounted(web, &endpoints()), web).merge(open())
}

/// What the local command line needs; its socket brings the identity.
pub fn local(web: &Web) -> Router<Web> {
    let table = [
        users::endpoints(),
        tokens::endpoints(),
        agents::token_endpoints(),
        me::endpoints(),
        secrets::endpoints(),
        plans::list_endpoint(),
    ]
    .concat();
    guarded(mounted(web, &table), web)
}

fn open() -> Router<Web> {
    let document = || async { ([(header::CONTENT_TYPE, "application/json")], openapi::text()) };
    Router::new().route("/api/v1/openapi.json", get(document).fallback(wrong_method))
}

async fn wrong_method() -> Response {
    let detail = "This path does not take that method; `Allow` names those it takes.";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        .with(header::ALLOW, "GET,HEAD")
        .into_response()
}

/// The table as routes: endpoints of one path share a method router.
fn mounted(web: &Web, table: &[Endpoint]) -> Router<Web> {
    let mut paths: Vec<(&'static str, MethodRouter<Web>)> = Vec::new();
    for e in table {
        let route = e.clone().mount(web);
        match paths.iter_mut().find(|(path, _)| *path == e.path) {
            Some((_, all)) => *all = std::mem::take(all).merge(route),
            None => paths.push((e.path, route)),
        }
    }
    let mut router = Router::new();
    for (path, route) in paths {
        router = router.route(&format!("{BASE}{path}"), route);
    }
    router
        .route(BASE, axum::routing::any(no_path))
        .route(&format!("{BASE}/{{*path}}"), axum::routing::any(no_path))
}

async fn no_path() -> Refusal {
    Refusal::no_path()
}

fn guarded(router: Router<Web>, web: &Web) -> Router<Web> {
    router
        .layer(from_fn(signed_in))
        .layer(from_fn_with_state(web.clone(), origin::check))
        .layer(from_fn_with_state(web.clone(), identify::identify))
        .layer(map_response(normalise))
}

/// 401 without a viewer, whatever the path.
async fn signed_in(request: Request, next: Next) -> Response {
    let known = request
        .extensions()
        .get::<super::identity::Identity>()
        .is_some_and(|i| i.viewer.is_some());
    if known {
        next.run(request).await
    } else {
        Refusal::from(Error::Unauthenticated).into_response()
    }
}

/// The ports, for handlers.
type Doors = State<Web>;
