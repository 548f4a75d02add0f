//! The checkout: git, called as `domain::git` says, its output in the spool as that of the set-up step.
//!
//! **Invariant:** nothing a person wrote reaches git unchecked; when `run` answers, no process of git lives.

use super::proofs::{KeyFile, Proofs};
use crate::clock;
use crate::spool::Spool;
use domain::console::view::Stream;
use domain::git::{Checkout, Commit, GitCall, Way, check_ref, explain, needs_all, parse_log};
use protocol::{CheckoutSpec, Fence, Proof};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// The end of what git says that is kept to explain a failure.
const TAIL: usize = 16 * 1024;

/// Where what proves who asks comes from.
pub(super) struct Proved<'a> {
    pub proofs: &'a Proofs,
    pub fence: Fence,
}

impl Proved<'_> {
    /// How the source is reached; the key's file is there as long as it is held.
    async fn way(&self, spec: &CheckoutSpec) -> Result<(Way, Option<KeyFile>), String> {
        let mut way = Way::default();
        let proof = match spec.proved {
            true => self.proofs.of(self.fence).await,
            false => None,
        };
        match proof {
            None => Ok((way, None)),
            Some(Proof::Header { below, header }) => {
                way.config.push((format!("http.{below}.extraHeader"), header));
                Ok((way, None))
            }
            Some(Proof::Key { private }) => {
                let key = self.proofs.key(&private);
                let key = key.map_err(|e| format!("The key of the source could not be kept: {e}."))?;
                // `%` begins something in ssh's settings, blanks end it.
                let path = key.path().display().to_string().replace('%', "%%");
                for option in [
                    &format!("IdentityFile=\"{path}\""),
                    "IdentitiesOnly=yes",
                    "IdentityAgent=none",
                ] {
                    way.ssh.extend(["-o".to_owned(), option.to_owned()]);
                }
                Ok((way, Some(key)))
            }
        }
    }
}

/// What a call of git left behind.
struct Answer {
    status: ExitStatus,
    out: Vec<u8>,
    err: String,
}

/// Checks out the exact revision into the empty `workspace`; ends early when `stop` does.
///
/// # Errors
/// One sentence: what could not be read, and why.
pub(super) async fn run(
    spec: &CheckoutSpec,
    proved: Proved<'_>,
    workspace: &Path,
    spool: &Spool,
    stop: impl Future<Output = ()>,
) -> Result<Commit, String> {
    let group = Group::default();
    tokio::pin!(stop);
    let (way, _key) = tokio::select! {
        biased;
        way = proved.way(spec) => way?,
        () = &mut stop => return Err("The checkout was stopped.".into()),
    };
    let work = steps(spec, &way, workspace, spool, &group);
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = &mut stop => group.stop(),
    }
    // The killed git closes its pipes and is waited for; no other one starts.
    work.await
}

async fn steps(
    spec: &CheckoutSpec,
    way: &Way,
    workspace: &Path,
    spool: &Spool,
    group: &Group,
) -> Result<Commit, String> {
    let git = Git {
        spec,
        way,
        workspace,
        spool,
        group,
    };
    if let Some(branch) = &spec.branch {
        check_ref(branch).map_err(|e| refused(&e))?;
    }
    let checkout = Checkout::new(&spec.url, &spec.revision, spec.allow_local).map_err(|e| refused(&e))?;
    git.must(checkout.init()).await?;
    git.must(checkout.remote()).await?;
    let fetched = git.call(checkout.fetch(), false).await?;
    if !fetched.status.success() {
        if !needs_all(&fetched.err) {
            return Err(explain(&spec.url, &fetched.err));
        }
        git.must(checkout.fetch_all()).await?;
    }
    git.must(checkout.switch()).await?;
    let log = git.call(checkout.log(), true).await?;
    let commit = parse_log(&String::from_utf8_lossy(&log.out))
        .filter(|_| log.status.success())
        .ok_or_else(|| explain(&spec.url, &log.err))?;
    if spec.submodules {
        git.must(checkout.submodules()).await?;
    }
    Ok(commit)
}

fn refused(why: &str) -> String {
    format!("The source was refused: {why}.")
}

struct Git<'a> {
    spec: &'a CheckoutSpec,
    way: &'a Way,
    workspace: &'a Path,
    spool: &'a Spool,
    group: &'a Group,
}

impl Git<'_> {
    async fn must(&self, call: GitCall) -> Result<(), String> {
        let answer = self.call(call, false).await?;
        if answer.status.success() {
            Ok(())
        } else {
            Err(explain(&self.spec.url, &answer.err))
        }
    }

    /// Runs git. What it prints is the step's output, except an answer that is ours to read.
    async fn call(&self, call: GitCall, ours: bool) -> Result<Answer, String> {
        let call = call.by(self.way);
        let mut command = Command::new("git");
        command
            .args(&call.args)
            .env_clear()
            .envs(
                ["PATH", "HOME"]
                    .iter()
                    .filter_map(|k| std::env::var_os(k).map(|v| (k, v))),
            )
            .envs(call.env)
            .current_dir(self.workspace)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| match e.kind() {
            ErrorKind::NotFound => "There is no git on this agent: install it to check out sources.".to_owned(),
            _ => format!("git could not be started: {e}."),
        })?;
        self.group.runs(child.id())?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let said = (!ours).then_some(self.spool);
        let (out, err, status) = tokio::join!(
            drain(out, Stream::Stdout, said),
            drain(err, Stream::Stderr, Some(self.spool)),
            child.wait()
        );
        let status = status.map_err(|e| format!("git could not be waited for: {e}."))?;
        self.group.runs(None)?;
        Ok(Answer {
            status,
            out: out?,
            err: String::from_utf8_lossy(&err?).into_owned(),
        })
    }
}

/// Reads to the end, into the spool where that is given; answers the last of it.
async fn drain(from: Option<impl AsyncRead + Unpin>, stream: Stream, spool: Option<&Spool>) -> Result<Vec<u8>, String> {
    let Some(mut from) = from else { return Ok(Vec::new()) };
    let mut tail = Vec::new();
    let mut block = vec![0; 16 * 1024];
    let mut failed = None;
    loop {
        let n = match from.read(&mut block).await {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) => return Err(format!("git's output could not be read: {e}.")),
        };
        // Reading goes on after a failed write: a git that stands in a full pipe would never end.
        if let Some(Err(e)) = spool.map(|s| s.append(stream, clock::now(), &block[..n])) {
            failed.get_or_insert(e.to_string());
        }
        tail.extend_from_slice(&block[..n]);
        if tail.len() > 2 * TAIL {
            tail.drain(..tail.len() - TAIL);
        }
    }
    failed.map_or(Ok(tail), Err)
}

/// The process group of the git that runs now: it has children of its own (ssh, transports).
#[derive(Default)]
struct Group(Mutex<Members>);

#[derive(Default)]
struct Members {
    leader: Option<Pid>,
    stopped: bool,
}

impl Group {
    /// Notes the git that runs now.
    fn runs(&self, leader: Option<u32>) -> Result<(), String> {
        let mut members = self.lock();
        members.leader = leader.and_then(|p| i32::try_from(p).ok()).and_then(Pid::from_raw);
        if members.stopped {
            members.kill();
            return Err("The checkout was stopped.".into());
        }
        Ok(())
    }

    /// Kills it; no other may start.
    fn stop(&self) {
        let mut members = self.lock();
        members.stopped = true;
        members.kill();
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn kill(&self) {
        if let Some(leader) = self.leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.lock().kill();
    }
}
