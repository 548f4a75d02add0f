//! The plan document: its checked model, and (behind `document`) the reader of its YAML.
//!
//! **Invariant:** a `Plan` value has passed every check; a text that has not is only ever a list of problems.

#[cfg(feature = "document")]
pub mod document;
mod model;
mod retry;
pub mod view;

pub use model::{Command, Job, Limits, Plan, Source, Step};
pub use retry::{RETRIES_MAX, RETRY_WORDS, Retry, RetryOn};
