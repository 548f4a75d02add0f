//! The words, rules and ports of Caracal, shared by the browser and every program of ours.
//!
//! **Invariant:** nothing here does I/O, reads a clock or draws randomness; it all compiles to WASM, and what is heavy
//! (YAML, rules, time zones, the port traits, OpenAPI) stands behind a feature.

pub mod agent;
pub mod auth;
pub mod badge;
pub mod console;
#[cfg(feature = "cron")]
pub mod cron;
pub mod error;
pub mod event;
pub mod forge;
pub mod git;
pub mod health;
pub mod id;
pub mod label;
pub mod lifecycle;
pub mod live;
#[cfg(any(feature = "document", feature = "rules"))]
mod nearest;
pub mod page;
pub mod placement;
pub mod plan;
pub mod poll;
#[cfg(feature = "ports")]
pub mod ports;
pub mod queue;
pub mod repository;
#[cfg(feature = "rules")]
pub mod rule;
pub mod secret;
pub mod status;
pub mod task;
pub mod time;
pub mod trigger;
#[cfg(feature = "rules")]
pub mod webhook;

pub use error::{Error, Problem, Result};
pub use id::{
    AgentId, AgentTokenId, AttemptId, DeliveryId, FiringId, HookId, JobId, PlanId, ProjectId, RepositoryId, SecretId,
    StepId, TaskId, TokenId, TriggerId, UserId,
};
pub use time::Timestamp;
