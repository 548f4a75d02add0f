//! An assignment, read from the rows: all an agent needs to run an attempt to its end.
//!
//! **Invariant:** our own variables win over the plan's, and a step's condition is decided here, once, for its agent.

use super::Settings;
use crate::remotes::Remotes;
use crate::store::{Error, Result, Store, on};
use domain::label::{Condition, Labels};
use domain::lifecycle::Fence;
use domain::plan::{Job, Plan};
use domain::status::StepKind;
use domain::{JobId, StepId, TaskId};
use protocol::{Assignment, CheckoutSpec, Proof, StepSpec, ToAgent};
use sqlx::FromRow;
use std::collections::BTreeMap;

#[derive(FromRow)]
struct Row {
    task_id: i64,
    job_id: i64,
    number: i64,
    job_key: String,
    spec: String,
    resolved: String,
    plan: String,
    revision: Option<String>,
    branch: Option<String>,
    build: Option<String>,
    cause_kind: String,
    parameters: String,
    agent: String,
    labels_reported: String,
    labels_set: String,
}

#[derive(FromRow)]
struct Step {
    id: i64,
    kind: String,
    ordinal: i64,
    name: String,
}

/// An assignment and what goes before it.
pub(super) struct Given {
    pub assignment: Assignment,
    /// What proves to its source who asks.
    pub proof: Option<Proof>,
}

impl Given {
    /// What is sent of it, in order.
    pub(super) fn messages(self, fence: Fence) -> impl Iterator<Item = ToAgent> {
        let proves = self.assignment.checkout.as_ref().is_some_and(|c| c.proved);
        let proves = proves.then(|| self.proves(fence));
        proves.into_iter().chain([ToAgent::Assign(Box::new(self.assignment))])
    }

    /// What proves who asks, as it is sent.
    pub(super) fn proves(&self, fence: Fence) -> ToAgent {
        ToAgent::Proof {
            fence: super::translate::fence(fence),
            proof: self.proof.clone(),
        }
    }
}

/// Reads it; `None` when the attempt is no longer held by this fence.
pub(super) async fn read(store: &Store, remotes: &Remotes, settings: &Settings, fence: Fence) -> Result<Option<Given>> {
    let sql = "SELECT j.task_id, j.id AS job_id, a.number, j.key AS job_key, j.spec, d.resolved, p.name AS plan, t.revision, \
               t.branch, t.build, t.cause_kind, t.parameters, g.name AS agent, g.labels_reported, g.labels_set \
               FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN tasks t ON t.id = j.task_id \
               JOIN documents d ON d.digest = t.digest JOIN plans p ON p.id = t.plan_id JOIN agents g ON g.id = a.agent_id \
               WHERE a.id = $1 AND a.epoch = $2 AND a.finished_at IS NULL";
    let steps_sql = "SELECT id, kind, ordinal, name FROM steps WHERE attempt_id = $1 \
                     ORDER BY CASE kind WHEN 'setup' THEN 0 ELSE 1 END, ordinal";
    let (row, steps): (Option<Row>, Vec<Step>) = on!(store.db(), p => (
        sqlx::query_as(sql).bind(fence.attempt.0).bind(fence.epoch).fetch_optional(&mut *p).await?,
        sqlx::query_as(steps_sql).bind(fence.attempt.0).fetch_all(p).await?,
    ));
    let Some(row) = row else { return Ok(None) };
    let mut assignment = build(row, steps, settings, fence)?;
    let mut proof = None;
    if let Some(checkout) = &mut assignment.checkout {
        proof = remotes.proof(&checkout.url).await?;
        checkout.proved = proof.is_some();
    }
    Ok(Some(Given { assignment, proof }))
}

