//! What the editor opens with: the first document of a new plan, and refused drafts of forms that were sent without a
//! script, kept while the browser is led back.
//!
//! **Invariant:** a draft is only shown to who sent it, in the editor it was sent from.

use super::view::Draft;
use crate::context::wants_html;
use crate::error::{Error, Result};
use crate::shelf;
use domain::UserId;

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

/// Answers a refused form: to a script with the error; to a browser by leading it back to the editor, which then shows the
/// error above what was typed.
pub fn refused(user: UserId, editor: &str, draft: Draft, error: domain::Error) -> Result<()> {
    if !wants_html() {
        return Err(Error::respond(error));
    }
    let number = shelf::put(user, editor, &(draft, Error::Domain(error)));
    leptos_axum::redirect(&format!("{editor}?draft={number}"));
    Ok(())
}

/// The draft of that number, if this user sent it to this editor; it stays, so that the page can be loaded again.
pub fn take_up(user: UserId, editor: &str, number: u64) -> Option<(Draft, Error)> {
    shelf::look(user, editor, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_document_can_be_saved_as_it_stands() {
        let read = domain::plan::document::read(FIRST, &Default::default());
        assert!(read.is_ok(), "{read:?}");
    }
}
