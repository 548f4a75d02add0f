//! What is right and wrong with a machine that is to run jobs, for a person.
//!
//! **Invariant:** looking changes nothing but a probe's container, which goes again; a finding says what to do.

use crate::connection::clock_of;
use crate::executor::docker::{DockerExecutor, Owner, Settings};
use crate::executor::{Executor, process};
use domain::AgentId;
use rustix::fs::statvfs;
use rustix::process::{Resource, geteuid, getrlimit};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Fewer open files than this are too few for a busy machine.
const FILES: u64 = 4096;

/// Clocks further apart than this are told.
const APART: Duration = Duration::from_secs(60);

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Fine,
    /// It works, and could be better or safer.
    Weak,
    /// It does not work.
    Broken,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What, in a word or two.
    pub about: &'static str,
    /// How it is.
    pub health: Health,
    /// The same in a sentence, with what to do.
    pub sentence: String,
}

impl Finding {
    /// A finding.
    pub fn new(about: &'static str, health: Health, sentence: impl Into<String>) -> Self {
        Self {
            about,
            health,
            sentence: sentence.into(),
        }
    }
}

/// Looks at folder and machine. Blocking.
#[must_use]
pub fn machine(data: &Path, step_user: Option<&str>) -> Vec<Finding> {
    vec![
        folder(data),
        disk(data),
        git(Command::new("git").arg("--version")),
        landlock(process::available()),
        user(geteuid().is_root(), step_user),
        files(getrlimit(Resource::Nofile).current),
    ]
}

fn folder(data: &Path) -> Finding {
    let shown = data.display();
    let about = "data folder";
    let meta = match std::fs::metadata(data) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Finding::new(
                about,
                Health::Weak,
                format!("{shown} is not there yet; the first start makes it."),
            );
        }
        Err(e) => return Finding::new(about, Health::Broken, format!("{shown} cannot be looked at: {e}.")),
    };
    if let Err(e) = tempfile_in(data) {
        return Finding::new(
            about,
            Health::Broken,
            format!("{shown} cannot be written: {e}. Give it to the user that runs Caracal."),
        );
    }
    if meta.permissions().mode() & 0o007 & !0o001 != 0 {
        return Finding::new(
            about,
            Health::Weak,
            format!("{shown} can be read by every user of this machine: chmod o-rw {shown}"),
        );
    }
    Finding::new(
        about,
        Health::Fine,
        format!("{shown} is writable, and others do not read it."),
    )
}

fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    std::fs::write(&path, b"x")?;
    std::fs::remove_file(path)
}

fn disk(data: &Path) -> Finding {
    let near = data.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
    let Ok(s) = statvfs(near) else {
        return Finding::new("disk", Health::Weak, "The disk does not tell how full it is.");
    };
    let (free, total) = (
        s.f_bavail.saturating_mul(s.f_frsize),
        s.f_blocks.saturating_mul(s.f_frsize),
    );
    let health = match free {
        f if f < 256 << 20 => Health::Broken,
        f if f < 2 << 30 || f < total / 20 => Health::Weak,
        _ => Health::Fine,
    };
    let advice = if health == Health::Fine {
        ""
    } else {
        " Free some: a full disk takes no work."
    };
    Finding::new(
        "disk",
        health,
        format!("{} of {} MiB are free.{advice}", free >> 20, total >> 20),
    )
}

fn git(command: &mut Command) -> Finding {
    match command.output() {
        Ok(said) if said.status.success() => {
            let text = String::from_utf8_lossy(&said.stdout);
            Finding::new("git", Health::Fine, format!("{}.", text.trim()))
        }
        Ok(said) => Finding::new("git", Health::Broken, format!("git does not work ({}).", said.status)),
        Err(e) => Finding::new(
            "git",
            Health::Broken,
            format!("git cannot be started ({e}): install it, or plans with a source fail at their checkout."),
        ),
    }
}

fn landlock(there: bool) -> Finding {
    if there {
        Finding::new(
            "landlock",
            Health::Fine,
            "Process steps see their workspace and the system, and nothing else.",
        )
    } else {
        Finding::new(
            "landlock",
            Health::Weak,
            "This kernel cannot fence process steps off: they can read what their user can. Use containers, or a kernel from 5.13 on with Landlock turned on.",
        )
    }
}

fn user(root: bool, step_user: Option<&str>) -> Finding {
    match (root, step_user) {
        (true, None) => Finding::new(
            "user",
            Health::Weak,
            "Caracal runs as root, and process steps with it (with few rights): set step_user to run them as another.",
        ),
        (true, Some(name)) => Finding::new(
            "user",
            Health::Fine,
            format!("Caracal runs as root; process steps run as {name}."),
        ),
        (false, _) => Finding::new("user", Health::Fine, "Caracal does not run as root."),
    }
}

