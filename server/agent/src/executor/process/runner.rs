//! The agent's side of a runner: a process that is there before a step and after it, so that no step need wait for one.
//!
//! **Invariant:** a runner has one job at a time; dropped, it ends by itself with all it began.

use super::job::{Job, Message, News, frame, send_outputs};
use super::tree;
use crate::executor::ExecError;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{self, Receiver};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

/// Bytes a pipe holds between step and agent.
const PIPE: usize = 256 * 1024;

/// A runner.
pub(super) struct Runner {
    child: Child,
    news: BufReader<OwnedReadHalf>,
    line: OwnedWriteHalf,
}

/// A runner that has a job, and where its news comes from.
pub(super) struct Working {
    child: Child,
    news: BufReader<OwnedReadHalf>,
    line: Line,
}

/// The way of orders to a runner, for as long as it has the job; all clones are the same.
#[derive(Clone)]
pub(super) struct Line(Arc<Mutex<Option<OwnedWriteHalf>>>);

impl Runner {
    /// Starts one.
    ///
    /// # Errors
    /// When this machine cannot.
    pub fn spawn(exe: &Path) -> Result<Self, ExecError> {
        let failed = |e: io::Error| {
            ExecError::Machine(format!(
                "The steps' runner {} could not be started: {e}.",
                exe.display()
            ))
        };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let theirs = theirs
            .into_std()
            .and_then(|s| s.set_nonblocking(false).map(|()| s))
            .map_err(failed)?;
        let child = Command::new(exe)
            .arg("exec-step")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (news, line) = ours.into_split();
        Ok(Self {
            child,
            news: BufReader::new(news),
            line,
        })
    }

    /// Gives it a job; answers the step's standard output and error, or `None` when the runner is gone and has not
    /// taken the job.
    ///
    /// # Errors
    /// When this machine has no pipes left.
    pub async fn employ(mut self, job: Job) -> Result<Option<(Working, Receiver, Receiver)>, ExecError> {
        let failed = |e: io::Error| ExecError::Machine(format!("The step's outputs could not be made: {e}."));
        let (stdout_in, stdout) = outputs().map_err(failed)?;
        let (stderr_in, stderr) = outputs().map_err(failed)?;
        let bytes = frame(&Message::Job(Box::new(job))).map_err(failed)?;
        let socket: &UnixStream = self.line.as_ref();
        let sent = loop {
            if socket.writable().await.is_err() {
                return Ok(None);
            }
            let ends = [stdout_in.as_fd(), stderr_in.as_fd()];
            match socket.try_io(Interest::WRITABLE, || send_outputs(socket.as_fd(), &bytes, ends)) {
                Ok(sent) => break sent,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Ok(None),
            }
        };
        if self.line.write_all(&bytes[sent..]).await.is_err() {
            return Ok(None);
        }
        let working = Working {
            child: self.child,
            news: self.news,
            line: Line(Arc::new(Mutex::new(Some(self.line)))),
        };
        Ok(Some((working, stdout, stderr)))
    }
}

/// A pipe: the step's end, which blocks, and ours.
fn outputs() -> io::Result<(OwnedFd, Receiver)> {
    let (write, read) = pipe::pipe()?;
    // Fewer, larger reads; a system that refuses keeps its own size.
    let _ = rustix::pipe::fcntl_setpipe_size(&read, PIPE);
    Ok((write.into_blocking_fd()?, read))
}

impl Working {
    /// The next news; `None` when the runner is gone.
    pub async fn hear(&mut self) -> Option<News> {
        let mut line = String::new();
        match self.news.read_line(&mut line).await {
            Ok(n) if n > 0 => serde_json::from_str(&line).ok(),
            _ => None,
        }
    }

    /// The way of orders to it.
    pub fn line(&self) -> Line {
        self.line.clone()
    }

    /// Its job is done: no order of this job reaches the next.
    pub fn free(self) -> Option<Runner> {
        let line = self.line.take()?;
        Some(Runner {
            child: self.child,
            news: self.news,
            line,
        })
    }

    /// It is gone, killed by somebody: so must be what it had begun.
    pub async fn bury(mut self) {
        drop(self.line.take());
        if let Some(leader) = self.child.id() {
            tree::kill_session(leader);
        }
        let _ = self.child.wait().await;
    }
}

impl Line {
    /// Gives an order, unless the job is done; a runner that is gone needs none.
    pub fn order(&self, message: &Message) {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(line), Ok(frame)) = (line.as_ref(), frame(message)) {
            // A few bytes on a socket that is otherwise empty: they fit.
            let _ = line.try_write(&frame);
        }
    }

    fn take(&self) -> Option<OwnedWriteHalf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
