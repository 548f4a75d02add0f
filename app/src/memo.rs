//! Values computed from others, compiled once for each type instead of once for each computation.
//!
//! **Invariant:** the same as `Memo::new`, only smaller.

use leptos::prelude::Memo;

type Compute<T> = Box<dyn Fn(Option<&T>) -> T + Send + Sync>;

/// A value that is computed again when what it reads changes, and tells only when it is another one.
pub fn memo<T: PartialEq + Send + Sync + 'static>(
    compute: impl Fn(Option<&T>) -> T + Send + Sync + 'static,
) -> Memo<T> {
    boxed(Box::new(compute))
}

#[inline(never)]
fn boxed<T: PartialEq + Send + Sync + 'static>(compute: Compute<T>) -> Memo<T> {
    Memo::new(move |last: Option<&T>| compute(last))
}
