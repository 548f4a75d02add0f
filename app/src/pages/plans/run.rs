//! Running a plan: at once, or with a branch, a commit and a priority of one's own.
//!
//! **Invariant:** both are plain forms of the same server function; what is left empty is the plan's choice.

use super::api::RunPlan;
use crate::components::ActionForm;
use crate::components::{ButtonKind, Icon, IconSize};
use crate::wire::Deed;
use domain::PlanId;
use leptos::prelude::*;

/// The button, and the choices behind it.
#[component]
pub fn Run(
    /// Which plan.
    plan: PlanId,
    /// Branch of its source, `None` when it has no source to choose from.
    branch: Option<String>,
    /// The action.
    run: Deed<RunPlan>,
) -> impl IntoView {
    let pending = run.pending();
    let fields = branch.map(|branch| {
        let usual = if branch.is_empty() {
            "the default branch".to_owned()
        } else {
            branch
        };
        view! {
            <div class="field">
                <label for="run-branch">"Branch"</label>
                <input id="run-branch" name="branch" class="input input-sm mono" placeholder=usual autocomplete="off"/>
            </div>
            <div class="field">
                <label for="run-revision">"Commit"</label>
                <input
                    id="run-revision"
                    name="revision"
                    class="input input-sm mono"
                    placeholder="the newest"
                    autocomplete="off"
                    aria-describedby="run-revision-hint"
                />
                <p class="hint" id="run-revision-hint">"Its full id, 40 hex digits."</p>
            </div>
        }
    });
    view! {
        <div class="flex gap-1">
            <ActionForm action=run>
                <input type="hidden" name="plan" value=plan.0/>
                <button class=ButtonKind::Primary.class() type="submit" aria-busy=move || pending.get().to_string()>
                    <Icon name="play"/>
                    "Run"
                </button>
            </ActionForm>
            <details class="pop">
                <summary class="btn btn-line btn-sm btn-square" aria-label="Run with choices">
                    <Icon name="chevron-down" size=IconSize::Small/>
                </summary>
                <div class="pop-body p-3 w-72 whitespace-normal">
                    <ActionForm action=run attr:class="grid gap-3">
                        <input type="hidden" name="plan" value=plan.0/>
                        {fields}
                        <div class="field">
                            <label for="run-priority">"Priority"</label>
                            <select id="run-priority" name="priority" class="select select-sm">
                                <option value="25">"high"</option>
                                <option value="0" selected=true>"normal"</option>
                                <option value="-25">"low"</option>
                            </select>
                        </div>
                        <button class="btn btn-sm btn-primary justify-center" type="submit">"Run with these"</button>
                    </ActionForm>
                </div>
            </details>
        </div>
    }
}
