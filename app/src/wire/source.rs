//! What a page reads: a blocking resource that is the same type to Leptos whatever it holds.
//!
//! **Invariant:** it is read again exactly when its key has changed.

use super::{Held, Wire};
use crate::error::Result;
use leptos::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

/// Data of a page, read on the server first and in the browser whenever its key changes.
pub struct Source<T> {
    held: Resource<Held, Wire>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Source<T> {}

type Reading = Pin<Box<dyn Future<Output = Held> + Send>>;

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Source<T> {
    /// Reads with `read` whatever `key` says. A page is not sent before it is there, so its status can be right.
    pub fn new<K, F>(key: impl Fn() -> K + Send + Sync + 'static, read: impl Fn(K) -> F + Send + Sync + 'static) -> Self
    where
        K: PartialEq + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let read = move |key: Key| -> Reading {
            let reading = key.get::<K>().map(&read);
            Box::pin(async move {
                match reading {
                    Some(reading) => Held::made(reading.await),
                    None => std::future::pending().await,
                }
            })
        };
        Self {
            held: open(Box::new(move || Key(Arc::new(key()))), Box::new(read)),
            of: PhantomData,
        }
    }

    /// What has been read, if it is there; follows it.
    pub fn get(&self) -> Option<Result<T>> {
        self.held.get().map(|held| held.get())
    }

    /// What has been read, once it is there.
    pub async fn wait(self) -> Result<T> {
        self.held.await.get()
    }

    /// The same without its type.
    pub fn held(&self) -> Resource<Held, Wire> {
        self.held
    }
}

fn open(
    key: Box<dyn Fn() -> Key + Send + Sync>,
    read: Box<dyn Fn(Key) -> Reading + Send + Sync>,
) -> Resource<Held, Wire> {
    Resource::new_with_options(key, read, true)
}

/// A key of any type.
#[derive(Clone)]
struct Key(Arc<dyn Same>);

impl Key {
    fn get<K: Clone + 'static>(&self) -> Option<K> {
        (*self.0).any().downcast_ref::<K>().cloned()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (*self.0).same((*other.0).any())
    }
}

trait Same: Send + Sync {
    fn any(&self) -> &dyn Any;
    fn same(&self, other: &dyn Any) -> bool;
}

impl<K: PartialEq + Send + Sync + 'static> Same for K {
    fn any(&self) -> &dyn Any {
        self
    }

    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<K>().is_some_and(|other| self == other)
    }
}
