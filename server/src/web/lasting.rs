//! Answers that last: streams that end when their viewer's rights do (reliability S12).
//!
//! **Invariant:** no stream outlives its viewer's rights by more than five seconds.

use super::identity::Credential;
use super::site::Web;
use axum::http::HeaderName;
use domain::auth::Viewer;
use domain::ports::Access;
use futures::{Stream, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;

/// Asks proxies not to hold bytes back.
pub const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The stream, until it ends or its viewer has no rights, or other ones, any more.
pub fn while_allowed<S: Stream + Send + 'static>(
    stream: S,
    viewer: Viewer,
    credential: Credential,
    web: &Web,
) -> impl Stream<Item = S::Item> + Send + use<S> {
    stream.take_until(revoked(
        viewer,
        credential,
        web.ports.access.clone(),
        web.site.look_again,
    ))
}

/// Returns when the viewer's rights have changed or ended, or their session or token has.
async fn revoked(viewer: Viewer, credential: Credential, access: Arc<dyn Access>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        match credential.present(access.as_ref(), &viewer).await {
            Ok(Some(now)) if now.grants == viewer.grants => {}
            // A database that does not answer takes nobody's rights away.
            Err(domain::Error::Unavailable(_) | domain::Error::Internal(_)) => {}
            Ok(_) | Err(_) => return,
        }
    }
}
