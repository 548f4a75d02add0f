//! What the agent says of its machine, and when it says it again.
//!
//! **Invariant:** facts are re-sent when work could be placed otherwise because of them: the engine went or came back, the
//! disk ran full, its free space changed much, the host has another name. A look never blocks the connection.

use crate::executor::Executor;
use crate::load::Sampler;
use crate::{Executors, clock};
use domain::agent::{Facts, Load};
use domain::label::Labels;
use domain::status::ExecutorKind;
use rustix::fs::statvfs;
use rustix::system::uname;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Time between two looks at engine and disk.
const LOOK: Duration = Duration::from_secs(5);
/// An engine that does not answer within this time is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Less free disk than this, and no work is taken.
const LITTLE: u64 = 128 << 20;
/// A change of the free disk that is worth a message, bytes.
const MUCH: u64 = 1 << 30;

/// Facts, and the labels that follow from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The machine.
    pub facts: Facts,
    /// `os`, `arch`, `hostname`, `engine`.
    pub labels: Labels,
}

/// Looks at the machine. Blocking for a moment.
#[must_use]
pub fn look(data: &Path, version: &str, executors: &Executors) -> Reported {
    let name = uname();
    let (disk_total, disk_free) = disk(data);
    let facts = Facts {
        hostname: name.nodename().to_string_lossy().into_owned(),
        os: std::env::consts::OS.into(),
        arch: arch(std::env::consts::ARCH).into(),
        cpus: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
        memory: std::fs::read_to_string("/proc/meminfo").map_or(0, |text| memory(&text)),
        disk_total,
        disk_free,
        engine: executors.engine.clone(),
        engine_error: executors.engine_error.clone(),
        disk_error: full(disk_total, disk_free),
        executors: executors.list.iter().map(|e| e.kind()).collect(),
        landlock: executors.landlock,
        version: version.into(),
    };
    let engine = if facts.executors.contains(&ExecutorKind::Docker) {
        "docker"
    } else {
        "process"
    };
    let labels = [("os", &facts.os), ("arch", &facts.arch), ("hostname", &facts.hostname)]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.clone()))
        .chain([("engine".to_owned(), engine.to_owned())])
        .collect();
    Reported { facts, labels }
}

/// Keeps the facts true until dropped.
pub(crate) async fn watch(
    data: PathBuf,
    executors: Vec<Arc<dyn Executor>>,
    reported: watch::Sender<Reported>,
    (mut sampler, load): (Sampler, watch::Sender<Load>),
) {
    let mut trouble = None;
    // Where processes stand in for an engine that was not there at the start, why it was not remains true: a job that
    // wants a container is told so.
    let engine = executors.iter().any(|e| e.kind() == ExecutorKind::Docker);
    let standing = reported.borrow().facts.engine_error.clone().filter(|_| !engine);
    loop {
        load.send_replace(sampler.sample());
        let (total, free) = disk(&data);
        let hostname = uname().nodename().to_string_lossy().into_owned();
        let full = full(total, free);
        let error = trouble_of(&executors).await.or_else(|| standing.clone());
        reported.send_if_modified(|now| {
            let facts = &mut now.facts;
            let much = facts.disk_free.abs_diff(free) >= MUCH.min(total / 20).max(1);
            // An engine that was away at the start is told about until it is there.
            let news = trouble.as_ref() != Some(&error) && facts.engine_error != error;
            if news {
                match &error {
                    Some(why) => tracing::warn!("No work can be taken now: {why}"),
                    None => tracing::info!(at = %clock::now(), "Work can be taken again."),
                }
                facts.engine_error.clone_from(&error);
            }
            let filled = facts.disk_error.is_some() != full.is_some();
            if filled {
                match &full {
                    Some(why) => tracing::warn!("No work can be taken now: {why}"),
                    None => tracing::info!(at = %clock::now(), "The disk has space again."),
                }
                facts.disk_error.clone_from(&full);
            }
            if much || filled {
                (facts.disk_total, facts.disk_free) = (total, free);
            }
            let renamed = facts.hostname != hostname;
            if renamed {
                facts.hostname.clone_from(&hostname);
                now.labels.insert("hostname".into(), hostname.clone());
            }
            news || much || filled || renamed
        });
        trouble = Some(error);
        sleep(LOOK).await;
    }
}

