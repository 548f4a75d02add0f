//! What steps may leave running until the shim goes: their processes, and the pipes these still write to.
//!
//! **Invariant:** a process is kept by its number only while it is our child and not reaped, so that no other ever has that
//! number; what kept processes write is read and thrown away, so that it neither blocks nor kills them.

use super::step::waste;
use rustix::process::Pid;
use std::os::fd::OwnedFd;

/// What is kept.
#[derive(Default)]
pub(super) struct Kept {
    processes: Vec<Pid>,
    pipes: Vec<OwnedFd>,
}

impl Kept {
    /// Whether nothing is.
    pub fn none(&self) -> bool {
        self.processes.is_empty()
    }

    /// Whether this process is. What it begins itself is its own, as long as it lives.
    pub fn holds(&self, process: Pid) -> bool {
        self.processes.contains(&process)
    }

    /// Keeps what a step left: our children now.
    pub fn keep(&mut self, children: Vec<Pid>, pipes: impl IntoIterator<Item = OwnedFd>) {
        self.processes = children;
        if !self.none() {
            self.pipes.extend(pipes);
        }
    }

    /// This process was reaped.
    pub fn reaped(&mut self, process: Pid) {
        self.processes.retain(|p| *p != process);
    }

    /// The pipes, to be waited for.
    pub fn pipes(&self) -> &[OwnedFd] {
        &self.pipes
    }

    /// Throws away what is in the pipes; those at their end are closed.
    pub fn drain(&mut self) {
        self.pipes.retain(|pipe| {
            // A piece at a time: a flood must not keep the shim from its step.
            !matches!(waste(pipe), Ok(0))
        });
    }
}
