//! What every request passes before its handler, outermost first: fault, trace, headers, size, identity, origin.
//!
//! **Invariant:** no handler of ours reads a cookie or an `Authorization` header; it asks for the viewer.

pub mod fault;
pub mod headers;
pub mod identify;
pub mod origin;
pub mod replay;
pub mod trace;
