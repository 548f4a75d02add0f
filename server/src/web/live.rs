//! The browser's socket `/live` (DESIGN §8): news of topics and bytes of consoles, over one websocket per tab.
//!
//! **Invariant:** a subscription or view begins only after its port allowed it to this viewer, and ends within five seconds
//! of the viewer's rights; a slow browser costs a bounded buffer and holds up nobody.

mod connection;
mod feed;
mod view;

use super::identity::{Identity, Who};
use super::middleware::{identify, origin};
use super::site::Web;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Extension, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::any;
use feed::Feed;
use std::sync::Arc;

/// The largest message a browser sends.
const MESSAGE: usize = 16 * 1024;
/// Bytes that may wait for a slow browser's socket before its connection is given up.
const WRITE_BUFFER: usize = 1 << 20;

/// The socket's route, with everything it passes first.
pub fn router(web: &Web) -> Router<Web> {
    let feed = Arc::new(Feed::new(web.ports.clone()));
    Router::new()
        .route("/live", any(upgrade))
        .layer(Extension(feed))
        .layer(from_fn_with_state(web.clone(), origin::check))
        .layer(from_fn_with_state(web.clone(), identify::identify))
}

async fn upgrade(
    State(web): State<Web>,
    Who(viewer): Who,
    Extension(identity): Extension<Identity>,
    Extension(feed): Extension<Arc<Feed>>,
    socket: WebSocketUpgrade,
) -> Response {
    socket
        .max_message_size(MESSAGE)
        .max_frame_size(MESSAGE)
        // Small messages leave at once; the sink flushes after each.
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| connection::serve(socket, web.ports, viewer, identity.credential, feed))
}
