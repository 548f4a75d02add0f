//! The output of a container that this agent was attached to once: taken up where it was let go.
//!
//! The engine keeps the last of it (`profile::LOG`), as whole lines. From there it is read on, until it is longer than can be
//! proved to be all of it; else the container is attached to anew, behind a gap.
//!
//! **Invariant:** no byte is stored twice; where it is not proved that none is missing, a gap is noted before what follows.

use super::client::gone;
use super::container::attach;
use super::init::Words;
use super::life::Life;
use super::profile::LOG;
use super::pump::{Attached, Drained, Draining, pass, pump, stream};
use super::session::Place;
use crate::executor::output::Sink;
use crate::spool::{Stored, index, keep};
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters as query;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How long a container may go on when its log has ended.
const ENDING: Duration = Duration::from_secs(10);
/// Most bytes a line may take in a log beside its text.
const AROUND: u64 = 192;
/// A log that took less than this was never cut: its first file is not full.
const WHOLE: u64 = LOG - (64 << 10);

/// Goes on with the output of a container, stored from `from` on.
pub(super) fn again(place: Arc<Place>, id: String, from: u64, life: Life) -> Draining {
    AbortOnDropHandle::new(tokio::spawn(async move {
        go_on(&place, &id, from, life).await.unwrap_or_else(|e| Drained {
            words: Words::over(),
            broken: Some(e),
        })
    }))
}

async fn go_on(place: &Arc<Place>, id: &str, from: u64, life: Life) -> Result<Drained, Error> {
    let sink = Sink::new(place.spec.spool.clone());
    // Behind an earlier gap nobody knows how much of the log is stored.
    let gapless = place.spec.spool.gaps(0).iter().all(|g| g.at < from);
    let mut words = Words::over();
    if life.same
        && gapless
        && logged(place, id, from, true, &mut words).await? != Read::Unproven
        // What follows a log may miss the last words, those without an end of line.
        && over(place, id).await?
        && logged(place, id, from, false, &mut words).await? == Read::Whole
    {
        return Ok(Drained { words, broken: None });
    }
    live(place, id, sink).await
}

/// How far a log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// To its end, and all of it.
    Whole,
    /// To its end, and what is stored is not all in it yet.
    Short,
    /// Something may be missing from here on.
    Unproven,
}

/// Stores what a log holds behind what is stored from `from` on.
async fn logged(place: &Arc<Place>, id: &str, from: u64, follow: bool, words: &mut Words) -> Result<Read, Error> {
    let spool = place.spec.spool.clone();
    let Ok(Ok(stored)) = spawn_blocking(move || spool.streams(from)).await else {
        return Ok(Read::Unproven);
    };
    let sink = Sink::new(place.spec.spool.clone());
    let mut log = log(place, id, follow);
    // It is open once something was read of it; what it held when it was opened is not lost to this reader any more.
    let mut next = log.next().await;
    if next.is_some() && !uncut(place, id).await? {
        return Ok(Read::Unproven);
    }
    if stored.iter().all(|s| s.bytes == 0) {
        *words = Words::default();
    }
    let mut seams = stored.map(Seam::new);
    let mut spent = 0;
    while let Some(piece) = next {
        let piece = match piece {
            Ok(piece) => piece,
            Err(e) if refused(&e) => return Ok(Read::Unproven),
            Err(e) => return Err(e),
        };
        spent += size(&piece);
        if spent >= WHOLE {
            return Ok(Read::Unproven);
        }
        let name = stream(&piece);
        let Some(new) = seams[index(name)].cross(piece.as_ref()) else {
            return Ok(Read::Unproven);
        };
        if !new.is_empty() {
            pass(name, new, words, &sink).await;
        }
        next = log.next().await;
    }
    let crossed = seams.iter().all(|s| s.left == 0);
    Ok(if crossed { Read::Whole } else { Read::Short })
}

/// Whether the container has ended, or does so now: its log is whole then.
async fn over(place: &Place, id: &str) -> Result<bool, Error> {
    let mut waiting = Box::pin(place.engine.api.wait_container(id, None::<query::WaitContainerOptions>));
    match timeout(ENDING, waiting.next()).await {
        Ok(Some(Err(e))) if gone(&e) => Err(e),
        Ok(_) => Ok(true),
        Err(_) => Ok(false),
    }
}

/// Whether the log as it is now has never been cut.
async fn uncut(place: &Place, id: &str) -> Result<bool, Error> {
    let (mut log, mut spent) = (log(place, id, false), 0);
    while let Some(piece) = log.next().await {
        match piece {
            Ok(piece) => spent += size(&piece),
            Err(e) if refused(&e) => return Ok(false),
            Err(e) => return Err(e),
        }
        if spent >= WHOLE {
            return Ok(false);
        }
    }
    Ok(true)
}

/// From now on, behind a gap.
async fn live(place: &Place, id: &str, sink: Sink) -> Result<Drained, Error> {
    let mut output = None;
    if running(place, id).await? {
        let attached = attach(&place.engine, id).await?;
        // An engine does not end what was attached to a container that had ended.
        output = running(place, id).await?.then_some(attached);
    }
    sink.detached();
    Ok(match output {
        Some(output) => pump(output, Words::over(), sink).await,
        None => Drained {
            words: Words::over(),
            broken: None,
        },
    })
}

async fn running(place: &Place, id: &str) -> Result<bool, Error> {
    let state = place.engine.api.inspect_container(id, None).await?.state;
    Ok(state.and_then(|s| s.running).unwrap_or_default())
}

fn log(place: &Place, id: &str, follow: bool) -> Attached {
    let options = query::LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .follow(follow)
        .build();
    Box::pin(place.engine.api.logs(id, Some(options)))
}

/// Whether the engine answered, but has no log that can be read.
fn refused(e: &Error) -> bool {
    !gone(e)
}

/// The most a piece takes in the log.
fn size(piece: &LogOutput) -> u64 {
    piece.as_ref().len() as u64 + AROUND
}

/// Where what is stored of a stream ends in its log.
struct Seam {
    /// Bytes before it.
    left: u64,
    /// What is stored just before it.
    end: Vec<u8>,
    /// What the log holds there.
    seen: Vec<u8>,
}

impl Seam {
    fn new(stored: Stored) -> Self {
        Self {
            left: stored.bytes,
            end: stored.end,
            seen: Vec::new(),
        }
    }

    /// What of these bytes is new; `None` when the log is not that of what is stored.
    fn cross<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if self.left == 0 {
            return Some(bytes);
        }
        let (old, new) = bytes.split_at(bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX)));
        keep(&mut self.seen, old);
        self.left -= old.len() as u64;
        (self.left > 0 || self.seen.ends_with(&self.end)).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_skipped_and_must_be_what_the_log_holds() {
        let seam = |bytes: u64, end: &[u8]| {
            Seam::new(Stored {
                bytes,
                end: end.to_vec(),
            })
        };
        let mut whole = seam(5, b"lo");
        assert_eq!(whole.cross(b"hel"), Some(&b""[..]));
        assert_eq!(whole.cross(b"lo\nmore"), Some(&b"\nmore"[..]));
        assert_eq!(whole.cross(b"x"), Some(&b"x"[..]));
        let mut other = seam(5, b"lo");
        assert_eq!(other.cross(b"hel"), Some(&b""[..]));
        assert_eq!(other.cross(b"\nlo"), None, "a line is missing in the log");
        assert_eq!(seam(0, b"").cross(b"all"), Some(&b"all"[..]));
    }
}
