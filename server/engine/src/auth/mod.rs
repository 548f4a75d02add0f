//! Sign-in without a database: password hashes, session and token secrets, throttling, the one-time set-up code; and the
//! vault that secrets are sealed in.
//!
//! **Invariant:** nothing here reads a clock; a secret is compared only by its hash, and a password is hashed only behind
//! the gate of `Passwords`.

pub mod keys;
pub mod password;
pub mod rotation;
pub mod secret;
pub mod setup;
pub mod throttle;
pub mod tries;
pub mod vault;
