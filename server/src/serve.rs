//! The composition root of a server: data folder, engine, doors, built-in agent, and their orderly end.
//!
//! **Invariant:** this is the only file that knows every part; it decides nothing but the order in which they start and stop.

use crate::data::DataFolder;
use crate::settings::Settings;
use crate::web::local::LocalSocket;
use crate::web::site::LOOK_AGAIN;
use crate::web::{Readiness, Site, Web, agent as agent_socket, hooks, listen, router};
use agent::Config;
use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use domain::plan::Limits;
use engine::assembly::{Engine, Options};
use engine::clock::SystemClock;
use engine::store::{Location, Store};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs a server until SIGINT or SIGTERM.
///
/// # Errors
/// One line for the person who started it: port taken, folder unwritable, database newer than the binary.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    crate::tracing_output::start();
    let folder = DataFolder::hold(&settings.data)?;
    // Bound first: a taken port shall not leave a migrated database behind.
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|e| cannot_listen(settings.listen, &e))?;
    let address = listener.local_addr().context("the listener has no address")?;
    let public_url = settings.public_url(address);
    let engine = Engine::start(Options {
        database: Location::Sqlite(folder.database()),
        data: folder.path().to_owned(),
        settings: engine::dispatch::Settings {
            public_url: public_url.clone(),
            allow_local: settings.allow_local_sources,
            allow_addresses: settings.allow_addresses.clone(),
            console_limit: settings.console_limit,
            ..engine::dispatch::Settings::default()
        },
        clock: Arc::new(SystemClock),
    })
    .await?;
    let web = Web {
        ports: engine.ports.clone(),
        site: Arc::new(Site {
            public_url: public_url.clone(),
            loopback: address.ip().is_loopback(),
            trusted_proxies: settings.trusted_proxies.clone(),
            look_again: LOOK_AGAIN,
            clock: Arc::new(SystemClock),
            readiness: Arc::new(Ready(engine.store.clone())),
        }),
    };
    let doors = CancellationToken::new();
    let open = TaskTracker::new();
    let local = LocalSocket::bind(folder.path()).context("the local socket in the data folder cannot be made")?;
    open.spawn(local.serve(web.clone(), doors.clone()));
    let all = router(
        web,
        agent_socket::router(engine.dispatch.clone(), &settings.trusted_proxies)
            .merge(hooks::router(engine.intake.clone(), &settings.trusted_proxies)),
    );
    open.spawn(listen::tcp(listener, all, doors.clone()));
    greet(&engine, &public_url, folder.path()).await?;

    let ending = agent::Stop::default();
    let agent = if settings.agent {
        Some(builtin(&settings, &engine, &folder, address, ending.clone()).await?)
    } else {
        None
    };
    wait_for_signal().await?;
    tracing::info!("Stopping");
    // What runs goes on without us, and is taken up again at the next start.
    ending.now.cancel();
    if let Some(agent) = agent {
        // The agent goes first, while the server still hears what it reports.
        let _ = agent.await;
    }
    doors.cancel();
    open.close();
    open.wait().await;
    engine.stop().await;
    Ok(())
}

/// Starts the built-in agent; it connects over the socket like any other.
async fn builtin(
    settings: &Settings,
    engine: &Engine,
    folder: &DataFolder,
    address: SocketAddr,
    stop: agent::Stop,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let (id, credential) = engine
        .builtin_agent()
        .await
        .context("the built-in agent cannot be set up")?;
    let ip = if address.ip().is_unspecified() {
        IpAddr::from([127, 0, 0, 1])
    } else {
        address.ip()
    };
    let config = Config {
        server: format!("ws://{}/agent", SocketAddr::new(ip, address.port())),
        ca: None,
        agent: id,
        credential,
        data: folder.path().to_owned(),
        executor: settings.executor,
        slots: settings.slots,
        labels: BTreeMap::new(),
        warm: settings.warm_slots,
        default_image: settings.default_image.clone(),
        limits: Limits::default(),
        step_user: settings.step_user.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let executors = agent::executor::detect(&config, true)
        .await
        .context("the built-in agent cannot use its folder")?;
    Ok(tokio::spawn(async move {
        if let Err(e) = agent::run(config, executors, stop).await {
            tracing::error!(error = %format!("{e:#}"), "The built-in agent has stopped: {e:#}");
        }
    }))
}

/// Tells the person at the terminal where the server is, and, the first time, how to get in.
async fn greet(engine: &Engine, public_url: &str, data: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let version = env!("CARGO_PKG_VERSION");
    // A closed terminal is no reason to stop serving.
    let _ = writeln!(
        out,
        "Caracal {version} is listening on {public_url}  (data in {})",
        data.display()
    );
    if let Some(code) = engine.access.setup_code().await? {
        let _ = writeln!(
            out,
            "\nFirst start: make the admin account with this one-time link:\n  {public_url}/setup?code={code}\n"
        );
    }
    let _ = out.flush();
    Ok(())
}

async fn wait_for_signal() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn cannot_listen(at: SocketAddr, e: &std::io::Error) -> anyhow::Error {
    match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow!("cannot listen on {at}: the port is taken, perhaps by another caracal; choose one with --listen")
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow!("cannot listen on {at}: ports below 1024 take root; choose another with --listen")
        }
        _ => anyhow!("cannot listen on {at}: {e}"),
    }
}

/// `/readyz`: the database takes writes.
struct Ready(Store);

#[async_trait]
impl Readiness for Ready {
    async fn ready(&self) -> Result<(), String> {
        use futures::FutureExt as _;
        self.0
            .write(|_| async { Ok(()) }.boxed())
            .await
            .map_err(|e| format!("{e}."))
    }
}
