//! Which executors an agent offers, by its settings and by what answers at its start.
//!
//! **Invariant:** the first is the default; processes stand beside an engine only where steps may see this machine: on
//! the built-in agent.

use super::Executor;
use super::docker::{self, DockerExecutor, Owner};
use super::process::{self, ProcessExecutor};
use super::scripted::ScriptedExecutor;
use crate::config::{Choice, Config, Executors};
use rand::Rng;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Looks for an engine where one is wanted.
///
/// # Errors
/// When the data folder cannot be written.
pub async fn detect(config: &Config, builtin: bool) -> io::Result<Executors> {
    let processes = || -> io::Result<Arc<dyn Executor>> {
        Ok(Arc::new(ProcessExecutor::new(process::Settings {
            shims: config.data.join("agent/shims/processes"),
            user: config.step_user.clone(),
            readable: Vec::new(),
        })?))
    };
    let (mut engine, mut engine_error) = (None, None);
    let list: Vec<Arc<dyn Executor>> = match config.executor {
        Choice::Scripted => vec![Arc::new(ScriptedExecutor::default())],
        Choice::Process => vec![processes()?],
        Choice::Docker | Choice::Auto => {
            let containers = containers(config)?;
            match containers.version().await {
                Ok(version) => engine = Some(version),
                Err(e) => engine_error = Some(e.to_string()),
            }
            match (config.executor, engine.is_some()) {
                (Choice::Auto, false) => {
                    // Looked for at the start alone: a job never changes its executor by itself.
                    let whole = if builtin { "server" } else { "agent" };
                    engine_error = engine_error.map(|why| format!("{why} Start Docker, then this {whole} again."));
                    vec![processes()?]
                }
                _ if builtin => vec![Arc::new(containers), processes()?],
                _ => vec![Arc::new(containers)],
            }
        }
    };
    Ok(Executors {
        list,
        engine,
        engine_error,
        landlock: process::available(),
    })
}

fn containers(config: &Config) -> io::Result<DockerExecutor> {
    let server = installation(&config.data.join("agent"), || rand::rng().random())?;
    Ok(DockerExecutor::new(docker::Settings {
        host: std::env::var("DOCKER_HOST").ok(),
        default_image: config.default_image.clone(),
        owner: Owner {
            server,
            agent: config.agent,
        },
        shims: Some(config.data.join("agent/shims/containers")),
        warm: config.warm,
        limits: config.limits,
        habit: Some(config.data.join("agent/warm.json")),
    }))
}

/// The name of this installation on engines: made once per data folder, so that two servers that share an engine, each
/// with an agent 1, never sweep each other's containers.
fn installation(folder: &Path, random: impl FnOnce() -> u64) -> io::Result<String> {
    let file = folder.join("installation");
    match fs::read_to_string(&file) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::create_dir_all(folder)?;
    let name = format!("{:016x}", random());
    fs::write(&file, format!("{name}\n"))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_named_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("agent");
        let first = installation(&folder, || 0x2a).unwrap();
        assert_eq!(first, "000000000000002a");
        assert_eq!(installation(&folder, || 7).unwrap(), first);
    }
}
