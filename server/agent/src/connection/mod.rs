//! The connection to the server: found again whenever it is lost, one session at a time.
//!
//! **Invariant:** a session begins with `Hello` and `Welcome`; attempts never depend on it, only their reports and their
//! lease do; at lease end the agent stops them itself.

mod backoff;
mod lease;
mod register;
mod session;
mod socket;
mod tls;

pub use lease::Lease;
pub use register::{Registration, register};
pub use tls::check_authorities;

use crate::end::End;
use crate::facts::Reported;
use crate::halt::Why;
use crate::outbox::Outbox;
use crate::worker::Worker;
use backoff::Backoff;
use domain::AgentId;
use domain::agent::Load;
use domain::label::Labels;
use protocol::{FromAgent, RefusalCode, ToAgent, VERSIONS};
use rand::SeedableRng;
use session::Session;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A server that does not take or greet us within this time is not there.
const GREETING: Duration = Duration::from_secs(10);

/// The clock of a server: it is connected to, and left again.
///
/// # Errors
/// When nothing answers there, it is not trusted, or it is no Caracal server.
pub async fn clock_of(server: &str, ca: Option<&Path>) -> anyhow::Result<Option<SystemTime>> {
    let met = timeout(GREETING, socket::connect(server, ca)).await;
    let socket = met.map_err(|_| anyhow::anyhow!("{server} did not answer within {} s", GREETING.as_secs()))??;
    let date = socket.date;
    socket.split().0.close().await;
    Ok(date)
}

/// Who we are and where the server is.
pub(crate) struct Endpoint {
    /// As `ws://127.0.0.1:7420/agent`.
    pub server: String,
    /// A file of certificate authorities beside those of the system.
    pub ca: Option<PathBuf>,
    /// Which agent.
    pub agent: AgentId,
    /// Its proof.
    pub credential: String,
    /// Labels it offers.
    pub labels: Labels,
    /// Jobs at once.
    pub slots: u32,
}

/// What the connection works on.
pub(crate) struct Connection {
    pub endpoint: Endpoint,
    pub outbox: Arc<Outbox>,
    pub worker: Arc<Worker>,
    pub facts: watch::Receiver<Reported>,
    pub load: watch::Receiver<Load>,
    pub lease: Arc<Lease>,
}

/// Why no session came to be.
enum Missed {
    /// The server does not want us: its code and sentence.
    Refused(RefusalCode, String),
    /// It is not there, or the session broke.
    Broken(anyhow::Error),
}

impl From<anyhow::Error> for Missed {
    fn from(e: anyhow::Error) -> Self {
        Self::Broken(e)
    }
}

