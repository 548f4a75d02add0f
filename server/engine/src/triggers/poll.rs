//! Polls: looks at repositories and pages, and what is new there.
//!
//! **Invariant:** where a look ended and what it fired are one write; a remote that hangs holds up nobody but those who
//! wait for the same host.

use super::start::{Decided, Fired, Occasion, Starter, cause_of, judged, placed, write};
use crate::outgoing::client::{Client, Request};
use crate::outgoing::gate::HostGate;
use crate::outgoing::git::{Git, Remote};
use crate::outgoing::page::look as look_at_page;
use crate::outgoing::{Fault, FaultKind};
use crate::remotes::Remotes;
use crate::store::triggers::{Moved, Trigger, moved};
use crate::store::{Result, repositories, triggers};
use domain::git::{Named, called, place_of};
use domain::health::Health;
use domain::poll::{self, Cursor, New, Patterns, UrlCursor, Watch};
use domain::time::human_duration;
use domain::trigger::{Config, HealthState, Kind, Poll};
use domain::webhook::Event;
use domain::{Timestamp, TriggerId};
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// At once to one host, and to all of them.
const AT_ONCE: (usize, usize) = (4, 32);
/// The longest a look may take, with what has to be fetched.
const LONGEST: Duration = Duration::from_secs(180);
/// Triggers that are taken at once.
const PAGE: i64 = 500;
/// Most commits of one look that are told one by one.
const COMMITS: u32 = 50;

/// Looks at remotes. Cheap to clone.
#[derive(Clone)]
pub struct Looker {
    git: Git,
    client: Client,
    gate: HostGate,
    remotes: Remotes,
    /// Those that are looked at.
    busy: Arc<Mutex<HashSet<TriggerId>>>,
    /// Rung when one has ended.
    pub(super) ended: Arc<Notify>,
}

/// What a look found.
struct Seen {
    /// What to keep for the next one.
    cursor: String,
    /// In words.
    said: String,
    /// What is new: the end of the key, and what happened.
    new: Vec<(String, Event)>,
}

/// What came of a look, for who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// In words: what was found, or why nothing could be.
    pub said: std::result::Result<String, String>,
    /// What was fired.
    pub fired: Vec<domain::FiringId>,
}

impl Looker {
    /// One that asks with these.
    #[must_use]
    pub fn new(git: Git, client: Client, remotes: Remotes) -> Self {
        Self {
            git,
            client,
            gate: HostGate::new(AT_ONCE.0, AT_ONCE.1),
            remotes,
            busy: Arc::default(),
            ended: Arc::default(),
        }
    }

