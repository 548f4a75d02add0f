//! Consoles as streams of bytes: a range, several extents one after the other, and a running task as it goes.
//!
//! **Invariant:** a stream reads on when its taker asks for more, so a slow taker costs nothing; while jobs run side by side
//! only whole lines of each are given.

use crate::console::{Consoles, Extent};
use crate::store::Store;
use crate::store::places::{self, Place};
use domain::event::Event;
use domain::ports::ByteStream;
use domain::{AttemptId, TaskId};
use futures::stream::{self, FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::broadcast;

const CHUNK: u64 = 256 * 1024;

async fn read(consoles: &Consoles, attempt: AttemptId, from: u64, max: u64) -> io::Result<Vec<u8>> {
    let consoles = consoles.clone();
    tokio::task::spawn_blocking(move || consoles.read(attempt, from, max.min(CHUNK) as usize))
        .await
        .map_err(io::Error::other)?
}

/// A range of an attempt's file.
pub(super) fn range(consoles: Consoles, attempt: AttemptId, range: Range<u64>) -> ByteStream {
    concatenated(
        consoles,
        vec![(attempt, Extent::of(range.start, range.end.saturating_sub(range.start)))],
    )
}

/// Several extents, nothing between them.
pub(super) fn concatenated(consoles: Consoles, extents: Vec<(AttemptId, Extent)>) -> ByteStream {
    let todo: VecDeque<_> = extents.into();
    Box::pin(stream::try_unfold(
        (consoles, todo),
        |(consoles, mut todo)| async move {
            while let Some((attempt, extent)) = todo.front_mut() {
                let bytes = if extent.len == 0 {
                    Vec::new()
                } else {
                    read(&consoles, *attempt, extent.from, extent.len).await?
                };
                if bytes.is_empty() {
                    todo.pop_front();
                    continue;
                }
                extent.from += bytes.len() as u64;
                extent.len -= bytes.len() as u64;
                return Ok(Some((bytes, (consoles, todo))));
            }
            Ok(None)
        },
    ))
}

/// A running task to its end.
pub(super) fn follow(store: Store, consoles: Consoles, task: TaskId, setup: bool) -> ByteStream {
    // From before the first look at the rows, so that nothing falls between.
    let news = store.news();
    let state = Follow {
        store,
        consoles,
        task,
        setup,
        news,
        jobs: BTreeMap::new(),
        ended: false,
        fresh: false,
    };
    Box::pin(stream::try_unfold(state, |mut s| async move {
        Ok(s.next().await?.map(|bytes| (bytes, s)))
    }))
}

/// How far one job's output has been given.
struct Job {
    attempt: AttemptId,
    /// The steps still to give, in order.
    steps: Vec<Place>,
    at: usize,
    /// The next byte of the step at hand.
    next: u64,
}

struct Follow {
    store: Store,
    consoles: Consoles,
    task: TaskId,
    setup: bool,
    news: broadcast::Receiver<Arc<[Event]>>,
    jobs: BTreeMap<i64, Job>,
    ended: bool,
    /// Whether the rows have been read since the last news.
    fresh: bool,
}

impl Follow {
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if !self.fresh {
                self.look().await?;
            }
            let bytes = self.ready().await?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
            if self.ended {
                return Ok(None);
            }
            self.wait().await;
        }
    }

    async fn look(&mut self) -> io::Result<()> {
        let failed = |e: crate::store::Error| io::Error::other(e.to_string());
        // First whether it has ended, then the rows: never the other way round, or the last bytes would be missed.
        self.ended = places::task(&self.store, self.task)
            .await
            .map_err(failed)?
            .is_none_or(|(_, ended)| ended);
        let mut jobs: BTreeMap<i64, Vec<Place>> = BTreeMap::new();
        let (found, consoles, setup) = (
            places::places(&self.store, self.task).await.map_err(failed)?,
            self.consoles.clone(),
            self.setup,
        );
        let found: Vec<Place> = tokio::task::spawn_blocking(move || {
            let wanted = found.into_iter().filter(|p| setup || p.kind == "step");
            wanted.map(|p| super::in_file(&consoles, p)).collect::<io::Result<_>>()
        })
        .await
        .map_err(io::Error::other)??;
        for p in found {
            jobs.entry(p.job).or_default().push(p);
        }
        for (ordinal, steps) in jobs {
            let Some(attempt) = steps.first().map(|s| s.attempt) else {
                continue;
            };
            let from = steps[0].from;
            let job = self.jobs.entry(ordinal).or_insert(Job {
                attempt,
                steps: Vec::new(),
                at: 0,
                next: from,
            });
            if job.attempt != attempt {
                *job = Job {
                    attempt,
                    steps: Vec::new(),
                    at: 0,
                    next: from,
                };
            }
            // A step that had not begun learns only now where it lies.
            if job.steps.get(job.at).is_some_and(|s| !s.begun) || job.steps.is_empty() {
                job.next = steps.get(job.at).map_or(0, |s| s.from.max(job.next));
            }
            job.steps = steps;
        }
        self.fresh = true;
        Ok(())
    }

    /// Whatever can be given now.
    async fn ready(&mut self) -> io::Result<Vec<u8>> {
        let together = self.jobs.len() > 1;
        let mut out = Vec::new();
        for job in self.jobs.values_mut() {
            while let Some(step) = job.steps.get(job.at) {
                let whole = step.ended || self.ended;
                let extent = super::extent(step);
                let mut bytes = read(
                    &self.consoles,
                    job.attempt,
                    job.next,
                    extent.end().saturating_sub(job.next),
                )
                .await?;
                if together && !(whole && (bytes.len() as u64) < CHUNK) {
                    // A giant line is given in pieces rather than never.
                    let cut = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
                    bytes.truncate(if cut == 0 && bytes.len() as u64 == CHUNK {
                        bytes.len()
                    } else {
                        cut
                    });
                }
                job.next += bytes.len() as u64;
                let more = !bytes.is_empty();
                out.extend(bytes);
                if out.len() as u64 >= CHUNK {
                    return Ok(out);
                }
                if more {
                    continue;
                }
                if !whole {
                    break;
                }
                job.at += 1;
                // Of a step whose end the rows did not tell yet, all was given that was there: the next step's too, perhaps.
                job.next = job.steps.get(job.at).map_or(0, |s| s.from.max(job.next));
            }
        }
        Ok(out)
    }

    /// Until a console grows or the task's rows change.
    async fn wait(&mut self) {
        let mut grown: FuturesUnordered<_> = self
            .jobs
            .values()
            .filter_map(|job| {
                let step = job.steps.get(job.at).filter(|s| s.begun && !s.ended)?;
                let stored = self.consoles.standing(step.attempt).map_or(job.next, |s| s.len);
                Some(self.consoles.grown(step.attempt, stored.max(job.next)))
            })
            .collect();
        let task = Some(self.task);
        loop {
            tokio::select! {
                heard = self.news.recv() => match heard {
                    Ok(events) if events.iter().any(|e| e.task_id == task) => break self.fresh = false,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => break self.fresh = false,
                    Err(broadcast::error::RecvError::Closed) => break self.ended = true,
                },
                Some(standing) = grown.next() => {
                    // A console that has ended says so at once and for ever: then only rows can bring more.
                    if !standing.is_ok_and(|s| s.ended) {
                        break;
                    }
                }
            }
        }
    }
}
