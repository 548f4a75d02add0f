//! From the engine's attach stream to the spool.
//!
//! **Invariant:** bytes are stored in the order in which the engine hands them over, each once; when the spool has no
//! room nothing is read, so that the step blocks in its pipe.

use super::init::Words;
use crate::executor::output::Sink;
use bollard::container::LogOutput;
use bollard::errors::Error;
use domain::console::view::Stream as Name;
use futures::{Stream, StreamExt};
use std::pin::Pin;
use tokio_util::task::AbortOnDropHandle;

/// An attach stream.
pub(super) type Attached = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// A stream that is being stored; dropping this ends it.
pub(super) type Draining = AbortOnDropHandle<Drained>;

/// How a stream ended.
pub(super) struct Drained {
    /// What may be init's words.
    pub words: Words,
    /// The error that broke it, if one did.
    pub broken: Option<Error>,
}

/// Stores everything, on a task of its own.
pub(super) fn drain(output: Attached, words: Words, sink: Sink) -> Draining {
    AbortOnDropHandle::new(tokio::spawn(pump(output, words, sink)))
}

/// Stores everything.
pub(super) async fn pump(mut output: Attached, mut words: Words, sink: Sink) -> Drained {
    while let Some(piece) = output.next().await {
        match piece {
            Ok(piece) => pass(stream(&piece), piece.as_ref(), &mut words, &sink).await,
            Err(e) => return Drained { words, broken: Some(e) },
        }
    }
    Drained { words, broken: None }
}

/// Which stream a piece is of.
pub(super) fn stream(piece: &LogOutput) -> Name {
    match piece {
        LogOutput::StdErr { .. } => Name::Stderr,
        _ => Name::Stdout,
    }
}

/// Stores a piece, unless it may be init's.
pub(super) async fn pass(stream: Name, bytes: &[u8], words: &mut Words, sink: &Sink) {
    let (before, keep) = words.hear(stream == Name::Stderr, bytes);
    if !before.is_empty() {
        sink.take(Name::Stderr, &before).await;
    }
    if keep {
        sink.take(stream, bytes).await;
    }
}
