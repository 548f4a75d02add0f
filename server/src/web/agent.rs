//! The agents' socket `/agent`: upgraded here, served by dispatch.
//!
//! **Invariant:** no cookie or token is read: an agent proves itself by its hello, and until then it is told nothing.

use super::site::Web;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use engine::dispatch::{Dispatch, Frame};
use futures::{SinkExt as _, StreamExt as _, future};

/// Bytes that may wait for a slow agent before its connection is given up.
const WRITE_BUFFER: usize = 4 << 20;

/// The socket's route.
pub fn router(dispatch: Dispatch) -> Router<Web> {
    Router::new().route("/agent", any(upgrade).with_state(dispatch))
}

async fn upgrade(State(dispatch): State<Dispatch>, socket: WebSocketUpgrade) -> Response {
    socket
        .max_message_size(protocol::MAX_FRAME)
        .max_frame_size(protocol::MAX_FRAME)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| serve(dispatch, socket))
}

/// Translates between the socket's messages and dispatch's frames.
async fn serve(dispatch: Dispatch, socket: WebSocket) {
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
    dispatch.serve(Box::pin(frames), Box::pin(out)).await;
}
