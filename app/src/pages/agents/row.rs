//! One agent in the list.
//!
//! **Invariant:** its row can be linked to as `#agent-ID`.

use super::list::Acts;
use super::state::look;
use crate::components::ActionForm;
use crate::components::{Ago, Elapsed, Icon, Menu, Meter, SlotMarks, Status};
use domain::Timestamp;
use domain::agent::{AgentView, Facts, SlotView};
use domain::status::{AgentStatus, Availability, ExecutorKind};
use leptos::prelude::*;

pub(super) fn row(a: AgentView, now: Timestamp, acts: Acts) -> AnyView {
    let look = look(&a);
    let labels: Vec<_> = a
        .labels
        .iter()
        .map(|(k, v)| view! { <span class="chip chip-mono">{format!("{k}={v}")}</span> })
        .collect();
    let note = a
        .note
        .clone()
        .filter(|_| a.availability != Availability::Active)
        .map(|n| format!("“{n}”"));
    let busy = i64::try_from(a.running.len()).unwrap_or(i64::MAX);
    let running: Vec<_> = a.running.iter().cloned().map(|s| slot(s, now)).collect();
    let idle = running
        .is_empty()
        .then(|| view! { <span class="text-ink-3">"nothing"</span> });
    view! {
        <tr role="row" id=format!("agent-{}", a.id)>
            <td role="cell" class="c-main min-[1180px]:w-[17%]">
                <span class="t1">
                    <span class="text-ink-3 inline-flex">
                        <Icon name="server"/>
                    </span>
                    {a.name.clone()}
                </span>
                <span class="t2">{kind(&a)}</span>
            </td>
            <td role="cell" class="c-side min-[1180px]:w-[14%]">
                <Status look/>
                {note.map(|n| view! { <span class="t2 max-md:justify-end">{n}</span> })}
            </td>
            <td role="cell" class="c-wide min-[900px]:w-[18%]">
                <span class="flex flex-wrap gap-1">{labels}</span>
            </td>
            <td role="cell" class="c-wide">
                <div class="flex items-center gap-2">
                    <SlotMarks busy slots=a.slots/>
                    <span class="num text-ink-2 text-small">{busy} " of " {a.slots}</span>
                </div>
                <div class="grid text-small mt-0.5">{running} {idle}</div>
            </td>
            <td role="cell" class="c-wide max-[899px]:pt-1! min-[1180px]:w-[15%]">{machine(&a.facts)}</td>
            <td role="cell" class="num c-cell text-ink-3 max-[899px]:text-start!" data-label="heard">
                {a.seen_at.map(|at| view! { <Ago at now/> })}
            </td>
            <td role="cell" class="c-cell text-end min-[900px]:w-6">{menu(&a, acts)}</td>
        </tr>
    }
    .into_any()
}

/// Version and how it runs steps.
fn kind(a: &AgentView) -> String {
    let how = match (&a.facts.engine, a.facts.executors.first()) {
        (Some(engine), _) => engine.clone(),
        (None, Some(ExecutorKind::Process)) if a.facts.landlock => "processes, confined".into(),
        (None, Some(ExecutorKind::Process)) => "processes".into(),
        (None, Some(e)) => e.to_string(),
        (None, None) => return a.facts.version.clone(),
    };
    if a.facts.version.is_empty() {
        how
    } else {
        format!("{}, {how}", a.facts.version)
    }
}

fn slot(s: SlotView, now: Timestamp) -> impl IntoView {
    view! {
        <span class="inl whitespace-nowrap">
            <a class="alink trunc" href=format!("/tasks/{}", s.task_id)>
                {s.plan} " #" {s.task_id.0}
            </a>
            <span class="text-ink-3 trunc">{s.job}</span>
            <span class="text-ink-3 ms-1">
                <Elapsed since=s.since now/>
            </span>
        </span>
    }
}

/// Cores, memory and how full the disk is, as far as the agent says.
fn machine(f: &Facts) -> impl IntoView {
    let size = (f.cpus > 0).then(|| format!("{} cores, {}", f.cpus, bytes(f.memory)));
    let disk = (f.disk_total > 0).then(|| {
        let used = f.disk_total.saturating_sub(f.disk_free);
        let percent = u32::try_from(u128::from(used) * 100 / u128::from(f.disk_total)).unwrap_or(100);
        let free = format!("{} free", bytes(f.disk_free));
        view! {
            <span title=free>
                <Meter label="Disk" percent/>
            </span>
        }
    });
    view! {
        <span class="block text-small text-ink-2">{size}</span>
        {disk}
    }
}

fn bytes(n: u64) -> String {
    const GIB: u64 = 1 << 30;
    if n >= GIB {
        format!("{} GB", (n + GIB / 2) / GIB)
    } else {
        format!("{} MB", n >> 20)
    }
}

fn menu(a: &AgentView, acts: Acts) -> impl IntoView {
    let (id, version, name) = (a.id, a.version, a.name.clone());
    let (active, away) = (a.availability == Availability::Active, a.status == AgentStatus::Offline);
    let hidden = move |availability: Availability| {
        view! {
            <input type="hidden" name="agent" value=id.0/>
            <input type="hidden" name="version" value=version/>
            <input type="hidden" name="availability" value=availability.as_str()/>
        }
    };
    let name = StoredValue::new(name);
    move || {
        let name = name.get_value();
        acts.may.get().then(|| {
            if active {
                let note = format!("pause-note-{id}");
                view! {
                    <Menu label=format!("Pause {name}") icon="ellipsis" body="pop-body p-3 w-72">
                        <ActionForm action=acts.patch attr:class="grid gap-3">
                            {hidden(Availability::Paused)}
                            <div class="field">
                                <label for=note.clone()>"Note, shown on every job that waits for it"</label>
                                <input id=note class="input input-sm" name="note" maxlength="200"/>
                            </div>
                            <p class="text-small text-ink-3">
                                {if away { "It takes no job when it comes back." } else { "What runs there goes on. It takes nothing new." }}
                            </p>
                            <button class="btn btn-sm btn-primary justify-center" type="submit">"Pause it"</button>
                        </ActionForm>
                    </Menu>
                }
                .into_any()
            } else {
                view! {
                    <ActionForm action=acts.patch>
                        {hidden(Availability::Active)}
                        <button class="btn btn-line btn-xs" type="submit" aria-label=format!("Resume {name}")>"Resume"</button>
                    </ActionForm>
                }
                .into_any()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_round() {
        for (n, want) in [(33_285_996_544, "31 GB"), (536_870_912, "512 MB"), (0, "0 MB")] {
            assert_eq!(super::bytes(n), want);
        }
    }
}
