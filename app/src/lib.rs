//! The pages of Caracal: rendered on the server, live after hydration, usable without a script.
//!
//! How a server mounts it (all in `ssr`): [`context::Visit`] is provided for every request to a page or server function;
//! [`root::App`] holds the table of pages, they are rendered with [`root::shell`], server
//! functions live under `/ui`, and whatever matches nothing else is rendered by [`root::App`] too, which answers 404.
//!
//! **Invariant:** pages reach the product only through `domain::ports`, in server functions; `cfg` stands on module
//! declarations alone, so that both worlds render the same tree.

// Views are deep generic types; the default limit is for shallower ones.
#![recursion_limit = "512"]

pub mod address;
pub mod browser;
pub mod chunks;
pub mod components;
#[cfg(feature = "ssr")]
pub mod context;
pub mod editor;
pub mod error;
pub mod layout;
pub mod live;
mod memo;
pub mod pages;
pub mod root;
#[cfg(feature = "ssr")]
mod shelf;
pub mod wire;

pub use error::Error;
