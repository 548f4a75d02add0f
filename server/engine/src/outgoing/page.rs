//! A look at a page: asked for with what is known of it, compared by the rules of `domain::poll`.
//!
//! **Invariant:** an answer that is no page (an error, a log-in) is never a change.

use super::client::{Answer, Client, Request};
use super::{Fault, FaultKind};
use domain::poll::{Looked, Page, UrlCursor, Watch, conditions, look_at};
use sha2::{Digest, Sha256};

/// Looks at a page. `request` is the question without conditions.
///
/// # Errors
/// When there is no answer, or what counts is not in it; the cursor then stays as it is.
pub async fn look(
    client: &Client,
    mut request: Request,
    watch: &Watch,
    before: Option<&UrlCursor>,
) -> Result<Looked, Fault> {
    for (name, value) in conditions(before, watch) {
        request = request.with(name, &value)?;
    }
    let answer = client.send(request).await?.good()?;
    look_at(before, &page(&answer), watch, |bytes| {
        Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
    })
    .map_err(|why| Fault::new(FaultKind::BadAnswer, why))
}

fn page(answer: &Answer) -> Page<'_> {
    Page {
        status: answer.status.as_u16(),
        etag: answer.header("etag"),
        last_modified: answer.header("last-modified"),
        body: &answer.body,
    }
}
