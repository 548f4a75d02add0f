//! A server under test, and the people who come to it.
//!
//! **Invariant:** requests take the same way as over a socket: the whole router, middleware included.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use domain::auth::{Role, TokenScope};
use domain::ports::{Access as _, Client, Ports};
use engine::assembly::{Engine, Options};
use engine::clock::TestClock;
use engine::services::access::command_line;
use engine::store::Location;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use server::web::{self, Readiness, Site, Web};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// Where the server believes to be.
pub const ORIGIN: &str = "http://127.0.0.1:7420";
/// Everybody's password.
pub const PASSWORD: &str = "correct horse";
/// A plan that waits for an agent for ever.
pub const PLAN: &str = "name: app\nsteps:\n  - run: echo hello\n";

pub struct House {
    pub dir: TempDir,
    pub engine: Engine,
    pub clock: Arc<TestClock>,
    pub web: Web,
    pub router: Router,
}

struct Always;

#[async_trait::async_trait]
impl Readiness for Always {
    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }
    /// The session cookie an answer sets, as a `Cookie` header.
    pub fn cookie(&self) -> Option<String> {
        let set = self
            .headers
            .get_all("set-cookie")
            .iter()
            .filter_map(|v| v.to_str().ok());
        set.filter(|v| v.contains("caracal="))
            .map(|v| v.split(';').next().unwrap_or("").to_owned())
            .next_back()
    }
}

/// A request to be.
#[derive(Clone)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ip: [u8; 4],
}

pub fn call(method: &str, path: &str) -> Call {
    Call {
        method: method.into(),
        path: path.into(),
        headers: Vec::new(),
        body: Vec::new(),
        ip: [192, 0, 2, 1],
    }
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
    pub fn token(self, token: &str) -> Self {
        if token.is_empty() {
            self
        } else {
            self.header("authorization", &format!("Bearer {token}"))
        }
    }
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }
    pub fn form(mut self, body: &str) -> Self {
        self.body = body.into();
        self.header("content-type", "application/x-www-form-urlencoded")
    }
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
    pub fn from(mut self, ip: [u8; 4]) -> Self {
        self.ip = ip;
        self
    }
}

impl House {
    pub async fn new() -> Self {
        Self::at(ORIGIN, |p| p).await
    }

    /// A server at a public address, with some ports exchanged.
    pub async fn at(public_url: &str, change: impl FnOnce(Ports) -> Ports) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::at(1_795_185_127_041);
        let options = Options {
            database: Location::Sqlite(dir.path().join("caracal.db")),
            data: dir.path().to_owned(),
            settings: engine::dispatch::Settings {
                allow_local: true,
                ..Default::default()
            },
            clock: clock.clone(),
        };
        let engine = Engine::start(options).await.unwrap();
        let web = Web {
            ports: change(engine.ports.clone()),
            site: Arc::new(Site {
                public_url: public_url.into(),
                loopback: true,
                trusted_proxies: Vec::new(),
                look_again: Duration::from_millis(20),
                clock: clock.clone(),
                readiness: Arc::new(Always),
            }),
        };
        let apart =
            web::agent::router(engine.dispatch.clone(), &[]).merge(web::hooks::router(engine.intake.clone(), &[]));
        let router = web::router(web.clone(), apart);
        Self {
            dir,
            engine,
            clock,
            web,
            router,
        }
    }

    pub async fn send(&self, c: Call) -> Reply {
        send(&self.router, c).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(call("GET", path).token(token)).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.send(call("POST", path).token(token).json(body)).await
    }

    /// Makes a user and a token of theirs.
    pub async fn user(&self, name: &str, role: Role) -> String {
        self.engine
            .access
            .add_user(&command_line(), name.into(), PASSWORD.into(), role)
            .await
            .unwrap();
        self.token(name, &[]).await
    }

    pub async fn token(&self, name: &str, scopes: &[TokenScope]) -> String {
        let by = command_line();
        let made = self
            .engine
            .access
            .create_token(&by, Some(name.into()), "test".into(), scopes.to_vec(), None)
            .await;
        made.unwrap().token
    }

    /// Signs somebody in and answers their `Cookie` header.
    pub async fn session(&self, name: &str) -> String {
        let client = Client {
            ip: "192.0.2.1".into(),
            user_agent: "test".into(),
        };
        let session = self
            .engine
            .access
            .log_in(name.into(), PASSWORD.into(), client)
            .await
            .unwrap();
        format!("{}={}", self.web.site.cookies().name(), session.secret)
    }

    /// Makes a plan and runs it; answers ids of plan, task, job and step.
    pub async fn work(&self, token: &str, name: &str) -> Work {
        let document = PLAN.replace("app", name);
        let plan = self
            .post("/api/v1/plans", token, &json!({ "document": document }))
            .await;
        assert_eq!(plan.status, 201, "{}", plan.text());
        let plan = plan.json()["id"].as_i64().unwrap();
        let task = self
            .post(&format!("/api/v1/plans/{plan}/tasks"), token, &json!({}))
            .await;
        assert_eq!(task.status, 201, "{}", task.text());
        let task = task.json();
        Work {
            plan,
            task: task["id"].as_i64().unwrap(),
            job: task["jobs"][0]["id"].as_i64().unwrap(),
            step: task["jobs"][0]["steps"][0]["id"].as_i64().unwrap(),
        }
    }
}

/// Ids of something that runs.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    pub plan: i64,
    pub task: i64,
    pub job: i64,
    pub step: i64,
}

pub async fn send(router: &Router, c: Call) -> Reply {
    let mut request = Request::builder().method(c.method.as_str()).uri(&c.path);
    for (name, value) in &c.headers {
        request = request.header(name, value);
    }
    if !c.headers.iter().any(|(name, _)| name == "host") {
        request = request.header("host", "127.0.0.1:7420");
    }
    let peer: SocketAddr = (c.ip, 40_000).into();
    let length = c.body.len();
    let request = request
        .header("content-length", length)
        .extension(ConnectInfo(peer))
        .body(Body::from(c.body))
        .unwrap();
    let router = router.clone();
    // Pages are deep trees of views: `.cargo/config.toml` gives the tests' threads the stack that a debug build takes.
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}
