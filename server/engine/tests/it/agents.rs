//! Agents on other machines.

mod lives;
mod registration;

use crate::support::{FakeAgent, World};
use domain::AgentId;
use domain::agent::{AgentTokenWish, NewAgentToken};
use protocol::{FromAgent, RefusalCode, ToAgent, VERSIONS};

const ONE: &str = "name: one\nsteps:\n  - run: true\n";

/// A credential as agents make them; another for each number.
fn credential(n: u8) -> String {
    format!("{n:02x}").repeat(32)
}

async fn token(w: &World, uses: u32, labels: &[(&str, &str)]) -> NewAgentToken {
    let wish = AgentTokenWish {
        uses: Some(uses),
        expires_at: None,
        labels: labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
    };
    w.engine.ports.agents.create_token(&w.ana, wish).await.unwrap()
}

/// Asks for registration on a connection of its own; the connection and the answer.
async fn ask(w: &World, token: &str, credential: &str, name: Option<&str>, from: &'static str) -> (FakeAgent, ToAgent) {
    let mut agent = FakeAgent::silent(&w.engine, AgentId(0), from);
    agent.say(&FromAgent::Register {
        versions: VERSIONS.to_vec(),
        token: token.to_owned(),
        credential: credential.to_owned(),
        name: name.map(str::to_owned),
        hostname: "kiln".into(),
    });
    let answer = agent.hear().await;
    (agent, answer)
}

/// The same, registered.
async fn registered(w: &World, token: &str, n: u8) -> (AgentId, String) {
    match ask(w, token, &credential(n), None, "192.0.2.9").await.1 {
        ToAgent::Registered { agent, name } => (agent, name),
        other => panic!("{other:?}"),
    }
}

/// The same, refused.
async fn refused(w: &World, token: &str, n: u8, name: Option<&str>, from: &'static str) -> (RefusalCode, String) {
    match ask(w, token, &credential(n), name, from).await.1 {
        ToAgent::Refused { reason, code } => (code, reason),
        other => panic!("{other:?}"),
    }
}
