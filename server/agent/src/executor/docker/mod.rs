//! Steps in containers of a Docker engine (DESIGN §6, §10): one container an attempt, below whose shim the steps run, one
//! bridge network a slot. Where the engine's containers cannot reach this agent, one container a step, attached to.
//!
//! **Invariant:** everything it makes on an engine carries its owner's labels, and nothing of it is left when its sessions
//! are closed and it is retired, but what an engine that is away keeps until the next sweep.

mod again;
mod client;
mod container;
mod habit;
mod image;
mod init;
mod inside;
mod known;
mod life;
mod names;
mod network;
mod probe;
mod profile;
mod pull;
mod pump;
mod reaper;
mod session;
mod vessel;
mod warm;
mod watch;
mod workspace;
mod yard;

pub use names::{AGENT, Owner, SERVER, SLOT};

use super::{ExecError, Executor, Handle, Progress, Session, SessionSpec};
use async_trait::async_trait;
use client::{Client, Engine};
use domain::plan::Limits;
use domain::status::ExecutorKind;
use habit::Habit;
use inside::{InsideSession, Kept};
use known::Known;
use network::Networks;
use profile::Effective;
use reaper::Reaper;
use serde::Deserialize;
use session::{Attached, DockerSession, Place};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;
use vessel::{Wanted, Yard};
use warm::Warm;

/// How long the removal of containers may take when the agent goes.
const RETIRING: Duration = Duration::from_secs(10);

/// How often an engine that is away is looked for when something runs on it.
const AGAIN: Duration = Duration::from_secs(2);

/// What it is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The engine, as in `DOCKER_HOST`; the local socket when absent.
    pub host: Option<String>,
    /// Image of jobs that name none.
    pub default_image: String,
    /// Whose its containers are.
    pub owner: Owner,
    /// Where the shims of its containers live; `None` for attached containers alone.
    pub shims: Option<PathBuf>,
    /// Whether slots keep a container ready for the next job.
    pub warm: bool,
    /// Limits of jobs that name none.
    pub limits: Limits,
    /// The file in which it is noted what slots ran last, for the first container to wait after a restart.
    pub habit: Option<PathBuf>,
}

/// What a close look at an engine found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// As `Docker 20.10.24`.
    pub version: String,
    /// Whether containers go on while it is restarted.
    pub live_restore: bool,
    /// Whether containers reach this agent, or why not.
    pub shims: Result<(), String>,
}

/// A session that an earlier agent left.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Left {
    Inside(Kept),
    Attached(Attached),
}

/// The executor.
pub struct DockerExecutor {
    settings: Settings,
    client: Client,
    networks: Arc<Networks>,
    reaper: Arc<Reaper>,
    warm: Arc<Warm>,
    habit: Habit,
    known: Known,
    /// Whether shims work on this engine, once it was tried: who makes the containers then.
    yard: OnceCell<Option<Yard>>,
    /// What an earlier agent left and runs still.
    kept: Mutex<Vec<Left>>,
    swept: OnceCell<()>,
    /// Looks again for what nobody knows.
    sweeping: Mutex<Option<AbortOnDropHandle<()>>>,
    /// The image used last: it has a shell, most likely, when a workspace is to be released.
    image: Mutex<Option<String>>,
}

