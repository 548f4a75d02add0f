//! Gaps on their way: each becomes an event of its attempt, behind the bytes that come before it.
//!
//! **Invariant:** a gap is an event before anything that happened after it is one.

use super::held::{Held, State};
use super::journal::{Line, Noted};
use protocol::AttemptEvent;
use std::borrow::Cow;

impl Held {
    /// Takes over the gaps that the spool has noted since the last look.
    pub(super) fn take_gaps(&self, state: &mut State) {
        for gap in self.spool.gaps(state.gaps) {
            state.gaps += 1;
            state.last += 1;
            let noted = Noted {
                n: state.last,
                after: gap.at,
                event: AttemptEvent::Gap(gap),
            };
            self.journal.add(&Line::Note {
                fence: self.fence,
                noted: Cow::Borrowed(&noted),
            });
            state.events.push_back(noted);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clock;
    use crate::outbox::{Held, Next, Outbox};
    use domain::console::view::Stream;
    use protocol::{Assignment, AttemptEvent, FromAgent, GapReason, OutputFrame, decode};
    use tokio::time::Instant;

    fn said(held: &Held) -> Vec<String> {
        let mut out = Vec::new();
        // A second later each time: nothing is gathered.
        for s in 0..20 {
            match held.next(Instant::now() + std::time::Duration::from_secs(s)) {
                Next::Text(text) => match decode(&text).unwrap() {
                    FromAgent::Attempt {
                        n,
                        event: AttemptEvent::Gap(g),
                        ..
                    } => out.push(format!("{n} gap {} at {}", g.k, g.at)),
                    FromAgent::Attempt {
                        n,
                        event: AttemptEvent::Ended { .. },
                        ..
                    } => out.push(format!("{n} ended")),
                    FromAgent::Gone { from, to, .. } => out.push(format!("gone {from} to {to}")),
                    other => panic!("{other:?}"),
                },
                Next::Frame(bytes) => {
                    let frame = OutputFrame::decode(bytes).unwrap();
                    out.push(String::from_utf8(frame.bytes.to_vec()).unwrap());
                }
                Next::Later(_) => {}
                Next::Nothing => break,
            }
        }
        out
    }

    fn assignment() -> Assignment {
        serde_json::from_value(serde_json::json!({
            "fence": { "attempt": 1, "epoch": 1 }, "task": 1, "job": 1, "number": 1, "limits": {}, "env": {},
            "steps": [], "grace_ms": 5,
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn gaps_go_in_their_place_among_the_bytes_and_again_until_they_are_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let (outbox, _) = Outbox::open(dir.path()).unwrap();
        let held = outbox.take(&assignment(), 0).unwrap();
        let fence = held.fence;
        let write = |bytes: &[u8]| held.spool.append(Stream::Stdout, clock::now(), bytes).unwrap();
        write(b"one");
        held.spool.gap(Some(7), GapReason::Detached);
        write(b"two");
        held.spool.gap(None, GapReason::Detached);
        assert_eq!(said(&held), ["one", "1 gap 1 at 3", "two", "2 gap 2 at 6"]);
        held.acknowledge(1);
        held.note(AttemptEvent::Ended {
            aborted: false,
            error: None,
            length: 6,
            digest: String::new(),
            at: clock::now(),
        });
        held.restart();
        assert_eq!(said(&held), ["onetwo", "2 gap 2 at 6", "3 ended"]);
        drop((held, outbox));
        let (outbox, _) = Outbox::open(dir.path()).unwrap();
        let held = outbox.get(fence).unwrap();
        // All again, acknowledged or not: whoever hears it knows it by its number.
        assert_eq!(said(&held), ["one", "1 gap 1 at 3", "two", "2 gap 2 at 6", "3 ended"]);
        outbox.discard(fence);
        outbox.close().await;
        assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_the_server_wants_again_and_is_forgotten_here_is_said_to_be_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (outbox, _) = Outbox::open(dir.path()).unwrap();
        let held = outbox.take(&assignment(), 0).unwrap();
        held.spool.append(Stream::Stdout, clock::now(), b"onetwo").unwrap();
        assert_eq!(said(&held), ["onetwo"]);
        held.durable(3);
        held.rewind(1);
        assert_eq!(said(&held), ["gone 1 to 3", "two"]);
        held.rewind(3);
        assert_eq!(said(&held), ["two"]);
    }
}
