//! HTTP requests on others' behalf: polls of URLs, commit status.
//!
//! **Invariant:** each redirect is judged like the first address; credentials stay with the origin they were given for; a
//! request ends within its limits, whatever the other side does. No proxy, no cookies, no second try.

mod connect;
mod exchange;
mod message;
mod redirect;

pub use message::{Answer, Request};

use super::tls::Trust;
use super::{Fault, FaultKind, Guard};
use redirect::{parsed, redirected, shown, target};
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// What a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To connect, with TLS.
    pub connect: Duration,
    /// From then to the end of the answer's headers.
    pub headers: Duration,
    /// For all of it, redirects too.
    pub whole: Duration,
    /// Bytes of the answer's body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            whole: Duration::from_secs(30),
            body: 1 << 20,
        }
    }
}

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    guard: Guard,
    limits: Limits,
    trust: Arc<Trust>,
}

impl Client {
    /// A client that goes where the guard lets it.
    #[must_use]
    pub fn new(guard: Guard, limits: Limits) -> Self {
        Self::trusting(guard, limits, Vec::new())
    }

    /// The same that trusts further authorities beside those of the system.
    #[must_use]
    pub fn trusting(guard: Guard, limits: Limits, authorities: Vec<CertificateDer<'static>>) -> Self {
        Self {
            guard,
            limits,
            trust: Arc::new(Trust::new(authorities)),
        }
    }

    /// Sends a request and reads the answer to its end, whatever its status.
    ///
    /// # Errors
    /// When there is no whole answer, or we do not go where it leads.
    pub async fn send(&self, request: Request) -> Result<Answer, Fault> {
        let place = Url::parse(&request.url).map_or_else(|_| "The remote".to_owned(), |u| shown(&u));
        self.in_time(&place, self.follow(request, true))
            .await
            .map(|(answer, _)| answer)
    }

    /// Where a question is answered after all redirects, and whether credentials may go there; the body is not read.
    ///
    /// # Errors
    /// As `send`.
    pub async fn settle(&self, request: Request) -> Result<(Url, bool), Fault> {
        let had = !request.credentials.is_empty();
        let place = Url::parse(&request.url).map_or_else(|_| "The remote".to_owned(), |u| shown(&u));
        let (answer, left) = self.in_time(&place, self.follow(request, false)).await?;
        Ok((answer.url, had && !left.credentials.is_empty()))
    }

    async fn in_time<T>(&self, place: &str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let patience = self.limits.whole;
        match tokio::time::timeout(patience, work).await {
            Ok(done) => done,
            Err(_) => Err(Fault::new(
                FaultKind::TooSlow,
                format!("{place} did not answer whole within {}.", super::fault::Span(patience)),
            )),
        }
    }

    /// The answer after all redirects, and what is left of the request there.
    async fn follow(&self, mut request: Request, body: bool) -> Result<(Answer, Request), Fault> {
        let mut url = parsed(&request.url)?;
        for _ in 0..=REDIRECTS {
            let answer = self.exchange(&url, &request, body).await?;
            let Some(next) = target(&answer, &url)? else {
                return Ok((answer, request));
            };
            redirected(&mut request, &answer, &url, &next)?;
            url = next;
        }
        Err(Fault::new(
            FaultKind::BadAnswer,
            format!("{} redirects more than {REDIRECTS} times.", shown(&url)),
        ))
    }
}
