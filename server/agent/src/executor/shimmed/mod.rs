//! Steps below a shim (DESIGN §6), the same in a container and among this machine's processes.
//!
//! **Invariant:** whoever holds a [`Shim`] is the only one that speaks to it; what a shim ran is found again after this
//! agent was killed, by its home's name and its token.

mod ending;
mod home;
mod line;
mod program;
mod steps;
mod tail;

pub(super) use ending::{exit, nanos};
pub(super) use steps::{Gone, Steps};

use super::output::Sink;
use home::Home;
use line::Line;
use serde::{Deserialize, Serialize};
use shim::record;
use shim::wire::ToShim;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tail::Tail;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a shim of an earlier agent may take to call; it tries every tenth of a second.
const CALL: Duration = Duration::from_secs(3);

/// Where shims live.
#[derive(Debug, Clone)]
pub(super) struct Shims {
    folder: PathBuf,
    program: PathBuf,
    /// Homes that were there before any of ours: while these are swept, attempts that are taken up make new ones.
    old: Arc<Mutex<Vec<Home>>>,
}

/// One shim's home and line, and up to where its spool is read.
pub(super) struct Shim {
    home: Home,
    line: Arc<Line>,
    at: u64,
}

/// Enough to find a shim again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Its home's name.
    home: String,
    token: String,
    /// Where in its spool the attempt begins.
    at: u64,
}

impl Shims {
    /// Shims below `folder`. Blocking.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        let program = program::lay_out(&folder)?;
        let old = Arc::new(Mutex::new(Home::all(&folder)));
        Ok(Self { folder, program, old })
    }

    /// The program, for processes.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A new home with its line; nobody calls yet. With `equipped`, its door holds the program.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make(&self, equipped: bool) -> io::Result<Shim> {
        std::fs::create_dir_all(&self.folder)?;
        let home = Home::make(&self.folder)?;
        failpoint::reached("agent.homed");
        if equipped {
            home.equip(&self.program)?;
        }
        let line = Arc::new(Line::open(&home, None, 0)?);
        Ok(Shim { home, line, at: 0 })
    }

    /// The steps an earlier agent began at a place: `stored` bytes of the attempt's output are stored, of which `base`
    /// came before its first step. `None` when nothing is left of them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn find(&self, place: &Place, base: u64, stored: u64, sink: Sink) -> io::Result<Option<Steps>> {
        let Some(home) = Home::named(&self.folder, &place.home) else {
            return Ok(None);
        };
        let (at, seeking) = (place.at, home.clone());
        let tail = spawn_blocking(move || Tail::find(&seeking, at, base, stored)).await??;
        let line = Arc::new(Line::open(&home, Some(place.token.clone()), tail.at)?);
        // One that is gone has left its spool all the same.
        let _ = timeout(CALL, line.met()).await;
        let shim = Shim { home, line, at };
        // What an earlier agent was told beside the spool, this one finds in the record.
        let beside = record::read(&shim.home.record()?).filter(|end| end.step == shim.line.standing().step);
        Ok(Some(Steps::new(shim, tail, sink, beside)))
    }

    /// Ends the shims of an earlier agent that are not among `kept`, and removes what they left; answers how many.
    pub async fn sweep(&self, kept: &BTreeSet<String>) -> usize {
        let mut old = std::mem::take(&mut *self.old.lock().unwrap_or_else(PoisonError::into_inner));
        old.retain(|home| !kept.contains(&home.name()));
        let number = old.len();
        let each = old.into_iter().map(|home| async move {
            // Nobody remembers its token, but it takes orders from whoever listens in its agent's folder.
            if let Ok(line) = Line::dismissing(&home) {
                let _ = timeout(CALL, async {
                    line.met().await;
                    line.say(&ToShim::Bye).await;
                })
                .await;
            }
            let _ = spawn_blocking(move || home.remove()).await;
        });
        futures::future::join_all(each).await;
        number
    }
}

impl Shim {
    /// Where it finds its socket.
    pub fn door(&self) -> PathBuf {
        self.home.door()
    }

    /// Waits until it has called.
    pub async fn met(&self) {
        self.line.met().await;
    }

    /// Whether it is connected.
    pub fn up(&self) -> bool {
        self.line.up().now
    }

    /// Enough to find what it runs from now on.
    pub fn place(&self) -> Place {
        Place {
            home: self.home.name(),
            token: self.line.token.clone(),
            at: self.at,
        }
    }

