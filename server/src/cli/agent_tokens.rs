//! `caracal agent-token`: tokens that register agents, made where the server's data is.
//!
//! **Invariant:** as for users and API tokens: the running server is asked, else the folder is held.

use super::AgentTokenCommand;
use super::accounts::{Door, told};
use crate::settings::Settings;
use anyhow::{Context as _, anyhow, bail};
use domain::agent::{AgentTokenView, AgentTokenWish, NewAgentToken, parse_labels};
use domain::page::Page;
use domain::{AgentTokenId, Timestamp};
use engine::clock::{Clock as _, SystemClock};
use engine::services::access::command_line;

/// Runs an `agent-token` command.
pub async fn run(settings: &Settings, command: AgentTokenCommand) -> anyhow::Result<()> {
    match command {
        AgentTokenCommand::Create { expires, uses, labels } => {
            let wish = AgentTokenWish {
                uses: Some(uses),
                expires_at: Some(SystemClock.now().plus(milliseconds(&expires)?)),
                labels: parse_labels(&labels.join("\n")).map_err(|why| anyhow!("--label: {why}"))?,
            };
            let made = create(&Door::open(settings, false).await?, wish).await?;
            // Alone, so that it can be captured.
            println!("{}", made.token);
        }
        AgentTokenCommand::List => {
            for t in list(&Door::open(settings, false).await?).await? {
                println!("{}", line(&t));
            }
        }
        AgentTokenCommand::Revoke { id } => revoke(&Door::open(settings, false).await?, AgentTokenId(id)).await?,
    }
    Ok(())
}

fn line(t: &AgentTokenView) -> String {
    let labels: Vec<_> = t.labels.iter().map(|(k, v)| format!(" {k}={v}")).collect();
    let by: Timestamp = t.expires_at;
    format!(
        "{} {} of {} left, until {by}, by {}{}",
        t.id,
        t.uses_left,
        t.uses,
        t.created_by,
        labels.concat()
    )
}

/// `90s`, `30m`, `12h`, `7d`.
fn milliseconds(text: &str) -> anyhow::Result<i64> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => bail!("--expires is `{text}`, which is not a time as 90s, 30m, 12h or 7d"),
    };
    let number: i64 = number
        .parse()
        .ok()
        .filter(|n| (1..=1_000_000).contains(n))
        .with_context(|| format!("--expires is `{text}`, which is not a time as 90s, 30m, 12h or 7d"))?;
    Ok(number * unit)
}

async fn create(door: &Door, wish: AgentTokenWish) -> anyhow::Result<NewAgentToken> {
    match door {
        Door::Running(client) => {
            let body = serde_json::to_value(wish)?;
            client.call("POST", "/api/v1/agents/tokens", Some(&body)).await
        }
        Door::Folder { agent_tokens, .. } => agent_tokens.create(&command_line(), wish).await.map_err(told),
    }
}

async fn list(door: &Door) -> anyhow::Result<Vec<AgentTokenView>> {
    match door {
        Door::Running(client) => {
            let page: Page<AgentTokenView> = client.call("GET", "/api/v1/agents/tokens?limit=200", None).await?;
            Ok(page.items)
        }
        Door::Folder { agent_tokens, .. } => agent_tokens.list(&command_line()).await.map_err(told),
    }
}

async fn revoke(door: &Door, id: AgentTokenId) -> anyhow::Result<()> {
    match door {
        Door::Running(client) => {
            let path = format!("/api/v1/agents/tokens/{id}");
            client.call::<Option<()>>("DELETE", &path, None).await.map(drop)
        }
        Door::Folder { agent_tokens, .. } => agent_tokens.revoke(&command_line(), id).await.map_err(told),
    }
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_are_read() {
        for (text, want) in [
            ("90s", 90_000),
            ("30m", 1_800_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(milliseconds(text).ok(), Some(want), "{text}");
        }
        for text in ["", "h", "1", "-1h", "1w", "1.5h", "99999999d", "ä"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
