//! One entry of the API's table: method, path, words for the document, and the handler.
//!
//! **Invariant:** router and OpenAPI document are made from the same entries, so neither can know what the other does not.

use crate::web::body::Fields;
use crate::web::middleware::replay::{self, Makes};
use crate::web::refusal::Refusal;
use crate::web::site::Web;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use domain::{Error, Problem};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

/// A field of the query.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it does, one sentence.
    pub about: &'static str,
    /// Whether it may be repeated; any of the values then.
    pub many: bool,
}

/// A field that comes once.
pub const fn field(name: &'static str, about: &'static str) -> Field {
    Field {
        name,
        about,
        many: false,
    }
}

/// A field that may be repeated.
pub const fn many(name: &'static str, about: &'static str) -> Field {
    Field {
        name,
        about,
        many: true,
    }
}

/// What pages of lists take.
pub const LIMIT: Field = field("limit", "Rows wanted, 1 to 200; 50 when absent.");
/// Where the page before ended.
pub const CURSOR: Field = field("cursor", "`next_cursor` of the previous page.");

/// A schema under its name, and those it refers to.
#[derive(Clone)]
pub struct Shape {
    /// Its name among the document's schemas.
    pub name: String,
    /// All of them, itself included.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        let name = T::name().into_owned();
        let mut schemas = vec![(name.clone(), T::schema())];
        T::schemas(&mut schemas);
        Self { name, schemas }
    }
}

/// What an endpoint answers when all is well.
#[derive(Clone)]
pub enum Answer {
    /// Nothing: 204.
    Nothing,
    /// JSON of one thing.
    One(Shape),
    /// A page of things.
    Many(Shape),
    /// Something that is not JSON, by its media type.
    Media(&'static str),
}

/// One entry of the table.
#[derive(Clone)]
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path below `/api/v1`.
    pub path: &'static str,
    /// What it does, one sentence.
    pub about: &'static str,
    /// Its query fields.
    pub query: Arc<[Field]>,
    /// Its body.
    pub body: Option<Shape>,
    /// Whether the body may be left out.
    pub body_optional: bool,
    /// Status of success.
    pub status: u16,
    /// Answer of success.
    pub answer: Answer,
    /// Whether `Idempotency-Key` counts here.
    pub makes: Option<Makes>,
    handler: MethodRouter<Web>,
}

/// Begins an entry.
pub fn endpoint<H, T>(method: Method, path: &'static str, about: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, Web>,
    T: 'static,
{
    let filter = match method {
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET.or(MethodFilter::HEAD),
    };
    Endpoint {
        method,
        path,
        about,
        query: Arc::from([]),
        body: None,
        body_optional: false,
        status: 200,
        answer: Answer::Nothing,
        makes: None,
        handler: on(filter, handler),
    }
}

impl Endpoint {
    /// Takes these query fields, and no others.
    pub fn query<const N: usize>(mut self, fields: [Field; N]) -> Self {
        self.query = Arc::from(fields);
        self
    }
    /// Takes a JSON body.
    pub fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(Shape::of::<T>());
        self
    }
    /// Takes a JSON body that may be left out.
    pub fn may_take<T: ToSchema>(mut self) -> Self {
        self.body_optional = true;
        self.takes::<T>()
    }
    /// Answers one thing.
    pub fn gives<T: ToSchema>(mut self) -> Self {
        self.answer = Answer::One(Shape::of::<T>());
        self
    }
    /// Answers a page of things.
    pub fn lists<T: ToSchema>(mut self) -> Self {
        self.answer = Answer::Many(Shape::of::<T>());
        self
    }
    /// Answers something that is not JSON.
    pub fn media(mut self, media: &'static str) -> Self {
        self.answer = Answer::Media(media);
        self
    }
    /// Answers nothing, 204.
    pub fn nothing(mut self) -> Self {
        self.status = 204;
        self
    }
    /// Creates what it gives, 201; takes an `Idempotency-Key`.
    pub fn creates(mut self, makes: Makes) -> Self {
        (self.status, self.makes) = (201, Some(makes));
        self
    }

    /// The handler with its checks around it.
    pub fn mount(self, web: &Web) -> MethodRouter<Web> {
        let known = self.query;
        let check = move |request: Request, next: Next| {
            let refusal = unknown(&known, &Fields::of(request.uri().query()));
            async move {
                match refusal {
                    Some(e) => Refusal::from(e).into_response(),
                    None => next.run(request).await,
                }
            }
        };
        let handler = match self.makes {
            Some(makes) => self
                .handler
                .layer(from_fn_with_state((web.clone(), makes), replay::once)),
            None => self.handler,
        };
        handler.layer(from_fn(check))
    }
}

/// The refusal of fields that are not in the table, or come twice where once is meant.
fn unknown(known: &[Field], given: &Fields) -> Option<Error> {
    let mut problems: Vec<Problem> = Vec::new();
    let names: Vec<&str> = given.names().collect();
    for (i, name) in names.iter().enumerate() {
        let message = match known.iter().find(|f| f.name == *name) {
            Some(f) if !f.many && names[..i].contains(name) => "this field comes once",
            Some(_) => continue,
            None => "this path has no such field",
        };
        let list = known.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        let hint = (!list.is_empty()).then(|| format!("It takes: {list}."));
        problems.push(Problem {
            hint,
            ..Problem::field(*name, message)
        });
    }
    let detail = problems.first()?.to_string();
    Some(Error::Invalid { detail, problems })
}