    /// Its steps from now on are an attempt's.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn steps(self, sink: Sink) -> io::Result<Steps> {
        let tail = Tail::new(&self.home, self.at)?;
        Ok(Steps::new(self, tail, sink, None))
    }

    /// Ends it with all it kept, and removes what is on disk.
    pub async fn dismiss(self) {
        if self.line.say(&ToShim::Bye).await {
            // It goes when nothing it began lives.
            let _ = timeout(CALL, self.line.ups().wait_for(|up| !up.now)).await;
        }
        let home = self.home;
        let _ = spawn_blocking(move || home.remove()).await;
    }

    /// Removes what is on disk, behind the answer.
    pub fn remove(self) {
        let home = self.home;
        spawn_blocking(move || home.remove());
    }
}

impl Place {
    /// Its home's name.
    pub fn home(&self) -> &str {
        &self.home
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shim::frame::{Head, Kind};
    use shim::wire::{self, End, Exit, FromShim, Job, Standing};
    use std::os::unix::fs::FileExt;
    use tokio::io::AsyncWriteExt;

    #[tokio::test(start_paused = true)]
    async fn sweeping_spares_what_was_made_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let earlier = Shims::open(dir.path().into()).unwrap();
        let [left, kept] = [earlier.make(false).unwrap(), earlier.make(false).unwrap()].map(|s| s.home);
        let shims = Shims::open(dir.path().into()).unwrap();
        let new = shims.make(false).unwrap();
        assert_eq!(shims.sweep(&BTreeSet::from([kept.name()])).await, 1);
        let there = Home::all(dir.path()).iter().map(Home::name).collect::<BTreeSet<_>>();
        assert_eq!(there, BTreeSet::from([kept.name(), new.home.name()]));
        assert!(!there.contains(&left.name()));
    }

    /// The other side of a line, played by the test.
    struct Played(tokio::net::UnixStream);

    impl Played {
        async fn calls(shim: &Shim) -> Self {
            let mut socket = tokio::net::UnixStream::connect(shim.door().join(shim::SOCKET))
                .await
                .unwrap();
            let hello = FromShim::Hello {
                token: None,
                standing: Standing::default(),
            };
            socket.write_all(&wire::encode(&hello).unwrap()).await.unwrap();
            shim.met().await;
            Self(socket)
        }

        async fn says(&mut self, message: &FromShim) {
            self.0.write_all(&wire::encode(message).unwrap()).await.unwrap();
        }
    }

    fn end(step: i64, dropped: u64) -> End {
        End {
            step,
            exit: Exit::Exited(7),
            by: None,
            starved: false,
            dropped,
        }
    }

    fn append(raw: &std::fs::File, kind: Kind, step: i64, body: &[u8]) {
        let head = Head {
            len: body.len(),
            kind,
            step,
            at: shim::since_boot(),
        };
        let at = raw.metadata().unwrap().len();
        raw.write_all_at(&[&head.encode(), body].concat(), at).unwrap();
    }

    #[tokio::test]
    async fn an_end_beside_the_spool_is_that_of_its_own_step_alone() {
        let dir = tempfile::tempdir().unwrap();
        let made = Shims::open(dir.path().into()).unwrap().make(false).unwrap();
        let raw = made.home.raw().unwrap();
        let mut played = Played::calls(&made).await;
        let spool = Arc::new(crate::spool::Spool::create(dir.path().join("spool")));
        let steps = made.steps(Sink::new(spool.clone())).unwrap();
        // The disk took not even the word that it began.
        played.says(&FromShim::Ended(end(1, 3))).await;
        assert!(
            steps
                .start(Job {
                    step: 1,
                    ..Job::default()
                })
                .await
                .unwrap(),
            "it ran"
        );
        assert_eq!(steps.wait(1).await, Ok(end(1, 3)));
        assert_eq!(spool.gaps(0).len(), 1);
        append(&raw, Kind::Start, 2, b"");
        append(&raw, Kind::Out, 2, b"words");
        append(&raw, Kind::End, 2, &serde_json::to_vec(&end(2, 0)).unwrap());
        assert!(
            steps
                .start(Job {
                    step: 2,
                    ..Job::default()
                })
                .await
                .unwrap()
        );
        let found = timeout(Duration::from_secs(10), steps.wait(2)).await;
        assert_eq!(found.expect("it is never told"), Ok(end(2, 0)));
        assert_eq!((spool.len(), spool.gaps(0).len()), (5, 1));
    }
}
