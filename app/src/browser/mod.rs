//! The little that pages ask of the browser itself: its clock, its time zone, the theme of the open page, the clipboard.
//!
//! **Invariant:** both halves have the same functions; on the server they know nothing and do nothing, so no view may
//! depend on them before an `Effect` has run (titles may: both halves say the same).

#[cfg(feature = "hydrate")]
mod page;
#[cfg(feature = "hydrate")]
pub use page::*;

#[cfg(not(feature = "hydrate"))]
mod server;
#[cfg(not(feature = "hydrate"))]
pub use server::*;

/// Calendar fields of an instant in the reader's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Days since the epoch, counted in local time.
    pub day: i64,
    /// Day of the week, 0 is Sunday.
    pub weekday: usize,
    /// Year.
    pub year: i64,
    /// Month, 0 to 11.
    pub month: usize,
    /// Day of the month.
    pub date: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
}
