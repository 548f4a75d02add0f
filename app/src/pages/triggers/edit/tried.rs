//! What the rules say of the newest delivery while they are written; a field of it becomes a rule by a click.
//!
//! **Invariant:** what is said of a rule is what the server would decide: the editor's module judges by the same function, and
//! where it is not there the server is asked.

use super::api::{EditView, try_rules};
use super::rules::lines;
use crate::browser;
use crate::components::{Icon, IconSize, Time};
use crate::editor::{Editor, State};
use crate::error::Result;
use crate::memo::memo;
use crate::pages::triggers::verdict::Verdict;
use domain::trigger::{DeliveryView, Trial, Tried, TryOut, event_name};
use leptos::prelude::*;
use serde_json::Value;

/// Milliseconds without a key before the server is asked to try rules.
const PAUSE: u32 = 300;
/// The same for what it alone knows: what they would make of earlier deliveries.
const HISTORY: u32 = 900;
/// Fields of a payload that are shown.
const SHOWN: usize = 60;

/// What the rules say of the newest delivery, and its fields.
#[component]
pub fn Beside(data: Signal<EditView>, written: RwSignal<String>, editor: Editor) -> impl IntoView {
    let newest = memo(move |_| data.with(|d| d.deliveries.first().cloned()));
    let (trigger, plan, ignore_skip) = data.with_untracked(|d| {
        (
            d.id.map_or(0, |id| id.0),
            d.draft.plan.clone(),
            d.draft.ignore_skip == "true",
        )
    });
    let tried = RwSignal::new(None::<Result<Tried>>);
    let ask = Action::new(move |(id, rules): &(domain::DeliveryId, String)| {
        let (id, rules, plan) = (*id, rules.clone(), plan.clone());
        async move { (rules.clone(), try_rules(id, trigger, rules, plan, ignore_skip).await) }
    });
    Effect::new(move || {
        let Some(delivery) = newest.get() else { return };
        let (rules, state) = (written.get(), editor.state());
        let pause = match state {
            State::Coming => return,
            State::Missing => PAUSE,
            State::There => {
                let Some(now) = editor.try_out(&trial(data, &delivery, &rules, ignore_skip)) else {
                    return;
                };
                let of_last = tried.with_untracked(|t| t.as_ref()?.as_ref().ok()?.of_last);
                let good = now.is_ok();
                tried.set(Some(now.map(|t| Tried { of_last, ..t })));
                if !good || trigger == 0 || data.with_untracked(|d| d.deliveries.len() < 2) {
                    return;
                }
                HISTORY
            }
        };
        browser::after(pause, move || {
            if written.get_untracked() == rules {
                ask.dispatch((delivery.id, rules));
            }
        });
    });
    Effect::new(move || {
        if let Some((of, answer)) = ask.value().get()
            && of == written.get_untracked()
        {
            tried.set(Some(answer));
        }
    });
    let said = move || {
        match tried.get() {
        Some(Ok(tried)) => Some(view! { <Verdict tried/> }.into_any()),
        // Where and why stands at the field.
        Some(Err(_)) => Some(
            view! { <p class="text-small text-ink-3 pt-3">"What they say of it stands here when they can be read."</p> }
                .into_any(),
        ),
        None => None,
    }
    };
    move || {
        newest.get().map(|delivery| {
            view! {
                <section class="k k-webhook min-w-0" aria-labelledby="delivery">
                    <div class="sect-head">
                        <h2 id="delivery">"In the delivery of " <Time at=delivery.at/></h2>
                        <span class="aside desk">"choose a field to make a rule of it"</span>
                    </div>
                    <div aria-live="polite">{said}</div>
                    <Payload delivery written/>
                </section>
            }
        })
    }
}

/// The newest delivery with the rules as they are written.
fn trial(data: Signal<EditView>, delivery: &DeliveryView, rules: &str, ignore_skip: bool) -> Trial {
    data.with_untracked(|d| Trial {
        what: TryOut {
            rules: lines(rules),
            ignore_skip,
            provider: d.hook.as_ref().map(|h| h.provider),
            event: event_name(&delivery.headers).map(str::to_owned),
            payload: delivery.payload.clone(),
            ..TryOut::default()
        },
        text: None,
        source: None,
        known: None,
    })
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
