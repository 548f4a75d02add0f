//! Rules, tried on a real delivery while they are written; a field of it becomes a rule by a click.
//!
//! **Invariant:** what is said of a rule is what the server would decide.

use super::api::{EditView, try_rules};
use super::fields::{Told, wrong};
use crate::browser;
use crate::components::{Icon, IconSize, Time};
use crate::memo::memo;
use domain::trigger::{Asked, DeliveryView, Tried, Verdict};
use leptos::prelude::*;
use serde_json::Value;

/// Milliseconds without a key before rules are tried.
const PAUSE: u32 = 300;
/// Fields of a payload that are shown.
const SHOWN: usize = 60;

/// The field.
#[component]
pub fn Fields(written: RwSignal<String>) -> impl IntoView {
    let of = wrong("rules");
    view! {
        <div class="field">
            <label for="rules">"Start a task when all of these are true"</label>
            <textarea
                id="rules"
                name="draft[rules]"
                class="textarea mono field-sizing-content"
                rows="3"
                placeholder="branch == release/*"
                spellcheck="false"
                autocapitalize="off"
                aria-describedby="rules-hint"
                aria-invalid=move || of.get().is_some().then_some("true")
                prop:value=move || written.get()
                on:input:target=move |ev| written.set(ev.target().value())
            >
                {written.get_untracked()}
            </textarea>
            <p class="hint" id="rules-hint">
                "One a line: " <code>"branch == release/*"</code> ", " <code>"path == docs/**"</code> ", "
                <code>"message =~ \"(?i)urgent\""</code> ". " <code>"&& || ! ( )"</code> " join within a line."
            </p>
            <Told name="rules"/>
        </div>
    }
    .into_any()
}

/// What the rules say of the newest delivery, and its fields.
#[component]
pub fn Beside(data: Signal<EditView>, written: RwSignal<String>, plan: String) -> impl IntoView {
    let newest = memo(move |_| data.with(|d| d.deliveries.first().cloned()));
    let trigger = data.with_untracked(|d| d.id).map_or(0, |id| id.0);
    let attempt = Action::new(move |(id, rules): &(domain::DeliveryId, String)| {
        try_rules(*id, trigger, rules.clone(), plan.clone())
    });
    Effect::new(move || {
        let (rules, id) = (written.get(), newest.with(|n| n.as_ref().map(|n| n.id)));
        browser::after(PAUSE, move || {
            if let Some(id) = id.filter(|_| written.get_untracked() == rules) {
                attempt.dispatch((id, rules));
            }
        });
    });
    let tried = move || match attempt.value().get() {
        Some(Ok(tried)) => Some(said(tried).into_any()),
        Some(Err(e)) => {
            let told: Vec<_> = e
                .problems()
                .iter()
                .map(|p| view! { <p class="text-small text-failed">{p.to_string()}</p> })
                .collect();
            Some(view! { <div class="pt-3">{told}</div> }.into_any())
        }
        None => None,
    };
    move || {
        newest.get().map(|delivery| {
            view! {
                <section class="k k-webhook min-w-0" aria-labelledby="delivery">
                    <div class="sect-head">
                        <h2 id="delivery">"In the delivery of " <Time at=delivery.at/></h2>
                        <span class="aside desk">"choose a field to make a rule of it"</span>
                    </div>
                    <div aria-live="polite">{tried}</div>
                    <Payload delivery written/>
                </section>
            }
        })
    }
}

