//! The faults: what they are called, where they are at home, and what they may cost.
//!
//! **Invariant:** every fault is in the list of at least one kind of site; what a fault may cost is said here and nowhere
//! else, and for most it is nothing.

use crate::kind::Kind;
use crate::site::Who;

/// A kind of fault; a round has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL at a random instant.
    Kill(Who),
    /// SIGKILL when a step has just begun.
    KillAtStart(Who),
    /// SIGKILL when a step ends.
    KillAtEnd(Who),
    /// SIGKILL five times, each as soon as it is up again or sooner.
    KillLoop(Who),
    /// SIGKILL of server and agent at once.
    KillBoth,
    /// SIGTERM, as an operator's restart; an agent needs two to leave what runs.
    Terminate(Who),
    /// One SIGTERM to an agent: it finishes what runs, goes, and comes again.
    Drain,
    /// SIGSTOP for some seconds.
    Freeze(Who),
    /// The network holds everything up.
    Delay,
    /// The network loses everything, both ways.
    Partition,
    /// The network loses one way.
    HalfOpen,
    /// The network resets every connection.
    Reset,
    /// Every message between server and agent arrives twice.
    Twice,
    /// SIGKILL of the Docker engine, which comes up again; whether it runs with live-restore.
    EngineKill(bool),
    /// SIGTERM of the Docker engine, as an upgrade; whether it runs with live-restore.
    EngineStop(bool),
    /// SIGKILL of engine and agent at once; they come back in any order.
    EngineAndAgent,
    /// The engine is away until the agent has said so, and a while longer.
    EngineAway,
    /// The disk of a data folder is filled, and freed again.
    Disk(Who),
    /// The clock is set an hour or a day back or forth.
    Clock(Who),
    /// A process kills itself at the instant of this name.
    Point(&'static str),
}

/// What a fault may cost, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toll {
    /// Nothing.
    Nothing,
    /// What runs in containers ends `lost`, with its output up to there.
    Engine,
    /// What cannot be stored fails and says so, with its output up to there.
    AgentDisk,
}

impl Fault {
    /// Faults of a server with its built-in agent.
    const ALONE: &[Self] = &[
        Self::KillAtEnd(Who::Server),
        Self::Kill(Who::Server),
        Self::KillLoop(Who::Server),
        Self::KillAtStart(Who::Server),
        Self::Terminate(Who::Server),
        Self::Freeze(Who::Server),
    ];
    /// Faults of a server and an agent of its own process.
    const APART: &[Self] = &[
        Self::KillAtEnd(Who::Agent),
        Self::Partition,
        Self::KillBoth,
        Self::KillAtEnd(Who::Server),
        Self::HalfOpen,
        Self::Twice,
        Self::KillLoop(Who::Agent),
        Self::Reset,
        Self::Kill(Who::Server),
        Self::Delay,
        Self::Kill(Who::Agent),
        Self::KillAtStart(Who::Agent),
        Self::Freeze(Who::Agent),
        Self::Terminate(Who::Agent),
        Self::Terminate(Who::Server),
        Self::Drain,
        Self::Freeze(Who::Server),
        Self::KillLoop(Who::Server),
        Self::KillAtStart(Who::Server),
        Self::Point("server.enqueued"),
        Self::Point("agent.exited"),
        Self::Point("server.committed"),
        Self::Point("agent.taken"),
        Self::Point("server.assigned"),
        Self::Point("agent.sent"),
        Self::Point("server.synced"),
        Self::Point("agent.assigned"),
        Self::Point("agent.homed"),
    ];

    /// Faults where steps run in containers.
    const CONTAINED: &[Self] = &[
        Self::EngineKill(true),
        Self::KillAtEnd(Who::Agent),
        Self::EngineKill(false),
        Self::Kill(Who::Server),
        Self::EngineAway,
        Self::KillLoop(Who::Agent),
        Self::EngineStop(false),
        Self::KillAtStart(Who::Agent),
        Self::EngineAndAgent,
        Self::KillBoth,
        Self::EngineStop(true),
        Self::Terminate(Who::Agent),
        Self::KillAtEnd(Who::Server),
        Self::Drain,
        Self::Kill(Who::Agent),
        Self::Freeze(Who::Agent),
        Self::Point("agent.warmed"),
        Self::Point("agent.exited"),
        Self::Point("agent.homed"),
        Self::Point("agent.taken"),
    ];

    /// The faults of a kind of site.
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Alone => Self::ALONE,
            Kind::Apart => Self::APART,
            Kind::Contained => Self::CONTAINED,
            Kind::Adrift => &[Self::Clock(Who::Server), Self::Clock(Who::Agent)],
            Kind::Tight => &[Self::Disk(Who::Agent), Self::Disk(Who::Server)],
        }
    }

    /// What it may cost.
    pub fn toll(self) -> Toll {
        match self {
            Self::EngineKill(false) | Self::EngineStop(false) => Toll::Engine,
            Self::Disk(Who::Agent) => Toll::AgentDisk,
            _ => Toll::Nothing,
        }
    }

    /// Whether the engine must run with live-restore for it; `None` where that does not matter.
    pub fn live_restore(self) -> Option<bool> {
        match self {
            Self::EngineKill(live) | Self::EngineStop(live) => Some(live),
            Self::EngineAndAgent | Self::EngineAway => Some(true),
            _ => None,
        }
    }

    /// Its name in the table.
    pub fn name(self, kind: Kind) -> String {
        let live = |live| if live { "with" } else { "without" };
        let (what, who) = match self {
            Self::Kill(who) => ("kill -9", Some(who)),
            Self::KillAtStart(who) => ("kill -9 as a step starts", Some(who)),
            Self::KillAtEnd(who) => ("kill -9 as a step ends", Some(who)),
            Self::KillLoop(who) => ("kill -9 five times", Some(who)),
            Self::KillBoth => ("kill -9 of server and agent", None),
            Self::Terminate(who) => ("SIGTERM and restart", Some(who)),
            Self::Drain => ("drain and restart: agent", None),
            Self::Freeze(who) => ("SIGSTOP, SIGCONT", Some(who)),
            Self::Delay => ("network: delay", None),
            Self::Partition => ("network: all lost", None),
            Self::HalfOpen => ("network: one way lost", None),
            Self::Reset => ("network: RST", None),
            Self::Twice => ("network: messages twice", None),
            Self::EngineKill(l) => return format!("engine: kill -9 {} live-restore", live(l)),
            Self::EngineStop(l) => return format!("engine: SIGTERM {} live-restore", live(l)),
            Self::EngineAndAgent => ("engine: kill -9 of engine and agent", None),
            Self::EngineAway => ("engine: away for a while", None),
            Self::Disk(who) => ("disk full", Some(who)),
            Self::Clock(who) => ("clock set", Some(who)),
            Self::Point(name) => {
                return format!(
                    "failpoint: {name}{}",
                    if kind.contained() { ", containers" } else { "" }
                );
            }
        };
        let place = if kind.contained() && !what.starts_with("engine") {
            "containers: "
        } else {
            ""
        };
        match who {
            None => format!("{place}{what}"),
            Some(Who::Server) if kind.remote() => format!("{place}{what}: server"),
            Some(Who::Server) => format!("{place}{what}: server with agent"),
            Some(Who::Agent) => format!("{place}{what}: agent"),
        }
    }
}
