//! The app's table of pages beside the table of who may see what.
//!
//! **Invariant:** this test is alone in its process: the framework lists its routes by rendering the app with the loading
//! of data held back everywhere, so a page that another test renders meanwhile would wait for ever.

#[allow(dead_code, reason = "the other rows are for the doors' tests")]
#[path = "it/matrix_table.rs"]
mod matrix_table;

use matrix_table::{PAGES, general};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_page_has_a_row_and_every_row_a_page() {
    let table: BTreeSet<_> = PAGES.iter().map(|(path, ..)| general(path)).collect();
    let pages = leptos_axum::generate_route_list(app::root::App);
    let known: BTreeSet<_> = pages.iter().map(|page| general(page.path())).collect();
    assert_eq!(known, table);
}
