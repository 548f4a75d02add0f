//! Plans and their revisions.
//!
//! **Invariant:** a task started here has the cause `api`.

use super::Doors;
use super::answer::{Answer, Made};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint, field};
use crate::web::body::{Fields, Id, MaySend, Sent};
use crate::web::identity::Who;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use domain::PlanId;
use domain::page::Page;
use domain::plan::view::{NewPlan, PlanCheck, PlanSummary, PlanView, RevisionView, SavePlan};
use domain::task::{CauseKind, RunPlan, TaskView};
use serde::Deserialize;
use utoipa::ToSchema;

/// A document to check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlanText {
    /// The YAML text.
    document: String,
    /// Whether it is the file of a plan that is kept in its repository: it then needs no name and has no source.
    #[serde(default)]
    in_repository: bool,
}

pub fn endpoints() -> Vec<Endpoint> {
    [list_endpoint(), plan_endpoints()].concat()
}

/// What the command line needs too: it knows plans by name.
pub fn list_endpoint() -> Vec<Endpoint> {
    let list = endpoint(Method::GET, "/plans", "Plans, newest first.", list)
        .query([LIMIT, CURSOR, field("q", "Text in name or description.")])
        .lists::<PlanSummary>();
    vec![list]
}

fn plan_endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::POST, "/plans", "Makes a plan.", create)
            .takes::<NewPlan>()
            .gives::<PlanView>()
            .creates(Makes::Thing),
        endpoint(
            Method::POST,
            "/plans/validate",
            "Checks a document and saves nothing.",
            validate,
        )
        .takes::<PlanText>()
        .gives::<PlanCheck>(),
        endpoint(Method::GET, "/plans/{id}", "One plan with its document.", show).gives::<PlanView>(),
        endpoint(
            Method::PUT,
            "/plans/{id}",
            "Saves a new revision; 409 when `version` is stale.",
            save,
        )
        .takes::<SavePlan>()
        .gives::<PlanView>(),
        endpoint(
            Method::DELETE,
            "/plans/{id}",
            "Archives a plan; its tasks stay.",
            delete,
        )
        .nothing(),
        endpoint(
            Method::GET,
            "/plans/{id}/revisions",
            "A plan's revisions, newest first.",
            revisions,
        )
        .query([LIMIT, CURSOR])
        .lists::<RevisionView>(),
        endpoint(Method::POST, "/plans/{id}/tasks", "Runs a plan.", run)
            .may_take::<RunPlan>()
            .gives::<TaskView>()
            .creates(Makes::Thing),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<PlanSummary>> {
    let q = fields.one("q").map(str::to_owned);
    Ok(Json(web.ports.plans.list(&viewer, q, fields.page()?).await?))
}

async fn create(State(web): Doors, Who(viewer): Who, Sent(plan): Sent<NewPlan>) -> Result<Made<PlanView>, Refusal> {
    let plan = web.ports.plans.create(&viewer, plan).await?;
    Ok(Made(format!("/api/v1/plans/{}", plan.summary.id), plan))
}

async fn validate(State(web): Doors, Who(viewer): Who, Sent(text): Sent<PlanText>) -> Answer<PlanCheck> {
    Ok(Json(
        web.ports
            .plans
            .validate(&viewer, text.document, text.in_repository)
            .await?,
    ))
}

async fn show(State(web): Doors, Who(viewer): Who, Id(id): Id<PlanId>) -> Answer<PlanView> {
    Ok(Json(web.ports.plans.get(&viewer, id).await?))
}

async fn save(State(web): Doors, Who(viewer): Who, Id(id): Id<PlanId>, Sent(plan): Sent<SavePlan>) -> Answer<PlanView> {
    Ok(Json(web.ports.plans.save(&viewer, id, plan).await?))
}

async fn delete(State(web): Doors, Who(viewer): Who, Id(id): Id<PlanId>) -> Result<StatusCode, Refusal> {
    web.ports.plans.delete(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revisions(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<PlanId>,
    fields: Fields,
) -> Answer<Page<RevisionView>> {
    Ok(Json(web.ports.plans.revisions(&viewer, id, fields.page()?).await?))
}

async fn run(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<PlanId>,
    MaySend(wish): MaySend<RunPlan>,
) -> Result<Made<TaskView>, Refusal> {
    let task = web.ports.tasks.run(&viewer, id, wish, CauseKind::Api).await?;
    Ok(Made(format!("/api/v1/tasks/{}", task.id), task))
}
