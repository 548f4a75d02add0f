//! What the editor opens with: the first document of a new plan, and refused drafts of forms that were sent without a
//! script, kept while the browser is led back.
//!
//! **Invariant:** a draft is only shown to who sent it, for the plan it was sent for; the oldest goes when there are many,
//! so they never fill the memory. Losing one loses no fact of the product.

use super::view::Draft;
use crate::context::wants_html;
use crate::error::{Error, Result};
use domain::{PlanId, UserId};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// What stands in the editor of a new plan.
pub const FIRST: &str = "\
name: my-plan

# Where the files come from. Leave it out for a plan that needs none.
# source: { git: \"https://example.org/team/app.git\", branch: main }

steps:
  - name: hello
    run: |
      echo \"Hello from $(uname -sr)\"
      date
";

/// Most drafts kept, of everybody together; each is at most as large as a request.
const KEPT: usize = 32;

struct Kept {
    number: u64,
    user: UserId,
    plan: Option<PlanId>,
    draft: Draft,
    refused: Error,
}

struct Shelf {
    last: u64,
    kept: VecDeque<Kept>,
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf {
    last: 0,
    kept: VecDeque::new(),
});

/// Answers a refused form: to a script with the error; to a browser by leading it back to the editor, which then shows the
/// error above what was typed.
pub fn refused(user: UserId, plan: Option<PlanId>, editor: &str, draft: Draft, error: domain::Error) -> Result<()> {
    if !wants_html() {
        return Err(Error::respond(error));
    }
    let number = keep(user, plan, draft, Error::Domain(error));
    leptos_axum::redirect(&format!("{editor}?draft={number}"));
    Ok(())
}

fn keep(user: UserId, plan: Option<PlanId>, draft: Draft, refused: Error) -> u64 {
    let mut shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
    shelf.last += 1;
    let number = shelf.last;
    shelf.kept.push_back(Kept {
        number,
        user,
        plan,
        draft,
        refused,
    });
    while shelf.kept.len() > KEPT {
        shelf.kept.pop_front();
    }
    number
}

/// The draft of that number, if this user sent it for this plan; it stays, so that the page can be loaded again.
pub fn take_up(user: UserId, plan: Option<PlanId>, number: u64) -> Option<(Draft, Error)> {
    let shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
    let found = shelf
        .kept
        .iter()
        .find(|k| k.number == number && k.user == user && k.plan == plan)?;
    Some((found.draft.clone(), found.refused.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_document_can_be_saved_as_it_stands() {
        let read = domain::plan::document::read(FIRST, &Default::default());
        assert!(read.is_ok(), "{read:?}");
    }

    #[test]
    fn a_draft_comes_back_to_its_sender_alone_and_old_ones_go() {
        let error = Error::Domain(domain::Error::Conflict("stale".into()));
        let draft = |text: &str| Draft {
            document: text.into(),
            ..Draft::default()
        };
        let (ana, ben, plan) = (UserId(1), UserId(2), Some(PlanId(7)));
        let first = keep(ana, plan, draft("mine"), error.clone());
        assert_eq!(take_up(ana, plan, first), Some((draft("mine"), error.clone())));
        assert_eq!(take_up(ben, plan, first), None);
        assert_eq!(take_up(ana, None, first), None);
        assert_eq!(take_up(ana, plan, 0), None);
        for _ in 0..KEPT {
            keep(ben, None, draft("more"), error.clone());
        }
        assert_eq!(take_up(ana, plan, first), None);
    }
}
