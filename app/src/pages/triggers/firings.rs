//! Firings as rows: when, why, what came of each; and the tabs that choose among them.
//!
//! **Invariant:** a firing that started nothing says why in its row.

use super::looks::{because, firing_look, kind_icon, task_words, ticked, verdict_look};
use super::view::FiringRow;
use crate::address::address;
use crate::components::{Icon, Rows, Status, Time};
use domain::trigger::Verdict;
use leptos::prelude::*;

/// What the address asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// A verdict's word; all when empty.
    pub verdict: String,
    pub cursor: String,
}

impl Asked {
    /// Reads it out of the address.
    pub fn of(query: &leptos_router::params::ParamsMap) -> Self {
        let of = |name: &str| query.get(name).unwrap_or_default();
        Self {
            verdict: of("verdict"),
            cursor: of("cursor"),
        }
    }

    /// The address of another page of the same firings.
    pub fn page(&self, path: &str, cursor: &str) -> String {
        address(path, [("verdict", self.verdict.as_str()), ("cursor", cursor)])
    }
}

/// Tabs of verdicts.
#[component]
pub fn VerdictTabs(
    /// The page's path.
    #[prop(into)]
    path: String,
    /// What is asked for.
    asked: Memo<Asked>,
) -> impl IntoView {
    let all = [("", "All")].into_iter();
    let tabs: Vec<_> = all
        .chain(Verdict::ALL.map(|v| (v.as_str(), name(v))))
        .map(|(word, name)| {
            view! {
                <a
                    href=address(&path, [("verdict", word)])
                    aria-current=move || asked.with(|a| a.verdict == word).then_some("true")
                >
                    {name}
                </a>
            }
        })
        .collect();
    view! {
        <nav class="viewtabs" aria-label="Which firings">
            {tabs}
        </nav>
    }
    .into_any()
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Started => "Started",
        Verdict::Held => "Waits",
        Verdict::Nothing => "Started nothing",
        Verdict::Error => "Went wrong",
    }
}

/// The table. `of_one`: all are of one trigger, which is then left out.
#[component]
pub fn FiringTable(
    /// The firings.
    items: Memo<Vec<FiringRow>>,
    /// Whether all are of one trigger.
    #[prop(optional)]
    of_one: bool,
) -> impl IntoView {
    view! {
        <table class="data stack" role="table">
            <thead role="rowgroup">
                <tr role="row">
                    <th scope="col">"Came of it"</th>
                    <th scope="col">"Why it fired"</th>
                    {(!of_one).then(|| view! { <th scope="col">"Trigger"</th> })}
                    <th scope="col">"Task, or why there is none"</th>
                    <th scope="col">"When"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                <Rows items key=|f: &FiringRow| f.id.0 row=move |f| row(f, of_one)/>
            </tbody>
        </table>
    }
    .into_any()
}

fn row(f: FiringRow, of_one: bool) -> AnyView {
    let by = f.by.map(|by| format!("by {by}"));
    let again = f.replay_of.map(|of| {
        view! {
            <a class="hover:underline" href=format!("/firings/{of}")>"replay of #"{of.0}</a>
        }
    });
    let both = (by.is_some() && again.is_some()).then(|| view! { <span class="sep">"·"</span> });
    let came = match f.tasks.is_empty() {
        true => {
            let why = f.reason.as_deref().map(|r| ticked(because(r)));
            view! { <span class="text-ink-2 wrap-anywhere">{why}</span> }.into_any()
        }
        false => {
            let plan = f.plan;
            let tasks: Vec<_> = f
                .tasks
                .iter()
                .map(|task| {
                    view! {
                        <a class="alink" href=format!("/tasks/{}", task.id)>{plan.clone()} " " {task_words(task)}</a>
                        " "
                    }
                })
                .collect();
            view! { <span class="wrap-anywhere">{tasks}</span> }.into_any()
        }
    };
    let look = match f.verdict {
        Verdict::Started => firing_look(f.verdict, f.tasks.first()),
        other => verdict_look(other),
    };
    view! {
        <tr role="row">
            <td role="cell" class="c-side min-[900px]:w-36">
                <Status look/>
            </td>
            <td role="cell" class="c-main min-[900px]:w-[26%]">
                <span class="t1">
                    <a class="wrap-anywhere" href=format!("/firings/{}", f.id)>{f.title}</a>
                </span>
                <span class="t2">{by} {both} {again}</span>
            </td>
            {(!of_one)
                .then(|| {
                    view! {
                        <td role="cell" class="c-wide min-[900px]:w-[18%]">
                            <span class="inl gap-1.5!">
                                <span class="text-ink-3 inline-flex" title=f.kind.as_str()>
                                    <Icon name=kind_icon(f.kind)/>
                                </span>
                                <a class="hover:underline wrap-anywhere" href=format!("/triggers/{}", f.trigger_id)>{f.trigger}</a>
                            </span>
                        </td>
                    }
                })}
            <td role="cell" class="c-wide">{came}</td>
            <td role="cell" class="c-cell text-ink-3 whitespace-nowrap">
                <Time at=f.at/>
            </td>
        </tr>
    }
    .into_any()
}
