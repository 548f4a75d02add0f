//! A container whose PID 1 is a shim: made, started, and heard from; then it takes any number of steps.
//!
//! **Invariant:** a vessel that is handed out has called and ran nothing yet; whatever goes wrong on the way, its container
//! goes to the reaper and its shim's home is removed.

use super::client::{Engine, explain, fault, gone, status};
use super::image::Image;
use super::names::{Owner, SERVER};
use super::network::Networks;
use super::profile::{Container, Effective, Inside, body};
use super::reaper::Reaper;
use crate::executor::ExecError;
use crate::executor::shimmed::{Shim, Shims};
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerState};
use bollard::query_parameters as query;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{sleep, timeout};

/// How long a started container may take until its shim calls.
const CALL: Duration = Duration::from_secs(20);
/// How long one that waited serves an attempt until it is named after it.
const NAMED: Duration = Duration::from_secs(1);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// What is fixed when a container is made: another job that needs the same may have it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub image: Image,
    pub limits: Effective,
    pub slot: usize,
    pub workspace: PathBuf,
    /// Which folder that was: a container goes on holding the one it was made with, whatever has its path by then.
    pub folder: Folder,
}

/// A folder, whatever its path: its number, and when it was made, for numbers are used again.
pub(super) type Folder = Option<(u64, Option<SystemTime>)>;

/// The folder at a path.
pub(super) fn folder(path: &Path) -> Folder {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.created().ok()))
}

/// Who makes them.
#[derive(Clone)]
pub(super) struct Yard {
    pub engine: Engine,
    pub owner: Owner,
    pub shims: Shims,
    pub networks: Arc<Networks>,
    pub reaper: Arc<Reaper>,
}

/// The container.
pub(super) struct Vessel {
    pub id: String,
    pub shim: Shim,
    pub wanted: Wanted,
}

impl Yard {
    /// Makes one under a name.
    ///
    /// # Errors
    /// When engine or machine cannot, or the image is such that it cannot.
    pub async fn make(&self, wanted: Wanted, name: &str) -> Result<Vessel, ExecError> {
        let network = self.networks.of(&self.engine, &self.owner, wanted.slot).await?;
        let shims = self.shims.clone();
        let shim = tokio::task::spawn_blocking(move || shims.make(true)).await;
        let shim = shim
            .map_err(std::io::Error::other)
            .and_then(|made| made)
            .map_err(|e| ExecError::Machine(format!("The folder of the container's shim could not be made: {e}.")))?;
        let body = body(Container {
            image: &wanted.image.id,
            inside: Inside::Shim(&shim.door()),
            labels: self.owner.labels(wanted.slot),
            network: &network,
            workspace: &wanted.workspace,
            limits: wanted.limits,
            user: None,
        });
        let id = match self.create(&wanted, name, body).await {
            Ok(id) => id,
            Err(e) => {
                shim.remove();
                return Err(e);
            }
        };
        if let Err(e) = self.start(&id, &network, &shim).await {
            self.reaper.remove(self.engine.clone(), id);
            shim.remove();
            return Err(e);
        }
        Ok(Vessel { id, shim, wanted })
    }

