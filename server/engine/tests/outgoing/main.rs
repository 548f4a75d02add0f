//! Requests on others' behalf, over real sockets and with the real git: what they do, and what nobody can make them do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop there")]

mod backend;
mod client;
mod client_limits;
mod client_tls;
mod forge;
mod git;
mod git_hostile;
mod git_http;
mod page;
mod support;
