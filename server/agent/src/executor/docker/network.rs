//! One bridge network per slot: made once, used by one job at a time, removed when the agent goes.
//!
//! **Invariant:** containers of two running jobs never share a network; the engine's default bridge is never used.

use super::client::{Engine, fault, status};
use super::names::Owner;
use crate::executor::ExecError;
use bollard::models::{NetworkCreateRequest, NetworkDisconnectRequest};
use bollard::query_parameters::ListNetworksOptionsBuilder;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The networks of this agent's slots, by slot.
#[derive(Default)]
pub(super) struct Networks(Mutex<BTreeMap<usize, String>>);

impl Networks {
    /// The id of a slot's network. Names are not unique on an engine: one that is there already is taken, by id.
    pub async fn of(self: &Arc<Self>, engine: &Engine, owner: &Owner, slot: usize) -> Result<String, ExecError> {
        if let Some(id) = self.0.lock().await.get(&slot) {
            return Ok(id.clone());
        }
        // On a task of its own: a caller that goes away must not leave a network that nobody knows.
        let (networks, engine, owner) = (self.clone(), engine.clone(), owner.clone());
        let made = tokio::spawn(async move { networks.make(&engine, &owner, slot).await });
        made.await.unwrap_or_else(|e| {
            Err(ExecError::Machine(format!(
                "The slot's network could not be made: {e}."
            )))
        })
    }

    async fn make(&self, engine: &Engine, owner: &Owner, slot: usize) -> Result<String, ExecError> {
        let mut known = self.0.lock().await;
        if let Some(id) = known.get(&slot) {
            return Ok(id.clone());
        }
        let name = owner.network(slot);
        let old = ids(engine, owner).await?;
        let id = match old.into_iter().find(|(_, n)| *n == name) {
            Some((id, _)) => id,
            None => make(engine, owner, slot, name).await?,
        };
        known.insert(slot, id.clone());
        Ok(id)
    }

    /// A network that an earlier agent made for this slot and that is in use.
    pub async fn adopt(&self, slot: usize, id: String) {
        self.0.lock().await.entry(slot).or_insert(id);
    }

    /// A network that the engine does not know any more is to be made anew.
    pub async fn forget(&self, id: &str) {
        self.0.lock().await.retain(|_, known| known != id);
    }

    /// Removes those an earlier run left; answers how many.
    pub async fn remove_unknown(&self, engine: &Engine, owner: &Owner) -> Result<usize, ExecError> {
        let known = self.0.lock().await;
        remove(engine, owner, |id| known.values().any(|k| k == id)).await
    }

    /// Removes all of this agent's; answers how many.
    pub async fn remove_all(&self, engine: &Engine, owner: &Owner) -> Result<usize, ExecError> {
        let mut known = self.0.lock().await;
        known.clear();
        remove(engine, owner, |_| false).await
    }
}

async fn remove(engine: &Engine, owner: &Owner, keep: impl Fn(&str) -> bool) -> Result<usize, ExecError> {
    let mut removed = 0;
    for (id, name) in ids(engine, owner).await?.into_iter().filter(|(id, _)| !keep(id)) {
        match engine.api.remove_network(&id).await {
            Ok(()) => removed += 1,
            Err(e) if status(&e) == Some(404) => {}
            // An engine that was killed remembers containers in it that are gone.
            Err(_) => {
                emptied(engine, &id).await;
                let again = engine.api.remove_network(&id).await;
                again.map_err(|e| fault(&format!("The network {name} could not be removed"), &e))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Takes out of a network whatever is said to be in it.
async fn emptied(engine: &Engine, id: &str) {
    let found = engine.api.inspect_network(id, None).await.ok();
    let inside = found.and_then(|n| n.containers).unwrap_or_default();
    for (container, endpoint) in inside {
        // One that is gone has no id any more, and is known by its name.
        let container = endpoint
            .name
            .filter(|_| container.starts_with("ep-"))
            .unwrap_or(container);
        let request = NetworkDisconnectRequest {
            container,
            force: Some(true),
        };
        // What stays in keeps the network, which is told.
        let _ = engine.api.disconnect_network(id, request).await;
    }
}

async fn ids(engine: &Engine, owner: &Owner) -> Result<Vec<(String, String)>, ExecError> {
    let options = ListNetworksOptionsBuilder::default().filters(&owner.filter()).build();
    let list = engine.api.list_networks(Some(options)).await;
    let list = list.map_err(|e| fault("The engine's networks could not be listed", &e))?;
    Ok(list.into_iter().filter_map(|n| Some((n.id?, n.name?))).collect())
}

async fn make(engine: &Engine, owner: &Owner, slot: usize, name: String) -> Result<String, ExecError> {
    let request = NetworkCreateRequest {
        name,
        driver: Some("bridge".into()),
        labels: Some(owner.labels(slot)),
        ..NetworkCreateRequest::default()
    };
    let made = engine.api.create_network(request).await;
    let doing = "The engine could not make the slot's bridge network";
    made.map(|n| n.id).map_err(|e| match fault(doing, &e) {
        // Whatever it is (no bridges in this kernel, address pools used up), no plan can mend it.
        ExecError::Refused(why) => ExecError::Machine(why),
        other => other,
    })
}
