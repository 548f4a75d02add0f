//! The list of plans: how each one did lately, and the button that runs it.
//!
//! **Invariant:** rows keep their place while news come in; filter and page stand in the address.

use super::api::{RunPlan, list_plans};
use super::figures::{failing, passed, repository, usual};
use super::view::PlansView;
use crate::address::address;
use crate::browser;
use crate::components::ActionForm;
use crate::components::{
    Ago, Blank, ButtonKind, ErrorNote, Favicon, Icon, IconSize, LinkButton, Loaded, Look, Page, Pager, Rows, RunBars,
    Sign, StatusIcon,
};
use crate::layout::{IfMay, use_me};
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::Timestamp;
use domain::auth::Action;
use domain::plan::view::PlanSummary;
use domain::time::human_duration;
use leptos::prelude::*;
use leptos_router::hooks::{use_navigate, use_query_map};

/// What rows share.
#[derive(Clone, Copy)]
struct Acts {
    run: Deed<RunPlan>,
    /// Whether the viewer may run plans.
    may: Signal<bool>,
}

/// The page of plans.
#[component]
pub fn PlanList() -> impl IntoView {
    let query = use_query_map();
    let asked = memo(move |_| query.with(|q| (q.get("q").unwrap_or_default(), q.get("cursor").unwrap_or_default())));
    let me = use_me();
    let acts = Acts {
        run: Deed::new(),
        may: Signal::derive(move || me.get().and_then(Result::ok).is_some_and(|m| m.may(Action::Run))),
    };
    provide_context(acts);
    let fresh = RwSignal::new(0_u64);
    let plans = Source::new(
        move || (asked.get(), fresh.get()),
        |((q, cursor), _)| list_plans(q, cursor),
    );
    let seq = Signal::derive(move || plans.get().and_then(Result::ok).map(|p| p.seq));
    let news = use_live(Topic::Queue, seq);
    Effect::new(move || fresh.set(news.get()));
    view! { <Loaded of=plans body=move |data| view! { <Body data asked/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<PlansView>, asked: Memo<(String, String)>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let items = memo(move |_| data.with(|d| d.plans.items.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let bad = memo(move |_| items.with(|i| i.iter().filter(|p| failing(p)).count()));
    let nothing_yet = memo(move |_| asked.get() == Default::default() && items.with(Vec::is_empty));
    let lead = Signal::derive(move || {
        let all = items.with(Vec::len);
        match (all, bad.get()) {
            (0, _) => String::new(),
            (n, 0) => format!("{}, none failing", counted(n)),
            (n, b) => format!("{}, {b} failing", counted(n)),
        }
    });
    let title = Signal::derive(move || match bad.get() {
        0 => "Plans".to_owned(),
        n => format!("Plans · {n} failing"),
    });
    let sign = Signal::derive(move || if bad.get() > 0 { Sign::Failed } else { Sign::Plain });
    let new_plan = view! {
        <IfMay action=Action::Write>
            {move || {
                (!nothing_yet.get())
                    .then(|| {
                        view! {
                            <LinkButton href="/plans/new" kind=ButtonKind::Primary icon="plus">
                                "New plan"
                            </LinkButton>
                        }
                    })
            }}
        </IfMay>
    };
    let older = memo(move |_| {
        let q = asked.get().0;
        data.with(|d| {
            d.plans
                .next_cursor
                .as_deref()
                .map(|c| address("/plans", [("q", q.as_str()), ("cursor", c)]))
        })
    });
    let newest =
        memo(move |_| asked.with(|(q, cursor)| (!cursor.is_empty()).then(|| address("/plans", [("q", q.as_str())]))));
    let failed = move || acts.run.error().map(|error| view! { <ErrorNote error/> });
    view! {
        <Favicon sign/>
        <Page title heading="Plans" lead=lead acts=new_plan.into_any()>
            {failed}
            <Show when=move || !nothing_yet.get()>
                <div class="filterbar mt-0!">
                    <Search asked/>
                </div>
            </Show>
            <Show when=move || items.with(|i| !i.is_empty()) fallback=move || empty(nothing_yet.get())>
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Plan"</th>
                            <th scope="col">"Last task"</th>
                            <th scope="col">"Last 30 tasks"</th>
                            <th class="num" scope="col">"Usually takes"</th>
                            <th class="num c-late" scope="col">"Passed"</th>
                            <th scope="col"><span class="sr-only">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|p: &PlanSummary| p.id.0 row=move |p| row(p, now.get_untracked(), acts)/>
                    </tbody>
                </table>
                <p class="t2 mt-4">
                    <span class="inl">
                        <svg class="pic" width="12" height="12" aria-hidden="true">
                            <rect class="f-passed" x="0" y="2" width="4" height="10" rx="1"></rect>
                            <rect class="f-failed" x="6" y="5" width="4" height="7" rx="1"></rect>
                        </svg>
                        "a bar is a task: height is how long it took, colour is how it ended"
                    </span>
                </p>
                {move || view! { <Pager newest=newest.get() older=older.get()/> }}
            </Show>
        </Page>
    }
}

fn counted(n: usize) -> String {
    if n == 1 { "1 plan".into() } else { format!("{n} plans") }
}

fn empty(nothing_yet: bool) -> impl IntoView {
    if nothing_yet {
        view! {
            <Blank
                title="No plans yet"
                sentence="A plan says what to run and from which repository: a few lines of YAML, checked while you write. The first one can run a minute from now."
            >
                <IfMay action=Action::Write>
                    <LinkButton href="/plans/new" kind=ButtonKind::Primary icon="plus">
                        "Write the first plan"
                    </LinkButton>
                </IfMay>
            </Blank>
        }
        .into_any()
    } else {
        view! {
            <Blank small=true title="No plan is like that" sentence="The search looks in names and descriptions.">
                <LinkButton href="/plans">"Show all plans"</LinkButton>
            </Blank>
        }
        .into_any()
    }
}

/// The search: a plain GET form; a script only spares the reload.
#[component]
fn Search(asked: Memo<(String, String)>) -> impl IntoView {
    let navigate = use_navigate();
    let take_over = move |ev: leptos::ev::SubmitEvent| {
        if let Some(fields) = browser::taken_over(&ev, &["q"]) {
            let q = fields.first().map_or("", |(_, q)| q);
            navigate(&address("/plans", [("q", q)]), Default::default());
        }
    };
    view! {
        <form class="flex gap-2 ms-auto max-md:w-full max-md:py-2" method="get" action="/plans" role="search" on:submit=take_over>
            <label class="input input-sm input-soft w-64 max-md:w-full">
                <span class="text-ink-3 inline-flex">
                    <Icon name="search" size=IconSize::Small/>
                </span>
                <input
                    type="search"
                    name="q"
                    placeholder="name or description"
                    aria-label="Search plans"
                    value=move || asked.get().0
                    prop:value=move || asked.get().0
                />
            </label>
        </form>
    }
}

fn row(p: PlanSummary, now: Timestamp, acts: Acts) -> AnyView {
    let href = format!("/plans/{}", p.id);
    let source = match &p.source {
        Some(s) => view! {
            <Icon name="git-branch"/>
            <span class="trunc" title=s.git.clone()>{repository(&s.git)}</span>
        }
        .into_any(),
        None => view! {
            <Icon name="circle-slash"/>
            <span>"no source"</span>
        }
        .into_any(),
    };
    let last = p.recent.first().map(|t| {
        let words = if t.message.is_empty() {
            String::new()
        } else {
            format!(" {}", t.message)
        };
        view! {
            <span class="flex items-center gap-1.5 min-w-0">
                <StatusIcon look=Look::from(t.status)/>
                <a class="alink trunc" href=format!("/tasks/{}", t.id)>"#"{t.id.0}{words}</a>
            </span>
            <span class="t2">
                <Ago at=t.finished_at.unwrap_or(t.created_at) now/>
            </span>
        }
    });
    let took = usual(&p.recent).map(human_duration);
    let good = passed(&p.recent).map(|n| format!("{n} %"));
    let (id, name, enabled) = (p.id, StoredValue::new(p.name.clone()), p.enabled);
    view! {
        <tr role="row">
            <td role="cell" class="c-main min-w-0 min-[900px]:w-[22%] min-[900px]:max-w-0">
                <span class="t1">
                    <a href=href>{p.name.clone()}</a>
                    {(!enabled).then(|| view! { <span class="chip">"off"</span> })}
                </span>
                <span class="t2">{source}</span>
            </td>
            <td role="cell" class="c-wide min-w-0 min-[900px]:w-[34%] min-[900px]:max-w-0">
                {last.map_or_else(|| view! { <span class="text-ink-3">"has not run yet"</span> }.into_any(), IntoAny::into_any)}
            </td>
            <td role="cell" class="c-wide align-middle!">
                {(!p.recent.is_empty()).then(|| view! { <RunBars tasks=p.recent.clone() plan=p.name.clone()/> })}
            </td>
            <td role="cell" class="num c-hide">{took}</td>
            <td role="cell" class="num c-hide c-late">{good}</td>
            <td role="cell" class="c-side w-[84px] text-end! whitespace-nowrap">
                <Show when=move || acts.may.get() && enabled>
                    <ActionForm action=acts.run>
                        <input type="hidden" name="plan" value=id.0/>
                        <button class=ButtonKind::Row.class() type="submit" aria-label=format!("Run {}", name.get_value())>
                            <Icon name="play" size=IconSize::Small/>
                            "Run"
                        </button>
                    </ActionForm>
                </Show>
            </td>
        </tr>
    }
    .into_any()
}
