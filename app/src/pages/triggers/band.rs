//! The next 24 hours of schedules: a bar for each five minutes in which something fires, a line for what fires all day long.
//!
//! **Invariant:** only times that will come are drawn; the picture is one sentence to those who hear the page.

use super::view::{Band as Times, Busy};
use crate::components::Time;
use domain::Timestamp;
use leptos::prelude::*;

/// Units of the picture for a part of the day.
const STEP: u32 = 4;
const WIDTH: u32 = Times::SLOTS * STEP;
const HEIGHT: u32 = 40;
/// Lines of those that fire all day long; more would be a wall again.
const LINES: usize = 3;
/// Units from one line to the next.
const APART: u32 = 5;
/// Hours between two lines.
const HOURS: u32 = 3;

/// The band.
#[component]
pub fn Band(
    /// What will fire.
    of: Times,
    /// When the next one does.
    next: Option<AnyView>,
) -> impl IntoView {
    let most = of.marks.iter().map(|(_, n)| *n).max().unwrap_or(1);
    let bars: Vec<_> = of
        .marks
        .iter()
        .map(|(slot, n)| {
            let height = height(*n, most);
            view! { <rect class="f-tawny" x=slot * STEP y=HEIGHT - 2 - height width="4" height=height></rect> }
        })
        .collect();
    let often: Vec<_> = (0..)
        .zip(of.busy.iter().take(LINES))
        .flat_map(|(n, busy)| {
            busy.spans
                .iter()
                .map(move |(first, last)| {
                    let (x, width) = (first * STEP, (last - first + 1) * STEP);
                    view! { <rect class="f-tawny" fill-opacity=".5" x=x y=n * APART width=width height="2"></rect> }
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let lines: Vec<_> = (0..=24 / HOURS)
        .map(|i| {
            let x = i * HOURS * 12 * STEP;
            view! { <path class="s-line" d=format!("M{x} 0V{HEIGHT}") vector-effect="non-scaling-stroke"></path> }
        })
        .collect();
    let ticks: Vec<_> = (0..=24 / HOURS)
        .map(|i| {
            let class = match i {
                i if i % 4 == 0 => "",
                i if i % 2 == 0 => "max-sm:hidden",
                _ => "max-lg:hidden",
            };
            let at = of.from.plus(i64::from(i * HOURS) * 3_600_000);
            view! { <span class=class><Time at/></span> }
        })
        .collect();
    let firings = match (of.firings, of.busy.is_empty()) {
        (0, false) => String::new(),
        (1, _) => "1 firing. ".to_owned(),
        (n, _) => format!("{n} firings. "),
    };
    let told = told(&of.busy);
    let label = format!("Schedules in the next 24 hours: {firings}{told}");
    let together = of.together.map(|(at, names)| together(at, &names));
    view! {
        <section aria-labelledby="soon">
            <div class="flex flex-wrap items-baseline gap-x-4 gap-y-1 pb-2">
                <h2 id="soon">"Next 24 hours"</h2>
                <p class="text-small text-ink-2">{firings} {next} {together}</p>
            </div>
            <svg
                class="pic"
                width="100%"
                height=HEIGHT
                viewBox=format!("0 0 {WIDTH} {HEIGHT}")
                preserveAspectRatio="none"
                role="img"
                aria-label=label
            >
                {lines}
                {often}
                {bars}
                <path class="s-line" d=format!("M0 {}H{WIDTH}", HEIGHT - 1) vector-effect="non-scaling-stroke"></path>
            </svg>
            <div class="flex justify-between text-micro text-ink-3 num pt-1" aria-hidden="true">
                {ticks}
            </div>
            {busy(of.busy)}
        </section>
    }
    .into_any()
}

/// Those that fire all day long, as a sentence.
fn told(all: &[Busy]) -> String {
    all.iter()
        .map(|b| format!("{}: {}. ", b.name, small(&b.words)))
        .collect()
}

/// The same with links.
fn busy(all: Vec<Busy>) -> Option<AnyView> {
    let one = |b: Busy| {
        view! {
            <li class="inline-flex items-center gap-1.5 min-w-0">
                <svg class="pic" width="16" height="2" viewBox="0 0 16 2" aria-hidden="true">
                    <rect class="f-tawny" fill-opacity=".5" width="16" height="2"></rect>
                </svg>
                <a class="alink trunc" href=format!("/triggers/{}", b.id)>{b.name}</a>
                <span class="trunc">{small(&b.words)}</span>
            </li>
        }
    };
    (!all.is_empty()).then(|| {
        view! {
            <ul class="flex flex-wrap gap-x-5 gap-y-1 pt-2 text-small text-ink-2" aria-label="All day long">
                {all.into_iter().map(one).collect::<Vec<_>>()}
            </ul>
        }
        .into_any()
    })
}

/// Words that began a sentence, within one.
fn small(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string());
    format!("{}{}", first.unwrap_or_default(), chars.as_str())
}

/// How high a bar is: what is there can be seen, the busiest is the highest.
fn height(n: u32, most: u32) -> u32 {
    let above = u64::from(n.saturating_sub(1)) * 20 / u64::from(most.saturating_sub(1).max(1));
    14 + u32::try_from(above).unwrap_or(20).min(20)
}

/// That several fire at the same time.
fn together(at: Timestamp, names: &[String]) -> AnyView {
    let who = match names {
        [a, b] => format!("{a} and {b} fire"),
        [a, b, c] => format!("{a}, {b} and {c} fire"),
        [a, b, rest @ ..] => format!("{a}, {b} and {} more fire", rest.len()),
        [] | [_] => return ().into_any(),
    };
    view! { {who} " together at " <Time at/> "." }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::TriggerId;

    #[test]
    fn what_fires_all_day_long_is_said() {
        let busy = Busy {
            id: TriggerId(1),
            name: "heartbeat".into(),
            words: "Every minute".into(),
            spans: vec![(0, 287)],
        };
        assert_eq!(told(&[busy]), "heartbeat: every minute. ");
    }

    #[test]
    fn bars_are_as_high_as_there_is_much() {
        assert_eq!(
            [height(1, 1), height(1, 9), height(5, 9), height(9, 9)],
            [14, 14, 24, 34]
        );
        assert_eq!(height(u32::MAX, u32::MAX), 34);
    }
}
