//! How commits fare, told to the forges that they are of.
//!
//! **Invariant:** of one task a forge is told the newest state, and none after a newer one; what a forge refuses stands at the
//! repository, in one sentence.

use crate::clock::SharedClock;
use crate::outgoing::client::{Client, Request};
use crate::outgoing::gate::HostGate;
use crate::outgoing::git::Credentials;
use crate::remotes::Remotes;
use crate::store::deliveries::{self, NewDelivery, Waiting};
use crate::store::follow::Follower;
use crate::store::tasks::{snapshot, view};
use crate::store::{NewEvent, Result, Store, Tx, repositories};
use domain::event::Event;
use domain::forge::{State, Status, Told, place, read, request};
use domain::git::{is_local, place_of};
use domain::health::Health;
use domain::repository::{RepositoryView, same_place};
use domain::status::TaskStatus;
use domain::task::TaskView;
use domain::time::human_duration;
use domain::trigger::Provider;
use domain::{ProjectId, RepositoryId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;

/// Who tells.
pub(super) const SINK: &str = "status";
/// Where the last look at events ended.
const SEEN: &str = "statuses.seen";
/// At once to one host, and to all of them.
const AT_ONCE: (usize, usize) = (2, 16);
/// The longest one telling may take.
const LONGEST: Duration = Duration::from_secs(30);
/// Milliseconds until the next try: the first, the second, …; the last for all that follow.
const PAUSES: [i64; 6] = [5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000];
/// Tries before it is given up: about a day.
const TRIES: i64 = 30;
/// The longest sleep.
const SLEEP: Duration = Duration::from_secs(20);
/// The sleep after a failure of ours.
const PAUSE: Duration = Duration::from_secs(2);
/// Rows that are taken at once.
const PAGE: i64 = 100;

/// Tells forges how commits fare. Cheap to clone.
#[derive(Clone)]
pub struct Statuses {
    store: Store,
    clock: SharedClock,
    client: Client,
    remotes: Remotes,
    gate: HostGate,
    public_url: Arc<str>,
    /// Those that can be told something, as they were when one was saved last.
    forges: Arc<Mutex<Option<Arc<[RepositoryView]>>>>,
    /// Tasks of which one is told just now.
    busy: Arc<Mutex<HashSet<String>>>,
    bell: Arc<Notify>,
}

/// What a row holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payload {
    pub revision: String,
    pub state: State,
    pub target_url: String,
    pub context: String,
    pub description: String,
    pub branch: Option<String>,
}

