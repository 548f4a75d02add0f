//! A week of a schedule: a square for each hour, darker where it fires more often.
//!
//! **Invariant:** a square is filled when something fires in it in the next seven days; the picture is one sentence to those
//! who hear the page.

use domain::trigger::WeekHour;
use leptos::prelude::*;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Units from one square to the next, across and down.
const STEP: (u32, u32) = (16, 14);
/// Where squares begin: the names of the days stand before them, the hours above.
const FROM: (u32, u32) = (32, 16);

/// The week.
#[component]
pub fn Week(
    /// The hours in which it fires.
    hours: Vec<WeekHour>,
) -> impl IntoView {
    let label = sentence(&hours);
    let (width, height) = (FROM.0 + 24 * STEP.0, FROM.1 + 7 * STEP.1);
    let days: Vec<_> = (0..7)
        .zip(DAYS)
        .map(|(n, day)| {
            let y = FROM.1 + n * STEP.1 + 10;
            view! { <text class="f-ink-3" x="0" y=y font-size="10">{day}</text> }
        })
        .collect();
    let clock: Vec<_> = (0..24)
        .step_by(6)
        .map(|hour| {
            let x = FROM.0 + hour * STEP.0;
            view! { <text class="f-ink-3" x=x y="10" font-size="10">{format!("{hour:02}:00")}</text> }
        })
        .collect();
    let squares: Vec<_> = (0..7_u8)
        .flat_map(|day| (0..24_u8).map(move |hour| (day, hour)))
        .map(|(day, hour)| {
            let n = hours
                .iter()
                .find(|h| (h.day, h.hour) == (day, hour))
                .map_or(0, |h| h.firings);
            let (x, y) = (FROM.0 + u32::from(hour) * STEP.0, FROM.1 + u32::from(day) * STEP.1);
            let (class, opacity) = shade(n);
            view! { <rect class=class fill-opacity=opacity x=x y=y width=STEP.0 - 2 height=STEP.1 - 2 rx="2"></rect> }
        })
        .collect();
    view! {
        <figure class="pt-4">
            <figcaption class="text-small text-ink-2 pb-1.5">"The next seven days, by weekday and hour"</figcaption>
            <svg class="pic max-w-[480px]" width="100%" viewBox=format!("0 0 {width} {height}") role="img" aria-label=label>
                {clock}
                {days}
                {squares}
            </svg>
        </figure>
    }
    .into_any()
}

/// How a square is filled.
fn shade(firings: u32) -> (&'static str, &'static str) {
    match firings {
        0 => ("f-line", ".55"),
        1 => ("f-tawny", ".55"),
        2..=4 => ("f-tawny", ".75"),
        _ => ("f-tawny", "1"),
    }
}

fn sentence(hours: &[WeekHour]) -> String {
    let all = hours.iter().map(|h| h.firings).fold(0, u32::saturating_add);
    let on: Vec<&str> = (0..7_u8)
        .zip(DAYS)
        .filter(|(day, _)| hours.iter().any(|h| h.day == *day))
        .map(|(_, name)| name)
        .collect();
    match (all, on.len()) {
        (0, _) => "It does not fire in the next seven days.".into(),
        (1, _) => format!("It fires once in the next seven days, on {}.", on.join(", ")),
        (n, 7) => format!("It fires {n} times in the next seven days, on every day."),
        (n, _) => format!("It fires {n} times in the next seven days, on {}.", on.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_a_sentence() {
        let hour = |day, firings| WeekHour { day, hour: 2, firings };
        assert_eq!(sentence(&[]), "It does not fire in the next seven days.");
        assert_eq!(sentence(&[hour(6, 1)]), "It fires once in the next seven days, on Sun.");
        assert_eq!(
            sentence(&[hour(0, 3), hour(2, 1)]),
            "It fires 4 times in the next seven days, on Mon, Wed."
        );
        let daily: Vec<_> = (0..7).map(|day| hour(day, 1)).collect();
        assert_eq!(
            sentence(&daily),
            "It fires 7 times in the next seven days, on every day."
        );
    }
}
