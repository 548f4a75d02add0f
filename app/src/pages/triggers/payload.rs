//! What was delivered: the payload as lines with a little colour, and its headers.
//!
//! **Invariant:** what others sent is text; a wrong guess of a colour costs a colour, nothing else.

use crate::browser;
use crate::components::{Icon, IconSize};
use domain::FiringId;
use leptos::prelude::*;

/// The payload.
#[component]
pub fn Payload(
    /// Of which firing.
    id: FiringId,
    /// Its lines; `None` when it is not kept any more.
    payload: Option<String>,
    /// How many lines are left out.
    more: u32,
) -> impl IntoView {
    let Some(text) = payload else {
        return view! {
            <section class="sect" aria-labelledby="payload">
                <div class="sect-head">
                    <h2 id="payload">"Payload"</h2>
                </div>
                <p class="text-table text-ink-2 pt-3">"It is not kept any more. What was decided about it stays."</p>
            </section>
        }
        .into_any();
    };
    let lines: Vec<_> = text.lines().map(line).collect();
    let more = (more > 0).then(|| {
        view! {
            <p class="t2 mt-2">
                {more}
                " more lines are in the API: "
                <code>{format!("GET /api/v1/firings/{id}")}</code>
            </p>
        }
    });
    view! {
        <section class="sect" aria-labelledby="payload">
            <div class="sect-head">
                <h2 id="payload">"Payload"</h2>
                <span class="aside">
                    <button
                        type="button"
                        class="btn btn-ghost btn-xs needs-script"
                        aria-label="Copy the payload"
                        on:click=move |_| browser::copy(&text)
                    >
                        <Icon name="copy" size=IconSize::Small/>
                        "Copy"
                    </button>
                </span>
            </div>
            <pre
                class="ed ed-plain border border-line border-t-0 rounded-b-lg max-h-[70vh] overflow-auto"
                tabindex="0"
                role="region"
                aria-label="Payload, JSON"
            >
                {lines}
            </pre>
            {more}
        </section>
    }
    .into_any()
}

fn line(text: &str) -> impl IntoView + use<> {
    let parts: Vec<_> = parts(text)
        .into_iter()
        .map(|(class, part)| match class {
            "" => part.into_any(),
            class => view! { <span class=class>{part}</span> }.into_any(),
        })
        .collect();
    view! { <span>{parts} "\n"</span> }
}

/// The parts of a line of JSON, and the class that colours each: keys, texts, and other values.
fn parts(line: &str) -> Vec<(&'static str, String)> {
    let mut out: Vec<(&'static str, String)> = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let (class, len) = match first {
            '"' => {
                let len = text_end(rest);
                (if rest[len..].starts_with(':') { "yk" } else { "ys" }, len)
            }
            c if word(c) => ("yn", rest.find(|c| !word(c)).unwrap_or(rest.len())),
            c => ("", c.len_utf8()),
        };
        let (part, tail) = rest.split_at(len);
        match out.last_mut() {
            Some((c, t)) if *c == class => t.push_str(part),
            _ => out.push((class, part.to_owned())),
        }
        rest = tail;
    }
    out
}

/// Where a text ends that begins here, with its quotes.
fn text_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The headers that are kept.
#[component]
pub fn Headers(all: Vec<(String, String)>) -> impl IntoView {
    let count = all.len();
    let rows: Vec<_> = all
        .into_iter()
        .map(|(name, value)| {
            view! {
                <dt class="mono">{name}</dt>
                <dd class="mono">{value}</dd>
            }
        })
        .collect();
    (count > 0).then(|| {
        view! {
            <details class="panel overflow-clip mt-4">
                <summary class="px-4 min-h-11 flex items-center gap-2 text-table">
                    <Icon name="chevron-right" size=IconSize::Small class="twist"/>
                    <b class="font-[600]">"Headers"</b>
                    <span class="text-ink-3">{count}</span>
                </summary>
                <dl class="kv px-4 pb-4">{rows}</dl>
            </details>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(line: &str) -> String {
        parts(line)
            .into_iter()
            .map(|(c, t)| match c {
                "" => t,
                c => format!("<{c}>{t}</>"),
            })
            .collect()
    }

    #[test]
    fn lines_of_json_are_tinted_and_nothing_is_lost() {
        for (line, want) in [
            ("{", "{"),
            (
                r#"  "ref": "refs/heads/main","#,
                r#"  <yk>"ref"</>: <ys>"refs/heads/main"</>,"#,
            ),
            (r#"  "a \" b": -1.5e3"#, r#"  <yk>"a \" b"</>: <yn>-1.5e3</>"#),
            (r#"  "private": true,"#, r#"  <yk>"private"</>: <yn>true</>,"#),
            ("    17,", "    <yn>17</>,"),
            ("  null", "  <yn>null</>"),
            (r#"  "é": [],"#, r#"  <yk>"é"</>: [],"#),
            ("  \"cut off", "  <ys>\"cut off</>"),
        ] {
            assert_eq!(marked(line), want);
            assert_eq!(parts(line).into_iter().map(|(_, t)| t).collect::<String>(), line);
        }
        for odd in ["é1", "ü\"", "tür", "1é", "\\", "-ß"] {
            assert_eq!(parts(odd).into_iter().map(|(_, t)| t).collect::<String>(), odd);
        }
    }
}
