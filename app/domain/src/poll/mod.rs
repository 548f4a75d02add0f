//! What a look at a remote means: what is new since the last one, how the remote is, and when to look again.
//!
//! **Invariant:** a trigger that is new, or whose patterns are, fires nothing for what was there before; what was seen is
//! never new again, though it went away and came back.

mod pace;
#[cfg(feature = "rules")]
mod refs;
mod url;

pub use pace::{first, next};
#[cfg(feature = "rules")]
pub use refs::{Cursor, Found, Kind, MOST, New, Patterns, TooMany, look};
pub use url::{Looked, Page, UrlCursor, Watch, conditions, look_at};
