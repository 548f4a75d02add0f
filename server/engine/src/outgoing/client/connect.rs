//! A connection to one of the judged addresses of a host.
//!
//! **Invariant:** the name is not looked up again; TLS proves the name, not the address.

use super::super::{Fault, FaultKind, tls};
use super::Client;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Longest one address may take before the next is tried.
const EACH: Duration = Duration::from_secs(4);

/// A connection, whichever it is.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Client {
    /// Connects, within the limit for it.
    pub(super) async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, Fault> {
        let limit = self.limits.connect;
        match timeout(limit, self.connected(url)).await {
            Ok(done) => done,
            Err(_) => Err(Fault::new(
                FaultKind::TooSlow,
                format!(
                    "{} could not be connected to within {}.",
                    url.host_str().unwrap_or_default(),
                    super::super::fault::Span(limit)
                ),
            )),
        }
    }

    async fn connected(&self, url: &Url) -> Result<Box<dyn Stream>, Fault> {
        // A URL's IPv6 address has brackets, an address has none.
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => String::new(),
        };
        let plain = url.scheme() == "http";
        let port = url.port_or_known_default().unwrap_or(443);
        let addresses = self.guard.addresses(&host, port, plain).await?;
        let tcp = reach(&host, &addresses).await?;
        if plain {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(host.clone()).map_err(|_| {
            let sentence = format!("`{host}` is no name that a certificate could hold.");
            Fault::new(FaultKind::Refused, sentence)
        })?;
        let config = self.trust.config().await?;
        let stream = TlsConnector::from(config).connect(name, tcp).await;
        stream.map(|s| Box::new(s) as Box<dyn Stream>).map_err(|e| {
            tls::verdict(&host, &e).unwrap_or_else(|| {
                let sentence = format!("{host} closed the connection before TLS was agreed on.");
                Fault::new(FaultKind::Unreachable, sentence)
            })
        })
    }
}

/// The first address that answers.
async fn reach(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, Fault> {
    let mut why = "nothing answers at its address".to_owned();
    for address in addresses {
        match timeout(EACH, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Small requests shall leave at once; that it cannot be set is no reason to fail.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok(Err(e)) => why = format!("{address}: {e}"),
            Err(_) => why = format!("{address} does not answer"),
        }
    }
    Err(Fault::new(
        FaultKind::Unreachable,
        format!("{host} cannot be connected to ({why})."),
    ))
}
