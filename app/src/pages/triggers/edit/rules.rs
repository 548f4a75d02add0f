//! Rules: the field, and what is wrong or doubtful in it while one writes, each at its place.
//!
//! **Invariant:** a mistake keeps from saving, a doubt does not; both are told where they stand.

use super::api::{EditView, check_rules};
use super::fields::{ChosenHook, Told, told, wrong};
use crate::browser;
use crate::components::{Icon, IconSize};
use crate::editor::{Editor, State};
use crate::memo::memo;
use domain::Problem;
use domain::trigger::RulesCheck;
use leptos::prelude::*;

/// Milliseconds without a key before the server is asked.
const PAUSE: u32 = 300;

/// The rules of a text, one a line.
pub fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    lines.map(str::to_owned).collect()
}

/// What there is to say of the rules as they are written; nothing before the first look.
pub fn checked(data: Signal<EditView>, written: RwSignal<String>, editor: Editor) -> Signal<Option<RulesCheck>> {
    let found = RwSignal::new(None);
    let chosen = expect_context::<ChosenHook>().0;
    let ask = Action::new(move |(rules, hook): &(String, i64)| {
        let (rules, hook) = (rules.clone(), *hook);
        async move { (rules.clone(), check_rules(rules, hook).await) }
    });
    let known = memo(move |_| {
        let chosen = chosen.get();
        data.with(|d| {
            d.known
                .clone()
                .filter(|_| d.hook.as_ref().is_some_and(|h| h.id.to_string() == chosen))
        })
    });
    Effect::new(move || {
        let rules = written.get();
        match editor.state() {
            State::Coming => {}
            State::There => {
                if let Some(Ok(check)) = known.with(|known| editor.rules(&lines(&rules), known.as_ref())) {
                    found.set(Some(check));
                }
            }
            State::Missing => {
                let hook = chosen.get().parse().unwrap_or(0);
                browser::after(PAUSE, move || {
                    if written.get_untracked() == rules {
                        ask.dispatch((rules, hook));
                    }
                });
            }
        }
    });
    Effect::new(move || {
        if let Some((of, Ok(check))) = ask.value().get()
            && of == written.get_untracked()
        {
            found.set(Some(check));
        }
    });
    found.into()
}

/// The field.
#[component]
pub fn Fields(written: RwSignal<String>, checked: Signal<Option<RulesCheck>>) -> impl IntoView {
    let refused = wrong("rules");
    let bad = memo(move |_| match checked.get() {
        Some(check) => !check.problems.is_empty(),
        None => refused.get().is_some(),
    });
    let live = move || match checked.get() {
        Some(check) => {
            let problems = check.problems.into_iter().map(|p| place(&p, written.into(), true));
            let all: Vec<_> = problems
                .chain(check.warnings.into_iter().map(|p| place(&p, written.into(), false)))
                .collect();
            view! { <ul class="grid gap-1">{all}</ul> }.into_any()
        }
        None => view! { <Told name="rules"/> }.into_any(),
    };
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
                aria-describedby="rules-hint rules-said"
                aria-invalid=move || bad.get().then_some("true")
                prop:value=move || written.get()
                on:input:target=move |ev| written.set(ev.target().value())
            >
                {written.get_untracked()}
            </textarea>
            <p class="hint" id="rules-hint">
                "One a line: " <code>"branch == release/*"</code> ", " <code>"path == docs/**"</code> ", "
                <code>"message =~ \"(?i)urgent\""</code> ". " <code>"&& || ! ( )"</code> " join within a line."
            </p>
            <div id="rules-said" aria-live="polite">
                {live}
            </div>
        </div>
    }
    .into_any()
}

/// One thing to say, which leads to its place.
pub fn place(problem: &Problem, written: Signal<String>, wrong: bool) -> impl IntoView + use<> {
    let (class, icon) = match wrong {
        true => ("text-failed", "circle-x"),
        false => ("text-lost", "triangle-alert"),
    };
    let rule = super::fields::rule_of(problem);
    let column = problem.column.unwrap_or(1);
    let show = move |_| {
        if let Some((line, lead)) = rule.and_then(|n| line_of(&written.get_untracked(), n)) {
            browser::show_place("rules", line, column + lead);
        }
    };
    view! {
        <li class=format!("flex gap-1.5 items-start text-small {class}")>
            <span class="pt-px">
                <Icon name=icon size=IconSize::Small/>
            </span>
            <button type="button" class="text-start wrap-anywhere cursor-pointer hover:underline" on:click=show>
                {told(problem)}
            </button>
        </li>
    }
}

/// The line on which the nth rule stands, 1-based, and how many blanks stand before it.
fn line_of(text: &str, rule: usize) -> Option<(u32, u32)> {
    let written = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let (line, text) = written.into_iter().nth(rule)?;
    let lead = text.chars().take_while(|c| c.is_whitespace()).count();
    Some((u32::try_from(line).ok()? + 1, u32::try_from(lead).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_again_in_the_text() {
        let text = "\na == b\n\n  c == d\n";
        assert_eq!(lines(text), ["a == b", "c == d"]);
        assert_eq!(
            [line_of(text, 0), line_of(text, 1), line_of(text, 2)],
            [Some((2, 0)), Some((4, 2)), None]
        );
    }
}
