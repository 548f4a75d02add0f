//! From a step's two pipes to the spool.
//!
//! **Invariant:** bytes of each stream are stored in their order and the two interleave by arrival; both ends are reached
//! before it answers.

use crate::executor::output::Sink;
use domain::console::view::Stream;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of one read.
const PIECE: usize = 64 * 1024;

/// Stores everything.
pub(super) async fn drain(mut stdout: impl AsyncRead + Unpin, mut stderr: impl AsyncRead + Unpin, sink: Sink) {
    // Made when there is output: most steps of a busy agent are short and quiet.
    let (mut out, mut err) = (Vec::with_capacity(PIECE), Vec::with_capacity(4096));
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        tokio::select! {
            n = stdout.read_buf(&mut out), if out_open => {
                out_open = matches!(n, Ok(n) if n > 0);
                sink.take(Stream::Stdout, &out).await;
                out.clear();
            }
            n = stderr.read_buf(&mut err), if err_open => {
                err_open = matches!(n, Ok(n) if n > 0);
                sink.take(Stream::Stderr, &err).await;
                err.clear();
            }
        }
    }
}
