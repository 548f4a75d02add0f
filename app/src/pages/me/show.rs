//! The page of oneself.
//!
//! **Invariant:** on a phone, where the rail has no foot, everything of the user menu is here.

use super::tokens::Tokens;
use crate::components::{Favicon, Page, Sign};
use crate::layout::{SignOut, ThemeChoice, use_me};
use domain::auth::Role;
use leptos::prelude::*;

/// One's own page.
#[component]
pub fn MeShow() -> impl IntoView {
    let me = use_me();
    let who = move || {
        Suspend::new(async move {
            me.wait().await.ok().map(|m| {
                let may = match m.role {
                    None => "no role yet: an admin gives one",
                    Some(Role::Viewer) => "viewer: may look at everything",
                    Some(Role::Runner) => "runner: may also run, abort and rerun",
                    Some(Role::Editor) => "editor: may also write plans",
                    Some(Role::Admin) => "admin: may do everything",
                };
                view! {
                    <dl class="kv mt-3">
                        <dt>"Name"</dt>
                        <dd>{m.name}</dd>
                        <dt>"Role"</dt>
                        <dd>{may}</dd>
                        <dt>"Server"</dt>
                        <dd>{format!("{}, Caracal {}", m.public_url, m.version)}</dd>
                    </dl>
                }
            })
        })
    };
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title="You" heading="You">
            <div class="grid gap-x-10 grid-cols-[minmax(0,1fr)_280px] max-lg:grid-cols-[minmax(0,1fr)]">
                <section aria-labelledby="who">
                    <div class="sect-head">
                        <h2 id="who">"Account"</h2>
                    </div>
                    <Transition>{who}</Transition>
                </section>
                <section aria-labelledby="browser" class="max-lg:mt-8">
                    <div class="sect-head">
                        <h2 id="browser">"This browser"</h2>
                    </div>
                    <div class="plain-menu mt-2">
                        <ThemeChoice/>
                        <SignOut/>
                    </div>
                </section>
            </div>
            <Tokens/>
        </Page>
    }
    .into_any()
}
