//! How server functions are called: as `Http<GetUrl, Json>` and `Http<PostUrl, Json>`, but compiled to less.
//!
//! **Invariant:** the server cannot tell the difference.

use super::ask::{ask, fields};
use super::json::read;
use crate::error::{Error, Result};
use leptos::server_fn::client::Client;
use leptos::server_fn::codec::{GetUrl, Json, PostUrl};
use leptos::server_fn::server::Server;
use leptos::server_fn::{Http, Protocol};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads something: arguments in the address.
pub struct Get;

/// Changes something: arguments in the body, as a form sends them.
pub struct Post;

macro_rules! protocol {
    ($name:ident, $input:ident, $post:literal) => {
        impl<I, O, C, S> Protocol<I, O, C, S, Error> for $name
        where
            C: Client<Error>,
            S: Server<Error>,
            I: Serialize + Send,
            O: DeserializeOwned + Send,
            Http<$input, Json>: Protocol<I, O, C, S, Error>,
        {
            const METHOD: http::Method = <Http<$input, Json> as Protocol<I, O, C, S, Error>>::METHOD;

            fn run_server<F, A>(
                request: S::Request,
                server_fn: F,
            ) -> impl Future<Output = std::result::Result<S::Response, Error>> + Send
            where
                F: Fn(I) -> A + Send,
                A: Future<Output = Result<O>> + Send,
            {
                <Http<$input, Json> as Protocol<I, O, C, S, Error>>::run_server(request, server_fn)
            }

            fn run_client(path: &str, input: I) -> impl Future<Output = Result<O>> + Send {
                let asked = ask(path.to_owned(), fields(&input), $post);
                async move { read(&asked.await?).map_err(|e| Error::Transport(e.to_string())) }
            }
        }
    };
}

protocol!(Get, GetUrl, false);
protocol!(Post, PostUrl, true);
