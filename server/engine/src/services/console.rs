//! Consoles: `domain::ports::Console`, over the console store and the rows that say where each step's output lies.
//!
//! **Invariant:** who may read a task may read its output, decided by the task's project before a byte is read; files are
//! read off the async threads but for the newest bytes, which are in memory.

mod stream;

use crate::console::{Consoles, Extent, gap_sentence};
use crate::store::places::{self, Place};
use crate::store::{Store, fault_id};
use async_trait::async_trait;
use domain::auth::{Action, Scope, Viewer, authorize};
use domain::console::view::{Gaps, Line, Lines, Tail};
use domain::ports::{Console, Piece, Slice, Whole};
use domain::{AttemptId, Error, ProjectId, Result, StepId, TaskId};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines a caller may ask for at once.
const MOST_LINES: u32 = 5_000;
/// Attempts whose project is remembered.
const REMEMBERED: usize = 4_096;

/// The service behind `Console`. Cheap to clone.
#[derive(Clone)]
pub struct ConsoleService {
    store: Store,
    consoles: Consoles,
    /// Whose an attempt is; that never changes, and live views ask for it at every push.
    projects: Arc<Mutex<HashMap<AttemptId, ProjectId>>>,
}

impl ConsoleService {
    /// The service over a store and its consoles.
    #[must_use]
    pub fn new(store: Store, consoles: Consoles) -> Self {
        Self {
            store,
            consoles,
            projects: Arc::default(),
        }
    }

    async fn place(&self, viewer: &Viewer, step: StepId) -> Result<Place> {
        let object = format!("step {step}");
        let Some(place) = places::place(&self.store, step).await? else {
            return Err(Error::NotFound(format!("Step {step}")));
        };
        authorize(
            viewer,
            Action::Read,
            Scope {
                project: Some(place.project),
                object: &object,
            },
        )?;
        self.blocking(move |c| in_file(c, place)).await
    }

    /// Runs a read of files off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Consoles) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let consoles = self.consoles.clone();
        match tokio::task::spawn_blocking(move || f(&consoles)).await {
            Ok(Ok(t)) => Ok(t),
            Ok(Err(e)) => Err(unreadable(&e)),
            Err(e) => Err(unreadable(&io::Error::other(e))),
        }
    }

    async fn attempt(&self, viewer: &Viewer, attempt: AttemptId) -> Result<()> {
        let known = self
            .projects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&attempt)
            .copied();
        let project = match known {
            Some(p) => p,
            None => {
                let Some((project, ended)) = places::attempt(&self.store, attempt).await? else {
                    return Err(Error::NotFound(format!("Attempt {attempt}")));
                };
                if ended {
                    // The file does not say so where the agent was lost before this process began. From now on whoever
                    // ends an attempt tells the console store.
                    self.consoles.ended(attempt);
                }
                let mut all = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
                if all.len() >= REMEMBERED {
                    all.clear();
                }
                all.insert(attempt, project);
                project
            }
        };
        let object = format!("attempt {attempt}");
        authorize(
            viewer,
            Action::Read,
            Scope {
                project: Some(project),
                object: &object,
            },
        )
    }
}

/// Where a step's bytes lie, as far as rows tell.
fn extent(place: &Place) -> Extent {
    match place {
        // It wrote nothing and lacks nothing.
        Place { begun: false, .. } => Extent {
            from: place.from,
            len: 0,
            followed: true,
        },
        Place {
            ended: true,
            lost: false,
            ..
        } => Extent {
            from: place.from,
            len: place.len,
            followed: place.next.is_some(),
        },
        _ => place.next.map_or(Extent::open(place.from), |next| Extent {
            from: place.from,
            len: next.saturating_sub(place.from),
            followed: true,
        }),
    }
}

/// A place with its bytes where they lie in the file.
pub(super) fn in_file(consoles: &Consoles, place: Place) -> io::Result<Place> {
    let at = |from, len| consoles.in_file(place.attempt, Extent::of(from, len));
    let own = at(place.from, place.len)?;
    let next = place.next.map(|next| at(next, 0)).transpose()?;
    Ok(Place {
        from: own.from,
        len: own.len,
        next: next.map(|n| n.from),
        ..place
    })
}

fn unreadable(e: &io::Error) -> Error {
    let id = fault_id();
    tracing::error!(fault = %id, error = %e, "Fault {id}: a console cannot be read: {e}");
    Error::Internal(id)
}

#[async_trait]
impl Console for ConsoleService {
    async fn step_bytes(&self, viewer: &Viewer, step: StepId, range: Option<Range<u64>>) -> Result<Slice> {
        let place = self.place(viewer, step).await?;
        let (attempt, extent) = (place.attempt, extent(&place));
        let (standing, gaps) = self
            .blocking(move |c| Ok((c.standing(attempt)?, c.gaps(attempt, Some(extent))?)))
            .await?;
        let total = extent.end().min(standing.len).saturating_sub(extent.from);
        let range = match range {
            None => 0..total,
            Some(r) if r.start < total && r.start < r.end => r.start..r.end.min(total),
            Some(_) => return Err(Error::invalid_field("range", format!("the console has {total} bytes"))),
        };
        let bytes = stream::range(
            self.consoles.clone(),
            attempt,
            extent.from + range.start..extent.from + range.end,
        );
        let ended = place.ended || standing.ended || place.attempt_ended;
        Ok(Slice {
            total,
            etag: format!("\"{step}-{total}\""),
            ended,
            gaps,
            bytes,
        })
    }