    fn take(&self, id: TriggerId) -> Option<Busy> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.insert(id).then(|| Busy {
            id,
            of: self.busy.clone(),
        })
    }

    async fn look(&self, trigger: &Trigger, poll: &Poll) -> std::result::Result<Seen, Fault> {
        let remote = match (&poll.git, poll.repository_id) {
            (Some(url), _) => Some(Remote::open(url)),
            (None, Some(id)) => {
                let found = self.remotes.by_id(id).await.map_err(ours)?;
                Some(found.map_err(|shut| Fault::new(FaultKind::Refused, shut.words().to_owned()))?)
            }
            (None, None) => None,
        };
        let url = remote.as_ref().map(|r| r.url.as_str()).or(poll.url.as_deref());
        let host = host(url.unwrap_or_default());
        let look = async {
            match (&remote, &poll.url) {
                (Some(remote), _) => self.repository(trigger, poll, remote).await,
                (None, Some(url)) => self.page(trigger, poll, url).await,
                (None, None) => Err(Fault::new(
                    FaultKind::Refused,
                    "The poll names nothing to look at.".to_owned(),
                )),
            }
        };
        let overdue = || {
            let took = human_duration(i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX));
            Fault::new(FaultKind::Unreachable, format!("{host} did not answer within {took}."))
        };
        self.gate
            .within(&host, LONGEST, look)
            .await
            .unwrap_or_else(|_| Err(overdue()))
    }

    async fn repository(&self, trigger: &Trigger, poll: &Poll, remote: &Remote) -> std::result::Result<Seen, Fault> {
        let refs: Vec<Named> = self.git.refs(remote).await?;
        // One that does not read is as none: the present heads are a start.
        let before: Option<Cursor> = trigger.cursor.as_deref().and_then(|c| serde_json::from_str(c).ok());
        let found = poll::look(before.as_ref(), &refs, &Patterns::of(poll), poll.commits)
            .map_err(|e| Fault::new(FaultKind::TooLarge, e.to_string()))?;
        let mut new = Vec::new();
        for one in &found.new {
            new.extend(self.told(remote, one).await?);
        }
        let said = match (found.cursor.len(), new.len()) {
            (0, _) => "looked, and nothing matches the patterns".to_owned(),
            (1, 0) => "looked at 1 branch or tag".to_owned(),
            (n, 0) => format!("looked at {n} branches and tags"),
            (_, 1) => "found 1 new commit".to_owned(),
            (_, n) => format!("found {n} new commits"),
        };
        let cursor = serde_json::to_string(&found.cursor).unwrap_or_default();
        Ok(Seen { cursor, said, new })
    }

    /// What happened to a branch or tag: one event, or one a commit.
    async fn told(&self, remote: &Remote, new: &New) -> std::result::Result<Vec<(String, Event)>, Fault> {
        let branch = new.kind == poll::Kind::Branch;
        let event = |revision: &str| Event {
            kind: if branch { "push" } else { "tag" }.into(),
            branch: branch.then(|| new.name.clone()),
            tag: (!branch).then(|| new.name.clone()),
            revision: Some(revision.to_owned()),
            repository: Some(called(&remote.url).to_owned()),
            payload: json!({ "ref": new.name, "before": new.old, "after": new.new }),
            ..Event::default()
        };
        let history = self
            .git
            .commits_between(remote, new.old.as_deref(), &new.new, COMMITS)
            .await?;
        let mut events = Vec::new();
        let mut all = Vec::new();
        for commit in history.commits {
            let paths = commit.paths.unwrap_or_default();
            all.extend(paths.iter().cloned());
            events.push(Event {
                message: Some(commit.is.message),
                author: Some(commit.is.author),
                paths,
                ..event(&commit.is.revision)
            });
        }
        if !new.each {
            // The newest alone, with all that changed since the last look.
            all.sort();
            all.dedup();
            let newest = events.pop().unwrap_or_else(|| event(&new.new));
            events = vec![Event {
                revision: Some(new.new.clone()),
                paths: all,
                ..newest
            }];
        }
        let named = |e: Event| (format!("{}:{}", new.name, e.revision.as_deref().unwrap_or_default()), e);
        Ok(events.into_iter().map(named).collect())
    }

    async fn page(&self, trigger: &Trigger, poll: &Poll, url: &str) -> std::result::Result<Seen, Fault> {
        let watch = Watch::of(poll);
        let before: Option<UrlCursor> = trigger.cursor.as_deref().and_then(|c| serde_json::from_str(c).ok());
        let looked = look_at_page(&self.client, Request::get(url), &watch, before.as_ref()).await?;
        let event = Event {
            kind: "changed".into(),
            payload: json!({ "url": url, "digest": looked.revision }),
            ..Event::default()
        };
        Ok(Seen {
            cursor: serde_json::to_string(&looked.cursor).unwrap_or_default(),
            said: if looked.changed {
                "it has changed".into()
            } else {
                "looked, and nothing changed".into()
            },
            new: if looked.changed {
                vec![(looked.revision, event)]
            } else {
                Vec::new()
            },
        })
    }
}

/// One that is looked at, until this is dropped.
struct Busy {
    id: TriggerId,
    of: Arc<Mutex<HashSet<TriggerId>>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// A fault of our own, while a look was made ready.
fn ours(error: crate::store::Error) -> Fault {
    Fault::new(FaultKind::Ours, error.public().to_string())
}

/// Whom a look asks.
fn host(url: &str) -> String {
    place_of(url).map_or("this machine", |(host, _)| host).to_owned()
}

impl Starter {
    /// Begins the looks that are due; answers how many.
    pub(crate) async fn polls(&self, looker: &Looker) -> Result<usize> {
        if self.space.refusal().is_some() {
            return Ok(0);
        }
        let due = triggers::due(&self.store, Kind::Poll, self.clock.now(), PAGE).await?;
        let mut begun = 0;
        for trigger in due {
            let Some(busy) = looker.take(trigger.id) else {
                continue;
            };
            begun += 1;
            let (me, looker) = (self.clone(), looker.clone());
            tokio::spawn(async move {
                let looked = me.look(&looker, &trigger).await;
                drop(busy);
                looker.ended.notify_one();
                if let Err(e) = looked {
                    tracing::error!(trigger.id = %trigger.id, error = %e, "What a look of {} found cannot be kept: {e}", trigger.name);
                }
            });
        }
        Ok(begun)
    }

