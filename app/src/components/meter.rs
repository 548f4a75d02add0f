//! Small pictures of quantities: a bar of so much, squares of slots.
//!
//! **Invariant:** every picture has a sentence; lengths are SVG attributes.

use leptos::prelude::*;

/// A bar 64 px wide that says how full something is.
#[component]
pub fn Meter(
    /// What it measures, as `Disk`.
    label: &'static str,
    /// How full, 0 to 100.
    percent: u32,
) -> impl IntoView {
    let percent = percent.min(100);
    let fill = match percent {
        0..80 => "f-waiting",
        80..92 => "f-lost",
        _ => "f-failed",
    };
    view! {
        <span class="grid grid-cols-[34px_64px_34px] gap-2 items-center text-small leading-[18px]">
            <span class="text-ink-3">{label}</span>
            <svg class="pic" width="64" height="6" role="img" aria-label=format!("{label} {percent} %")>
                <rect class="f-line" width="64" height="6" rx="2"></rect>
                <rect class=fill width=64 * percent / 100 height="6" rx="2"></rect>
            </svg>
            <span class="num text-ink-2">{percent}" %"</span>
        </span>
    }
}

/// A square for each slot, filled when it is busy; at most 24 are drawn.
#[component]
pub fn SlotMarks(
    /// Busy slots.
    busy: i64,
    /// All slots.
    slots: i64,
) -> impl IntoView {
    let drawn = slots.max(busy).clamp(0, 24);
    let width = (drawn * 13).max(1);
    let marks: Vec<_> = (0..drawn)
        .map(|i| {
            if i < busy {
                view! { <rect class="f-running" x=i * 13 y="2" width="10" height="10" rx="2.5"></rect> }.into_any()
            } else {
                view! {
                    <rect
                        class="s-strong"
                        fill="none"
                        x=format!("{}.75", i * 13)
                        y="2.75"
                        width="8.5"
                        height="8.5"
                        rx="2"
                        stroke-width="1.25"
                    ></rect>
                }
                .into_any()
            }
        })
        .collect();
    view! {
        <svg
            class="pic"
            width=width
            height="14"
            viewBox=format!("0 0 {width} 14")
            role="img"
            aria-label=format!("{busy} of {slots} slots busy")
        >
            {marks}
        </svg>
    }
}
