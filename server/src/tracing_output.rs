//! Our own tracing: lines on standard error, levels by `CARACAL_LOG`.
//!
//! **Invariant:** output of steps never goes here, and no line holds a secret.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts it; a second call changes nothing.
pub fn start() {
    let wanted = std::env::var("CARACAL_LOG").unwrap_or_else(|_| "info".into());
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
