//! Polls, triggers after other plans, and what every trigger sets.
//!
//! **Invariant:** an empty field leaves the choice to the event, then to the plan.

use super::draft::Draft;
use super::fields::{Choice, Lines, Radios, Text, options};
use leptos::prelude::*;

/// The fields of a poll.
#[component]
pub fn Poll(draft: Draft, repositories: Vec<(String, String)>) -> impl IntoView {
    let mut known = options(&[("", "the URL below")]);
    known.extend(repositories);
    view! {
        <div class="k k-poll grid gap-6">
            <section class="panel p-4 grid gap-4">
                <Radios
                    name="look_at"
                    label="It looks at"
                    value=draft.look_at
                    options=&[
                        ("git", "A git repository", "fires for new commits and tags"),
                        ("url", "Any URL", "fires when what lies there changes"),
                    ]
                />
                <div class="at at-git grid gap-4">
                    <Choice name="repository" label="Repository" value=draft.repository options=known/>
                    <div class="at-own">
                        <Text name="git" label="URL of a repository that needs no credentials" value=draft.git code=true placeholder="https://git.example/team/app.git"/>
                    </div>
                    <div class="grid grid-cols-2 max-md:grid-cols-1 gap-4">
                        <Lines name="branches" label="Branches" value=draft.branches placeholder="main" hint="Patterns, one a line; all when empty."/>
                        <Lines name="tags" label="Tags" value=draft.tags placeholder="v*"/>
                    </div>
                    <Choice
                        name="commits"
                        label="It starts a task for"
                        value=draft.commits
                        options=options(&[("latest", "the newest commit"), ("each", "each commit")])
                    />
                </div>
                <div class="at at-url grid grid-cols-2 max-md:grid-cols-1 gap-4">
                    <Text name="url" label="URL" value=draft.url code=true placeholder="https://example.org/releases.json"/>
                    <Text name="pointer" label="Where in its JSON" value=draft.pointer code=true placeholder="/0/version"/>
                </div>
                <Text name="every" label="Every" value=draft.every hint="As 30s, 5m or 1h."/>
            </section>
        </div>
    }
    .into_any()
}

/// The fields of a trigger after other plans.
#[component]
pub fn Upstream(draft: Draft, plans: Vec<(String, String)>) -> impl IntoView {
    let mut maybe = options(&[("", "none")]);
    maybe.extend(plans.iter().cloned());
    view! {
        <div class="k k-upstream grid gap-6">
            <section class="panel p-4 grid gap-4">
                <div class="grid grid-cols-2 max-md:grid-cols-1 gap-4">
                    <Choice name="up1" label="After a task of" value=draft.up1 options=maybe.clone()/>
                    <Choice
                        name="result"
                        label="has"
                        value=draft.result
                        options=options(&[("passed", "passed"), ("failed", "failed, timed out or been lost"), ("any", "ended")])
                    />
                    <Choice name="up2" label="and one of" value=draft.up2 options=maybe.clone()/>
                    <Choice name="up3" label="and one of" value=draft.up3 options=maybe/>
                </div>
                <p class="text-small text-ink-3">"With several, all of them at the same revision: it fires once for that."</p>
                <Text name="up_branch" label="On a branch that matches" value=draft.up_branch code=true placeholder="any"/>
            </section>
        </div>
    }
    .into_any()
}

/// What it sets.
#[component]
pub fn Sets(draft: Draft) -> impl IntoView {
    view! {
        <fieldset class="grid gap-3">
            <legend class="text-small font-[560] text-ink-2 mb-2">"It sets"</legend>
            <div class="grid grid-cols-3 max-md:grid-cols-1 gap-3">
                <Text name="branch" label="Branch" value=draft.branch code=true placeholder="the event's"/>
                <Text name="revision" label="Commit" value=draft.revision code=true placeholder="the event's"/>
                <Text name="priority" label="Priority" value=draft.priority/>
            </div>
            <Lines
                name="parameters"
                label="Parameters"
                value=draft.parameters
                placeholder="level=full"
                hint="One a line. Steps see them as CARACAL_PARAM_LEVEL. ${{ branch }} or ${{ payload.field }} puts in what the event says."
            />
        </fieldset>
    }
    .into_any()
}
