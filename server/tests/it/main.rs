//! The doors from outside: a whole server in memory, spoken to over HTTP and its sockets.
//!
//! **Invariant:** every test has a server and a data folder of its own, and its clock stands still until it is moved.

// A test that meets the impossible shall stop with a word.
#![allow(clippy::unwrap_used)]

mod audit;
#[path = "../../engine/tests/outgoing/backend.rs"]
mod backend;
mod backup;
mod badges;
mod browser;
mod clocks;
mod command_line;
mod forks;
mod hooks;
mod hostile;
mod hostile_table;
mod house;
mod idempotency;
mod killed;
mod live;
mod matrix;
mod matrix_table;
mod paths;
mod private;
mod problems;
mod program;
mod ranges;
mod remote;
mod secret_commands;
mod secrets;
mod sign_in;
mod sockets;