fn files(limit: Option<u64>) -> Finding {
    match limit {
        Some(n) if n < FILES => Finding::new(
            "open files",
            Health::Weak,
            format!("At most {n} files may be open at once: raise it to {FILES} (ulimit -n, LimitNOFILE=)."),
        ),
        _ => Finding::new("open files", Health::Fine, "Enough files may be open at once."),
    }
}

/// Compares this machine's clock with that of a server.
pub async fn clock(server: &str, ca: Option<&Path>) -> Finding {
    match clock_of(server, ca).await {
        Ok(Some(theirs)) => skew(server, theirs, SystemTime::now()),
        Ok(None) => Finding::new(
            "server",
            Health::Fine,
            format!("{server} answers; it does not tell its time."),
        ),
        Err(e) => Finding::new("server", Health::Broken, format!("{e:#}.")),
    }
}

fn skew(server: &str, theirs: SystemTime, ours: SystemTime) -> Finding {
    let apart = theirs.duration_since(ours).unwrap_or_else(|e| e.duration());
    if apart <= APART {
        return Finding::new(
            "clock",
            Health::Fine,
            format!("{server} answers, and both clocks agree."),
        );
    }
    Finding::new(
        "clock",
        Health::Weak,
        format!(
            "This machine's clock and that of {server} are {} s apart: times of steps will look wrong (nothing else does). Turn on NTP.",
            apart.as_secs()
        ),
    )
}

/// Looks at the engine of this machine; `wanted` when steps cannot run without it. What it needs for a while lies below
/// `data`, or, where that is not there, in the system's folder for such things.
pub async fn containers(data: &Path, wanted: bool) -> Vec<Finding> {
    let near = if data.is_dir() {
        data.to_owned()
    } else {
        std::env::temp_dir()
    };
    let near = near.canonicalize().unwrap_or(near);
    let folder = near.join(format!(".doctor-shims-{}", std::process::id()));
    let docker = DockerExecutor::new(Settings {
        host: std::env::var("DOCKER_HOST").ok(),
        default_image: String::new(),
        owner: Owner {
            server: format!("doctor-{}", std::process::id()),
            agent: AgentId(0),
        },
        shims: Some(folder.clone()),
        warm: false,
        limits: domain::plan::Limits::default(),
        habit: None,
    });
    let found = engine(&docker, wanted).await;
    docker.retire().await;
    // Behind the shim, which goes as it is told.
    let _ = std::fs::remove_dir_all(folder);
    found
}

async fn engine(docker: &DockerExecutor, wanted: bool) -> Vec<Finding> {
    let absent = if wanted { Health::Broken } else { Health::Weak };
    let about = match docker.examine().await {
        Ok(about) => about,
        Err(e) => {
            let advice = if wanted {
                "Start it."
            } else {
                "Steps run as processes of this machine."
            };
            return vec![Finding::new("engine", absent, format!("{e} {advice}"))];
        }
    };
    let mut found = vec![Finding::new(
        "engine",
        Health::Fine,
        format!("{} answers.", about.version),
    )];
    found.push(if about.live_restore {
        Finding::new("live-restore", Health::Fine, "Containers go on while the engine is restarted.")
    } else {
        Finding::new(
            "live-restore",
            Health::Weak,
            "A restart of the engine ends all running jobs as lost: put \"live-restore\": true into /etc/docker/daemon.json.",
        )
    });
    found.push(match about.shims {
        Ok(()) => Finding::new(
            "containers",
            Health::Fine,
            "Steps outlive this agent, and no output is lost.",
        ),
        Err(why) => Finding::new(
            "containers",
            Health::Weak,
            format!(
                "Containers cannot reach this agent ({why}): steps end with it, and each takes a container of its own."
            ),
        ),
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_told_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let set = |mode| std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
        set(0o700);
        assert_eq!(folder(dir.path()).health, Health::Fine);
        set(0o755);
        assert!(folder(dir.path()).sentence.contains("chmod o-rw"));
        assert_eq!(folder(&dir.path().join("none")).health, Health::Weak);
        assert_eq!(folder(Path::new("/proc/version")).health, Health::Broken);
        assert_eq!(disk(dir.path()).about, "disk");
        assert_eq!(git(&mut Command::new("no-such-git")).health, Health::Broken);
        assert_eq!(git(Command::new("sh").args(["-c", "exit 3"])).health, Health::Broken);
        assert_eq!(
            git(Command::new("echo").arg("git version 2")).sentence,
            "git version 2."
        );
        assert_eq!(
            (landlock(true).health, landlock(false).health),
            (Health::Fine, Health::Weak)
        );
        assert_eq!(
            (user(true, None).health, user(true, Some("ci")).health),
            (Health::Weak, Health::Fine)
        );
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        for (theirs, health) in [(then + APART, Health::Fine), (then - APART * 2, Health::Weak)] {
            assert_eq!(skew("http://a", theirs, then).health, health);
        }
        assert_eq!(
            (files(Some(1024)).health, files(None).health),
            (Health::Weak, Health::Fine)
        );
    }
}
