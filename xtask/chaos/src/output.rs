//! What is wrong with an output: lost, doubled, out of order or damaged.
//!
//! **Invariant:** equal outputs have nothing wrong with them, all others have, and the first wrong place is named.

use std::collections::BTreeMap;

/// Says what is wrong with `stored`, if anything. `whole`: all of `written` must be there, else a beginning of it will do.
pub fn wrong(stored: &[u8], written: &[u8], whole: bool) -> Option<String> {
    if stored == written || (!whole && written.starts_with(stored)) {
        return None;
    }
    let at = stored.iter().zip(written).take_while(|(a, b)| a == b).count();
    let line = 1 + written[..at].iter().filter(|b| **b == b'\n').count();
    let mut counts: BTreeMap<&[u8], i64> = BTreeMap::new();
    for piece in written.split_inclusive(|b| *b == b'\n') {
        *counts.entry(piece).or_default() += 1;
    }
    let (mut doubled, mut strange) = (0, 0);
    for piece in stored.split_inclusive(|b| *b == b'\n') {
        match counts.get_mut(piece) {
            None => strange += 1,
            Some(0) => doubled += 1,
            Some(left) => *left -= 1,
        }
    }
    let missing: i64 = counts.values().sum();
    let what = match (missing, doubled, strange) {
        (0, 0, 0) => "lines out of order".to_owned(),
        (missing, doubled, strange) => format!("{missing} lines lost, {doubled} doubled, {strange} damaged"),
    };
    Some(format!(
        "{what}; stored {} of {} bytes, first difference at byte {at}, line {line}",
        stored.len(),
        written.len()
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_wrong_is_told_apart() {
        let written = b"1 a\n2 b\n3 c\nend";
        assert_eq!(wrong(written, written, true), None);
        assert_eq!(wrong(b"1 a\n2", written, false), None);
        for (stored, said) in [
            (b"1 a\n3 c\nend".as_slice(), "1 lines lost, 0 doubled, 0 damaged"),
            (b"1 a\n2 b\n2 b\n3 c\nend", "0 lines lost, 1 doubled, 0 damaged"),
            (b"1 a\n3 c\n2 b\nend", "out of order"),
            (b"1 a\n2 X\n3 c\nend", "1 lines lost, 0 doubled, 1 damaged"),
            (b"", "4 lines lost"),
        ] {
            let told = wrong(stored, written, true).unwrap();
            assert!(told.contains(said), "{told}");
        }
        assert!(wrong(b"2 b\n", written, false).is_some());
    }
}
