//! Triggers: what starts tasks by itself.
//!
//! **Invariant:** nothing that came from outside is stored before it has proved where it came from.

pub mod signature;
