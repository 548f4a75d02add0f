//! The fields of the form: each with its label, its hint and what is wrong with it.
//!
//! **Invariant:** a field is named as the draft names it; what is wrong with it is told at it.

use crate::error::Error;
use leptos::prelude::*;

/// Why the form was refused, for its fields.
#[derive(Clone, Copy)]
pub struct Wrong(pub Signal<Option<Error>>);

/// The hook that is chosen now, by its id.
#[derive(Clone, Copy)]
pub struct ChosenHook(pub RwSignal<String>);

/// Fields of the draft, and where the port says that they are wrong.
const OWN: [(&str, &str); 23] = [
    ("name", "name"),
    ("plan", "plan_id"),
    ("cron", "config.cron"),
    ("zone", "config.zone"),
    ("most", "config.most"),
    ("until", "config.until"),
    ("hook", "config.hook_id"),
    ("provider", "config.provider"),
    ("signing", "config.signing"),
    ("secret", "config.secret"),
    ("git", "config.git"),
    ("repository", "config.repository_id"),
    ("url", "config.url"),
    ("pointer", "config.pointer"),
    ("every", "config.every"),
    ("branches", "config.branches"),
    ("tags", "config.tags"),
    ("up1", "config.plans"),
    ("up_branch", "config.branch"),
    ("rules", "rules"),
    ("branch", "branch"),
    ("revision", "revision"),
    ("priority", "priority"),
];

/// Whether a problem's place is a field of the form.
pub fn has_own(path: &str) -> bool {
    OWN.iter().any(|(_, p)| *p == path) || path.starts_with("rules[") || path.starts_with("parameters.")
}

/// What is wrong with a field, in one text.
pub fn wrong(name: &'static str) -> Signal<Option<String>> {
    let refused = expect_context::<Wrong>().0;
    Signal::derive(move || {
        let error = refused.get()?;
        let of = |path: &str| match name {
            "rules" => path.starts_with("rules"),
            "parameters" => path.starts_with("parameters"),
            _ => OWN.iter().any(|(field, place)| *field == name && *place == path),
        };
        let told: Vec<String> = error.problems().iter().filter(|p| of(&p.path)).map(told).collect();
        (!told.is_empty()).then(|| told.join(" "))
    })
}

/// The rule that a problem is of, counted from 0.
pub fn rule_of(problem: &domain::Problem) -> Option<usize> {
    let number = problem.path.strip_prefix("rules[")?;
    number.trim_end_matches(']').parse().ok()
}

/// A problem of a rule says which, and where in it.
pub fn told(problem: &domain::Problem) -> String {
    let place = match (rule_of(problem), problem.column) {
        (Some(n), Some(column)) => format!("Rule {}, column {column}: ", n + 1),
        (None, Some(column)) => format!("Column {column}: "),
        _ => String::new(),
    };
    let hint = problem.hint.as_ref().map(|h| format!(" {h}")).unwrap_or_default();
    format!("{place}{}{hint}", problem.message)
}

/// What is wrong, below a field.
#[component]
pub fn Told(name: &'static str) -> impl IntoView {
    let of = wrong(name);
    let id = format!("{name}-error");
    move || {
        of.get()
            .map(|e| view! { <p class="text-small text-failed" id=id.clone()>{e}</p> })
    }
}

/// A field of one line.
#[component]
pub fn Text(
    name: &'static str,
    #[prop(into)] label: String,
    value: String,
    #[prop(optional)] required: bool,
    /// Set in the face of code.
    #[prop(optional)]
    code: bool,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] placeholder: &'static str,
    #[prop(optional, into)] hint: String,
    /// A list of proposals in the page, by its id.
    #[prop(optional)]
    list: Option<&'static str>,
    /// Follows what is typed.
    #[prop(optional)]
    typed: Option<RwSignal<String>>,
) -> impl IntoView {
    let of = wrong(name);
    let class = if code {
        "input input-sm font-mono"
    } else {
        "input input-sm"
    };
    let hinted = !hint.is_empty();
    let described = move || match (of.get().is_some(), hinted) {
        (true, _) => Some(format!("{name}-error")),
        (false, true) => Some(format!("{name}-hint")),
        (false, false) => None,
    };
    // A secret is no part of the draft.
    let field = if name == "secret" {
        name.to_owned()
    } else {
        format!("draft[{name}]")
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                id=name
                name=field
                type=kind
                class=class
                value=value
                required=required
                placeholder=placeholder
                list=list
                autocomplete="off"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=move || of.get().is_some().then_some("true")
                on:input:target=move |ev| {
                    if let Some(typed) = typed {
                        typed.set(ev.target().value());
                    }
                }
            />
            {hinted.then(|| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
            <Told name/>
        </div>
    }
    .into_any()
}

/// A field of several lines, one thing a line.
#[component]
pub fn Lines(
    name: &'static str,
    #[prop(into)] label: String,
    value: String,
    #[prop(default = 2)] rows: u32,
    #[prop(optional)] placeholder: &'static str,
    #[prop(optional, into)] hint: String,
) -> impl IntoView {
    let of = wrong(name);
    let hinted = !hint.is_empty();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <textarea
                id=name
                name=format!("draft[{name}]")
                class="textarea mono field-sizing-content"
                rows=rows.to_string()
                placeholder=placeholder
                spellcheck="false"
                autocapitalize="off"
                aria-describedby=hinted.then(|| format!("{name}-hint"))
                aria-invalid=move || of.get().is_some().then_some("true")
            >
                {value}
            </textarea>
            {hinted.then(|| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
            <Told name/>
        </div>
    }
    .into_any()
}

/// A choice of one.
#[component]
pub fn Choice(
    name: &'static str,
    #[prop(into)] label: String,
    value: String,
    options: Vec<(String, String)>,
    /// Follows what is chosen.
    #[prop(optional)]
    typed: Option<RwSignal<String>>,
) -> impl IntoView {
    let options: Vec<_> = options
        .into_iter()
        .map(|(word, text)| {
            let chosen = word == value;
            view! {
                <option value=word selected=chosen>
                    {text}
                </option>
            }
        })
        .collect();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <select
                id=name
                name=format!("draft[{name}]")
                class="select select-sm"
                on:change:target=move |ev| {
                    if let Some(typed) = typed {
                        typed.set(ev.target().value());
                    }
                }
            >
                {options}
            </select>
            <Told name/>
        </div>
    }
    .into_any()
}

/// Words that are chosen from and what they mean.
pub fn options(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(word, text)| ((*word).to_owned(), (*text).to_owned()))
        .collect()
}

/// A choice of one among few, each with a sentence.
#[component]
pub fn Radios(
    name: &'static str,
    label: &'static str,
    value: String,
    /// Word, name, sentence.
    options: &'static [(&'static str, &'static str, &'static str)],
) -> impl IntoView {
    let one = |(word, text, sentence): &(&'static str, &'static str, &'static str)| {
        view! {
            <label class="flex gap-2.5 items-start py-1">
                <input type="radio" class="radio radio-sm mt-0.5" name=format!("draft[{name}]") value=*word checked=*word == value/>
                <span>
                    <span class="block text-table font-[520]">{*text}</span>
                    <span class="block text-small text-ink-3">{*sentence}</span>
                </span>
            </label>
        }
    };
    view! {
        <fieldset>
            <legend class="text-small font-[560] text-ink-2 mb-1">{label}</legend>
            {options.iter().map(one).collect::<Vec<_>>()}
        </fieldset>
    }
    .into_any()
}
