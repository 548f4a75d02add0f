//! What can be asked of a server, one trait per noun. `engine::services` implements and authorises; server functions and
//! REST handlers are thin doors to the same objects.
//!
//! **Invariant:** every method takes the viewer first and decides by `auth::authorize`, except those of `Access` that make
//! a viewer in the first place, and `Badges::look`, which a plan's key opens too.

mod access;
mod badges;
mod console;
mod repositories;
mod secrets;
mod triggers;
mod work;

pub use access::{Access, Client, MeView, NewSession, NewToken, Replay, ReplayKey, TokenView, UserView};
pub use badges::{Badges, Seen};
pub use console::{ByteStream, Console, Piece, Slice, Whole};
pub use repositories::Repositories;
pub use secrets::Secrets;
pub use triggers::{Hooks, Triggers};
pub use work::{Agents, Events, Plans, Queue, Tasks, Wake};

use std::sync::Arc;

/// Every port, handed to both doors.
#[derive(Clone)]
pub struct Ports {
    /// Plans.
    pub plans: Arc<dyn Plans>,
    /// Tasks.
    pub tasks: Arc<dyn Tasks>,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Agents.
    pub agents: Arc<dyn Agents>,
    /// Consoles.
    pub console: Arc<dyn Console>,
    /// Sign-in, users, tokens.
    pub access: Arc<dyn Access>,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Triggers and their firings.
    pub triggers: Arc<dyn Triggers>,
    /// Hooks.
    pub hooks: Arc<dyn Hooks>,
    /// Repositories.
    pub repositories: Arc<dyn Repositories>,
    /// Badges.
    pub badges: Arc<dyn Badges>,
    /// News.
    pub events: Arc<dyn Events>,
}
