//! One session: what there is to say goes out, what is heard goes to where it belongs.
//!
//! **Invariant:** hearing never waits for sending; a server not heard for three heartbeats is gone; every attempt has its
//! turn to send, however much another has.

use super::socket::{Reader, Socket, Writer};
use super::{Connection, Missed};
use crate::clock;
use crate::outbox::Next;
use anyhow::anyhow;
use domain::agent::Load;
use domain::label::Labels;
use protocol::{FromAgent, ToAgent, encode};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Most turns between two looks at the clock.
const TURNS: usize = 64;

/// A session in progress.
pub(super) struct Session<'a> {
    pub connection: &'a mut Connection,
    pub heartbeat: Duration,
    pub lease_ms: u64,
}

/// When the heartbeats left that are not answered yet; the answer to the first is that of all before it.
type Unanswered = Mutex<Vec<Instant>>;

impl Session<'_> {
    /// Serves it to its end.
    ///
    /// # Errors
    /// When the connection breaks, the server falls silent, or it sends this agent away.
    pub async fn serve(
        self,
        socket: Socket,
        draining: &CancellationToken,
        done: &CancellationToken,
    ) -> Result<(), Missed> {
        let (mut write, mut read) = socket.split();
        let unanswered = Unanswered::default();
        let drained = AtomicBool::new(false);
        let mut facts = self.connection.facts.clone();
        let connection = &*self.connection;
        let end = tokio::select! {
            end = hear(connection, &mut read, self.heartbeat, self.lease_ms, &unanswered) => end,
            end = say(connection, &mut write, self.heartbeat, &unanswered, &mut facts, (draining, &drained)) => end.map_err(Missed::Broken),
            () = done.cancelled() => Ok(()),
        };
        let parting = async {
            // Who goes says so, even with nothing left to do: else it would be missed.
            if end.is_ok() && draining.is_cancelled() && !drained.load(Ordering::Relaxed) {
                let _ = write.text(encode(&FromAgent::Draining)).await;
            }
            write.close().await;
        };
        let _ = timeout(Duration::from_secs(1), parting).await;
        end
    }
}

async fn hear(
    connection: &Connection,
    read: &mut Reader,
    heartbeat: Duration,
    lease_ms: u64,
    unanswered: &Unanswered,
) -> Result<(), Missed> {
    loop {
        let Ok(message) = timeout(heartbeat * 3, read.hear()).await else {
            return Err(anyhow!("the server was silent for {} ms", (heartbeat * 3).as_millis()).into());
        };
        match message? {
            None => return Ok(()),
            Some(ToAgent::Refused { reason, code }) => return Err(Missed::Refused(code, reason)),
            Some(ToAgent::Extend) => {
                let mut unanswered = unanswered.lock().unwrap_or_else(PoisonError::into_inner);
                if !unanswered.is_empty() {
                    connection.lease.heard(unanswered.remove(0), lease_ms);
                }
            }
            Some(message) => connection.take(message),
        }
    }
}

async fn say(
    connection: &Connection,
    write: &mut Writer,
    heartbeat: Duration,
    unanswered: &Unanswered,
    facts: &mut tokio::sync::watch::Receiver<crate::facts::Reported>,
    (draining, drained): (&CancellationToken, &AtomicBool),
) -> anyhow::Result<()> {
    let mut beat_at = Instant::now() + heartbeat;
    let mut labels = labels_of(connection, facts);
    // At once: its time tells how far this machine's clock is off.
    write.text(load_of(connection)).await?;
    write.flush().await?;
    loop {
        let (more, wake) = turns(connection, write).await?;
        if Instant::now() >= beat_at {
            beat_at = Instant::now() + heartbeat;
            unanswered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Instant::now());
            write.text(load_of(connection)).await?;
            write
                .text(encode(&FromAgent::Heartbeat {
                    running: connection.outbox.running(),
                }))
                .await?;
            write.flush().await?;
        }
        if facts.has_changed().unwrap_or(false) {
            let now = facts.borrow_and_update().facts.clone();
            write.text(encode(&FromAgent::Facts(now))).await?;
            let now = labels_of(connection, facts);
            if now != labels {
                write.text(encode(&FromAgent::Labels(now.clone()))).await?;
                labels = now;
            }
            write.flush().await?;
        }
        if draining.is_cancelled() && !drained.swap(true, Ordering::Relaxed) {
            write.text(encode(&FromAgent::Draining)).await?;
            write.flush().await?;
        }
        if more {
            continue;
        }
        tokio::select! {
            () = connection.outbox.changed() => {}
            () = sleep_until(wake.map_or(beat_at, |w| w.min(beat_at))) => {}
            Ok(()) = facts.changed() => facts.mark_changed(),
            () = draining.cancelled(), if !drained.load(Ordering::Relaxed) => {}
        }
    }
}

/// How busy the machine is, by the last look; the time is that of sending.
fn load_of(connection: &Connection) -> String {
    let load = Load {
        at: clock::now(),
        ..*connection.load.borrow()
    };
    encode(&FromAgent::Load(load))
}

/// All labels: those of the machine, and over them those it was started with.
fn labels_of(connection: &Connection, facts: &tokio::sync::watch::Receiver<crate::facts::Reported>) -> Labels {
    let mut labels = facts.borrow().labels.clone();
    labels.extend(connection.endpoint.labels.clone());
    labels
}

/// Gives every attempt its turn, again and again, as long as one has something; whether there may be more, else when.
async fn turns(connection: &Connection, write: &mut Writer) -> anyhow::Result<(bool, Option<Instant>)> {
    let mut wrote = false;
    let mut wake = None;
    let mut more = true;
    for _ in 0..TURNS {
        (more, wake) = (false, None);
        let now = Instant::now();
        for held in connection.outbox.all() {
            match held.next(now) {
                Next::Text(text) => write.text(text).await?,
                Next::Frame(bytes) => write.frame(bytes).await?,
                Next::Later(then) => {
                    wake = Some(wake.map_or(then, |w: Instant| w.min(then)));
                    continue;
                }
                Next::Nothing => continue,
            }
            more = true;
        }
        wrote |= more;
        if !more {
            break;
        }
    }
    if wrote {
        write.flush().await?;
        failpoint::reached("agent.sent");
    }
    Ok((more, wake))
}
