//! Requests that this server makes because somebody wrote an address down: polls, commit status (reliability S21).
//!
//! **Invariant:** nothing is connected to before its address was judged, and the address that was judged is the one
//! connected to.

pub mod address;
