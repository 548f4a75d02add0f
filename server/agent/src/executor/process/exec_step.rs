//! The runner: the body of `caracal exec-step`, the process between the agent and a step's command. It runs one job after
//! the other, so that a step costs no more than a thread and the start of its command.
//!
//! **Invariant:** it answers an end only when nothing that the step began lives; when the agent goes, the step is killed
//! and the runner ends.

use super::confine;
use super::job::{Job, Message, News, receive};
use super::tree;
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, getpid, kill_process_group, set_child_subreaper, set_dumpable_behavior,
    setsid,
};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A job with the step's outputs.
type Work = (Job, Vec<OwnedFd>);

/// What reader and worker know of the job.
#[derive(Default)]
struct Now {
    /// The command's process, until it is reaped.
    main: Option<Pid>,
    /// Whether the agent has gone.
    gone: bool,
}

/// Runs steps for the agent at the other end of standard input. To be called before anything else in `main`: no runtime,
/// no log, no settings.
#[must_use]
pub fn exec_step() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            if rustix::termios::isatty(io::stdin()) {
                eprintln!("caracal exec-step is for the agent alone: {e}");
            }
            ExitCode::from(125)
        }
    }
}

fn run() -> io::Result<()> {
    // Before a job is there: an agent's terminal must not interrupt a runner that waits.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    // A step of the same user must not read jobs, with their secrets, from this process.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let mut agent = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Told to the kernel before a job is taken, so that it fails here and not in a step, when this is not a socket.
    let hearing = agent.try_clone()?;
    agent.peer_addr()?;
    let now = Arc::new(Mutex::new(Now::default()));
    let (give, jobs) = channel();
    let shared = now.clone();
    thread::spawn(move || hear(&hearing, &give, &shared));
    work(&jobs, &mut agent, &now)
}

/// Hears the agent until it goes. Orders are obeyed here, while the other thread waits for the step.
fn hear(agent: &UnixStream, give: &Sender<Work>, now: &Mutex<Now>) {
    loop {
        match receive(agent) {
            Ok(Some((Message::Job(job), outputs))) => {
                if give.send((*job, outputs)).is_err() {
                    return;
                }
            }
            Ok(Some((Message::Term, _))) => signal(&lock(now), Signal::TERM),
            Ok(Some((Message::Kill, _))) => signal(&lock(now), Signal::KILL),
            Ok(None) | Err(_) => {
                let mut now = lock(now);
                now.gone = true;
                signal(&now, Signal::KILL);
                return;
            }
        }
    }
}

/// Does the jobs, one after the other.
fn work(jobs: &Receiver<Work>, agent: &mut UnixStream, now: &Mutex<Now>) -> io::Result<()> {
    while let Ok((job, outputs)) = jobs.recv() {
        let news = match start(job, outputs) {
            Ok(main) => {
                {
                    let mut now = lock(now);
                    now.main = Some(main);
                    if now.gone {
                        signal(&now, Signal::KILL);
                    }
                }
                let told = tell(agent, &News::Started);
                let news = wait(main, now)?;
                tree::sweep();
                told?;
                news
            }
            Err(news) => news,
        };
        tell(agent, &news)?;
    }
    Ok(())
}

fn signal(now: &Now, signal: Signal) {
    if let Some(main) = now.main {
        let _ = kill_process_group(main, signal);
    }
}

fn lock(now: &Mutex<Now>) -> MutexGuard<'_, Now> {
    now.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell(agent: &mut UnixStream, news: &News) -> io::Result<()> {
    let mut line = serde_json::to_vec(news)?;
    line.push(b'\n');
    agent.write_all(&line)
}

/// Starts the command from a thread of its own: the fence binds that thread and what it starts, and leaves this process
/// free to end the step, out of the step's own reach.
fn start(job: Job, outputs: Vec<OwnedFd>) -> Result<Pid, News> {
    let lost = |_| machine("The step's runner failed.".into());
    thread::spawn(move || fenced(&job, outputs)).join().map_err(lost)?
}

fn fenced(job: &Job, outputs: Vec<OwnedFd>) -> Result<Pid, News> {
    rustix::thread::set_no_new_privs(true)
        .and_then(|()| confine::lower())
        .map_err(|e| machine(format!("The step's rights could not be limited: {e}.")))?;
    job.fence
        .close()
        .map_err(|e| machine(format!("The step could not be confined by Landlock: {e}.")))?;
    let (Some(program), args) = (job.argv.first(), job.argv.iter().skip(1)) else {
        return Err(plan("The step's command is empty.".into()));
    };
    let Ok([stdout, stderr]) = <[OwnedFd; 2]>::try_from(outputs) else {
        return Err(machine("The step's outputs did not reach its runner.".into()));
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(&job.env)
        .current_dir(&job.workspace)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some((uid, gid)) = job.user {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn().map_err(|e| not_started(job, program, &e))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| machine("The step has no process id.".into()))
}

/// The plan's fault.
fn plan(why: String) -> News {
    News::Failed { why, plan: true }
}

/// This machine's fault.
fn machine(why: String) -> News {
    News::Failed { why, plan: false }
}

fn not_started(job: &Job, program: &str, e: &io::Error) -> News {
    if !job.workspace.is_dir() {
        return machine(format!(
            "The workspace {} is not there any more.",
            job.workspace.display()
        ));
    }
    match e.kind() {
        io::ErrorKind::NotFound => plan(format!("There is no command {program} on this agent.")),
        io::ErrorKind::PermissionDenied => plan(format!(
            "{program} cannot be executed: it is no program, or lies outside of what a step may read."
        )),
        io::ErrorKind::ArgumentListTooLong => plan(format!(
            "{program} could not be started: its arguments and environment are too long together."
        )),
        _ if e.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => plan(format!(
            "{program} cannot be executed: it is not in a format this machine knows (a script needs #! in its first line)."
        )),
        _ => machine(format!("{program} could not be started: {e}.")),
    }
}

/// Waits for the command, reaping what else ends meanwhile: as the tree's subreaper it is heir to every orphan.
fn wait(main: Pid, now: &Mutex<Now>) -> io::Result<News> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == main => {
                // Emptied as soon as it is reaped: from here on its number may be another's.
                lock(now).main = None;
                return Ok(match (status.exit_status(), status.terminating_signal()) {
                    (_, Some(signal)) => News::Signalled(signal.into()),
                    (code, None) => News::Exited(code.unwrap_or_default().into()),
                });
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