impl Connection {
    /// Connects and serves sessions until `done`; `draining` is told to the server once set.
    ///
    /// # Errors
    /// [`End`] when the server does not know this agent any more, or, at the first greeting, speaks no common version.
    pub async fn run(mut self, draining: CancellationToken, done: CancellationToken) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        let mut random = rand::rngs::StdRng::from_os_rng();
        let mut session = 0;
        let mut told = false;
        loop {
            let began = Instant::now();
            let before = session;
            let end = self.session(&mut session, &draining, &done).await;
            if done.is_cancelled() {
                return Ok(());
            }
            let welcomed = session != before;
            match end {
                Ok(()) => tracing::info!("The server closed the connection."),
                Err(Missed::Refused(code, why)) => match End::of(code, why.clone()) {
                    // An agent that has worked waits for the other side to be renewed.
                    Some(End::Version(_)) if session != 0 => tracing::error!("The server refused this agent: {why}"),
                    Some(end) => return Err(end.into()),
                    None => tracing::error!("The server refused this agent: {why}"),
                },
                Err(Missed::Broken(e)) if !told || welcomed => {
                    tracing::warn!("The connection to the server is down: {e:#}")
                }
                Err(Missed::Broken(e)) => tracing::debug!("The server cannot be reached: {e:#}"),
            }
            told = true;
            let wait = backoff.next(welcomed.then(|| began.elapsed()), &mut random);
            tokio::select! {
                () = done.cancelled() => return Ok(()),
                () = sleep(wait) => {}
            }
        }
    }

    async fn session(
        &mut self,
        number: &mut i64,
        draining: &CancellationToken,
        done: &CancellationToken,
    ) -> Result<(), Missed> {
        let greeting = async {
            let mut socket = socket::connect(&self.endpoint.server, self.endpoint.ca.as_deref()).await?;
            let sent_at = Instant::now();
            let facts = self.facts.borrow_and_update().clone();
            let mut labels = facts.labels;
            labels.extend(self.endpoint.labels.clone());
            let hello = FromAgent::Hello {
                versions: VERSIONS.to_vec(),
                agent: self.endpoint.agent,
                credential: self.endpoint.credential.clone(),
                session: *number,
                have: self.outbox.have(),
                facts: facts.facts,
                labels,
                slots: self.endpoint.slots,
            };
            socket.send(&hello).await?;
            let answer = socket.hear().await?;
            anyhow::Ok((socket, sent_at, answer))
        };
        let (socket, sent_at, answer) = tokio::select! {
            greeted = timeout(GREETING, greeting) => {
                greeted.map_err(|_| anyhow::anyhow!("the server did not answer within {} s", GREETING.as_secs()))??
            }
            () = done.cancelled() => return Ok(()),
        };
        match answer {
            Some(ToAgent::Welcome {
                version,
                session,
                server,
                heartbeat_ms,
                lease_ms,
            }) => {
                if !VERSIONS.contains(&version) {
                    return Err(Missed::Refused(
                        RefusalCode::Version,
                        format!("It wants protocol version {version}, which this agent does not speak."),
                    ));
                }
                tracing::info!(
                    session,
                    "Connected to the server {server} as agent {}.",
                    self.endpoint.agent
                );
                *number = session;
                self.lease.heard(sent_at, lease_ms);
                for held in self.outbox.all() {
                    held.restart();
                }
                let heartbeat = Duration::from_millis(heartbeat_ms.max(10));
                Session {
                    connection: self,
                    heartbeat,
                    lease_ms,
                }
                .serve(socket, draining, done)
                .await
            }
            Some(ToAgent::Refused { reason, code }) => Err(Missed::Refused(code, reason)),
            other => Err(anyhow::anyhow!("the server greeted with something else: {other:?}").into()),
        }
    }

    /// Takes a message of the server to where it belongs.
    fn take(&self, message: ToAgent) {
        match message {
            // The server sends it again when it is not taken.
            ToAgent::Assign(assignment) if !self.lease.holds() => {
                tracing::warn!(attempt = %assignment.fence.attempt, "Attempt {} is not taken on: the lease has ended", assignment.fence.attempt);
            }
            ToAgent::Assign(assignment) => self.worker.assign(*assignment),
            ToAgent::Proof { fence, proof } => self.worker.prove(fence, proof),
            ToAgent::Abort { fence } => self.worker.halt(fence, Why::Abort),
            ToAgent::Forget { fence } => self.worker.forget(fence),
            ToAgent::Ack { fence, n } => self.with(fence, |held| held.acknowledge(n)),
            ToAgent::Durable { fence, offset } => self.with(fence, |held| held.durable(offset)),
            ToAgent::Rewind { fence, offset } => self.with(fence, |held| held.rewind(offset)),
            ToAgent::Welcome { .. }
            | ToAgent::Registered { .. }
            | ToAgent::Refused { .. }
            | ToAgent::Extend
            | ToAgent::Unknown => {}
        }
    }

    fn with(&self, fence: protocol::Fence, act: impl FnOnce(&crate::outbox::Held)) {
        if let Some(held) = self.outbox.get(fence) {
            act(&held);
            self.outbox.settle(&held);
        }
    }
}