impl DockerExecutor {
    /// An executor; it speaks to no engine yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            client: Client::new(settings.host.clone()),
            habit: Habit::read(settings.habit.clone()),
            settings,
            networks: Arc::default(),
            reaper: Arc::default(),
            warm: Arc::default(),
            known: Known::default(),
            yard: OnceCell::new(),
            kept: Mutex::default(),
            swept: OnceCell::new(),
            sweeping: Mutex::default(),
            image: Mutex::default(),
        }
    }

    /// The engine with its version, as `Docker 20.10.24`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String, ExecError> {
        Ok(self.client.engine().await?.about.version)
    }

    /// Looks at the engine closely.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn examine(&self) -> Result<Examined, ExecError> {
        let engine = self.client.engine().await?;
        let info = engine.api.info().await;
        let info = info.map_err(|e| client::fault("The engine does not say how it is set up", &e))?;
        let shims = match self.attempt_yard(&engine).await {
            Ok(_) => Ok(()),
            Err(why) => Err(why),
        };
        Ok(Examined {
            version: engine.about.version,
            live_restore: info.live_restore_enabled.unwrap_or_default(),
            shims,
        })
    }

    /// Gives all files of a workspace to a user of this machine, from inside a container.
    ///
    /// # Errors
    /// When no container could do it.
    pub async fn give(&self, workspace: &Path, uid: u32, gid: u32) -> Result<(), ExecError> {
        let engine = self.client.engine().await?;
        let last = self.image.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let image = last.unwrap_or_else(|| self.settings.default_image.clone());
        let given = workspace::give(
            &engine,
            &self.reaper,
            &self.settings.owner,
            &image,
            workspace,
            (uid, gid),
        )
        .await;
        given.map_err(|e| client::fault("The workspace could not be given back to the agent's user", &e))
    }

    /// An engine that was away at the agent's start is swept before its first use: later, what was kept then would count as
    /// live that has ended since.
    async fn swept_once(&self, engine: &Engine) -> Result<(), ExecError> {
        let sweep = || async { self.swept(engine).await.map(drop) };
        self.swept.get_or_try_init(sweep).await.copied()
    }

    async fn swept(&self, engine: &Engine) -> Result<usize, ExecError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for one in &kept {
            match one {
                Left::Inside(one) => {
                    self.reaper.adopt(&one.container);
                    self.networks.adopt(one.slot, one.network.clone()).await;
                }
                Left::Attached(one) => {
                    let containers = session::containers(engine, &self.settings.owner, one.attempt).await?;
                    for id in containers.into_iter().filter_map(|c| c.id) {
                        self.reaper.adopt(&id);
                    }
                    self.networks.adopt(one.slot, one.network.clone()).await;
                }
            }
        }
        let containers = self.reaper.sweep(engine, &self.settings.owner).await?;
        let later = self.reaper.sweep_later(engine.clone(), self.settings.owner.clone());
        *self.sweeping.lock().unwrap_or_else(PoisonError::into_inner) = Some(later);
        let networks = self.networks.remove_unknown(engine, &self.settings.owner).await;
        // One that cannot be removed is in nobody's way: the slot's next job uses it.
        let networks = networks.unwrap_or_else(|e| {
            tracing::warn!("{e}");
            0
        });
        if let Some(yard) = self.yard(engine).await? {
            let homes = kept.iter().filter_map(|left| match left {
                Left::Inside(kept) => Some(kept.place.home().to_owned()),
                Left::Attached(_) => None,
            });
            yard.shims.sweep(&homes.collect()).await;
        }
        Ok(containers + networks)
    }
}

