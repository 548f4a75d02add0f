//! The word that somebody meant, for hints.
//!
//! **Invariant:** a word is proposed only when a person would say it was that one.

/// `Did you mean …?` for the nearest of the words, where one is near enough.
pub(crate) fn nearest(word: &str, words: &[&str]) -> Option<String> {
    nearest_word(word, words).map(|w| format!("Did you mean `{w}`?"))
}

/// The word that a person would have meant.
pub(crate) fn nearest_word<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let lower = word.to_lowercase();
    let allowed = 1 + lower.chars().count() / 4;
    words
        .iter()
        .map(|w| (distance(&lower, &w.to_lowercase()), *w))
        .filter(|(d, w)| *d <= allowed && *d < w.chars().count())
        .min_by_key(|(d, _)| *d)
        .map(|(_, w)| w)
}

/// Edits between two words: letters put in, taken out, changed, or two neighbours swapped.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_one_a_person_would_mean() {
        let words = ["name", "steps", "runs_on", "timeout", "needs", "env"];
        for (typed, meant) in [
            ("setps", Some("steps")),
            ("step", Some("steps")),
            ("Steps", Some("steps")),
            ("run_on", Some("runs_on")),
            ("timout", Some("timeout")),
            ("need", Some("needs")),
            ("nmae", Some("name")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(
                nearest(typed, &words),
                meant.map(|m| format!("Did you mean `{m}`?")),
                "{typed}"
            );
        }
    }
}
