//! The shim is the process between an agent and the steps of an attempt: PID 1 of a container, parent of process steps.
//! This library is what both sides share; the program is `src/main.rs`, static and embedded in the agent.
//!
//! The agent makes a folder with a socket, on which the shim finds it, again and again when the agent was restarted. It
//! hands the shim two open files, the spool and the record, so that nothing of them has a name where steps live. Jobs
//! with their secrets go over the socket; what steps write and how they end goes into the spool as frames.
//!
//! **Invariant:** what a step wrote and how it ended is in the spool, or in the record when the disk is full, whatever
//! dies meanwhile but the shim itself; a shim takes orders only from who knows its token.

pub mod frame;
pub mod record;
pub mod wire;

use std::time::Duration;

/// The program's name in its folder.
pub const PROGRAM: &str = "shim";
/// The socket's name in its folder.
pub const SOCKET: &str = "sock";
/// Where the folder is in a container.
pub const MOUNT: &str = "/.caracal";

/// Time since the machine was started, with the time it was suspended: the same in a container and outside.
#[must_use]
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}
