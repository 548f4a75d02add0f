//! The encodings Leptos asks for: JSON by our own reader.
//!
//! **Invariant:** on the wire it is the same as Leptos's own `JsonEncoding`.

use super::Held;
use super::json::{Unreadable, read};
use codee::{Decoder, Encoder};
use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// JSON, read by [`super::json`].
pub struct Wire;

impl ContentType for Wire {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for Wire {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for Wire {
    type Error = serde_json::Error;

    fn encode(value: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for Wire {
    type Error = Unreadable;

    fn decode(bytes: Bytes) -> Result<T, Unreadable> {
        read(std::str::from_utf8(&bytes).map_err(|_| Unreadable)?)
    }
}

impl Encoder<Held> for Wire {
    type Error = Unreadable;
    type Encoded = String;

    fn encode(held: &Held) -> Result<String, Unreadable> {
        Ok(held.written())
    }
}

impl Decoder<Held> for Wire {
    type Error = Unreadable;
    type Encoded = str;

    fn decode(text: &str) -> Result<Held, Unreadable> {
        Held::of_page(text)
    }
}
