//! What the queue page shows, as its address says.
//!
//! **Invariant:** the address is the whole state: it survives reload, sharing and a browser without scripts.

use crate::address::address;
use domain::queue::{QueueItem, RunningItem};
use domain::status::TaskStatus;
use domain::task::TaskQuery;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

/// The page's tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Everything.
    All,
    /// Running jobs.
    Running,
    /// Waiting jobs.
    Waiting,
    /// Waiting jobs that only a person can free.
    Blocked,
    /// Tasks that have ended.
    Finished,
}

impl Tab {
    /// Every tab with its word in the address.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::All, ""),
        (Self::Running, "running"),
        (Self::Waiting, "waiting"),
        (Self::Blocked, "blocked"),
        (Self::Finished, "finished"),
    ];
}

/// The filter; an empty text means "any".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// The tab's word.
    pub is: String,
    /// A task's state.
    pub status: String,
    /// A plan's name or id.
    pub plan: String,
    /// An agent's name or id.
    pub agent: String,
    /// A cause's kind.
    pub cause: String,
    /// A branch.
    pub branch: String,
    /// A build.
    pub build: String,
    /// Free text.
    pub q: String,
    /// Where the previous page ended.
    pub cursor: String,
}

impl Filter {
    /// Names of the fields of the filter's form.
    pub const FIELDS: &'static [&'static str] = &["q", "plan", "status", "agent", "cause", "branch", "build"];

    /// Reads the address.
    #[must_use]
    pub fn of(query: &ParamsMap) -> Self {
        let get = |k| query.get(k).unwrap_or_default().trim().to_owned();
        Self {
            is: get("is"),
            status: get("status"),
            plan: get("plan"),
            agent: get("agent"),
            cause: get("cause"),
            branch: get("branch"),
            build: get("build"),
            q: get("q"),
            cursor: get("cursor"),
        }
    }

    fn pairs(&self) -> [(&'static str, &str); 9] {
        [
            ("is", &self.is),
            ("q", &self.q),
            ("plan", &self.plan),
            ("status", &self.status),
            ("agent", &self.agent),
            ("cause", &self.cause),
            ("branch", &self.branch),
            ("build", &self.build),
            ("cursor", &self.cursor),
        ]
    }

    /// The address with one field changed, from the newest page on.
    #[must_use]
    pub fn with(&self, field: &str, value: &str) -> String {
        let kept = self.pairs().into_iter().filter(|(k, _)| *k != field && *k != "cursor");
        address("/", kept.chain([(field, value)]))
    }

    /// The address of a filled-in form on the same tab.
    #[must_use]
    pub fn filled(&self, fields: &[(&'static str, String)]) -> String {
        address(
            "/",
            [("is", self.is.as_str())]
                .into_iter()
                .chain(fields.iter().map(|(k, v)| (*k, v.as_str()))),
        )
    }

    /// The tab.
    #[must_use]
    pub fn tab(&self) -> Tab {
        Tab::ALL
            .into_iter()
            .find(|(_, word)| *word == self.is)
            .map_or(Tab::All, |(tab, _)| tab)
    }

    /// The fields in use but the tab, as words, each with the address that lets go of it.
    #[must_use]
    pub fn in_use(&self) -> Vec<(String, String)> {
        self.pairs()
            .into_iter()
            .filter(|(k, v)| *k != "is" && *k != "cursor" && !v.is_empty())
            .map(|(k, v)| {
                (
                    if k == "q" {
                        format!("“{v}”")
                    } else {
                        format!("{k}: {v}")
                    },
                    self.with(k, ""),
                )
            })
            .collect()
    }

    /// Whether waiting jobs are shown.
    #[must_use]
    pub fn shows_waiting(&self) -> bool {
        matches!(self.tab(), Tab::All | Tab::Waiting | Tab::Blocked)
            && self.cursor.is_empty()
            && matches!(self.status.as_str(), "" | "pending" | "waiting")
    }

    /// Whether running jobs are shown.
    #[must_use]
    pub fn shows_running(&self) -> bool {
        matches!(self.tab(), Tab::All | Tab::Running)
            && self.cursor.is_empty()
            && matches!(self.status.as_str(), "" | "running")
    }

    /// Whether tasks are shown.
    #[must_use]
    pub fn shows_tasks(&self) -> bool {
        matches!(self.tab(), Tab::All | Tab::Finished)
    }

    /// Whether a waiting job is wanted.
    #[must_use]
    pub fn takes_waiting(&self, i: &QueueItem) -> bool {
        (self.tab() != Tab::Blocked || i.reason_code.blocked())
            && self.takes(&i.plan, i.branch.as_deref(), i.cause.kind.as_str(), i.task_id.0)
            && (self.agent.is_empty() || i.agents.iter().any(|a| a.fits && self.names_agent(a.id.0, &a.name)))
    }

    /// Whether a running job is wanted.
    #[must_use]
    pub fn takes_running(&self, i: &RunningItem) -> bool {
        self.takes(&i.plan, i.branch.as_deref(), i.cause.kind.as_str(), i.task_id.0)
            && (self.agent.is_empty() || i.agent.as_ref().is_some_and(|a| self.names_agent(a.id.0, &a.name)))
    }

    fn names_agent(&self, id: i64, name: &str) -> bool {
        self.agent == name || self.agent == id.to_string()
    }

    fn takes(&self, plan: &str, branch: Option<&str>, cause: &str, task: i64) -> bool {
        let is = |want: &str, have: &str| want.is_empty() || want == have;
        let text = self.q.trim_start_matches('#').to_lowercase();
        is(&self.plan, plan)
            && is(&self.branch, branch.unwrap_or_default())
            && is(&self.cause, cause)
            && (text.is_empty()
                || plan.to_lowercase().contains(&text)
                || branch.is_some_and(|b| b.to_lowercase().contains(&text))
                || task.to_string() == text)
    }

    /// What is asked of the tasks' list.
    #[must_use]
    pub fn task_query(&self) -> TaskQuery {
        let one = |v: &str| if v.is_empty() { vec![] } else { vec![v.to_owned()] };
        let status = match self.status.as_str() {
            "" if self.tab() == Tab::Finished => TaskStatus::ALL
                .iter()
                .filter(|s| s.ended())
                .map(ToString::to_string)
                .collect(),
            s => one(s),
        };
        TaskQuery {
            status,
            plan: one(&self.plan),
            agent: one(&self.agent),
            cause: one(&self.cause),
            branch: one(&self.branch),
            build: one(&self.build),
            q: (!self.q.is_empty()).then(|| self.q.clone()),
            page: domain::page::PageQuery {
                // Tabs without the list still read it through the same port.
                limit: Some(if self.shows_tasks() { 50 } else { 1 }),
                cursor: (!self.cursor.is_empty()).then(|| self.cursor.clone()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pairs: &[(&str, &str)]) -> Filter {
        Filter::of(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn a_change_keeps_the_rest_and_starts_at_the_newest() {
        let f = filter(&[("is", "finished"), ("plan", "ledger"), ("cursor", "77")]);
        assert_eq!(f.with("branch", "main"), "/?is=finished&plan=ledger&branch=main");
        assert_eq!(f.with("plan", ""), "/?is=finished");
        assert_eq!(f.with("is", ""), "/?plan=ledger");
        assert_eq!(f.with("cursor", "12"), "/?is=finished&plan=ledger&cursor=12");
        assert_eq!(f.filled(&[("q", "a b".into())]), "/?is=finished&q=a%20b");
    }

    #[test]
    fn a_finished_tab_asks_for_every_end_and_nothing_else() {
        let q = filter(&[("is", "finished")]).task_query();
        assert!(!q.status.iter().any(|s| s == "pending" || s == "running"));
        assert_eq!(q.status.len(), 6);
        assert_eq!(
            filter(&[("is", "finished"), ("status", "failed")]).task_query().status,
            ["failed"]
        );
        assert!(filter(&[]).task_query().status.is_empty());
    }

    #[test]
    fn sections_follow_tab_status_and_page() {
        for (pairs, want) in [
            (&[][..], (true, true, true)),
            (&[("is", "running")], (false, true, false)),
            (&[("is", "blocked")], (true, false, false)),
            (&[("status", "failed")], (false, false, true)),
            (&[("cursor", "9")], (false, false, true)),
        ] {
            let f = filter(pairs);
            assert_eq!(
                (f.shows_waiting(), f.shows_running(), f.shows_tasks()),
                want,
                "{pairs:?}"
            );
        }
    }
}
