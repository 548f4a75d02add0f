//! The shell of every page but sign-in and set-up.
//!
//! **Invariant:** it is rendered once and stays while one moves between pages; its figures follow the queue.

use super::api::get_frame;
use super::me::Me;
use super::rail::Rail;
use crate::browser;
use crate::components::{Clock, Note, provide_clock};
use crate::live::{Topic, use_live};
use crate::wire::Source;
use leptos::prelude::*;

/// Rail, main region and what they share.
#[component]
pub fn Frame(
    /// The page.
    children: Children,
) -> AnyView {
    provide_clock();
    // News come in bursts; the rail's figures follow once a second.
    let fresh = RwSignal::new(0_u64);
    let me = Source::new(move || fresh.get(), |_| get_frame());
    provide_context(Me(me));
    let seq = Signal::derive(move || me.get().and_then(|m| m.ok()).map(|m| m.seq));
    let news = use_live(Topic::Queue, seq);
    let clock = expect_context::<Clock>();
    Effect::new(move || {
        clock.track();
        fresh.maybe_update(|f| std::mem::replace(f, news.get_untracked()) != news.get_untracked());
    });
    Effect::new(browser::close_menus_when_left);
    view! {
        <a class="skip" href="#main" rel="external">"Skip to content"</a>
        <div class="shell">
            <Rail/>
            <main id="main" tabindex="-1">
                <Transition>
                    {move || Suspend::new(async move {
                        me.wait().await.ok().and_then(|m| m.figures.disk_left).map(|left| {
                            let left = left / 1_000_000;
                            view! {
                                <Note icon="triangle-alert" tone="st-failed" alert=true>
                                    <span>
                                        {format!(
                                            "The disk of the server is nearly full ({left} MB free): no new task is taken, \
                                             none that waits begins, and output waits at the agents. Free space in its data folder; what runs goes on.",
                                        )}
                                    </span>
                                </Note>
                            }
                        })
                    })}
                    {move || Suspend::new(async move {
                        me.wait().await.is_ok_and(|m| m.plain_http).then(|| {
                            view! {
                                <Note icon="triangle-alert" tone="st-lost">
                                    <span>
                                        "People reach this server over plain http: passwords and sessions can be read on the way. \
                                         Put a proxy with TLS in front of it and set "<code>"public_url"</code>"."
                                    </span>
                                </Note>
                            }
                        })
                    })}
                </Transition>
                {children()}
            </main>
        </div>
    }
    .into_any()
}
