//! A fake agent: a real session with dispatch over channels, which says only what a test tells it to say.

use bytes::Bytes;
use domain::agent::Facts;
use domain::console::view::Stream;
use domain::status::ExecutorKind;
use domain::{AgentId, Timestamp};
use engine::assembly::Engine;
use engine::dispatch::Frame;
use futures::StreamExt;
use futures::channel::mpsc;
use protocol::{
    Assignment, AttemptEvent, Exit, Fence, FromAgent, Have, Mark, OutputFrame, StepEnd, ToAgent, VERSIONS, decode,
    encode,
};
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use xxhash_rust::xxh3::xxh3_64;

/// A connected fake agent.
pub struct FakeAgent {
    /// Its id.
    pub id: AgentId,
    to: Option<mpsc::UnboundedSender<Frame>>,
    from: mpsc::UnboundedReceiver<Frame>,
    serving: JoinHandle<()>,
    said: HashMap<Fence, u64>,
    output: HashMap<Fence, Vec<u8>>,
    /// Messages read while another one was awaited.
    passed_over: Vec<ToAgent>,
}

/// Facts of a Linux machine that runs processes.
pub fn facts() -> Facts {
    Facts {
        hostname: "kiln".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        cpus: 2,
        executors: vec![ExecutorKind::Docker, ExecutorKind::Process],
        engine: Some("Docker 20.10.24".into()),
        version: "0.1.0".into(),
        ..Facts::default()
    }
}

impl FakeAgent {
    /// Connects and reads the welcome.
    pub async fn connect(
        engine: &Engine,
        id: AgentId,
        credential: &str,
        slots: u32,
        labels: &[(&str, &str)],
        have: Vec<Have>,
    ) -> Self {
        let me = Self::silent(engine, id, "192.0.2.9");
        me.hello(VERSIONS, credential, slots, labels, have);
        me
    }

    /// Connects from an address and says nothing yet.
    pub fn silent(engine: &Engine, id: AgentId, from: &'static str) -> Self {
        let (to, incoming) = mpsc::unbounded();
        let (outgoing, from_server) = mpsc::unbounded();
        let dispatch = engine.dispatch.clone();
        let serving = tokio::spawn(async move { dispatch.serve_from(from, incoming, outgoing).await });
        Self {
            id,
            to: Some(to),
            from: from_server,
            serving,
            said: HashMap::new(),
            output: HashMap::new(),
            passed_over: Vec::new(),
        }
    }

    /// Says hello.
    pub fn hello(&self, versions: &[u32], credential: &str, slots: u32, labels: &[(&str, &str)], have: Vec<Have>) {
        let labels = [("os", "linux"), ("arch", "amd64")].iter().chain(labels);
        self.say(&FromAgent::Hello {
            versions: versions.to_vec(),
            agent: self.id,
            credential: credential.to_owned(),
            session: 0,
            have,
            facts: facts(),
            labels: labels.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            slots,
        });
    }

    /// Sends a message.
    pub fn say(&self, message: &FromAgent) {
        let to = self.to.as_ref().unwrap();
        to.unbounded_send(Frame::Text(encode(message))).unwrap();
    }

    /// Sends raw frames.
    pub fn send(&self, frame: Frame) {
        self.to.as_ref().unwrap().unbounded_send(frame).unwrap();
    }

    /// The next message, in order; fails the test when none comes for 10 s.
    pub async fn hear(&mut self) -> ToAgent {
        self.try_hear().await.expect("the server closed the connection")
    }

    /// The next message, or `None` when the connection is over.
    pub async fn try_hear(&mut self) -> Option<ToAgent> {
        let next = tokio::time::timeout(Duration::from_secs(10), self.from.next()).await;
        match next.expect("the server says nothing for 10 s")? {
            Frame::Text(t) => Some(decode(&t).unwrap()),
            Frame::Binary(_) => panic!("the server sends no binary frames"),
        }
    }

