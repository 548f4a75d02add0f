//! What is shown when something is not there, not allowed or broken: words, what to do next, and the id of a fault.
//!
//! **Invariant:** on the server it also sets the status code of the page.

use super::{Ears, Icon, Page};
use crate::Error;
use crate::error::answer_with;
use leptos::prelude::*;

/// A whole page for an error of the page's main subject.
#[component]
pub fn ErrorView(
    /// What went wrong.
    error: Error,
) -> impl IntoView {
    let code = error.status();
    // Whoever is not signed in is being led to the sign-in page: that answer stands.
    if code != 401 {
        answer_with(code);
    }
    let (title, sentence) = words(&error);
    let sign_in = code == 401;
    view! {
        <Page title=title heading=title>
            <section class="blank pt-24!" aria-labelledby="error-title">
                <div class="w-full max-w-[420px]">
                    <Ears width=116/>
                    <div class="border-t border-line-strong"></div>
                </div>
                <p class="num text-small text-ink-3 mt-5">{code}</p>
                <h2 id="error-title" class="text-title! leading-7!">{title}</h2>
                <p>{sentence}</p>
                <div class="flex flex-wrap justify-center gap-2 mt-2">
                    {if sign_in {
                        view! { <a class="btn btn-primary btn-sm" href="/login" rel="external">"Sign in"</a> }.into_any()
                    } else {
                        view! {
                            <a class="btn btn-primary btn-sm" href="/">
                                <Icon name="arrow-right"/>
                                "Open the queue"
                            </a>
                            <a class="btn btn-line btn-sm" href="/plans">"See the plans"</a>
                        }
                        .into_any()
                    }}
                </div>
            </section>
        </Page>
    }
    .into_any()
}

/// Nothing has this address.
#[component]
pub fn NotFound() -> impl IntoView {
    view! { <ErrorView error=Error::Domain(domain::Error::NotFound("A page with this address".into()))/> }
}

/// An error of a part of a page, or of a form: a notice in its place.
#[component]
pub fn ErrorNote(
    /// What went wrong.
    error: Error,
) -> impl IntoView {
    let problems: Vec<_> = error
        .problems()
        .iter()
        .filter(|p| !error.to_string().contains(&p.message))
        .map(ToString::to_string)
        .collect();
    view! {
        <div class="note note-st st-failed" role="alert">
            <Icon name="circle-x"/>
            <div>
                <p>{error.to_string()}</p>
                {(!problems.is_empty())
                    .then(|| {
                        let items: Vec<_> = problems.into_iter().map(|p| view! { <li>{p}</li> }).collect();
                        view! { <ul class="list-disc ps-4 mt-1">{items}</ul> }
                    })}
            </div>
        </div>
    }
    .into_any()
}

/// What went wrong with a form, above it: nothing when every problem already stands below its field.
#[component]
pub fn FormError(
    /// What went wrong.
    #[prop(into)]
    error: Signal<Option<Error>>,
    /// The fields that show their own problems.
    fields: &'static [&'static str],
) -> impl IntoView {
    move || {
        let error = error.get()?;
        let problems = error.problems();
        let shown_below = !problems.is_empty() && problems.iter().all(|p| fields.contains(&p.path.as_str()));
        (!shown_below).then(|| view! { <ErrorNote error/> })
    }
}

fn words(error: &Error) -> (&'static str, String) {
    let title = match error.status() {
        400 => "This cannot be read",
        401 => "Sign in first",
        403 => "Not allowed",
        404 => "Not found",
        409 => "This has changed",
        422 => "Something in it is wrong",
        429 => "Too many tries",
        502 => "The server cannot be reached",
        503 => "Not right now",
        _ => "Something went wrong on our side",
    };
    let sentence = match error {
        Error::Domain(domain::Error::NotFound(what)) => {
            format!("{what} does not exist, or no longer does, or is not yours to see.")
        }
        Error::Domain(domain::Error::Internal(id)) => {
            format!("The details are in the server's own output under id {id}. Name it when you ask an admin.")
        }
        Error::Transport(_) => "Perhaps it is being restarted. Running jobs go on; load the page again.".into(),
        e => e.to_string(),
    };
    (title, sentence)
}
