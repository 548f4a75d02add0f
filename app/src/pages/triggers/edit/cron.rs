//! A cron: its expression, what that means while one writes, what becomes of missed times.
//!
//! **Invariant:** the sentence and the times are those by which it would fire: worked out by the editor's module, or by the
//! server where that is not there.

use super::api::{EditView, preview_cron};
use super::fields::{Radios, Text};
use super::week::Week;
use crate::browser;
use crate::components::{Icon, IconSize};
use crate::editor::{Editor, State};
use crate::error::Error;
use domain::trigger::{CronPreview, CronQuestion, Together, Upcoming};
use leptos::prelude::*;

/// Milliseconds without a key before the server is asked to read the expression.
const PAUSE: u32 = 250;
/// Zones that are proposed; any of the IANA's list is taken.
const ZONES: [&str; 24] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Warsaw",
    "Europe/Kyiv",
    "Europe/Istanbul",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Toronto",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Asia/Dubai",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Africa/Johannesburg",
    "Pacific/Auckland",
];
/// What the five fields are.
const PARTS: [&str; 5] = ["minute", "hour", "day", "month", "weekday"];

/// What the fields mean, for all who show it.
#[derive(Clone, Copy)]
pub struct Reading(RwSignal<Option<Result<CronPreview, Error>>>);

/// The fields.
#[component]
pub fn Fields(first: EditView, editor: Editor) -> impl IntoView {
    let EditView {
        draft,
        id: trigger,
        preview,
        others,
        ..
    } = first;
    let (cron, zone) = (RwSignal::new(draft.cron.clone()), RwSignal::new(draft.zone.clone()));
    let reading = RwSignal::new(preview.map(Ok));
    provide_context(Reading(reading));
    let ask = Action::new(move |(cron, zone): &(String, String)| {
        preview_cron(cron.clone(), zone.clone(), trigger.map_or(0, |t| t.0))
    });
    let others = StoredValue::new(others);
    Effect::new(move || {
        if editor.state() == State::There {
            others.with_value(|others| editor.meet(others));
        }
    });
    Effect::new(move || {
        let asked = (cron.get(), zone.get());
        match editor.state() {
            State::Coming => {}
            State::There => {
                let what = CronQuestion {
                    cron: asked.0,
                    zone: Some(asked.1),
                    trigger_id: trigger,
                };
                if let Some(answer) = editor.cron(&what) {
                    reading.set(Some(answer));
                }
            }
            State::Missing => browser::after(PAUSE, move || {
                if (cron.get_untracked(), zone.get_untracked()) == asked {
                    ask.dispatch(asked);
                }
            }),
        }
    });
    Effect::new(move || {
        if let Some(answer) = ask.value().get() {
            reading.set(Some(answer));
        }
    });
    let parts = move || {
        let text = cron.get();
        let found: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let part = |(n, name): (usize, &'static str)| {
            let value = found.get(n).cloned().unwrap_or_else(|| "·".into());
            view! {
                <div class="text-center min-w-0">
                    <div class="font-mono text-[1.0625rem] leading-7 trunc">{value}</div>
                    <div class="text-micro text-ink-3">{name}</div>
                </div>
            }
        };
        PARTS.into_iter().enumerate().map(part).collect::<Vec<_>>()
    };
    let meaning = move || match reading.get() {
        Some(Ok(p)) => {
            let written = cron.get().to_uppercase();
            // A new trigger has no number yet, and that is what `H` is spread by.
            let open = trigger.is_none() && (written.contains('H') || written.starts_with('@'));
            let spread = (p.plain != written.split_whitespace().collect::<Vec<_>>().join(" ")).then(|| {
                let lead = if open {
                    " for example; settled when it is saved."
                } else {
                    " H stands for "
                };
                let plain = (!open).then(|| view! { <code>{p.plain.clone()}</code> });
                view! { <span class="text-ink-3 font-[440]">{lead} {plain}</span> }
            });
            view! {
                <p class="text-[1.0625rem] leading-6 font-[560] tracking-[-0.012em]" aria-live="polite">
                    {p.sentence} {spread}
                </p>
                {p.together.map(|t| meets(&t))}
            }
            .into_any()
        }
        Some(Err(e)) => {
            let told: Vec<_> = e
                .problems()
                .iter()
                .map(|p| {
                    let at = p.column.map(|c| format!("Column {c}: ")).unwrap_or_default();
                    let hint = p.hint.as_ref().map(|h| format!(" {h}")).unwrap_or_default();
                    view! { <p class="text-small text-failed">{at} {p.message.clone()} {hint}</p> }
                })
                .collect();
            view! { <div aria-live="polite">{told}</div> }.into_any()
        }
        None => ().into_any(),
    };
    let zones: Vec<_> = ZONES.map(|z| view! { <option value=z></option> }).into_iter().collect();
    view! {
        <div class="k k-cron grid gap-6">
            <section class="panel p-4 grid gap-3">
                <div class="grid grid-cols-[minmax(0,1fr)_minmax(0,200px)] max-md:grid-cols-1 gap-3">
                    <Text name="cron" label="Cron expression" value=draft.cron code=true typed=cron/>
                    <Text name="zone" label="Time zone" value=draft.zone list="zones" typed=zone/>
                </div>
                <datalist id="zones">{zones}</datalist>
                <div class="grid grid-cols-5 rounded-md border border-line-soft bg-base-200 py-2" aria-hidden="true">
                    {parts}
                </div>
                {meaning}
                <p class="text-small text-ink-3">
                    "Five fields. " <code>"H"</code> " lets the server choose a quiet moment, " <code>"L"</code>
                    " is a month's last day, " <code>"MON#2"</code> " its second Monday, " <code>"15W"</code>
                    " the weekday nearest to the 15th."
                </p>
            </section>
            <div class="grid grid-cols-2 max-md:grid-cols-1 gap-6">
                <Radios
                    name="missed"
                    label="When the server was down"
                    value=draft.missed
                    options=&[
                        ("once", "Run once", "one task for all that was missed"),
                        ("all", "Run all", "one task each, oldest first"),
                        ("skip", "Skip", "only note it"),
                    ]
                />
                <Radios
                    name="overlap"
                    label="When the last task still runs"
                    value=draft.overlap
                    options=&[
                        ("queue", "Wait", "start when it has ended"),
                        ("skip", "Skip", "only note it"),
                        ("cancel", "Abort the old one", "then start"),
                    ]
                />
            </div>
            <div class="grid grid-cols-3 max-md:grid-cols-1 gap-4">
                <Text name="most" label="Run all: at most" value=draft.most/>
                <Text name="from" label="Not before (UTC)" kind="datetime-local" value=draft.from/>
                <Text name="until" label="Not after (UTC)" kind="datetime-local" value=draft.until/>
            </div>
        </div>
    }
    .into_any()
}

