//! An empty page: what it is for, and the one next act.
//!
//! **Invariant:** it never only says that there is nothing.

use leptos::prelude::*;

const ROWS: [(u32, [u32; 2], [u32; 14]); 3] = [
    (0, [128, 76], [6, 13, 7, 14, 8, 15, 9, 16, 10, 17, 11, 18, 12, 6]),
    (44, [96, 104], [11, 18, 12, 6, 13, 7, 14, 8, 15, 9, 16, 10, 17, 11]),
    (88, [148, 60], [16, 10, 17, 11, 18, 12, 6, 13, 7, 14, 8, 15, 9, 16]),
];

/// A page or section with nothing on it yet.
#[component]
pub fn Blank(
    /// What is not there yet.
    #[prop(into)]
    title: String,
    /// What it is for and how the first one comes.
    #[prop(into)]
    sentence: String,
    /// Leaves out the picture of rows to come.
    #[prop(optional)]
    small: bool,
    /// The next act.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <section class=if small { "blank py-8!" } else { "blank" }>
            {(!small).then(ghost)}
            <h2 class="text-title! leading-7!">{title}</h2>
            <p>{sentence}</p>
            {children.map(|c| view! { <div class="flex flex-wrap justify-center gap-2 mt-2">{c()}</div> })}
        </section>
    }
    .into_any()
}

fn ghost() -> impl IntoView {
    let rows = ROWS.map(|(y, names, bars)| {
        let bars: Vec<_> = (0u32..)
            .zip(bars)
            .map(|(i, h)| {
                view! { <rect x=400 + i * 11 y=y + 30 - h width="8" height=h rx="1.5"></rect> }
            })
            .collect();
        view! {
            <rect x="0" y=y + 8 width="16" height="16" rx="8"></rect>
            <rect x="30" y=y + 6 width=names[0] height="9" rx="4"></rect>
            <rect x="30" y=y + 22 width=names[1] height="7" rx="3.5" opacity=".7"></rect>
            <rect x="236" y=y + 8 width="70" height="8" rx="4"></rect>
            {bars}
            <rect x="0" y=y + 42 width="560" height="1"></rect>
        }
    });
    view! {
        <div class="max-w-full overflow-hidden mb-4 opacity-90" aria-hidden="true">
            <svg class="pic ghost" width="560" height="132" viewBox="0 0 560 132">
                {rows.into_iter().collect::<Vec<_>>()}
            </svg>
        </div>
    }
}
