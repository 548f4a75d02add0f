//! The command for the new machine, and whether it has called.
//!
//! **Invariant:** without a script the page says to load it again; with one it says by itself when the agent is there.

use super::Deeds;
use super::api::{AddView, MadeView};
use crate::browser;
use crate::components::{Icon, IconSize, Note, Time};
use crate::memo::memo;
use domain::agent::AgentView;
use domain::status::AgentStatus;
use leptos::prelude::*;

/// The section; nothing before a token is made.
#[component]
pub fn Made(data: Signal<AddView>) -> impl IntoView {
    let create = expect_context::<Deeds>().create;
    let made = memo(move |_| data.with(|d| d.made.clone()));
    // Kept from the first view that had it: the next one has it no more.
    let secret = memo(move |last: Option<&Option<String>>| {
        let answered = create.answer().and_then(Result::ok).map(|m| m.secret);
        let fresh = made.with(|m| m.as_ref().and_then(|m| m.fresh.clone()));
        answered.or(fresh).or_else(|| last.cloned().flatten())
    });
    let url = data.with_untracked(|d| d.url.clone());
    move || {
        let url = url.clone();
        made.with(Option::is_some).then(|| {
            view! {
                <section class="sect" aria-labelledby="command">
                    <div class="sect-head">
                        <h2 id="command">"On the new machine"</h2>
                        <span class="aside">
                            {move || made.get().map(|m| view! { <Validity made=m/> })}
                        </span>
                    </div>
                    <div class="grid grid-cols-[minmax(0,1.5fr)_minmax(0,1fr)] max-lg:grid-cols-[minmax(0,1fr)] gap-8 pt-4">
                        <div class="grid gap-3 content-start min-w-0">
                            {move || secret.get().map(|s| command(&url, &s))}
                            {move || (secret.with(Option::is_none) && made.with(waits)).then(gone)}
                            {move || made.get().map(|m| view! { <Called made=m/> })}
                        </div>
                        <div class="text-table grid gap-2 content-start text-ink-2">
                            <p>
                                "Copy the program " <code>"caracal"</code>
                                " to the machine; it is the one this server runs."
                            </p>
                            <p>
                                "It uses the Docker engine there, or " <code>"--executor process"</code>
                                " runs steps without containers. " <code>"--slots"</code> ", " <code>"--label"</code>
                                ", " <code>"--name"</code> " and " <code>"--ca"</code> " say more."
                            </p>
                            <p>"The token is needed this once; the agent then has a key of its own in its data folder."</p>
                        </div>
                    </div>
                </section>
            }
        })
    }
}

/// Whether the token may still register agents.
fn waits(made: &Option<MadeView>) -> bool {
    made.as_ref().is_some_and(|m| m.token.uses_left > 0)
}

#[component]
fn Validity(made: MadeView) -> impl IntoView {
    let t = made.token;
    if t.uses_left <= 0 {
        return "the token is used up".into_any();
    }
    let uses = match t.uses {
        1 => "works once".to_owned(),
        n => format!("works for {n} machines, {} left", t.uses_left),
    };
    view! {
        "the token "
        {uses}
        ", until "
        <Time at=t.expires_at/>
    }
    .into_any()
}

/// The command with the secret in it.
fn command(url: &str, secret: &str) -> impl IntoView + use<> {
    let text = format!("./caracal agent --server {url} \\\n  --token {secret} \\\n  --data caracal-agent");
    let copied = text.clone();
    let here = url.contains("//127.") || url.contains("//localhost") || url.contains("//[::1]");
    view! {
        <p class="text-small text-ink-2">
            <b class="font-[600]">"Copy the command now."</b>
            " The token in it is shown this once; only its hash is kept."
        </p>
        <div class="cmd">
            <code class="whitespace-pre-wrap">{text}</code>
            <button
                type="button"
                class="btn btn-ghost btn-xs needs-script"
                aria-label="Copy the command"
                on:click=move |_| browser::copy(&copied)
            >
                <Icon name="copy" size=IconSize::Small/>
                "Copy"
            </button>
        </div>
        {here
            .then(|| {
                view! {
                    <Note icon="triangle-alert" tone="st-lost">
                        <span>
                            "Only this machine reaches the server by that address. Set " <code>"public_url"</code>
                            " to the one other machines use, or write it into the command."
                        </span>
                    </Note>
                }
            })}
    }
}

fn gone() -> impl IntoView {
    view! {
        <p class="text-ink-2">"The token is not shown again. If the command was not copied, revoke it and make another."</p>
    }
}

/// Who has called with the token.
#[component]
fn Called(made: MadeView) -> impl IntoView {
    let there: Vec<_> = made.agents.clone().into_iter().map(called).collect();
    let waiting = (made.token.uses_left > 0).then(|| {
        let more = if made.agents.is_empty() {
            "Waiting for the agent to call."
        } else {
            "Waiting for more agents to call."
        };
        view! {
            <Note icon="hourglass">
                <span>
                    {more} " "
                    <span class="needs-script">"It appears here by itself."</span>
                    <noscript>
                        <a class="alink" href=format!("/agents/new?token={}", made.token.id)>"Look again"</a>
                    </noscript>
                </span>
            </Note>
        }
    });
    view! { <div class="grid gap-2" role="status">{there} {waiting}</div> }
}

fn called(a: AgentView) -> impl IntoView {
    let online = a.status == AgentStatus::Online;
    let has = match &a.facts.engine {
        Some(engine) => engine.clone(),
        None => "processes".into(),
    };
    let what = match online {
        true => format!(" is connected: {has}, {} cores.", a.facts.cpus),
        false => " is registered and not connected.".to_owned(),
    };
    let (icon, tone) = if online {
        ("circle-check", "st-passed")
    } else {
        ("unplug", "st-lost")
    };
    view! {
        <Note icon tone>
            <span>
                <a class="alink font-[600]" href=format!("/agents/{}", a.id)>
                    {a.name.clone()}
                </a>
                {what}
            </span>
        </Note>
    }
}
