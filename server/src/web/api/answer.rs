//! What handlers answer: JSON, a page of a list, a thing just made.
//!
//! **Invariant:** every list has the form `{items, next_cursor}`.

use crate::web::refusal::Refusal;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Error;
use domain::page::{Page, PageQuery};
use serde::Serialize;

/// JSON of one thing, or a refusal.
pub type Answer<T> = Result<Json<T>, Refusal>;

/// A thing just made: 201 with its address.
pub struct Made<T>(pub String, pub T);

impl<T: Serialize> IntoResponse for Made<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, [(header::LOCATION, self.0)], Json(self.1)).into_response()
    }
}

/// A page of a list that is read whole, because it is short. The cursor is the id of the last row seen.
///
/// # Errors
/// `Invalid` when the row of the cursor is gone, or the limit is wrong.
pub fn window<T>(items: Vec<T>, page: &PageQuery, id: impl Fn(&T) -> i64) -> Result<Page<T>, Error> {
    let limit = page.limit()? as usize;
    let from = match page.before()? {
        None => 0,
        Some(last) => items
            .iter()
            .position(|i| id(i) == last)
            .map(|at| at + 1)
            .ok_or_else(|| {
                Error::invalid_field("cursor", "the row it stood at is gone; begin again without a cursor")
            })?,
    };
    let rest = items.len().saturating_sub(from);
    let items: Vec<T> = items.into_iter().skip(from).take(limit).collect();
    let next_cursor = items.last().filter(|_| rest > limit).map(|i| id(i).to_string());
    Ok(Page { items, next_cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_list_once() {
        let query = |cursor: Option<String>| PageQuery { limit: Some(2), cursor };
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = window(vec![9, 4, 7, 1, 3], &query(cursor), |i| *i).expect("a page");
            seen.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [9, 4, 7, 1, 3]);
        assert!(window(vec![9], &query(Some("8".into())), |i| *i).is_err());
    }
}
