//! What every container is allowed, and no more (DESIGN §10).
//!
//! **Invariant:** nothing in a plan can loosen this: it has a say in image, command, environment and lower limits alone.

use super::client::About;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, RestartPolicy,
    RestartPolicyNameEnum,
};
use domain::plan::Limits;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// Where the workspace is inside.
pub(super) const WORKSPACE: &str = "/workspace";
/// Capabilities that ordinary builds as root need: to own, pass on and end their own files and processes.
const CAPABILITIES: [&str; 7] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"];
/// Most processes and threads of a container.
const PIDS: i64 = 512;
/// The least memory an engine accepts, bytes.
const LEAST_MEMORY: i64 = 6 << 20;

/// One container to make.
pub(super) struct Container<'a> {
    pub image: &'a str,
    pub inside: Inside<'a>,
    pub labels: HashMap<String, String>,
    pub network: &'a str,
    pub workspace: &'a Path,
    pub limits: Effective,
    /// As whom, where not as the image says.
    pub user: Option<String>,
}

/// What runs in it.
pub(super) enum Inside<'a> {
    /// One command, whose output is attached to.
    Command {
        argv: Vec<String>,
        env: Vec<String>,
        /// Whether the engine keeps what it writes, too.
        logged: bool,
    },
    /// A shim, whose door this is.
    Shim(&'a Path),
}

/// Limits with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Effective {
    pub nano_cpus: i64,
    pub memory: i64,
}

impl Effective {
    /// A job's limits; what it leaves open is all cores and four fifths of the memory, so that the machine lives.
    pub fn of(limits: &Limits, about: &About) -> Self {
        let all = about.cpus * 1_000_000_000;
        let most = (about.memory / 5 * 4).max(LEAST_MEMORY);
        Self {
            nano_cpus: limits
                .cpu_milli
                .map_or(all, |m| m.saturating_mul(1_000_000).clamp(10_000_000, all)),
            memory: limits.memory.unwrap_or(most).max(LEAST_MEMORY),
        }
    }
}

/// Bytes of one file of a log the engine keeps; it keeps [`LOG_FILES`], and throws the oldest away.
pub(super) const LOG: u64 = 32 << 20;
const LOG_FILES: u32 = 2;

/// What the engine keeps of the output. Its `local` form alone keeps bytes as they are.
fn log(kept: bool) -> HostConfigLogConfig {
    let options = || {
        let file = ("max-file", LOG_FILES.to_string());
        let options = [file, ("max-size", LOG.to_string()), ("compress", "false".into())];
        options.map(|(k, v)| (k.to_owned(), v)).into()
    };
    HostConfigLogConfig {
        typ: Some(if kept { "local" } else { "none" }.into()),
        config: kept.then(options),
    }
}

/// The engine's words for a container.
pub(super) fn body(c: Container<'_>) -> ContainerCreateBody {
    let mount = |from: &Path, to: &str, read_only| Mount {
        typ: Some(MountType::BIND),
        source: Some(from.to_string_lossy().into_owned()),
        target: Some(to.into()),
        read_only: Some(read_only),
        ..Mount::default()
    };
    let mut mounts = vec![mount(c.workspace, WORKSPACE, false)];
    let attached = matches!(c.inside, Inside::Command { .. });
    let (argv, env, logged) = match c.inside {
        Inside::Command { argv, env, logged } => (argv, env, logged),
        Inside::Shim(door) => {
            mounts.push(mount(door, shim::MOUNT, true));
            let inside = |name| format!("{}/{name}", shim::MOUNT);
            // Nothing of a job's environment is told to the engine: it goes to the shim.
            (vec![inside(shim::PROGRAM), inside(shim::SOCKET)], Vec::new(), false)
        }
    };
    let host = HostConfig {
        mounts: Some(mounts),
        network_mode: Some(c.network.into()),
        ipc_mode: Some("private".into()),
        cap_drop: Some(vec!["ALL".into()]),
        cap_add: Some(CAPABILITIES.map(Into::into).to_vec()),
        security_opt: Some(vec!["no-new-privileges:true".into()]),
        pids_limit: Some(PIDS),
        memory: Some(c.limits.memory),
        // Equal to memory: no swap on top, or the limit would be another one than told.
        memory_swap: Some(c.limits.memory),
        nano_cpus: Some(c.limits.nano_cpus),
        // PID 1 that passes TERM on and reaps: a shell as PID 1 would ignore TERM. A shim does both.
        init: Some(attached),
        log_config: Some(log(logged)),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        auto_remove: Some(false),
        privileged: Some(false),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(c.image.into()),
        // Clears the image's own entry point and command.
        entrypoint: Some(argv.first().cloned().into_iter().collect()),
        cmd: Some(argv.into_iter().skip(1).collect()),
        env: Some(env),
        user: c.user,
        labels: Some(c.labels),
        working_dir: Some(WORKSPACE.into()),
        open_stdin: Some(false),
        attach_stdin: Some(false),
        attach_stdout: Some(attached),
        attach_stderr: Some(attached),
        tty: Some(false),
        // An image's health check would run commands of its own beside the step.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".into()]),
            ..HealthConfig::default()
        }),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_limits_are_the_machines_and_plans_cannot_exceed_its_cores() {
        let about = About {
            version: String::new(),
            cpus: 2,
            memory: 10 << 30,
        };
        for (limits, nano_cpus, memory) in [
            (Limits::default(), 2_000_000_000, 8 << 30),
            (
                Limits {
                    cpu_milli: Some(500),
                    memory: Some(512 << 20),
                },
                500_000_000,
                512 << 20,
            ),
            (
                Limits {
                    cpu_milli: Some(64_000),
                    memory: Some(1),
                },
                2_000_000_000,
                6 << 20,
            ),
        ] {
            assert_eq!(Effective::of(&limits, &about), Effective { nano_cpus, memory });
        }
    }
}
