//! The engine put together: store, consoles, queue, dispatch and the services behind the ports, started and stopped as one.
//!
//! **Invariant:** this file alone knows every part; nothing starts before the store is open, and everything it started has
//! ended when [`Engine::stop`] answers.

use crate::auth::vault::{KeyError, Vault};
use crate::clock::{SharedClock, Steady};
use crate::console::Consoles;
use crate::dispatch::{Dispatch, Settings, credential_hash};
use crate::notify::Statuses;
use crate::outgoing::Guard;
use crate::outgoing::client::{Client, Limits};
use crate::outgoing::git::{Git, Patience};
use crate::queue::{Outward, Resolver};
use crate::remotes::Remotes;
use crate::scheduler::Terms;
use crate::services::access::AccessService;
use crate::services::agents::AgentsService;
use crate::services::badges::BadgesService;
use crate::services::console::ConsoleService;
use crate::services::events::EventsService;
use crate::services::hooks::HooksService;
use crate::services::plans::PlansService;
use crate::services::queue::QueueService;
use crate::services::repositories::RepositoriesService;
use crate::services::secrets::SecretsService;
use crate::services::tasks::TasksService;
use crate::services::triggers::TriggersService;
use crate::space::Space;
use crate::store::{Location, OpenError, Store, agents};
use crate::triggers::intake::Intake;
use crate::triggers::poll::Looker;
use crate::triggers::{Starter, Triggers};
use domain::AgentId;
use domain::plan::document::SourceRules;
use domain::ports::Ports;
use futures::FutureExt;
use rand::RngCore;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The master keys' file in the data folder. No backup has it, for a backup with its key keeps no secret.
pub const MASTER_KEY: &str = "master.key";

/// What it is called while it is being written; a crash may leave it.
pub const NEW_MASTER_KEY: &str = "master.key.new";

/// What an engine is started with.
#[derive(Clone)]
pub struct Options {
    /// Where the database is.
    pub database: Location,
    /// The data folder; it exists. Consoles go to `console/` below it.
    pub data: PathBuf,
    /// Times and addresses.
    pub settings: Settings,
    /// The time.
    pub clock: SharedClock,
}

/// A running engine.
pub struct Engine {
    /// The database.
    pub store: Store,
    /// Speaks with agents: hand every `/agent` socket to it.
    pub dispatch: Dispatch,
    /// Sign-in, and the one-time set-up code.
    pub access: Arc<AccessService>,
    /// The bytes of every attempt.
    pub consoles: Consoles,
    /// The loops of triggers: wake them when a clock was moved.
    pub triggers: Triggers,
    /// Takes what is sent to hooks.
    pub intake: Intake,
    /// Every port.
    pub ports: Ports,
    clock: SharedClock,
    stop: CancellationToken,
    loops: Vec<JoinHandle<()>>,
}

/// Why an engine did not start: one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The consoles' folder.
    #[error("the folder {0} for consoles cannot be used: {1}")]
    Consoles(PathBuf, std::io::Error),
    /// The folder for what is fetched.
    #[error("the folder {0} for what is fetched cannot be used: {1}")]
    Outgoing(PathBuf, std::io::Error),
    /// The master keys: their file, or one that is missing.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The first write.
    #[error("the database cannot be written: {0}")]
    Write(#[from] crate::store::Error),
}

