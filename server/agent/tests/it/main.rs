//! The agent against a server of the tests, over a real websocket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod checkout;
mod ending;
mod output;
mod registration;
mod support;
mod whole;
