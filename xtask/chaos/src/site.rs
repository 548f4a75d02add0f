//! The system under test: a real `caracal serve`, alone with its built-in agent, or with an agent of its own process behind
//! the fault proxy, whose steps are processes or containers.
//!
//! **Invariant:** data and addresses outlive every process; only processes that were started here are signalled.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::engine::{Engine, IMAGE};
use crate::http::Client;
use crate::kind::Kind;
use crate::proxy::Proxy;
use crate::witness::Witness;
use crate::workload::Place;

/// Jobs at a time.
pub const SLOTS: &str = "4";
/// How long a process may take to come up or go down.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `caracal serve`, with the built-in agent where there is one.
    Server,
    /// `caracal agent`.
    Agent,
}

impl Who {
    /// Name of its folder and its trace.
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Agent => "agent",
        }
    }
}

/// The processes and their folders.
pub struct Site {
    /// What it is like.
    pub kind: Kind,
    pub(crate) folder: PathBuf,
    /// For calls to the server.
    pub client: Client,
    /// Between server and agent; `None` with the built-in agent.
    pub proxy: Option<Proxy>,
    /// What runs its containers, where it has some.
    pub engine: Option<Engine>,
    /// Where its steps run.
    pub place: Place,
    /// What its data lie on, where that is a disk of its own.
    pub(crate) disks: BTreeMap<Who, Disk>,
    /// What time it is to them, where that can be set.
    pub(crate) clocks: BTreeMap<Who, Clock>,
    server: Option<Child>,
    agent: Option<Child>,
}

/// The binary under test.
pub fn binary() -> PathBuf {
    std::env::var_os("CARACAL_BIN").map_or_else(|| "target/release/caracal".into(), PathBuf::from)
}

