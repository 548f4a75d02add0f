//! What agents report, written: states, checkouts, line counts, and the end of an attempt once its output is whole.
//!
//! **Invariant:** an attempt does not end in the rows before every byte it reported is stored and its digest agrees; a
//! refused report is acknowledged and followed by `Forget`, so that it is not sent for ever.

use super::measure::Measure;
use super::session::{Reports, Session};
use super::{Dispatch, foreign, translate};
use crate::console::{Consoles, Extent, Finished};
use crate::queue::apply;
use crate::scheduler::place_waiting;
use crate::store::tasks::{CONSOLE_ENDED, CONSOLE_MEASURE, STEP_LINES, load_by_attempt};
use crate::store::{Batch, Result, Tx};
use domain::lifecycle::{Effect, Event, Refused, TaskState};
use domain::{AgentId, AttemptId, Timestamp};
use futures::FutureExt;
use protocol::{AttemptEvent, Fence, ToAgent};
use std::collections::{BTreeMap, HashSet};

/// One attempt's events of a round.
#[derive(Clone)]
struct Group {
    fence: Fence,
    last: u64,
    events: Vec<AttemptEvent>,
}

/// What a round came to.
#[derive(Default)]
struct Recorded {
    effects: Vec<Effect>,
    /// Holds that are not (any more) this agent's.
    forget: Vec<Fence>,
    /// Attempts that have ended.
    ended: Vec<AttemptId>,
    /// Refused holds that are written down.
    told: HashSet<Fence>,
}

impl Dispatch {
    /// Takes a report into the round, or holds it back when it ends an attempt whose output is not whole.
    pub(super) async fn report(
        &self,
        session: &mut Session,
        fence: Fence,
        n: u64,
        mut event: AttemptEvent,
        reports: &mut Reports,
        answers: &mut Vec<ToAgent>,
    ) {
        if self.holds(session, fence) {
            self.live.sign(fence.attempt, self.clock.elapsed());
        }
        if let AttemptEvent::Ended { length, digest, .. } = &event
            && self.holds(session, fence)
        {
            match self.close(fence.attempt, *length, digest).await {
                Ok(Finished::Complete) => {
                    session.asked.remove(&fence);
                }
                // What is missing is said where it is missing; the digest is of bytes that nobody has all of.
                Ok(Finished::Unproved) => {
                    session.asked.remove(&fence);
                    if let AttemptEvent::Ended { digest, .. } = &mut event {
                        digest.clear();
                    }
                }
                // As many bytes, but others: the agent has let them go, so asking again is idle. The attempt ends, and its
                // console says at its end, as its row does by having no digest, that it was not proved whole.
                Ok(Finished::Mismatch { have }) if have >= *length => {
                    tracing::error!(attempt.id = %fence.attempt, "The output of attempt {} is not what its agent wrote", fence.attempt);
                    let attempt = fence.attempt;
                    if let Err(e) = self.off_thread(move |c| c.finish_differing(attempt)).await {
                        tracing::error!(attempt.id = %attempt, error = %e, "Cannot note at the end of the console of attempt {attempt} that it differs: {e}");
                    }
                    self.consoles.ended(fence.attempt);
                    session.asked.remove(&fence);
                    if let AttemptEvent::Ended { digest, .. } = &mut event {
                        digest.clear();
                    }
                }
                Ok(Finished::Mismatch { have }) => {
                    tracing::warn!(attempt.id = %fence.attempt, have, length, "Output of attempt {} is not whole", fence.attempt);
                    session.asked.insert(fence, have);
                    answers.push(ToAgent::Rewind { fence, offset: have });
                    session.unfinished.insert(fence, (n, event));
                    return;
                }
                Err(e) => {
                    tracing::error!(attempt.id = %fence.attempt, error = %e, "Cannot close the console of attempt {}: {e}", fence.attempt);
                    session.unfinished.insert(fence, (n, event));
                    return;
                }
            }
        }
        if let AttemptEvent::Gap(gap) = &event
            && self.holds(session, fence)
        {
            let (attempt, gap) = (fence.attempt, *gap);
            if let Err(e) = self.off_thread(move |c| c.gap(attempt, gap)).await {
                // Not noted, so it must come again: a later acknowledgement would cover it.
                tracing::error!(attempt.id = %attempt, error = %e, "Cannot note a gap in the console of attempt {attempt}: {e}");
                session.broken = true;
                return;
            }
        }
        reports.push((fence, n, event));
    }

