//! The program's loop: one thread that waits for the agent, the step's output, signals and the clock.
//!
//! **Invariant:** a step's end is told only when nothing that it began lives (but what it was allowed to keep) and its
//! output is stored; without an agent it goes on until the lease ends.

mod fence;
mod kept;
mod link;
mod memory;
mod search;
mod spool;
mod start;
mod step;
mod tree;

use kept::Kept;
use link::{Heard, Link};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior, setsid};
use shim::since_boot;
use shim::wire::{By, Standing, ToShim};
use signal_hook::consts::{SIGCHLD, SIGTERM};
use spool::Spool;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use step::Step;

/// How long it looks for an agent when it has nothing to keep for one.
const LONELY: Duration = Duration::from_secs(5);
/// The same in a container: an agent that starts beside a busy engine takes its time.
const LONELY_INSIDE: Duration = Duration::from_secs(60);
/// How long steps may run when no agent says.
const LEASE: Duration = Duration::from_secs(600);
/// How often a full disk and an absent agent are tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// Milliseconds between TERM and KILL at most when the engine stops: it kills us after ten seconds itself.
const OUTSIDE_GRACE: u64 = 5_000;

/// Runs until the agent says bye, or is gone for good.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            if rustix::termios::isatty(io::stdin()) {
                eprintln!("This program is for a Caracal agent alone: {e}");
            }
            ExitCode::from(125)
        }
    }
}

fn run() -> io::Result<()> {
    let inside = getpid().is_init();
    if !inside {
        // An agent's terminal must not interrupt it.
        let _ = setsid();
        set_child_subreaper(Some(getpid()))?;
    }
    // A step of the same user must not read jobs, with their secrets, from this process.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let (mut signals, bell) = UnixStream::pair()?;
    signals.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGCHLD, bell.try_clone()?)?;
    let stopped = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, stopped.clone())?;
    signal_hook::low_level::pipe::register(SIGTERM, bell)?;
    let at = std::env::args_os().nth(1).map(PathBuf::from);
    let mut shim = Shim {
        link: Link::new(at)?,
        spool: None,
        step: None,
        kept: Kept::default(),
        last: 0,
        lease: since_boot() + LEASE,
        alone_since: since_boot(),
        told: Standing::default(),
        inside,
    };
    // The agent waits for nothing else.
    shim.tell();
    loop {
        if stopped.load(Ordering::Acquire) && shim.stop() || !shim.turn(&mut signals)? {
            // With it goes what it kept.
            tree::sweep(inside, &mut Kept::default());
            return Ok(());
        }
    }
}

/// All it knows.
struct Shim {
    link: Link,
    spool: Option<Spool>,
    step: Option<Step>,
    kept: Kept,
    /// The step it took last.
    last: i64,
    lease: Duration,
    alone_since: Duration,
    /// What the agent was told last.
    told: Standing,
    inside: bool,
}

impl Shim {
    /// Waits for the next thing to do and does it; `false` when there will be none.
    fn turn(&mut self, signals: &mut UnixStream) -> io::Result<bool> {
        let ready = self.wait(signals)?;
        if ready.signals {
            let mut bytes = [0; 64];
            while matches!(signals.read(&mut bytes), Ok(n) if n > 0) {}
        }
        if ready.agent && !self.hear()? {
            return Ok(false);
        }
        if ready.kept {
            self.kept.drain();
        }
        self.work(ready.out, ready.err);
        self.tell();
        Ok(self.link.up() || !self.forsaken())
    }

