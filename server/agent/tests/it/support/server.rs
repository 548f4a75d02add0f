//! The tests' server: a real websocket on a port of its own that speaks the protocol and remembers what it was told.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use protocol::{AttemptEvent, Exit, Fence, FromAgent, OutputFrame, StepEnd, ToAgent, decode, encode};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// No message a test waits for takes this long; it only ends a test that would hang.
const STUCK: Duration = Duration::from_secs(20);

/// Heartbeats after which what a test waits for does not come any more.
const BEATS: usize = 8;

/// What the server knows of one attempt, over all connections.
#[derive(Default, Debug)]
pub struct Told {
    /// Events in order, each number once.
    pub events: Vec<AttemptEvent>,
    /// Output, each offset once.
    pub output: Vec<u8>,
    /// Frames that held nothing new.
    pub repeated: usize,
    /// Frames that began beyond what was there.
    pub gaps: usize,
    /// The end, as long as output before it is missing: it is acknowledged once that is there.
    open_end: Option<u64>,
}

impl Told {
    /// Names of the events and steps, with exits, for reading.
    pub fn story(&self) -> Vec<String> {
        self.events
            .iter()
            .map(|e| match e {
                AttemptEvent::Preparing { .. } => "preparing".into(),
                AttemptEvent::CheckedOut { .. } => "checked out".into(),
                AttemptEvent::Gap(gap) => format!("gap {:?} at {}", gap.size, gap.at),
                AttemptEvent::StepStarted { step, .. } => format!("started {step}"),
                AttemptEvent::StepEnded(StepEnd { step, exit, .. }) => match exit {
                    Exit::Exited(code) => format!("exited {step} {code}"),
                    Exit::Signalled(n) => format!("signalled {step} {n}"),
                    Exit::TimedOut(ms) => format!("timed out {step} {ms}"),
                    Exit::Aborted => format!("aborted {step}"),
                    Exit::Failed(why) => format!("failed {step}: {why}"),
                    Exit::Lost(why) => format!("lost {step}: {why}"),
                    Exit::Skipped(why) => format!("skipped {step}: {why}"),
                },
                AttemptEvent::Ended { aborted, error, .. } => {
                    format!(
                        "ended{}{}",
                        if *aborted { " aborted" } else { "" },
                        error.as_ref().map_or(String::new(), |e| format!(": {e}"))
                    )
                }
            })
            .collect()
    }

    /// Whether all is over.
    pub fn ended(&self) -> bool {
        matches!(self.events.last(), Some(AttemptEvent::Ended { .. }))
    }

    /// Checks length and checksum of the output against the end.
    pub fn whole(&self) {
        let Some(AttemptEvent::Ended { length, digest, .. }) = self.events.last() else {
            panic!("not ended")
        };
        assert_eq!(*length, self.output.len() as u64);
        assert_eq!(*digest, format!("{:016x}", protocol::digest(&self.output)));
    }

    /// The output of a step, by its events.
    pub fn of(&self, id: i64) -> String {
        let mut range = (0, 0);
        for e in &self.events {
            match e {
                AttemptEvent::StepStarted { step, from, .. } if step.0 == id => range.0 = *from as usize,
                AttemptEvent::StepEnded(end) if end.step.0 == id => range.1 = end.until as usize,
                _ => {}
            }
        }
        String::from_utf8_lossy(&self.output[range.0..range.1]).into_owned()
    }
}

/// The server.
pub struct Server {
    listener: TcpListener,
    /// What it answers to `Hello`, milliseconds.
    pub heartbeat: u64,
    /// Likewise.
    pub lease: u64,
    /// All it was told.
    pub told: BTreeMap<Fence, Told>,
    sessions: i64,
}

