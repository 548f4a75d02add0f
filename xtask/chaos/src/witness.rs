//! Who saw the steps: each step calls it over TCP when it starts and when it is about to end, and waits for the answer.
//!
//! **Invariant:** what a step did is known from the step itself, never from the system under test; the witness outlives all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
}

/// The witness.
#[derive(Clone)]
pub struct Witness {
    /// Where it listens on loopback.
    pub port: u16,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    words: broadcast::Sender<Word>,
}

impl Witness {
    /// One that listens from now on.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let witness = Self {
            port: listener.local_addr()?.port(),
            seen: Arc::default(),
            words: broadcast::channel(1024).0,
        };
        let hearing = witness.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let one = hearing.clone();
                tokio::spawn(async move { one.hear(stream).await });
            }
        });
        Ok(witness)
    }

    /// What steps tell from now on.
    pub fn words(&self) -> broadcast::Receiver<Word> {
        self.words.subscribe()
    }

    /// What a step told so far.
    pub fn seen(&self, step: &str) -> Seen {
        self.lock().get(step).copied().unwrap_or_default()
    }

    /// How many steps with this beginning have started and not ended.
    pub fn running(&self, prefix: &str) -> usize {
        let seen = self.lock();
        let ours = seen.iter().filter(|(step, _)| step.starts_with(prefix));
        ours.filter(|(_, s)| s.starts > s.ends).count()
    }

    async fn hear(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let (word, step) = line.trim().split_once(' ')?;
        let word = match word {
            "start" => Word::Start,
            "end" => Word::End,
            _ => return None,
        };
        {
            let mut seen = self.lock();
            let seen = seen.entry(step.to_owned()).or_default();
            match word {
                Word::Start => seen.starts += 1,
                Word::End => seen.ends += 1,
            }
        }
        let _ = stream.write_all(b"seen\n").await; // a step killed meanwhile needs no answer
        let _ = self.words.send(word); // nobody may be listening
        Some(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
