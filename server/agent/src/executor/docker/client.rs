//! The connection to the engine: `DOCKER_HOST` or the local socket, in the newest API version both sides speak.
//!
//! **Invariant:** it is made when it is first needed and again after a failure, so an agent may start before its engine.

use crate::executor::ExecError;
use bollard::errors::Error;
use bollard::query_parameters as query;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// Where the engine is when nobody says.
const LOCAL: &str = "unix:///var/run/docker.sock";
/// How long a greeting may take.
const GREETING: Duration = Duration::from_secs(5);
/// Seconds any other answer may take to begin; creating from a cold disk is slow.
const ANSWER: u64 = 120;

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// As `Docker 20.10.24`.
    pub version: String,
    /// Its cores.
    pub cpus: i64,
    /// Its memory, bytes.
    pub memory: i64,
}

/// A greeted engine.
#[derive(Clone)]
pub(super) struct Engine {
    pub api: Docker,
    pub about: About,
}

/// The way to it.
pub(super) struct Client {
    host: String,
    engine: OnceCell<Engine>,
}

impl Client {
    pub fn new(host: Option<String>) -> Self {
        Self {
            host: host.filter(|h| !h.is_empty()).unwrap_or_else(|| LOCAL.into()),
            engine: OnceCell::new(),
        }
    }

    /// The engine, greeted the first time.
    pub async fn engine(&self) -> Result<Engine, ExecError> {
        self.engine.get_or_try_init(|| self.greet()).await.cloned()
    }

    /// Whether it answers now.
    pub async fn ping(&self) -> Result<(), ExecError> {
        let engine = self.engine().await?;
        match timeout(GREETING, engine.api.ping()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(self.unreachable(&explain(&e))),
            Err(_) => Err(self.slow()),
        }
    }

    async fn greet(&self) -> Result<Engine, ExecError> {
        let greeting = async {
            let api = self.connect()?.negotiate_version().await?;
            let (version, info) = tokio::try_join!(api.version(), api.info())?;
            let about = About {
                version: named(version.version.as_deref()),
                cpus: info.ncpu.unwrap_or(1).max(1),
                memory: info.mem_total.unwrap_or_default(),
            };
            Ok::<_, Error>(Engine { api, about })
        };
        match timeout(GREETING, greeting).await {
            Ok(Ok(engine)) => Ok(engine),
            Ok(Err(e)) => Err(self.unreachable(&explain(&e))),
            Err(_) => Err(self.slow()),
        }
    }

    /// Whether it is on this machine, as far as its address tells.
    pub fn local(&self) -> bool {
        self.host.starts_with("unix://")
    }

    fn connect(&self) -> Result<Docker, Error> {
        let host = self.host.as_str();
        if host.starts_with("tcp://") || host.starts_with("http://") {
            Docker::connect_with_http(host, ANSWER, API_DEFAULT_VERSION)
        } else if host.starts_with("unix://") {
            Docker::connect_with_unix(host, ANSWER, API_DEFAULT_VERSION)
        } else {
            Err(Error::UnsupportedURISchemeError { uri: host.into() })
        }
    }

    fn unreachable(&self, why: &str) -> ExecError {
        ExecError::EngineGone(format!("Docker cannot be reached at {}: {why}.", self.host))
    }

    fn slow(&self) -> ExecError {
        let seconds = GREETING.as_secs();
        ExecError::EngineGone(format!("Docker at {} did not answer within {seconds} s.", self.host))
    }
}

/// `20.10.24+dfsg1` as `Docker 20.10.24`: what the packager adds is not the engine's version.
fn named(version: Option<&str>) -> String {
    let version = version.unwrap_or("of unknown version");
    format!("Docker {}", version.split(['+', '~']).next().unwrap_or(version))
}

/// Whether an error means that the engine itself is away, not that it refused.
pub(super) fn gone(e: &Error) -> bool {
    !matches!(
        e,
        Error::DockerResponseServerError { .. }
            | Error::DockerStreamError { .. }
            | Error::DockerContainerWaitError { .. }
            | Error::JsonDataError { .. }
            | Error::JsonSerdeError { .. }
            | Error::URLEncodedError { .. }
    )
}

/// Whether the engine answered with this status.
pub(super) fn status(e: &Error) -> Option<u16> {
    match e {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The engine's words, or the innermost reason, without a full stop.
pub(super) fn explain(e: &Error) -> String {
    let text = match e {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        Error::SocketNotFoundError(_) => "there is no such socket".into(),
        Error::RequestTimeoutError => format!("no answer within {ANSWER} s"),
        Error::UnsupportedURISchemeError { uri } => {
            format!("{uri} is not supported; use unix:// or tcp://")
        }
        e => innermost(e),
    };
    text.trim().trim_end_matches(['.', '\n']).replace('\n', " ")
}

fn innermost(e: &Error) -> String {
    let mut inner: &dyn std::error::Error = e;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// An error of the engine as ours. `doing` begins the sentence, as `The network could not be made`.
pub(super) fn fault(doing: &str, e: &Error) -> ExecError {
    let why = explain(e);
    if gone(e) {
        ExecError::EngineGone(format!("Docker went away. {doing}: {why}."))
    } else if status(e).is_some_and(|s| s < 500) {
        ExecError::Refused(format!("{doing}: {why}."))
    } else {
        ExecError::Machine(format!("{doing}: {why}."))
    }
}

/// Options that remove a container, whatever it does, with its own volumes.
pub(super) fn by_force() -> query::RemoveContainerOptions {
    query::RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_without_the_packagers_part() {
        assert_eq!(named(Some("20.10.24+dfsg1")), "Docker 20.10.24");
        assert_eq!(named(Some("29.3.1")), "Docker 29.3.1");
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_named_with_its_place_and_the_reason() {
        let client = Client::new(Some("unix:///nowhere/docker.sock".into()));
        let ExecError::EngineGone(said) = client.ping().await.unwrap_err() else {
            panic!("not gone")
        };
        assert!(said.contains("unix:///nowhere/docker.sock"), "{said}");
        let client = Client::new(Some("ssh://somewhere".into()));
        let said = client.ping().await.unwrap_err().to_string();
        assert!(said.contains("use unix:// or tcp://"), "{said}");
    }

    #[test]
    fn what_the_engine_refuses_is_not_taken_for_its_absence() {
        let refused = |status_code| Error::DockerResponseServerError {
            status_code,
            message: "no such thing.\n".into(),
        };
        assert_eq!(
            fault("It failed", &refused(404)),
            ExecError::Refused("It failed: no such thing.".into())
        );
        assert_eq!(
            fault("It failed", &refused(500)),
            ExecError::Machine("It failed: no such thing.".into())
        );
        assert!(matches!(
            fault("It failed", &Error::RequestTimeoutError),
            ExecError::EngineGone(_)
        ));
    }
}
