//! Durations: fixed ones, and those that still run and tick with the page.
//!
//! **Invariant:** a running duration starts from the server's `now`, so a wrong clock in the browser never shows.

use crate::browser;
use crate::memo::memo;
use domain::Timestamp;
use domain::time::human_duration;
use leptos::prelude::*;

/// The page's heartbeat: the browser's clock in milliseconds, moved once a second; 0 until a script runs.
#[derive(Debug, Clone, Copy)]
pub struct Clock(RwSignal<i64>);

impl Clock {
    /// Runs the effect or memo that calls it again at each beat.
    pub fn track(self) {
        self.0.track();
    }
}

/// Starts the heartbeat for everything below.
pub fn provide_clock() {
    let clock = Clock(RwSignal::new(0));
    provide_context(clock);
    Effect::new(move || {
        clock.0.set(browser::now());
        browser::every(1_000, move || clock.0.set(browser::now()));
    });
}

/// Milliseconds since this was rendered, by the heartbeat.
fn since_render() -> Signal<i64> {
    let clock = use_context::<Clock>();
    let base = browser::now();
    Signal::derive(move || clock.map_or(0, |c| (c.0.get() - base).max(0)))
}

/// A duration that is over.
#[component]
pub fn Took(
    /// Milliseconds.
    ms: i64,
) -> impl IntoView {
    view! { <span class="num">{human_duration(ms)}</span> }
}

/// A duration that goes on.
#[component]
pub fn Elapsed(
    /// When it began.
    since: Timestamp,
    /// The server's time when the page was read.
    now: Timestamp,
) -> impl IntoView {
    let more = since_render();
    let text = memo(move |_| human_duration(now.since(since) + more.get()));
    view! { <span class="num">{text}</span> }
}

/// How long ago something was: `just now`, `3 min ago`.
#[component]
pub fn Ago(
    /// When it was.
    at: Timestamp,
    /// The server's time when the page was read.
    now: Timestamp,
) -> impl IntoView {
    let more = since_render();
    let text = memo(move |_| ago(now.since(at) + more.get()));
    view! { <time datetime=at.to_string() class="whitespace-nowrap">{text}</time> }
}

fn ago(ms: i64) -> String {
    match ms / 1_000 {
        ..=9 => "just now".into(),
        s @ 10..60 => format!("{s} s ago"),
        s @ 60..3_600 => format!("{} min ago", s / 60),
        s @ 3_600..172_800 => format!("{} h ago", s / 3_600),
        s => format!("{} days ago", s / 86_400),
    }
}

/// How long until something is: `in 3 min`, `due now`.
#[component]
pub fn Until(
    /// When it is.
    at: Timestamp,
    /// The server's time when the page was read.
    now: Timestamp,
) -> impl IntoView {
    let more = since_render();
    let text = memo(move |_| until(at.since(now) - more.get()));
    view! { <time datetime=at.to_string() class="whitespace-nowrap">{text}</time> }
}

fn until(ms: i64) -> String {
    match ms.saturating_add(999) / 1_000 {
        ..=0 => "due now".into(),
        s @ 1..60 => format!("in {s} s"),
        s @ 60..3_600 => format!("in {} min", s / 60),
        s @ 3_600..172_800 if s % 3_600 < 60 => format!("in {} h", s / 3_600),
        s @ 3_600..172_800 => format!("in {} h {} min", s / 3_600, s % 3_600 / 60),
        s => format!("in {} days", s / 86_400),
    }
}

/// Elapsed beside the usual duration, and a bar with a mark where it usually ends.
#[component]
pub fn UsualBar(
    /// When it began.
    since: Timestamp,
    /// The server's time when the page was read.
    now: Timestamp,
    /// Usual duration in milliseconds, when known.
    usual: Option<i64>,
) -> impl IntoView {
    let more = since_render();
    let elapsed = memo(move |_| (now.since(since) + more.get()).max(0));
    let Some(usual) = usual.filter(|u| *u > 0) else {
        return view! { <span class="num">{move || human_duration(elapsed.get())}</span> }.into_any();
    };
    // The bar shows 112 % of the longer of the two, so that the mark never stands at the very end.
    let share = move |ms: i64| {
        let whole = (elapsed.get().max(usual) * 112 / 100).max(1);
        format!("{}.{}%", ms * 100 / whole, ms * 1_000 / whole % 10)
    };
    let over = memo(move |_| elapsed.get() > usual);
    let about = human_duration(usual);
    let label = format!("usually {about}");
    view! {
        <div class="flex items-baseline gap-1 mb-0.5 whitespace-nowrap">
            <span class=move || if over.get() { "num st st-lost" } else { "num" }>
                {move || human_duration(elapsed.get())}
            </span>
            <span class="text-ink-3 text-small num">"of about "{about}</span>
        </div>
        <svg class="pic" width="100%" height="10" role="img" aria-label=label>
            <rect class="f-line" x="0" y="3" width="100%" height="4" rx="2"></rect>
            <rect class="f-over" x="0" y="3" width=move || if over.get() { share(elapsed.get()) } else { "0%".into() } height="4" rx="2"></rect>
            <rect class="f-running" x="0" y="3" width=move || share(elapsed.get().min(usual)) height="4" rx="2"></rect>
            <rect class="f-ink" fill="currentColor" x=move || share(usual) y="0" width="1.5" height="10"></rect>
        </svg>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_counts_down_to_now() {
        for (ms, want) in [
            (-60_000, "due now"),
            (0, "due now"),
            (1, "in 1 s"),
            (59_001, "in 1 min"),
            (180_000, "in 3 min"),
            (43_080_000, "in 11 h 58 min"),
            (7_200_000, "in 2 h"),
            (259_200_000, "in 3 days"),
            (i64::MAX, "in 106751991167 days"),
        ] {
            assert_eq!(until(ms), want);
        }
    }

    #[test]
    fn ago_reads_as_people_say_it() {
        for (ms, want) in [
            (-500, "just now"),
            (9_999, "just now"),
            (42_000, "42 s ago"),
            (180_000, "3 min ago"),
            (7_200_000, "2 h ago"),
            (259_200_000, "3 days ago"),
        ] {
            assert_eq!(ago(ms), want);
        }
    }
}