/// One connection of an agent.
pub struct Peer {
    ws: WebSocketStream<TcpStream>,
    /// Its first message.
    pub hello: FromAgent,
    /// Whether events and output are acknowledged as they come.
    pub answering: bool,
    /// Output frames to lose, from the next one on: they are asked for again.
    pub lose: usize,
    /// Frames that were lost so far.
    pub lost: usize,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            listener,
            heartbeat: 5_000,
            lease: 600_000,
            told: BTreeMap::new(),
            sessions: 0,
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/agent", self.listener.local_addr().unwrap())
    }

    /// Takes the next connection up to its `Hello`.
    pub async fn greet(&mut self) -> Peer {
        let (tcp, _) = timeout(STUCK, self.listener.accept())
            .await
            .expect("no agent connects")
            .unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut ws = tokio_tungstenite::accept_async(tcp).await.unwrap();
        let Some(Ok(Message::Text(text))) = ws.next().await else {
            panic!("no hello")
        };
        let hello = decode(&text).unwrap();
        Peer {
            ws,
            hello,
            answering: true,
            lose: 0,
            lost: 0,
        }
    }

    /// Takes the next connection and welcomes it.
    pub async fn accept(&mut self) -> Peer {
        let mut peer = self.greet().await;
        self.sessions += 1;
        peer.send(&ToAgent::Welcome {
            version: 1,
            session: self.sessions,
            server: "test".into(),
            heartbeat_ms: self.heartbeat,
            lease_ms: self.lease,
        })
        .await;
        peer
    }

    /// What was told about an attempt.
    pub fn of(&self, fence: Fence) -> &Told {
        &self.told[&fence]
    }

    /// Serves the peer until the attempt has ended and all of it was acknowledged.
    pub async fn finish(&mut self, peer: &mut Peer, fence: Fence) {
        self.until(peer, |told| told.get(&fence).is_some_and(Told::ended)).await;
        self.of(fence).whole();
    }

    /// As `finish`, where frames were lost: the end may be told before the output is whole again.
    pub async fn finish_with_loss(&mut self, peer: &mut Peer, fence: Fence) {
        self.until(peer, |told| told.get(&fence).is_some_and(|t| t.ended() && complete(t)))
            .await;
    }

    /// Serves the peer until what was told makes `done` true.
    pub async fn until(&mut self, peer: &mut Peer, done: impl Fn(&BTreeMap<Fence, Told>) -> bool) {
        let mut beats = 0;
        while !done(&self.told) {
            match self.step(peer).await {
                Some(FromAgent::Heartbeat { .. }) => beats += 1,
                Some(_) => {}
                None => panic!("the agent closed: {:?}", self.told),
            }
            assert!(beats < BEATS, "the agent only lives: {:?}", self.told);
        }
    }

    /// Serves one message; what it was, `None` when the agent closed.
    pub async fn step(&mut self, peer: &mut Peer) -> Option<FromAgent> {
        let message = timeout(STUCK, peer.ws.next());
        let message = message
            .await
            .unwrap_or_else(|_| panic!("the agent says nothing more: {:?}", self.told));
        match message?.ok()? {
            Message::Text(text) => {
                let message: FromAgent = decode(&text).unwrap();
                if let FromAgent::Attempt { fence, n, event } = &message {
                    let told = self.told.entry(*fence).or_default();
                    if *n == told.events.len() as u64 + 1 {
                        let refers = match event {
                            AttemptEvent::StepEnded(end) => end.until,
                            AttemptEvent::Ended { length, .. } => *length,
                            _ => 0,
                        };
                        assert!(
                            refers <= told.output.len() as u64 || peer.lost > 0,
                            "{event:?} overtook its output"
                        );
                        told.events.push(event.clone());
                    }
                    assert!(
                        *n <= told.events.len() as u64,
                        "event {n} came before {}",
                        told.events.len()
                    );
                    if told.ended() && !complete(told) {
                        told.open_end = Some(*n);
                        let offset = told.output.len() as u64;
                        peer.send(&ToAgent::Rewind { fence: *fence, offset }).await;
                    } else if peer.answering {
                        peer.send(&ToAgent::Ack { fence: *fence, n: *n }).await;
                    }
                }
                if matches!(message, FromAgent::Heartbeat { .. }) && peer.answering {
                    peer.send(&ToAgent::Extend).await;
                }
                Some(message)
            }
            Message::Binary(bytes) => {
                self.output(peer, bytes).await;
                Some(FromAgent::Unknown)
            }
            Message::Close(_) => None,
            _ => Some(FromAgent::Unknown),
        }
    }

    async fn output(&mut self, peer: &mut Peer, bytes: Bytes) {
        let frame = OutputFrame::decode(bytes).expect("a well-formed frame");
        let fence = frame.fence;
        let told = self.told.entry(fence).or_default();
        let have = told.output.len() as u64;
        if peer.lose > 0 {
            peer.lose -= 1;
            peer.lost += 1;
            return;
        }
        if frame.offset > have {
            told.gaps += 1;
            peer.send(&ToAgent::Rewind { fence, offset: have }).await;
            return;
        }
        let known = (have - frame.offset) as usize;
        if known >= frame.bytes.len() {
            told.repeated += 1;
        } else {
            told.output.extend_from_slice(&frame.bytes[known..]);
        }
        let offset = told.output.len() as u64;
        if peer.answering {
            peer.send(&ToAgent::Durable { fence, offset }).await;
            if complete(told)
                && let Some(n) = told.open_end.take()
            {
                peer.send(&ToAgent::Ack { fence, n }).await;
            }
        }
    }
}

fn complete(told: &Told) -> bool {
    matches!(told.events.last(), Some(AttemptEvent::Ended { length, .. }) if *length == told.output.len() as u64)
}

impl Peer {
    pub async fn send(&mut self, message: &ToAgent) {
        // An agent that has gone is noticed by the next read.
        let _ = self.ws.send(Message::text(encode(message))).await;
    }

    /// Sends any text, also what is no message.
    pub async fn say(&mut self, text: &str) {
        let _ = self.ws.send(Message::text(text.to_owned())).await;
    }

    /// Cuts the connection with no good-bye.
    pub fn cut(self) {
        drop(self.ws);
    }
}