    async fn close(&self, attempt: AttemptId, length: u64, digest: &str) -> std::io::Result<Finished> {
        if length == 0 && self.consoles.standing(attempt)?.len == 0 {
            // No output, no file.
            self.consoles.ended(attempt);
            return Ok(Finished::Complete);
        }
        let digest = u64::from_str_radix(digest, 16).unwrap_or_default();
        self.off_thread(move |c| c.finish(attempt, length, digest)).await
    }

    /// Asks the console store what may wait for the disk.
    pub(super) async fn off_thread<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Consoles) -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let consoles = self.consoles.clone();
        let done = tokio::task::spawn_blocking(move || f(&consoles)).await;
        done.unwrap_or_else(|e| Err(std::io::Error::other(e)))
    }

    /// Writes a round of reports in one transaction, places what that made possible, and acknowledges. `false` when it
    /// could not be written: the connection must end then, for a later acknowledgement would cover what is not there.
    #[must_use]
    pub(super) async fn record(&self, session: &mut Session, reports: Reports, answers: &mut Vec<ToAgent>) -> bool {
        let mut groups: BTreeMap<Fence, Group> = BTreeMap::new();
        for (fence, n, event) in reports {
            let g = groups.entry(fence).or_insert(Group {
                fence,
                last: n,
                events: Vec::new(),
            });
            g.last = g.last.max(n);
            g.events.push(event);
        }
        let groups: Vec<Group> = groups.into_values().collect();
        let (lines, missing) = (self.count_lines(&groups), self.measure(session, &groups));
        let (agent, clock, terms) = (session.agent, self.clock.clone(), self.terms());
        let (asked, told) = (groups.clone(), session.foreign.clone());
        let written = self.store.write(move |tx| {
            let (groups, lines, missing, now) = (asked.clone(), lines.clone(), missing.clone(), clock.now());
            let mut out = Recorded {
                told: told.clone(),
                ..Recorded::default()
            };
            let terms = terms.clone();
            async move {
                for g in &groups {
                    record_one(tx, agent, g, now, &mut out).await?;
                }
                let mut batch = Batch::default();
                for (step, n) in &lines {
                    batch.each(&STEP_LINES, [(*step).into(), (*n).into()]);
                }
                for (attempt, m) in &missing {
                    batch.each(&CONSOLE_MEASURE, m.row(*attempt));
                }
                tx.later(batch);
                let frees = |e: &Effect| matches!(e, Effect::SlotFreed { .. } | Effect::JobsReady { .. });
                if out.effects.iter().any(frees) {
                    out.effects.retain(|e| !frees(e));
                    out.effects.extend(place_waiting(tx, &terms, now).await?);
                }
                Ok(out)
            }
            .boxed()
        });
        match written.await {
            Ok(out) => {
                failpoint::reached("server.committed");
                for attempt in out.ended {
                    self.live.end(attempt);
                }
                answers.extend(groups.iter().map(|g| ToAgent::Ack {
                    fence: g.fence,
                    n: g.last,
                }));
                answers.extend(out.forget.into_iter().map(|fence| ToAgent::Forget { fence }));
                session.foreign = out.told;
                self.out.send(out.effects);
                true
            }
            // Not acknowledged: the agent keeps the reports and sends them again at its next hello.
            Err(e) => {
                tracing::error!(agent.id = %agent, error = %e, "Cannot write what agent {agent} reports: {e}");
                false
            }
        }
    }

    /// What is stored and what is missing of attempts of which this round has gaps or ends.
    fn measure(&self, session: &Session, groups: &[Group]) -> Vec<(AttemptId, Measure)> {
        let of = |e: &AttemptEvent| matches!(e, AttemptEvent::Gap(_) | AttemptEvent::Ended { .. });
        let asked = groups
            .iter()
            .filter(|g| g.events.iter().any(of) && self.holds(session, g.fence));
        asked
            .filter_map(|g| Some((g.fence.attempt, Measure::of(&self.consoles, g.fence.attempt)?)))
            .collect()
    }

    /// Lines of each step that ended in this round. Where its start was not heard by this server, views count them.
    fn count_lines(&self, groups: &[Group]) -> Vec<(i64, i64)> {
        let mut out = Vec::new();
        for g in groups {
            for event in &g.events {
                match event {
                    AttemptEvent::StepStarted { step, from, .. } => {
                        self.live.step_started(g.fence.attempt, *step, *from)
                    }
                    AttemptEvent::StepEnded(end) => {
                        let from = self.live.step_from(g.fence.attempt, end.step).unwrap_or(end.until);
                        if end.until <= from {
                            continue;
                        }
                        let extent = Extent::of(from, end.until - from);
                        let counted = self
                            .consoles
                            .in_file(g.fence.attempt, extent)
                            .and_then(|extent| self.consoles.count(g.fence.attempt, extent));
                        if let Ok(n) = counted {
                            out.push((end.step.0, i64::try_from(n).unwrap_or(i64::MAX)));
                        }
                    }
                    _ => {}
                }
            }
        }
        out
    }
}

