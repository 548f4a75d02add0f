//! The first words of an agent that nobody knows yet.
//!
//! **Invariant:** it tries as long as nothing answers; what answers and is not what it should be ends it.

use super::GREETING;
use super::backoff::Backoff;
use super::socket::{self, Trouble};
use crate::end::End;
use crate::identity::Identity;
use anyhow::anyhow;
use protocol::{FromAgent, RefusalCode, ToAgent, VERSIONS};
use rand::SeedableRng;
use std::path::Path;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What an agent asks to be registered with.
#[derive(Clone, Copy)]
pub struct Registration<'a> {
    /// The server's socket, as `wss://ci.example.org/agent`.
    pub server: &'a str,
    /// A file of certificate authorities beside those of the system.
    pub ca: Option<&'a Path>,
    /// The token.
    pub token: &'a str,
    /// The name it must have; after its host when `None`.
    pub name: Option<&'a str>,
}

/// Registers an agent, which tries until something answers; whether it is registered then, or was told to end.
///
/// # Errors
/// [`End`] where trying again would change nothing.
pub async fn register(
    identity: &mut Identity,
    wish: &Registration<'_>,
    shutdown: &CancellationToken,
) -> anyhow::Result<bool> {
    let mut backoff = Backoff::default();
    let mut random = rand::rngs::StdRng::from_os_rng();
    let mut told = false;
    loop {
        let tried = tokio::select! {
            tried = timeout(GREETING, once(identity.credential(), wish)) => tried.unwrap_or_else(|_| {
                Err(Trouble::Broken(anyhow!("the server did not answer within {} s", GREETING.as_secs())))
            }),
            () = shutdown.cancelled() => return Ok(false),
        };
        let least = match tried {
            Ok(ToAgent::Registered { agent, name }) => {
                tracing::info!("Registered as agent {name} ({agent}).");
                identity.registered(agent, name)?;
                return Ok(true);
            }
            Ok(ToAgent::Refused { reason, code }) => match End::of(code, reason.clone()) {
                Some(end) => return Err(end.into()),
                None if code == RefusalCode::Later => {
                    tracing::warn!("{reason}");
                    Duration::from_secs(1)
                }
                None => anyhow::bail!("The server refused to register this agent: {reason}"),
            },
            Ok(_) => return Err(not_ours(wish.server).into()),
            Err(Trouble::Foreign(why)) => return Err(End::NotCaracal(why).into()),
            Err(Trouble::Broken(e)) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("The server cannot be reached yet: {e:#}. Trying until it can.");
                }
                Duration::ZERO
            }
        };
        let wait = least + backoff.next(None, &mut random);
        tokio::select! {
            () = shutdown.cancelled() => return Ok(false),
            () = sleep(wait) => {}
        }
    }
}

async fn once(credential: &str, wish: &Registration<'_>) -> Result<ToAgent, Trouble> {
    let mut socket = socket::connect(wish.server, wish.ca).await?;
    let register = FromAgent::Register {
        versions: VERSIONS.to_vec(),
        token: wish.token.to_owned(),
        credential: credential.to_owned(),
        name: wish.name.map(str::to_owned),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    socket.send(&register).await.map_err(Trouble::Broken)?;
    match socket.answer().await.map_err(Trouble::Broken)? {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(_)) => Err(Trouble::Foreign(not_ours(wish.server).to_string())),
        None => Err(Trouble::Broken(anyhow!("the server closed the connection"))),
    }
}

fn not_ours(server: &str) -> End {
    End::NotCaracal(format!("{server} takes websockets, but is no Caracal server"))
}
