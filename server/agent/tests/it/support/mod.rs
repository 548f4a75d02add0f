//! What the agent's tests share: a server to speak to, an executor to hold, assignments to give.

mod executor;
mod server;

pub use executor::{Scripted, Scripts, flood_line};
pub use server::{Peer, Server, Told};

use agent::{Choice, Config, Executors};
use domain::plan::{Command, Limits};
use domain::status::StepKind;
use domain::{AgentId, AttemptId, JobId, StepId, TaskId};
use protocol::{Assignment, CheckoutSpec, Fence, StepSpec};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::JoinHandle;

/// An agent under test.
pub struct Agent {
    pub scripts: Arc<Scripts>,
    pub data: tempfile::TempDir,
    pub stop: agent::Stop,
    pub run: JoinHandle<anyhow::Result<()>>,
}

impl Agent {
    /// Starts one that connects to the server.
    pub fn start(server: &Server) -> Self {
        Self::start_in(server, tempfile::tempdir().unwrap())
    }

    /// Starts one with the data of an earlier one.
    pub fn start_in(server: &Server, data: tempfile::TempDir) -> Self {
        let scripts = Arc::new(Scripts::default());
        let stop = agent::Stop::default();
        let executors = Executors::only(Arc::new(Scripted(scripts.clone())));
        let run = tokio::spawn(agent::run(config(server, data.path()), executors, stop.clone()));
        Self {
            scripts,
            data,
            stop,
            run,
        }
    }

    /// Shuts it down and checks that nothing of it is left; its data.
    pub async fn stop(self) -> tempfile::TempDir {
        self.stop.now.cancel();
        self.run.await.unwrap().unwrap();
        assert_eq!(self.scripts.live.load(Ordering::SeqCst), 0, "a step outlived the agent");
        assert_eq!(
            self.scripts.open.load(Ordering::SeqCst),
            0,
            "a session outlived the agent"
        );
        self.data
    }
}

pub fn config(server: &Server, data: &Path) -> Config {
    Config {
        server: server.url(),
        ca: None,
        agent: AgentId(1),
        credential: "secret".into(),
        data: data.to_owned(),
        executor: Choice::Scripted,
        slots: 2,
        labels: BTreeMap::from([("pool".into(), "fast".into())]),
        warm: false,
        default_image: "debian:stable-slim".into(),
        limits: Limits {
            cpu_milli: Some(1_500),
            memory: Some(1 << 30),
        },
        step_user: None,
        version: "0.1.0".into(),
    }
}

pub fn fence(attempt: i64) -> Fence {
    Fence {
        attempt: AttemptId(attempt),
        epoch: 1,
    }
}

/// A set-up step.
pub fn setup(id: i64, name: &str) -> StepSpec {
    StepSpec {
        kind: StepKind::Setup,
        name: name.into(),
        command: None,
        ..step(id, name)
    }
}

/// A step with a script; its name is `s` and its id.
pub fn step(id: i64, script: &str) -> StepSpec {
    StepSpec {
        id: StepId(id),
        kind: StepKind::Step,
        name: format!("s{id}"),
        command: Some(Command::Run(script.to_owned())),
        env: BTreeMap::new(),
        skip: None,
        allow_failure: false,
        keep: false,
        timeout_ms: None,
    }
}

/// An assignment of `prepare` (step 1) and these steps.
pub fn assignment(attempt: i64, steps: Vec<StepSpec>) -> Assignment {
    Assignment {
        fence: fence(attempt),
        task: TaskId(100 + attempt),
        job: JobId(200 + attempt),
        number: 1,
        executor: None,
        image: None,
        limits: Limits {
            cpu_milli: Some(500),
            memory: None,
        },
        env: BTreeMap::from([("CI".into(), "true".into()), ("LEVEL".into(), "job".into())]),
        checkout: None,
        steps: std::iter::once(setup(1, "prepare")).chain(steps).collect(),
        timeout_ms: None,
        grace_ms: 5_000,
    }
}

/// An assignment that checks out (step 2) before its steps.
pub fn checkout(attempt: i64, url: &str, branch: Option<&str>, revision: &str, steps: Vec<StepSpec>) -> Assignment {
    let mut a = assignment(attempt, std::iter::once(setup(2, "checkout")).chain(steps).collect());
    a.checkout = Some(CheckoutSpec {
        url: url.into(),
        branch: branch.map(str::to_owned),
        revision: revision.into(),
        submodules: false,
        allow_local: true,
        proved: false,
    });
    a
}
