//! Events: the append-only news of what changed (DESIGN §4), and the topics a browser can follow.
//!
//! **Invariant:** an event says that something changed and where, never a secret; whoever needs the state reads it.

use crate::{AgentId, PlanId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// One row of `events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Its number; rises for ever.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What happened, as `task.created`, `job.assigned`, `step.finished`, `agent.online`, `plan.saved`.
    pub kind: String,
    /// The kind of thing it happened to: `task`, `job`, `step`, `agent`, `plan`, `user`.
    pub subject: String,
    /// Its id.
    pub subject_id: i64,
    /// The task it belongs to, if any.
    pub task_id: Option<TaskId>,
    /// Who did it, if a person.
    pub actor: Option<String>,
    /// Small facts, by kind; see the writer of each.
    pub body: serde_json::Value,
}

/// What a browser can follow over `/live`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The queue page: tasks, jobs, agents.
    Queue,
    /// One task.
    Task(TaskId),
    /// One plan: its tasks and saves.
    Plan(PlanId),
    /// The agents pages. Beside what is in the table it hears that loads have changed, from time to time, without a number.
    Agents,
    /// The pages of triggers, hooks and repositories: firings, deliveries, saves, health, and what becomes of their tasks.
    Triggers,
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue => f.write_str("queue"),
            Self::Task(id) => write!(f, "task/{id}"),
            Self::Plan(id) => write!(f, "plan/{id}"),
            Self::Agents => f.write_str("agents"),
            Self::Triggers => f.write_str("triggers"),
        }
    }
}

impl std::str::FromStr for Topic {
    type Err = crate::status::UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let unknown = || crate::status::UnknownWord(s.to_owned());
        match s.split_once('/') {
            None if s == "queue" => Ok(Self::Queue),
            None if s == "agents" => Ok(Self::Agents),
            None if s == "triggers" => Ok(Self::Triggers),
            Some(("task", id)) => id.parse().map(Self::Task).map_err(|_| unknown()),
            Some(("plan", id)) => id.parse().map(Self::Plan).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl Topic {
    /// Whether an event belongs to this topic. Plan topics need the plan's id in the body (`plan_id`).
    #[must_use]
    pub fn takes(&self, e: &Event) -> bool {
        match self {
            Self::Queue => matches!(e.subject.as_str(), "task" | "job" | "agent" | "queue"),
            Self::Task(id) => e.task_id == Some(*id),
            Self::Plan(id) => {
                e.subject == "plan" && e.subject_id == id.0
                    || e.subject == "task" && e.body.get("plan_id").and_then(serde_json::Value::as_i64) == Some(id.0)
            }
            Self::Triggers => matches!(e.subject.as_str(), "trigger" | "hook" | "repository" | "task"),
            Self::Agents => {
                matches!(e.subject.as_str(), "agent" | "load")
                    || e.subject == "job" && e.body.get("agent_id").is_some_and(|a| !a.is_null())
            }
        }
    }
}

/// The agent's id in a body, where there is one.
#[must_use]
pub fn agent_of(e: &Event) -> Option<AgentId> {
    e.body.get("agent_id").and_then(serde_json::Value::as_i64).map(AgentId)
}
