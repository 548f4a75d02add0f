//! Registration: a token makes an agent known under the credential it made itself.
//!
//! **Invariant:** one credential is one agent however often it asks, so an answer that was lost is asked for again without
//! using the token a second time; a refusal uses nothing up.

use super::{Dispatch, credential_hash};
use crate::auth::throttle::Keys;
use crate::auth::{secret, tries};
use crate::store::agent_tokens::{TokenState, by_credential, by_hash, name_taken, register};
use crate::store::agents::BUILTIN;
use crate::store::audit::Entry;
use crate::store::{Result, Tx};
use domain::agent::check_name;
use domain::{AgentId, Timestamp};
use futures::FutureExt;
use protocol::{RefusalCode, ToAgent};

/// Where to get another token; ends every refusal of one.
const ANOTHER: &str = "Make another under Agents, Add an agent, or with `caracal agent-token create`.";

/// What an agent asks for.
#[derive(Clone)]
pub(super) struct Wish {
    pub token: String,
    pub credential: String,
    pub name: Option<String>,
    pub hostname: String,
}

/// Why it is refused: for a program, and for a person.
pub(super) type No = (RefusalCode, String);

impl Dispatch {
    /// Registers an agent that comes from this address.
    pub(super) async fn register(&self, wish: Wish, from: &str) -> Result<ToAgent> {
        let keys = Keys::of("agent registration", from);
        let (now, from) = (self.clock.now(), from.to_owned());
        let done = self
            .store
            .write(move |tx| {
                let (wish, keys, from) = (wish.clone(), keys.clone(), from.clone());
                async move {
                    let answer = enrol(tx, &wish, &keys, &from, now).await?;
                    // A refusal is committed too: the try that it was counts.
                    Ok(answer)
                }
                .boxed()
            })
            .await?;
        Ok(match done {
            Ok((agent, name)) => {
                tracing::info!(agent.id = %agent, "Agent {name} is registered as {agent}");
                ToAgent::Registered { agent, name }
            }
            Err((code, reason)) => {
                tracing::warn!("Refused to register an agent: {reason}");
                ToAgent::Refused { reason, code }
            }
        })
    }
}

async fn enrol(
    tx: &mut Tx,
    wish: &Wish,
    keys: &Keys,
    from: &str,
    now: Timestamp,
) -> Result<std::result::Result<(AgentId, String), No>> {
    let sound = wish.credential.len() == 64 && wish.credential.bytes().all(|b| b.is_ascii_hexdigit());
    if !sound {
        let why = "The agent's credential is not 64 hex digits; it is made by `caracal agent` itself.";
        return Ok(Err((RefusalCode::Credential, why.into())));
    }
    let hash = credential_hash(&wish.credential);
    match by_credential(tx, &hash).await? {
        Some((agent, name, false)) => return Ok(Ok((agent, name))),
        Some((_, name, true)) => {
            let why = format!("Agent {name} was removed by an admin. Empty its data folder to register it anew.");
            return Ok(Err((RefusalCode::Removed, why)));
        }
        None => {}
    }
    if let Some(seconds) = tries::begin(tx, keys, now).await? {
        let why = format!("Too many tries to register from this address. Try again in {seconds} s.");
        return Ok(Err((RefusalCode::Later, why)));
    }
    let entry = Entry {
        at: now,
        actor_kind: "agent",
        actor_name: Some(wish.hostname.chars().filter(|c| !c.is_control()).take(64).collect()),
        ip: Some(from.to_owned()),
        action: "agent.register",
        object: Some("agent"),
        ..Entry::default()
    };
    let token = match token(tx, &wish.token, now).await? {
        Ok(token) => token,
        Err(why) => {
            tx.audit(Entry {
                result: "token",
                ..entry
            })
            .await?;
            return Ok(Err((RefusalCode::Token, why)));
        }
    };
    // The token was right, whatever comes of the name.
    tries::forgive(tx, keys, now).await?;
    let name = match name(tx, wish).await? {
        Ok(name) => name,
        Err(why) => return Ok(Err((RefusalCode::Name, why))),
    };
    let agent = register(tx, &token, &name, &hash, from, now).await?;
    tx.audit(Entry {
        object_id: Some(agent.0),
        after: Some(format!("{name} by token {}", token.id)),
        result: "ok",
        ..entry
    })
    .await?;
    Ok(Ok((agent, name)))
}

/// The token, if it may register an agent now.
async fn token(tx: &mut Tx, given: &str, now: Timestamp) -> Result<std::result::Result<TokenState, String>> {
    let found = match secret::agent_well_formed(given.trim()) {
        true => by_hash(tx, &secret::hash(given.trim())).await?,
        false => None,
    };
    Ok(match found {
        None => Err(format!("The registration token is wrong. {ANOTHER}")),
        Some(t) if t.revoked_at.is_some() => Err(format!("The registration token was revoked. {ANOTHER}")),
        Some(t) if t.ends_at <= now.0 => Err(format!(
            "The registration token ended at {}. {ANOTHER}",
            Timestamp(t.ends_at)
        )),
        Some(t) if t.uses_left <= 0 => Err(format!(
            "The registration token is used up: it has registered all the agents it was made for. {ANOTHER}"
        )),
        Some(t) => Ok(t),
    })
}

/// The name it gets. One that was asked for is given or refused; one after the host gets a number where it is taken.
async fn name(tx: &mut Tx, wish: &Wish) -> Result<std::result::Result<String, String>> {
    if let Some(name) = wish.name.as_deref().map(str::trim) {
        if let Err(why) = check_name(name) {
            return Ok(Err(why));
        }
        if name == BUILTIN {
            return Ok(Err(format!("`{BUILTIN}` is the name of the agent inside the server.")));
        }
        return Ok(match name_taken(tx, name).await? {
            true => Err(format!(
                "There is an agent `{name}` already. Choose another name with --name, or remove that agent first."
            )),
            false => Ok(name.to_owned()),
        });
    }
    let base = named_after(&wish.hostname);
    for n in 1.. {
        let name = if n == 1 { base.clone() } else { format!("{base}-{n}") };
        if name != BUILTIN && !name_taken(tx, &name).await? {
            return Ok(Ok(name));
        }
    }
    Ok(Err("No name is free.".into()))
}

/// A name from a host name: what cannot be in one becomes a dash.
fn named_after(hostname: &str) -> String {
    let sound = |c: char| {
        if c.is_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = hostname.chars().map(sound).take(58).collect();
    let name = name.trim_matches(['.', '_', '-']);
    if name.is_empty() {
        "agent".into()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_give_sound_names() {
        for (host, want) in [
            ("kiln-1", "kiln-1"),
            ("build host!", "build-host"),
            ("..", "agent"),
            ("", "agent"),
            ("<b>x</b>", "b-x--b"),
        ] {
            let name = named_after(host);
            assert_eq!(name, want);
            assert_eq!(check_name(&name), Ok(()));
        }
        assert_eq!(check_name(&named_after(&"é".repeat(200))), Ok(()));
    }
}
