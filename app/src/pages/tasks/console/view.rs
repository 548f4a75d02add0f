//! The console as the page shows it: head, lines, what comes before and after them.
//!
//! **Invariant:** without a script the last lines are there and earlier ones are a link away.

use super::head::{EndButton, Head};
use super::row::{grouped, row};
use super::screen::{self, Screen};
use super::{Life, Pill, Places, Wires};
use crate::components::{Icon, Look, StatusIcon, Time};
use crate::memo::memo;
use crate::pages::tasks::api::{FIRST_PAINT, Shown, TaskPage};
use crate::pages::tasks::wish::step_address;
use crate::pages::tasks::{failure, select};
use domain::StepId;
use domain::console::view::Line;
use domain::status::StepStatus;
use domain::task::StepView;
use domain::time::human_duration;
use leptos::prelude::*;

/// The console of a step.
#[component]
pub fn Console(
    /// The page's data.
    data: Signal<TaskPage>,
    /// Whose console.
    step: StepId,
    /// The first line wanted, when it is not the end.
    from: Option<i64>,
    /// What the server read of it.
    shown: Option<Shown>,
) -> impl IntoView {
    let this = memo(move |_| data.with(|d| select::find(&d.task, step).map(|(_, s)| s.clone())));
    let (task, job, attempt, several) = data.with_untracked(|d| {
        let job = select::find(&d.task, step).map(|(j, _)| j);
        let several = d.task.jobs.len() > 1;
        (
            d.task.id,
            job.map(|j| j.name.clone()),
            job.map(|j| j.attempt_id),
            several,
        )
    });
    let ended_task = memo(move |_| data.with(|d| d.task.status.ended()));
    let life = memo(move |_| match this.with(|s| s.as_ref().map(|s| s.status)) {
        Some(StepStatus::Running | StepStatus::Finalizing) if !ended_task.get() => Life::Running,
        Some(StepStatus::Pending) if !ended_task.get() => Life::Waiting,
        _ => Life::Ended,
    });
    let first = shown.as_ref().map_or(0, |s| s.lines.total);
    let wires = Wires {
        step,
        attempt: attempt.unwrap_or(domain::AttemptId(0)),
        life,
        wrap: RwSignal::new(false),
        total: RwSignal::new(first),
        pill: RwSignal::new(Pill::None),
        marked: RwSignal::new(None),
        trouble: RwSignal::new(None),
    };
    let (times, ready) = (RwSignal::new(true), RwSignal::new(false));
    let places = Places::default();
    let held = screen::hold();
    let with = move |f: fn(&Screen)| held.with_value(|s| s.iter().for_each(f));
    let rendered = shown.clone();
    Effect::new(move |begun: Option<bool>| {
        life.track();
        if begun.is_none() {
            ready.set(true);
            held.set_value(Screen::take_over(places, wires, shown.clone(), from));
        } else {
            with(Screen::lived);
        }
        true
    });
    Effect::new(move |_| {
        wires.wrap.track();
        times.track();
        wires.marked.track();
        with(Screen::changed);
    });
    let click = move |ev| {
        if let Some(n) = screen::line_of(&ev) {
            held.with_value(|s| s.iter().for_each(|s| s.point(n)));
            screen::address_line(&step_address(task, step, None), n);
        }
    };
    let job_name = job.clone().filter(|_| several);
    let label = format!(
        "Console of {}",
        this.with_untracked(|s| s.as_ref().map(|s| s.name.clone()).unwrap_or_default())
    );
    view! {
        <section class="console" class:con-notime=move || !times.get() class:con-wrap=move || wires.wrap.get() aria-label=label>
            <Head task job=job_name step=this wires times ready/>
            <div
                class="con-body"
                role="log"
                aria-live="off"
                tabindex="0"
                aria-label="Output"
                node_ref=places.body
                on:scroll=move |_| with(Screen::scrolled)
                on:click=click
            >
                <div class="con-inner">
                    <div node_ref=places.above></div>
                    {move || (!ready.get()).then(|| earlier(task, step, rendered_first(&rendered)))}
                    <div class="lines" node_ref=places.lines>
                        {data_rows(data, step, from)}
                    </div>
                    <div node_ref=places.below></div>
                    {move || (!ready.get()).then(|| later(task, step, data))}
                    {move || wires.trouble.get().map(|t| view! { <p class="con-end st-lost" role="status"><Icon name="triangle-alert"/><span>{t}</span></p> })}
                    {move || view! { <End step=this.get() life=life.get() empty=wires.total.get() == 0/> }}
                </div>
            </div>
            <EndButton pill=wires.pill to_end=move || with(Screen::to_end)/>
        </section>
    }
}

