//! How much an agent may say of itself: what it reports becomes rows and pages.
//!
//! **Invariant:** what passes is short, printable and few; what does not is refused in one sentence, before any write.

use domain::agent::Facts;
use domain::label::Labels;
use protocol::Have;

/// Most labels of an agent.
const LABELS: usize = 100;
/// Longest key or value of a label, in characters.
const LABEL: usize = 200;
/// Longest text among an agent's facts, in bytes.
const FACT: usize = 4_000;
/// Most slots of an agent.
const SLOTS: u32 = 1_000;
/// Most attempts an agent may hold.
const HELD: usize = 4_096;

fn printable(text: &str, most: usize) -> bool {
    text.len() <= 4 * most && text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// Whether facts can be kept; the sentence if they cannot.
pub(super) fn facts(f: &Facts) -> Result<(), &'static str> {
    let texts = [
        Some(&f.hostname),
        Some(&f.os),
        Some(&f.arch),
        f.engine.as_ref(),
        f.engine_error.as_ref(),
        f.disk_error.as_ref(),
        Some(&f.version),
    ];
    // An engine's complaint may have several lines; a NUL is no text for a database.
    let short = |t: &String| t.len() <= FACT && !t.contains('\0');
    let fine = texts.into_iter().flatten().all(short) && f.executors.len() <= 8;
    fine.then_some(())
        .ok_or("The facts of this agent are too long, or hold a NUL.")
}

/// Whether a hello can be kept; the sentence if it cannot.
pub(super) fn hello(f: &Facts, labels: &Labels, slots: u32, have: &[Have]) -> Result<(), &'static str> {
    facts(f)?;
    let fine = |(key, value): (&String, &String)| !key.is_empty() && printable(key, LABEL) && printable(value, LABEL);
    if labels.len() > LABELS || !labels.iter().all(fine) {
        return Err("An agent has at most 100 labels, each at most 200 printable characters.");
    }
    if !(1..=SLOTS).contains(&slots) {
        return Err("An agent has 1 to 1,000 slots.");
    }
    if have.len() > HELD {
        return Err("An agent holds at most 4,096 attempts.");
    }
    Ok(())
}
