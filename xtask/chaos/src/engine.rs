//! A Docker engine of this run's own (`scripts/engine`), which may be killed, stopped and started again.
//!
//! **Invariant:** nothing of the machine's own engine is ever touched; when this goes, the engine and all it ran are gone.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command as Slow;
use tokio::time::{sleep, timeout};

use crate::http;

/// What steps run in, from `scripts/test-image`.
pub const IMAGE: &str = "caracal-test:latest";
/// The engine's own end of its bridge (`--bip` of `scripts/engine`): containers of every network reach it.
pub const BRIDGE: Ipv4Addr = Ipv4Addr::new(10, 210, 0, 1);
/// How long a killed daemon's socket may take to be closed.
const GOING: Duration = Duration::from_secs(5);

/// The engine.
pub struct Engine {
    folder: PathBuf,
    /// Whether the daemon was started with live-restore.
    pub live: bool,
}

impl Engine {
    /// Starts one in an empty folder, with the image in it.
    ///
    /// # Errors
    /// When there can be none here: a run that was to have containers is none without.
    pub async fn up(folder: PathBuf) -> Result<Self> {
        let engine = Self { folder, live: true };
        let socket = engine.verb("up").await.context("there is no private Docker engine")?;
        said(script("test-image").arg(&socket))
            .await
            .context("the image for steps")?;
        Ok(engine)
    }

    /// As in `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A socket that containers reach at [`BRIDGE`].
    pub async fn listener(&self) -> Result<TcpListener> {
        let network = format!("/proc/{}/ns/net", self.verb("pid").await?);
        // A socket belongs to the network it was made in, whoever uses it then; the thread that went there is not used again.
        let bound = std::thread::spawn(move || {
            let there = std::fs::File::open(&network)?;
            move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))?;
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))
        });
        let bound = bound
            .join()
            .ok()
            .context("the thread in the engine's network panicked")??;
        bound.set_nonblocking(true)?;
        Ok(bound)
    }

    /// Kills the daemon; fails when it answers still.
    pub async fn kill(&self) -> Result<()> {
        self.end("kill").await
    }

    /// Asks the daemon to end and waits until it has; fails when it answers still.
    pub async fn stop(&self) -> Result<()> {
        self.end("stop").await
    }

    async fn end(&self, verb: &str) -> Result<()> {
        ensure!(self.answers().await, "the engine was away before it was ended");
        self.verb(verb).await?;
        let gone = timeout(GOING, async {
            while self.answers().await {
                sleep(Duration::from_millis(1)).await;
            }
        });
        gone.await.with_context(|| format!("the engine answers after `{verb}`"))
    }

    /// Starts the daemon again.
    pub async fn start(&self) -> Result<()> {
        self.verb("daemon").await.map(drop)
    }

    /// Lets the daemon run with or without live-restore; without it, whatever runs ends when it was the other way.
    pub async fn with_live_restore(&mut self, live: bool) -> Result<()> {
        if self.live != live {
            self.stop().await?;
            self.live = live;
            self.start().await?;
        }
        Ok(())
    }

    /// Whether the daemon answers.
    pub async fn answers(&self) -> bool {
        self.get("/_ping").await.is_ok()
    }

    /// Containers, networks and volumes that are not the engine's own, by name.
    pub async fn things(&self) -> Result<Things> {
        let mut containers = json(&self.get("/containers/json?all=true").await?)?;
        self.without_ghosts(&mut containers).await;
        let networks = json(&self.get("/networks").await?)?;
        let volumes = json(&self.get("/volumes").await?)?;
        let texts = |list: &Value, name: &str| -> Vec<String> {
            let all = list.as_array().into_iter().flatten();
            all.filter_map(|one| one[name].as_str().or(one[name][0].as_str()))
                .map(|name| name.trim_start_matches('/').to_owned())
                .collect()
        };
        let mut networks = texts(&networks, "Name");
        networks.retain(|n| !["bridge", "host", "none"].contains(&n.as_str()));
        Ok(Things {
            containers: texts(&containers, "Names"),
            networks,
            volumes: texts(&volumes["Volumes"], "Name"),
        })
    }

    /// Takes away what the engine lists and does not have: one that is removed in the instant in which it ends stays in its
    /// list until it is restarted, and to everything else the engine answers that there is no such container.
    async fn without_ghosts(&self, containers: &mut Value) {
        let Some(all) = containers.as_array_mut() else { return };
        let mut real = Vec::new();
        for container in all.drain(..) {
            let id = container["Id"].as_str().unwrap_or_default();
            let inspected = self.get(&format!("/containers/{id}/json")).await;
            if inspected.is_err_and(|e| e.to_string().contains("answers 404")) {
                eprintln!("chaos: the engine lists {} and does not know it", container["Names"]);
            } else {
                real.push(container);
            }
        }
        *all = real;
    }

    /// Keeps the daemon's own words beside what is kept of a broken run.
    pub fn keep_log(&self, folder: &Path) {
        let _ = std::fs::copy(self.folder.join("log"), folder.join("engine.log")); // an aid for reading, no more
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = UnixStream::connect(self.socket()).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
            .await?;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await?;
        let answer = http::parse(&raw)?;
        ensure!(answer.status == 200, "the engine answers {} to {path}", answer.status);
        Ok(answer.body)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// A verb of `scripts/engine`; what it says.
    async fn verb(&self, verb: &str) -> Result<String> {
        let mut command = Slow::from(self.command(verb));
        said(&mut command).await
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = script("engine").into_std();
        command.arg(verb).env("CARACAL_ENGINE_DIR", &self.folder);
        command.env("CARACAL_ENGINE_FLAGS", if self.live { "--live-restore" } else { "" });
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let down = self.command("down").stdin(Stdio::null()).status();
        if !down.is_ok_and(|s| s.success()) {
            eprintln!("chaos: the engine in {} could not be taken down", self.folder.display());
        }
    }
}

/// What is on the engine, by name.
#[derive(Debug)]
pub struct Things {
    /// Containers, running or not.
    pub containers: Vec<String>,
    /// Networks that somebody made.
    pub networks: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
}

fn json(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).context("reading the engine's answer")
}

fn script(name: &str) -> Slow {
    Slow::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(name))
}

async fn said(command: &mut Slow) -> Result<String> {
    let done = command.stdin(Stdio::null()).output().await?;
    if !done.status.success() {
        bail!("{}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
