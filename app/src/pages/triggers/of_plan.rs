//! The triggers of one plan, as a part of its page.
//!
//! **Invariant:** it follows the triggers' news by itself; the plan's page is not read again for them.

use super::acts::Acts;
use super::api::triggers_of_plan;
use super::row::Table;
use super::view::PlanTriggers;
use crate::components::{Blank, ButtonKind, ErrorNote, LinkButton, Loaded};
use crate::layout::IfMay;
use crate::live::{Topic, use_live};
use crate::memo::memo;
use crate::wire::Source;
use domain::PlanId;
use domain::auth::Action;
use leptos::prelude::*;

/// The section.
#[component]
pub fn TriggersOfPlan(
    /// Which plan.
    plan: PlanId,
) -> impl IntoView {
    let acts = Acts::new();
    let fresh = RwSignal::new(0_u64);
    let triggers = Source::new(
        move || (fresh.get(), acts.enable.version().get()),
        move |_| triggers_of_plan(plan),
    );
    let seq = Signal::derive(move || triggers.get().and_then(Result::ok).map(|t| t.seq));
    let news = use_live(Topic::Triggers, seq);
    Effect::new(move || fresh.set(news.get()));
    let add = format!("/triggers/new?plan={plan}");
    view! {
        <section class="sect" aria-labelledby="triggers">
            <div class="sect-head">
                <h2 id="triggers">"Triggers"</h2>
                <IfMay action=Action::Write>
                    <span class="aside">
                        <a class="alink" href=add.clone()>"Add a trigger"</a>
                    </span>
                </IfMay>
            </div>
            <Loaded of=triggers part=true body=move |data| view! { <Body data acts plan/> }.into_any()/>
        </section>
    }
    .into_any()
}

#[component]
fn Body(data: Signal<PlanTriggers>, acts: Acts, plan: PlanId) -> impl IntoView {
    let items = memo(move |_| data.with(|d| d.triggers.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let failed = move || {
        let error = acts.enable.error().or_else(|| acts.fire.error());
        error.map(|error| view! { <ErrorNote error/> })
    };
    view! {
        {failed}
        <Show
            when=move || items.with(|i| !i.is_empty())
            fallback=move || {
                view! {
                    <Blank
                        small=true
                        title="Nothing starts it by itself"
                        sentence="A trigger does: on a push, at a time, when something has changed, or after another plan."
                    >
                        <IfMay action=Action::Write>
                            <LinkButton href=format!("/triggers/new?plan={plan}") kind=ButtonKind::Line icon="zap">
                                "Add a trigger"
                            </LinkButton>
                        </IfMay>
                    </Blank>
                }
            }
        >
            <Table items now acts of_plan=true/>
        </Show>
    }
}
