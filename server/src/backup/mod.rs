//! `caracal backup` and `caracal restore`: the data folder of a running server, copied to where it can be checked and used.
//!
//! Order makes it consistent: first the database (one instant), then the consoles, which only grow and so hold at least
//! what its rows speak of, last the manifest, without which a folder is no backup.
//! **Invariant:** a backup is never overwritten, and nothing is restored that does not match its manifest to the byte.

mod copy;
mod manifest;
mod restore;
mod take;

pub use manifest::{Entry, MANIFEST, Manifest};
pub use restore::restore;
pub use take::take;
