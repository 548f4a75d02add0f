//! The first page: what waits and why, what runs, what ended.
//!
//! **Invariant:** everything shown was read at one `seq`, and the page follows the queue from there.

pub mod api;
mod figures;
mod filter;
mod filter_bar;
mod running;
mod show;
mod tasks;
mod waiting;

pub use show::QueueShow;
