//! In the browser: which chunks are there, and loading of the others.
//!
//! **Invariant:** nothing is hydrated before its chunk is there; a page that cannot be loaded is asked from the server whole.

use super::*;
use crate::browser;
use std::cell::RefCell;
use wasm_bindgen_futures::spawn_local;

/// Milliseconds after which the other chunks are loaded, so that a click finds them.
const IDLE: u32 = 1_500;

/// The chunk of a path; none for what is in the main module.
fn chunk_of(path: &str) -> Option<&'static str> {
    match path.split('/').find(|part| !part.is_empty())? {
        "tasks" => Some("tasks"),
        _ => Some("rest"),
    }
}

macro_rules! fetch {
    ($($chunk:ident: $page:ident $there:ident $view:path),* $(,)?) => {
        /// Fetches a chunk. One load brings it; each of its pages must still be told.
        async fn fetch(chunk: &str) -> Result<(), Missing> {
            $(if chunk == stringify!($chunk) {
                told($there().await)?;
            })*
            Ok(())
        }
    };
}
all!(fetch);

fn told<E: Into<Missing>>(there: Result<(), E>) -> Result<(), Missing> {
    there.map_err(Into::into)
}

/// A path of every chunk.
const PATHS: [&str; 2] = ["/tasks", "/plans"];

thread_local! {
    static THERE: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn is_there(chunk: &'static str) -> bool {
    THERE.with_borrow(|all| all.contains(&chunk))
}

async fn load(path: &str) -> bool {
    let Some(chunk) = chunk_of(path) else { return true };
    if is_there(chunk) {
        return true;
    }
    let there = fetch(chunk).await.is_ok();
    if there {
        THERE.with_borrow_mut(|all| all.push(chunk));
    }
    there
}

/// Calls `hydrate` when the chunk of the open page is there; without it the page stays as it is without a script.
pub fn start(hydrate: impl FnOnce() + 'static) {
    spawn_local(async move {
        let path = window().location().pathname().unwrap_or_default();
        if !load(&path).await {
            return;
        }
        hydrate();
        gloo_timers::future::TimeoutFuture::new(IDLE).await;
        for path in PATHS {
            load(path).await;
        }
    });
}

/// Whether the chunk of a path is there; loads it if not.
pub fn when_there(path: &'static str) -> Signal<bool> {
    if chunk_of(path).is_none_or(is_there) {
        return Signal::stored(true);
    }
    let there = RwSignal::new(false);
    spawn_local(async move {
        if load(path).await {
            // The page may have been left meanwhile.
            let _ = there.try_set(true);
        } else {
            browser::load_again();
        }
    });
    there.into()
}
