//! What is stored of each stream by itself: where a container's output is taken up again, both are counted apart.
//!
//! **Invariant:** counts are of all bytes from the offset on, also of those that are forgotten; ends only of those still here.

use super::Spool;
use domain::console::view::Stream;
use std::io;

/// Most bytes of a stream's end.
pub const END: usize = 4096;
/// How far back ends are looked for.
const BACK: u64 = 64 << 10;

/// What is stored of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub bytes: u64,
    /// The last of them that are still here, at most [`END`].
    pub end: Vec<u8>,
}

impl Spool {
    /// What is stored from `from` on, of standard output and of standard error. Blocking.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn streams(&self, from: u64) -> io::Result<[Stored; 2]> {
        let mut found = [Stored::default(), Stored::default()];
        let len = self.len();
        let Some(files) = self.files.get().filter(|_| from < len) else {
            return Ok(found);
        };
        let records = self.lock().marks.cover(&files.marks, from, len, usize::MAX)?;
        let ends = records.iter().skip(1).map(|r| r.offset.min(len)).chain([len]);
        for (record, end) in records.iter().zip(ends) {
            found[index(record.stream)].bytes += end.saturating_sub(record.offset.max(from));
        }
        let mut at = self.forgotten().max(from).max(len.saturating_sub(BACK));
        while at < len {
            let piece = self.read(at, (len - at) as usize)?;
            for (i, mark) in piece.marks.iter().enumerate() {
                let end = piece.marks.get(i + 1).map_or(piece.bytes.len(), |m| m.at as usize);
                keep(&mut found[index(mark.stream)].end, &piece.bytes[mark.at as usize..end]);
            }
            at += piece.bytes.len() as u64;
        }
        Ok(found)
    }
}

/// Adds to an end, which keeps its length.
pub fn keep(end: &mut Vec<u8>, bytes: &[u8]) {
    end.extend_from_slice(&bytes[bytes.len().saturating_sub(END)..]);
    end.drain(..end.len().saturating_sub(END));
}

/// The place of a stream in a pair.
pub fn index(stream: Stream) -> usize {
    usize::from(stream == Stream::Stderr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;

    #[test]
    fn streams_are_counted_apart_from_an_offset_on() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(dir.path().join("7-1"));
        assert_eq!(spool.streams(0).unwrap(), [Stored::default(), Stored::default()]);
        for (at, (stream, bytes)) in [
            (Stream::Stdout, &b"before"[..]),
            (Stream::Stdout, b"one"),
            (Stream::Stderr, b"two"),
            (Stream::Stdout, &[b'x'; 5000]),
        ]
        .into_iter()
        .enumerate()
        {
            spool.append(stream, Timestamp(at as i64), bytes).unwrap();
        }
        let [out, err] = spool.streams(4).unwrap();
        assert_eq!((out.bytes, out.end), (2 + 3 + 5000, vec![b'x'; END]));
        assert_eq!((err.bytes, err.end), (3, b"two".to_vec()));
        spool.forget(5012);
        let [out, err] = spool.streams(6).unwrap();
        assert_eq!((out.bytes, out.end), (5003, vec![]), "what is forgotten is counted");
        assert_eq!((err.bytes, err.end), (3, vec![]));
    }
}
