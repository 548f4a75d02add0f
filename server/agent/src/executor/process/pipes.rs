//! From a step's two pipes to the spool.
//!
//! **Invariant:** bytes of each stream are stored in their order and the two interleave by arrival; both ends are reached
//! before it answers.

use crate::executor::output::Sink;
use domain::console::view::Stream;
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of one read.
const PIECE: usize = 64 * 1024;

/// Reads of standard output in a row before standard error is looked at first for once.
const TURN: usize = 32;

/// Stores everything. Of two pipes that both have something, nobody can tell what was written first; output usually comes
/// before the error that ends it, so standard output goes first, but not for ever.
pub(super) async fn drain(mut stdout: impl AsyncRead + Unpin, mut stderr: impl AsyncRead + Unpin, sink: Sink) {
    // Made when there is output: most steps of a busy agent are short and quiet.
    let (mut out, mut err) = (Vec::with_capacity(PIECE), Vec::with_capacity(4096));
    let (mut out_open, mut err_open) = (true, true);
    let mut turns = 0;
    while out_open || err_open {
        if err_open && turns == TURN {
            turns = 0;
            if let Some(n) = stderr.read_buf(&mut err).now_or_never() {
                err_open = matches!(n, Ok(n) if n > 0);
                sink.take(Stream::Stderr, &err).await;
                err.clear();
            }
        }
        tokio::select! {
            biased;
            n = stdout.read_buf(&mut out), if out_open => {
                turns += 1;
                out_open = matches!(n, Ok(n) if n > 0);
                sink.take(Stream::Stdout, &out).await;
                out.clear();
            }
            n = stderr.read_buf(&mut err), if err_open => {
                turns = 0;
                err_open = matches!(n, Ok(n) if n > 0);
                sink.take(Stream::Stderr, &err).await;
                err.clear();
            }
        }
    }
}
