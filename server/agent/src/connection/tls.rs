//! TLS of a connection: who is believed to be the server.
//!
//! **Invariant:** a server proves its name by a certificate that the system, or the file given, vouches for; there is no
//! way to leave that out.

use anyhow::{Context, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Speaks TLS over a connection. Certificates are read anew each time, so that renewed ones count without a restart.
///
/// # Errors
/// When no authority can be read, or the server does not prove its name.
pub(super) async fn over(tcp: TcpStream, host: &str, ca: Option<&Path>) -> Result<TlsStream<TcpStream>, Untrusted> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Untrusted::Set(anyhow::anyhow!("`{host}` is no name a certificate could hold")))?;
    let ca = ca.map(Path::to_owned);
    let roots = tokio::task::spawn_blocking(move || roots(ca.as_deref()))
        .await
        .map_err(|e| Untrusted::Set(e.into()))?
        .map_err(Untrusted::Set)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Untrusted::Set(e.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.map_err(Untrusted::Peer)
}

/// Why there is no TLS.
pub(super) enum Untrusted {
    /// What is set here cannot be used.
    Set(anyhow::Error),
    /// What the other side said, or that it went away.
    Peer(std::io::Error),
}

impl Untrusted {
    /// What rustls made of the other side; `None` where the connection just broke.
    pub(super) fn verdict(e: &std::io::Error) -> Option<&rustls::Error> {
        e.get_ref()?.downcast_ref::<rustls::Error>()
    }
}

/// Whether there are authorities to believe: those of the system and of the file.
///
/// # Errors
/// One sentence: which file cannot be used, or that there are none at all.
pub fn check_authorities(ca: Option<&Path>) -> anyhow::Result<()> {
    roots(ca).map(drop)
}

/// The authorities of the system and those of the file.
fn roots(ca: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca {
        let shown = path.display();
        let all: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .with_context(|| format!("the certificates in {shown} cannot be read"))?;
        if all.is_empty() {
            bail!("{shown} holds no certificate (it begins with -----BEGIN CERTIFICATE-----)");
        }
        for certificate in all {
            roots
                .add(certificate)
                .with_context(|| format!("a certificate in {shown} cannot be used"))?;
        }
    }
    if roots.is_empty() {
        bail!("this machine has no certificate authorities; install ca-certificates, or name a file with --ca");
    }
    Ok(roots)
}
