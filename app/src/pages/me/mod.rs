//! Oneself: role, theme, API tokens, signing out.
//!
//! **Invariant:** a token's secret is shown once, in the answer that made it, and is nowhere else.

pub mod api;
mod show;
mod tokens;

pub use show::MeShow;
