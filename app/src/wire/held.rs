//! An answer of the server whose type only its reader knows: made from a value, or from a text that is read when asked for.
//!
//! **Invariant:** it is read as the type it was made from; the value is read from its text once.

use super::json::{Unreadable, read};
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// An answer, or why there is none. Cheap to clone; two are the same when one is a clone of the other.
#[derive(Clone)]
pub struct Held(Arc<Result<Body>>);

struct Body {
    text: String,
    value: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// Marks a good answer in the page; anything else is followed by an error.
const GOOD: char = '+';
const BAD: char = '-';

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Held {
    /// What has been computed here. Where pages are rendered it is written at once, for hydration to read.
    pub fn made<T: Serialize + Send + Sync + 'static>(answer: Result<T>) -> Self {
        Self(Arc::new(answer.map(|value| Body {
            text: super::ask::to_hydrate(&value),
            value: OnceLock::from(Box::new(value) as Box<dyn Any + Send + Sync>),
        })))
    }

    /// What the server has answered, as text.
    pub fn told(answer: Result<String>) -> Self {
        Self(Arc::new(answer.map(|text| Body {
            text,
            value: OnceLock::new(),
        })))
    }

    /// The answer.
    ///
    /// # Errors
    /// The server's refusal; `Transport` for a text that is not of this type.
    pub fn get<T: DeserializeOwned + Clone + Send + Sync + 'static>(&self) -> Result<T> {
        let body = match &*self.0 {
            Ok(body) => body,
            Err(e) => return Err(e.clone()),
        };
        let value = body.value.get_or_init(|| match read::<T>(&body.text) {
            Ok(value) => Box::new(value),
            Err(e) => Box::new(e),
        });
        value
            .downcast_ref::<T>()
            .cloned()
            .ok_or_else(|| Error::Transport(Unreadable.to_string()))
    }

    /// Why there is no answer.
    pub fn error(&self) -> Option<&Error> {
        (*self.0).as_ref().err()
    }

    /// As it stands in a page.
    pub fn written(&self) -> String {
        match &*self.0 {
            Ok(body) => format!("{GOOD}{}", body.text),
            Err(e) => format!("{BAD}{}", serde_json::to_string(e).unwrap_or_default()),
        }
    }

    /// Reads what stands in a page.
    ///
    /// # Errors
    /// When [`Held::written`] has not written it.
    pub fn of_page(text: &str) -> std::result::Result<Self, Unreadable> {
        if let Some(text) = text.strip_prefix(GOOD) {
            return Ok(Self::told(Ok(text.to_owned())));
        }
        let error = text.strip_prefix(BAD).ok_or(Unreadable)?;
        Ok(Self::told(Err(read(error)?)))
    }
}
