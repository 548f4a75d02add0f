//! On the server, and in a bundle for development: everything is there.
//!
//! **Invariant:** the same names as in `split`.

macro_rules! pages {
    ($($chunk:ident: $page:ident $there:ident $view:path),* $(,)?) => {$(
        /// Is there.
        pub async fn $there() -> Result<(), Missing> {
            Ok(())
        }
        /// The page.
        pub async fn $page() -> Result<AnyView, Missing> {
            Ok($view().into_any())
        }
    )*};
}
