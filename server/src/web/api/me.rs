//! Oneself.
//!
//! **Invariant:** tells a caller nothing that their own credential does not say.

use super::Doors;
use super::answer::Answer;
use super::endpoint::{Endpoint, endpoint};
use crate::web::identity::Who;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use domain::ports::MeView;

pub fn endpoints() -> Vec<Endpoint> {
    vec![endpoint(Method::GET, "/me", "Who the credential is.", show).gives::<MeView>()]
}

async fn show(State(web): Doors, Who(viewer): Who) -> Answer<MeView> {
    Ok(Json(web.ports.access.me(&viewer).await?))
}
