//! WebSocket frames in one direction of a connection (RFC 6455 §5.2), told apart so that whole messages can be sent twice.
//!
//! **Invariant:** what goes in comes out, in its order; a copy stands right behind the frame it is of, and is made of
//! messages of a single frame alone: never of control frames, of parts, or of anything before the upgrade.

/// Longer messages are passed on and never sent twice; the product's own are at most 256 KiB.
const LONGEST: u64 = 1 << 20;
/// Most bytes of an HTTP head.
const HEAD: usize = 16 << 10;

/// Where the stream is.
enum At {
    /// In the HTTP head of the upgrade.
    Head(Vec<u8>),
    /// Between or in frames: of the present one, what has come so far.
    Frames(Vec<u8>),
    /// In no frames, or none that are understood.
    Other,
}

/// One direction.
pub struct Frames(At);

impl Default for Frames {
    fn default() -> Self {
        Self(At::Head(Vec::new()))
    }
}

impl Frames {
    /// Takes a piece of the stream; answers what to pass on, and how many copies are in it.
    pub fn pass(&mut self, piece: &[u8], twice: bool) -> (Vec<u8>, u64) {
        let (mut out, mut copies) = (Vec::with_capacity(piece.len()), 0);
        let mut rest = piece;
        while !rest.is_empty() {
            match &mut self.0 {
                At::Other => {
                    out.extend_from_slice(rest);
                    break;
                }
                At::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(rest);
                    let end = head.windows(4).position(|w| w == b"\r\n\r\n").map(|i| i + 4);
                    let used = end.unwrap_or(head.len()) - before;
                    out.extend_from_slice(&rest[..used]);
                    rest = &rest[used..];
                    if let Some(end) = end {
                        self.0 = if upgrades(&head[..end]) {
                            At::Frames(Vec::new())
                        } else {
                            At::Other
                        };
                    } else if head.len() > HEAD {
                        self.0 = At::Other;
                    }
                }
                At::Frames(frame) => {
                    let wanted = match length(frame) {
                        Length::Known(length) if length > LONGEST => {
                            self.0 = At::Other;
                            continue;
                        }
                        // As many as a head could have at least, then all.
                        Length::Known(length) => usize::try_from(length).unwrap_or(usize::MAX),
                        Length::Head(least) => least,
                    };
                    let used = (wanted - frame.len()).min(rest.len());
                    frame.extend_from_slice(&rest[..used]);
                    out.extend_from_slice(&rest[..used]);
                    rest = &rest[used..];
                    if let Length::Known(whole) = length(frame)
                        && frame.len() as u64 == whole
                    {
                        if twice && message(frame) {
                            out.extend_from_slice(frame);
                            copies += 1;
                        }
                        frame.clear();
                    }
                }
            }
        }
        (out, copies)
    }
}

/// Whether what follows this head is frames.
fn upgrades(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let answered = text.starts_with("http/1.1 101 ");
    let asked = text.starts_with("get ");
    (answered || asked)
        && text.lines().any(|l| {
            l.split_once(':')
                .is_some_and(|(n, v)| n == "upgrade" && v.trim() == "websocket")
        })
}

enum Length {
    /// Bytes of the whole frame.
    Known(u64),
    /// At least so many of it must be there to tell.
    Head(usize),
}

fn length(frame: &[u8]) -> Length {
    let Some(second) = frame.get(1) else {
        return Length::Head(2);
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (head, body) = match second & 0x7f {
        126 => match frame.get(2..4) {
            Some(raw) => (4, raw.iter().fold(0, |n, b| n << 8 | u64::from(*b))),
            None => return Length::Head(4),
        },
        127 => match frame.get(2..10) {
            Some(raw) => (10, raw.iter().fold(0, |n, b| n << 8 | u64::from(*b))),
            None => return Length::Head(10),
        },
        short => (2, u64::from(short)),
    };
    Length::Known(body.saturating_add(head + mask))
}

/// Whether a frame is a whole text or binary message, without extensions.
fn message(frame: &[u8]) -> bool {
    matches!(frame.first(), Some(0x81 | 0x82))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &[u8] = b"GET /agent HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";

    fn frame(first: u8, mask: bool, body: usize) -> Vec<u8> {
        let bit = if mask { 0x80 } else { 0 };
        let mut raw = vec![first];
        match body {
            0..126 => raw.push(bit | body as u8),
            126..65_536 => {
                raw.push(bit | 126);
                raw.extend((body as u16).to_be_bytes());
            }
            _ => {
                raw.push(bit | 127);
                raw.extend((body as u64).to_be_bytes());
            }
        }
        raw.extend((0..if mask { 4 } else { 0 }).map(|n| 200 + n as u8));
        raw.extend((0..body).map(|n| n as u8));
        raw
    }

    /// What comes out of a stream in pieces of a size.
    fn passed(stream: &[u8], piece: usize, twice: bool) -> (Vec<u8>, u64) {
        let (mut frames, mut all, mut copies) = (Frames::default(), Vec::new(), 0);
        for piece in stream.chunks(piece) {
            let (out, more) = frames.pass(piece, twice);
            all.extend(out);
            copies += more;
        }
        (all, copies)
    }

    #[test]
    fn whole_messages_come_twice_and_nothing_else_does_however_they_are_cut() {
        for mask in [true, false] {
            let (text, binary) = (frame(0x81, mask, 5), frame(0x82, mask, 300));
            let (large, empty) = (frame(0x82, mask, 70_000), frame(0x81, mask, 0));
            let once = [
                frame(0x89, mask, 3),
                frame(0x01, mask, 9),
                frame(0x80, mask, 9),
                frame(0xc1, mask, 4),
            ]
            .concat();
            let last = frame(0x88, mask, 2);
            let parts = [ASKED, &text, &once, &binary, &large, &empty, &last];
            let want = [
                ASKED, &text, &text, &once, &binary, &binary, &large, &large, &empty, &empty, &last,
            ];
            for piece in [1, 2, 3, 7, 1000, 100_000] {
                assert_eq!(passed(&parts.concat(), piece, true), (want.concat(), 4), "{piece}");
                assert_eq!(passed(&parts.concat(), piece, false), (parts.concat(), 0), "{piece}");
            }
        }
    }

    #[test]
    fn what_is_no_websocket_passes_as_it_is() {
        for head in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"[..],
            b"HTTP/1.1 403 Forbidden\r\nUpgrade: websocket\r\n\r\n",
            b"POST / HTTP/1.1\r\n\r\n",
        ] {
            let stream = [head, &frame(0x81, false, 5)].concat();
            assert_eq!(passed(&stream, 4, true), (stream, 0));
        }
    }
}
