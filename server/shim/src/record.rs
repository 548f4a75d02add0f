//! The record: a file of one page, made whole beforehand, that takes a step's end even while the disk is full.
//!
//! **Invariant:** writing it needs no room on the disk; what is not a whole end is none.

use crate::wire::End;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of the file.
pub const SIZE: usize = 4096;

/// Gives a new record its room on the disk.
///
/// # Errors
/// When the disk refuses.
pub fn prepare(file: &File) -> io::Result<()> {
    file.write_all_at(&[0; SIZE], 0)
}

/// Notes an end over the one before.
///
/// # Errors
/// When the disk refuses.
pub fn note(file: &File, end: &End) -> io::Result<()> {
    let json = serde_json::to_vec(end)?;
    let mut page = [0; SIZE];
    page[..4].copy_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    page.get_mut(4..4 + json.len())
        .ok_or_else(|| io::Error::other("the end is too long"))?
        .copy_from_slice(&json);
    file.write_all_at(&page, 0)
}

/// The end that was noted last.
#[must_use]
pub fn read(file: &File) -> Option<End> {
    let mut page = [0; SIZE];
    file.read_exact_at(&mut page, 0).ok()?;
    let len = u32::from_le_bytes(*page.first_chunk()?) as usize;
    serde_json::from_slice(page.get(4..4 + len)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Exit;

    #[test]
    fn the_last_end_is_read_back_and_rubbish_is_none() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(read(&file), None);
        prepare(&file).unwrap();
        assert_eq!(read(&file), None);
        for step in [7, 8] {
            let end = End {
                step,
                exit: Exit::Signalled(9),
                by: None,
                starved: false,
                dropped: 3,
            };
            note(&file, &end).unwrap();
            assert_eq!(read(&file), Some(end));
        }
        file.write_all_at(&[255; 9], 0).unwrap();
        assert_eq!(read(&file), None);
    }
}
