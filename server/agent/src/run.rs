//! The life of an agent: what it opens, what it starts, and how it goes.
//!
//! **Invariant:** when `run` answers, nothing it started lives; what could not be told is on disk for the next start.

use crate::config::{Config, Executors};
use crate::connection::{Connection, Endpoint, Lease};
use crate::facts;
use crate::outbox::Outbox;
use crate::worker::{Why, Worker};
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

/// How long running attempts may take to end when the agent goes.
const ENDING: Duration = Duration::from_secs(6);
/// How long executors may take to clear away what they keep between sessions.
const RETIRING: Duration = Duration::from_secs(3);
/// How long their reports may take to reach the server then.
const TELLING: Duration = Duration::from_secs(2);

/// Runs an agent until `shutdown`: then it takes no more work, ends what runs, tells what it can, and answers.
///
/// # Errors
/// When its folder cannot be used, another agent uses it, or the server refuses the first greeting: one sentence.
pub async fn run(config: Config, executors: Executors, shutdown: CancellationToken) -> anyhow::Result<()> {
    let folder = config.data.join("agent");
    let (opening, opened, list) = (folder.clone(), executors.clone(), executors.list.clone());
    let (version, limits) = (config.version.clone(), config.limits);
    let (lock, outbox, worker, reported) = spawn_blocking(move || {
        let lock = lock(&opening)?;
        let outbox = Arc::new(Outbox::open(&opening.join("spool")).context("the agent's spool cannot be opened")?);
        let worker = Worker::new(opening.join("work"), outbox.clone(), list, limits);
        let worker = Arc::new(worker.context("the agent's workspaces cannot be opened")?);
        anyhow::Ok((lock, outbox, worker, facts::look(&opening, &version, &opened)))
    })
    .await??;
    sweep(&executors).await;
    worker.sweep();

    let (facts_tx, facts_rx) = watch::channel(reported);
    let lease = Arc::new(Lease::default());
    let (draining, done) = (CancellationToken::new(), CancellationToken::new());
    let connection = Connection {
        endpoint: Endpoint {
            server: config.server,
            agent: config.agent,
            credential: config.credential,
            labels: config.labels,
            slots: config.slots,
        },
        outbox: outbox.clone(),
        worker: worker.clone(),
        facts: facts_rx,
        lease: lease.clone(),
    };
    let mut connected = AbortOnDropHandle::new(tokio::spawn(connection.run(draining.clone(), done.clone())));
    let watching = AbortOnDropHandle::new(tokio::spawn(facts::watch(folder, executors.list, facts_tx)));

    let mut refused = None;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            end = &mut connected => {
                refused = Some(end.map_err(anyhow::Error::from).and_then(|r| r));
                break;
            }
            ms = lease.ended() => worker.halt_all(&Why::Lease(ms)),
        }
    }
    draining.cancel();
    worker.close();
    if timeout(ENDING, worker.idle()).await.is_err() {
        tracing::warn!("Some steps did not end in time; the next start of this agent clears them away.");
    }
    let telling = async {
        if refused.is_none() {
            let _ = timeout(TELLING, outbox.empty()).await;
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

/// Removes what an earlier run left in the engines. An engine that is away is swept when it is back and a session opens.
async fn sweep(executors: &Executors) {
    for executor in &executors.list {
        match executor.sweep().await {
            Ok(0) => {}
            Ok(n) => tracing::info!("Cleared away {n} left-over things of the {} executor.", executor.kind()),
            Err(e) => tracing::warn!(
                "Left-over things of the {} executor could not be cleared away: {e}",
                executor.kind()
            ),
        }
    }
}
