//! From a step's two pipes to the spool.
//!
//! **Invariant:** bytes of each stream are stored in their order and the two interleave by arrival; both ends are reached
//! before it answers.

use crate::executor::output::Sink;
use domain::console::view::Stream;
use futures::FutureExt;
use std::io;
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
            if let Some(read) = stderr.read_buf(&mut err).now_or_never() {
                err_open = store(&sink, Stream::Stderr, read, &mut err).await;
            }
        }
        tokio::select! {
            biased;
            read = stdout.read_buf(&mut out), if out_open => {
                turns += 1;
                out_open = store(&sink, Stream::Stdout, read, &mut out).await;
            }
            read = stderr.read_buf(&mut err), if err_open => {
                turns = 0;
                err_open = store(&sink, Stream::Stderr, read, &mut err).await;
            }
        }
    }
}

/// Stores what was read; answers whether more may come.
async fn store(sink: &Sink, stream: Stream, read: io::Result<usize>, bytes: &mut Vec<u8>) -> bool {
    sink.take(stream, bytes).await;
    bytes.clear();
    matches!(read, Ok(n) if n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Spool;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use tokio::io::ReadBuf;

    /// So many bytes, one with each read.
    struct Drops(usize);

    impl AsyncRead for Drops {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.0 > 0 {
                self.0 -= 1;
                into.put_slice(b".");
            }
            Poll::Ready(Ok(()))
        }
    }

    async fn drained(stdout: impl AsyncRead + Unpin, stderr: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::create(dir.path().join("spool")));
        drain(stdout, stderr, Sink::new(spool.clone())).await;
        let piece = spool.read(0, spool.len() as usize).unwrap();
        String::from_utf8(piece.bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn output_comes_before_the_error_that_ends_it_but_does_not_hold_it_up() {
        assert_eq!(drained(&b"out"[..], b"err").await, "outerr");
        let text = drained(Drops(100), b"err").await;
        assert_eq!((text.len(), text.find("err")), (103, Some(TURN)));
    }
}
