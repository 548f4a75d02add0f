//! One container from create to its end.
//!
//! **Invariant:** it is attached before it is started, so that no byte is missed; whatever goes wrong on the way, it is
//! handed to the reaper.

use super::client::{Engine, explain, fault, gone, status};
use super::image::Image;
use super::names::SERVER;
use super::profile::{Container, Effective, Inside, WORKSPACE, body};
use super::pump::{Attached, Drained, drain};
use super::session::Place;
use crate::executor::output::Sink;
use crate::executor::{ExecError, StepCommand, command};
use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters as query;
use domain::console::view::Stream;
use futures::StreamExt;
use protocol::Exit;
use tokio::task::JoinHandle;

const MIB: i64 = 1 << 20;

/// A started container.
pub(super) struct Started {
    pub id: String,
    draining: JoinHandle<Drained>,
}

/// Creates, attaches, starts.
pub(super) async fn start(place: &Place, nth: u32, step: StepCommand) -> Result<Started, ExecError> {
    let argv = command::argv(&step.command)?;
    let mut env = step.env;
    env.entry("CARACAL_WORKSPACE".into())
        .or_insert_with(|| WORKSPACE.into());
    let body = body(Container {
        image: &place.image.id,
        inside: Inside::Command {
            argv,
            env: env.into_iter().map(|(k, v)| format!("{k}={v}")).collect(),
        },
        labels: place.owner.labels(place.spec.slot),
        network: &place.network,
        workspace: &place.spec.workspace,
        limits: place.limits,
        user: None,
    });
    let id = create(place, nth, body).await?;
    let draining = match attach(&place.engine, &id).await {
        Ok(output) => tokio::spawn(drain(output, Sink::new(place.spec.spool.clone()))),
        Err(e) => {
            place.reaper.remove(place.engine.clone(), id);
            return Err(fault("The container's output could not be attached", &e));
        }
    };
    if let Err(e) = place.engine.api.start_container(&id, None).await {
        draining.abort();
        place.reaper.remove(place.engine.clone(), id);
        return Err(not_started(place, &e).await);
    }
    Ok(Started { id, draining })
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

async fn attach(engine: &Engine, name: &str) -> Result<Attached, Error> {
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

/// Waits until it has ended and its output is stored.
pub(super) async fn end(
    engine: &Engine,
    started: Started,
    image: &Image,
    sink: &Sink,
    limits: Effective,
) -> Result<Exit, ExecError> {
    let Started { id, mut draining } = started;
    let code = match code(engine, &id).await {
        Ok(code) => code,
        Err(e) => {
            // What arrived is stored; more cannot come.
            draining.abort();
            let _ = (&mut draining).await;
            return Err(lost(&e));
        }
    };
    let drained = draining.await;
    let Ok(Drained { words, broken }) = drained else {
        return Err(ExecError::Machine("The agent lost the step's output.".into()));
    };
    if let Some(e) = broken {
        return Err(lost(&explain(&e)));
    }
    match words.end(code, &image.name) {
        Ok(exit) => return Ok(exit),
        Err(bytes) if bytes.is_empty() => {}
        Err(bytes) => sink.take(Stream::Stderr, &bytes).await,
    }
    if code == 0 {
        return Ok(Exit::Exited(0));
    }
    // An engine that is being stopped ends its containers: that is not the step's failure.
    let state = match engine.api.inspect_container(&id, None).await {
        Ok(found) => found.state,
        Err(e) if gone(&e) => return Err(lost(&explain(&e))),
        Err(_) => None,
    };
    if state.and_then(|s| s.oom_killed).unwrap_or_default() {
        let limit = limits.memory / MIB;
        return Ok(Exit::Failed(format!(
            "The step ran out of memory: its limit is {limit} MiB."
        )));
    }
    Ok(Exit::Exited(code))
}

/// The exit code, or why it cannot be known.
async fn code(engine: &Engine, id: &str) -> Result<i64, String> {
    let mut waiting = std::pin::pin!(engine.api.wait_container(id, None::<query::WaitContainerOptions>));
    match waiting.next().await {
        Some(Ok(end)) => Ok(end.status_code),
        Some(Err(Error::DockerContainerWaitError { code, error })) if error.is_empty() => Ok(code),
        Some(Err(e)) => Err(explain(&e)),
        None => Err("the connection ended".into()),
    }
}

fn lost(why: &str) -> ExecError {
    ExecError::EngineGone(format!(
        "Docker went away while the step ran ({why}); what became of the step is not known, and it is removed."
    ))
}
