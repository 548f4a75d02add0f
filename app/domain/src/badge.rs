//! Badges: how a plan fares, as a small picture for pages of others.
//!
//! **Invariant:** names are text in it, never markup, and cannot turn the direction of the rest; the state is a word, a mark
//! and a colour. The picture is whole in itself: it loads nothing and has neither script nor style.

use crate::status::TaskStatus;
use crate::{PlanId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Most characters of a name.
const MOST: usize = 40;
/// Height in pixels.
const HEIGHT: u32 = 20;

/// What a badge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// The plan's name.
    pub plan: String,
    /// The branch it was asked about.
    pub branch: Option<String>,
    /// How its last finished task ended; where none has, how its newest one fares; nothing without tasks.
    pub status: Option<TaskStatus>,
}

/// The key that shows a plan's badge to those who are not signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BadgeKey {
    /// The plan.
    pub plan_id: PlanId,
    /// The key; nobody can guess it.
    pub key: String,
    /// The badge's address with it. `&branch=` asks about one branch.
    pub url: String,
    /// When it was made.
    pub made_at: Timestamp,
}

/// A state in a badge: its word, its colour (white on it has a contrast of 4.5 and more), its mark in a square of 12.
fn look(status: Option<TaskStatus>) -> (&'static str, &'static str, &'static str) {
    match status {
        None => ("no tasks yet", "#6b655d", "M3 6h6"),
        Some(TaskStatus::Pending) => ("waiting", "#6b655d", "M3.5 2h5M3.5 10h5M4 2l4 8M8 2l-4 8"),
        Some(TaskStatus::Running) => ("running", "#1161bb", "M6 2a4 4 0 1 1-4 4"),
        Some(TaskStatus::Passed) => ("passed", "#10703e", "M2.5 6.5l2.5 2.5 4.5-5.5"),
        Some(TaskStatus::Failed) => ("failed", "#b61537", "M3 3l6 6M9 3l-6 6"),
        Some(TaskStatus::TimedOut) => (
            "timed out",
            "#826000",
            "M6 3v3.5l2 1.5M6 1.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 1 1 0-9",
        ),
        Some(TaskStatus::Lost) => ("lost", "#826000", "M6 2v5M6 9v1"),
        Some(TaskStatus::Aborted) => ("aborted", "#7546ad", "M3 3h6v6h-6z"),
        Some(TaskStatus::Skipped) => ("skipped", "#6b655d", "M2 10l8-8"),
    }
}

/// Draws it.
#[must_use]
pub fn draw(badge: &Badge) -> String {
    let mut label = short(&badge.plan);
    if let Some(branch) = badge.branch.as_deref().map(short).filter(|b| !b.is_empty()) {
        let _ = write!(label, " · {branch}");
    }
    let (word, colour, mark) = look(badge.status);
    let (of_label, of_word) = (width(&label), width(word));
    let (left, all) = (of_label + 14, of_label + 14 + of_word + 30);
    let (label, h) = (escaped(&label), HEIGHT);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"{h}\" viewBox=\"0 0 {all} {h}\" role=\"img\" aria-label=\"{label}: {word}\">\
         <title>{label}: {word}</title>\
         <path fill=\"#2b2723\" d=\"M4 0H{left}V{h}H4a4 4 0 0 1-4-4V4a4 4 0 0 1 4-4z\"/>\
         <path fill=\"{colour}\" d=\"M{left} 0H{end}a4 4 0 0 1 4 4V16a4 4 0 0 1-4 4H{left}z\"/>\
         <path fill=\"none\" stroke=\"#fff\" stroke-width=\"1.6\" stroke-linecap=\"round\" stroke-linejoin=\"round\" transform=\"translate({at} 4)\" d=\"{mark}\"/>\
         <g fill=\"#fff\" font-family=\"Inter,Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         <text x=\"7\" y=\"14\" textLength=\"{of_label}\" lengthAdjust=\"spacingAndGlyphs\">{label}</text>\
         <text x=\"{from}\" y=\"14\" textLength=\"{of_word}\" lengthAdjust=\"spacingAndGlyphs\">{word}</text>\
         </g></svg>\n",
        end = all - 4,
        at = left + 6,
        from = left + 22,
    )
}

/// At most so much of a name, without what has no place in a line of text.
fn short(name: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let fits =
        |c: &char| !c.is_control() && !turns(*c) && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
    let mut kept = name.trim().chars().filter(fits);
    let mut out: String = kept.by_ref().take(MOST).collect();
    if kept.next().is_some() {
        out.pop();
        out.push('…');
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// About how many pixels a text is wide; the picture has its letters fill exactly that, whatever the font.
fn width(text: &str) -> u32 {
    let tenths: u32 = text.chars().map(tenths).sum();
    tenths.div_ceil(10)
}

fn tenths(c: char) -> u32 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | ' ' | '-' | '/' | '·' => 45,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 102,
        'A'..='Z' | '_' | '…' => 76,
        '\0'..='\u{58f}' => 66,
        _ => 115,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn badge(plan: &str, branch: Option<&str>, status: Option<TaskStatus>) -> String {
        draw(&Badge {
            plan: plan.into(),
            branch: branch.map(Into::into),
            status,
        })
    }

    #[test]
    fn every_state_has_a_word_a_mark_and_a_colour() {
        for status in TaskStatus::ALL.iter().copied().map(Some).chain([None]) {
            let (word, colour, mark) = look(status);
            let drawn = badge("ledger", None, status);
            for part in [
                format!(">{word}</text>"),
                format!("fill=\"{colour}\""),
                format!("d=\"{mark}\""),
            ] {
                assert!(drawn.contains(&part), "{part} in {drawn}");
            }
            assert!(drawn.contains(&format!("aria-label=\"ledger: {word}\"")));
        }
    }

    #[test]
    fn white_on_every_colour_can_be_read() {
        let linear = |hex: &str| {
            let c = f64::from(u8::from_str_radix(hex, 16).unwrap()) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        for status in TaskStatus::ALL.iter().copied().map(Some).chain([None]) {
            let colour = look(status).1;
            let light =
                0.2126 * linear(&colour[1..3]) + 0.7152 * linear(&colour[3..5]) + 0.0722 * linear(&colour[5..7]);
            assert!(1.05 / (light + 0.05) >= 4.5, "{colour}");
        }
    }

    #[test]
    fn names_are_text_and_stay_in_their_place() {
        let drawn = badge(
            "</text><script>alert(1)</script>&\"'",
            Some("\u{202e}main\u{0}\n<b>"),
            Some(TaskStatus::Passed),
        );
        assert!(!drawn.contains("<script") && !drawn.contains("<b>"), "{drawn}");
        assert!(
            drawn.contains("&lt;/text&gt;&lt;script&gt;") && drawn.contains("· main&lt;b&gt;<"),
            "{drawn}"
        );
        assert!(!drawn.contains(['\u{202e}', '\0']));
        assert_eq!(
            drawn.matches('<').count(),
            badge("a", Some("b"), None).matches('<').count()
        );
        assert!(
            !drawn.contains("style") && !drawn.contains("href"),
            "nothing that a policy would refuse"
        );
    }

    #[test]
    fn a_long_name_is_cut_and_its_room_is_known() {
        let drawn = badge(&"漢".repeat(500), None, None);
        assert!(
            drawn.contains(&format!(">{}…</text>", "漢".repeat(MOST - 1))),
            "{drawn}"
        );
        assert!(width("mmm") > width("iii") && width("") == 0);
    }
}
