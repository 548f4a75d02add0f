//! Tasks, their console, and the attempts of their jobs.
//!
//! **Invariant:** a task's console is its steps' bytes and nothing of ours; `Accept` is not looked at.

use super::Doors;
use super::answer::{Answer, Made, window};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint, field, many};
use super::steps::{GAPS, gaps};
use crate::web::body::{Fields, Id, MaySend};
use crate::web::identity::{Identity, Who};
use crate::web::lasting;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use domain::page::Page;
use domain::status::TaskStatus;
use domain::task::{AttemptView, CauseKind, Rerun, TaskDocument, TaskQuery, TaskView};
use domain::{JobId, TaskId};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::GET, "/tasks", "Tasks, newest first.", list)
            .query([
                LIMIT,
                CURSOR,
                many("status", "States; `waiting` is taken for `pending`."),
                many("plan", "Plan ids or names."),
                many("agent", "Agent ids or names."),
                many("cause", "Kinds of cause."),
                many("branch", "Branches."),
                many("build", "Builds."),
                field(
                    "q",
                    "Text in plan name, message, author, branch or revision; `#12` finds a task by id.",
                ),
            ])
            .lists::<TaskView>(),
        endpoint(Method::GET, "/tasks/{id}", "One task.", show).gives::<TaskView>(),
        endpoint(
            Method::POST,
            "/tasks/{id}/abort",
            "Ends a task; harmless when it has ended.",
            abort,
        )
        .gives::<TaskView>(),
        endpoint(
            Method::POST,
            "/tasks/{id}/approve",
            "Lets a change from a fork run: its revision is approved for its plan, and every task that waited for that goes on; \
             409 when the task waits for no approval.",
            approve,
        )
        .gives::<TaskView>(),
        endpoint(
            Method::GET,
            "/tasks/{id}/document",
            "The document it runs; of a plan in its repository the file at its revision, with what is wrong with it.",
            document,
        )
        .gives::<TaskDocument>(),
        endpoint(
            Method::POST,
            "/tasks/{id}/rerun",
            "Runs a task again from its own snapshot.",
            rerun,
        )
        .may_take::<Rerun>()
        .gives::<TaskView>()
        .creates(Makes::Thing),
        endpoint(
            Method::GET,
            "/tasks/{id}/console",
            "The steps' bytes in job, then step order, nothing between. `Caracal-Gaps` as of a step's console.",
            console,
        )
        .query([
            field(
                "follow",
                "`true` goes on to the end; lines of parallel jobs come whole, as they arrive.",
            ),
            field("setup", "`true` puts set-up and clean-up in."),
        ])
        .media("text/plain"),
        endpoint(
            Method::GET,
            "/jobs/{id}/attempts",
            "Every attempt of a job, newest first.",
            attempts,
        )
        .query([LIMIT, CURSOR])
        .lists::<AttemptView>(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<TaskView>> {
    let is_status = |s: &str| s == "waiting" || s.parse::<TaskStatus>().is_ok();
    let query = TaskQuery {
        status: fields.words(
            "status",
            is_status,
            "waiting, pending, running, passed, failed, aborted, timed_out, lost, skipped",
        )?,
        cause: fields.words(
            "cause",
            |s| s.parse::<CauseKind>().is_ok(),
            "manual, api, rerun, poll, cron, webhook, upstream",
        )?,
        plan: fields.all("plan"),
        agent: fields.all("agent"),
        branch: fields.all("branch"),
        build: fields.all("build"),
        q: fields.one("q").map(str::to_owned),
        page: fields.page()?,
    };
    Ok(Json(web.ports.tasks.list(&viewer, query).await?))
}

async fn show(State(web): Doors, Who(viewer): Who, Id(id): Id<TaskId>) -> Answer<TaskView> {
    Ok(Json(web.ports.tasks.get(&viewer, id).await?))
}

async fn abort(State(web): Doors, Who(viewer): Who, Id(id): Id<TaskId>) -> Answer<TaskView> {
    Ok(Json(web.ports.tasks.abort(&viewer, id).await?))
}

async fn approve(State(web): Doors, Who(viewer): Who, Id(id): Id<TaskId>) -> Answer<TaskView> {
    Ok(Json(web.ports.tasks.approve(&viewer, id).await?))
}

async fn document(State(web): Doors, Who(viewer): Who, Id(id): Id<TaskId>) -> Answer<TaskDocument> {
    Ok(Json(web.ports.tasks.document(&viewer, id).await?))
}

async fn rerun(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<TaskId>,
    MaySend(wish): MaySend<Rerun>,
) -> Result<Made<TaskView>, Refusal> {
    let task = web.ports.tasks.rerun(&viewer, id, wish.failed_only).await?;
    Ok(Made(format!("/api/v1/tasks/{}", task.id), task))
}

async fn console(
    State(web): Doors,
    Who(viewer): Who,
    Extension(who): Extension<Identity>,
    Id(id): Id<TaskId>,
    fields: Fields,
) -> Result<Response, Refusal> {
    let (follow, setup) = (fields.flag("follow")?, fields.flag("setup")?);
    let whole = web.ports.console.task(&viewer, id, follow, setup).await?;
    let missing = gaps(whole.gaps);
    let bytes = lasting::while_allowed(whole.bytes, viewer, who.credential, &web);
    // A proxy that buffers would hold a live console back.
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (lasting::UNBUFFERED, HeaderValue::from_static("no")),
        (GAPS, missing),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

async fn attempts(State(web): Doors, Who(viewer): Who, Id(id): Id<JobId>, fields: Fields) -> Answer<Page<AttemptView>> {
    let all = web.ports.tasks.attempts(&viewer, id).await?;
    Ok(Json(window(all, &fields.page()?, |a| a.id.0)?))
}
