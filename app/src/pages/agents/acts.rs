//! Whether an agent takes jobs: the forms that pause, drain and resume it.
//!
//! **Invariant:** each form carries the version that was shown, so nobody undoes what they have not seen.

use super::api::PatchAgent;
use crate::components::{ActionForm, ButtonKind, Icon, Menu};
use crate::wire::Deed;
use domain::AgentId;
use domain::status::Availability;
use leptos::prelude::*;

/// Which agent, as it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub id: AgentId,
    pub version: i64,
    pub name: String,
    pub availability: Availability,
    /// Whether it is offline.
    pub away: bool,
}

impl Shown {
    pub fn of(a: &domain::agent::AgentView) -> Self {
        Self {
            id: a.id,
            version: a.version,
            name: a.name.clone(),
            availability: a.availability,
            away: a.status == domain::status::AgentStatus::Offline,
        }
    }
}

fn hidden(s: &Shown, to: Availability) -> impl IntoView + use<> {
    let (id, version) = (s.id.0, s.version);
    view! {
        <input type="hidden" name="agent" value=id/>
        <input type="hidden" name="version" value=version/>
        <input type="hidden" name="availability" value=to.as_str()/>
    }
}

/// The form that pauses it, behind a button; an icon in rows of a table.
pub fn pause(s: Shown, patch: Deed<PatchAgent>, in_row: bool) -> AnyView {
    let note = format!("pause-note-{}", s.id);
    let until = format!("pause-until-{}", s.id);
    let label = format!("Pause {}", s.name);
    let sentence = match s.away {
        true => "It takes no job when it comes back.",
        false => "What runs there goes on. It takes nothing new.",
    };
    let form = view! {
        <ActionForm action=patch attr:class="grid gap-3">
            {hidden(&s, Availability::Paused)}
            <div class="field">
                <label for=note.clone()>"Note, shown on every job that waits for it"</label>
                <input id=note class="input input-sm" name="note" maxlength="200"/>
            </div>
            <div class="field">
                <label for=until.clone()>"Ends"</label>
                <select id=until name="hours" class="select select-sm">
                    <option value="0" selected=true>"when someone resumes it"</option>
                    <option value="1">"in an hour"</option>
                    <option value="4">"in 4 hours"</option>
                    <option value="24">"in a day"</option>
                    <option value="168">"in a week"</option>
                </select>
            </div>
            <p class="text-small text-ink-3">{sentence}</p>
            <button class="btn btn-sm btn-primary justify-center" type="submit">"Pause it"</button>
        </ActionForm>
    };
    const BODY: &str = "pop-body p-3 w-72 whitespace-normal";
    if in_row {
        view! { <Menu label icon="ellipsis" body=BODY>{form}</Menu> }.into_any()
    } else {
        view! { <Menu label="Pause" body=BODY>{form}</Menu> }.into_any()
    }
}

/// The button that drains it.
pub fn drain(s: Shown, patch: Deed<PatchAgent>) -> AnyView {
    view! {
        <ActionForm action=patch>
            {hidden(&s, Availability::Draining)}
            <button class=ButtonKind::Line.class() type="submit" title="What runs there ends as usual; it takes nothing new.">
                "Drain"
            </button>
        </ActionForm>
    }
    .into_any()
}

/// The button that lets it take jobs again.
pub fn resume(s: Shown, patch: Deed<PatchAgent>, kind: ButtonKind) -> AnyView {
    view! {
        <ActionForm action=patch>
            {hidden(&s, Availability::Active)}
            <button class=kind.class() type="submit" aria-label=format!("Resume {}", s.name)>
                {(kind != ButtonKind::Row).then(|| view! { <Icon name="play"/> })}
                "Resume"
            </button>
        </ActionForm>
    }
    .into_any()
}
