//! Asking for tasks and aborts of a server that may die at any instant, until each is acknowledged.
//!
//! **Invariant:** what is asked twice is asked with the same key, or after a look that it had no effect; so whatever is
//! doubled was doubled by the server.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::Client;
use crate::workload::Work;

/// How long one acknowledgement may take, faults and restarts included.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(50);

/// A task the server has acknowledged.
#[derive(Debug)]
pub struct Asked {
    /// What it runs.
    pub work: Work,
    /// Its plan's id.
    pub plan: i64,
    /// Its id.
    pub task: i64,
    /// Whether an abort was asked for and taken.
    pub aborted: bool,
}

/// Saves the plan, makes its task and aborts it when that is its lot.
///
/// # Errors
/// When the server refuses what it must take, or acknowledges nothing for minutes.
pub async fn submit(client: Client, work: Work, document: String) -> Result<Asked> {
    let name = work.name.clone();
    let body = json!({ "document": document });
    let found = format!("/api/v1/plans?q={name}&limit=200");
    let plan = create(&client, "/api/v1/plans", &body, &found, &name)
        .await
        .with_context(|| format!("plan {name}"))?;
    let (path, found) = (
        format!("/api/v1/plans/{plan}/tasks"),
        format!("/api/v1/tasks?plan={plan}&limit=200"),
    );
    let task = create(&client, &path, &json!({}), &found, &name)
        .await
        .with_context(|| format!("a task of plan {name}"))?;
    let aborted = match work.abort_after {
        None => false,
        Some(after) => {
            sleep(Duration::from_millis(after)).await;
            abort(&client, task)
                .await
                .with_context(|| format!("abort of task {task}"))?
        }
    };
    Ok(Asked {
        work,
        plan,
        task,
        aborted,
    })
}

/// Creates something at most once; `found` lists it if it is there. Its id.
async fn create(client: &Client, path: &str, body: &Value, found: &str, name: &str) -> Result<i64> {
    let end = Instant::now() + PATIENCE;
    let mut turn = 0;
    loop {
        let key = format!("{path} {name} {turn}");
        match client.post(path, body, Some(&key)).await {
            Ok(answer) if answer.status == 201 => return answer.json()?["id"].as_i64().context("it has no id"),
            // The try before this one never ended, or took effect under a key that was given up.
            Ok(answer) if answer.status == 409 => {
                if let Ok(list) = client.get(found).await.and_then(|a| a.json()) {
                    let items = list["items"].as_array().context("no items")?;
                    let ours = |item: &&Value| item["name"] == name || item["plan"]["name"] == name;
                    if let Some(one) = items.iter().find(ours) {
                        return one["id"].as_i64().context("it has no id");
                    }
                    turn += 1;
                }
            }
            Ok(answer) if answer.status < 500 && answer.status != 429 => {
                answer.json()?;
            }
            Ok(_) | Err(_) => {}
        }
        if Instant::now() > end {
            bail!("not acknowledged within {} s", PATIENCE.as_secs());
        }
        sleep(AGAIN).await;
    }
}

/// Asks for an abort until it is taken; `false` when the task had ended by itself.
///
/// # Errors
/// When the server refuses it, or acknowledges nothing for minutes.
pub async fn abort(client: &Client, task: i64) -> Result<bool> {
    let end = Instant::now() + PATIENCE;
    let mut tries = 0;
    loop {
        match client
            .post(&format!("/api/v1/tasks/{task}/abort"), &Value::Null, None)
            .await
        {
            Ok(answer) if (200..300).contains(&answer.status) => return Ok(true),
            // After a try that was not answered, the end may be the abort's own.
            Ok(answer) if answer.status == 409 => return Ok(tries > 0),
            Ok(answer) if answer.status < 500 && answer.status != 429 => {
                answer.json()?;
            }
            Ok(_) | Err(_) => {}
        }
        if Instant::now() > end {
            bail!("not acknowledged within {} s", PATIENCE.as_secs());
        }
        tries += 1;
        sleep(AGAIN).await;
    }
}
