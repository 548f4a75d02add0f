//! The frame around every page: rail, live mark, user menu, theme; and what every page may know of its viewer.
//!
//! **Invariant:** the frame works without a script; a script only keeps its figures fresh.

mod admin_tabs;
pub mod api;
mod frame;
mod live_mark;
mod me;
mod rail;
mod theme;
mod user_menu;

pub use admin_tabs::AdminTabs;
pub use frame::Frame;
pub use live_mark::LiveMark;
pub use me::{FrameView, IfMay, use_me};
pub use theme::{Theme, ThemeChoice};
pub use user_menu::{Account, SignOut};
