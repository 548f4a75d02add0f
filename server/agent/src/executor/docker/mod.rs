//! Steps in containers of a Docker engine (DESIGN §6, §10): one container a step, one bridge network a slot.
//!
//! **Invariant:** everything it makes on an engine carries its owner's labels, and nothing of it is left when its sessions
//! are closed and it is retired, but what an engine that is away keeps until the next sweep.

mod client;
mod container;
mod image;
mod init;
mod names;
mod network;
mod profile;
mod pull;
mod pump;
mod reaper;
mod session;
mod workspace;

pub use names::{AGENT, Owner, SERVER, SLOT};

use super::{ExecError, Executor, Handle, Progress, Session, SessionSpec};
use async_trait::async_trait;
use client::{Client, Engine};
use domain::status::ExecutorKind;
use network::Networks;
use profile::Effective;
use reaper::Reaper;
use session::{DockerSession, Place};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long the removal of containers may take when the agent goes.
const RETIRING: Duration = Duration::from_secs(10);

/// What it is made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The engine, as in `DOCKER_HOST`; the local socket when absent.
    pub host: Option<String>,
    /// Image of jobs that name none.
    pub default_image: String,
    /// Whose its containers are.
    pub owner: Owner,
}

/// The executor.
pub struct DockerExecutor {
    settings: Settings,
    client: Client,
    networks: Arc<Networks>,
    reaper: Arc<Reaper>,
    swept: OnceCell<()>,
    /// The image used last: it has a shell, most likely, when a workspace is to be released.
    image: Mutex<Option<String>>,
}

impl DockerExecutor {
    /// An executor; it speaks to no engine yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            client: Client::new(settings.host.clone()),
            settings,
            networks: Arc::default(),
            reaper: Arc::default(),
            swept: OnceCell::new(),
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

    async fn swept(&self, engine: &Engine) -> Result<usize, ExecError> {
        let containers = self.reaper.sweep(engine, &self.settings.owner).await?;
        let networks = self.networks.remove_unknown(engine, &self.settings.owner).await?;
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
        // An engine that was away at the agent's start is swept before its first use.
        self.swept
            .get_or_try_init(|| async { self.swept(&engine).await.map(|_| ()) })
            .await?;
        let name = spec.image.as_deref().unwrap_or(&self.settings.default_image);
        let (image, network) = tokio::try_join!(
            image::ensure(&engine, name, progress),
            self.networks.of(&engine, &self.settings.owner, spec.slot),
        )?;
        if workspace::foreign(&image.user) {
            progress.say(&format!(
                "The image runs as {}: the workspace is opened to it\n",
                image.user
            ));
        }
        *self.image.lock().unwrap_or_else(PoisonError::into_inner) = Some(image.id.clone());
        Ok(Box::new(DockerSession::new(Place {
            limits: Effective::of(&spec.limits, &engine.about),
            engine,
            owner: self.settings.owner.clone(),
            spec,
            image,
            network,
            networks: self.networks.clone(),
            reaper: self.reaper.clone(),
        })))
    }

    async fn recover(
        &self,
        _handle: &Handle,
        _spec: SessionSpec,
        _base: u64,
    ) -> Result<Option<Box<dyn Session>>, ExecError> {
        // Output written while nobody was attached is gone, so a step cannot be taken up again; what is left is swept.
        let engine = self.client.engine().await?;
        self.reaper.sweep(&engine, &self.settings.owner).await?;
        Ok(None)
    }

    async fn sweep(&self, _kept: &[Handle]) -> Result<usize, ExecError> {
        let engine = self.client.engine().await?;
        let removed = self.swept(&engine).await?;
        let _ = self.swept.set(());
        Ok(removed)
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
        self.reaper.idle(RETIRING).await;
        let Ok(engine) = self.client.engine().await else { return };
        if let Err(e) = self.networks.remove_all(&engine, &self.settings.owner).await {
            tracing::warn!("{e}");
        }
    }
}
