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

/// An attach stream.
pub(super) type Attached = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// How a stream ended.
pub(super) struct Drained {
    /// What may be init's words.
    pub words: Words,
    /// The error that broke it, if one did.
    pub broken: Option<Error>,
}

/// Stores everything.
pub(super) async fn drain(mut output: Attached, sink: Sink) -> Drained {
    let mut words = Words::default();
    while let Some(piece) = output.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(e) => return Drained { words, broken: Some(e) },
        };
        let stream = match piece {
            LogOutput::StdErr { .. } => Name::Stderr,
            _ => Name::Stdout,
        };
        let bytes = piece.as_ref();
        let (before, keep) = words.hear(stream == Name::Stderr, bytes);
        if !before.is_empty() {
            sink.take(Name::Stderr, &before).await;
        }
        if keep {
            sink.take(stream, bytes).await;
        }
    }
    Drained { words, broken: None }
}
