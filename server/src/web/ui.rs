//! The door of the browser: pages rendered on the server, and their server functions under `/ui`.
//!
//! **Invariant:** a page and the calls it makes see the same `Visit`; whoever is not signed in gets the sign-in page, and
//! nothing else but what `OPEN` lists.

use super::identity::Identity;
use super::middleware::{headers, identify, origin};
use super::site::Web;
use super::{api, assets};
use app::address::{escape, local_path};
use app::context::Visit;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version, header, request::Parts};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodFilter, get, on};
use leptos::config::LeptosOptions;
use leptos::nonce::Nonce;
use leptos::prelude::{provide_context, use_context};
use leptos::server_fn::error::FromServerFnError as _;
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// Server functions that answer without sign-in: signing in and out, set-up, and a cookie of the browser's own.
pub const OPEN: &[&str] = &[
    "/ui/session/create",
    "/ui/session/delete",
    "/ui/setup/get",
    "/ui/setup/create",
    "/ui/theme/set",
];
/// Tells a server function's client that its answer is an error.
const ERROR_HEADER: &str = "serverfnerror";
/// Tells a server function's client where to go.
const REDIRECT_HEADER: &str = "serverfnredirect";

/// Every server function, by path and method.
#[must_use]
pub fn functions() -> Vec<(&'static str, Method)> {
    leptos::server_fn::axum::server_fn_paths().collect()
}

/// Pages, server functions, the browsable API.
pub fn router(web: &Web) -> Router<Web> {
    // What resources of pages run on. `generate_route_list` would set it too, but it renders the app with loading held
    // back in the whole process: a page that another router renders meanwhile would wait for its data for ever.
    let _ = any_spawner::Executor::init_tokio();
    let mut functions_router = Router::new();
    for (path, method) in functions() {
        let filter = if method == Method::GET {
            MethodFilter::GET
        } else {
            MethodFilter::POST
        };
        let web = web.clone();
        let handler = async move |request: Request| {
            let visit = move || provide_visit(&web);
            leptos_axum::handle_server_fns_with_context(visit, request)
                .await
                .into_response()
        };
        functions_router = functions_router.route(path, on(filter, handler));
    }
    let functions_router = functions_router
        .layer(axum::middleware::map_response(truthful))
        .layer(from_fn(functions_door));
    let pages = Router::new()
        .route("/api", get(api::reference))
        .fallback(page)
        .layer(from_fn_with_state(web.clone(), pages_door))
        .layer(from_fn(secretive))
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(is_html),
        )
        .layer(from_fn(headers::page));
    functions_router
        .merge(pages)
        .layer(from_fn_with_state(web.clone(), origin::check))
        .layer(from_fn_with_state(web.clone(), identify::identify))
        .layer(from_fn(asset))
}

/// Pages are mostly the same words again and again; files of the site are compressed already, and streams must not wait.
fn is_html(_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let html = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    html.is_some_and(|t| t.starts_with("text/html")) && extensions.get::<Secret>().is_none()
}

/// Marks an answer that may show a secret: its length must not tell anything of it.
#[derive(Clone, Copy)]
struct Secret;

async fn secretive(request: Request, next: Next) -> Response {
    let shows = ["/me", "/setup", "/agents/new", "/admin/hooks"]
        .iter()
        .any(|p| request.uri().path().starts_with(p));
    let mut response = next.run(request).await;
    if shows {
        response.extensions_mut().insert(Secret);
    }
    response
}

/// Files of the site, to everybody.
async fn asset(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD)
        && let Some(file) = assets::respond(request.uri().path(), request.headers())
    {
        return file;
    }
    // A file of another build, asked for by a tab that is older or younger: a page in its place would only confuse it.
    if ["/pkg/", "/fonts/"]
        .iter()
        .any(|folder| request.uri().path().starts_with(folder))
    {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

/// Renders whatever the app knows at this path, and its 404 elsewhere.
async fn page(State(web): State<Web>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response();
    }
    let options = LeptosOptions::builder().output_name("caracal").build();
    let visit = move || provide_visit(&web);
    let render = leptos_axum::render_app_async_with_context(visit, move || app::root::shell(options.clone()));
    render(request).await
}

/// Hands the request's visit and nonce to the page or server function.
fn provide_visit(web: &Web) {
    let Some(parts) = use_context::<Parts>() else { return };
    if let Some(nonce) = parts.extensions.get::<Nonce>() {
        provide_context(nonce.clone());
    }
    let Identity {
        viewer,
        credential,
        client,
    } = parts.extensions.get::<Identity>().cloned().unwrap_or_default();
    provide_context(Visit {
        ports: web.ports.clone(),
        viewer,
        session: credential.session().map(str::to_owned),
        client,
        cookies: web.site.cookies(),
        plain_http: !web.site.secure() && !web.site.loopback,
        public_url: web.site.public_url.clone(),
        now: web.site.clock.now(),
    });
}

/// Leads to set-up while there is no admin, and to sign-in whoever is nobody.
async fn pages_door(State(web): State<Web>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let known = request
        .extensions()
        .get::<Identity>()
        .is_some_and(|i| i.viewer.is_some());
    if known {
        return next.run(request).await;
    }
    let setup_open = web.ports.access.setup_open().await.unwrap_or(false);
    let to = match path {
        "/setup" => None,
        _ if setup_open => Some("/setup".to_owned()),
        "/login" => None,
        _ => Some(sign_in(request.uri().path_and_query().map_or("/", |p| p.as_str()))),
    };
    match to {
        Some(to) => Redirect::to(&to).into_response(),
        None => next.run(request).await,
    }
}

fn sign_in(next: &str) -> String {
    if next == "/" {
        "/login".into()
    } else {
        format!("/login?next={}", escape(next))
    }
}

/// Turns callers without a viewer away from what is not open: a form to the sign-in page, a script with 401.
async fn functions_door(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let known = request
        .extensions()
        .get::<Identity>()
        .is_some_and(|i| i.viewer.is_some());
    if known || OPEN.contains(&path) {
        return next.run(request).await;
    }
    let to = sign_in(whence(request.headers()));
    if accepts_html(request.headers()) {
        return Redirect::to(&to).into_response();
    }
    let body = app::Error::Domain(domain::Error::Unauthenticated).ser();
    let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&to).ok().map(|v| (header::LOCATION, v)));
    headers.insert(REDIRECT_HEADER, HeaderValue::from_static(""));
    headers.extend(
        HeaderValue::from_str(path)
            .ok()
            .map(|v| (ERROR_HEADER.parse().unwrap_or(header::WARNING), v)),
    );
    response
}

/// The page a server function was called from.
fn whence(headers: &HeaderMap) -> &str {
    let referer = headers
        .get(header::REFERER)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let path = referer
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|i| &rest[i..]));
    local_path(path.unwrap_or("/"))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|a| a.contains("text/html"))
}

/// Gives a server function's error the status it means: the framework answers 500 to all, also to arguments it cannot read.
async fn truthful(response: Response) -> Response {
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR || !response.headers().contains_key(ERROR_HEADER) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, super::BODY_LIMIT).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let error = app::Error::de(bytes.clone());
    parts.status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response::from_parts(parts, Body::from(bytes))
}
