//! Triggers, their firings, and trying rules out.
//!
//! **Invariant:** a secret is in the one answer that makes it.

use super::Doors;
use super::answer::{Answer, Made};
use super::endpoint::{CURSOR, Endpoint, LIMIT, endpoint, field, many};
use crate::web::body::{Fields, Id, Sent};
use crate::web::identity::Who;
use crate::web::middleware::replay::Makes;
use crate::web::refusal::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use domain::page::Page;
use domain::trigger::{
    Checked, CronPreview, CronQuestion, FiringView, Kind, MadeTrigger, NewTrigger, PutTrigger, RulesCheck,
    RulesQuestion, Tried, TriggerQuery, TriggerView, TryOut, Verdict,
};
use domain::{Error, FiringId, PlanId, TriggerId};

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint(Method::GET, "/triggers", "Triggers, newest first.", list)
            .query([
                LIMIT,
                CURSOR,
                many("kind", "`poll`, `cron`, `webhook` or `upstream`."),
                field("plan", "The id of the plan that is started."),
                field("q", "A text in the trigger's name or the plan's."),
                field("unwell", "`true`: those alone that somebody should look at."),
            ])
            .lists::<TriggerView>(),
        endpoint(
            Method::POST,
            "/triggers",
            "Makes a trigger. A webhook without `hook_id` gets a hook of its own; a secret that is made for it is in this answer alone.",
            create,
        )
        .takes::<NewTrigger>()
        .gives::<MadeTrigger>()
        .creates(Makes::Secret),
        endpoint(Method::GET, "/triggers/{id}", "One trigger.", get).gives::<TriggerView>(),
        endpoint(Method::PUT, "/triggers/{id}", "Saves a trigger; 409 when `version` is stale.", save)
            .takes::<PutTrigger>()
            .gives::<TriggerView>(),
        endpoint(Method::PUT, "/triggers/{id}/enable", "Switches a trigger on.", enable).gives::<TriggerView>(),
        endpoint(Method::PUT, "/triggers/{id}/disable", "Switches a trigger off.", disable).gives::<TriggerView>(),
        endpoint(Method::POST, "/triggers/{id}/fire", "Fires a trigger now, whatever its rules say.", fire)
            .gives::<FiringView>()
            .creates(Makes::Thing),
        endpoint(Method::POST, "/triggers/{id}/check", "Looks at what a poll looks at, now.", check).gives::<Checked>(),
        endpoint(Method::GET, "/triggers/{id}/firings", "What a trigger decided, newest first.", of_one)
            .query([LIMIT, CURSOR, many("verdict", "`started`, `held`, `nothing` or `error`.")])
            .lists::<FiringView>(),
        endpoint(
            Method::POST,
            "/triggers/try",
            "Says what would be decided about an event; starts and saves nothing.",
            try_out,
        )
        .takes::<TryOut>()
        .gives::<Tried>(),
        endpoint(
            Method::POST,
            "/triggers/cron",
            "What an expression of cron means, its next ten times, and who else fires then.",
            preview,
        )
        .takes::<CronQuestion>()
        .gives::<CronPreview>(),
        endpoint(
            Method::POST,
            "/triggers/rules",
            "What is wrong with rules, and what is probably not meant: a field that no delivery of the hook ever had, say.",
            check_rules,
        )
        .takes::<RulesQuestion>()
        .gives::<RulesCheck>(),
        endpoint(Method::GET, "/firings", "What all triggers decided, newest first.", firings)
            .query([LIMIT, CURSOR, many("verdict", "`started`, `held`, `nothing` or `error`.")])
            .lists::<FiringView>(),
        endpoint(Method::GET, "/firings/{id}", "One firing, with its delivery.", firing).gives::<FiringView>(),
        endpoint(
            Method::POST,
            "/firings/{id}/replay",
            "Decides again about what a firing was about, by the trigger as it is now.",
            replay,
        )
        .gives::<FiringView>()
        .creates(Makes::Thing),
        endpoint(
            Method::DELETE,
            "/triggers/{id}",
            "Removes a trigger with its firings; its tasks stay.",
            delete,
        )
        .nothing(),
    ]
}