    async fn start(&self, id: &str, network: &str, shim: &Shim) -> Result<(), ExecError> {
        // Its answer is waited for although the shim may have called before: an engine that is told to remove what it is
        // still starting is not to be trusted with it.
        if let Err(e) = self.engine.api.start_container(id, None).await {
            let why = explain(&e);
            if why.contains("network") && why.contains("not found") {
                self.networks.forget(network).await;
                return Err(ExecError::Machine(
                    "The slot's network was removed from the engine; the next job makes it anew.".into(),
                ));
            }
            return Err(match fault("The job's container could not be started", &e) {
                ExecError::Refused(why) if why.contains("no space left on device") => ExecError::Machine(why),
                other => other,
            });
        }
        let ended = async {
            loop {
                sleep(LOOK).await;
                let found = self.engine.api.inspect_container(id, None).await;
                let state = found.ok().and_then(|c| c.state);
                if let Some(state) = state.filter(|s| s.running == Some(false)) {
                    return state;
                }
            }
        };
        let called = timeout(CALL, async {
            tokio::select! {
                () = shim.met() => Ok(()),
                state = ended => Err(state),
            }
        });
        match called.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(state)) => Err(ended_early(&state)),
            Err(_) => Err(ExecError::Machine(format!(
                "The job's container was started and did not answer within {} s.",
                CALL.as_secs()
            ))),
        }
    }

    async fn create(&self, wanted: &Wanted, name: &str, body: ContainerCreateBody) -> Result<String, ExecError> {
        let refused = |e: &Error| not_made(wanted, e);
        match self.made(name, body.clone()).await {
            Err(e) if status(&e) == Some(409) => {}
            made => return made.map_err(|e| refused(&e)),
        }
        // The name is taken: by what an earlier life of this attempt left, or by another server on the same engine.
        let found = self.engine.api.inspect_container(name, None).await.ok();
        let (id, config) = found.map_or((None, None), |c| (c.id, c.config));
        let labels = config.and_then(|c| c.labels).unwrap_or_default();
        let mut name = name.to_owned();
        match id {
            Some(_) if labels.get(SERVER) != Some(&self.owner.server) => {
                name = format!("{name}-of-{}", self.owner.server)
            }
            Some(id) => self.reaper.remove_now(&self.engine, &id).await,
            None => {}
        }
        self.made(&name, body).await.map_err(|e| refused(&e))
    }

    async fn made(&self, name: &str, body: ContainerCreateBody) -> Result<String, Error> {
        let options = query::CreateContainerOptionsBuilder::default().name(name).build();
        self.reaper.removed(name).await;
        self.reaper.expect(name);
        match self.engine.api.create_container(Some(options), body).await {
            Ok(made) => {
                self.reaper.expected(name, Some(&made.id));
                Ok(made.id)
            }
            Err(e) => {
                if gone(&e) {
                    // Without an answer it may be there.
                    self.reaper.remove(self.engine.clone(), name.into());
                } else {
                    self.reaper.expected(name, None);
                }
                Err(e)
            }
        }
    }

    /// Ends one that is not needed, behind the answer.
    pub fn scrap(&self, vessel: Vessel) {
        self.reaper.remove(self.engine.clone(), vessel.id);
        vessel.shim.remove();
    }

    /// Gives it the name of the attempt it serves now, once that has lasted a while: names are for people, and an engine
    /// that writes one down takes time from the first step.
    pub fn rename(&self, id: &str, name: String) {
        let (engine, id) = (self.engine.clone(), id.to_owned());
        tokio::spawn(async move {
            sleep(NAMED).await;
            let options = query::RenameContainerOptionsBuilder::default().name(&name).build();
            if let Err(e) = engine.api.rename_container(&id, options).await {
                tracing::debug!("The container {id} could not be named {name}: {}", explain(&e));
            }
        });
    }
}

/// Why a container ended in which nothing had begun.
fn ended_early(state: &ContainerState) -> ExecError {
    let code = state.exit_code.unwrap_or_default();
    let starved = state.oom_killed.unwrap_or_default();
    if matches!(code, 0 | 137 | 143) && !starved {
        // A shim that waits ends for TERM and KILL alone, and they come from the engine.
        return ExecError::EngineGone("Docker was stopped while the job's container was being started.".into());
    }
    ExecError::Machine(format!(
        "The job's container ended before its first step, with code {code}."
    ))
}

fn not_made(wanted: &Wanted, e: &Error) -> ExecError {
    let why = explain(e);
    if why.contains("bind source path does not exist") {
        return ExecError::Machine(format!(
            "The engine does not see the workspace {}; it must run on the agent's own machine.",
            wanted.workspace.display()
        ));
    }
    if status(e) == Some(404) {
        return ExecError::Refused(format!(
            "The image {} is not on the engine any more: {why}.",
            wanted.image.name
        ));
    }
    fault("The job's container could not be made", e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_stops_is_not_taken_for_a_container_that_is_broken() {
        let ended = |code, oom| {
            let state = ContainerState {
                exit_code: Some(code),
                oom_killed: Some(oom),
                ..ContainerState::default()
            };
            matches!(ended_early(&state), ExecError::EngineGone(_))
        };
        assert!(ended(0, false) && ended(137, false) && ended(143, false));
        assert!(!ended(125, false) && !ended(137, true));
    }
}
