//! One secret: what is known of it, and the form that sets it anew.
//!
//! **Invariant:** it is set over the version that is shown; who set it meanwhile is said before theirs is replaced.

use super::api::{LIST, SecretPage, SetSecret, get_secret};
use super::list::owner;
use super::users::Users;
use super::value;
use crate::components::{
    ActionForm, Ago, ButtonKind, Crumb, Favicon, FormError, Icon, LinkButton, Loaded, Note, Page, Sign,
};
use crate::layout::IfMay;
use crate::memo::memo;
use crate::wire::{Deed, Source};
use domain::auth::Action;
use domain::secret::SecretView;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn SecretShow() -> impl IntoView {
    let params = use_params_map();
    let set = Deed::<SetSecret>::new();
    provide_context(set);
    let id = memo(move |_| {
        let id = params.with(|p| p.get("id").unwrap_or_default());
        id.parse::<domain::SecretId>()
            .map_err(|_| crate::Error::Domain(domain::Error::NotFound(format!("Secret {id}"))))
    });
    // After a refusal it is read again: the form then goes over what stands there now.
    let page = Source::new(
        move || (id.get(), set.version().get()),
        |(id, _)| async move { get_secret(id?).await },
    );
    view! { <Loaded of=page body=|data| view! { <Body data/> }.into_any()/> }
}

#[component]
fn Body(data: Signal<SecretPage>) -> impl IntoView {
    let secret = memo(move |_| data.with(|d| d.secret.clone()));
    let name = secret.with_untracked(|s| s.name.clone());
    let users = memo(move |_| data.with(|d| d.users.clone()));
    let facts = move || {
        let now = data.with(|d| d.now);
        let s = secret.get();
        let used = match s.used_at {
            Some(at) => view! { <Ago at now/> }.into_any(),
            None => "never".into_any(),
        };
        view! {
            <dl class="kv">
                <dt>"For"</dt>
                <dd>{owner(s.plan)}</dd>
                <dt>"Set"</dt>
                <dd>
                    <Ago at=s.set_at now/>
                    " by "
                    {s.set_by}
                </dd>
                <dt>"Version"</dt>
                <dd>{s.version}</dd>
                <dt>"Last used"</dt>
                <dd>{used}</dd>
            </dl>
        }
    };
    view! {
        <Favicon sign=Sign::Plain/>
        <Page title=name.clone() heading=name crumbs=vec![Crumb::new("Secrets", LIST)]>
            {facts}
            {move || view! { <Users users=users.get()/> }}
            <IfMay action=Action::Write>
                <SetAnew secret/>
            </IfMay>
        </Page>
    }
    .into_any()
}

#[component]
fn SetAnew(secret: Memo<SecretView>) -> impl IntoView {
    let set = expect_context::<Deed<SetSecret>>();
    let stale = move || set.error().is_some_and(|e| e.status() == 409);
    let meanwhile = move || {
        stale().then(|| {
            let s = secret.get();
            view! {
                <Note icon="triangle-alert" tone="st-failed" alert=true>
                    <span>
                        {format!(
                            "{} was set by {} meanwhile and is at version {} now. Nothing of yours was set: send the value again to replace theirs.",
                            s.name,
                            s.set_by,
                            s.version,
                        )}
                    </span>
                </Note>
            }
        })
    };
    let other = Signal::derive(move || set.error().filter(|e| e.status() != 409));
    let wrong = Signal::derive(move || set.error().and_then(|e| e.problem_of("value")));
    view! {
        <section class="sect" aria-labelledby="set-anew">
            <div class="sect-head">
                <h2 id="set-anew">"Set it anew"</h2>
            </div>
            <ActionForm action=set attr:class="grid gap-4 mt-4 max-w-[560px]" attr:autocomplete="off">
                {meanwhile}
                <FormError error=other fields=&["value"]/>
                <input type="hidden" name="secret" value=move || secret.with(|s| s.id.0)/>
                <input type="hidden" name="version" value=move || secret.with(|s| s.version)/>
                {value::field("New value", wrong)}
                <div class="flex flex-wrap gap-2">
                    <button class=ButtonKind::Primary.class() type="submit">
                        <Icon name="key-round"/>
                        {move || format!("Set version {}", secret.with(|s| s.version + 1))}
                    </button>
                    <LinkButton href=LIST kind=ButtonKind::Ghost>
                        "Keep it as it is"
                    </LinkButton>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
