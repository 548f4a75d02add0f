//! What steps and shims must not leave behind: processes, files, and things on an engine.
//!
//! **Invariant:** looking changes nothing; only processes that carry the mark of this run are ever ended here.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::engine::Things;
use crate::site::SLOTS;

/// Most shims that may wait for a job (`supervisor.rs` of the agent keeps eight), and one that is being made.
const FREE: usize = 9;

/// What is left in a quiet agent's folder, among processes of a run, and on an engine; one sentence each.
pub fn find(agent_data: &Path, run: &str, things: Option<&Things>) -> Vec<String> {
    let mut found = Vec::new();
    for pid in steps(run) {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let command: String = command.chars().take(60).collect();
        found.push(format!("process {pid} of a step still lives: {command}"));
    }
    let agent = agent_data.join("agent");
    for spool in entries(&agent.join("spool")) {
        found.push(format!("the spool {} is still there", spool.display()));
    }
    let work = agent.join("work");
    let set_aside = entries(&work)
        .into_iter()
        .filter(|p| p.to_string_lossy().contains("scratch-old"));
    for folder in entries(&work.join("trash")).into_iter().chain(set_aside) {
        found.push(format!("{} was not removed", folder.display()));
    }
    if fs::metadata(agent.join("journal")).is_ok_and(|m| m.len() > 0) {
        found.push("the agent's journal is not empty".into());
    }
    let (folders, alive) = (homes(agent_data, "processes"), shims(agent_data));
    if folders != alive {
        found.push(format!("{alive} shims live, and there are folders of {folders}"));
    }
    if alive > FREE {
        found.push(format!("{alive} shims wait for a job"));
    }
    if let Some(things) = things {
        found.extend(on_engine(things, homes(agent_data, "containers")));
    }
    found
}

/// What is on a quiet agent's engine beside a warm container and a network for each slot.
fn on_engine(things: &Things, folders: usize) -> Vec<String> {
    let (warm, others): (Vec<_>, Vec<_>) = things.containers.iter().partition(|n| n.contains("-warm-"));
    let (slots, strange): (Vec<_>, Vec<_>) = things.networks.iter().partition(|n| n.contains("-slot-"));
    let mut found: Vec<String> = others
        .iter()
        .map(|n| format!("the container {n} is still there"))
        .collect();
    found.extend(strange.iter().map(|n| format!("the network {n} is nobody's")));
    found.extend(things.volumes.iter().map(|n| format!("the volume {n} is still there")));
    let most = SLOTS.parse().unwrap_or(0);
    if warm.len() > most || slots.len() > most {
        found.push(format!(
            "{most} slots have {} warm containers and {} networks: {warm:?}",
            warm.len(),
            slots.len()
        ));
    }
    if folders != warm.len() {
        found.push(format!(
            "{} containers are warm, and there are folders of {folders} shims",
            warm.len()
        ));
    }
    found
}

/// What is left when the agent has ended with nothing to do: not even free shims.
pub fn after_stop(agent_data: &Path) -> Option<String> {
    let folders = homes(agent_data, "processes") + homes(agent_data, "containers");
    let shims = folders.max(shims(agent_data));
    (shims > 0).then(|| format!("{shims} shims or their folders outlived their agent's orderly end"))
}

/// Ends what is left of a run's steps.
pub fn end(run: &str) {
    for pid in steps(run) {
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::KILL); // gone meanwhile is as good
        }
    }
}

/// Processes whose environment carries the run's mark.
fn steps(run: &str) -> Vec<i32> {
    let mark = format!("CHAOS_RUN={run}");
    let marked = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|v| v == mark.as_bytes())
    };
    processes().filter(marked).collect()
}

/// How many shims of this agent live, by the program they were started as.
fn shims(agent_data: &Path) -> usize {
    let folder = agent_data.join("agent/shims");
    let folder = folder.as_os_str().as_bytes();
    processes()
        .filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.starts_with(folder)))
        .count()
}

fn homes(agent_data: &Path, kind: &str) -> usize {
    let homes = entries(&agent_data.join("agent/shims").join(kind));
    homes.iter().filter(|p| p.join("door").is_dir()).count()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|e| e.path()).collect()
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok())
}
