//! What forges were told of a task: its state, to whom, when, or why it was not taken.
//!
//! **Invariant:** of each repository the newest stands in the line; a task of which nobody is told has none.

use super::api::TaskPage;
use crate::components::{Status, Time};
use crate::memo::memo;
use crate::pages::repositories::api::{TaskStatuses, statuses_of_task};
use crate::pages::repositories::{sending_look, told_words};
use crate::wire::Source;
use domain::forge::{Sending, SentStatus};
use leptos::prelude::*;
use std::collections::HashSet;

/// The lines; they follow the task's news.
#[component]
pub fn Told(data: Signal<TaskPage>) -> impl IntoView {
    // Without a commit there is nothing to tell of.
    let at = memo(move |_| data.with(|d| (d.task.id, d.task.revision.as_ref().map(|_| d.seq))));
    let told = Source::new(
        move || at.get(),
        |(task, commit)| async move {
            match commit {
                Some(_) => statuses_of_task(task).await,
                None => Ok(TaskStatuses { sent: Vec::new() }),
            }
        },
    );
    // What was there stays while it is read again; that it cannot be read hides nothing of the task.
    let shown = move |first: Option<Vec<SentStatus>>| {
        let last = memo(move |held: Option<&Vec<SentStatus>>| match told.get() {
            Some(Ok(now)) => newest(&now.sent),
            _ => held.cloned().or_else(|| first.clone()).unwrap_or_default(),
        });
        move || last.get().into_iter().map(line).collect::<Vec<_>>()
    };
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let first = told.wait().await.ok().map(|t| newest(&t.sent));
                shown(first)
            })}
        </Transition>
    }
}

/// Of each repository the newest.
fn newest(sent: &[SentStatus]) -> Vec<SentStatus> {
    let mut seen = HashSet::new();
    sent.iter().filter(|s| seen.insert(s.repository_id)).cloned().collect()
}

fn line(s: SentStatus) -> impl IntoView {
    let name = s
        .repository
        .unwrap_or_else(|| format!("repository {}", s.repository_id));
    let forge = s.provider.map_or("the forge", |p| p.name());
    let when = match (s.sending, s.next_at) {
        (Sending::Retrying, Some(next)) => view! { ", next try " <Time at=next seconds=true/> }.into_any(),
        _ => s.tried_at.map(|at| view! { ", " <Time at seconds=true/> }).into_any(),
    };
    let said = s
        .said
        .map(|said| view! { <span class="basis-full text-small wrap-anywhere">{said}</span> });
    view! {
        <p class="facts mt-2">
            <span class="flex-wrap!">
                <Status look=sending_look(s.sending)/>
                <span class="wrap-anywhere">
                    "Commit status " <b class="font-[560]">{told_words(s.state, &s.description)}</b> " to " {forge} ", "
                    <a class="alink" href=format!("/admin/repositories/{}", s.repository_id)>{name}</a>
                    {when}
                </span>
                {said}
            </span>
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::forge::State;
    use domain::{RepositoryId, TaskId};

    #[test]
    fn of_each_repository_the_newest_is_told() {
        let sent = |id, repository, sending| SentStatus {
            id,
            task_id: TaskId(1),
            repository_id: RepositoryId(repository),
            repository: None,
            provider: None,
            revision: String::new(),
            context: String::new(),
            state: State::Success,
            description: String::new(),
            sending,
            said: None,
            tries: 1,
            tried_at: None,
            next_at: None,
        };
        let all = [
            sent(4, 1, Sending::Taken),
            sent(3, 2, Sending::Refused),
            sent(2, 1, Sending::Superseded),
        ];
        let told: Vec<i64> = newest(&all).iter().map(|s| s.id).collect();
        assert_eq!(told, [4, 3]);
    }
}
