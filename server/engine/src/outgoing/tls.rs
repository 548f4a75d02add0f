//! TLS of outgoing requests: the authorities that the machine's administrator trusts.
//!
//! **Invariant:** a server proves its name; there is no way to leave that out. Renewed authorities count within an hour.

use super::{Fault, FaultKind};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long authorities are kept: to read them takes milliseconds of a core, too much for each of many polls.
const KEPT: Duration = Duration::from_secs(3_600);

/// TLS settings, read from the system now and then.
pub(super) struct Trust {
    /// Authorities beside those of the system.
    more: Vec<CertificateDer<'static>>,
    kept: Mutex<Option<(Instant, Arc<ClientConfig>)>>,
}

impl Trust {
    pub(super) fn new(more: Vec<CertificateDer<'static>>) -> Self {
        Self {
            more,
            kept: Mutex::default(),
        }
    }

    /// The settings for a connection.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, Fault> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, config)) = kept
            && at.elapsed() < KEPT
        {
            return Ok(config);
        }
        let more = self.more.clone();
        let config = tokio::task::spawn_blocking(move || read(more))
            .await
            .map_err(|e| ours(&e.to_string()))??;
        let config = Arc::new(config);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), config.clone()));
        Ok(config)
    }
}

fn read(more: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(more);
    if roots.is_empty() {
        return Err(ours(
            "this machine has no certificate authorities; install ca-certificates",
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ours(&e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn ours(why: &str) -> Fault {
    Fault::new(FaultKind::Ours, format!("TLS cannot be used here: {why}."))
}

/// What rustls made of the other side, in words; none where the connection just broke.
pub(super) fn verdict(host: &str, e: &std::io::Error) -> Option<Fault> {
    let said = e.get_ref()?.downcast_ref::<rustls::Error>()?;
    let sentence = match said {
        rustls::Error::InvalidCertificate(why) => {
            format!("{host} shows a certificate that this machine does not trust ({why}).")
        }
        rustls::Error::InvalidMessage(_) => format!("{host} does not speak TLS; is it http://?"),
        other => format!("{host} and this server do not agree on TLS: {other}."),
    };
    Some(Fault::new(FaultKind::Unreachable, sentence))
}
