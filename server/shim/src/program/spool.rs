//! The spool as the shim writes it: frames, one behind the other, and what to do when they do not fit.
//!
//! **Invariant:** what was taken from a pipe is stored, waits here for room on the disk, or is counted as dropped; what is
//! dropped leaves no part of a frame behind, for other frames follow; the agent is never more than the bound behind.

use shim::frame::{HEAD, Head, Kind, LONGEST};
use shim::wire::End;
use shim::{record, since_boot};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where frames go: a file, but in tests.
pub(super) trait Place {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize>;
    fn cut(&self, at: u64) -> io::Result<()>;
}

impl Place for File {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, at)
    }

    fn cut(&self, at: u64) -> io::Result<()> {
        self.set_len(at)
    }
}

/// A frame that is not wholly written.
struct Waiting {
    len: usize,
    /// Bytes still to be written.
    left: usize,
    /// Bytes of output in it.
    output: u64,
}

/// The spool with its record.
pub(super) struct Spool<P = File> {
    file: P,
    record: File,
    pub written: u64,
    /// Up to here frames are whole.
    whole: u64,
    waiting: VecDeque<Waiting>,
    pub bound: u64,
    read: u64,
    /// What the disk has refused so far; it goes before anything else.
    pending: Vec<u8>,
    /// The error number with which it did.
    pub stalled: Option<i32>,
    /// Whether the record holds an end that is the last there was.
    noted: bool,
    /// Bytes of output given up in this step.
    pub dropped: u64,
    /// A frame in the making.
    buf: Vec<u8>,
}

impl Spool {
    pub fn new([file, record]: [File; 2]) -> Self {
        Self::over(file, record)
    }
}

impl<P: Place> Spool<P> {
    fn over(file: P, record: File) -> Self {
        Self {
            file,
            record,
            written: 0,
            whole: 0,
            waiting: VecDeque::new(),
            bound: 8 << 20,
            read: 0,
            pending: Vec::new(),
            stalled: None,
            noted: false,
            dropped: 0,
            buf: Vec::new(),
        }
    }

    /// Whether the agent has to read first.
    pub fn blocked(&self) -> bool {
        self.written.saturating_sub(self.read) >= self.bound
    }

    /// Whether the disk refuses.
    pub fn stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Whether more may be read from pipes.
    pub fn takes(&self) -> bool {
        !self.blocked() && !self.stalled()
    }

    pub fn read_to(&mut self, upto: u64) {
        self.read = self.read.max(upto.min(self.written));
    }

    /// Stores a frame whose bytes `fill` puts into the room it is given; answers what `fill` does.
    pub fn frame<R>(&mut self, kind: Kind, step: i64, fill: impl FnOnce(&mut [u8]) -> (usize, R)) -> R {
        self.buf.resize(HEAD + LONGEST, 0);
        let (len, answer) = fill(&mut self.buf[HEAD..]);
        if len > 0 || matches!(kind, Kind::Start) {
            let head = Head {
                len,
                kind,
                step,
                at: since_boot(),
            };
            self.buf[..HEAD].copy_from_slice(&head.encode());
            let output = matches!(kind, Kind::Out | Kind::Err);
            self.waiting.push_back(Waiting {
                len: HEAD + len,
                left: HEAD + len,
                output: if output { len as u64 } else { 0 },
            });
            self.store(HEAD + len);
        }
        answer
    }

    fn store(&mut self, len: usize) {
        let from = if self.pending.is_empty() { self.write(len) } else { 0 };
        if from < len {
            self.pending.extend_from_slice(&self.buf[from..len]);
        }
    }

