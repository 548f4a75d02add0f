//! The system under test: a real `caracal serve`, alone with its built-in agent, or with an agent of its own process behind
//! the fault proxy.
//!
//! **Invariant:** data and addresses outlive every process; only processes that were started here are signalled.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::http::Client;
use crate::proxy::Proxy;

/// Jobs at a time.
const SLOTS: &str = "4";
/// How long a process may take to come up or go down.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `caracal serve`, with the built-in agent where there is one.
    Server,
    /// `caracal agent`.
    Agent,
}

/// The processes and their folders.
pub struct Site {
    folder: PathBuf,
    /// For calls to the server.
    pub client: Client,
    /// Between server and agent; `None` with the built-in agent.
    pub proxy: Option<Proxy>,
    server: Option<Child>,
    agent: Option<Child>,
}

/// The binary under test.
pub fn binary() -> PathBuf {
    std::env::var_os("CARACAL_BIN").map_or_else(|| "target/release/caracal".into(), PathBuf::from)
}

impl Site {
    /// Starts a server in an empty folder; `remote` gives it an agent of its own process.
    pub async fn start(folder: PathBuf, remote: bool) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut site = Self {
            folder,
            client: Client {
                address: format!("127.0.0.1:{}", free_port()?),
                token: String::new(),
            },
            proxy: None,
            server: None,
            agent: None,
        };
        if remote {
            site.proxy = Some(Proxy::start(&site.client.address).await?);
        }
        site.up(Who::Server).await?;
        site.cli(&["user", "add", "chaos", "--role", "admin", "--password-stdin"])?;
        site.client.token = site.cli(&["token", "create", "--user", "chaos"])?;
        if remote {
            site.up(Who::Agent).await?;
        }
        Ok(site)
    }

    /// The data folder of the process that runs steps.
    pub fn agent_data(&self) -> PathBuf {
        self.folder.join(if self.proxy.is_some() { "agent" } else { "server" })
    }

    /// The server's data folder.
    pub fn server_data(&self) -> PathBuf {
        self.folder.join("server")
    }

    /// Starts a process; a server is waited for until it can work.
    pub async fn up(&mut self, who: Who) -> Result<()> {
        let (name, mut command) = match (who, &self.proxy) {
            (Who::Server, proxy) => {
                let mut command = Command::new(binary());
                command.args(["serve", "--listen", &self.client.address, "--data"]);
                command.arg(self.server_data());
                match proxy {
                    None => command.args(["--executor", "process", "--slots", SLOTS]),
                    Some(_) => command.arg("--no-agent"),
                };
                ("server", command)
            }
            (Who::Agent, Some(proxy)) => {
                let registered = self.agent_data().exists();
                let mut command = Command::new(binary());
                command.args(["agent", "--server", &format!("http://{}", proxy.address)]);
                command.args(["--executor", "process", "--slots", SLOTS, "--data"]);
                command.arg(self.agent_data());
                if !registered {
                    command.args(["--token", &self.cli(&["agent-token", "create"])?]);
                }
                ("agent", command)
            }
            (Who::Agent, None) => bail!("this site has no agent of its own process"),
        };
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(format!("{name}.log")))?;
        let child = command
            .env("CARACAL_LOG", "info")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", binary().display()))?;
        *self.place(who) = Some(child);
        if who == Who::Server {
            self.ready().await?;
        }
        Ok(())
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
