//! From a host's name to the addresses that may be connected to.
//!
//! **Invariant:** a name is looked up once for each connection, every address it has is judged, and one that is forbidden
//! forbids the name.

use super::address::{Range, judge};
use super::{Fault, FaultKind};
use futures::future::BoxFuture;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Longest a name may take to be looked up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a server that listens on loopback alone may reach besides: who can ask it is on the machine already.
const AT_HOME: [&str; 6] = [
    "127.0.0.0/8",
    "::1",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
];

/// Looks names up.
pub trait Lookup: Send + Sync {
    /// The addresses of a host.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
struct System;

impl Lookup for System {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|a| a.ip()).collect()) })
    }
}

/// What may be connected to. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    allowed: Arc<[Range]>,
    local: bool,
    lookup: Arc<dyn Lookup>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({:?}, local: {})", self.allowed, self.local)
    }
}

impl Guard {
    /// The open Internet, what an administrator allows beside it, and, where `local` sources are allowed, this machine and
    /// private networks.
    #[must_use]
    pub fn new(allowed: &[Range], local: bool) -> Self {
        Self {
            allowed: allowed.into(),
            local,
            lookup: Arc::new(System),
        }
    }

    /// The same with another way to look names up.
    #[must_use]
    pub fn looking_up(self, lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// Whether local sources are allowed: paths, `file://`, `http://`.
    #[must_use]
    pub fn local(&self) -> bool {
        self.local
    }

    /// The addresses of a host, each judged. `plain` asks to speak without TLS, which takes addresses that were allowed by
    /// name, or local sources.
    ///
    /// # Errors
    /// When it has none, or has one that is not to be connected to.
    pub async fn addresses(&self, host: &str, port: u16, plain: bool) -> Result<Vec<SocketAddr>, Fault> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.look_up(host).await?,
        };
        for address in &found {
            self.judge(*address).map_err(|why| {
                let sentence = format!("{host} was not asked: {why}.");
                Fault::new(FaultKind::Refused, sentence)
            })?;
            if plain && !self.local && !self.allowed.iter().any(|r| r.holds(*address)) {
                let sentence = format!(
                    "{host} was not asked: without TLS (http://) this server speaks only to addresses that an administrator allows (`allow_addresses`). Use https://."
                );
                return Err(Fault::new(FaultKind::Refused, sentence));
            }
        }
        if found.is_empty() {
            let sentence = format!("The name {host} has no address.");
            return Err(Fault::new(FaultKind::Unreachable, sentence));
        }
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        match tokio::time::timeout(PATIENCE, self.lookup.addresses(host)).await {
            Err(_) => Err(Fault::new(
                FaultKind::TooSlow,
                format!(
                    "The name {host} could not be looked up within {} s.",
                    PATIENCE.as_secs()
                ),
            )),
            Ok(Err(_)) => Err(Fault::new(
                FaultKind::Unreachable,
                format!("The name {host} cannot be resolved."),
            )),
            Ok(Ok(found)) => Ok(found),
        }
    }

    fn judge(&self, address: IpAddr) -> Result<(), super::address::Forbidden> {
        match judge(address, &self.allowed) {
            Err(forbidden) if self.local => {
                let home: Vec<Range> = AT_HOME.iter().filter_map(|r| r.parse().ok()).collect();
                judge(address, &home).map_err(|_| forbidden)
            }
            other => other,
        }
    }
}
