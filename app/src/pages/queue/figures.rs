//! The figures above the queue, and the one sentence that sums them up.
//!
//! **Invariant:** every figure is counted by the server, none is derived from the rows that happen to be shown.

use crate::components::SlotMarks;
use domain::queue::QueueFigures;
use leptos::prelude::*;

/// The strip of figures.
#[component]
pub fn Figures(figures: Memo<QueueFigures>) -> impl IntoView {
    let f = move || figures.get();
    view! {
        <section aria-label="Now">
            <dl class="figs figs-4">
                <div class="fig">
                    <dt>"Slots busy"</dt>
                    <dd>
                        <span class="big">{move || f().busy} " " <small>{move || of_slots(f())}</small></span>
                        <span class="sub block mt-1">
                            {move || view! { <SlotMarks busy=f().busy slots=f().slots/> }}
                        </span>
                    </dd>
                </div>
                <div class="fig">
                    <dt>"Waiting"</dt>
                    <dd>
                        <span class="big">{move || f().waiting}</span>
                        <span class="sub block">
                            {move || match f().waiting {
                                0 => "every job has its slot",
                                1 => "job, with its reason below",
                                _ => "jobs, each with its reason below",
                            }}
                        </span>
                    </dd>
                </div>
                <div class="fig">
                    <dt>"Blocked"</dt>
                    <dd>
                        <span class=move || {
                            if f().blocked > 0 { "big st st-lost font-[580]" } else { "big" }
                        }>{move || f().blocked}</span>
                        <span class="sub block">
                            {move || match f().blocked {
                                0 => "nothing needs a person",
                                1 => "needs a person: an agent, a pause",
                                _ => "need a person: an agent, a pause",
                            }}
                        </span>
                    </dd>
                </div>
                <div class="fig">
                    <dt>"Agents online"</dt>
                    <dd>
                        <span class="big">{move || f().online} " " <small>"of " {move || f().agents}</small></span>
                        <span class="sub block">
                            <a class="alink" href="/agents">{move || away(f())}</a>
                        </span>
                    </dd>
                </div>
            </dl>
        </section>
    }
    .into_any()
}

/// What stands beside the busy slots: jobs on a paused agent go on, though it offers no slot.
fn of_slots(f: QueueFigures) -> String {
    if f.busy > f.slots {
        format!("busy, {} open", f.slots)
    } else {
        format!("of {}", f.slots)
    }
}

fn away(f: QueueFigures) -> String {
    match (f.agents, f.agents - f.online) {
        (0, _) => "none has called yet".into(),
        (_, ..=0) => "all are heard".into(),
        (_, n) => format!("{n} not heard"),
    }
}

/// The sentence beside the heading.
pub(super) fn lead(f: QueueFigures) -> String {
    let slots = |n: i64| if n == 1 { "slot" } else { "slots" };
    match f {
        QueueFigures { online: 0, .. } => "No agent is online: nothing can start.".into(),
        QueueFigures { slots: 0, .. } => "Every agent is paused: nothing can start.".into(),
        QueueFigures { busy: 0, slots: 1, .. } => "The slot is free.".into(),
        QueueFigures { busy: 0, slots: n, .. } => format!("All {n} slots are free."),
        QueueFigures { busy, slots: 1, .. } if busy >= 1 => "The slot is busy.".into(),
        QueueFigures { busy, slots: n, .. } if busy >= n => format!("All {n} slots are busy."),
        QueueFigures { busy, slots: n, .. } => format!("{busy} of {n} {} busy.", slots(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_is_so() {
        let f = |busy, slots, online| QueueFigures {
            busy,
            slots,
            online,
            agents: 2,
            ..QueueFigures::default()
        };
        for (figures, want) in [
            (f(0, 0, 0), "No agent is online: nothing can start."),
            (f(0, 0, 2), "Every agent is paused: nothing can start."),
            (f(0, 5, 2), "All 5 slots are free."),
            (f(2, 5, 2), "2 of 5 slots busy."),
            (f(5, 5, 2), "All 5 slots are busy."),
            (f(6, 5, 2), "All 5 slots are busy."),
            (f(1, 1, 1), "The slot is busy."),
        ] {
            assert_eq!(lead(figures), want);
        }
    }
}
