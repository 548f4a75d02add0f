//! Who gets what (DESIGN §3): `place(agents, waiting, now)` hands waiting jobs to free slots and says, of every job it
//! leaves waiting, why.
//!
//! **Invariant:** no job waits while a slot that fits it is free; a job that fits nowhere holds up nobody.

mod fit;
mod input;
mod plan;
mod why;

#[cfg(test)]
mod simulator;
#[cfg(test)]
mod tests;

pub use fit::fits;
pub use input::{Agent, Busy, Held, Need, Waiting, Wish};
pub use plan::{Placement, Plan, place};
pub use why::Why;
