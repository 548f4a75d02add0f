//! Keyset pages: newest first, bounded, with an opaque cursor.
//!
//! **Invariant:** a cursor names the last row seen, never an offset, so pages neither skip nor repeat while rows arrive.

use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// Hand this back as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// Which page is wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageQuery {
    /// Rows wanted, 1 to 200; 50 when absent.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Where the previous page ended.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// Most rows a page holds.
    pub const MAX: u32 = 200;

    /// The checked limit.
    ///
    /// # Errors
    /// `Invalid` when it is 0 or over 200.
    pub fn limit(&self) -> crate::Result<u32> {
        match self.limit {
            None => Ok(50),
            Some(n @ 1..=Self::MAX) => Ok(n),
            Some(n) => Err(crate::Error::invalid_field(
                "limit",
                format!("{n} is not between 1 and 200"),
            )),
        }
    }

    /// The id before which the page starts, if any.
    ///
    /// # Errors
    /// `Invalid` when the cursor is not one of ours.
    pub fn before(&self) -> crate::Result<Option<i64>> {
        self.cursor
            .as_deref()
            .filter(|c| !c.is_empty())
            .map(|c| {
                c.parse().map_err(|_| {
                    crate::Error::invalid_field("cursor", "use `next_cursor` of the previous page as it is")
                })
            })
            .transpose()
    }
}
