//! What a trigger did on each of the last 30 days, as bars: green for tasks, red for what went wrong, grey for nothing.
//!
//! **Invariant:** the newest day stands at the right; the picture is one sentence to those who hear the page.

use domain::Timestamp;
use domain::trigger::Day;
use leptos::prelude::*;

const HEIGHT: u32 = 18;
/// Pixels of a day.
const STEP: usize = 5;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The strip.
#[component]
pub fn Strip(
    /// Oldest first.
    days: Vec<Day>,
) -> impl IntoView {
    let most = days.iter().map(all).max().unwrap_or(0);
    let label = sentence(&days);
    let width = days.len() * STEP;
    let bars: Vec<_> = days
        .into_iter()
        .enumerate()
        .map(|(i, day)| bar(i * STEP, &day, most))
        .collect();
    view! {
        <svg class="pic" width=width height=HEIGHT viewBox=format!("0 0 {width} {HEIGHT}") role="img" aria-label=label>
            {bars}
        </svg>
    }
    .into_any()
}

fn all(day: &Day) -> u32 {
    day.good.saturating_add(day.bad).saturating_add(day.nothing)
}

/// The heights of what passed, what did not and what started nothing: of the busiest day 16 together, of any other by its
/// share; what there was can be seen.
fn heights(day: &Day, most: u32) -> [u32; 3] {
    let whole = u64::from(most.max(1));
    [day.good, day.bad, day.nothing].map(|n| match n {
        0 => 0,
        n => u32::try_from(u64::from(n) * 14 / whole).unwrap_or(14).clamp(2, 14),
    })
}

fn bar(x: usize, day: &Day, most: u32) -> AnyView {
    if all(day) == 0 {
        return view! { <rect class="f-line" x=x y="16.5" width="3.5" height="1.5" rx=".75"></rect> }.into_any();
    }
    let mut y = HEIGHT;
    let parts: Vec<_> = heights(day, most)
        .into_iter()
        .zip(["f-passed", "f-failed", "f-waiting"])
        .filter(|(height, _)| *height > 0)
        .map(|(height, class)| {
            y = y.saturating_sub(height);
            view! { <rect class=class x=x y=y width="3.5" height=height rx=".75"></rect> }
        })
        .collect();
    let c = Timestamp(day.day * 86_400_000).civil();
    let month = MONTHS[(c.month as usize + 11) % 12];
    view! {
        <g>
            <title>{format!("{} {month}: {}", c.day, told(day))}</title>
            {parts}
        </g>
    }
    .into_any()
}

fn told(day: &Day) -> String {
    let parts = [
        (day.good, "passed or under way"),
        (day.bad, "did not pass"),
        (day.nothing, "started nothing"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    parts.join(", ")
}

fn sentence(days: &[Day]) -> String {
    let sum = |of: fn(&Day) -> u32| days.iter().map(of).fold(0, u32::saturating_add);
    let whole = Day {
        day: 0,
        good: sum(|d| d.good),
        bad: sum(|d| d.bad),
        nothing: sum(|d| d.nothing),
    };
    if all(&whole) == 0 {
        return "It did not fire in the last 30 days".into();
    }
    format!("The last 30 days: {}", told(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn day(good: u32, bad: u32, nothing: u32) -> Day {
        Day {
            day: 20_000,
            good,
            bad,
            nothing,
        }
    }

    #[test]
    fn what_there_was_can_be_seen_and_nothing_leaves_the_picture() {
        for (d, most) in [
            (day(1, 0, 0), 1_000_000),
            (day(u32::MAX, 1, 1), u32::MAX),
            (day(3, 3, 3), 9),
            (day(0, 0, 0), 0),
        ] {
            let heights = heights(&d, most);
            for (height, n) in heights.into_iter().zip([d.good, d.bad, d.nothing]) {
                assert_eq!(height > 0, n > 0);
            }
            assert!(heights.iter().sum::<u32>() <= HEIGHT, "{heights:?}");
        }
    }

    #[test]
    fn the_strip_is_a_sentence() {
        assert_eq!(sentence(&[day(0, 0, 0)]), "It did not fire in the last 30 days");
        assert_eq!(
            sentence(&[day(2, 1, 0), day(1, 0, 4)]),
            "The last 30 days: 3 passed or under way, 1 did not pass, 4 started nothing"
        );
    }
}
