//! One's API tokens.
//!
//! **Invariant:** revoking is asked for twice.

use super::api::{CreateToken, RevokeToken, TokenRow, TokensView, list_tokens};
use crate::browser;
use crate::components::ActionForm;
use crate::components::{Ago, Blank, Confirm, Field, FormError, Icon, IconSize, Loaded, Note, Rows, Time};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::Timestamp;
use domain::auth::TokenScope;
use leptos::prelude::*;

/// The section of tokens.
#[component]
pub fn Tokens() -> impl IntoView {
    let create = Deed::<CreateToken>::new();
    let revoke = Deed::<RevokeToken>::new();
    let tokens = Source::new(
        move || (create.version().get(), revoke.version().get()),
        |_| list_tokens(),
    );
    view! {
        <section class="sect" aria-labelledby="tokens">
            <div class="sect-head">
                <h2 id="tokens">"API tokens"</h2>
                <span class="aside desk">"for scripts: " <code>"Authorization: Bearer …"</code></span>
            </div>
            <Loaded of=tokens part=true body=move |data| view! { <Body data create revoke/> }.into_any()/>
        </section>
    }
    .into_any()
}

#[component]
fn Body(data: Signal<TokensView>, create: Deed<CreateToken>, revoke: Deed<RevokeToken>) -> impl IntoView {
    let items = memo(move |_| data.with(|d| d.tokens.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let fresh = move || {
        create
            .answer()
            .and_then(Result::ok)
            .or_else(|| data.with(|d| d.fresh.clone()))
    };
    let error = move || {
        let made = create.error();
        made.or_else(|| revoke.error())
    };
    view! {
        <div class="grid gap-3 mt-3">
            <FormError error=Signal::derive(error) fields=&["name"]/> {move || fresh().map(shown_once)}
        </div>
        <Show
            when=move || items.with(|i| !i.is_empty())
            fallback=|| {
                view! {
                    <Blank
                        small=true
                        title="No tokens yet"
                        sentence="A token lets a script do over the API what you may do here, or only a part of it."
                    />
                }
            }
        >
            <table class="data stack" role="table">
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col">"Name"</th>
                        <th scope="col">"Scopes"</th>
                        <th scope="col">"Made"</th>
                        <th scope="col">"Last used"</th>
                        <th scope="col">"Ends"</th>
                        <th scope="col"><span class="sr-only">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    <Rows items key=|t: &TokenRow| t.id.0 row=move |t| row(t, now.get_untracked(), revoke)/>
                </tbody>
            </table>
        </Show>
        <NewToken create/>
    }
    .into_any()
}

fn row(t: TokenRow, now: Timestamp, revoke: Deed<RevokeToken>) -> AnyView {
    let scopes = if t.scopes.is_empty() {
        view! { <span class="text-ink-2">"all that your role allows"</span> }.into_any()
    } else {
        let chips: Vec<_> = t
            .scopes
            .iter()
            .map(|s| view! { <span class="chip">{s.as_str()}</span> })
            .collect();
        view! { <span class="flex flex-wrap gap-1">{chips}</span> }.into_any()
    };
    let used = match t.used_at {
        Some(at) => view! { <Ago at now/> }.into_any(),
        None => "never".into_any(),
    };
    let ends = match t.ends_at {
        Some(at) if at <= now => view! { <span class="text-lost">"has ended"</span> }.into_any(),
        Some(at) => view! { <Time at/> }.into_any(),
        None => "never".into_any(),
    };
    view! {
        <tr role="row">
            <td role="cell" class="c-main">
                <span class="t1">{t.name.clone()}</span>
            </td>
            <td role="cell" class="c-wide">{scopes}</td>
            <td role="cell" class="c-cell text-ink-2" data-label="made">
                <Time at=t.created_at/>
            </td>
            <td role="cell" class="c-cell text-ink-2" data-label="used">{used}</td>
            <td role="cell" class="c-cell text-ink-2" data-label="ends">{ends}</td>
            <td role="cell" class="c-wide min-[900px]:w-[84px]">
                <Confirm
                    opens="Revoke"
                    label=format!("Revoke {}", t.name)
                    icon="trash-2"
                    sentence=format!("Whatever uses {} is refused from then on.", t.name)
                >
                    <ActionForm action=revoke>
                        <input type="hidden" name="token" value=t.id.0/>
                        <button class="btn btn-sm btn-error justify-center" type="submit">"Revoke it"</button>
                    </ActionForm>
                </Confirm>
            </td>
        </tr>
    }
    .into_any()
}

fn shown_once(secret: String) -> impl IntoView {
    let copied = secret.clone();
    view! {
        <Note icon="key-round" tone="st-passed">
            <div class="grid gap-2 min-w-0 flex-1" role="status">
                <p>
                    <b class="font-[600]">"Copy the token now."</b> " It is shown this once; only its hash is kept."
                </p>
                <div class="cmd">
                    <code>{secret}</code>
                    <button type="button" class="btn btn-ghost btn-xs needs-script" on:click=move |_| browser::copy(&copied)>
                        <Icon name="copy" size=IconSize::Small/>
                        "Copy"
                    </button>
                </div>
            </div>
        </Note>
    }
}

#[component]
fn NewToken(create: Deed<CreateToken>) -> impl IntoView {
    let problem = Signal::derive(move || create.error().and_then(|e| e.problem_of("name")));
    let scopes = TokenScope::ALL
        .iter()
        .map(|s| {
            view! {
                <label class="inl gap-2! text-table">
                    <input type="checkbox" class="checkbox" name=s.as_str() value="true"/>
                    {s.as_str()}
                </label>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="sect" aria-labelledby="new-token">
            <div class="sect-head">
                <h2 id="new-token">"New token"</h2>
            </div>
            <ActionForm action=create attr:class="grid gap-4 mt-4 max-w-[520px]">
                <Field name="name" label="Name" required=true hint="What it is for, as: nightly report." error=problem/>
                <fieldset class="field">
                    <legend class="lab text-small font-[560] text-ink-2">"Scopes"</legend>
                    <div class="flex flex-wrap gap-x-5 gap-y-2 mt-1">{scopes}</div>
                    <p class="hint">"None ticked means all that your role allows, now and later."</p>
                </fieldset>
                <div class="field max-w-48">
                    <label for="days">"Ends"</label>
                    <select id="days" name="days" class="select select-sm">
                        <option value="30">"in 30 days"</option>
                        <option value="90" selected=true>"in 90 days"</option>
                        <option value="365">"in a year"</option>
                        <option value="0">"never"</option>
                    </select>
                </div>
                <div>
                    <button class="btn btn-primary btn-sm" type="submit">
                        <Icon name="plus"/>
                        "Make a token"
                    </button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
