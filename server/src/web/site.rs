//! What the doors know of the server they belong to: ports, public address, readiness.
//!
//! **Invariant:** nothing here changes while the server runs.

use app::context::CookiePolicy;
use async_trait::async_trait;
use domain::ports::Ports;
use engine::clock::SharedClock;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whether the server can do its work.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// `Ok` when the database is writable and listeners are up.
    ///
    /// # Errors
    /// One sentence that says what is missing.
    async fn ready(&self) -> Result<(), String>;
}

/// The state of every handler. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    /// Every port.
    pub ports: Ports,
    /// The server.
    pub site: Arc<Site>,
}

/// How often rights are looked at again unless a test is in a hurry.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The server as its doors know it.
pub struct Site {
    /// The address people use, as `https://ci.example.org`; no slash at the end.
    pub public_url: String,
    /// Whether it listens on loopback alone.
    pub loopback: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How often the rights behind a stream are looked at again.
    pub look_again: Duration,
    /// The time.
    pub clock: SharedClock,
    /// Answers `/readyz`.
    pub readiness: Arc<dyn Readiness>,
}

impl Site {
    /// Whether people come by https.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// How session cookies are written.
    #[must_use]
    pub fn cookies(&self) -> CookiePolicy {
        CookiePolicy { secure: self.secure() }
    }

    /// Scheme, host and port of the public address.
    #[must_use]
    pub fn origin(&self) -> &str {
        let after = self.public_url.find("://").map_or(0, |i| i + 3);
        let end = self.public_url[after..]
            .find('/')
            .map_or(self.public_url.len(), |i| after + i);
        &self.public_url[..end]
    }
}
