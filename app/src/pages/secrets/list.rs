//! The list of secrets: whose each is, who set it when, and whether anything uses it.
//!
//! **Invariant:** who may only read sees the list without acts; removing is asked for twice.

use super::api::{LIST, RemoveSecret, SecretsView, list_secrets};
use crate::components::{
    ActionForm, Ago, Blank, ButtonKind, Confirm, ErrorNote, Favicon, Icon, IconSize, LinkButton, Loaded, Page, Rows,
    Sign,
};
use crate::layout::{AdminTabs, IfMay, use_me};
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::Timestamp;
use domain::auth::Action;
use domain::secret::{SecretPlan, SecretView};
use leptos::prelude::*;

/// What rows share.
#[derive(Clone, Copy)]
struct Acts {
    remove: Deed<RemoveSecret>,
    /// Whether the viewer may set and remove.
    may: Signal<bool>,
}

/// The page of secrets.
#[component]
pub fn SecretList() -> impl IntoView {
    let me = use_me();
    let acts = Acts {
        remove: Deed::new(),
        may: Signal::derive(move || me.get().and_then(Result::ok).is_some_and(|m| m.may(Action::Write))),
    };
    provide_context(acts);
    let secrets = Source::new(move || acts.remove.version().get(), |_| list_secrets());
    view! { <Loaded of=secrets body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<SecretsView>) -> impl IntoView {
    let acts = expect_context::<Acts>();
    let items = memo(move |_| data.with(|d| d.secrets.clone()));
    let now = Signal::derive(move || data.with(|d| d.now));
    let none = memo(move |_| items.with(Vec::is_empty));
    let lead = Signal::derive(move || match items.with(Vec::len) {
        0 => String::new(),
        1 => "1 secret".into(),
        n => format!("{n} secrets"),
    });
    let new = view! {
        <IfMay action=Action::Write>
            {move || {
                (!none.get())
                    .then(|| {
                        view! {
                            <LinkButton href=format!("{LIST}/new") kind=ButtonKind::Primary icon="plus">
                                "New secret"
                            </LinkButton>
                        }
                    })
            }}
        </IfMay>
    };
    let failed = move || acts.remove.error().map(|error| view! { <ErrorNote error/> });
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title="Secrets" heading="Secrets" lead=lead acts=new.into_any()>
            <AdminTabs/>
            {failed}
            <Show when=move || !none.get() fallback=empty>
                <table class="data stack" role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col">"Secret"</th>
                            <th scope="col">"For"</th>
                            <th scope="col">"Set"</th>
                            <th scope="col">"Last used"</th>
                            <th scope="col"><span class="sr-only">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Rows items key=|s: &SecretView| s.id.0 row=move |s| row(s, now.get_untracked(), acts)/>
                    </tbody>
                </table>
                <p class="t2 mt-4">
                    "Values are sealed with a key that lies beside the database, and no page, API or command shows one again."
                </p>
            </Show>
        </Page>
    }
    .into_any()
}

fn empty() -> impl IntoView {
    view! {
        <Blank
            title="No secrets yet"
            sentence="A secret is a password, a token or a key that the server needs: to read a private repository, to check who a webhook comes from, to report a result. It is stored sealed, used by its name, and never shown again."
        >
            <IfMay action=Action::Write>
                <LinkButton href=format!("{LIST}/new") kind=ButtonKind::Primary icon="plus">
                    "Add the first secret"
                </LinkButton>
            </IfMay>
        </Blank>
    }
}

/// Whose a secret is.
pub fn owner(plan: Option<SecretPlan>) -> AnyView {
    match plan {
        Some(plan) => view! {
            <span class="inline-flex align-bottom items-center gap-1.5 min-w-0 max-w-full">
                <Icon name="file-code" size=IconSize::Small/>
                <span class="sr-only">"plan "</span>
                <a class="alink trunc" href=format!("/plans/{}", plan.id)>{plan.name}</a>
            </span>
        }
        .into_any(),
        None => view! { <span class="text-ink-2">"the whole project"</span> }.into_any(),
    }
}

fn row(s: SecretView, now: Timestamp, acts: Acts) -> AnyView {
    let (id, name) = (s.id, StoredValue::new(s.name.clone()));
    let used = match s.used_at {
        Some(at) => view! { <Ago at now/> }.into_any(),
        None => "never".into_any(),
    };
    let set_anew = format!("Set anew {}", s.name);
    view! {
        <tr role="row">
            <td role="cell" class="c-main max-[899px]:col-span-2 min-w-0 min-[900px]:w-[30%] min-[900px]:max-w-0">
                <span class="t1 mono">
                    <span class="trunc" title=s.name.clone()>{s.name.clone()}</span>
                </span>
                <span class="t2">{format!("version {}", s.version)}</span>
            </td>
            <td role="cell" class="c-wide min-w-0 min-[900px]:w-[22%] min-[900px]:max-w-0" data-label="for">{owner(s.plan)}</td>
            <td role="cell" class="c-cell text-ink-2" data-label="set">
                <Ago at=s.set_at now/>
                " by "
                {s.set_by}
            </td>
            <td role="cell" class="c-cell text-ink-2" data-label="used">{used}</td>
            <td role="cell" class="c-wide min-[900px]:w-[180px]">
                <Show when=move || acts.may.get()>
                    <span class="flex gap-2 min-[900px]:justify-end">
                        <LinkButton
                            href=format!("{LIST}/{id}")
                            kind=ButtonKind::Row
                            icon="pencil"
                            label=set_anew.clone()
                        >
                            "Set anew"
                        </LinkButton>
                        <Confirm
                            opens="Remove"
                            label=format!("Remove {}", name.get_value())
                            icon="trash-2"
                            sentence=format!(
                                "Whatever uses {} has no value from then on. It cannot be brought back.",
                                name.get_value(),
                            )
                        >
                            <ActionForm action=acts.remove>
                                <input type="hidden" name="secret" value=id.0/>
                                <button class="btn btn-sm btn-error justify-center" type="submit">"Remove it"</button>
                            </ActionForm>
                        </Confirm>
                    </span>
                </Show>
            </td>
        </tr>
    }
    .into_any()
}
