//! Statuses of commits that a forge was told, or is to be told.
//!
//! **Invariant:** what was refused says why; what is tried again says when.

use crate::components::{Blank, Look, Status, Time};
use domain::forge::{Sending, SentStatus, State};
use leptos::prelude::*;

/// How the sending of a status looks.
pub fn sending_look(sending: Sending) -> Look {
    let (word, icon, class) = match sending {
        Sending::Waiting => ("waits", "hourglass", "st st-waiting"),
        Sending::Retrying => ("tried again", "rotate-cw", "st st-lost"),
        Sending::Taken => ("taken", "circle-check", "st st-passed"),
        Sending::Refused => ("refused", "circle-x", "st st-failed"),
        Sending::Superseded => ("superseded", "circle-minus", "st st-skipped"),
    };
    Look {
        word,
        icon,
        class,
        fill: "f-waiting",
        turns: false,
    }
}

/// What the forge was told: `success, Passed after 4 s`.
pub fn told_words(state: State, description: &str) -> String {
    match description.is_empty() {
        true => state.as_str().to_owned(),
        false => format!("{}: {description}", state.as_str()),
    }
}

/// The section of one repository.
#[component]
pub fn Statuses(
    /// What was sent, newest first.
    sent: Vec<SentStatus>,
    /// Whether its forge can be told anything: which it is, and a secret.
    able: bool,
) -> impl IntoView {
    let none = sent.is_empty().then(|| {
        let sentence = match able {
            true => "Each task of a plan whose source this is tells the forge how its commit fares. None has yet.",
            false => {
                "With a forge and a secret that is a token, each task of a plan whose source this is tells the forge how its commit fares."
            }
        };
        view! { <Blank small=true title="Its forge was told nothing yet" sentence/> }
    });
    let rows: Vec<_> = sent.into_iter().map(row).collect();
    let table = (!rows.is_empty()).then(|| {
        view! {
            <table class="data stack" role="table">
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col">"Sending"</th>
                        <th scope="col">"Told"</th>
                        <th scope="col">"Task"</th>
                        <th scope="col">"Commit"</th>
                        <th scope="col" class="text-end">"When"</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows}</tbody>
            </table>
        }
    });
    view! {
        <section class="sect" aria-labelledby="statuses">
            <div class="sect-head">
                <h2 id="statuses">"Commit statuses"</h2>
                <span class="aside desk">"what its forge was told last"</span>
            </div>
            {none}
            {table}
        </section>
    }
    .into_any()
}

fn row(s: SentStatus) -> impl IntoView {
    let short: String = s.revision.chars().take(7).collect();
    let said = s
        .said
        .map(|said| view! { <span class="block text-small text-ink-2 wrap-anywhere">{said}</span> });
    let next = (s.sending == Sending::Retrying)
        .then_some(s.next_at)
        .flatten()
        .map(|at| view! { <span class="block text-small text-ink-3">"next try " <Time at seconds=true/></span> });
    let when = s.tried_at.map(|at| view! { <Time at seconds=true/> });
    view! {
        <tr role="row">
            <td role="cell" class="c-main min-[900px]:w-[130px]">
                <Status look=sending_look(s.sending)/>
            </td>
            <td role="cell" class="c-wide min-w-0" data-label="told">
                {told_words(s.state, &s.description)}
                " "
                <code class="text-ink-3 wrap-anywhere">{s.context}</code>
                {said}
                {next}
            </td>
            <td role="cell" class="c-cell" data-label="task">
                <a class="alink" href=format!("/tasks/{}", s.task_id)>{format!("#{}", s.task_id)}</a>
            </td>
            <td role="cell" class="c-cell" data-label="commit">
                <span class="mono" title=s.revision>{short}</span>
            </td>
            <td role="cell" class="c-side num text-ink-3 min-[900px]:w-[110px]">{when}</td>
        </tr>
    }
}
