//! W8: a server with 300 agents and 1,000 viewers dies and comes again: how soon all are back, and how it answers meanwhile.
//!
//! **Invariant:** the agents are real processes with their own back-off; viewers wait as a browser does; every answer of
//! the new server counts, from its first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::AttemptId;
use domain::live::FromBrowser;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::agent::{self, Agent};
use crate::http::Http;
use crate::report::Report;
use crate::server::{Data, Server};
use crate::stats::{Series, ms};

const AGENTS: usize = 300;
const VIEWERS: usize = 1_000;
/// A browser's waits between its tries, in milliseconds (`app/src/live/socket.rs`).
const WAITS: [u64; 7] = [100, 250, 500, 1_000, 2_000, 4_000, 8_000];
/// How long all of it may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// How the viewers stand.
#[derive(Default)]
struct Standing {
    /// Which start of the server is meant.
    round: AtomicUsize,
    /// How many heard something in this round.
    back: AtomicUsize,
}

/// Measures one death.
pub async fn measure(report: &mut Report) -> Result<()> {
    let data = Data::new()?;
    let server = Server::start(&data, &["--no-agent"]).await?;
    let token = agent::token(&server, AGENTS).await?;
    let mut agents = Vec::new();
    for _ in 0..AGENTS {
        agents.push(Agent::start(
            &server,
            &token,
            &["--executor", "process", "--slots", "1"],
        )?);
        // Not all in one instant: that is not what is measured.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    online(&server).await?;
    let (task, attempt) = running(&server).await?;

    let standing = Arc::new(Standing::default());
    let (stop, stopped) = watch::channel(false);
    let mut viewers = Vec::new();
    for number in 0..VIEWERS {
        let (address, token) = (server.address.clone(), server.token.clone());
        let viewer = view(number, address, token, attempt, standing.clone(), stopped.clone());
        viewers.push(tokio::spawn(viewer));
    }
    heard(&standing).await?;

    standing.back.store(0, Ordering::SeqCst);
    standing.round.fetch_add(1, Ordering::SeqCst);
    let (address, token) = (server.address.clone(), server.token.clone());
    server.kill()?;
    let began = Instant::now();
    let server = Server::start_at(&address, &data, &["--no-agent"], &[], token.clone()).await?;
    let ready = began.elapsed();
    let asking = tokio::spawn(ask(address, token, stopped.clone()));
    online(&server).await?;
    let agents_back = began.elapsed();
    heard(&standing).await?;
    let all_back = began.elapsed();
    stop.send(true)?;
    let answers = asking.await??;
    for viewer in viewers {
        viewer.await?;
    }
    server
        .http()
        .await?
        .post(&format!("/api/v1/tasks/{task}/abort"), &json!({}))
        .await?;
    server.ended(task).await?;
    let seconds = all_back.as_secs_f64();
    report.row(
        format!("W8 {AGENTS} agents and {VIEWERS} viewers back after the server's death"),
        format!("{seconds:.1} s"),
        "",
        "≤ 60 s",
        seconds <= 60.0,
    );
    report.note("W8 the server ready again", format!("{:.2} s", ready.as_secs_f64()));
    report.note("W8 all agents", format!("{:.1} s", agents_back.as_secs_f64()));
    let p99 = answers.at(99.0);
    report.row(
        "W8 an answer meanwhile, p99",
        format!("{p99:.0} ms"),
        "",
        "≤ 2,000 ms",
        p99 <= 2_000.0,
    );
    report.note("W8 the same, p50", format!("{:.1} ms", answers.at(50.0)));
    report.note("W8 server's memory then", format!("{:.0} MB", server.memory()?.0));
    drop(agents);
    server.stop()
}

/// Waits until all agents are connected.
async fn online(server: &Server) -> Result<()> {
    let mut http = server.http().await?;
    let end = Instant::now() + PATIENCE;
    loop {
        let (mut online, mut cursor) = (0, String::new());
        loop {
            let page = http.get(&format!("/api/v1/agents?limit=200{cursor}")).await?.json()?;
            let agents = page["items"].as_array().context("no items")?;
            online += agents.iter().filter(|a| a["status"] == "online").count();
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if online == AGENTS {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("{online} of {AGENTS} agents are connected");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until every viewer has heard of the console.
async fn heard(standing: &Standing) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let back = standing.back.load(Ordering::SeqCst);
        if back >= VIEWERS {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("{back} of {VIEWERS} viewers are back");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A task that goes on saying something; its number and its attempt's.
async fn running(server: &Server) -> Result<(i64, AttemptId)> {
    let step = "{ name: tick, run: 'while true; do date; sleep 1; done' }";
    let plan = server.plan("ticking", "", &[step]).await?;
    let mut http = server.http().await?;
    let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
    let id = task["id"].as_i64().context("the new task has no id")?;
    loop {
        let task: Value = http.get(&format!("/api/v1/tasks/{id}")).await?.json()?;
        if task["jobs"][0]["steps"][0]["bytes"].as_u64().is_some_and(|n| n > 0) {
            let attempt = task["jobs"][0]["attempt_id"].as_i64().context("no attempt")?;
            return Ok((id, AttemptId(attempt)));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A tab: it views one console, and comes again when the connection breaks.
async fn view(
    number: usize,
    address: String,
    token: String,
    attempt: AttemptId,
    standing: Arc<Standing>,
    mut stopped: watch::Receiver<bool>,
) {
    let (mut tries, mut counted) = (0, usize::MAX);
    while !*stopped.borrow() {
        tokio::select! {
            _ = stopped.changed() => return,
            told = one(&address, &token, attempt, &standing, &mut counted) => if told.is_ok() { tries = 0 },
        }
        let wait = WAITS[tries.min(WAITS.len() - 1)];
        // A spread of a quarter, as in the browser.
        let spread = wait / 4 * (number as u64 % 100) / 100;
        tokio::time::sleep(Duration::from_millis(wait + spread)).await;
        tries += 1;
    }
}

/// One connection, to its end; an error when it never opened.
async fn one(address: &str, token: &str, attempt: AttemptId, standing: &Standing, counted: &mut usize) -> Result<()> {
    let mut request = format!("ws://{address}/live").into_client_request()?;
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {token}").parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let say = |message: &FromBrowser| serde_json::to_string(message).map(Message::text);
    let topic = FromBrowser::Sub {
        id: 1,
        topic: "queue".into(),
        since: 0,
    };
    let view = FromBrowser::View {
        id: 2,
        attempt,
        from: 0,
        follow: true,
    };
    socket.send(say(&topic)?).await?;
    socket.send(say(&view)?).await?;
    while let Some(Ok(message)) = socket.next().await {
        let about_the_console = match &message {
            Message::Binary(_) => true,
            Message::Text(text) => text.contains("\"mark\""),
            _ => false,
        };
        let round = standing.round.load(Ordering::SeqCst);
        if about_the_console && *counted != round {
            *counted = round;
            standing.back.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}

/// Asks for the list of tasks again and again; how long each answer took.
async fn ask(address: String, token: String, stopped: watch::Receiver<bool>) -> Result<Series> {
    let mut times = Vec::new();
    while !*stopped.borrow() {
        // On a new connection, as someone who just came would.
        let began = Instant::now();
        let mut http = Http::tcp(&address, Some(&token)).await?;
        let answer = http.get("/api/v1/tasks?limit=50").await?;
        if answer.status != 200 {
            bail!("the server answered {} while all came back", answer.status);
        }
        times.push(ms(began.elapsed()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(Series::new(times))
}
