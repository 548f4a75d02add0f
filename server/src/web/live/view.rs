//! One browser's view of one console: when bytes leave, and when only a watermark does.
//!
//! Leading edge: with nothing under way the first bytes leave at once; until the browser acknowledges, what follows is
//! gathered for 5 ms or 64 KiB. A browser that does not follow, or is more than 256 KiB behind, is told only where the
//! console stands; it reads what it wants by range.
//!
//! **Invariant:** bytes leave in order and without a hole, and at most [`BEHIND`] of them are unacknowledged.

use axum::extract::ws::Message;
use domain::AttemptId;
use domain::auth::Viewer;
use domain::live::{FromServer, encode_bytes};
use domain::ports::Console;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes of one push.
const PUSH: usize = 64 * 1024;
/// How long bytes are gathered while a push is under way.
const GATHER: Duration = Duration::from_millis(5);
/// Bytes beyond which a browser is told the watermark only.
pub(super) const BEHIND: u64 = 256 * 1024;
/// Watermarks come no closer than this.
const MARKS: Duration = Duration::from_millis(250);
/// How long a silent console is believed to be silent: its rows may have ended without a word from its file.
const LOOK: Duration = Duration::from_secs(5);

/// What is looked at, and from where.
pub(super) struct Wish {
    pub id: u32,
    pub attempt: AttemptId,
    pub from: u64,
    pub follow: bool,
}

/// Runs a view until its channel closes or its rights end.
pub(super) async fn run(
    console: Arc<dyn Console>,
    viewer: watch::Receiver<Viewer>,
    wish: Wish,
    mut acked: watch::Receiver<u64>,
    out: mpsc::Sender<Message>,
) {
    let Wish {
        id,
        attempt,
        from,
        follow,
    } = wish;
    let mut sent = from;
    let mut gathering: Option<Instant> = None;
    let mut marked: Option<Instant> = None;
    let mut gaps = 0;
    loop {
        let who = viewer.borrow().clone();
        let behind = sent.saturating_sub(*acked.borrow_and_update());
        let room = if follow {
            (BEHIND.saturating_sub(behind) as usize).min(PUSH)
        } else {
            0
        };
        let piece = match console.read(&who, attempt, sent, room).await {
            Ok(piece) => piece,
            Err(e) => {
                let _ = out
                    .send(text(&FromServer::Refused {
                        id,
                        detail: e.to_string(),
                    }))
                    .await;
                return;
            }
        };
        if piece.gaps != gaps {
            gaps = piece.gaps;
            if out.send(text(&FromServer::Gap { id, gaps })).await.is_err() {
                return;
            }
        }
        let left = piece.total.saturating_sub(sent);
        if follow && left + behind <= BEHIND && !piece.bytes.is_empty() {
            let ready = gathering.get_or_insert_with(|| Instant::now() + GATHER);
            if behind > 0 && piece.bytes.len() < PUSH && Instant::now() < *ready {
                let until = *ready;
                tokio::select! {
                    () = sleep_until(until) => {}
                    changed = acked.changed() => if changed.is_err() { return },
                }
                continue;
            }
            gathering = None;
            let push = encode_bytes(id, sent, &piece.bytes);
            sent += piece.bytes.len() as u64;
            if out.send(Message::Binary(push.into())).await.is_err() {
                return;
            }
            continue;
        }
        gathering = None;
        if piece.ended && left == 0 {
            let _ = out
                .send(text(&FromServer::Mark {
                    id,
                    bytes: piece.total,
                    ended: true,
                }))
                .await;
            return;
        }
        if left > 0 || !follow {
            if let Some(next) = marked.map(|m| m + MARKS).filter(|next| *next > Instant::now()) {
                tokio::select! {
                    () = sleep_until(next) => {}
                    changed = acked.changed() => if changed.is_err() { return },
                }
                if behind != sent.saturating_sub(*acked.borrow()) {
                    continue;
                }
            }
            marked = Some(Instant::now());
            let mark = FromServer::Mark {
                id,
                bytes: piece.total,
                ended: piece.ended,
            };
            if out.send(text(&mark)).await.is_err() || piece.ended && !follow {
                return;
            }
            if piece.ended {
                // Nothing more grows; only an acknowledgement can make room for the rest.
                if acked.changed().await.is_err() {
                    return;
                }
                continue;
            }
        }
        tokio::select! {
            grown = timeout(LOOK, console.grown(attempt, piece.total)) => drop(grown),
            changed = acked.changed() => if changed.is_err() { return },
        }
    }
}

pub(super) fn text(message: &FromServer) -> Message {
    // Our messages have text keys only, so they are JSON; an empty one would be ignored by the browser.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}