#[async_trait]
impl Executor for DockerExecutor {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::Docker
    }

    async fn open(&self, spec: SessionSpec, progress: &dyn Progress) -> Result<Box<dyn Session>, ExecError> {
        let engine = self.client.engine().await?;
        self.swept_once(&engine).await?;
        let name = spec.image.as_deref().unwrap_or(&self.settings.default_image);
        let found = async {
            // A connection over a network may be silent although it is broken: what is heard there is no proof.
            match self.client.local() {
                true => self.known.ensure(&engine, name, progress).await,
                false => image::ensure(&engine, name, progress).await,
            }
        };
        let (image, network) = tokio::try_join!(found, self.networks.of(&engine, &self.settings.owner, spec.slot),)?;
        if workspace::foreign(&image.user) {
            progress.say(&format!(
                "The image runs as {}: the workspace is opened to it\n",
                image.user
            ));
        }
        *self.image.lock().unwrap_or_else(PoisonError::into_inner) = Some(image.id.clone());
        let limits = Effective::of(&spec.limits, &engine.about);
        if let Some(yard) = self.yard(&engine).await? {
            return self.inside(yard, spec, image, network, limits).await;
        }
        Ok(Box::new(DockerSession::new(Arc::new(Place {
            limits,
            engine,
            owner: self.settings.owner.clone(),
            spec,
            image,
            network,
            networks: self.networks.clone(),
            reaper: self.reaper.clone(),
        }))))
    }

    async fn recover(
        &self,
        handle: &Handle,
        spec: SessionSpec,
        base: u64,
    ) -> Result<Option<Box<dyn Session>>, ExecError> {
        let Ok(left) = serde_json::from_value::<Left>(handle.data.clone()) else {
            return Ok(None);
        };
        let (engine, yard) = loop {
            let ready = async {
                let engine = self.client.engine().await?;
                self.swept_once(&engine).await?;
                self.yard(&engine).await.map(|yard| (engine, yard))
            };
            match ready.await {
                Ok(ready) => break ready,
                // It may be starting too; what runs goes on meanwhile.
                Err(e) => tracing::warn!("What ran in containers waits to be taken up again: {e}"),
            }
            tokio::time::sleep(AGAIN).await;
        };
        let kept = match left {
            Left::Inside(kept) => kept,
            Left::Attached(left) => {
                let place = Place {
                    limits: left.limits,
                    engine,
                    owner: self.settings.owner.clone(),
                    spec,
                    image: left.image,
                    network: left.network,
                    networks: self.networks.clone(),
                    reaper: self.reaper.clone(),
                };
                let place = Arc::new(place);
                let session = loop {
                    match DockerSession::find(place.clone()).await {
                        Err(ExecError::EngineGone(why)) => {
                            tracing::warn!("What ran in containers waits to be taken up again: {why}");
                        }
                        found => break found?,
                    }
                    tokio::time::sleep(AGAIN).await;
                };
                return Ok(Some(Box::new(session)));
            }
        };
        let container = kept.container.clone();
        let found = match yard {
            Some(yard) => InsideSession::find(yard, spec, kept, base).await,
            None => Ok(None),
        };
        if !matches!(found, Ok(Some(_))) {
            // It counted as live until now.
            self.reaper.remove(engine, container);
        }
        let found =
            found.map_err(|e| ExecError::Machine(format!("The job's container could not be found again: {e}.")))?;
        Ok(found.map(|session| Box::new(session) as Box<dyn Session>))
    }

    async fn sweep(&self, kept: &[Handle]) -> Result<usize, ExecError> {
        let ours = kept.iter().filter(|h| h.kind == ExecutorKind::Docker);
        let kept: Vec<Left> = ours
            .filter_map(|h| serde_json::from_value(h.data.clone()).ok())
            .collect();
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        let engine = self.client.engine().await?;
        let removed = self.swept(&engine).await?;
        let _ = self.swept.set(());
        Ok(removed)
    }

    fn ready_slots(&self, image: Option<&str>) -> Vec<usize> {
        self.warm.slots(image.unwrap_or(&self.settings.default_image))
    }

    async fn rest(&self, slot: usize, workspace: PathBuf) {
        let Some(Some(yard)) = self.yard.get().filter(|_| self.settings.warm) else {
            return;
        };
        let (image, limits) = match self.warm.last(slot) {
            Some(last) => (last.image, last.limits),
            None => match self.first(yard, slot).await {
                Some(first) => first,
                None => return,
            },
        };
        let wanted = Wanted {
            image,
            limits,
            slot,
            folder: vessel::folder(&workspace),
            workspace,
        };
        let name = wanted.image.name.clone();
        self.warm.make(yard, wanted).await;
        // Off the path of the job that will want it.
        self.known.present(&yard.engine, &name).await;
    }

    async fn ready(&self) -> Result<(), ExecError> {
        self.client.ping().await
    }

    async fn release(&self, workspace: &Path) {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if uid.is_root() {
            return;
        }
        if let Err(e) = self.give(workspace, uid.as_raw(), gid.as_raw()).await {
            tracing::warn!("{e}");
        }
    }

    async fn retire(&self) {
        drop(self.sweeping.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(Some(yard)) = self.yard.get() {
            self.warm.close(yard);
        }
        self.reaper.idle(RETIRING).await;
        let Ok(engine) = self.client.engine().await else { return };
        if self.reaper.idle_now()
            && let Err(e) = self.networks.remove_all(&engine, &self.settings.owner).await
        {
            tracing::warn!("{e}");
        }
    }
}
