//! The journal: what this agent took on, how far each attempt is, and where its steps run, over its own death. One file of
//! lines, each a checksum and JSON.
//!
//! **Invariant:** a fact is in the journal before anybody is told of it. A line that is not whole is skipped: it was being
//! written when the agent died, and nobody was told of it.

use crate::executor::Handle;
use crate::halt::Cut;
use protocol::{Assignment, AttemptEvent, Fence};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A journal longer than this is written anew without what is gone.
const LONG: u64 = 8 << 20;

/// An event, and how much output came before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Noted {
    pub n: u64,
    pub after: u64,
    pub event: AttemptEvent,
}

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<'a> {
    /// An attempt was taken on.
    Take {
        fence: Fence,
        slot: usize,
        /// Since boot.
        at: Duration,
        assignment: Cow<'a, Assignment>,
    },
    /// Something happened to it.
    Note { fence: Fence, noted: Cow<'a, Noted> },
    /// Where its steps run.
    Handle { fence: Fence, handle: Cow<'a, Handle> },
    /// The step that runs is being ended.
    Cut { fence: Fence, cut: Cow<'a, Cut> },
    /// It is wholly told, or not ours.
    Gone { fence: Fence },
}

/// What the journal knows of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// On which slot it runs.
    pub slot: usize,
    /// When it was taken on, since boot.
    pub at: Duration,
    /// What is to be run.
    pub assignment: Assignment,
    /// Where its steps run, if any began.
    pub handle: Option<Handle>,
    /// Why it, or the step that ran last, was being ended.
    pub cut: Option<Cut>,
    pub(super) events: Vec<Noted>,
}

impl Kept {
    /// What happened to it, in order.
    pub fn events(&self) -> impl Iterator<Item = &AttemptEvent> {
        self.events.iter().map(|e| &e.event)
    }
}

/// The journal.
pub(super) struct Journal {
    path: PathBuf,
    open: Mutex<Open>,
}

struct Open {
    file: File,
    len: u64,
    /// How often it failed in a row: said once.
    failing: bool,
}

impl Journal {
    /// Opens it, with what an earlier run left. Blocking.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(path: &Path) -> io::Result<(Self, BTreeMap<Fence, Kept>)> {
        let kept = replay(&read(path)?);
        let journal = Self {
            path: path.to_owned(),
            open: Mutex::new(Open {
                file: append(path)?,
                len: 0,
                failing: false,
            }),
        };
        journal.renew(&mut journal.lock())?;
        Ok((journal, kept))
    }

    /// Adds a line.
    pub fn add(&self, line: &Line<'_>) {
        let mut open = self.lock();
        let done = encode(line).and_then(|bytes| {
            open.file.write_all(&bytes)?;
            open.len += bytes.len() as u64;
            Ok(())
        });
        let failed = done.is_err();
        if let Err(e) = done
            && !open.failing
        {
            tracing::warn!(
                "The agent's journal {} cannot be written, so a restart would lose what runs: {e}",
                self.path.display()
            );
        }
        open.failing = failed;
    }

    /// Notes that an attempt is gone; with the last one the journal is empty again.
    pub fn gone(&self, fence: Fence, last: bool) {
        let mut open = self.lock();
        if last {
            if open.file.set_len(0).is_ok() {
                open.len = 0;
            }
            return;
        }
        drop(open);
        self.add(&Line::Gone { fence });
        let mut open = self.lock();
        if open.len > LONG
            && let Err(e) = self.renew(&mut open)
        {
            tracing::warn!(
                "The agent's journal {} cannot be written anew: {e}",
                self.path.display()
            );
        }
    }

    /// Writes it anew without what is gone.
    fn renew(&self, open: &mut Open) -> io::Result<()> {
        let old = read(&self.path)?;
        let live = replay(&old);
        let mut bytes = Vec::new();
        for raw in old.split_inclusive(|b| *b == b'\n') {
            if decode(raw).is_some_and(|line| live.contains_key(&line.fence())) {
                bytes.extend_from_slice(raw);
            }
        }
        let new = self.path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)?;
        open.file = append(&self.path)?;
        open.len = bytes.len() as u64;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line<'_> {
    fn fence(&self) -> Fence {
        match self {
            Self::Take { fence, .. }
            | Self::Note { fence, .. }
            | Self::Handle { fence, .. }
            | Self::Cut { fence, .. }
            | Self::Gone { fence } => *fence,
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn encode(line: &Line<'_>) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(line)?;
    let mut bytes = format!("{:016x} ", protocol::digest(&json)).into_bytes();
    bytes.extend(json);
    bytes.push(b'\n');
    Ok(bytes)
}

fn decode(raw: &[u8]) -> Option<Line<'static>> {
    let raw = raw.strip_suffix(b"\n")?;
    let (sum, json) = (std::str::from_utf8(raw.get(..16)?).ok()?, raw.get(17..)?);
    (u64::from_str_radix(sum, 16) == Ok(protocol::digest(json))).then(|| serde_json::from_slice(json).ok())?
}

fn replay(bytes: &[u8]) -> BTreeMap<Fence, Kept> {
    let mut kept: BTreeMap<Fence, Kept> = BTreeMap::new();
    for line in bytes.split_inclusive(|b| *b == b'\n').filter_map(decode) {
        match line {
            Line::Take {
                fence,
                slot,
                at,
                assignment,
            } => {
                let taken = Kept {
                    slot,
                    at,
                    assignment: assignment.into_owned(),
                    handle: None,
                    cut: None,
                    events: Vec::new(),
                };
                kept.insert(fence, taken);
            }
            Line::Note { fence, noted } => {
                if let Some(k) = kept.get_mut(&fence) {
                    // What ends an attempt outlasts its step.
                    let whole = matches!(k.cut, Some(Cut::Halt(_)));
                    if matches!(noted.event, AttemptEvent::StepEnded(_)) && !whole {
                        k.cut = None;
                    }
                    k.events.push(noted.into_owned());
                }
            }
            Line::Handle { fence, handle } => {
                if let Some(k) = kept.get_mut(&fence) {
                    k.handle = Some(handle.into_owned());
                }
            }
            Line::Cut { fence, cut } => {
                if let Some(k) = kept.get_mut(&fence) {
                    k.cut = Some(cut.into_owned());
                }
            }
            Line::Gone { fence } => {
                kept.remove(&fence);
            }
        }
    }
    // An event that is missing in between would be told to the server as another.
    kept.retain(|_, k| k.events.iter().enumerate().all(|(i, e)| e.n == i as u64 + 1));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::status::ExecutorKind;
    use domain::{AttemptId, JobId, TaskId};

    fn fence(attempt: i64) -> Fence {
        Fence {
            attempt: AttemptId(attempt),
            epoch: 1,
        }
    }

    fn take(journal: &Journal, attempt: i64) {
        let assignment = Assignment {
            fence: fence(attempt),
            task: TaskId(1),
            job: JobId(1),
            number: 1,
            executor: None,
            image: None,
            limits: Default::default(),
            env: BTreeMap::new(),
            checkout: None,
            steps: Vec::new(),
            timeout_ms: None,
            grace_ms: 5,
        };
        journal.add(&Line::Take {
            fence: fence(attempt),
            slot: 3,
            at: Duration::from_secs(9),
            assignment: Cow::Owned(assignment),
        });
    }

    fn note(journal: &Journal, attempt: i64, n: u64) {
        let executor = ExecutorKind::Docker;
        let noted = Noted {
            n,
            after: 0,
            event: AttemptEvent::Preparing { executor },
        };
        journal.add(&Line::Note {
            fence: fence(attempt),
            noted: Cow::Owned(noted),
        });
    }

    #[test]
    fn what_was_taken_on_is_known_again_and_what_is_gone_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (journal, kept) = Journal::open(&path).unwrap();
        assert!(kept.is_empty());
        for attempt in 1..=3 {
            take(&journal, attempt);
            note(&journal, attempt, 1);
        }
        journal.gone(fence(2), false);
        let handle = Handle {
            kind: ExecutorKind::Docker,
            data: "somewhere".into(),
        };
        journal.add(&Line::Handle {
            fence: fence(3),
            handle: Cow::Borrowed(&handle),
        });
        drop(journal);
        let (journal, kept) = Journal::open(&path).unwrap();
        assert_eq!(kept.keys().copied().collect::<Vec<_>>(), [fence(1), fence(3)]);
        assert_eq!((kept[&fence(3)].slot, &kept[&fence(3)].handle), (3, &Some(handle)));
        assert_eq!(kept[&fence(1)].events().count(), 1);
        journal.gone(fence(1), false);
        journal.gone(fence(3), true);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn a_damaged_line_costs_its_attempt_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (journal, _) = Journal::open(&path).unwrap();
        for attempt in 1..=2 {
            take(&journal, attempt);
            note(&journal, attempt, 1);
            note(&journal, attempt, 2);
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let lines: Vec<_> = whole.split_inclusive(|b| *b == b'\n').collect();
        // The second line, an event of attempt 1, is damaged; the last was cut short by the kill.
        let mut bytes = whole.clone();
        bytes[lines[0].len() + 20] ^= 1;
        bytes.truncate(whole.len() - 5);
        std::fs::write(&path, bytes).unwrap();
        let (_, kept) = Journal::open(&path).unwrap();
        assert_eq!(kept.keys().copied().collect::<Vec<_>>(), [fence(2)]);
        assert_eq!(kept[&fence(2)].events().count(), 1);
    }
}
