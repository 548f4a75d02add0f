//! What agent and shim say over the socket: a length (4 bytes, little-endian) and JSON. A length of 0 from the shim only
//! says that there is something new to read.
//!
//! **Invariant:** the shim speaks first; until it has told its token, or, the first time, been given one, no order counts.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest message: a script of 1.5 MiB, escaped, with its environment.
pub const LONGEST: usize = 16 << 20;

/// To a shim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToShim {
    /// The answer to its hello. The first one carries two descriptors: the spool and the record.
    Welcome {
        /// What it proves itself with from now on.
        token: String,
        /// Most bytes the spool may hold that the agent has not read.
        bound: u64,
        /// Up to where the agent has read the spool.
        read: u64,
    },
    /// Run this; no other job runs.
    Job(Box<Job>),
    /// TERM to the step's process group.
    Term,
    /// KILL to the step and all it began.
    Kill,
    /// The agent has read the spool up to here.
    Read(u64),
    /// Steps may run until then, in nanoseconds since boot; each new one replaces the last.
    Lease(u64),
    /// No more jobs: end.
    Bye,
}

/// One step to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number, not that of the job before.
    pub step: i64,
    /// Program and arguments; a program without `/` is searched in the step's own `PATH`.
    pub argv: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Whether that goes over the shim's own (an image's) or is all.
    pub inherit: bool,
    /// Where it begins.
    pub dir: PathBuf,
    /// What of the machine it may touch, where nothing else walls it in.
    pub fence: Option<Fence>,
    /// As whom: user and group id, where not as the shim.
    pub user: Option<(u32, u32)>,
    /// When it is ended if it has not yet, in nanoseconds since boot.
    pub deadline: Option<u64>,
    /// Until when it may run without an agent, in nanoseconds since boot; ten minutes when nothing is said.
    pub lease: Option<u64>,
    /// Milliseconds between TERM and KILL when the shim itself ends it.
    pub grace_ms: u64,
    /// Whether what it leaves running is let be.
    pub keep: bool,
}

/// What a step may touch beside the system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fence {
    /// Folders it may write.
    pub writable: Vec<PathBuf>,
    /// More folders it may read, by an administrator's will.
    pub readable: Vec<PathBuf>,
}

/// From a shim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromShim {
    /// Its first words on each connection.
    Hello {
        /// What it was given; `None` the first time.
        token: Option<String>,
        /// How it stands.
        standing: Standing,
    },
    /// How it stands now.
    Standing(Standing),
    /// A step's end that the spool could not take.
    Ended(End),
}

/// How a shim stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The step it took last, 0 when none.
    pub step: i64,
    /// Bytes in its spool.
    pub written: u64,
    /// Whether it waits for the agent to read.
    pub blocked: bool,
    /// The error number with which the disk refuses, if it does.
    pub stalled: Option<i32>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Which.
    pub step: i64,
    /// How its command ended.
    pub exit: Exit,
    /// Who ended it, if it did not end by itself.
    pub by: Option<By>,
    /// Whether the container was out of memory when it was killed.
    #[serde(default)]
    pub starved: bool,
    /// Bytes of its output that the disk did not take.
    pub dropped: u64,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With a code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It could not be started.
    NotStarted {
        /// At what.
        at: Stage,
        /// The error number, 0 when there is none.
        errno: i32,
        /// The error in words.
        why: String,
    },
}

/// What a start failed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its pipes and process.
    Machine,
    /// The folder it begins in.
    Folder,
    /// The limits of its rights.
    Rights,
    /// Finding or executing the program.
    Program,
}

/// Who ended a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The agent.
    Agent,
    /// Its deadline.
    Time,
    /// The end of the lease.
    Lease,
    /// A TERM to the shim from outside: the engine or the machine stops.
    Outside,
}

/// A message as bytes.
///
/// # Errors
/// When it is longer than [`LONGEST`].
pub fn encode<T: Serialize>(message: &T) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    if length > LONGEST {
        return Err(std::io::Error::other("the message is too long"));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(bytes)
}

/// The length at the beginning of `bytes`: behind it ends the first message. `None` when it is not all there.
///
/// # Errors
/// When it is longer than [`LONGEST`].
pub fn first(bytes: &[u8]) -> std::io::Result<Option<usize>> {
    let Some(raw) = bytes.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*raw) as usize;
    if length > LONGEST {
        return Err(std::io::Error::other("the message is too long"));
    }
    Ok((bytes.len() >= 4 + length).then_some(length))
}
