//! Removal of containers, off everybody's path.
//!
//! **Invariant:** a container this agent made is either known here as live or being removed; what an engine that is away
//! cannot remove is tried again until it is back, and swept at the next start.

use super::client::{Engine, by_force, explain, fault, gone, status};
use super::names::Owner;
use crate::executor::ExecError;
use bollard::query_parameters::ListContainersOptionsBuilder;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// When to look again for what is nobody's, after the first time; then after each last of these.
const LATER: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
];
/// How often an engine may refuse before the container is left to the next sweep.
const REFUSALS: u32 = 20;

/// Knows which containers live, and removes those that should not.
#[derive(Default)]
pub(super) struct Reaper {
    /// Ids, and names while there is no id yet: a name may be used again, an id is not.
    live: Mutex<BTreeSet<String>>,
    tasks: TaskTracker,
}

impl Reaper {
    /// A container of this name is about to be made.
    pub fn expect(&self, name: &str) {
        self.live().insert(name.into());
    }

    /// A container that an earlier agent made is in use.
    pub fn adopt(&self, id: &str) {
        self.live().insert(id.into());
    }

    /// Waits until no container of this name is removed any more: an engine that came back must not be told to remove the
    /// next one in its place.
    pub async fn removed(&self, name: &str) {
        while self.live().contains(name) {
            sleep(FIRST_PAUSE).await;
        }
    }

    /// What became of it: its id, or that there is none.
    pub fn expected(&self, name: &str, id: Option<&str>) {
        let mut live = self.live();
        live.remove(name);
        live.extend(id.map(str::to_owned));
    }

    /// Removes a container, by id or name, behind the answer.
    pub fn remove(self: &Arc<Self>, engine: Engine, container: String) {
        let reaper = self.clone();
        self.tasks.spawn(async move {
            persist(&engine, &container).await;
            reaper.live().remove(&container);
        });
    }

    /// Removes a container and waits until it is gone.
    pub async fn remove_now(&self, engine: &Engine, container: &str) {
        persist(engine, container).await;
        self.live().remove(container);
    }

    /// Removes at once what of this owner's is not live; answers how many.
    pub async fn sweep(&self, engine: &Engine, owner: &Owner) -> Result<usize, ExecError> {
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&owner.filter())
            .build();
        let list = engine.api.list_containers(Some(options)).await;
        let list = list.map_err(|e| fault("The engine's containers could not be listed", &e))?;
        let mut removed = 0;
        for container in list {
            let names = container.names.unwrap_or_default();
            let named = names.iter().map(|n| n.trim_start_matches('/'));
            let live = named.chain(container.id.as_deref()).any(|n| self.live().contains(n));
            if let (false, Some(id)) = (live, container.id) {
                persist(engine, &id).await;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Sweeps again and again until what it answers is dropped: what an agent asked for before it was killed, the engine may
    /// make after the next one has looked.
    pub fn sweep_later(self: &Arc<Self>, engine: Engine, owner: Owner) -> AbortOnDropHandle<()> {
        let reaper = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut pauses = LATER.into_iter();
            let mut pause = Duration::ZERO;
            loop {
                pause = pauses.next().unwrap_or(pause);
                sleep(pause).await;
                // An engine that is away has its turn the next time.
                if let Ok(removed @ 1..) = reaper.sweep(&engine, &owner).await {
                    tracing::info!("Cleared away {removed} containers that came up after their agent had gone.");
                }
            }
        }))
    }

    /// Whether no container of ours lives.
    pub fn idle_now(&self) -> bool {
        self.live().is_empty()
    }

    /// Waits for removals under way.
    pub async fn idle(&self, patience: Duration) {
        self.tasks.close();
        if timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("Docker does not remove some containers; the next start of this agent does.");
        }
        self.tasks.reopen();
    }

    fn live(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes until it is gone.
async fn persist(engine: &Engine, name: &str) {
    let (mut pause, mut refusals) = (FIRST_PAUSE, 0);
    loop {
        let e = match engine.api.remove_container(name, Some(by_force())).await {
            Ok(()) => return,
            Err(e) if status(&e) == Some(404) => return,
            Err(e) => e,
        };
        // 409: somebody removes it already; the next look tells whether it is gone.
        refusals += u32::from(!gone(&e));
        if refusals > REFUSALS {
            tracing::warn!("Docker does not remove the container {name}: {}.", explain(&e));
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