impl Engine {
    /// Opens the store and starts every loop.
    ///
    /// # Errors
    /// One line that says what cannot be used and why.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            database,
            data,
            mut settings,
            clock,
        } = options;
        let steady = Steady::over(clock);
        let clock: SharedClock = steady.clone();
        let store = Store::open(&database).await?;
        store.write(|tx| agents::all_unheard(tx).boxed()).await?;
        settings.server = own_id(&store).await?;
        let vault = Arc::new(Vault::of(&store, &data.join(MASTER_KEY)).await?);
        let (told, durable) = mpsc::unbounded_channel();
        let folder = data.join("console");
        let bounds = crate::console::Options {
            limit: settings.console_limit,
            ..crate::console::Options::default()
        };
        let told = Arc::new(move |attempt, offset| {
            // Once dispatch is gone the server stops, and nobody waits for acknowledgements.
            let _ = told.send((attempt, offset));
        });
        let space = Arc::new(Space::of(&data));
        let consoles = Consoles::open_with(&folder, bounds, told, Some(space.clone()))
            .map_err(|e| StartError::Consoles(folder, e))?;
        let (out, effects) = Outward::new();
        let rules = SourceRules {
            allow_local: settings.allow_local,
        };
        let lease_ms = settings.lease_ms;
        let public_url = settings.public_url.clone();
        let guard = Guard::new(&settings.allow_addresses, settings.allow_local);
        let client = Client::new(guard.clone(), Limits::default());
        let client_of_forges = client.clone();
        let outgoing = data.join("outgoing");
        let git = Git::open(outgoing.clone(), guard, client.clone(), Patience::default())
            .map_err(|e| StartError::Outgoing(outgoing, e))?;
        let stop = CancellationToken::new();
        let remotes = Remotes::new(store.clone(), vault.clone());
        let dispatch = Dispatch::new(
            store.clone(),
            steady,
            consoles.clone(),
            out.clone(),
            settings,
            space.clone(),
            remotes.clone(),
        );
        let resolver = Resolver::new(
            store.clone(),
            clock.clone(),
            out.clone(),
            rules,
            git.clone(),
            remotes.clone(),
        );
        let terms = Terms {
            lease_ms,
            space: Some(space.clone()),
        };
        let starter = Starter::new(store.clone(), clock.clone(), out.clone(), terms, space.clone());
        let triggers = Triggers::new(starter.clone(), Looker::new(git.clone(), client, remotes.clone()));
        let statuses = Statuses::new(
            store.clone(),
            clock.clone(),
            client_of_forges,
            remotes.clone(),
            &public_url,
        );
        let loops = vec![
            tokio::spawn(dispatch.clone().run(effects, durable, stop.clone())),
            tokio::spawn(resolver.run(stop.clone())),
            tokio::spawn(triggers.clone().run(stop.clone())),
            tokio::spawn(statuses.run(stop.clone())),
        ];
        let secrets = SecretsService::new(store.clone(), clock.clone(), vault.clone());
        let hooks = HooksService::new(store.clone(), clock.clone(), secrets.clone(), &public_url);
        let intake = Intake::new(starter.clone(), vault.clone());
        let tasks = TasksService::new(
            store.clone(),
            clock.clone(),
            out.clone(),
            consoles.clone(),
            lease_ms,
            space.clone(),
        );
        let tasks: Arc<dyn domain::ports::Tasks> = Arc::new(tasks);
        let access = Arc::new(AccessService::new(store.clone(), clock.clone(), &data));
        let ports = Ports {
            plans: Arc::new(PlansService::new(store.clone(), clock.clone(), rules)),
            tasks: tasks.clone(),
            queue: Arc::new(QueueService::new(store.clone(), clock.clone(), tasks, space)),
            agents: Arc::new(AgentsService::new(store.clone(), clock.clone(), out, dispatch.clone())),
            console: Arc::new(ConsoleService::new(store.clone(), consoles.clone())),
            access: access.clone(),
            secrets: Arc::new(secrets.clone()),
            triggers: Arc::new(TriggersService::new(
                starter,
                triggers.clone(),
                hooks.clone(),
                rules.allow_local,
            )),
            hooks: Arc::new(hooks),
            repositories: Arc::new(RepositoriesService::new(
                store.clone(),
                clock.clone(),
                secrets,
                remotes,
                git,
                rules.allow_local,
            )),
            badges: Arc::new(BadgesService::new(store.clone(), clock.clone(), &public_url)),
            events: Arc::new(EventsService::new(store.clone())),
        };
        Ok(Self {
            store,
            dispatch,
            access,
            consoles,
            triggers,
            intake,
            ports,
            clock,
            stop,
            loops,
        })
    }

    /// Makes the built-in agent, with a credential that lives as long as this process; answers both.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn builtin_agent(&self) -> Result<(AgentId, String), crate::store::Error> {
        let credential = random_hex::<32>();
        let hash = credential_hash(&credential);
        let now = self.clock.now();
        let id = self
            .store
            .write(move |tx| {
                let hash = hash.clone();
                async move { agents::ensure_builtin(tx, &hash, now).await }.boxed()
            })
            .await?;
        Ok((id, credential))
    }

    /// Stops the loops and waits for them.
    pub async fn stop(self) {
        self.stop.cancel();
        for l in self.loops {
            let _ = l.await;
        }
    }
}

/// The installation's id: made once, kept in the database, so that two servers on one engine never sweep each other.
async fn own_id(store: &Store) -> Result<String, crate::store::Error> {
    let fresh = random_hex::<6>();
    store
        .write(move |tx| {
            let fresh = fresh.clone();
            async move { crate::store::settings::ensure(tx, "server.id", &fresh).await }.boxed()
        })
        .await
}

fn random_hex<const N: usize>() -> String {
    let mut bytes = [0u8; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
