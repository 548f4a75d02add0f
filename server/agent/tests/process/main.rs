//! Process steps, with the real shim and real processes.
//!
//! **Invariant:** no test leaves a process behind; none looks at a clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/room.rs"]
mod room;
mod step;
mod tree;
mod walls;

use agent::executor::process::{ProcessExecutor, Settings, available};
use agent::executor::{ExecError, Executor, Session, Signal, StepCommand};
use domain::console::view::Stream;
use protocol::Exit;
use room::{Room, Said, argv, ends, noise, run};
use std::fs;
use std::path::Path;

fn executor(room: &Room, user: Option<&str>) -> ProcessExecutor {
    let settings = Settings {
        shims: room.dir.path().join("shims"),
        user: user.map(Into::into),
        readable: Vec::new(),
    };
    ProcessExecutor::new(settings).unwrap()
}

async fn open(room: &Room) -> Box<dyn Session> {
    executor(room, None)
        .open(room.spec.clone(), &Said::default())
        .await
        .unwrap()
}

/// Whether a process of this number runs (a zombie does not).
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Numbers that a step wrote into files `*.pid`.
fn pids(room: &Room) -> Vec<String> {
    let files = fs::read_dir(&room.spec.workspace).unwrap().map(|e| e.unwrap().path());
    let files = files.filter(|p| p.extension().is_some_and(|e| e == "pid"));
    files
        .map(|p| fs::read_to_string(p).unwrap().trim().to_owned())
        .collect()
}

/// Leaves behind what hostile or careless steps leave: a child, one in a session of its own, a double fork, all deaf.
const LEAVINGS: &str = r#"
    sh -c 'trap "" TERM HUP; echo $$ > child.pid; while :; do sleep 9; done' &
    setsid sh -c 'trap "" TERM HUP; echo $$ > session.pid; while :; do sleep 9; done' &
    (setsid sh -c '(trap "" TERM; sh -c "echo \$\$ > double.pid; trap \"\" TERM; while :; do sleep 9; done" &)' &)
    until [ -s child.pid ] && [ -s session.pid ] && [ -s double.pid ]; do sleep 0.01; done
"#;