    async fn lines(&self, viewer: &Viewer, step: StepId, from: i64, limit: u32) -> Result<Lines> {
        if from < 1 {
            return Err(Error::invalid_field("from", "lines count from 1"));
        }
        if !(1..=MOST_LINES).contains(&limit) {
            return Err(Error::invalid_field(
                "limit",
                format!("{limit} is not between 1 and {MOST_LINES}"),
            ));
        }
        let place = self.place(viewer, step).await?;
        self.blocking(move |c| {
            let mut lines = c.lines(place.attempt, extent(&place), from.unsigned_abs(), limit)?;
            missing(c, &place, &mut lines)?;
            Ok(lines)
        })
        .await
    }

    async fn tail(&self, viewer: &Viewer, step: StepId, n: u32) -> Result<Tail> {
        let place = self.place(viewer, step).await?;
        self.blocking(move |c| {
            let mut tail = c.tail(place.attempt, extent(&place), n.min(MOST_LINES))?;
            missing(c, &place, &mut tail.lines)?;
            Ok(Tail {
                step,
                lines: tail.lines,
                end: tail.end,
                pen: tail.pen,
                open: tail.open,
            })
        })
        .await
    }

    async fn task(&self, viewer: &Viewer, task: TaskId, follow: bool, setup: bool) -> Result<Whole> {
        let object = format!("task {task}");
        let Some((project, ended)) = places::task(&self.store, task).await? else {
            return Err(Error::NotFound(format!("Task {task}")));
        };
        authorize(
            viewer,
            Action::Read,
            Scope {
                project: Some(project),
                object: &object,
            },
        )?;
        let places = places::places(&self.store, task).await?;
        let (gaps, extents) = self
            .blocking(move |c| {
                let (mut gaps, mut seen) = (Gaps::default(), BTreeSet::new());
                let mut extents: Vec<(AttemptId, Extent)> = Vec::new();
                for place in places {
                    let place = in_file(c, place)?;
                    // By attempt, so that none is missed that lies in no step.
                    if seen.insert(place.attempt) {
                        gaps += c.gaps(place.attempt, None)?;
                    }
                    if setup || place.kind == "step" {
                        extents.push((place.attempt, extent(&place)));
                    } else {
                        gaps -= c.gaps(place.attempt, Some(extent(&place)))?;
                    }
                }
                Ok((gaps, extents))
            })
            .await?;
        let bytes = if follow && !ended {
            stream::follow(self.store.clone(), self.consoles.clone(), task, setup)
        } else {
            stream::concatenated(self.consoles.clone(), extents)
        };
        Ok(Whole { gaps, bytes })
    }

    async fn read(&self, viewer: &Viewer, attempt: AttemptId, from: u64, max: usize) -> Result<Piece> {
        self.attempt(viewer, attempt).await?;
        let standing = self.consoles.standing(attempt).map_err(|e| unreadable(&e))?;
        // What was just written is in the page cache; older bytes may have to come from the disk.
        let bytes = if standing.len.saturating_sub(from) <= 1 << 20 {
            self.consoles.read(attempt, from, max).map_err(|e| unreadable(&e))?
        } else {
            self.blocking(move |c| c.read(attempt, from, max)).await?
        };
        Ok(Piece {
            bytes,
            total: standing.len,
            ended: standing.ended,
            gaps: standing.gaps,
        })
    }

    async fn grown(&self, attempt: AttemptId, past: u64) {
        if let Err(e) = self.consoles.grown(attempt, past).await {
            tracing::error!(attempt.id = attempt.0, error = %e, "The console of attempt {attempt} cannot be followed: {e}");
        }
    }
}

/// Says so where a step's stored bytes are fewer than its row knows of: the file was lost or cut by hand.
fn missing(consoles: &Consoles, place: &Place, lines: &mut Lines) -> io::Result<()> {
    let stored = consoles.standing(place.attempt)?.len;
    let end = extent(place).end();
    let shown_end = match lines.items.last() {
        Some(Line::Text { n, .. }) => *n >= lines.total,
        Some(Line::Gap { .. }) => false,
        None => lines.total == 0,
    };
    if place.ended && !place.lost && place.attempt_ended && stored < end && shown_end {
        let gap = i64::try_from(end - stored.max(place.from)).ok();
        let reason = gap_sentence(protocol::GapReason::File).to_owned();
        lines.items.push(Line::Gap { gap, reason });
    }
    Ok(())
}
