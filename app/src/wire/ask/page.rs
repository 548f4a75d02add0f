//! In the browser: `fetch`, as Leptos's own client does it, compiled once for all server functions.
//!
//! **Invariant:** a request whose answer nobody waits for any more is aborted.

use super::Asked;
use crate::error::{Error, Result};
use crate::wire::json::read;
use leptos::server_fn::client::{Client, browser::BrowserClient};
use leptos::server_fn::redirect::call_redirect_hook;
use leptos::server_fn::request::{ClientReq, browser::BrowserRequest};
use leptos::server_fn::response::{ClientRes, browser::BrowserResponse};
use serde::Serialize;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Sends the fields to a server function and waits for the text of its answer.
pub fn ask(path: String, fields: Result<String>, post: bool) -> Asked {
    Box::pin(async move {
        let request = request(&path, fields?, post)?;
        let answer: BrowserResponse = <BrowserClient as Client<Error>>::send(request).await?;
        let status = ClientRes::<Error>::status(&answer);
        let location = ClientRes::<Error>::location(&answer);
        let leads_on = (300..=399).contains(&status) || ClientRes::<Error>::has_redirect(&answer);
        let text = ClientRes::<Error>::try_into_string(answer).await?;
        if (400..=599).contains(&status) {
            return Err(read(&text).unwrap_or_else(|e| Error::Transport(e.to_string())));
        }
        if leads_on {
            call_redirect_hook(&location);
        }
        Ok(text)
    })
}

fn request(path: &str, fields: String, post: bool) -> Result<BrowserRequest> {
    if post {
        BrowserRequest::try_new_post(path, FORM, JSON, fields)
    } else {
        BrowserRequest::try_new_get(path, FORM, JSON, &fields)
    }
}

/// The arguments of a server function as fields of a form.
///
/// # Errors
/// `Transport` for arguments that no form can hold.
pub fn fields<T: Serialize>(arguments: &T) -> Result<String> {
    serde_qs::to_string(arguments).map_err(|e| Error::Transport(e.to_string()))
}

/// In the browser nothing is written for hydration.
pub fn to_hydrate<T>(_value: &T) -> String {
    String::new()
}
