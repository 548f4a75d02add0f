//! A release `caracal serve` under measurement: started on a data folder of its own, read through `/proc`.
//!
//! **Invariant:** the server ends with this value, whatever happens to the measurement.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::http::Http;

/// The administrator of every measured server.
pub const USER: &str = "bench";
/// Their password.
pub const PASSWORD: &str = "a password of no use";

/// A running server.
pub struct Server {
    child: Child,
    /// `host:port`.
    pub address: String,
    /// A token with every right.
    pub token: String,
    /// From the start of the process to the first page.
    pub first_page: Duration,
}

/// Its data folder; outlives restarts.
pub struct Data(TempDir);

impl Data {
    /// An empty folder.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("caracal-bench-").tempdir()?))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The binary under measurement.
pub fn binary() -> PathBuf {
    std::env::var_os("CARACAL_BIN").map_or_else(|| "target/release/caracal".into(), PathBuf::from)
}

impl Server {
    /// Starts it with `flags` and waits until it can work.
    pub async fn start(data: &Data, flags: &[&str]) -> Result<Self> {
        Self::start_with(data, flags, &[]).await
    }

    /// The same with settings in its environment.
    pub async fn start_with(data: &Data, flags: &[&str], settings: &[(&str, &str)]) -> Result<Self> {
        let address = {
            let probe = std::net::TcpListener::bind("127.0.0.1:0")?;
            probe.local_addr()?.to_string()
        };
        let mut server = Self::start_at(&address, data, flags, settings, String::new()).await?;
        server.token = token(data)?;
        Ok(server)
    }

    /// Starts it at an address, for those who have a token already.
    pub async fn start_at(
        address: &str,
        data: &Data,
        flags: &[&str],
        settings: &[(&str, &str)],
        token: String,
    ) -> Result<Self> {
        let began = Instant::now();
        let child = Command::new(binary())
            .args(["serve", "--listen", address, "--data"])
            .arg(data.path())
            .args(flags)
            .envs(settings.iter().copied())
            .env("CARACAL_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(data.path().join("bench.log"))?)
            .spawn()
            .with_context(|| format!("starting {}", binary().display()))?;
        let mut server = Self {
            child,
            address: address.to_owned(),
            token,
            first_page: Duration::ZERO,
        };
        // Before there is an account, the page leads on to /setup.
        server.wait_for("/login", &[200, 303]).await?;
        server.first_page = began.elapsed();
        server.wait_for("/readyz", &[200]).await?;
        Ok(server)
    }

    /// A new connection that carries the token.
    pub async fn http(&self) -> Result<Http<TcpStream>> {
        Http::tcp(&self.address, Some(&self.token)).await
    }

    /// Saves a plan of one job with these steps (YAML, one per entry), `more` being further lines of it; its id.
    pub async fn plan(&self, name: &str, more: &str, steps: &[&str]) -> Result<i64> {
        let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
        let document = format!("name: {name}\n{more}steps:\n{steps}");
        let made = self
            .http()
            .await?
            .post("/api/v1/plans", &json!({ "document": document }))
            .await?;
        made["id"].as_i64().context("the new plan has no id")
    }

    /// Runs a plan once, to its end; the finished task.
    pub async fn run(&self, plan: i64) -> Result<Value> {
        let mut http = self.http().await?;
        let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
        let id = task["id"].as_i64().context("the new task has no id")?;
        http.get(&format!("/api/v1/tasks/{id}/console?follow=true")).await?;
        self.ended(id).await
    }

    /// The task once it has ended.
    pub async fn ended(&self, id: i64) -> Result<Value> {
        let mut http = self.http().await?;
        let end = Instant::now() + Duration::from_secs(300);
        loop {
            let task = http.get(&format!("/api/v1/tasks/{id}")).await?.json()?;
            if !task["finished_at"].is_null() {
                return Ok(task);
            }
            if Instant::now() > end {
                bail!("task {id} did not end within 300 s: {task}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until an agent is connected.
    pub async fn agent_online(&self) -> Result<()> {
        let mut http = self.http().await?;
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let agents = http.get("/api/v1/agents").await?.json()?;
            if agents["items"]
                .as_array()
                .is_some_and(|all| all.iter().any(|agent| agent["status"] == "online"))
            {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("no agent came online within 30 s: {agents}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Resident memory now and at its highest, in MB.
    pub fn memory(&self) -> Result<(f64, f64)> {
        resident(self.child.id())
    }

    /// Lets the highest resident memory count from now on.
    pub fn forget_peak(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(&path, "5").with_context(|| format!("writing {path}"))
    }

    /// CPU time of the server itself so far, without the steps it ran, in milliseconds.
    pub fn cpu(&self) -> Result<f64> {
        cpu(self.child.id())
    }

    /// Kills it, and waits for that.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    async fn wait_for(&mut self, path: &str, wanted: &[u16]) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at its start ({status}); its words are in bench.log of its data folder");
            }
            if let Ok(mut http) = Http::tcp(&self.address, None).await
                && http.get(path).await.is_ok_and(|answer| wanted.contains(&answer.status))
            {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("{path} did not answer {wanted:?} within 30 s");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends it as an operator would, and waits for that.
    pub fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended already
        let _ = self.child.wait();
    }
}

/// Makes an administrator (the first time) and a token of theirs, by the local command line.
fn token(data: &Data) -> Result<String> {
    use std::io::Write;
    let caracal = |args: &[&str]| {
        let mut command = Command::new(binary());
        command
            .args(args)
            .arg("--data")
            .arg(data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().context("starting the command line")
    };
    let mut user = caracal(&["user", "add", USER, "--role", "admin", "--password-stdin"])?;
    user.stdin
        .take()
        .context("no input")?
        .write_all(format!("{PASSWORD}\n").as_bytes())?;
    user.wait_with_output()?; // refused when the user is there already, which is fine
    let made = caracal(&["token", "create", "--user", USER])?.wait_with_output()?;
    if !made.status.success() {
        bail!("no token: {}", String::from_utf8_lossy(&made.stderr));
    }
    Ok(String::from_utf8(made.stdout)?.trim().to_owned())
}

/// Resident memory of a process now and at its highest, in MB.
pub fn resident(process: u32) -> Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .with_context(|| format!("no {name}"))?;
        let kilobytes: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok::<f64, anyhow::Error>(kilobytes / 1024.0)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// CPU time of a process so far, without its ended children, in milliseconds.
pub fn cpu(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after = stat.rsplit(')').next().context("no stat")?;
    let field = |n: usize| {
        after
            .split_whitespace()
            .nth(n)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    // utime and stime, in ticks of 10 ms.
    Ok((field(11) + field(12)) * 10.0)
}
