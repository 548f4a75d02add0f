//! Instants: absolute UTC from the server, the reader's own clock once a script runs.
//!
//! **Invariant:** both sides render the same text first; only an `Effect` rewrites it.

use crate::browser;
use domain::Timestamp;
use leptos::prelude::*;

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// An instant.
#[component]
pub fn Time(
    /// Which.
    at: Timestamp,
    /// Shows seconds.
    #[prop(optional)]
    seconds: bool,
) -> impl IntoView {
    let utc = utc(at, seconds);
    let (text, set_text) = signal(utc.clone());
    let (title, set_title) = signal(format!("{utc} UTC"));
    Effect::new(move || {
        if let (Some(at), Some(now)) = (browser::local(at.0), browser::local(browser::now())) {
            set_text.set(short(at, now, seconds));
            set_title.set(long(at));
        }
    });
    view! {
        <time datetime=at.to_string() title=title class="whitespace-nowrap">
            {text}
        </time>
    }
}

fn utc(at: Timestamp, seconds: bool) -> String {
    let c = at.civil();
    let month = MONTHS[(c.month as usize + 11) % 12];
    let clock = clock(c.hour, c.minute, c.second, seconds);
    format!("{} {month} {clock}", c.day)
}

fn clock(hour: u32, minute: u32, second: u32, seconds: bool) -> String {
    if seconds {
        format!("{hour:02}:{minute:02}:{second:02}")
    } else {
        format!("{hour:02}:{minute:02}")
    }
}

/// `14:32` today, `Thu 16:02` within a week, `20 Nov 14:32` before, with the year when it is another.
fn short(at: browser::Local, now: browser::Local, seconds: bool) -> String {
    let clock = clock(at.hour, at.minute, at.second, seconds);
    match now.day - at.day {
        0 => clock,
        1..7 => format!("{} {clock}", DAYS[at.weekday % 7]),
        _ if at.year == now.year => format!("{} {} {clock}", at.date, MONTHS[at.month % 12]),
        _ => format!("{} {} {}", at.date, MONTHS[at.month % 12], at.year),
    }
}

fn long(at: browser::Local) -> String {
    format!(
        "{} {} {} {} {:02}:{:02}:{:02}, your time",
        DAYS[at.weekday % 7],
        at.date,
        MONTHS[at.month % 12],
        at.year,
        at.hour,
        at.minute,
        at.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_short_as_they_can_be() {
        let at = |day, year| browser::Local {
            day,
            weekday: 4,
            year,
            month: 10,
            date: 19,
            hour: 16,
            minute: 2,
            second: 9,
        };
        let now = at(20_000, 2026);
        for (then, want) in [
            (at(20_000, 2026), "16:02"),
            (at(19_999, 2026), "Thu 16:02"),
            (at(19_990, 2026), "19 Nov 16:02"),
            (at(19_600, 2025), "19 Nov 2025"),
        ] {
            assert_eq!(short(then, now, false), want);
        }
        assert_eq!(utc(Timestamp(1_795_185_127_041), false), "20 Nov 14:32");
    }
}
