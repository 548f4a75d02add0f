//! Starting a step's command.
//!
//! **Invariant:** a fenced command is started from a thread of its own: the fence binds that thread and what it starts,
//! and leaves the shim free to end the step, out of the step's own reach.

use super::fence;
use super::search::search;
use rustix::io::Errno;
use rustix::process::Pid;
use shim::wire::{Exit, Job, Stage};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

/// Bytes a pipe holds between step and shim.
const PIPE: usize = 256 * 1024;
/// The search path of steps that set none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command that runs.
pub(super) struct Started {
    pub main: Pid,
    pub out: OwnedFd,
    pub err: OwnedFd,
}

/// Starts it.
pub(super) fn start(job: &Job) -> Result<Started, Exit> {
    let machine = |e: io::Error| not_started(Stage::Machine, &e);
    let (out, stdout) = outputs().map_err(machine)?;
    let (err, stderr) = outputs().map_err(machine)?;
    if let Err(e) = rustix::process::chdir(&job.dir) {
        return Err(not_started(Stage::Folder, &e.into()));
    }
    let main = if job.fence.is_some() || job.user.is_some() {
        let spawned = thread::scope(|s| s.spawn(|| fenced(job, stdout, stderr)).join());
        spawned.map_err(|_| not_started(Stage::Machine, &io::Error::other("a thread failed")))?
    } else {
        spawn(job, stdout, stderr)
    }?;
    Ok(Started { main, out, err })
}

/// A pipe: our end, which does not block, and the step's, which does.
fn outputs() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    // Fewer, larger reads; a system that refuses keeps its own size.
    let _ = rustix::pipe::fcntl_setpipe_size(&read, PIPE);
    Ok((read, write))
}

fn fenced(job: &Job, stdout: OwnedFd, stderr: OwnedFd) -> Result<Pid, Exit> {
    let rights = |e: io::Error| not_started(Stage::Rights, &e);
    rustix::thread::set_no_new_privs(true).map_err(|e| rights(e.into()))?;
    fence::lower().map_err(|e| rights(e.into()))?;
    if let Some(fence) = &job.fence {
        fence::close(fence).map_err(|e| rights(io::Error::other(e.to_string())))?;
    }
    spawn(job, stdout, stderr)
}

fn spawn(job: &Job, stdout: OwnedFd, stderr: OwnedFd) -> Result<Pid, Exit> {
    let program = |e: io::Error| not_started(Stage::Program, &e);
    let inherited = || std::env::var("PATH").ok().filter(|_| job.inherit);
    let path = job
        .env
        .get("PATH")
        .cloned()
        .or_else(inherited)
        .unwrap_or_else(|| PATH.into());
    let Some((name, args)) = job.argv.split_first() else {
        return Err(program(Errno::NOENT.into()));
    };
    let found = search(name, &path).map_err(|e| program(e.into()))?;
    let mut command = Command::new(found);
    command.arg0(OsString::from(name)).args(args);
    if !job.inherit {
        command.env_clear();
    }
    command
        .env("PATH", path)
        .envs(&job.env)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some((uid, gid)) = job.user {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn().map_err(program)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| program(io::Error::other("it has no process id")))
}

fn not_started(at: Stage, e: &io::Error) -> Exit {
    Exit::NotStarted {
        at,
        errno: e.raw_os_error().unwrap_or_default(),
        why: e.to_string(),
    }
}