    /// Looks now, whatever is due; `None` while it is looked at already.
    pub(crate) async fn check(&self, looker: &Looker, trigger: &Trigger) -> Result<Option<Looked>> {
        let Some(_busy) = looker.take(trigger.id) else {
            return Ok(None);
        };
        self.look(looker, trigger).await.map(Some)
    }

    async fn look(&self, looker: &Looker, trigger: &Trigger) -> Result<Looked> {
        let Config::Poll(poll) = &trigger.config else {
            let said = Err("This trigger does not look at anything.".to_owned());
            return Ok(Looked {
                said,
                fired: Vec::new(),
            });
        };
        let seen = looker.look(trigger, poll).await;
        let now = self.clock.now();
        let every = poll.every_ms().unwrap_or(60_000);
        let next_at = trigger.enabled.then(|| poll::next(now, every, trigger.id.0));
        let health = match &seen {
            Ok(_) => (Health::Healthy, None),
            Err(fault) => (fault.health(), Some(fault.sentence.clone())),
        };
        let repository = poll.repository_id;
        let (to, said, decided) = match seen {
            Ok(seen) => {
                let plans = self.plans(std::slice::from_ref(trigger)).await?;
                let plan = plans.get(&trigger.plan);
                let decide = |(key, event): (String, Event)| judged(trigger, plan, occasion(trigger, key, event));
                let decided: Vec<Decided> = seen.new.into_iter().map(decide).collect();
                let to = standing(
                    trigger,
                    Some(seen.cursor),
                    next_at,
                    HealthState::Well,
                    seen.said.clone(),
                );
                (to, Ok(seen.said), decided)
            }
            Err(fault) => {
                let to = standing(trigger, None, next_at, HealthState::Unwell, fault.sentence.clone());
                (to, Err(fault.sentence), Vec::new())
            }
        };
        if !decided.is_empty() {
            failpoint::reached("server.detected");
        }
        let (id, version, clock, terms) = (trigger.id, trigger.version, self.clock.clone(), self.terms.clone());
        let (fired, effects) = self
            .store
            .write(move |tx| {
                let (decided, to, terms, now) = (decided.clone(), to.clone(), terms.clone(), clock.now());
                let (health, said) = health.clone();
                Box::pin(async move {
                    if let Some(repository) = repository {
                        repositories::asked(tx, repository, health, said.as_deref(), now).await?;
                    }
                    if !moved(tx, id, version, &to, now).await? {
                        // Somebody saved or removed it: what was found is not what it looks for any more.
                        return Ok((Vec::new(), Vec::new()));
                    }
                    let (mut fired, mut effects) = (Vec::<Fired>::new(), Vec::new());
                    for one in &decided {
                        fired.push(write(tx, one, &mut effects, now).await?);
                    }
                    effects.extend(placed(tx, &fired, &terms, now).await?);
                    Ok((fired, effects))
                })
            })
            .await?;
        let firings = fired.iter().filter_map(|f| f.firing).collect();
        self.follow(&fired, effects);
        Ok(Looked { said, fired: firings })
    }
}

/// Where a trigger stands after a look; one that failed leaves the cursor.
fn standing(
    trigger: &Trigger,
    cursor: Option<String>,
    next_at: Option<Timestamp>,
    health: HealthState,
    said: String,
) -> Moved {
    Moved {
        cursor: cursor.or_else(|| trigger.cursor.clone()),
        next_at,
        health,
        said: Some(said),
    }
}

/// What was found, as an occasion. The look before it tells one that comes back from one that is told twice.
fn occasion(trigger: &Trigger, key: String, event: Event) -> Occasion {
    let title = match event.kind.as_str() {
        "push" => format!("New commit on {}", event.branch.as_deref().unwrap_or_default()),
        "tag" => format!("New tag {}", event.tag.as_deref().unwrap_or_default()),
        _ => "It has changed".to_owned(),
    };
    let before = trigger.looked_at.map_or(0, |t| t.0);
    Occasion {
        key: format!("seen:{key}:{before}"),
        scheduled_for: None,
        delivery: None,
        cause: cause_of(&event, title),
        event,
        replay_of: None,
        forced: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_names_are_read_off_addresses() {
        for (url, whom, name) in [
            (
                "https://git.example:8443/money/ledger.git",
                "git.example",
                "money/ledger",
            ),
            ("ssh://git@git.example/money/ledger", "git.example", "money/ledger"),
            ("git@git.example:money/ledger.git", "git.example", "money/ledger"),
            ("/srv/git/app.git", "this machine", "git/app"),
            ("file:///srv/git/app.git", "this machine", "git/app"),
        ] {
            assert_eq!((host(url).as_str(), called(url)), (whom, name), "{url}");
        }
    }
}
