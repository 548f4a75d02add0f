//! The five fields one by one: what is wrong in which, and what `H` stands for in each.
//!
//! **Invariant:** the same trigger has the same minute for ever: `H` depends on its id and the field alone.

use super::{LONGEST, at, read};
use crate::Problem;

/// A field: its name, where `H` may fall, and an example.
const FIELDS: [(&str, u32, u32, &str); 5] = [
    ("minute", 0, 59, "`0`, `*/15`, `H`"),
    ("hour", 0, 23, "`2`, `8-18`, `H(0-5)`"),
    // Every month has these.
    ("day of the month", 1, 28, "`1`, `15W`, `L`"),
    ("month", 1, 12, "`*`, `6`, `JAN`"),
    ("day of the week", 0, 6, "`1-5`, `MON`, `FRI#1`, `5L`"),
];

const NAMES: [(&str, &str); 6] = [
    ("@hourly", "H * * * *"),
    ("@daily", "H H * * *"),
    ("@midnight", "H H(0-2) * * *"),
    ("@weekly", "H H * * H"),
    ("@monthly", "H H H * *"),
    ("@yearly", "H H H H *"),
];

/// The fields without `H` and names of the whole.
pub(super) fn plain(expression: &str, seed: i64) -> Result<String, Vec<Problem>> {
    if expression.len() > LONGEST {
        return Err(vec![at(
            1,
            format!("The expression is longer than {LONGEST} bytes."),
            None,
        )]);
    }
    let named = expression.trim().to_lowercase();
    let expression = NAMES
        .iter()
        .find(|(name, _)| *name == named)
        .map_or(expression, |(_, fields)| fields);
    if expression.trim().starts_with('@') {
        let names = NAMES.map(|(name, _)| format!("`{name}`")).join(", ");
        return Err(vec![at(
            1,
            "This is no name of a schedule.".into(),
            Some(format!("Known are {names}.")),
        )]);
    }
    let words = words(expression);
    if words.len() != FIELDS.len() {
        let hint = "minute, hour, day of the month, month, day of the week: `30 2 * * 1-5` is 02:30 on weekdays.";
        let column = words
            .get(FIELDS.len())
            .map_or(expression.trim_end().chars().count() + 1, |w| w.0);
        let message = format!("A schedule has five fields, this has {}.", words.len());
        return Err(vec![at(column, message, Some(format!("They are {hint}")))]);
    }
    let (mut fields, mut problems) = (Vec::new(), Vec::new());
    for (n, (column, word)) in words.into_iter().enumerate() {
        let (name, ..) = FIELDS[n];
        let good = spread(&word.to_uppercase(), n, seed).and_then(|field| {
            let mut alone = ["*"; 5];
            alone[n] = &field;
            read(&alone.join(" ")).map(|_| field.clone())
        });
        match good {
            Ok(field) => fields.push(field),
            Err(_) => {
                let hint = format!("Possible are, for example, {}.", FIELDS[n].3);
                problems.push(at(column, format!("`{word}` is no {name}."), Some(hint)));
            }
        }
    }
    if problems.is_empty() {
        Ok(fields.join(" "))
    } else {
        Err(problems)
    }
}

/// The words of a text, each with its column.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (i, c) in text.chars().enumerate() {
        match (c.is_whitespace(), inside) {
            (true, _) => inside = false,
            (false, true) => words.last_mut().into_iter().for_each(|w| w.1.push(c)),
            (false, false) => {
                words.push((i + 1, c.into()));
                inside = true;
            }
        }
    }
    words
}

/// Replaces `H`, `H/15` and `H(0-29)`, alone or in lists.
fn spread(field: &str, n: usize, seed: i64) -> Result<String, String> {
    let (_, least, most, _) = FIELDS[n];
    let one = |part: &str| -> Result<String, String> {
        let Some(rest) = part.strip_prefix('H') else {
            return Ok(part.to_owned());
        };
        let no = || format!("{part} is nothing");
        let (from, to, rest) = match rest.strip_prefix('(') {
            Some(inner) => {
                let (range, rest) = inner.split_once(')').ok_or_else(no)?;
                let (from, to) = range.split_once('-').ok_or_else(no)?;
                let number = |s: &str| s.parse::<u32>().map_err(|_| no());
                (number(from)?, number(to)?, rest)
            }
            None => (least, most, rest),
        };
        let step = match rest.strip_prefix('/') {
            Some(step) => Some(step.parse::<u32>().map_err(|_| no())?),
            None if rest.is_empty() => None,
            None => return Err(no()),
        };
        // Days after the 28th may be asked for by name.
        let last = if n == 2 { 31 } else { most };
        if from > to || from < least || to > last || step == Some(0) {
            return Err(no());
        }
        let width = step.map_or(to - from + 1, |s| s.min(to - from + 1));
        let first = from + (mixed(seed, n) % u64::from(width)) as u32;
        Ok(match step {
            Some(step) => format!("{first}-{to}/{step}"),
            None => first.to_string(),
        })
    };
    let parts: Result<Vec<_>, _> = field.split(',').map(one).collect();
    parts.map(|p| p.join(","))
}

/// A number that looks like none of its neighbours': SplitMix64 (Steele, Lea, Flood 2014).
fn mixed(seed: i64, n: usize) -> u64 {
    let mut z = seed
        .cast_unsigned()
        .wrapping_add((n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