fn build(r: Row, steps: Vec<Step>, settings: &Settings, fence: Fence) -> Result<Assignment> {
    let job: Job = parse(&r.spec, "jobs")?;
    let plan: Plan = parse(&r.resolved, "documents")?;
    let parameters: BTreeMap<String, String> = parse(&r.parameters, "tasks")?;
    let mut env = plan.env.clone();
    env.extend(job.env.clone());
    let known = values(&r, &env, &parameters)?;
    env.extend(documented(&r, settings, &parameters));
    let checkout = plan.source.as_ref().map(|s| CheckoutSpec {
        url: s.git.clone(),
        branch: r.branch.clone(),
        revision: r.revision.clone().unwrap_or_default(),
        submodules: s.submodules,
        allow_local: settings.allow_local,
        proved: false,
    });
    let steps = steps
        .into_iter()
        .map(|s| step(s, &job, &known))
        .collect::<Result<Vec<_>>>()?;
    Ok(Assignment {
        fence: super::translate::fence(fence),
        task: TaskId(r.task_id),
        job: JobId(r.job_id),
        number: r.number,
        executor: job.executor,
        image: job.image.clone(),
        limits: job.limits,
        env,
        checkout,
        steps,
        timeout_ms: job.timeout_ms,
        grace_ms: settings.grace_ms,
    })
}

fn step(s: Step, job: &Job, known: &Labels) -> Result<StepSpec> {
    let kind: StepKind = s.kind.parse().map_err(|e| Error::corrupt("steps", e))?;
    let own = usize::try_from(s.ordinal)
        .ok()
        .filter(|_| kind == StepKind::Step)
        .and_then(|i| job.steps.get(i));
    if kind == StepKind::Step && own.is_none() {
        return Err(Error::corrupt(
            "steps",
            format!("step {} is not in its job's spec", s.id),
        ));
    }
    Ok(StepSpec {
        id: StepId(s.id),
        kind,
        name: s.name,
        command: own.map(|o| o.command.clone()),
        env: own.map(|o| o.env.clone()).unwrap_or_default(),
        skip: own.and_then(|o| unmet(&o.when, known)),
        allow_failure: own.is_some_and(|o| o.allow_failure),
        keep: own.is_some_and(|o| o.keep),
        timeout_ms: own.and_then(|o| o.timeout_ms),
    })
}

/// The sentence for a condition that does not hold.
fn unmet(when: &[Condition], known: &Labels) -> Option<String> {
    let c = when.iter().find(|c| !c.holds(known))?;
    let is = known.get(&c.key).filter(|v| !v.is_empty());
    Some(match is {
        Some(v) => format!("Skipped: it runs when {c}; {} is {v}.", c.key),
        None => format!("Skipped: it runs when {c}; {} is not set.", c.key),
    })
}

/// What a step's `when` can ask: the task, its agent's labels, the environment and the parameters.
fn values(r: &Row, env: &BTreeMap<String, String>, parameters: &BTreeMap<String, String>) -> Result<Labels> {
    let mut known: Labels = parse(&r.labels_reported, "agents")?;
    known.extend(parse::<Labels>(&r.labels_set, "agents")?);
    known.insert("agent".into(), r.agent.clone());
    known.insert("branch".into(), r.branch.clone().unwrap_or_default());
    known.insert("event".into(), r.cause_kind.clone());
    known.extend(env.iter().map(|(k, v)| (format!("env.{k}"), v.clone())));
    known.extend(parameters.iter().map(|(k, v)| (format!("parameters.{k}"), v.clone())));
    Ok(known)
}

/// The variables every step sees (DESIGN §8), but those of the step itself and of its workspace.
fn documented(r: &Row, settings: &Settings, parameters: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut env = vec![
        ("CI".to_owned(), "true".to_owned()),
        ("CARACAL_TASK_ID".into(), r.task_id.to_string()),
        ("CARACAL_JOB".into(), r.job_key.clone()),
        ("CARACAL_PLAN".into(), r.plan.clone()),
        ("CARACAL_REVISION".into(), r.revision.clone().unwrap_or_default()),
        ("CARACAL_BRANCH".into(), r.branch.clone().unwrap_or_default()),
        ("CARACAL_BUILD".into(), r.build.clone().unwrap_or_default()),
        ("CARACAL_CAUSE".into(), r.cause_kind.clone()),
        ("CARACAL_ATTEMPT".into(), r.number.to_string()),
        (
            "CARACAL_URL".into(),
            format!("{}/tasks/{}", settings.public_url, r.task_id),
        ),
    ];
    env.extend(
        parameters
            .iter()
            .map(|(k, v)| (format!("CARACAL_PARAM_{}", variable(k)), v.clone())),
    );
    env
}

/// A parameter's name as part of a variable's: upper case, anything else an underscore.
fn variable(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, table: &'static str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::corrupt(table, e))
}
