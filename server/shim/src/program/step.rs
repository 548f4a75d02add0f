//! The step that runs: its process, its output, and the ways it is ended.
//!
//! **Invariant:** KILL follows each TERM of ours after the grace; the first reason of an end stands.

use super::kept::Kept;
use super::memory;
use super::spool::Spool;
use super::start::{Started, start};
use super::tree;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use shim::frame::Kind;
use shim::since_boot;
use shim::wire::{By, End, Exit, Job};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Reads of standard output in a row before standard error is looked at first for once.
const TURN: usize = 32;
/// How long a step that has ended may wait for room on the disk before its last output is given up.
const LAST: Duration = Duration::from_secs(10);

/// The step.
pub(super) struct Step {
    number: i64,
    /// Its process, until it is reaped: from then on the number may be another's.
    main: Option<Pid>,
    exit: Option<Exit>,
    pub out: Option<OwnedFd>,
    pub err: Option<OwnedFd>,
    by: Option<By>,
    deadline: Option<Duration>,
    kill_at: Option<Duration>,
    give_up_at: Option<Duration>,
    pub grace_ms: u64,
    keep: bool,
    turns: usize,
    /// How often the container had been out of memory before; `None` outside of one.
    starved: Option<u64>,
}

impl Step {
    /// Starts it, and says so in the spool.
    pub fn start(job: Job, spool: &mut Spool, inside: bool) -> Self {
        let mut step = Self {
            number: job.step,
            main: None,
            exit: None,
            out: None,
            err: None,
            by: None,
            deadline: job.deadline.map(Duration::from_nanos),
            kill_at: None,
            give_up_at: None,
            grace_ms: job.grace_ms,
            keep: job.keep,
            turns: 0,
            starved: inside.then(memory::kills),
        };
        match start(&job) {
            Ok(Started { main, out, err }) => {
                spool.frame(Kind::Start, job.step, |_| (0, ()));
                (step.main, step.out, step.err) = (Some(main), Some(out), Some(err));
            }
            Err(exit) => step.exit = Some(exit),
        }
        step
    }

    /// Whether its command has ended.
    pub fn gone(&self) -> bool {
        self.exit.is_some()
    }

    /// When something is to be done by the clock.
    pub fn due(&self, lease: Duration) -> Option<Duration> {
        let end = if self.by.is_none() {
            self.deadline.map_or(lease, |d| d.min(lease))
        } else {
            Duration::MAX
        };
        let end = (!self.gone() && end < Duration::MAX).then_some(end);
        [end, self.kill_at.filter(|_| !self.gone()), self.give_up_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub fn punctual(&mut self, lease: Duration) {
        let now = since_boot();
        if !self.gone() && self.by.is_none() {
            if now >= lease {
                self.end(By::Lease, false);
            } else if self.deadline.is_some_and(|d| now >= d) {
                self.end(By::Time, false);
            }
        }
        if self.kill_at.is_some_and(|at| now >= at) {
            self.kill_at = None;
            self.signal(Signal::KILL);
        }
    }

    /// Ends it: TERM and, after the grace, KILL; or KILL at once.
    pub fn end(&mut self, by: By, kill: bool) {
        let again = self.by.is_some();
        self.by.get_or_insert(by);
        if kill {
            self.kill_at = None;
            self.signal(Signal::KILL);
        } else if !again {
            self.signal(Signal::TERM);
            if by != By::Agent {
                self.kill_at = Some(since_boot() + Duration::from_millis(self.grace_ms));
            }
        }
    }

    /// Whether it, or what it began, was killed for want of memory.
    fn starved(&self) -> bool {
        let killed = matches!(self.exit, Some(Exit::Signalled(9) | Exit::Exited(137)));
        killed && self.by.is_none() && self.starved.is_some_and(|before| memory::kills() > before)
    }

    fn signal(&self, signal: Signal) {
        if let Some(main) = self.main {
            let _ = kill_process_group(main, signal);
        }
    }

    /// Takes what it wrote. Of two pipes that both have something, nobody can tell what was written first; output usually
    /// comes before the error that ends it, so standard output goes first, but not for ever.
    pub fn pump(&mut self, spool: &mut Spool, out: bool, err: bool) {
        if err && self.turns >= TURN {
            self.turns = 0;
            take(&mut self.err, Kind::Err, self.number, spool);
        }
        if out {
            self.turns += 1;
            take(&mut self.out, Kind::Out, self.number, spool);
        } else if err {
            self.turns = 0;
            take(&mut self.err, Kind::Err, self.number, spool);
        }
    }

    /// Its end, once its command is reaped, nothing it began lives, and its output is stored.
    pub fn finish(&mut self, spool: &mut Spool, kept: &mut Kept, inside: bool) -> Option<End> {
        if self.exit.is_none() {
            let (main, mut ended) = (self.main, None);
            tree::reap(|pid, status| {
                kept.reaped(pid);
                if Some(pid) == main {
                    ended = Some(match (status.exit_status(), status.terminating_signal()) {
                        (_, Some(signal)) => Exit::Signalled(signal),
                        (code, None) => Exit::Exited(code.unwrap_or_default()),
                    });
                }
            });
            self.exit = Some(ended?);
            self.main = None;
            // One that was ended leaves nothing, whatever it was to keep.
            self.keep &= self.by.is_none();
            if !self.keep {
                tree::sweep(inside, kept);
            }
            self.give_up_at = Some(since_boot() + LAST);
        }
        // What is in the pipes now is little, so the bound is not heeded; nobody is left to write more.
        for (pipe, kind) in [(&mut self.out, Kind::Out), (&mut self.err, Kind::Err)] {
            while pipe.is_some() && !spool.stalled() && take(pipe, kind, self.number, spool) {}
        }
        if spool.stalled() {
            let ordered = matches!(self.by, Some(By::Agent | By::Outside | By::Lease));
            if !ordered && self.give_up_at.is_some_and(|at| since_boot() < at) {
                return None;
            }
            spool.give_up();
            for pipe in [&mut self.out, &mut self.err] {
                while let Some(n) = pipe.as_ref().and_then(|p| waste(p).ok()).filter(|n| *n > 0) {
                    spool.drop_output(n);
                }
            }
        }
        if self.keep {
            kept.keep(tree::children(), self.out.take().into_iter().chain(self.err.take()));
        }
        Some(End {
            step: self.number,
            exit: self.exit.clone()?,
            by: self.by,
            starved: self.starved(),
            dropped: spool.dropped,
        })
    }
}

/// Stores what a pipe holds, at most one frame; whether there may be more. A pipe at its end is closed.
fn take(pipe: &mut Option<OwnedFd>, kind: Kind, step: i64, spool: &mut Spool) -> bool {
    let Some(fd) = pipe else { return false };
    let read = spool.frame(kind, step, |room| match rustix::io::read(&*fd, room) {
        Ok(n) => (n, Ok(n)),
        Err(e) => (0, Err(e)),
    });
    match read {
        Ok(n) if n > 0 => true,
        Err(Errno::INTR) => true,
        Err(Errno::AGAIN) => false,
        Ok(_) | Err(_) => {
            *pipe = None;
            false
        }
    }
}

/// Throws away what a pipe holds, a piece; how much that was.
pub(super) fn waste(pipe: &OwnedFd) -> Result<usize, Errno> {
    rustix::io::read(pipe, &mut [0; 16 * 1024])
}
