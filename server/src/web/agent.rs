//! The agents' socket `/agent`: upgraded here, served by dispatch.
//!
//! **Invariant:** no cookie or token is read: an agent proves itself by its hello, and until then it is told nothing.

use super::middleware::identify::origin_of;
use super::site::Web;
use axum::Extension;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::any;
use engine::dispatch::{Dispatch, Frame};
use futures::{SinkExt as _, StreamExt as _, future};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Bytes that may wait for a slow agent before its connection is given up.
const WRITE_BUFFER: usize = 4 << 20;

/// The socket's route. Which proxies are believed when they say where an agent comes from is told.
pub fn router(dispatch: Dispatch, trusted_proxies: &[IpAddr]) -> Router<Web> {
    Router::new().route(
        "/agent",
        any(upgrade).with_state((dispatch, Arc::from(trusted_proxies))),
    )
}

async fn upgrade(
    State((dispatch, trusted)): State<(Dispatch, Arc<[IpAddr]>)>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Response {
    let from = origin_of(peer.map(|Extension(c)| c.0.ip()), &headers, &trusted);
    socket
        .max_message_size(protocol::MAX_FRAME)
        .max_frame_size(protocol::MAX_FRAME)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| serve(dispatch, from, socket))
}

/// Translates between the socket's messages and dispatch's frames.
async fn serve(dispatch: Dispatch, from: String, socket: WebSocket) {
    let (out, incoming) = socket.split();
    let frames = incoming
        .take_while(|m| future::ready(matches!(m, Ok(m) if !matches!(m, Message::Close(_)))))
        .filter_map(|m| {
            future::ready(match m {
                Ok(Message::Text(t)) => Some(Frame::Text(t.as_str().to_owned())),
                Ok(Message::Binary(b)) => Some(Frame::Binary(b)),
                // Pings are answered by the socket itself.
                _ => None,
            })
        });
    let out = out.with(|f: Frame| {
        future::ok::<_, axum::Error>(match f {
            Frame::Text(t) => Message::Text(t.into()),
            Frame::Binary(b) => Message::Binary(b),
        })
    });
    dispatch.serve_from(&from, Box::pin(frames), Box::pin(out)).await;
}
