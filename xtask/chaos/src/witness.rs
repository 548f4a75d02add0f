//! Who saw the steps: each step calls it over TCP when it starts and when it is about to end, and waits for the answer. A
//! step in a container tells in between how many lines it has written for good.
//!
//! **Invariant:** what a step did is known from the step itself, never from the system under test; the witness outlives all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// What a step told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Its first instructions run.
    Start,
    /// It wrote all and ends next.
    End,
}

/// How often a step told what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Starts.
    pub starts: u32,
    /// Ends.
    pub ends: u32,
    /// Lines it had written [`BEFORE`] the first fault that came after its start.
    pub lines: u64,
}

/// How long before a fault a line must have been written to be safe for sure: its way is a pipe and one process.
const BEFORE: Duration = Duration::from_secs(1);

/// What was heard of one step.
#[derive(Default)]
struct Heard {
    seen: Seen,
    /// When it first told, and when it told how many lines.
    began: Option<Instant>,
    told: Vec<(Instant, u64)>,
}

/// The witness.
#[derive(Clone)]
pub struct Witness {
    /// Where it listens on loopback.
    pub port: u16,
    seen: Arc<Mutex<BTreeMap<String, Heard>>>,
    faults: Arc<Mutex<Vec<Instant>>>,
    words: broadcast::Sender<Word>,
}

impl Witness {
    /// One that listens from now on.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let witness = Self {
            port: listener.local_addr()?.port(),
            seen: Arc::default(),
            faults: Arc::default(),
            words: broadcast::channel(1024).0,
        };
        witness.attend(listener);
        Ok(witness)
    }

    /// Listens there too.
    pub fn attend(&self, listener: TcpListener) {
        let hearing = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let one = hearing.clone();
                tokio::spawn(async move { one.hear(stream).await });
            }
        });
    }

    /// A fault comes now, one that steps may not outlive.
    pub fn note_fault(&self) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(Instant::now());
    }

    /// What steps tell from now on.
    pub fn words(&self) -> broadcast::Receiver<Word> {
        self.words.subscribe()
    }

    /// What a step told so far.
    pub fn seen(&self, step: &str) -> Seen {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.lock();
        let Some(heard) = all.get(step) else {
            return Seen::default();
        };
        let fault = faults.iter().find(|at| heard.began.is_some_and(|began| began < **at));
        let safe = |at: &Instant| fault.is_some_and(|fault| *at + BEFORE < *fault);
        let lines = heard.told.iter().rev().find(|(at, _)| safe(at)).map_or(0, |(_, n)| *n);
        Seen { lines, ..heard.seen }
    }

    /// How many steps with this beginning have started and not ended.
    pub fn running(&self, prefix: &str) -> usize {
        let all = self.lock();
        let ours = all.iter().filter(|(step, _)| step.starts_with(prefix));
        ours.filter(|(_, h)| h.seen.starts > h.seen.ends).count()
    }

    async fn hear(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let (word, step) = line.trim().split_once(' ')?;
        let (word, step) = match word {
            "start" => (Some(Word::Start), step),
            "end" => (Some(Word::End), step),
            "at" => (None, step),
            _ => return None,
        };
        {
            let mut all = self.lock();
            let now = Instant::now();
            match (word, step.split_once(' ')) {
                (None, Some((lines, step))) => {
                    let lines = lines.parse().ok()?;
                    all.entry(step.to_owned()).or_default().told.push((now, lines));
                }
                (None, None) => return None,
                (Some(word), _) => {
                    let heard = all.entry(step.to_owned()).or_default();
                    heard.began.get_or_insert(now);
                    match word {
                        Word::Start => heard.seen.starts += 1,
                        Word::End => heard.seen.ends += 1,
                    }
                }
            }
        }
        let _ = stream.write_all(b"seen\n").await; // a step killed meanwhile needs no answer
        if let Some(word) = word {
            let _ = self.words.send(word); // nobody may be listening
        }
        Some(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Heard>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
