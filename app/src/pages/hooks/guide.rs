//! What to do at the sender, so that it delivers here.
//!
//! **Invariant:** the words in bold are those of the sender's own pages.

use domain::trigger::{Generic, Provider};
use leptos::prelude::*;

/// The steps, one below the other.
pub fn steps(provider: Provider, signing: &Generic) -> AnyView {
    let b = |text: &'static str| view! { <b class="font-[560] text-ink">{text}</b> };
    let list = match provider {
        Provider::GitHub => view! {
            <li>"In the repository open " {b("Settings, Webhooks, Add webhook")} "."</li>
            <li>
                "Paste the address into " {b("Payload URL")} " and the secret into " {b("Secret")} "; choose "
                {b("application/json")} "."
            </li>
            <li>"Choose the events you want, and press " {b("Add webhook")} ": GitHub sends a ping at once."</li>
        }
        .into_any(),
        Provider::GitLab => view! {
            <li>"In the project open " {b("Settings, Webhooks, Add new webhook")} "."</li>
            <li>
                "Paste the address into " {b("URL")} " and the secret into " {b("Secret token")}
                "; or take GitLab's own signing token as the next secret here."
            </li>
            <li>"Choose " {b("Push events")} " and others you want, save, and press " {b("Test")} "."</li>
        }
        .into_any(),
        Provider::Gitea => view! {
            <li>"In the repository open " {b("Settings, Webhooks, Add webhook")} ", Forgejo or Gitea."</li>
            <li>"Paste the address into " {b("Target URL")} " and the secret into " {b("Secret")} "."</li>
            <li>"Choose the events you want and press " {b("Test delivery")} "."</li>
        }
        .into_any(),
        Provider::Generic => view! {
            <li>"Send a " {b("POST")} " with JSON to the address, " {proof(signing)} "."</li>
            <li>
                "Name each delivery in " <code>"webhook-id"</code> " or " <code>"Idempotency-Key"</code>
                ": one that is sent twice then starts nothing twice."
            </li>
        }
        .into_any(),
    };
    view! { <ol class="text-table grid gap-1 list-decimal ps-5 text-ink-2">{list}</ol> }.into_any()
}

fn proof(signing: &Generic) -> AnyView {
    match signing {
        Generic::Standard => view! { "signed with the secret as Standard Webhooks says" }.into_any(),
        Generic::Hmac(header) => view! {
            "with the HMAC-SHA-256 of the body under the secret, in hex, in " <code class="wrap-anywhere">{header.clone()}</code>
        }
        .into_any(),
        Generic::Bearer => view! { "with the secret in " <code>"Authorization: Bearer"</code> }.into_any(),
    }
}