async fn record_one(tx: &mut Tx, agent: AgentId, g: &Group, now: Timestamp, out: &mut Recorded) -> Result<()> {
    let Some(task) = load_by_attempt(tx, g.fence.attempt).await? else {
        out.forget.push(g.fence);
        if out.told.insert(g.fence) {
            let what = g.events.first().map_or("nothing", foreign::word);
            tx.audit(foreign::entry(agent, g.fence, what, "There is no such attempt.", now))
                .await?;
        }
        return Ok(());
    };
    let fence = translate::held(g.fence);
    let events = g
        .events
        .iter()
        .map(|e| Event::Agent {
            fence,
            agent,
            event: translate::event(e),
        })
        .collect();
    let applied = apply(tx, task, events, None, now).await?;
    out.effects.extend(applied.effects);
    for (event, why) in g.events.iter().zip(&applied.refused) {
        match (event, why) {
            (
                AttemptEvent::CheckedOut {
                    revision,
                    message,
                    author,
                },
                None,
            ) => {
                let mut batch = Batch::default();
                batch.push(
                    "UPDATE tasks SET message = COALESCE(message, $1), author = COALESCE(author, $2), \
                     revision = COALESCE(revision, $3), version = version + 1 WHERE id = $4",
                    [
                        translate::text(message).into(),
                        translate::text(author).into(),
                        translate::text(revision).into(),
                        task.0.into(),
                    ],
                );
                tx.later(batch);
            }
            (AttemptEvent::Ended { length, digest, .. }, None) => {
                let mut batch = Batch::default();
                let digest = Some(digest.clone()).filter(|d| !d.is_empty());
                let length = i64::try_from(*length).unwrap_or(i64::MAX);
                batch.each(&CONSOLE_ENDED, [g.fence.attempt.0.into(), length.into(), digest.into()]);
                tx.later(batch);
            }
            (event, Some(why)) => refused(tx, task.0, agent, g.fence, event, why, now, out).await?,
            (_, None) => {}
        }
    }
    if applied.task.as_ref().is_some_and(|t| has_ended(t, g.fence.attempt)) {
        out.ended.push(g.fence.attempt);
    }
    Ok(())
}

fn has_ended(task: &TaskState, attempt: AttemptId) -> bool {
    task.jobs
        .iter()
        .all(|j| j.attempt.id != attempt || j.attempt.finished_at.is_some())
}

/// A refused report leaves a trace, and its hold is over; where its holder makes no sense, the attempt is lost.
#[expect(clippy::too_many_arguments, reason = "one call, of what one report is about")]
async fn refused(
    tx: &mut Tx,
    task: i64,
    agent: AgentId,
    fence: Fence,
    event: &AttemptEvent,
    why: &Refused,
    now: Timestamp,
    out: &mut Recorded,
) -> Result<()> {
    tracing::warn!(agent.id = %agent, attempt.id = %fence.attempt, task.id = task, "Refused a report of agent {agent}: {why}");
    // A hold that is not the agent's is written down once; its rightful holder's nonsense always.
    let nonsense = matches!(why, Refused::OutOfOrder(_) | Refused::Unknown);
    if out.told.insert(fence) || nonsense {
        tx.audit(foreign::entry(
            agent,
            fence,
            foreign::word(event),
            &why.to_string(),
            now,
        ))
        .await?;
    }
    if nonsense {
        // The rightful holder makes no sense: it shall forget the attempt, and the attempt is lost.
        let gone = Event::AgentConfused {
            attempt: fence.attempt,
            epoch: fence.epoch,
            why: why.to_string(),
        };
        out.effects
            .extend(apply(tx, domain::TaskId(task), vec![gone], None, now).await?.effects);
    }
    if !out.forget.contains(&fence) {
        out.forget.push(fence);
    }
    Ok(())
}
