//! The document and the table of pages.
//!
//! **Invariant:** every page is rendered whole before it is sent (`SsrMode::Async`), so that its status code and title are
//! right and it can be read without a script.

use crate::chunks;
use crate::components::NotFound;
use crate::layout::Frame;
use crate::pages::agents::AgentRoutes;
use crate::pages::hooks::HookRoutes;
use crate::pages::plans::PlanRoutes;
use crate::pages::queue::QueueShow;
use crate::pages::repositories::RepositoryRoutes;
use crate::pages::secrets::SecretRoutes;
use crate::pages::tasks::TaskRoutes;
use crate::pages::triggers::TriggerRoutes;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Outlet, ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

#[cfg(feature = "ssr")]
pub use document::shell;

/// Every page by its path. Its type is erased, or every crate that names it would have to raise its recursion limit.
#[component]
pub fn App() -> AnyView {
    provide_meta_context();
    let framed = || {
        view! {
            <Frame>
                <Outlet/>
            </Frame>
        }
        .into_any()
    };
    let not_found = || {
        view! {
            <Frame>
                <NotFound/>
            </Frame>
        }
        .into_any()
    };
    view! {
        <Title formatter=|t: String| if t.is_empty() { "Caracal".into() } else { format!("{t} · Caracal") }/>
        <Router>
            <Routes fallback=not_found>
                <Route path=path!("/login") view=chunks::show_login ssr=SsrMode::Async/>
                <Route path=path!("/setup") view=chunks::show_setup ssr=SsrMode::Async/>
                <ParentRoute path=path!("") view=framed ssr=SsrMode::Async>
                    <Route path=path!("/") view=QueueShow ssr=SsrMode::Async/>
                    <PlanRoutes/>
                    <TaskRoutes/>
                    <AgentRoutes/>
                    <SecretRoutes/>
                    <RepositoryRoutes/>
                    <HookRoutes/>
                    <TriggerRoutes/>
                    <Route path=path!("/me") view=chunks::show_me ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
    .into_any()
}

#[cfg(feature = "ssr")]
mod document {
    use super::App;
    use crate::context::cookie;
    use crate::layout::Theme;
    use leptos::config::LeptosOptions;
    use leptos::hydration::HydrationScripts;
    use leptos::prelude::*;
    use leptos_meta::MetaTags;

    /// The whole document around the app.
    pub fn shell(options: LeptosOptions) -> AnyView {
        let theme = cookie(Theme::COOKIE)
            .as_deref()
            .and_then(Theme::read)
            .map(Theme::as_str);
        view! {
            <!DOCTYPE html>
            <html lang="en" data-theme=theme>
                <head>
                    <meta charset="utf-8"/>
                    <meta name="viewport" content="width=device-width, initial-scale=1"/>
                    <meta name="color-scheme" content="light dark"/>
                    <link rel="preload" href="/fonts/inter-latin-wght-normal.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous"/>
                    <link rel="stylesheet" href="/pkg/caracal.css"/>
                    <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                    <HydrationScripts options/>
                    <MetaTags/>
                </head>
                <body>
                    <App/>
                </body>
            </html>
        }
        .into_any()
    }
}