    /// The first message that `pick` takes; others are kept for later calls.
    pub async fn hear_that<T>(&mut self, mut pick: impl FnMut(&ToAgent) -> Option<T>) -> T {
        if let Some(i) = self.passed_over.iter().position(|m| pick(m).is_some()) {
            let m = self.passed_over.remove(i);
            return pick(&m).unwrap();
        }
        loop {
            let m = self.hear().await;
            if let Some(t) = pick(&m) {
                return t;
            }
            self.passed_over.push(m);
        }
    }

    /// The next assignment.
    pub async fn assignment(&mut self) -> Assignment {
        self.hear_that(|m| match m {
            ToAgent::Assign(a) => Some((**a).clone()),
            _ => None,
        })
        .await
    }

    /// Says what happened to an attempt, and waits for the acknowledgement.
    pub async fn report(&mut self, fence: Fence, event: AttemptEvent) {
        let n = self.tell(fence, event);
        self.hear_that(|m| match m {
            ToAgent::Ack { fence: f, n: acked } if *f == fence && *acked >= n => Some(()),
            _ => None,
        })
        .await;
    }

    /// Says what happened to an attempt; answers its number.
    pub fn tell(&mut self, fence: Fence, event: AttemptEvent) -> u64 {
        let n = self.said.entry(fence).or_default();
        *n += 1;
        let n = *n;
        self.say(&FromAgent::Attempt { fence, n, event });
        n
    }

    /// Sends output at the end of what was sent of this attempt.
    pub fn write(&mut self, fence: Fence, bytes: &[u8]) {
        let all = self.output.entry(fence).or_default();
        let offset = all.len() as u64;
        all.extend_from_slice(bytes);
        self.write_at(fence, offset, bytes);
    }

    /// Sends output at an offset of its own.
    pub fn write_at(&self, fence: Fence, offset: u64, bytes: &[u8]) {
        let mark = Mark {
            at: 0,
            time: Timestamp(1),
            stream: Stream::Stdout,
        };
        let frame = OutputFrame {
            fence,
            offset,
            marks: vec![mark],
            bytes: Bytes::copy_from_slice(bytes),
        };
        self.send(Frame::Binary(frame.encode()));
    }

    /// Takes an assignment up.
    pub async fn prepare(&mut self, a: &Assignment) {
        self.report(
            a.fence,
            AttemptEvent::Preparing {
                executor: ExecutorKind::Process,
            },
        )
        .await;
    }

    /// Runs the step at `index` of the assignment to this end.
    pub async fn step(&mut self, a: &Assignment, index: usize, exit: Exit) {
        let from = self.output.get(&a.fence).map_or(0, Vec::len) as u64;
        let step = a.steps[index].id;
        self.report(
            a.fence,
            AttemptEvent::StepStarted {
                step,
                from,
                at: Timestamp(1),
            },
        )
        .await;
        let end = StepEnd {
            step,
            exit,
            until: from,
            at: Timestamp(2),
        };
        self.report(a.fence, AttemptEvent::StepEnded(end)).await;
    }

    /// The end of an attempt, as its output is.
    pub fn ending(&self, fence: Fence, aborted: bool) -> AttemptEvent {
        let output = self.output.get(&fence).cloned().unwrap_or_default();
        AttemptEvent::Ended {
            aborted,
            error: None,
            length: output.len() as u64,
            digest: format!("{:016x}", xxh3_64(&output)),
            at: Timestamp(3),
        }
    }

    /// Ends an attempt.
    pub async fn end(&mut self, fence: Fence, aborted: bool) {
        let event = self.ending(fence, aborted);
        self.report(fence, event).await;
    }

    /// Runs a whole assignment; every step ends with this code.
    pub async fn run(&mut self, a: &Assignment, code: i64) {
        self.prepare(a).await;
        for i in 0..a.steps.len() {
            let failed = code != 0 && a.steps[i].kind == domain::status::StepKind::Step;
            self.step(a, i, Exit::Exited(if failed { code } else { 0 })).await;
            if failed {
                break;
            }
        }
        self.end(a.fence, false).await;
    }

    /// Cuts the connection and waits until the server has seen it.
    pub async fn cut(mut self) {
        self.to = None;
        self.serving.await.unwrap();
    }
}
