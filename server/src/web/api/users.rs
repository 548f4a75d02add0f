//! Users. For admins.
//!
//! **Invariant:** a password comes in and never goes out.

use super::Doors;
use super::answer::{Answer, Made, window};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint};
use crate::web::body::{Fields, Sent};
use crate::web::identity::Who;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use domain::auth::Role;
use domain::page::Page;
use domain::ports::UserView;
use serde::Deserialize;
use utoipa::ToSchema;

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// Letters, digits and `. _ - @`, at most 64.
    name: String,
    /// 8 to 128 characters.
    password: String,
    /// What they may do.
    role: Role,
}

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::GET, "/users", "Every user, by name. For admins.", list)
            .query([LIMIT, CURSOR])
            .lists::<UserView>(),
        endpoint(Method::POST, "/users", "Makes a user. For admins.", create)
            .takes::<NewUser>()
            .gives::<UserView>()
            .creates(Makes::Thing),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<UserView>> {
    let all = web.ports.access.users(&viewer).await?;
    Ok(Json(window(all, &fields.page()?, |u| u.id.0)?))
}

async fn create(State(web): Doors, Who(viewer): Who, Sent(new): Sent<NewUser>) -> Result<Made<UserView>, Refusal> {
    let user = web
        .ports
        .access
        .add_user(&viewer, new.name, new.password, new.role)
        .await?;
    Ok(Made(format!("/api/v1/users/{}", user.id), user))
}