/// That others fire at the same time.
fn meets(of: &Together) -> impl IntoView + use<> {
    let often = match of.times {
        0 | 1 => String::new(),
        10 => " So it is at each of the next ten times.".to_owned(),
        n => format!(" So it is at {n} of the next ten times."),
    };
    view! {
        <p class="flex gap-1.5 items-start text-small text-lost">
            <span class="pt-px">
                <Icon name="triangle-alert" size=IconSize::Small/>
            </span>
            <span class="wrap-anywhere">
                {of.words()} {often} <span class="text-ink-3">" " <code>"H"</code> " for the minute chooses a quieter one."</span>
            </span>
        </p>
    }
}

/// The next times, and a week of them.
#[component]
pub fn Beside() -> impl IntoView {
    let Reading(reading) = expect_context::<Reading>();
    let rows = move || match reading.get() {
        Some(Ok(p)) => p.next.into_iter().map(row).collect::<Vec<_>>().into_any(),
        _ => view! {
            <tr>
                <td class="text-ink-3" colspan="3">
                    "They appear when the expression can be read."
                </td>
            </tr>
        }
        .into_any(),
    };
    let week = move || reading.with(|r| r.as_ref()?.as_ref().ok().map(|p| p.week.clone()));
    view! {
        <section class="k k-cron" aria-labelledby="next-times">
            <div class="sect-head">
                <h2 id="next-times">"Next ten firings"</h2>
                <span class="aside">"clocks of the zone"</span>
            </div>
            <table class="data [&_td]:py-1.5!">
                <thead class="sr-only">
                    <tr>
                        <th scope="col">"When"</th>
                        <th scope="col">"Note"</th>
                        <th scope="col">"UTC"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {move || week().map(|hours| view! { <Week hours/> })}
        </section>
    }
    .into_any()
}

fn row(at: Upcoming) -> impl IntoView {
    let note = match at.jump.as_deref() {
        Some("forward") => Some("clocks jump forward over the time meant"),
        Some(_) => Some("clocks show this time twice; it fires once"),
        None => None,
    };
    view! {
        <tr>
            <td class="num text-start! font-[560]">{at.local}</td>
            <td class="text-small text-lost">
                {note
                    .map(|n| {
                        view! {
                            <span class="inl">
                                <Icon name="triangle-alert" size=IconSize::Small/>
                                {n}
                            </span>
                        }
                    })}
            </td>
            <td class="num text-ink-3 text-small">{at.at.to_words()}</td>
        </tr>
    }
}
