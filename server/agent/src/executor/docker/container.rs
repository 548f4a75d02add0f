//! One container from create to its start.
//!
//! **Invariant:** it is attached before it is started, so that no byte is missed; whatever goes wrong on the way, it is
//! handed to the reaper.

use super::client::{Engine, explain, fault, gone, status};
use super::init::Words;
use super::life;
use super::names::{ATTEMPT, LIFE, SERVER, STEP};
use super::profile::{Container, Inside, WORKSPACE, body};
use super::pump::{Attached, Draining, drain};
use super::session::Place;
use crate::executor::output::Sink;
use crate::executor::{ExecError, StepCommand, command};
use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters as query;

/// A started container.
pub(super) struct Started {
    pub id: String,
    /// Where in the spool its output begins.
    pub from: u64,
    pub draining: Draining,
}

/// Creates, attaches, starts.
pub(super) async fn start(place: &Place, nth: u32, step: StepCommand) -> Result<Started, ExecError> {
    let argv = command::argv(&step.command)?;
    let mut env = step.env;
    env.entry("CARACAL_WORKSPACE".into())
        .or_insert_with(|| WORKSPACE.into());
    let env: Vec<_> = env.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    let mut labels = place.owner.labels(place.spec.slot);
    labels.insert(ATTEMPT.into(), place.spec.attempt.to_string());
    labels.insert(STEP.into(), step.id.to_string());
    labels.extend(life::word(&place.engine).await.map(|word| (LIFE.into(), word)));
    let body = |logged| {
        body(Container {
            image: &place.image.id,
            inside: Inside::Command {
                argv: argv.clone(),
                env: env.clone(),
                logged,
            },
            labels: labels.clone(),
            network: &place.network,
            workspace: &place.spec.workspace,
            limits: place.limits,
            user: None,
        })
    };
    let from = place.spec.spool.len();
    let id = match create(place, nth, body(true)).await {
        // An engine that keeps no logs of this form: what it writes while nobody is attached is a gap.
        Err(e) if e.to_string().contains("log driver") || e.to_string().contains("log opt") => {
            create(place, nth, body(false)).await?
        }
        made => made?,
    };
    let draining = match attach(&place.engine, &id).await {
        Ok(output) => drain(output, Words::default(), Sink::new(place.spec.spool.clone())),
        Err(e) => {
            place.reaper.remove(place.engine.clone(), id);
            return Err(fault("The container's output could not be attached", &e));
        }
    };
    if let Err(e) = place.engine.api.start_container(&id, None).await {
        drop(draining);
        place.reaper.remove(place.engine.clone(), id);
        return Err(not_started(place, &e).await);
    }
    Ok(Started { id, from, draining })
}

/// Makes the container; answers its id.
async fn create(place: &Place, nth: u32, body: ContainerCreateBody) -> Result<String, ExecError> {
    let name = place.owner.container(&place.spec, nth);
    match make(place, &name, body.clone()).await {
        Err(e) if status(&e) == Some(409) => {}
        made => return made.map_err(|e| not_made(place, &e)),
    }
    // The name is taken: by what an earlier life of this attempt left, or by another server on the same engine.
    let found = place.engine.api.inspect_container(&name, None).await.ok();
    let (id, config) = found.map_or((None, None), |c| (c.id, c.config));
    let labels = config.and_then(|c| c.labels).unwrap_or_default();
    let name = match id {
        Some(_) if labels.get(SERVER) != Some(&place.owner.server) => place.owner.other_container(&place.spec, nth),
        Some(id) => {
            place.reaper.remove_now(&place.engine, &id).await;
            name
        }
        None => name,
    };
    make(place, &name, body).await.map_err(|e| not_made(place, &e))
}

async fn make(place: &Place, name: &str, body: ContainerCreateBody) -> Result<String, Error> {
    let options = query::CreateContainerOptionsBuilder::default().name(name).build();
    place.reaper.expect(name);
    match place.engine.api.create_container(Some(options), body).await {
        Ok(made) => {
            place.reaper.expected(name, Some(&made.id));
            Ok(made.id)
        }
        Err(e) => {
            if gone(&e) {
                // Without an answer it may be there.
                place.reaper.remove(place.engine.clone(), name.into());
            } else {
                place.reaper.expected(name, None);
            }
            Err(e)
        }
    }
}

/// Its output from now on.
pub(super) async fn attach(engine: &Engine, name: &str) -> Result<Attached, Error> {
    let options = query::AttachContainerOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .stream(true)
        .build();
    Ok(engine.api.attach_container(name, Some(options)).await?.output)
}

fn not_made(place: &Place, e: &Error) -> ExecError {
    let why = explain(e);
    if why.contains("bind source path does not exist") {
        return ExecError::Machine(format!(
            "The engine does not see the workspace {}; it must run on the agent's own machine.",
            place.spec.workspace.display()
        ));
    }
    if status(e) == Some(404) {
        return ExecError::Refused(format!(
            "The image {} is not on the engine any more: {why}.",
            place.image.name
        ));
    }
    fault("The step's container could not be made", e)
}

async fn not_started(place: &Place, e: &Error) -> ExecError {
    let why = explain(e);
    if why.contains("docker-init") {
        return ExecError::Machine(
            "The engine has no docker-init, which steps need; install Debian's tini or Docker's own package.".into(),
        );
    }
    if why.contains("network") && why.contains("not found") {
        place.networks.forget(&place.network).await;
        return ExecError::Machine(
            "The slot's network was removed from the engine; the next job makes it anew.".into(),
        );
    }
    match fault("The step's container could not be started", e) {
        ExecError::Refused(why) if why.contains("no space left on device") => ExecError::Machine(why),
        other => other,
    }
}
