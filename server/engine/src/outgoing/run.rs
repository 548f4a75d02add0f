//! One call of git as a process of its own: its output bounded, its time too.
//!
//! **Invariant:** when the answer is there, or nobody waits for it any more, no process of the call lives: they are one
//! process group, and it is killed as a whole before its leader is waited for.

use super::fault::Span;
use super::{Fault, FaultKind};
use domain::git::GitCall;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// The end of what git says that is kept to explain a failure.
const TAIL: usize = 16 * 1024;

/// What a call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until it ends.
    pub time: Duration,
    /// Bytes of its output.
    pub out: usize,
    /// Bytes of each file it writes.
    pub file: u64,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether it did what it was asked.
    pub good: bool,
    /// What it printed, up to the limit.
    pub out: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
    /// The end of what it said of errors.
    pub err: String,
}

/// Runs git in a folder; `input` is what it reads.
///
/// # Errors
/// When it cannot be started or does not end in time.
pub(crate) async fn run(call: &GitCall, folder: &Path, input: &[u8], limits: Limits) -> Result<Answer, Fault> {
    let mut git = Running(start(call, folder, limits)?);
    let whole = async {
        let said = git.listen(input, limits.out).await?;
        if said.cut {
            git.kill();
        }
        Ok::<_, std::io::Error>((said, git.0.wait().await?))
    };
    let done = tokio::time::timeout(limits.time, whole).await;
    if !matches!(done, Ok(Ok(_))) {
        git.kill();
        // It is killed; that it cannot be waited for changes nothing.
        let _ = git.0.wait().await;
    }
    match done {
        Err(_) => {
            let sentence = format!("The source did not answer within {}.", Span(limits.time));
            Err(Fault::new(FaultKind::TooSlow, sentence))
        }
        Ok(Err(e)) => Err(ours(&format!("what git says could not be read: {e}"))),
        Ok(Ok((said, status))) => Ok(Answer {
            good: status.success(),
            out: said.out,
            cut: said.cut,
            err: said.err,
        }),
    }
}

fn start(call: &GitCall, folder: &Path, limits: Limits) -> Result<Child, Fault> {
    let kept = ["PATH", "HOME"];
    let child = Command::new("git")
        .args(&call.args)
        .env_clear()
        .envs(kept.iter().filter_map(|k| std::env::var_os(k).map(|v| (k, v))))
        .envs(call.env.iter().cloned())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                ours("the server has no `git` to read sources with: install it and try again")
            }
            _ => ours(&format!("the server could not start `git`: {e}")),
        })?;
    let file = Rlimit {
        current: Some(limits.file),
        maximum: Some(limits.file),
    };
    if let Some(pid) = pid(&child) {
        // One that has ended already writes nothing more.
        let _ = prlimit(Some(pid), Resource::Fsize, file);
    }
    Ok(child)
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
}

fn ours(why: &str) -> Fault {
    let mut sentence = why.to_owned();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Fault::new(FaultKind::Ours, sentence + ".")
}

/// A call that runs.
struct Running(Child);

/// What a call printed.
struct Said {
    out: Vec<u8>,
    cut: bool,
    err: String,
}

impl Running {
    /// Reads to the end of both outputs, or to the limit of the first.
    async fn listen(&mut self, input: &[u8], most: usize) -> std::io::Result<Said> {
        let (stdin, stdout, stderr) = (self.0.stdin.take(), self.0.stdout.take(), self.0.stderr.take());
        let write = async move {
            if let Some(mut stdin) = stdin {
                // Git need not read all of it; its exit code tells.
                let _ = stdin.write_all(input).await;
            }
        };
        let read = async {
            let mut out = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(most as u64 + 1).read_to_end(&mut out).await?;
            }
            Ok::<_, std::io::Error>(out)
        };
        let both = async { tokio::join!(write, tail(stderr)).1 };
        tokio::pin!(read, both);
        let mut err = None;
        let mut out = tokio::select! {
            out = &mut read => out?,
            said = &mut both => {
                err = Some(said?);
                read.await?
            }
        };
        let cut = out.len() > most;
        out.truncate(most);
        let err = match err {
            Some(err) => err,
            None if cut => String::new(),
            None => both.await?,
        };
        Ok(Said { out, cut, err })
    }

    /// Ends the whole group. The leader was not waited for, so its number is nobody else's.
    fn kill(&self) {
        if let Some(pid) = pid(&self.0) {
            // It may be gone already.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads to the end and keeps the last of it.
async fn tail(stderr: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let Some(mut stderr) = stderr else {
        return Ok(String::new());
    };
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 4_096]);
    loop {
        match stderr.read(&mut buffer).await? {
            0 => return Ok(String::from_utf8_lossy(&kept).into_owned()),
            n => kept.extend_from_slice(&buffer[..n]),
        }
        if kept.len() > 2 * TAIL {
            kept.drain(..kept.len() - TAIL);
        }
    }
}
