//! The life of an agent: what it opens, what it starts, and how it goes.
//!
//! **Invariant:** when `run` answers, nothing it started lives but steps that go on below their shims; those, and what could
//! not be told, are on disk for the next start.

use crate::config::{Config, Executors};
use crate::connection::{Connection, Endpoint, Lease};
use crate::executor::Handle;
use crate::facts;
use crate::halt::Why;
use crate::load::Sampler;
use crate::outbox::Outbox;
use crate::worker::Worker;
use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long what cannot go on without the agent may take to end when it goes.
const ENDING: Duration = Duration::from_secs(6);
/// How long executors may take to clear away what they keep between sessions.
const RETIRING: Duration = Duration::from_secs(3);
/// How long reports may take to reach the server then.
const TELLING: Duration = Duration::from_secs(2);

/// How an agent is told to go.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Finish what runs, take no more, then go.
    pub drain: CancellationToken,
    /// Go now: what runs goes on, and the next start takes it up again.
    pub now: CancellationToken,
}

/// Runs an agent until it is told to stop. What an earlier run left running is taken up again first.
///
/// # Errors
/// When its folder cannot be used, another agent uses it, or the server refuses the first greeting: one sentence.
pub async fn run(config: Config, executors: Executors, stop: Stop) -> anyhow::Result<()> {
    let folder = config.data.join("agent");
    let (opening, opened, list) = (folder.clone(), executors.clone(), executors.list.clone());
    let (version, limits) = (config.version.clone(), config.limits);
    let lease = Arc::new(Lease::default());
    let leased = lease.until();
    let (lock, outbox, left, worker, reported) = spawn_blocking(move || {
        let lock = lock(&opening)?;
        let (outbox, left) = Outbox::open(&opening).context("the agent's spool cannot be opened")?;
        let outbox = Arc::new(outbox);
        let worker = Worker::new(opening.join("work"), outbox.clone(), list, limits, leased);
        let worker = Arc::new(worker.context("the agent's workspaces cannot be opened")?);
        anyhow::Ok((lock, outbox, left, worker, facts::look(&opening, &version, &opened)))
    })
    .await??;
    let kept: Vec<_> = left.iter().filter_map(|(_, kept)| kept.handle.clone()).collect();
    // Swept first: what is taken up again makes new things, which no sweep may meet.
    sweep(&executors, &kept).await;
    worker.resume(left);
    worker.sweep();
    worker.wake(config.slots as usize);

    let sampler = Sampler::new(folder.clone());
    let (load_tx, load_rx) = watch::channel(sampler.begun());
    let (facts_tx, facts_rx) = watch::channel(reported);
    let (draining, done) = (CancellationToken::new(), CancellationToken::new());
    let connection = Connection {
        endpoint: Endpoint {
            server: config.server,
            ca: config.ca,
            agent: config.agent,
            credential: config.credential,
            labels: config.labels,
            slots: config.slots,
        },
        outbox: outbox.clone(),
        worker: worker.clone(),
        facts: facts_rx,
        load: load_rx,
        lease: lease.clone(),
    };
    let mut connected = AbortOnDropHandle::new(tokio::spawn(connection.run(draining.clone(), done.clone())));
    let watching = AbortOnDropHandle::new(tokio::spawn(facts::watch(
        folder,
        executors.list,
        facts_tx,
        (sampler, load_tx),
    )));

    let mut refused = None;
    let drained = async {
        stop.drain.cancelled().await;
        draining.cancel();
        worker.drain();
        worker.idle().await;
        outbox.empty().await;
    };
    tokio::pin!(drained);
    loop {
        tokio::select! {
            biased;
            () = stop.now.cancelled() => break,
            end = &mut connected => {
                refused = Some(end.map_err(anyhow::Error::from).and_then(|r| r));
                break;
            }
            ms = lease.ended() => worker.halt_all(&Why::Lease(ms)),
            () = &mut drained => break,
        }
    }
    draining.cancel();
    worker.close();
    if timeout(ENDING, worker.idle()).await.is_err() {
        tracing::warn!("Some steps did not end in time; the next start of this agent clears them away.");
    }
    let going_on = outbox.running().len();
    if going_on > 0 {
        tracing::info!(
            "{going_on} jobs go on without this agent; it takes them up again when it is started within its lease."
        );
    }
    let telling = async {
        if refused.is_none() {
            let _ = timeout(TELLING, outbox.told()).await;
        }
    };
    let retiring = async {
        let _ = timeout(RETIRING, worker.retire()).await;
    };
    tokio::join!(telling, retiring);
    done.cancel();
    outbox.close().await;
    watching.abort();
    drop(lock);
    match refused {
        Some(end) => end,
        None => connected.await?,
    }
}

/// Makes the folder ours, or says whose it is. The lock ends with the file.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("the agent's folder {shown} cannot be made"))?;
    let file =
        File::create(folder.join("lock")).with_context(|| format!("the agent's folder {shown} is not writable"))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("another agent uses the folder {shown}; give this one a --data of its own");
    }
    Ok(file)
}

/// Removes what an earlier run left in the engines, but for what runs still. An engine that is away is swept when it is back and a session opens.
async fn sweep(executors: &Executors, kept: &[Handle]) {
    for executor in &executors.list {
        match executor.sweep(kept).await {
            Ok(0) => {}
            Ok(n) => tracing::info!("Cleared away {n} left-over things of the {} executor.", executor.kind()),
            Err(e) => tracing::warn!(
                "Left-over things of the {} executor could not be cleared away: {e}",
                executor.kind()
            ),
        }
    }
}
