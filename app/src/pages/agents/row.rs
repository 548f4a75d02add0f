//! One agent in the list.
//!
//! **Invariant:** its row can be linked to as `#agent-ID`.

use super::acts::{Shown, pause, resume};
use super::api::AgentsView;
use super::list::Acts;
use super::state::{look, why};
use crate::components::{Ago, ButtonKind, Elapsed, Icon, Meter, SlotMarks, Status};
use crate::memo::memo;
use domain::Timestamp;
use domain::agent::{AgentView, SlotView};
use domain::status::{Availability, ExecutorKind};
use leptos::prelude::*;

/// The row is made anew only when its acts change; what the agent tells changes inside it, so that an open menu stays.
pub(super) fn row(shown: Shown, data: Signal<AgentsView>, acts: Acts) -> AnyView {
    let id = shown.id;
    let agent = memo(move |last: Option<&Option<AgentView>>| {
        let found = data.with(|d| d.agents.iter().find(|a| a.id == id).cloned());
        found.or_else(|| last.cloned().flatten())
    });
    view! {
        <tr role="row" id=format!("agent-{id}")>
            {move || agent.get().map(|a| cells(a, data.with_untracked(|d| d.now)))}
            <td role="cell" class="c-cell text-end min-[900px]:w-6">{menu(shown, acts)}</td>
        </tr>
    }
    .into_any()
}

fn cells(a: AgentView, now: Timestamp) -> AnyView {
    let look = look(&a);
    let labels: Vec<_> = a
        .labels
        .iter()
        .map(|(k, v)| view! { <span class="chip chip-mono">{format!("{k}={v}")}</span> })
        .collect();
    let why = why(&a);
    let busy = i64::try_from(a.running.len()).unwrap_or(i64::MAX);
    let running: Vec<_> = a.running.iter().cloned().map(|s| slot(s, now)).collect();
    let idle = running
        .is_empty()
        .then(|| view! { <span class="text-ink-3">"nothing"</span> });
    view! {
            <td role="cell" class="c-main min-[1180px]:w-[17%]">
                <span class="t1">
                    <span class="text-ink-3 inline-flex">
                        <Icon name="server"/>
                    </span>
                    <a href=format!("/agents/{}", a.id)>{a.name.clone()}</a>
                </span>
                <span class="t2">{kind(&a)}</span>
            </td>
            <td role="cell" class="c-side min-[1180px]:w-[14%]">
                <Status look/>
                {why.map(|w| view! { <span class="t2 max-md:justify-end">{w}</span> })}
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
            <td role="cell" class="c-wide max-[899px]:pt-1! min-[1180px]:w-[15%]">{load(&a)}</td>
            <td role="cell" class="num c-cell text-ink-3 max-[899px]:text-start!" data-label="heard">
                {a.seen_at.map(|at| view! { <Ago at now/> })}
            </td>
    }
    .into_any()
}

/// Version and how it runs steps.
pub(super) fn kind(a: &AgentView) -> String {
    let how = match (&a.facts.engine, a.facts.executors.first()) {
        (Some(engine), _) => engine.clone(),
        (None, Some(ExecutorKind::Process)) if a.facts.landlock => "processes, confined".into(),
        (None, Some(ExecutorKind::Process)) => "processes".into(),
        (None, Some(e)) => e.to_string(),
        (None, None) => return a.facts.version.clone(),
    };
    let version = &a.facts.version;
    match version.as_str() {
        "" => how,
        v if v != env!("CARGO_PKG_VERSION") => format!("{v} (not the server's version), {how}"),
        v => format!("{v}, {how}"),
    }
}

pub(super) fn slot(s: SlotView, now: Timestamp) -> impl IntoView {
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

/// How busy cores, memory and disk are, as far as the agent says.
pub(super) fn load(a: &AgentView) -> impl IntoView + use<> {
    let f = &a.facts;
    let share = |part: u64, whole: u64| u32::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).unwrap_or(100);
    let free = a.load.map_or(f.disk_free, |l| l.disk_free);
    let cores = a.load.map(|l| {
        view! {
            <span title=format!("{} cores", f.cpus)>
                <Meter label="CPU" percent=l.cpu_percent/>
            </span>
        }
    });
    let memory = a.load.filter(|_| f.memory > 0).map(|l| {
        view! {
            <span title=format!("{} of {}", bytes(l.memory_used), bytes(f.memory))>
                <Meter label="Mem" percent=share(l.memory_used, f.memory)/>
            </span>
        }
    });
    let disk = (f.disk_total > 0).then(|| {
        view! {
            <span title=format!("{} free", bytes(free))>
                <Meter label="Disk" percent=share(f.disk_total.saturating_sub(free), f.disk_total)/>
            </span>
        }
    });
    view! { <span class="grid w-max">{cores} {memory} {disk}</span> }
}

pub(super) fn bytes(n: u64) -> String {
    const GIB: u64 = 1 << 30;
    if n >= GIB {
        format!("{} GB", (n + GIB / 2) / GIB)
    } else {
        format!("{} MB", n >> 20)
    }
}

fn menu(shown: Shown, acts: Acts) -> impl IntoView {
    move || {
        acts.may.get().then(|| match shown.availability {
            Availability::Active => pause(shown.clone(), acts.patch, true),
            _ => resume(shown.clone(), acts.patch, ButtonKind::Row),
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
