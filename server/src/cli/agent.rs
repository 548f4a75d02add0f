//! `caracal agent`: an agent on this machine for a server elsewhere.
//!
//! **Invariant:** it runs until a signal or until trying again would change nothing; the exit code tells which.

use crate::settings::AgentSettings;
use agent::identity::Identity;
use agent::{Config, Registration, Stop};
use anyhow::Context as _;
use domain::plan::Limits;
use std::net::IpAddr;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// What a wrong command line ends with.
pub const USAGE: u8 = 2;

/// Runs an agent to its end.
pub async fn run(settings: AgentSettings) -> anyhow::Result<ExitCode> {
    crate::tracing_output::start();
    let AgentSettings {
        shared,
        server,
        token,
        name,
        labels,
        ca,
    } = settings;
    if server.tls {
        agent::check_authorities(ca.as_deref())?;
    }
    if !server.tls && !local(&server.host) {
        tracing::warn!(
            "{} is not encrypted: keys and output can be read on the way. Use https://.",
            server.url
        );
    }
    std::fs::create_dir_all(&shared.data)
        .with_context(|| format!("the data folder {} cannot be made", shared.data.display()))?;
    let data = shared.data.canonicalize().context("the data folder cannot be used")?;
    let mut identity = Identity::open(&data)?;
    let stop = Stop::default();
    hear_signals(stop.clone())?;
    if identity.agent().is_none() {
        let Some(token) = token else {
            eprintln!(
                "caracal: this agent is not registered yet: give it a token with --token (Agents, Add an agent, or \
                 `caracal agent-token create` on the server)"
            );
            return Ok(ExitCode::from(USAGE));
        };
        let wish = Registration {
            server: &server.url,
            ca: ca.as_deref(),
            token: &token,
            name: name.as_deref(),
        };
        if !agent::register(&mut identity, &wish, &stop.drain).await? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let agent = identity.agent().context("the agent is not registered")?;
    let config = Config {
        server: server.url,
        ca,
        agent,
        credential: identity.credential().to_owned(),
        data,
        executor: shared.executor,
        slots: shared.slots,
        labels,
        default_image: shared.default_image,
        limits: Limits::default(),
        step_user: shared.step_user,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        warm: shared.warm_slots,
    };
    let executors = agent::executor::detect(&config, false)
        .await
        .context("the agent cannot use its folder")?;
    agent::run(config, executors, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a host is this machine.
fn local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The first signal lets it finish what runs and go; the second makes it go now, while what runs goes on for its next start;
/// the third ends it where it stands.
fn hear_signals(stop: Stop) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    tokio::spawn(async move {
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
            };
            if !stop.drain.is_cancelled() {
                tracing::info!("Draining: finishing what runs, taking nothing new. A second signal goes at once.");
                stop.drain.cancel();
            } else if !stop.now.is_cancelled() {
                tracing::warn!("Going now; what runs goes on and is taken up at the next start.");
                stop.now.cancel();
            } else {
                std::process::exit(128 + number);
            }
        }
    });
    Ok(())
}
