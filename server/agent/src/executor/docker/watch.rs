//! A container that runs, to its end: over connections that break, engines that come back, and an agent's own death.
//!
//! **Invariant:** an exit code is told only when it is the step's own; an engine that ended it, or went away for good, is
//! told as such.

use super::again::again;
use super::client::{Engine, explain, gone, status};
use super::container::Started;
use super::life::{self, Life};
use super::names::LIFE;
use super::pump::{Drained, Draining};
use super::session::Place;
use crate::executor::ExecError;
use crate::executor::output::Sink;
use bollard::errors::Error;
use bollard::models::ContainerState;
use bollard::query_parameters as query;
use domain::console::view::Stream;
use futures::StreamExt;
use protocol::Exit;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const MIB: i64 = 1 << 20;
/// How long an engine may be away until a step on it is given up: as long as a step may run without its agent.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked for.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(10);
/// How long the word of an end may come behind the end of the output.
const BEHIND: Duration = Duration::from_secs(2);

/// What came of watching.
enum Watched {
    Ended(i64, Drained),
    /// The connection broke.
    Cut(String),
}

/// Waits until it has ended and its output is stored.
pub(super) async fn end(place: &Arc<Place>, started: Started) -> Result<Exit, ExecError> {
    let Started { id, from, draining } = started;
    follow(place, &id, from, Some(draining)).await
}

/// The same for a container that an earlier agent attached to.
pub(super) async fn resumed(place: &Arc<Place>, id: &str, from: u64) -> Result<Exit, ExecError> {
    follow(place, id, from, None).await
}

async fn follow(place: &Arc<Place>, id: &str, from: u64, mut draining: Option<Draining>) -> Result<Exit, ExecError> {
    let mut why = "the agent was restarted".to_owned();
    loop {
        let output = match draining.take() {
            Some(output) => output,
            None => {
                let (state, life) = found(place, id, &why).await?;
                if state.running != Some(true) && !life.same && !life.live_restore {
                    return Err(ExecError::EngineGone(
                        "Docker was restarted without live-restore while the step ran, and its container with it; the output may end before its last words."
                            .into(),
                    ));
                }
                again(place.clone(), id.to_owned(), from, life)
            }
        };
        why = match watch(&place.engine, id, output).await {
            Watched::Ended(code, drained) => match exit(place, id, code, drained).await {
                Ok(exit) => return Ok(exit),
                Err(e) => explain(&e),
            },
            Watched::Cut(why) => why,
        };
        tracing::warn!("The connection to a step's container broke and is made again: {why}");
        sleep(AGAIN).await;
    }
}

/// Waits for the end of container and output, or until the connection breaks.
async fn watch(engine: &Engine, id: &str, mut output: Draining) -> Watched {
    let code = code(engine, id);
    tokio::pin!(code);
    let (code, drained) = tokio::select! {
        code = &mut code => match code {
            Ok(code) => (code, (&mut output).await),
            Err(why) => return Watched::Cut(why),
        },
        drained = &mut output => match timeout(BEHIND, code).await {
            Ok(Ok(code)) => (code, drained),
            Ok(Err(why)) => return Watched::Cut(why),
            Err(_) => return Watched::Cut("the output ended before the container".into()),
        },
    };
    match drained {
        Ok(Drained { broken: Some(e), .. }) => Watched::Cut(explain(&e)),
        Ok(drained) => Watched::Ended(code, drained),
        Err(_) => Watched::Cut("its reader broke".into()),
    }
}

/// The container and its engine's life, once the engine answers.
async fn found(place: &Place, id: &str, why: &str) -> Result<(ContainerState, Life), ExecError> {
    let until = Instant::now() + PATIENCE;
    let engine = &place.engine;
    loop {
        let look = async {
            let found = engine.api.inspect_container(id, None).await?;
            let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
            let state = found.state.unwrap_or_default();
            let life = life::since(engine, id, &state, labels.get(LIFE).map(String::as_str)).await?;
            Ok::<_, Error>((state, life))
        };
        match timeout(LOOK, look).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(e)) if status(&e) == Some(404) => {
                return Err(ExecError::EngineGone(
                    "The step's container was removed from the engine while the step ran.".into(),
                ));
            }
            Ok(Err(_)) | Err(_) if Instant::now() < until => sleep(AGAIN).await,
            Ok(Err(_)) | Err(_) => {
                let minutes = PATIENCE.as_secs() / 60;
                return Err(ExecError::EngineGone(format!(
                    "Docker went away while the step ran ({why}) and did not come back within {minutes} min; what became of the step is not known, and it is removed."
                )));
            }
        }
    }
}

/// How a step ended whose container did with this code.
///
/// # Errors
/// When the engine went away before it had told all.
async fn exit(place: &Place, id: &str, code: i64, drained: Drained) -> Result<Exit, Error> {
    match drained.words.end(code, &place.image.name) {
        Ok(exit) => return Ok(exit),
        Err(bytes) if bytes.is_empty() => {}
        Err(bytes) => Sink::new(place.spec.spool.clone()).take(Stream::Stderr, &bytes).await,
    }
    if code == 0 {
        return Ok(Exit::Exited(0));
    }
    // An engine that is being stopped ends its containers: that is not the step's failure.
    let state = match place.engine.api.inspect_container(id, None).await {
        Ok(found) => found.state,
        Err(e) if gone(&e) => return Err(e),
        Err(_) => None,
    };
    if state.and_then(|s| s.oom_killed).unwrap_or_default() {
        let limit = place.limits.memory / MIB;
        return Ok(Exit::Failed(format!(
            "The step ran out of memory: its limit is {limit} MiB."
        )));
    }
    Ok(Exit::Exited(code))
}

/// The exit code, or why it is not told.
async fn code(engine: &Engine, id: &str) -> Result<i64, String> {
    let mut waiting = std::pin::pin!(engine.api.wait_container(id, None::<query::WaitContainerOptions>));
    match waiting.next().await {
        Some(Ok(end)) => Ok(end.status_code),
        Some(Err(Error::DockerContainerWaitError { code, error })) if error.is_empty() => Ok(code),
        Some(Err(e)) => Err(explain(&e)),
        None => Err("the connection ended".into()),
    }
}
