//! The Docker engine asked directly, for the floors of W6: one bare container from create to wait, and nothing else.
//!
//! **Invariant:** what is counted is create, attach, start, output and wait; removal is waited for, but not counted.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::net::UnixStream;

use crate::http::Http;
use crate::stats::ms;

/// The image of floor and product.
pub const IMAGE: &str = "caracal-test:latest";
const NETWORK: &str = "caracal-bench";

/// An engine at its socket, with a bridge network for containers of the floor.
pub struct Engine {
    socket: String,
}

impl Engine {
    /// The one that `DOCKER_HOST` names.
    pub async fn open() -> Result<Self> {
        let host = std::env::var("DOCKER_HOST").context("no engine: DOCKER_HOST is not set (scripts/bench sets it)")?;
        let socket = host.strip_prefix("unix://").context("DOCKER_HOST is no unix socket")?;
        let engine = Self {
            socket: socket.to_owned(),
        };
        let mut http = Http::unix(socket).await?;
        // One that an earlier run left would make the name ambiguous.
        http.call("DELETE", &format!("/networks/{NETWORK}"), "", "").await?;
        http.post("/networks/create", &json!({ "Name": NETWORK, "Driver": "bridge" }))
            .await
            .context("making a bridge network")?;
        Ok(engine)
    }

    /// Removes its network.
    pub async fn close(self) -> Result<()> {
        let mut http = Http::unix(&self.socket).await?;
        let path = format!("/networks/{NETWORK}");
        http.call("DELETE", &path, "", "").await?.json().map(drop)
    }

    /// One container that says hello, with a network or without, in milliseconds.
    pub async fn bare(&self, network: bool) -> Result<f64> {
        let mut control = Http::unix(&self.socket).await?;
        let settings = json!({
            "Image": IMAGE, "Cmd": ["echo", "hello"], "AttachStdout": true, "AttachStderr": true,
            "HostConfig": { "LogConfig": { "Type": "none" }, "NetworkMode": if network { NETWORK } else { "none" } },
        });
        let began = Instant::now();
        let made = control.post("/containers/create", &settings).await?;
        let id = made["Id"].as_str().context("the engine gave no id")?.to_owned();
        let mut attached: Http<UnixStream> = Http::unix(&self.socket).await?;
        attached
            .upgrade(&format!("/containers/{id}/attach?stream=1&stdout=1&stderr=1"))
            .await?;
        let start = format!("/containers/{id}/start");
        control.call("POST", &start, "", "").await?.json()?;
        let said = attached.read_to_end().await?;
        let wait = format!("/containers/{id}/wait");
        control.call("POST", &wait, "", "").await?.json()?;
        let took = ms(began.elapsed());
        let remove = format!("/containers/{id}?force=1&v=1");
        control.call("DELETE", &remove, "", "").await?.json()?;
        if !said.ends_with(b"hello\n") {
            bail!("the bare container said {:?}", String::from_utf8_lossy(&said));
        }
        Ok(took)
    }

    /// Waits until the engine has no container but warm ones, so that one round's removal is no part of the next round.
    pub async fn empty(&self) -> Result<()> {
        self.until("containers are left", |all| all.iter().all(is_warm))
            .await
            .map(drop)
    }

    /// Waits until one container alone is there, runs, and is not this one, which served a job; its id.
    pub async fn warm(&self, used: &str) -> Result<String> {
        let waits = |all: &[Value]| all.len() == 1 && all[0]["State"] == "running" && all[0]["Id"] != used;
        let all = self.until("no container is warm", waits).await?;
        Ok(all[0]["Id"].as_str().context("a container without an id")?.to_owned())
    }

    async fn until(&self, else_say: &str, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        let mut http = Http::unix(&self.socket).await?;
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let all = http.get("/containers/json?all=1").await?.json()?;
            if let Some(all) = all.as_array().filter(|all| wanted(all)) {
                return Ok(all.clone());
            }
            if Instant::now() > end {
                bail!("{else_say} after 30 s: {all}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether a container waits for a job and is nobody's left-over.
fn is_warm(container: &Value) -> bool {
    container["Names"][0]
        .as_str()
        .is_some_and(|name| name.contains("-warm-"))
}
