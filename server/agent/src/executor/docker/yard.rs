//! Whether shims work on this engine, and sessions in containers below one: the container that waits, else a new one.
//!
//! **Invariant:** that shims do not work is believed only of an engine that answers; it is asked once.

use super::DockerExecutor;
use super::client::Engine;
use super::habit::Last;
use super::image::Image;
use super::inside::InsideSession;
use super::probe;
use super::profile::Effective;
use super::vessel::{self, Wanted, Yard};
use crate::executor::shimmed::Shims;
use crate::executor::{ExecError, Session, SessionSpec};

impl DockerExecutor {
    /// Who makes containers with shims; `None` where these do not work.
    ///
    /// # Errors
    /// When the engine is away, which says nothing about shims.
    pub(super) async fn yard(&self, engine: &Engine) -> Result<Option<Yard>, ExecError> {
        let found = || async {
            let mut tries = 0;
            loop {
                match self.attempt_yard(engine).await {
                    Ok(yard) => return Ok(Some(yard)),
                    Err(why) => {
                        self.client.ping().await?;
                        // It may have been away in between.
                        if tries > 0 {
                            tracing::warn!(
                                "Containers cannot reach this agent ({why}): each step gets a container of its own, whose output may have gaps where the agent was not there."
                            );
                            return Ok(None);
                        }
                    }
                }
                tries += 1;
            }
        };
        self.yard.get_or_try_init(found).await.cloned()
    }

    /// The same, tried now.
    pub(super) async fn attempt_yard(&self, engine: &Engine) -> Result<Yard, String> {
        let folder = self.settings.shims.clone().ok_or("they are turned off")?;
        if !self.client.local() {
            return Err("the engine is on another machine".into());
        }
        let shims = tokio::task::spawn_blocking(move || Shims::open(folder)).await;
        let shims = shims.map_err(std::io::Error::other).and_then(|opened| opened);
        let yard = Yard {
            engine: engine.clone(),
            owner: self.settings.owner.clone(),
            shims: shims.map_err(|e| format!("the shims' folder cannot be used: {e}"))?,
            networks: self.networks.clone(),
            reaper: self.reaper.clone(),
        };
        probe::probe(&yard).await?;
        Ok(yard)
    }

    /// A session below a shim: in the container that waits for it, else in a new one.
    pub(super) async fn inside(
        &self,
        yard: Yard,
        spec: SessionSpec,
        image: Image,
        network: String,
        limits: Effective,
    ) -> Result<Box<dyn Session>, ExecError> {
        let wanted = Wanted {
            image,
            limits,
            slot: spec.slot,
            folder: vessel::folder(&spec.workspace),
            workspace: spec.workspace.clone(),
        };
        let last = Last {
            image: wanted.image.name.clone(),
            limits,
        };
        self.habit.note(spec.slot, last);
        let name = self.settings.owner.job(&spec);
        let vessel = match self.warm.take(&yard, &wanted).await {
            Some(warm) => {
                yard.rename(&warm.id, name);
                warm
            }
            None => {
                // On a task of its own: a caller that goes away must not leave a container that nobody knows.
                let maker = yard.clone();
                let (tell, made) = tokio::sync::oneshot::channel();
                tokio::spawn(async move {
                    if let Err(Ok(unwanted)) = tell.send(maker.make(wanted, &name).await) {
                        maker.scrap(unwanted);
                    }
                });
                made.await
                    .unwrap_or_else(|_| Err(ExecError::Machine("The container could not be made.".into())))?
            }
        };
        Ok(Box::new(InsideSession::new(yard, vessel, spec, network)?))
    }

    /// What a slot's first job will need, most likely: what the last one under an earlier agent had, else, on the first
    /// slot, the default image. Nothing is pulled for it.
    pub(super) async fn first(&self, yard: &Yard, slot: usize) -> Option<(Image, Effective)> {
        if let Some(last) = self.habit.of(slot)
            && let Some(image) = self.known.present(&yard.engine, &last.image).await
        {
            return Some((image, last.limits));
        }
        if slot > 0 {
            return None;
        }
        let image = self.known.present(&yard.engine, &self.settings.default_image).await?;
        Some((image, Effective::of(&self.settings.limits, &yard.engine.about)))
    }
}