impl Site {
    /// Starts a server in an empty folder, with the agent and the engine that its kind has.
    pub async fn start(folder: PathBuf, kind: Kind, witness: &Witness) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut site = Self {
            kind,
            folder,
            client: Client {
                address: format!("127.0.0.1:{}", free_port()?),
                ..Client::default()
            },
            proxy: None,
            engine: None,
            place: Place::Here(witness.port),
            disks: BTreeMap::new(),
            clocks: BTreeMap::new(),
            server: None,
            agent: None,
        };
        if kind == Kind::Tight {
            for who in [Who::Server, Who::Agent] {
                let at = site.folder.join(who.name());
                site.disks.insert(who, Disk::mount(at)?);
            }
        }
        if kind == Kind::Adrift {
            for who in [Who::Server, Who::Agent] {
                let file = site.folder.join(format!("{}.time", who.name()));
                site.clocks.insert(who, Clock::new(file)?);
            }
        }
        if kind.contained() {
            let engine = Engine::up(site.folder.join("e")).await?;
            let listener = engine.listener().await?;
            site.place = Place::Container(listener.local_addr()?.port());
            witness.attend(tokio::net::TcpListener::from_std(listener)?);
            site.engine = Some(engine);
        }
        if kind.remote() {
            site.proxy = Some(Proxy::start(&site.client.address).await?);
        }
        site.up(Who::Server).await?;
        site.cli(&["user", "add", "chaos", "--role", "admin", "--password-stdin"])?;
        site.client.token = site.cli(&["token", "create", "--user", "chaos"])?;
        if kind.remote() {
            site.up(Who::Agent).await?;
        }
        Ok(site)
    }

    /// The data folder of the process that runs steps.
    pub fn agent_data(&self) -> PathBuf {
        self.folder
            .join(if self.kind.remote() { Who::Agent } else { Who::Server }.name())
    }

    /// The server's data folder.
    pub fn server_data(&self) -> PathBuf {
        self.folder.join("server")
    }

    /// Starts a process; a server is waited for until it can work.
    pub async fn up(&mut self, who: Who) -> Result<()> {
        self.spawn(who, &binary(), &[])?;
        if who == Who::Server {
            self.ready().await?;
        }
        Ok(())
    }

    /// Starts a process of this binary, with these variables, and waits for nothing.
    pub fn spawn(&mut self, who: Who, binary: &Path, variables: &[(&str, String)]) -> Result<()> {
        let mut command = match (who, &self.proxy) {
            (Who::Server, proxy) => {
                let mut command = Command::new(binary);
                command.args(["serve", "--listen", &self.client.address, "--data"]);
                command.arg(self.server_data());
                match proxy {
                    None => command.args(["--executor", "process", "--slots", SLOTS]),
                    Some(_) => command.arg("--no-agent"),
                };
                command
            }
            (Who::Agent, Some(proxy)) => {
                let registered = self.agent_data().join("agent/identity.json").exists();
                let mut command = Command::new(binary);
                command.args(["agent", "--server", &format!("http://{}", proxy.address)]);
                let executor = if let Some(engine) = &self.engine {
                    command
                        .env("DOCKER_HOST", engine.host())
                        .env("CARACAL_DEFAULT_IMAGE", IMAGE);
                    "docker"
                } else {
                    "process"
                };
                command.args(["--executor", executor, "--slots", SLOTS, "--data"]);
                command.arg(self.agent_data());
                if !registered {
                    command.args(["--token", &self.cli(&["agent-token", "create"])?]);
                }
                command
            }
            (Who::Agent, None) => bail!("this site has no agent of its own process"),
        };
        let log = OpenOptions::new().create(true).append(true).open(self.trace(who))?;
        if let Some(clock) = self.clocks.get(&who) {
            clock.give(&mut command);
        }
        let child = command
            .env("CARACAL_LOG", "info")
            .env("NO_COLOR", "1")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        *self.place(who) = Some(child);
        Ok(())
    }

    /// How a process ended, if it has by now.
    pub fn ended(&mut self, who: Who) -> Result<Option<ExitStatus>> {
        let place = self.place(who);
        let status = place.as_mut().context("it does not run")?.try_wait()?;
        if status.is_some() {
            *place = None;
        }
        Ok(status)
    }

    pub(crate) fn trace(&self, who: Who) -> PathBuf {
        self.folder.join(format!("{}.log", who.name()))
    }

    /// Sends a signal to a process.
    pub fn signal(&mut self, who: Who, signal: Signal) -> Result<()> {
        let child = self.place(who).as_ref().context("it does not run")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("no process id")?, signal)?)
    }

    /// Waits until a process has ended.
    pub async fn down(&mut self, who: Who) -> Result<ExitStatus> {
        let end = Instant::now() + PATIENCE;
        let place = self.place(who);
        loop {
            if let Some(status) = place.as_mut().context("it does not run")?.try_wait()? {
                *place = None;
                return Ok(status);
            }
            if Instant::now() > end {
                bail!("the {who:?} did not end within {} s", PATIENCE.as_secs());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Kills a process; says whether it died of that.
    pub async fn kill(&mut self, who: Who) -> Result<bool> {
        self.signal(who, Signal::KILL)?;
        Ok(self.down(who).await?.signal() == Some(Signal::KILL.as_raw()))
    }

    /// Whether a process is stopped by SIGSTOP.
    pub fn frozen(&mut self, who: Who) -> Result<bool> {
        let child = self.place(who).as_ref().context("it does not run")?;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
        Ok(stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
    }

    /// Fails when a process has ended that was not told to.
    pub fn alive(&mut self) -> Result<()> {
        for who in [Who::Server, Who::Agent] {
            if let Some(child) = self.place(who)
                && let Some(status) = child.try_wait()?
            {
                *self.place(who) = None;
                bail!("the {who:?} ended by itself: {status}");
            }
        }
        Ok(())
    }

    /// Whether a process was started and not seen to end.
    pub fn runs(&mut self, who: Who) -> bool {
        self.place(who).is_some()
    }

    /// Ends all as an operator would.
    pub async fn stop(&mut self) -> Result<()> {
        for who in [Who::Agent, Who::Server] {
            if self.place(who).is_some() {
                self.signal(who, Signal::TERM)?;
                // One that a fault left frozen would not hear of it.
                self.signal(who, Signal::CONT)?;
                self.down(who).await?;
            }
        }
        Ok(())
    }

    /// Leaves a line in the processes' own traces, to find a round again.
    pub fn note(&self, text: &str) {
        for name in ["server.log", "agent.log"] {
            let open: std::io::Result<File> = OpenOptions::new().append(true).open(self.folder.join(name));
            if let Ok(mut file) = open {
                let _ = writeln!(file, "chaos: {text}"); // an aid for reading, no more
            }
        }
    }

    async fn ready(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.alive()?;
            if self.client.get("/readyz").await.is_ok_and(|a| a.status == 200) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the server was not ready within {} s", PATIENCE.as_secs());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn cli(&self, args: &[&str]) -> Result<String> {
        let mut child = Command::new(binary())
            .args(args)
            .arg("--data")
            .arg(self.server_data())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Read by the one command that takes a password; others may be gone before it is written.
        let _ = child
            .stdin
            .take()
            .context("no input")?
            .write_all(b"a password of no use\n");
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("caracal {}: {}", args[0], String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn place(&mut self, who: Who) -> &mut Option<Child> {
        match who {
            Who::Server => &mut self.server,
            Who::Agent => &mut self.agent,
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in [self.agent.take(), self.server.take()].iter_mut().flatten() {
            let _ = child.kill(); // it may have ended already
            let _ = child.wait();
        }
    }
}

/// Where the database of a server is.
pub fn database(data: &Path) -> PathBuf {
    data.join("caracal.db")
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