/// The rows as the server renders them; the screen replaces them all at once.
fn data_rows(data: Signal<TaskPage>, step: StepId, from: Option<i64>) -> Vec<AnyView> {
    data.with_untracked(|d| {
        d.shown
            .iter()
            .filter(|s| d.step == Some(step) && s.tail == from.is_none() && !failure::is_blank(s))
            .flat_map(|s| s.lines.items.iter().cloned().map(|l| row(l).into_any()))
            .collect()
    })
}

fn rendered_first(shown: &Option<Shown>) -> i64 {
    let n = |l: &Line| match l {
        Line::Text { n, .. } => Some(*n),
        Line::Gap { .. } => None,
    };
    shown
        .as_ref()
        .and_then(|s| s.lines.items.iter().find_map(n))
        .unwrap_or(1)
}

/// The way to earlier lines without a script.
fn earlier(task: domain::TaskId, step: StepId, first: i64) -> Option<impl IntoView> {
    (first > 1).then(|| {
        let from = (first - i64::from(FIRST_PAINT)).max(1);
        view! {
            <p class="con-more">
                <a class="alink" href=step_address(task, step, Some(from))>
                    {format!("{} earlier lines", grouped(first - 1))}
                </a>
            </p>
        }
    })
}

/// The way to later lines without a script.
fn later(task: domain::TaskId, step: StepId, data: Signal<TaskPage>) -> Option<impl IntoView> {
    let (last, total) = data.with_untracked(|d| {
        let shown = d.shown.as_ref().filter(|s| !s.tail)?;
        let last = shown.lines.items.iter().rev().find_map(|l| match l {
            Line::Text { n, .. } => Some(*n),
            Line::Gap { .. } => None,
        })?;
        Some((last, shown.lines.total))
    })?;
    (last < total).then(|| {
        view! {
            <p class="con-more">
                <a class="alink" href=step_address(task, step, Some(last + 1))>
                    {format!("{} later lines", grouped(total - last))}
                </a>
                " "
                <a class="alink" href=step_address(task, step, None)>
                    "The end"
                </a>
            </p>
        }
    })
}

/// What stands behind the last line: how the step ended, or why there is nothing.
#[component]
fn End(step: Option<StepView>, life: Life, empty: bool) -> impl IntoView {
    let Some(s) = step else { return ().into_any() };
    match life {
        Life::Waiting => view! { <p class="con-end text-ink-3">"This step has not begun."</p> }.into_any(),
        Life::Running => view! {
            <p class="con-end">
                <span class="caret" aria-hidden="true"></span>
                {empty.then_some("It runs; nothing has been written yet.")}
            </p>
        }
        .into_any(),
        Life::Ended => {
            let after = s
                .started_at
                .zip(s.finished_at)
                .map(|(from, to)| human_duration(to.since(from)));
            let how = ending(&s);
            let error = s.error.clone().filter(|e| !e.is_empty());
            view! {
                <p class="con-end">
                    <StatusIcon look=Look::from(s.status)/>
                    <span>
                        {s.finished_at.map(|at| view! { "Ended " <Time at seconds=true/> " " })}
                        {how}
                        {after.map(|a| format!(" after {a}"))}
                        "."
                    </span>
                    {error.map(|e| view! { <span class="text-ink-2">{e}</span> })}
                    {empty.then(|| view! { <span class="text-ink-3">"It wrote nothing."</span> })}
                </p>
            }
            .into_any()
        }
    }
}

/// As in `with exit code 101`.
fn ending(s: &StepView) -> String {
    match (s.status, s.exit_code, s.signal) {
        (StepStatus::Skipped, ..) => "without running: it was skipped".into(),
        (StepStatus::Pending, ..) => "without running".into(),
        (StepStatus::Aborted, ..) => "by an abort".into(),
        (StepStatus::TimedOut, ..) => "because its time was over".into(),
        (StepStatus::Lost, ..) => "with its agent or engine: it was lost".into(),
        (_, Some(code), _) => format!("with exit code {code}"),
        (_, _, Some(signal)) => format!("by signal {signal}"),
        _ => "before it could run".into(),
    }
}
