//! One's own API tokens.
//!
//! **Invariant:** a token's secret is in the one answer that makes it, and in no other.

use super::Doors;
use super::answer::{Answer, Made, window};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint};
use crate::web::body::{Fields, Id, Sent};
use crate::web::identity::Who;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use domain::auth::TokenScope;
use domain::page::Page;
use domain::ports::{NewToken, TokenView};
use domain::{Timestamp, TokenId};
use serde::Deserialize;
use utoipa::ToSchema;

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenWish {
    /// So that you know it again.
    name: String,
    /// What it may be used for; all that the role allows when empty.
    #[serde(default)]
    scopes: Vec<TokenScope>,
    /// When it ends; never when absent.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    /// Whose; oneself when absent. For the command line.
    #[serde(default)]
    user: Option<String>,
}

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::GET, "/tokens", "One's own tokens, newest first.", list)
            .query([LIMIT, CURSOR])
            .lists::<TokenView>(),
        endpoint(
            Method::POST,
            "/tokens",
            "Makes a token for oneself; its secret is shown this once.",
            create,
        )
        .takes::<TokenWish>()
        .gives::<NewToken>()
        .creates(Makes::Secret),
        endpoint(
            Method::DELETE,
            "/tokens/{id}",
            "Revokes one of one's own tokens.",
            revoke,
        )
        .nothing(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<TokenView>> {
    let all = web.ports.access.tokens(&viewer).await?;
    Ok(Json(window(all, &fields.page()?, |t| t.id.0)?))
}

async fn create(State(web): Doors, Who(viewer): Who, Sent(wish): Sent<TokenWish>) -> Result<Made<NewToken>, Refusal> {
    let TokenWish {
        name,
        scopes,
        ends_at,
        user,
    } = wish;
    let token = web
        .ports
        .access
        .create_token(&viewer, user, name, scopes, ends_at)
        .await?;
    Ok(Made(format!("/api/v1/tokens/{}", token.view.id), token))
}

async fn revoke(State(web): Doors, Who(viewer): Who, Id(id): Id<TokenId>) -> Result<StatusCode, Refusal> {
    web.ports.access.revoke_token(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
