//! The queue: what waits, in order, and why.
//!
//! **Invariant:** the order is that in which jobs are handed out.

use super::Doors;
use super::answer::{Answer, window};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint};
use crate::web::body::Fields;
use crate::web::identity::Who;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use domain::page::Page;
use domain::queue::QueueItem;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(
            Method::GET,
            "/queue",
            "Waiting jobs in the order in which they are handed out.",
            list,
        )
        .query([LIMIT, CURSOR])
        .lists::<QueueItem>(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<QueueItem>> {
    let all = web.ports.queue.waiting(&viewer).await?;
    Ok(Json(window(all, &fields.page()?, |item| item.job_id.0)?))
}
