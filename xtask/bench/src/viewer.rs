//! A viewer of a running console as a browser is one: bytes over `/live`, and the end by one read when it falls behind.
//!
//! **Invariant:** it shows bytes in order, acknowledges what it took in, and tells how often it had to leave some out.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::AttemptId;
use domain::live::{FromBrowser, FromServer, decode_bytes};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::http::Http;
use crate::server::Server;

/// Bytes behind which a browser reads the end instead; the server sends none meanwhile.
const BEHIND: u64 = 256 * 1024;
/// What it reads then.
const END: u64 = 64 * 1024;
/// Silence after which a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of a view.
pub struct Seen {
    /// The ended task.
    pub task: Value,
    /// How often the viewer was too far behind and went on from the end.
    pub jumps: usize,
}

/// Runs the plan and hands every byte that the viewer gets of its console to `take`.
pub async fn follow(server: &Server, plan: i64, mut take: impl FnMut(&[u8])) -> Result<Seen> {
    let mut request = format!("ws://{}/live", server.address).into_client_request()?;
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {}", server.token).parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .context("opening /live")?;

    let mut http = server.http().await?;
    let task = http.post(&format!("/api/v1/plans/{plan}/tasks"), &json!({})).await?;
    let id = task["id"].as_i64().context("the new task has no id")?;
    let task = http.get(&format!("/api/v1/tasks/{id}")).await?.json()?;
    let job = &task["jobs"][0];
    let attempt = AttemptId(job["attempt_id"].as_i64().context("the job has no attempt")?);
    let step = job["steps"][0]["id"].as_i64().context("the job has no step")?;
    let view = |from| FromBrowser::View {
        id: 1,
        attempt,
        from,
        follow: true,
    };
    socket.send(text(&view(0))?).await?;
    let (mut at, mut jumps) = (0, 0);
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await;
        let message = message
            .with_context(|| format!("nothing came for {} s behind byte {at}", PATIENCE.as_secs()))?
            .context("the socket was closed")??;
        match message {
            Message::Binary(frame) => {
                let (_, offset, bytes) = decode_bytes(&frame).context("a frame of another kind")?;
                // Frames of before a jump may still be under way.
                if offset == at {
                    take(bytes);
                    at += bytes.len() as u64;
                    socket.send(text(&FromBrowser::Ack { id: 1, offset: at })?).await?;
                }
            }
            Message::Text(words) => match serde_json::from_str(&words) {
                Ok(FromServer::Mark { bytes, ended: true, .. }) if bytes <= at => break,
                Ok(FromServer::Mark { bytes, .. }) if bytes > at + BEHIND => {
                    take(&end(&mut http, step, bytes).await?);
                    (at, jumps) = (bytes, jumps + 1);
                    socket.send(text(&view(at))?).await?;
                }
                Ok(FromServer::Refused { detail, .. }) => bail!("the view was refused: {detail}"),
                _ => {}
            },
            Message::Close(frame) => bail!("the server closed the socket: {frame:?}"),
            _ => {}
        }
    }
    let task = server.ended(id).await?;
    Ok(Seen { task, jumps })
}

/// The last bytes before `upto`, by range. The plan has one step, so its bytes begin where the attempt's do.
async fn end(http: &mut Http<TcpStream>, step: i64, upto: u64) -> Result<Vec<u8>> {
    let range = format!("Range: bytes={}-{}\r\n", upto.saturating_sub(END), upto - 1);
    let path = format!("/api/v1/steps/{step}/console");
    let answer = http.call("GET", &path, &range, "").await?;
    if answer.status != 206 {
        bail!("{path} answered {} to a range", answer.status);
    }
    Ok(answer.body)
}

fn text(message: &FromBrowser) -> Result<Message> {
    Ok(Message::text(serde_json::to_string(message)?))
}
