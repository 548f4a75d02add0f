//! A `caracal agent` of its own process, registered at a measured server.
//!
//! **Invariant:** it ends with this value, and its data folder with it.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::json;

use crate::server::{self, Data, Server};

/// A running agent.
pub struct Agent {
    child: Child,
    _data: Data,
}

impl Agent {
    /// Starts one that registers with `token`; `flags` are more of its command line.
    pub fn start(server: &Server, token: &str, flags: &[&str]) -> Result<Self> {
        let data = Data::new()?;
        let child = Command::new(server::binary())
            .args([
                "agent",
                "--server",
                &format!("http://{}", server.address),
                "--token",
                token,
            ])
            .args(flags)
            .arg("--data")
            .arg(data.path())
            .env("CARACAL_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(data.path().join("bench.log"))?)
            .spawn()
            .context("starting an agent")?;
        Ok(Self { child, _data: data })
    }

    /// Resident memory now and at its highest, in MB.
    pub fn memory(&self) -> Result<(f64, f64)> {
        server::resident(self.child.id())
    }
}

/// It is drained and removes what waits for jobs; one that does not is killed.
impl Drop for Agent {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        for _ in 0..3_000 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill(); // it may have ended already
        let _ = self.child.wait();
    }
}

/// A token that registers so many agents.
pub async fn token(server: &Server, uses: usize) -> Result<String> {
    let made = server
        .http()
        .await?
        .post("/api/v1/agents/tokens", &json!({ "uses": uses }))
        .await?;
    Ok(made["token"].as_str().context("no agent token")?.to_owned())
}
