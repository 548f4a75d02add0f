//! In the bundle of a release: each page stands in a chunk of its own.
//!
//! **Invariant:** the same names as in `whole`.

macro_rules! pages {
    ($($chunk:ident: $page:ident $there:ident $view:path),* $(,)?) => {$(
        #[leptos::wasm_split::wasm_split($chunk, wasm_split_path = leptos::wasm_split, preload($there), fallible)]
        /// The page, once its chunk is there.
        pub fn $page() -> Result<AnyView, Missing> {
            Ok($view().into_any())
        }
    )*};
}

impl From<leptos::wasm_split::SplitLoaderError> for super::Missing {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}
