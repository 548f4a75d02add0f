//! What a form does: a server function that changes something, with its state while it is under way.
//!
//! **Invariant:** fields are sent as the form has them, so the server reads the same with a script and without.

use super::Held;
use super::ask::ask;
use crate::error::{Error, Result};
use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::ServerFnUrlError;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::pin::Pin;

/// A server function behind a form; see `components::ActionForm`.
pub struct Deed<F> {
    action: Action<String, Held>,
    of: PhantomData<fn() -> F>,
}

impl<F> Clone for Deed<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Deed<F> {}

impl<F: ServerFn<Error = Error>> Deed<F>
where
    F::Output: DeserializeOwned + Clone + Send + Sync + 'static,
{
    /// Not done yet, or refused where the address says so (a form that was sent without a script).
    pub fn new() -> Self {
        Self {
            action: start(F::PATH),
            of: PhantomData,
        }
    }

    /// How it ended last, if it was done; follows it.
    pub fn answer(&self) -> Option<Result<F::Output>> {
        self.action.value().get().map(|held| held.get())
    }

    /// Why it was refused last, if it was; follows it.
    pub fn error(&self) -> Option<Error> {
        self.action.value().get().and_then(|held| held.error().cloned())
    }
}

impl<F> Deed<F> {
    /// How often it has ended.
    pub fn version(&self) -> RwSignal<usize> {
        self.action.version()
    }

    /// Whether it is under way.
    pub fn pending(&self) -> Memo<bool> {
        self.action.pending()
    }

    /// The same without its type.
    pub fn action(&self) -> Action<String, Held> {
        self.action
    }
}

impl<F: ServerFn<Error = Error>> Default for Deed<F>
where
    F::Output: DeserializeOwned + Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

fn start(path: &'static str) -> Action<String, Held> {
    let refused = use_context::<ServerActionError>()
        .filter(|e| e.path() == path)
        .map(|e| Held::told(Err(ServerFnUrlError::<Error>::decode_err(e.err()))));
    Action::new_with_value(
        refused,
        move |fields: &String| -> Pin<Box<dyn Future<Output = Held> + Send>> {
            let asked = ask(path.to_owned(), Ok(fields.clone()), true);
            Box::pin(async move { Held::told(asked.await) })
        },
    )
}