impl Statuses {
    /// Over a store, what asks others, and the address people use.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, client: Client, remotes: Remotes, public_url: &str) -> Self {
        Self {
            store,
            clock,
            client,
            remotes,
            gate: HostGate::new(AT_ONCE.0, AT_ONCE.1),
            public_url: public_url.into(),
            forges: Arc::default(),
            busy: Arc::default(),
            bell: Arc::default(),
        }
    }

    /// Runs until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.follow(&stop), self.tell(&stop));
    }

    /// Writes down what is to be told, as it happens.
    async fn follow(&self, stop: &CancellationToken) {
        let mut news = self.store.news();
        let (mut at, mut failing) = (Follower::new(SEEN), false);
        loop {
            let done = match at.is_new() {
                true => self.caught_up(&mut at).await,
                false => tokio::select! {
                    () = stop.cancelled() => break,
                    heard = news.recv() => match heard {
                        Ok(events) => self.heard(&mut at, &events).await,
                        Err(RecvError::Lagged(_)) => self.caught_up(&mut at).await,
                        Err(RecvError::Closed) => break,
                    },
                },
            };
            if let Err(e) = done {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(error = %e, "What forges are to be told cannot be written down: {e}");
                }
                at = Follower::new(SEEN);
                *self.forges.lock().unwrap_or_else(PoisonError::into_inner) = None;
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            } else {
                failing = false;
            }
        }
        if let Err(e) = at.note(&self.store, self.clock.elapsed(), true).await {
            tracing::warn!(error = %e, "How far forges were told could not be noted: {e}");
        }
    }

    async fn caught_up(&self, at: &mut Follower) -> Result<()> {
        if at.is_new() {
            at.begin(&self.store).await?;
        }
        loop {
            let page = at.behind(&self.store).await?;
            if page.is_empty() {
                return at.note(&self.store, self.clock.elapsed(), false).await;
            }
            self.read(at, &page).await?;
        }
    }

    async fn heard(&self, at: &mut Follower, events: &[Event]) -> Result<()> {
        match at.fresh(events) {
            Some(fresh) => self.read(at, fresh).await?,
            None => return self.caught_up(at).await,
        }
        at.note(&self.store, self.clock.elapsed(), false).await
    }

    async fn read(&self, at: &mut Follower, events: &[Event]) -> Result<()> {
        for event in events {
            if event.kind == "repository.saved" {
                *self.forges.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            if let Some(task) = concerns(event) {
                self.write_down(event, task).await?;
            }
            at.passed(event);
        }
        Ok(())
    }

    /// Writes down what is to be told of a task as it is now, if its source is a repository at a forge.
    async fn write_down(&self, event: &Event, id: TaskId) -> Result<()> {
        let forges = self.forges().await?;
        if forges.is_empty() {
            return Ok(());
        }
        let Some(source) = snapshot(&self.store, id).await?.and_then(|s| s.resolved.source) else {
            return Ok(());
        };
        let of_it: Vec<&RepositoryView> = forges.iter().filter(|r| same_place(&r.url, &source.git)).collect();
        let task = match of_it.is_empty() {
            true => None,
            false => view(&self.store, id).await?,
        };
        let Some((task, revision)) = task.and_then(|t| t.revision.clone().map(|r| (t, r))) else {
            return Ok(());
        };
        let payload = Payload {
            revision,
            state: state(task.status),
            target_url: format!("{}/tasks/{id}", self.public_url),
            context: format!("caracal/{}", task.plan.name),
            description: described(&task),
            branch: task.branch.clone(),
        };
        let payload = serde_json::to_string(&payload).unwrap_or_default();
        let new: Vec<NewDelivery> = of_it
            .into_iter()
            .map(|repository| NewDelivery {
                event: event.seq,
                sink: SINK,
                to: repository.id.0,
                task: id,
                key: format!("{SINK}:{}:{id}:{}", repository.id, task.status),
                supersedes: format!("{SINK}:{}:{id}:", repository.id),
                payload: payload.clone(),
            })
            .collect();
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    for one in &new {
                        deliveries::put(tx, one, now).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.bell.notify_one();
        Ok(())
    }

    /// The repositories whose forges can be told something; read anew after one was saved.
    async fn forges(&self) -> Result<Arc<[RepositoryView]>> {
        let known = self.forges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let all = repositories::list(&self.store, ProjectId::DEFAULT).await?;
        let told = |r: &RepositoryView| r.provider != Provider::Generic && r.secret_id.is_some() && !is_local(&r.url);
        let all: Arc<[RepositoryView]> = all.into_iter().filter(told).collect();
        *self.forges.lock().unwrap_or_else(PoisonError::into_inner) = Some(all.clone());
        Ok(all)
    }

    /// Tells what is due.
    async fn tell(&self, stop: &CancellationToken) {
        let mut failing = false;
        loop {
            let pause = match self.turn().await {
                Ok(pause) => {
                    failing = false;
                    pause
                }
                Err(e) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(error = %e, "What forges are to be told cannot be read: {e}");
                    }
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn turn(&self) -> Result<Duration> {
        let now = self.clock.now();
        for waiting in deliveries::due(&self.store, SINK, now, PAGE).await? {
            let Some(busy) = self.take(&waiting) else {
                continue;
            };
            let me = self.clone();
            tokio::spawn(async move {
                let told = me.told(&waiting).await;
                let kept = me.kept(&waiting, told).await;
                drop(busy);
                me.bell.notify_one();
                if let Err(e) = kept {
                    tracing::error!(error = %e, "What a forge answered cannot be kept: {e}");
                }
            });
        }
        let next = deliveries::next_due(&self.store, SINK, now).await?;
        let wait = next
            .map(|at| u64::try_from(at.since(now)).unwrap_or(0))
            .map(Duration::from_millis);
        Ok(wait.unwrap_or(SLEEP).min(SLEEP))
    }

    /// One at a time of each task at each forge: what is told later arrives later.
    fn take(&self, waiting: &Waiting) -> Option<Busy> {
        let of = waiting
            .key
            .rsplit_once(':')
            .map_or(waiting.key.as_str(), |(of, _)| of)
            .to_owned();
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.insert(of.clone()).then(|| Busy {
            key: of,
            of: self.busy.clone(),
        })
    }

    async fn told(&self, waiting: &Waiting) -> Result<Told> {
        let give_up = |why: &str| Ok(Told::GiveUp { why: why.to_owned() });
        let id = RepositoryId(waiting.sink_id.unwrap_or_default());
        let Some(repository) = repositories::one(&self.store, ProjectId::DEFAULT, id).await? else {
            return give_up("The repository is gone.");
        };
        let Ok(payload) = serde_json::from_str::<Payload>(&waiting.payload) else {
            return give_up("What was to be told cannot be read.");
        };
        let token = match self.remotes.of(&repository).await? {
            Ok(remote) => match remote.credentials {
                Some(Credentials::Token { secret, .. }) => secret,
                Some(Credentials::Key { .. }) => {
                    return give_up("A key of ssh opens the repository, but no commit status: that takes a token.");
                }
                None => return give_up("The repository has no secret any more."),
            },
            Err(shut) => return give_up(shut.words()),
        };
        let status = Status {
            revision: payload.revision,
            state: payload.state,
            target_url: payload.target_url,
            context: payload.context,
            description: payload.description,
            branch: payload.branch,
        };
        let place = place(repository.provider, &repository.url, repository.api.as_deref());
        let made = place.and_then(|place| request(repository.provider, &place, &status, &token));
        let sent = match made {
            Ok(made) => Request::telling(&made),
            Err(why) => return give_up(&why),
        };
        let request = match sent {
            Ok(request) => request,
            Err(fault) => return give_up(&fault.sentence),
        };
        let host = place_of(&repository.url).map_or("", |(host, _)| host);
        let again = |why: String| Told::Again { after: None, why };
        Ok(match self.gate.within(host, LONGEST, self.client.send(request)).await {
            Ok(Ok(answer)) => {
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                let header = |name: &str| answer.header(name).map(str::to_owned);
                read(
                    repository.provider,
                    answer.status.as_u16(),
                    header,
                    &body,
                    self.clock.now().0,
                )
            }
            Ok(Err(fault)) => match fault.health() {
                // Nothing that another try could mend.
                _ if fault.kind == crate::outgoing::FaultKind::Refused => Told::GiveUp { why: fault.sentence },
                _ => again(fault.sentence),
            },
            Err(overdue) => again(format!("The forge did not answer: {overdue}.")),
        })
    }

    /// Keeps what came of it, at the row and at the repository.
    async fn kept(&self, waiting: &Waiting, told: Result<Told>) -> Result<()> {
        let now = self.clock.now();
        let told = told.unwrap_or_else(|e| Told::Again {
            after: None,
            why: e.public().to_string(),
        });
        let tries = waiting.tries + 1;
        let pause = PAUSES
            .get(usize::try_from(waiting.tries).unwrap_or(usize::MAX))
            .or(PAUSES.last());
        let (id, repository) = (waiting.id, RepositoryId(waiting.sink_id.unwrap_or_default()));
        let task = waiting.task_id.map(TaskId);
        self.store
            .write(move |tx| {
                let told = told.clone();
                Box::pin(async move {
                    match told {
                        Told::Done => {
                            repositories::used(tx, repository, now).await?;
                            deliveries::done(tx, id, now).await?;
                            tell(tx, repository, task, "repository.told", "", now);
                            Ok(())
                        }
                        Told::Again { after, why } if tries < TRIES => {
                            let wait = after.unwrap_or_default().max(pause.copied().unwrap_or_default());
                            deliveries::failed(tx, id, Some(now.plus(wait)), &why, now).await?;
                            tell(tx, repository, task, "repository.unreached", &why, now);
                            Ok(())
                        }
                        Told::Again { why, .. } | Told::GiveUp { why } => {
                            let said = format!("A commit status was not taken: {why}");
                            repositories::asked(tx, repository, Health::Unauthorised, Some(&said), now).await?;
                            deliveries::failed(tx, id, None, &why, now).await?;
                            tell(tx, repository, task, "repository.refused", &why, now);
                            Ok(())
                        }
                    }
                })
            })
            .await
    }
}

/// News of what became of a status, for the pages of its task and its repository.
fn tell(tx: &mut Tx, repository: RepositoryId, task: Option<TaskId>, kind: &'static str, reason: &str, now: Timestamp) {
    tx.emit(NewEvent {
        task_id: task,
        ..NewEvent::about("repository", repository.0, kind, now, json!({ "reason": reason }))
    });
}

/// One that is told, until this is dropped.
struct Busy {
    key: String,
    of: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// The task whose state an event may have changed.
fn concerns(event: &Event) -> Option<TaskId> {
    let state = event.kind.strip_prefix("task.")?;
    let changes = matches!(state, "created" | "resolved") || state.parse::<TaskStatus>().is_ok();
    (event.subject == "task" && changes).then_some(TaskId(event.subject_id))
}

fn state(status: TaskStatus) -> State {
    match status {
        TaskStatus::Pending => State::Pending,
        TaskStatus::Running => State::Running,
        TaskStatus::Passed | TaskStatus::Skipped => State::Success,
        TaskStatus::Failed | TaskStatus::TimedOut => State::Failure,
        TaskStatus::Aborted | TaskStatus::Lost => State::Error,
    }
}

/// How it fares, in a few words.
fn described(task: &TaskView) -> String {
    let took = task
        .started_at
        .zip(task.finished_at)
        .map(|(from, to)| format!(" after {}", human_duration(to.since(from))));
    let took = took.unwrap_or_default();
    match task.status {
        TaskStatus::Pending if task.awaits_approval => "Waits for a member's approval".into(),
        TaskStatus::Failed if task.jobs.is_empty() => "Its plan could not be read".into(),
        TaskStatus::Pending => "Waits".into(),
        TaskStatus::Running => "Runs".into(),
        TaskStatus::TimedOut => format!("Timed out{took}"),
        other => {
            let word = other.as_str();
            format!("{}{}{took}", word[..1].to_uppercase(), &word[1..])
        }
    }
}
