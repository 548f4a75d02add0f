//! Container steps, with a real engine.
//!
//! **Invariant:** each test owns what it makes and shows that nothing of it is left.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod again;
#[path = "../support/engine.rs"]
mod engine;
#[path = "../support/proxy.rs"]
mod proxy;
mod registry;
#[path = "../support/room.rs"]
mod room;
mod step;
mod survival;
mod upkeep;
mod walls;

use agent::executor::docker::DockerExecutor;
use agent::executor::{ExecError, Executor, Session, Signal, StepCommand};
use bollard::models::{ContainerConfig, ContainerCreateBody, NetworkCreateRequest};
use bollard::query_parameters as query;
use domain::console::view::Stream;
use domain::plan::Limits;
use engine::{Engine, IMAGE, engine, own_engine, own_engine_with, owner};
use futures::StreamExt;
use protocol::Exit;
use room::{Room, Said, argv, ends, noise, run};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Attempts, and so the names of containers, are unique among the tests that share an engine.
fn room() -> Room {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    Room::new(i64::from(std::process::id()) * 100 + NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn open(executor: &DockerExecutor, room: &Room) -> Box<dyn Session> {
    executor.open(room.spec.clone(), &Said::default()).await.unwrap()
}

/// Closes all and shows that nothing is left.
async fn done(engine: &Engine, name: &str, executor: &DockerExecutor, sessions: &[&dyn Session]) {
    for session in sessions {
        session.close().await;
    }
    executor.retire().await;
    assert_eq!(engine.left(name).await, Vec::<String>::new());
    assert_eq!(engine.homes(name), Vec::<String>::new(), "folders of shims");
    let folder = engine.settings(name).shims.unwrap();
    // Attached containers have none.
    let _ = fs::remove_dir_all(folder);
}

fn refused(started: Result<(), ExecError>) -> String {
    match started {
        Err(ExecError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}
