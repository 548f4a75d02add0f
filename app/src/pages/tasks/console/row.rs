//! One row of a console as the server renders it, and the times that stand in rows.
//!
//! **Invariant:** the same shape as `paint` makes: a number that links to itself, a time, the text.

use crate::browser;
use crate::components::Icon;
use domain::Timestamp;
use domain::console::view::{Line, Run};
use leptos::prelude::*;

/// A row.
pub fn row(line: Line) -> impl IntoView {
    match line {
        Line::Text { n, at, runs, .. } => view! {
            <div class="ln" id=format!("L{n}")>
                <a href=format!("#L{n}")>{n}</a>
                <time>{at.map(utc)}</time>
                <span>{runs.into_iter().map(run).collect::<Vec<_>>()}</span>
            </div>
        }
        .into_any(),
        Line::Gap { gap, reason } => view! {
            <p class="gap">
                <Icon name="unlink"/>
                <span>
                    <b>{missing(gap)}</b>
                    " "
                    {reason}
                </span>
            </p>
        }
        .into_any(),
    }
}

fn run(run: Run) -> impl IntoView {
    if run.style.is_empty() {
        run.text.into_any()
    } else {
        view! { <span class=run.style>{run.text}</span> }.into_any()
    }
}

/// The sentence of a gap.
pub fn missing(bytes: Option<i64>) -> String {
    match bytes {
        None => "Bytes may be missing here; nobody knows how many.".into(),
        Some(1) => "1 byte is missing here.".into(),
        Some(n) => format!("{} bytes are missing here.", grouped(n)),
    }
}

/// A count with its thousands apart.
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    if n < 0 { format!("-{out}") } else { out }
}

/// Bytes for people.
pub fn size(bytes: i64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        1_000_000..10_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        1_000_000_000.. => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn utc(at: Timestamp) -> String {
    let c = at.civil();
    format!("{:02}:{:02}:{:02}.{:03}", c.hour, c.minute, c.second, c.milli)
}

/// A time of a row by the reader's clock, where there is one.
pub fn clock(at: Timestamp) -> String {
    match browser::local(at.0) {
        Some(l) => format!(
            "{:02}:{:02}:{:02}.{:03}",
            l.hour,
            l.minute,
            l.second,
            at.0.rem_euclid(1_000)
        ),
        None => utc(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        for (n, want) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (-4_321, "-4,321"),
        ] {
            assert_eq!(grouped(n), want);
        }
        for (n, want) in [
            (999, "999 B"),
            (184_320, "184 KB"),
            (1_250_000, "1.2 MB"),
            (104_000_000, "104 MB"),
            (2_100_000_000, "2.1 GB"),
        ] {
            assert_eq!(size(n), want);
        }
        assert_eq!(missing(Some(1_204)), "1,204 bytes are missing here.");
        assert_eq!(missing(None), "Bytes may be missing here; nobody knows how many.");
        assert_eq!(utc(Timestamp(1_795_185_127_041)), "14:32:07.041");
    }
}
