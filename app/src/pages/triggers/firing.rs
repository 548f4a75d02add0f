//! One firing: what came of it and why, in one sentence; how it was decided, step by step; what was delivered.
//!
//! **Invariant:** what is said is what was true then, whatever the trigger is now.

use super::api::{ReplayFiring, get_firing};
use super::firing_of;
use super::looks::{kind_icon, task_words, ticked, verdict_look};
use super::payload::{Headers, Payload};
use super::trail::Trail;
use super::view::FiringPage;
use crate::components::{
    ActionForm, ButtonKind, Crumb, ErrorNote, Favicon, Icon, LinkButton, Loaded, Note, Page, Sign, StatusChip,
    SubmitButton, Time,
};
use crate::layout::IfMay;
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use domain::trigger::{FiringView, Verdict};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page of a firing.
#[component]
pub fn FiringShow() -> impl IntoView {
    let params = use_params_map();
    let id = memo(move |_| params.with(firing_of));
    let replay = Deed::<ReplayFiring>::new();
    provide_context(replay);
    let fresh = RwSignal::new(0_u64);
    let page = Source::new(
        move || (id.get(), fresh.get()),
        |(id, _)| async move { get_firing(id?).await },
    );
    let seq = Signal::derive(move || page.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=page body=move |data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<FiringPage>) -> impl IntoView {
    let replay = expect_context::<Deed<ReplayFiring>>();
    let firing = memo(move |_| data.with(|d| d.firing.clone()));
    let payload = memo(move |_| data.with(|d| (d.payload.clone(), d.more)));
    let title = Signal::derive(move || firing.with(|f| format!("{}: {}", verdict_look(f.verdict).word, f.cause.title)));
    let sign = Signal::derive(move || {
        firing.with(|f| match (f.tasks.first(), f.verdict) {
            (Some(task), _) => Sign::from(task.status),
            (None, Verdict::Error) => Sign::Failed,
            (None, Verdict::Held) => Sign::Waiting,
            (None, _) => Sign::Plain,
        })
    });
    let (trigger, name) = firing.with_untracked(|f| (f.trigger_id, f.trigger.clone()));
    let crumbs = vec![
        Crumb::new("Triggers", "/triggers"),
        Crumb::new(name, format!("/triggers/{trigger}")),
    ];
    let (id, delivered) = data.with_untracked(|d| (d.firing.id, d.payload.is_some()));
    let buttons = view! {
        {delivered
            .then(|| {
                view! {
                    <LinkButton href=format!("/triggers/{trigger}/try?firing={id}") kind=ButtonKind::Line icon="list-checks">
                        "Edit and try"
                    </LinkButton>
                }
            })}
        <IfMay action=Action::Write>
            <LinkButton href=format!("/triggers/{trigger}/edit") kind=ButtonKind::Line icon="pencil">
                "Edit trigger"
            </LinkButton>
        </IfMay>
        <IfMay action=Action::Run>
            <ActionForm action=replay>
                <input type="hidden" name="firing" value=move || firing.with(|f| f.id.0)/>
                <SubmitButton kind=ButtonKind::Primary icon="rotate-cw">"Replay"</SubmitButton>
            </ActionForm>
        </IfMay>
    };
    let failed = move || replay.error().map(|error| view! { <ErrorNote error/> });
    let wide = move || firing.with(|f| f.delivery.is_some());
    view! {
        <Favicon sign/>
        <Page
            title
            heading=Signal::derive(move || format!("Firing {}", firing.with(|f| f.id)))
            crumbs
            acts=buttons.into_any()
        >
            {failed}
            {move || {
                let f = firing.get();
                view! {
                    <h2 class="task-title">
                        <StatusChip look=verdict_look(f.verdict)/>
                        <span>{f.cause.title.clone()}</span>
                    </h2>
                    {facts(&f)}
                    {outcome(&f)}
                }
            }}
            <div class=move || {
                if wide() {
                    "grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] max-lg:grid-cols-[minmax(0,1fr)] gap-x-12"
                } else {
                    "max-w-[720px]"
                }
            }>
                {move || view! { <Trail firing=firing.get()/> }}
                {move || {
                    let id = firing.with(|f| f.id);
                    firing
                        .with(|f| f.delivery.clone())
                        .map(|delivery| {
                            let (payload, more) = payload.get();
                            view! {
                                <div>
                                    <Payload id payload more/>
                                    <Headers all=delivery.headers/>
                                </div>
                            }
                        })
                }}
            </div>
        </Page>
    }
}

fn facts(f: &FiringView) -> impl IntoView + use<> {
    let c = f.cause.clone();
    let took = f.evaluation.took_us;
    view! {
        <p class="facts mt-2">
            <span>
                <Icon name=kind_icon(f.kind)/>
                {f.kind.as_str()}
                " "
                <a class="alink" href=format!("/triggers/{}", f.trigger_id)>{f.trigger.clone()}</a>
            </span>
            <span>
                <Icon name="file-code"/>
                <a class="alink" href=format!("/plans/{}", f.plan_id)>{f.plan.clone()}</a>
            </span>
            {c.repository.map(|r| view! { <span><Icon name="folder-git-2"/>{r}</span> })}
            {c.revision.map(|r| {
                let short: String = r.chars().take(9).collect();
                view! { <span><Icon name="git-commit-horizontal"/><span class="mono" title=r>{short}</span></span> }
            })}
            {c.author.map(|a| view! { <span><Icon name="user"/>{a}</span> })}
            {c.by.map(|by| view! { <span><Icon name="hand"/>"by "{by}</span> })}
            <span>
                <Icon name="clock"/>
                <Time at=f.at seconds=true/>
            </span>
            {(took > 0).then(|| view! { <span><Icon name="timer"/>"decided in "{decided(took)}</span> })}
            {f.replay_of.map(|of| {
                view! {
                    <span>
                        <Icon name="rotate-cw"/>
                        <a class="alink" href=format!("/firings/{of}")>"replay of firing "{of.0}</a>
                    </span>
                }
            })}
        </p>
        {c.message.map(|m| view! { <p class="text-table text-ink-2 mt-1 wrap-anywhere">{m}</p> })}
    }
}

/// Microseconds as people say them.
fn decided(us: u64) -> String {
    match us {
        ..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{} ms", us / 1_000),
    }
}

/// The one sentence.
fn outcome(f: &FiringView) -> impl IntoView + use<> {
    let (icon, tone) = match f.verdict {
        Verdict::Started => ("zap", None),
        Verdict::Held => ("hourglass", None),
        Verdict::Nothing => ("lightbulb", None),
        Verdict::Error => ("circle-x", Some("st-failed")),
    };
    let reason = f.reason.as_deref().map(ticked);
    let calm = (f.verdict == Verdict::Nothing).then_some(" This is as configured; nothing is broken.");
    let tasks = started(f);
    let body = view! { <span class="min-w-0 text-base-content wrap-anywhere">{tasks} {reason} {calm}</span> };
    match tone {
        Some(tone) => view! { <div class="mt-5"><Note icon tone>{body}</Note></div> }.into_any(),
        None => view! { <div class="mt-5"><Note icon>{body}</Note></div> }.into_any(),
    }
}

/// What it started, as a sentence.
pub fn started(f: &FiringView) -> Option<AnyView> {
    if f.tasks.is_empty() {
        return (f.verdict == Verdict::Started && f.reason.is_none())
            .then(|| "It started a task that is not there any more. ".into_any());
    }
    let tasks: Vec<_> = f
        .tasks
        .iter()
        .map(|task| {
            view! {
                " "
                <a class="alink font-[580]" href=format!("/tasks/{}", task.id)>{f.plan.clone()} " " {task_words(task)}</a>
            }
        })
        .collect();
    Some(view! { "It started a task:" {tasks} ". " }.into_any())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_quick_is_told_in_small_units() {
        for (us, want) in [(0, "0 µs"), (840, "840 µs"), (3_140, "3.1 ms"), (25_900, "25 ms")] {
            assert_eq!(super::decided(us), want);
        }
    }
}
