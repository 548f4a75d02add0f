//! How git is called (DESIGN §10, reliability S22): what may be asked, the calls as argument lists with their whole
//! environment, and how their answers are read. The engine and the agent run them; nothing here does.
//!
//! **Invariant:** no URL, branch or revision reaches git unless `check_*` has passed it, and never as an option.

mod answer;
mod call;
mod check;
mod history;
mod mirror;

pub use answer::{Commit, Head, diagnose, explain, needs_all, parse_log, parse_ls_remote, redirects};
pub use call::{Checkout, GitCall, Way, ls_remote};
pub use check::{called, check_path, check_ref, check_revision, check_url, is_local, path_of, place_of};
pub use history::{Entry, Logged, Named, parse_changes, parse_entry, parse_history, parse_refs};
pub use mirror::{Mirror, ls_refs};