/// The verdict on the newest delivery.
fn said(tried: Tried) -> impl IntoView {
    let (class, icon, words) = match tried.verdict {
        Verdict::Started | Verdict::Held => ("st st-passed", "circle-check", "would start a task".to_owned()),
        Verdict::Nothing => ("st st-waiting", "circle-slash", tried.reason.unwrap_or_default()),
        Verdict::Error => ("st st-failed", "circle-x", tried.reason.unwrap_or_default()),
    };
    let history = tried.of_last.filter(|n| n[0] > 1).map(|[all, now, then]| {
        view! {
            <p class="text-small text-ink-3">
                "Of the last " {all} " deliveries, " {then} " would start a task; as it is saved, " {now} "."
            </p>
        }
    });
    view! {
        <div class="grid gap-1 py-3">
            <p class="flex gap-2 items-start text-table">
                <span class=class>
                    <Icon name=icon/>
                </span>
                <span class="wrap-anywhere">{words}</span>
            </p>
            <ul class="grid gap-0.5">{tried.evaluation.rules.into_iter().map(one).collect::<Vec<_>>()}</ul>
            {history}
        </div>
    }
}

fn one(asked: Asked) -> impl IntoView {
    let (class, icon, word) = if asked.holds {
        ("st st-passed", "check", "true")
    } else {
        ("st st-failed", "x", "false")
    };
    view! {
        <li class="flex gap-2 items-baseline text-small min-w-0">
            <span class=class>
                <Icon name=icon size=IconSize::Small/>
                <span>{word}</span>
            </span>
            <code class="trunc">{asked.rule}</code>
            <span class="text-ink-3 wrap-anywhere">{asked.why}</span>
        </li>
    }
}

/// The fields of a payload, each with a button.
#[component]
fn Payload(delivery: DeliveryView, written: RwSignal<String>) -> impl IntoView {
    let mut fields = Vec::new();
    if let Some(payload) = &delivery.payload {
        flat(payload, "payload", &mut fields);
    }
    let rows: Vec<_> = fields
        .into_iter()
        .map(|(path, value)| {
            let rule = format!("{path} == {}", quoted(&value));
            let label = format!("Make a rule of {path}");
            view! {
                <tr>
                    <td class="mono text-small text-ink-2 wrap-anywhere">{path}</td>
                    <td class="mono text-small wrap-anywhere">{value}</td>
                    <td class="text-end w-20">
                        <button
                            type="button"
                            class="btn btn-ghost btn-xs"
                            aria-label=label
                            on:click=move |_| {
                                written
                                    .update(|all| {
                                        if !all.is_empty() && !all.ends_with('\n') {
                                            all.push('\n');
                                        }
                                        all.push_str(&rule);
                                    });
                            }
                        >
                            <Icon name="plus" size=IconSize::Small/>
                            "Rule"
                        </button>
                    </td>
                </tr>
            }
        })
        .collect();
    view! {
        <div class="max-h-[420px] overflow-y-auto border-t border-line-soft" tabindex="0" role="region" aria-label="Fields of the payload">
            <table class="data [&_td]:py-1!">
                <thead class="sr-only">
                    <tr>
                        <th scope="col">"Field"</th>
                        <th scope="col">"Value"</th>
                        <th scope="col">"Action"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The fields of a payload that have a value, by the path that rules name them by.
fn flat(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    if out.len() >= SHOWN {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flat(value, &format!("{path}.{name}"), out);
            }
        }
        Value::Array(all) => {
            if let Some(first) = all.first() {
                flat(first, path, out);
            }
        }
        Value::String(text) if text.len() <= 200 => out.push((path.to_owned(), text.clone())),
        Value::Number(_) | Value::Bool(_) => out.push((path.to_owned(), value.to_string())),
        Value::String(_) | Value::Null => {}
    }
}

/// As a rule writes it.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_named_as_rules_name_them() {
        let mut found = Vec::new();
        flat(
            &json!({ "a": { "b": 1 }, "c": [{ "d": "x y" }, { "d": "z" }], "e": null, "f": true }),
            "payload",
            &mut found,
        );
        let rules: Vec<String> = found.iter().map(|(p, v)| format!("{p} == {}", quoted(v))).collect();
        assert_eq!(
            rules,
            ["payload.a.b == 1", "payload.c.d == \"x y\"", "payload.f == true"]
        );
    }
}
