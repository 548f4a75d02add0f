//! What travels between a page and its server: the answers of server functions and what hydration starts from.
//!
//! **Invariant:** the browser reads JSON in one way ([`json::read`]), each type once, and writes only what it sends; what
//! a page waits for is a [`Held`] to Leptos, whatever its type, so that resources and actions are compiled once.

mod ask;
mod codec;
mod deed;
mod held;
pub mod json;
mod protocol;
mod source;

pub use codec::Wire;
pub use deed::Deed;
pub use held::Held;
pub use protocol::{Get, Post};
pub use source::Source;
