//! A Docker engine for the tests: the one of `DOCKER_HOST` (with the image `caracal-test`), else the private one of
//! `scripts/engine`.
//!
//! **Invariant:** a test that wants an engine gets one, says loudly that it is skipped, or fails: the last wherever
//! `CARACAL_REQUIRE_DOCKER=1`.

use agent::executor::docker::{DockerExecutor, Owner, Settings};
use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use domain::AgentId;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The image tests run in.
pub const IMAGE: &str = "caracal-test:latest";

/// An engine; one of a test's own ends with it.
pub struct Engine {
    /// As in `DOCKER_HOST`.
    pub host: String,
    folder: Option<PathBuf>,
    flags: &'static str,
}

fn script(name: &str) -> Command {
    Command::new(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../scripts")
            .join(name),
    )
}

fn said(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if done.status.success() {
        Ok(text(&done.stdout))
    } else {
        Err(text(&done.stderr))
    }
}

/// The engine all tests of this program share; `None` when there can be none here, told loudly.
pub fn engine() -> Option<Engine> {
    static SHARED: OnceLock<Result<String, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let host = match std::env::var("DOCKER_HOST") {
            Ok(host) if !host.is_empty() => host,
            _ => format!("unix://{}", said(script("engine").arg("up"))?),
        };
        if let Some(socket) = host.strip_prefix("unix://") {
            said(script("test-image").arg(socket))?;
        }
        Ok(host)
    });
    told(shared.clone().map(|host| Engine {
        host,
        folder: None,
        flags: "",
    }))
}

/// An engine of this test's own, which it may kill.
pub fn own_engine(name: &str) -> Option<Engine> {
    own_engine_with(name, "")
}

/// The same with more flags of its daemon.
pub fn own_engine_with(name: &str, flags: &'static str) -> Option<Engine> {
    let folder = std::env::temp_dir().join(format!("ce-{name}-{}", std::process::id()));
    let mut up = script("engine");
    let up = up.arg("up").env("CARACAL_ENGINE_DIR", &folder);
    let up = said(up.env("CARACAL_ENGINE_FLAGS", flags));
    let up = up.and_then(|socket| said(script("test-image").arg(&socket)).map(|_| socket));
    told(up.map(|socket| Engine {
        host: format!("unix://{socket}"),
        folder: Some(folder),
        flags,
    }))
}

fn told(engine: Result<Engine, String>) -> Option<Engine> {
    match engine {
        Ok(engine) => Some(engine),
        Err(why) if std::env::var("CARACAL_REQUIRE_DOCKER").is_ok_and(|v| v == "1") => {
            panic!("CARACAL_REQUIRE_DOCKER=1, but there is no Docker engine: {why}")
        }
        Err(why) => {
            eprintln!("SKIPPED, NOT TESTED: there is no Docker engine here ({why})");
            None
        }
    }
}

impl Engine {
    /// A verb of `scripts/engine` for an engine of one's own.
    pub fn verb(&self, verb: &str) {
        let folder = self
            .folder
            .as_ref()
            .expect("only an engine of one's own is ordered about");
        let mut script = script("engine");
        let script = script.arg(verb).env("CARACAL_ENGINE_DIR", folder);
        said(script.env("CARACAL_ENGINE_FLAGS", self.flags)).unwrap();
    }

    /// What a command inside the namespaces of an engine of one's own prints.
    pub fn enter(&self, command: &[&str]) -> String {
        let folder = self.folder.as_ref().expect("only an engine of one's own is entered");
        let enter = said(
            script("engine")
                .arg("enter")
                .args(command)
                .env("CARACAL_ENGINE_DIR", folder),
        );
        enter.unwrap()
    }

    /// Its API.
    pub async fn api(&self) -> Docker {
        let api = Docker::connect_with_host(&self.host).unwrap();
        api.negotiate_version().await.unwrap()
    }

    /// An executor whose things nobody else owns.
    pub fn executor(&self, name: &str) -> DockerExecutor {
        DockerExecutor::new(self.settings(name))
    }

    /// One that takes this engine for a remote one: a container a step, attached to.
    pub fn attached(&self, name: &str) -> DockerExecutor {
        DockerExecutor::new(Settings {
            shims: None,
            ..self.settings(name)
        })
    }

    /// Both, each with the name of its owner.
    pub fn both(&self, name: &str) -> [(String, DockerExecutor); 2] {
        let attached = format!("{name}-attached");
        [
            (name.to_owned(), self.executor(name)),
            (attached.clone(), self.attached(&attached)),
        ]
    }

    /// What an executor is made with.
    pub fn settings(&self, name: &str) -> Settings {
        Settings {
            host: Some(self.host.clone()),
            default_image: IMAGE.into(),
            owner: owner(name),
            shims: Some(std::env::temp_dir().join(format!("caracal-shims-{name}-{}", std::process::id()))),
            warm: false,
            limits: domain::plan::Limits::default(),
            habit: None,
        }
    }

    /// Folders of shims that are there below an executor's.
    pub fn homes(&self, name: &str) -> Vec<String> {
        let folder = self.settings(name).shims.unwrap_or_default();
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
        names.filter(|n| !n.starts_with("program-")).collect()
    }

    /// Containers and networks of an owner that are there, each by one name: a container that is being renamed has two.
    pub async fn left(&self, name: &str) -> Vec<String> {
        let api = self.api().await;
        let filter = HashMap::from([(
            "label".to_owned(),
            vec![format!("caracal.server={}", owner(name).server)],
        )]);
        let containers = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filter)
            .build();
        let networks = ListNetworksOptionsBuilder::default().filters(&filter).build();
        let containers = api.list_containers(Some(containers)).await.unwrap();
        let networks = api.list_networks(Some(networks)).await.unwrap();
        let names = containers
            .into_iter()
            .filter_map(|c| c.names.unwrap_or_default().into_iter().next().or(c.id));
        names.chain(networks.into_iter().filter_map(|n| n.name)).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.folder.is_some() {
            self.verb("down");
        }
    }
}

/// An owner for one test.
pub fn owner(name: &str) -> Owner {
    Owner {
        server: format!("test-{name}-{}", std::process::id()),
        agent: AgentId(1),
    }
}