    fn wait(&mut self, signals: &UnixStream) -> io::Result<Ready> {
        let flow = self
            .spool
            .as_ref()
            .is_some_and(|s| s.takes() || self.step.as_ref().is_some_and(Step::gone));
        let (out, err) = match &self.step {
            Some(step) if flow => (step.out.as_ref(), step.err.as_ref()),
            _ => (None, None),
        };
        let wanted = [
            (self.link.fd(), self.link.wants()),
            (out.map(AsFd::as_fd), PollFlags::IN),
            (err.map(AsFd::as_fd), PollFlags::IN),
        ];
        let mut fds = vec![PollFd::new(signals, PollFlags::IN)];
        let mut places = [None; 3];
        for (place, (fd, flags)) in places.iter_mut().zip(wanted) {
            *place = fd.is_some().then_some(fds.len());
            fds.extend(fd.map(|fd| PollFd::from_borrowed_fd(fd, flags)));
        }
        let first = fds.len();
        fds.extend(self.kept.pipes().iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        match poll(&mut fds, self.patience().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let set = |place: Option<usize>| place.is_some_and(|p| !fds[p].revents().is_empty());
        Ok(Ready {
            signals: set(Some(0)),
            agent: set(places[0]),
            out: set(places[1]),
            err: set(places[2]),
            kept: fds[first..].iter().any(|fd| !fd.revents().is_empty()),
        })
    }

    /// Until when nothing happens by itself; `None` for ever.
    fn patience(&self) -> Option<Timespec> {
        let now = since_boot();
        let stalled = self.spool.as_ref().is_some_and(Spool::stalled);
        let again = (stalled || !self.link.up()).then_some(now + AGAIN);
        let due = self.step.as_ref().and_then(|s| s.due(self.lease));
        let next = [again, due].into_iter().flatten().min()?;
        Timespec::try_from(next.saturating_sub(now)).ok()
    }

    /// Hears the agent; `false` when it says bye.
    fn hear(&mut self) -> io::Result<bool> {
        for heard in self.link.hear() {
            match heard {
                Heard::Files(files) => {
                    if self.spool.is_none() {
                        self.spool = Some(Spool::new(files));
                    }
                }
                Heard::Message(message) => {
                    if !self.obey(message) {
                        return Ok(false);
                    }
                }
            }
        }
        if !self.link.up() {
            self.alone_since = since_boot();
        }
        Ok(true)
    }

    fn obey(&mut self, message: ToShim) -> bool {
        match message {
            ToShim::Welcome { token, bound, read } => {
                self.link.welcomed(token);
                if let Some(spool) = &mut self.spool {
                    spool.bound = bound;
                    spool.read_to(read);
                }
                // Whatever changed while nobody was told.
                self.told = Standing {
                    written: u64::MAX,
                    ..self.told
                };
            }
            ToShim::Job(job) => {
                // Given twice, when the first was not heard to arrive, it runs once.
                if let (None, Some(spool), true) = (&self.step, &mut self.spool, job.step != self.last) {
                    self.last = job.step;
                    self.lease = job.lease.map_or_else(|| since_boot() + LEASE, Duration::from_nanos);
                    self.step = Some(Step::start(*job, spool, self.inside));
                }
            }
            ToShim::Term => self.order(By::Agent, false),
            ToShim::Kill => self.order(By::Agent, true),
            ToShim::Read(upto) => {
                if let Some(spool) = &mut self.spool {
                    spool.read_to(upto);
                }
            }
            ToShim::Lease(until) => self.lease = Duration::from_nanos(until),
            ToShim::Bye => {
                self.order(By::Agent, true);
                return false;
            }
        }
        true
    }

    fn order(&mut self, by: By, kill: bool) {
        if let Some(step) = &mut self.step {
            step.end(by, kill);
        }
    }

    /// Moves the step on: what is due, what it wrote, its end.
    fn work(&mut self, out: bool, err: bool) {
        let Some(spool) = &mut self.spool else { return };
        spool.retry();
        let Some(step) = &mut self.step else {
            tree::reap(|pid, _| self.kept.reaped(pid));
            return;
        };
        step.punctual(self.lease);
        step.pump(spool, out, err);
        if let Some(end) = step.finish(spool, &mut self.kept, self.inside) {
            if !spool.close(&end) {
                self.link.ended(end);
            }
            self.step = None;
            // The workspace is nobody's current folder any more.
            let _ = rustix::process::chdir("/");
        }
    }

    /// Tells the agent what is new.
    fn tell(&mut self) {
        let now = self.standing();
        if !self.link.up() {
            self.link.reach(&now);
            return;
        }
        let before = std::mem::replace(&mut self.told, now);
        if (before.blocked, before.stalled) != (now.blocked, now.stalled) {
            self.link.stands(now);
        } else if before.written != now.written {
            self.link.wake();
        }
    }

    fn standing(&self) -> Standing {
        let spool = self.spool.as_ref();
        Standing {
            step: self.last,
            written: spool.map_or(0, |s| s.written),
            blocked: spool.is_some_and(Spool::blocked),
            stalled: spool.and_then(|s| s.stalled),
        }
    }

    /// TERM from outside: ends what runs, then itself; whether there is nothing left to end.
    fn stop(&mut self) -> bool {
        match &mut self.step {
            Some(step) => {
                step.grace_ms = step.grace_ms.min(OUTSIDE_GRACE);
                step.end(By::Outside, false);
                false
            }
            None => true,
        }
    }

    /// Whether no agent will come any more for what there is.
    fn forsaken(&self) -> bool {
        let now = since_boot();
        let patience = if self.inside { LONELY_INSIDE } else { LONELY };
        let lonely = now >= self.alone_since + patience;
        // Between two steps of an attempt nothing runs here either: its agent may come back for the next one until the lease ends.
        let served = self.spool.is_some() && self.last > 0;
        self.step.is_none() && lonely && (!served || now >= self.lease)
    }
}

/// What poll found.
struct Ready {
    signals: bool,
    agent: bool,
    out: bool,
    err: bool,
    kept: bool,
}