async fn list(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<TriggerView>> {
    let kinds = fields.words("kind", |w| w.parse::<Kind>().is_ok(), "poll, cron, webhook, upstream")?;
    let query = TriggerQuery {
        kinds: kinds.iter().filter_map(|k| k.parse().ok()).collect(),
        plan: fields.read::<PlanId>("plan", "the id of a plan")?,
        text: fields.one("q").map(str::to_owned),
        unwell: fields.flag("unwell")?,
    };
    Ok(Json(web.ports.triggers.list(&viewer, query, fields.page()?).await?))
}

async fn create(
    State(web): Doors,
    Who(viewer): Who,
    Sent(wish): Sent<NewTrigger>,
) -> Result<Made<MadeTrigger>, Refusal> {
    let made = web.ports.triggers.create(&viewer, wish).await?;
    Ok(Made(format!("/api/v1/triggers/{}", made.trigger.id), made))
}

async fn get(State(web): Doors, Who(viewer): Who, Id(id): Id<TriggerId>) -> Answer<TriggerView> {
    Ok(Json(web.ports.triggers.get(&viewer, id).await?))
}

async fn save(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<TriggerId>,
    Sent(wish): Sent<PutTrigger>,
) -> Answer<TriggerView> {
    Ok(Json(web.ports.triggers.save(&viewer, id, wish).await?))
}

async fn enable(State(web): Doors, Who(viewer): Who, Id(id): Id<TriggerId>) -> Answer<TriggerView> {
    Ok(Json(web.ports.triggers.enable(&viewer, id, true).await?))
}

async fn disable(State(web): Doors, Who(viewer): Who, Id(id): Id<TriggerId>) -> Answer<TriggerView> {
    Ok(Json(web.ports.triggers.enable(&viewer, id, false).await?))
}

async fn fire(State(web): Doors, Who(viewer): Who, Id(id): Id<TriggerId>) -> Result<Made<FiringView>, Refusal> {
    let firing = web.ports.triggers.fire(&viewer, id).await?;
    Ok(Made(format!("/api/v1/firings/{}", firing.id), firing))
}

async fn check(State(web): Doors, Who(viewer): Who, Id(id): Id<TriggerId>) -> Answer<Checked> {
    Ok(Json(web.ports.triggers.check(&viewer, id).await?))
}

async fn delete(State(web): Doors, Who(viewer): Who, Id(id): Id<TriggerId>) -> Result<StatusCode, Refusal> {
    web.ports.triggers.delete(&viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn of_one(
    State(web): Doors,
    Who(viewer): Who,
    Id(id): Id<TriggerId>,
    fields: Fields,
) -> Answer<Page<FiringView>> {
    let verdicts = verdicts(&fields)?;
    Ok(Json(
        web.ports
            .triggers
            .firings(&viewer, Some(id), verdicts, fields.page()?)
            .await?,
    ))
}

async fn firings(State(web): Doors, Who(viewer): Who, fields: Fields) -> Answer<Page<FiringView>> {
    let verdicts = verdicts(&fields)?;
    Ok(Json(
        web.ports
            .triggers
            .firings(&viewer, None, verdicts, fields.page()?)
            .await?,
    ))
}

fn verdicts(fields: &Fields) -> Result<Vec<Verdict>, Error> {
    let words = fields.words(
        "verdict",
        |w| w.parse::<Verdict>().is_ok(),
        "started, held, nothing, error",
    )?;
    Ok(words.iter().filter_map(|w| w.parse().ok()).collect())
}

async fn firing(State(web): Doors, Who(viewer): Who, Id(id): Id<FiringId>) -> Answer<FiringView> {
    Ok(Json(web.ports.triggers.firing(&viewer, id).await?))
}

async fn replay(State(web): Doors, Who(viewer): Who, Id(id): Id<FiringId>) -> Result<Made<FiringView>, Refusal> {
    let firing = web.ports.triggers.replay(&viewer, id).await?;
    Ok(Made(format!("/api/v1/firings/{}", firing.id), firing))
}

async fn preview(State(web): Doors, Who(viewer): Who, Sent(what): Sent<CronQuestion>) -> Answer<CronPreview> {
    Ok(Json(web.ports.triggers.preview(&viewer, what).await?))
}

async fn check_rules(State(web): Doors, Who(viewer): Who, Sent(what): Sent<RulesQuestion>) -> Answer<RulesCheck> {
    Ok(Json(web.ports.triggers.check_rules(&viewer, what).await?))
}

async fn try_out(State(web): Doors, Who(viewer): Who, Sent(what): Sent<TryOut>) -> Answer<Tried> {
    Ok(Json(web.ports.triggers.try_out(&viewer, what).await?))
}