    /// Writes what is in the making; answers how much went.
    fn write(&mut self, len: usize) -> usize {
        let mut at = 0;
        while at < len {
            match self.file.write_at(&self.buf[at..len], self.written) {
                Ok(n) if n > 0 => {
                    at += n;
                    self.written += n as u64;
                    self.went(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) => self.stalled = Some(0),
                Err(e) => self.stalled = Some(e.raw_os_error().unwrap_or_default()),
            }
            if self.stalled.is_some() {
                break;
            }
        }
        at
    }

    /// Notes that so many bytes more are written.
    fn went(&mut self, mut bytes: usize) {
        while let Some(first) = self.waiting.front_mut() {
            let n = bytes.min(first.left);
            first.left -= n;
            bytes -= n;
            if first.left > 0 {
                return;
            }
            self.whole += first.len as u64;
            self.waiting.pop_front();
        }
    }

    /// Tries again what the disk refused.
    pub fn retry(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.stalled = None;
        let pending = std::mem::take(&mut self.pending);
        let kept = std::mem::replace(&mut self.buf, pending);
        let len = self.buf.len();
        let at = self.write(len);
        let mut rest = std::mem::replace(&mut self.buf, kept);
        rest.drain(..at);
        self.pending = rest;
    }

    /// Gives up what the disk refuses: the step is to end now. The next one begins with whole frames again.
    pub fn give_up(&mut self) {
        self.dropped += self.waiting.iter().map(|w| w.output).sum::<u64>();
        self.waiting.clear();
        self.pending.clear();
        // Only ever shorter, which no disk refuses; nobody has read beyond a whole frame.
        let _ = self.file.cut(self.whole);
        self.written = self.whole;
        self.stalled = None;
    }

    /// Counts output that could not even be taken.
    pub fn drop_output(&mut self, bytes: usize) {
        self.dropped += bytes as u64;
    }

    /// Stores a step's end; `false` when only the record could take it.
    pub fn close(&mut self, end: &End) -> bool {
        let dropped = std::mem::take(&mut self.dropped);
        if !self.stalled() && dropped == 0 {
            let json = serde_json::to_vec(end).unwrap_or_default();
            self.frame(Kind::End, end.step, |room| {
                room[..json.len()].copy_from_slice(&json);
                (json.len(), ())
            });
            if !self.stalled() {
                if std::mem::take(&mut self.noted) {
                    // Of a step before this one: whoever finds it later must not take it for the last.
                    let _ = record::prepare(&self.record);
                }
                return true;
            }
            self.give_up();
        }
        // Whoever reads the spool to its end and finds none looks here.
        let _ = record::note(&self.record, end);
        self.noted = true;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shim::wire::Exit;
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    /// A disk with so much room.
    #[derive(Clone, Default)]
    struct Small(Rc<RefCell<Vec<u8>>>, Rc<Cell<usize>>);

    impl Place for Small {
        fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
            let (mut all, at) = (self.0.borrow_mut(), usize::try_from(at).unwrap());
            let n = bytes.len().min(self.1.get().saturating_sub(at));
            if n == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            all.resize(at, 0);
            all.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn cut(&self, at: u64) -> io::Result<()> {
            self.0.borrow_mut().truncate(usize::try_from(at).unwrap());
            Ok(())
        }
    }

    fn out(spool: &mut Spool<Small>, step: i64, text: &[u8]) {
        spool.frame(Kind::Out, step, |room| {
            room[..text.len()].copy_from_slice(text);
            (text.len(), ())
        });
    }

    fn frames(disk: &Small) -> Vec<(i64, Kind, Vec<u8>)> {
        let all = disk.0.borrow();
        let (mut at, mut found) = (0, Vec::new());
        while let Some(head) = Head::decode(&all[at..]).unwrap() {
            found.push((head.step, head.kind, all[at + HEAD..at + HEAD + head.len].to_vec()));
            at += HEAD + head.len;
        }
        assert_eq!(at, all.len(), "half a frame is left");
        found
    }

    fn ended(step: i64) -> End {
        End {
            step,
            exit: Exit::Exited(0),
            by: None,
            starved: false,
            dropped: 0,
        }
    }

    #[test]
    fn what_is_given_up_is_counted_and_the_next_step_is_whole_again() {
        let disk = Small::default();
        // The second frame does not fit, nor does what comes behind it.
        disk.1.set(3 * HEAD + 8);
        let mut spool = Spool::over(disk.clone(), tempfile::tempfile().unwrap());
        spool.frame(Kind::Start, 1, |_| (0, ()));
        out(&mut spool, 1, b"abcd");
        out(&mut spool, 1, b"efghijkl");
        out(&mut spool, 1, b"mn");
        assert!(spool.stalled() && !spool.takes());
        spool.retry();
        assert!(spool.stalled());
        spool.give_up();
        assert_eq!(spool.dropped, 10, "bytes of output alone");
        assert!(!spool.close(&ended(1)));
        assert_eq!(record::read(&spool.record), Some(ended(1)));
        disk.1.set(4096);
        assert!(spool.takes());
        spool.frame(Kind::Start, 2, |_| (0, ()));
        out(&mut spool, 2, b"op");
        assert!(spool.close(&ended(2)));
        assert_eq!(record::read(&spool.record), None, "it is not the last any more");
        let found = frames(&disk);
        let texts: Vec<_> = found.iter().map(|(step, kind, _)| (*step, *kind)).collect();
        let want = [
            (1, Kind::Start),
            (1, Kind::Out),
            (2, Kind::Start),
            (2, Kind::Out),
            (2, Kind::End),
        ];
        assert_eq!(texts, want);
        assert_eq!(
            (found[1].2.as_slice(), found[3].2.as_slice()),
            (&b"abcd"[..], &b"op"[..])
        );
    }

    #[test]
    fn what_the_disk_takes_after_all_is_whole() {
        let disk = Small::default();
        disk.1.set(HEAD + 3);
        let mut spool = Spool::over(disk.clone(), tempfile::tempfile().unwrap());
        out(&mut spool, 1, b"abcdef");
        disk.1.set(4096);
        spool.retry();
        out(&mut spool, 1, b"gh");
        assert!(spool.close(&ended(1)));
        let all: Vec<_> = frames(&disk)
            .into_iter()
            .filter(|f| f.1 == Kind::Out)
            .flat_map(|f| f.2)
            .collect();
        assert_eq!((all.as_slice(), spool.dropped), (&b"abcdefgh"[..], 0));
    }
}