/// Why nothing can be stored, if it cannot. A disk of size 0 is one that does not tell.
fn full(total: u64, free: u64) -> Option<String> {
    (total > 0 && free < LITTLE).then(|| {
        format!(
            "The agent's disk is full: {} MiB are free below its data folder, and {} are needed.",
            free >> 20,
            LITTLE >> 20
        )
    })
}

/// Why the default executor cannot take work now.
async fn trouble_of(executors: &[Arc<dyn Executor>]) -> Option<String> {
    let Some(executor) = executors.first() else {
        return Some("This agent has no executor.".into());
    };
    match timeout(PATIENCE, executor.ready()).await {
        Ok(Ok(())) => None,
        Ok(Err(e)) => Some(e.to_string()),
        Err(_) => Some(format!(
            "The {} executor did not answer within {} s.",
            executor.kind(),
            PATIENCE.as_secs()
        )),
    }
}

/// Size and free bytes of the disk a folder is on.
pub(crate) fn disk(folder: &Path) -> (u64, u64) {
    statvfs(folder).map_or((0, 0), |s| {
        // As `df` counts: what a system keeps for itself is neither used nor free.
        let used = s.f_blocks.saturating_sub(s.f_bfree);
        (
            used.saturating_add(s.f_bavail).saturating_mul(s.f_frsize),
            s.f_bavail.saturating_mul(s.f_frsize),
        )
    })
}

/// Architectures as Go and Docker name them.
fn arch(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn memory(text: &str) -> u64 {
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn the_machine_is_described() {
        let r = look(Path::new("/"), "0.1.0", &Executors::default());
        assert_eq!(r.facts.os, "linux");
        assert!(r.facts.cpus > 0 && r.facts.memory > 1 << 20 && r.facts.disk_total >= r.facts.disk_free);
        assert!(!r.facts.hostname.is_empty());
        assert_eq!(
            r.labels.keys().map(String::as_str).collect::<Vec<_>>(),
            ["arch", "engine", "hostname", "os"]
        );
        assert_eq!(r.labels["engine"], "process");
    }

    #[tokio::test]
    async fn why_processes_stand_in_for_an_engine_remains_known() {
        let list: Vec<Arc<dyn Executor>> = vec![Arc::new(crate::executor::scripted::ScriptedExecutor::default())];
        let found = Executors {
            list: list.clone(),
            engine_error: Some("no engine answers".into()),
            ..Executors::default()
        };
        let (reported, seen) = watch::channel(look(Path::new("/"), "0.1.0", &found));
        // One look; then it sleeps.
        let sampling = (Sampler::new("/".into()), watch::Sender::new(Load::default()));
        assert!(watch("/".into(), list, reported, sampling).now_or_never().is_none());
        assert_eq!(seen.borrow().facts.engine_error.as_deref(), Some("no engine answers"));
    }

    #[test]
    fn a_full_disk_takes_no_work() {
        assert_eq!(full(0, 0), None);
        assert_eq!(full(1 << 40, LITTLE), None);
        assert!(full(1 << 40, 5 << 20).is_some_and(|s| s.starts_with("The agent's disk is full: 5 MiB")));
    }

    #[test]
    fn words_of_others_are_read() {
        assert_eq!(memory("MemTotal:        8039560 kB\nMemFree: 1 kB\n"), 8_039_560 * 1024);
        assert_eq!(memory("nothing"), 0);
        assert_eq!(
            (arch("x86_64"), arch("aarch64"), arch("riscv64")),
            ("amd64", "arm64", "riscv64")
        );
    }
}
