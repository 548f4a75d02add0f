//! The browsable page of the API at `/api`: what the document says, as plain HTML.
//!
//! **Invariant:** no script, and its one style element carries the nonce of the answer.

use super::endpoint::{Answer, Endpoint};
use super::{BASE, endpoints};
use axum::Extension;
use axum::response::Html;
use leptos::nonce::Nonce;
use std::fmt::Write as _;

const STYLE: &str = ":root{color-scheme:light dark;font:14px/1.5 Inter,system-ui,sans-serif}\
body{max-width:60rem;margin:0 auto;padding:24px 16px}h2{margin:32px 0 8px;font-size:16px}\
code{font:13px 'JetBrains Mono',monospace}details{border-top:1px solid color-mix(in srgb,currentColor 20%,transparent)}\
summary{display:flex;gap:12px;padding:8px 0;cursor:pointer;flex-wrap:wrap}summary b{min-width:4rem;color:#B8541A}\
table{border-collapse:collapse;margin:0 0 12px}td{padding:2px 16px 2px 0;vertical-align:top}p{margin:4px 0 12px}";

/// The page.
pub async fn reference(Extension(nonce): Extension<Nonce>) -> Html<String> {
    let mut out = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>API · Caracal</title><link rel=\"icon\" href=\"/favicon.svg\"><style nonce=\"{nonce}\">{STYLE}</style></head><body><main>\
         <p><a href=\"/\">Caracal</a></p><h1>API</h1>\
         <p>JSON under <code>{BASE}</code>, with <code>Authorization: Bearer TOKEN</code>. \
         The whole as OpenAPI 3.1: <a href=\"{BASE}/openapi.json\">openapi.json</a>. Tokens are made on <a href=\"/me\">your page</a>.</p>"
    );
    let mut tag = "";
    for e in &endpoints() {
        let own = e.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        if own != tag {
            let _ = write!(out, "<h2>{own}</h2>");
            tag = own;
        }
        entry(&mut out, e);
    }
    out.push_str("</main></body></html>");
    Html(out)
}

fn entry(out: &mut String, e: &Endpoint) {
    let _ = write!(
        out,
        "<details><summary><b>{}</b><code>{BASE}{}</code><span>{}</span></summary>",
        e.method,
        e.path,
        text(e.about)
    );
    let answer = match &e.answer {
        Answer::Nothing => "nothing".to_owned(),
        Answer::One(s) => s.name.clone(),
        Answer::Many(s) => format!("a page of {}", s.name),
        Answer::Media(m) => (*m).to_owned(),
    };
    let _ = write!(out, "<p>Answers {}: {}.", e.status, text(&answer));
    if let Some(body) = &e.body {
        let _ = write!(
            out,
            " Takes {}{}.",
            text(&body.name),
            if e.body_optional { ", which may be left out" } else { "" }
        );
    }
    if e.makes.is_some() {
        out.push_str(" Takes an <code>Idempotency-Key</code>.");
    }
    out.push_str("</p>");
    if !e.query.is_empty() {
        out.push_str("<table><tbody>");
        for f in e.query.iter() {
            let repeat = if f.many { " May be repeated." } else { "" };
            let _ = write!(
                out,
                "<tr><td><code>{}</code></td><td>{}{repeat}</td></tr>",
                f.name,
                text(f.about)
            );
        }
        out.push_str("</tbody></table>");
    }
    out.push_str("</details>");
}

/// Text as HTML; what stands between backticks as code.
fn text(plain: &str) -> String {
    let escaped = plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped
        .split('`')
        .enumerate()
        .fold(String::new(), |mut out, (i, part)| {
            let _ = if i % 2 == 1 {
                write!(out, "<code>{part}</code>")
            } else {
                write!(out, "{part}")
            };
            out
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_lists_every_entry_and_holds_no_script() {
        let Html(page) = reference(Extension(Nonce::from_value("n"))).await;
        for e in endpoints() {
            assert!(page.contains(&format!("<code>{BASE}{}</code>", e.path)), "{}", e.path);
        }
        assert!(!page.contains("<script") && !page.contains("style=\""));
    }
}
