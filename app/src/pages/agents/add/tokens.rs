//! Tokens that may still register agents.
//!
//! **Invariant:** revoking is asked for twice.

use super::Deeds;
use super::api::{AddView, RevokeAgentToken};
use crate::components::{ActionForm, Confirm, ErrorNote, Rows, Time};
use crate::memo::memo;
use crate::wire::Deed;
use domain::agent::AgentTokenView;
use leptos::prelude::*;

/// The section; nothing while there is none.
#[component]
pub fn Open(data: Signal<AddView>) -> impl IntoView {
    let revoke = expect_context::<Deeds>().revoke;
    let items = memo(move |_| data.with(|d| d.tokens.clone()));
    let failed = move || revoke.error().map(|error| view! { <ErrorNote error/> });
    view! {
        {failed}
        <Show when=move || items.with(|i| !i.is_empty())>
            <section class="sect" aria-labelledby="open-tokens">
                <div class="sect-head">
                    <h2 id="open-tokens">"Tokens that still work"</h2>
                </div>
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Token"</th>
                            <th scope="col">"Labels"</th>
                            <th scope="col">"Left"</th>
                            <th scope="col">"Ends"</th>
                            <th scope="col"><span class="sr-only">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|t: &AgentTokenView| t.id.0 row=move |t| row(t, revoke)/>
                    </tbody>
                </table>
            </section>
        </Show>
    }
}

fn row(t: AgentTokenView, revoke: Deed<RevokeAgentToken>) -> AnyView {
    let labels: Vec<_> = t
        .labels
        .iter()
        .map(|(k, v)| view! { <span class="chip chip-mono">{format!("{k}={v}")}</span> })
        .collect();
    let none = labels.is_empty().then_some("none");
    view! {
        <tr role="row">
            <td role="cell" class="c-main">
                <span class="t1">"Token "{t.id.0}</span>
                <span class="t2">"by "{t.created_by}</span>
            </td>
            <td role="cell" class="c-wide">
                <span class="flex flex-wrap gap-1 text-ink-3">{labels} {none}</span>
            </td>
            <td role="cell" class="c-cell text-ink-2" data-label="left">{t.uses_left}" of "{t.uses}</td>
            <td role="cell" class="c-cell text-ink-2" data-label="ends">
                <Time at=t.expires_at/>
            </td>
            <td role="cell" class="c-wide min-[900px]:w-[84px]">
                <Confirm
                    opens="Revoke"
                    label=format!("Revoke token {}", t.id)
                    icon="trash-2"
                    sentence="No machine registers with it from then on. Agents it has registered stay."
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
