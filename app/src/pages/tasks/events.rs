//! What happened to a task, one line each.
//!
//! **Invariant:** events are shown in the order of their numbers, with words for every kind, known or not.

use super::api::{TabData, TaskPage};
use super::select;
use super::show::tab_data;
use crate::components::{Blank, Time};
use domain::event::Event;
use domain::task::TaskView;
use leptos::prelude::*;

/// The list of events.
#[component]
pub fn EventsTab(data: Signal<TaskPage>) -> impl IntoView {
    let events = tab_data(data, |t| match t {
        TabData::Events(e) => Some(e.clone()),
        _ => None,
    });
    move || {
        events.get().map(|events| {
            if events.is_empty() {
                return view! { <Blank small=true title="Nothing yet" sentence="What happens to this task is listed here, with its time."/> }.into_any();
            }
            let rows: Vec<_> = data.with(|d| events.into_iter().map(|e| row(&d.task, e)).collect());
            view! { <ol class="rows mt-3">{rows}</ol> }.into_any()
        })
    }
}

fn row(task: &TaskView, e: Event) -> impl IntoView + use<> {
    let what = words(task, &e);
    view! {
        <li>
            <span class="num text-ink-3 w-24 shrink-0"><Time at=e.at seconds=true/></span>
            <span>{what}</span>
            <span class="ms-auto text-ink-3 mono text-small desk">{e.kind}</span>
        </li>
    }
}

/// A sentence for an event.
fn words(task: &TaskView, e: &Event) -> String {
    let subject = match e.subject.as_str() {
        "job" => task
            .jobs
            .iter()
            .find(|j| j.id.0 == e.subject_id)
            .map(|j| j.name.clone()),
        "step" => select::find(task, domain::StepId(e.subject_id)).map(|(j, s)| {
            if task.jobs.len() > 1 {
                format!("{} in {}", s.name, j.name)
            } else {
                s.name.clone()
            }
        }),
        _ => None,
    };
    let text = |k: &str| {
        e.body
            .get(k)
            .and_then(|v| v.as_str())
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
    };
    let told = match e.kind.as_str() {
        "repository.told" => Some("The forge took the commit's status".to_owned()),
        "repository.unreached" => Some("The forge could not be told the commit's status; it is tried again".to_owned()),
        "repository.refused" => Some("The forge was not told the commit's status".to_owned()),
        _ => None,
    };
    let verb = e
        .kind
        .split_once('.')
        .map_or(e.kind.as_str(), |(_, v)| v)
        .replace('_', " ");
    let mut out = match (
        &told.or(subject.map(|name| format!("{name} {verb}"))),
        e.subject.as_str(),
    ) {
        (Some(words), _) => words.clone(),
        (None, "task") => format!("Task {verb}"),
        (None, other) => format!("{other} {} {verb}", e.subject_id),
    };
    for (key, before) in [("status", ": "), ("outcome", ": "), ("agent", " on "), ("reason", ". ")] {
        if let Some(v) = text(key).filter(|v| !out.ends_with(v.as_str())) {
            out.push_str(before);
            out.push_str(&v.replace('_', " "));
        }
    }
    if let Some(who) = &e.actor {
        out.push_str(&format!(" by {who}"));
    }
    let mut c = out.chars();
    c.next()
        .map(|f| f.to_uppercase().chain(c).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::select::tests::{step, task};
    use super::*;
    use domain::Timestamp;
    use domain::status::{JobStatus, StepStatus, TaskStatus};

    #[test]
    fn events_read_as_sentences() {
        let t = task(
            TaskStatus::Running,
            vec![(JobStatus::Running, vec![step(7, StepStatus::Passed)])],
        );
        let event = |kind: &str, subject: &str, id, body: serde_json::Value, actor: Option<&str>| Event {
            seq: 1,
            at: Timestamp(0),
            kind: kind.into(),
            subject: subject.into(),
            subject_id: id,
            task_id: Some(t.id),
            actor: actor.map(Into::into),
            body,
        };
        for (e, want) in [
            (
                event("task.created", "task", 1, serde_json::json!({}), Some("ana")),
                "Task created by ana",
            ),
            (
                event("job.assigned", "job", 0, serde_json::json!({"agent": "kiln-1"}), None),
                "J0 assigned on kiln-1",
            ),
            (
                event(
                    "step.finished",
                    "step",
                    7,
                    serde_json::json!({"status": "timed_out"}),
                    None,
                ),
                "S7 finished: timed out",
            ),
            (
                event("odd.thing_done", "odd", 9, serde_json::Value::Null, None),
                "Odd 9 thing done",
            ),
        ] {
            assert_eq!(words(&t, &e), want);
        }
    }
}
