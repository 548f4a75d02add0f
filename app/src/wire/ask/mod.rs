//! Asking the server: one request for every server function.
//!
//! **Invariant:** both halves have the same functions; where pages are rendered nothing is asked over the network.

#[cfg(feature = "hydrate")]
mod page;
#[cfg(feature = "hydrate")]
pub use page::*;

#[cfg(not(feature = "hydrate"))]
mod server;
#[cfg(not(feature = "hydrate"))]
pub use server::*;

use crate::error::Result;
use std::pin::Pin;

/// An answer on its way.
pub type Asked = Pin<Box<dyn Future<Output = Result<String>> + Send>>;
