//! Why a job waits: an icon by its kind, and the sentence.
//!
//! **Invariant:** the icon is grey while time will solve it, amber when only a person can.

use super::Icon;
use domain::TaskId;
use domain::queue::{Blocker, ReasonCode};
use leptos::prelude::*;

/// A reason for waiting.
#[component]
pub fn Reason(
    /// Its kind.
    code: ReasonCode,
    /// The sentence.
    #[prop(into)]
    sentence: String,
    /// What it waits for; linked after the sentence where it has a page of its own.
    #[prop(optional_no_strip)]
    blocker: Option<Blocker>,
    /// The task that waits: no link leads to itself.
    task: TaskId,
) -> impl IntoView {
    let icon = match code {
        ReasonCode::Needs => "workflow",
        ReasonCode::Slots => "layers",
        ReasonCode::NoAgent => "server-off",
        ReasonCode::Away => "unplug",
        ReasonCode::Paused => "circle-pause",
        ReasonCode::Resolving => "git-branch",
        ReasonCode::Approval => "stamp",
        ReasonCode::Placing => "hourglass",
        ReasonCode::Disk => "triangle-alert",
    };
    let class = if code.blocked() {
        "reason reason-block"
    } else {
        "reason"
    };
    let link = blocker.and_then(|b| match b.kind.as_str() {
        "task" if b.id != task.0 => Some((format!("/tasks/{}", b.id), format!("Open #{}", b.id))),
        "agent" => Some((format!("/agents/{}", b.id), "See the agent".to_owned())),
        _ => None,
    });
    view! {
        <div class=class>
            <Icon name=icon/>
            <span>
                {sentence} {link.map(|(href, text)| view! { " " <a class="alink" href=href>{text}</a> })}
            </span>
        </div>
    }
}
