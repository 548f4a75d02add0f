//! Where pages are rendered: server functions are called directly, and what hydration needs is written.
//!
//! **Invariant:** nothing here touches the network.

use super::Asked;
use crate::error::{Error, Result};
use serde::Serialize;

/// Never sent from here.
pub fn ask(_path: String, _fields: Result<String>, _post: bool) -> Asked {
    Box::pin(async { Err(Error::Transport("only a browser asks".into())) })
}

/// Never sent from here.
///
/// # Errors
/// Never.
pub fn fields<T: Serialize>(_arguments: &T) -> Result<String> {
    Ok(String::new())
}

/// The text from which hydration reads the value.
pub fn to_hydrate<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
