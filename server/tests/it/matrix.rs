//! Every route, server function and page against every kind of caller (reliability S10).
//!
//! **Invariant:** allowed means anything but 401, 403 and the way to the sign-in page; refused means one of them.

use crate::house::{House, Reply, Work, call};
use crate::matrix_table::{ACTORS, FUNCTIONS, HIDDEN, OTHERS, PAGES, REST, TOPICS, Takes, general};
use domain::auth::{Role, TokenScope};
use domain::ports::Access as _;
use serde_json::json;
use server::web::{api, ui};
use std::collections::BTreeSet;

/// A server with one of everything, and a token for each actor.
pub struct Cast {
    pub house: House,
    pub tokens: Vec<(&'static str, String)>,
    pub admin: String,
    work: Work,
    agent: i64,
    agent_token: i64,
    secret: i64,
    trigger: i64,
    firing: i64,
    hook: i64,
    repository: i64,
}

impl Cast {
    pub async fn new() -> Self {
        let house = House::new().await;
        let admin = house.user("admin", Role::Admin).await;
        let revoked = house.token("admin", &[]).await;
        let viewer = house.engine.access.by_token(&revoked).await.unwrap().unwrap();
        let id = house.engine.access.tokens(&viewer).await.unwrap()[0].id;
        house.engine.access.revoke_token(&viewer, id).await.unwrap();
        let (agent, _) = house.engine.builtin_agent().await.unwrap();
        let mut tokens = Vec::new();
        for (actor, _) in ACTORS {
            let token = match *actor {
                "anonymous" => String::new(),
                "revoked token" => revoked.clone(),
                "admin" => admin.clone(),
                "viewer" => house.user("viewer", Role::Viewer).await,
                "runner" => house.user("runner", Role::Runner).await,
                "editor" => house.user("editor", Role::Editor).await,
                "viewer's admin token" => house.token("viewer", &[TokenScope::Admin]).await,
                "admin's read token" => house.token("admin", &[TokenScope::Read]).await,
                "admin's run token" => house.token("admin", &[TokenScope::Run]).await,
                "admin's write token" => house.token("admin", &[TokenScope::Write]).await,
                "admin's metrics token" => house.token("admin", &[TokenScope::Metrics]).await,
                "admin's admin token" => house.token("admin", &[TokenScope::Admin]).await,
                other => panic!("no token for {other}"),
            };
            tokens.push((*actor, token));
        }
        let made = house.post("/api/v1/agents/tokens", &admin, &json!({})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let agent_token = made.json()["id"].as_i64().unwrap();
        let wish = json!({ "name": "DEPLOY_KEY", "value": "hunter2" });
        let made = house.post("/api/v1/secrets", &admin, &wish).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let secret = made.json()["id"].as_i64().unwrap();
        let work = house.work(&admin, "app").await;
        let wish =
            json!({ "name": "hook", "kind": "webhook", "plan_id": work.plan, "config": { "provider": "github" } });
        let made = house.post("/api/v1/triggers", &admin, &wish).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let trigger = made.json()["id"].as_i64().unwrap();
        let hook = made.json()["config"]["hook_id"].as_i64().unwrap();
        let fired = house
            .post(&format!("/api/v1/triggers/{trigger}/fire"), &admin, &json!({}))
            .await;
        assert_eq!(fired.status, 201, "{}", fired.text());
        let wish = json!({ "name": "none", "url": "https://127.0.0.1:1/a/b.git" });
        let made = house.post("/api/v1/repositories", &admin, &wish).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let repository = made.json()["id"].as_i64().unwrap();
        let firing = fired.json()["id"].as_i64().unwrap();
        Self {
            house,
            tokens,
            admin,
            work,
            agent: agent.0,
            agent_token,
            secret,
            trigger,
            firing,
            hook,
            repository,
        }
    }

    /// Puts ids into a template. `{doomed}` and `{new}` are made anew for each call.
    pub async fn fill(&self, text: &str, n: usize) -> String {
        let mut out = text.to_owned();
        let w = self.work;
        for (name, id) in [
            ("{plan}", w.plan),
            ("{task}", w.task),
            ("{job}", w.job),
            ("{step}", w.step),
            ("{agent}", self.agent),
            ("{agent_token}", self.agent_token),
            ("{secret}", self.secret),
            ("{trigger}", self.trigger),
            ("{firing}", self.firing),
            ("{hook}", self.hook),
            ("{repository}", self.repository),
        ] {
            out = out.replace(name, &id.to_string());
        }
        if out.contains("{doomed}") {
            let document = format!("name: doomed-{n}-{}\nsteps: [{{run: 'true'}}]\n", text.len());
            let made = self
                .house
                .post("/api/v1/plans", &self.admin, &json!({ "document": document }))
                .await;
            assert_eq!(made.status, 201, "{}", made.text());
            out = out.replace("{doomed}", &made.json()["id"].to_string());
        }
        out.replace("{new}", &format!("new-{n}"))
    }
}

pub fn may(actor: &str, takes: Takes) -> bool {
    ACTORS.iter().any(|(a, all)| *a == actor && all.contains(&takes))
}

fn refused(r: &Reply) -> bool {
    matches!(r.status.as_u16(), 401 | 403) || r.status.is_redirection() && r.header("location").starts_with("/login")
}

fn judge(errors: &mut Vec<String>, what: &str, actor: &str, takes: Takes, r: &Reply) {
    if refused(r) == may(actor, takes) {
        let text: String = r.text().chars().take(160).collect();
        errors.push(format!("{what} by {actor}: {} {text}", r.status));
    }
    if r.status.is_server_error() {
        errors.push(format!("{what} by {actor} failed: {} {}", r.status, r.text()));
    }
}

fn verdict(errors: &[String]) {
    assert!(errors.is_empty(), "{} wrong:\n{}", errors.len(), errors.join("\n"));
}

#[tokio::test]
async fn every_endpoint_has_a_row_and_every_row_an_endpoint() {
    let table: BTreeSet<_> = REST.iter().map(|(m, p, ..)| ((*m).to_owned(), general(p))).collect();
    let router: BTreeSet<_> = api::endpoints()
        .iter()
        .map(|e| (e.method.to_string(), general(e.path)))
        .collect();
    assert_eq!(router, table, "REST");

    let table: BTreeSet<_> = FUNCTIONS.iter().map(|(p, ..)| (*p).to_owned()).collect();
    let known: BTreeSet<_> = ui::functions().into_iter().map(|(p, _)| p.to_owned()).collect();
    assert_eq!(known, table, "server functions");
    let open: BTreeSet<_> = FUNCTIONS.iter().filter(|f| f.2 == Takes::Open).map(|f| f.0).collect();
    assert_eq!(open, ui::OPEN.iter().copied().collect(), "open server functions");
    // Pages are compared in a process of their own: `tests/pages.rs` says why.
}

#[tokio::test]
async fn rest_lets_in_whom_the_table_says() {
    let cast = Cast::new().await;
    let mut errors = Vec::new();
    for (row, (method, path, body, takes)) in REST.iter().enumerate() {
        for (i, (actor, token)) in cast.tokens.iter().enumerate() {
            let n = row * 100 + i;
            let path = cast.fill(path, n).await;
            // A stream does not end: whoever may follow is told that this names no event.
            let mut request = call(method, &format!("/api/v1{path}")).token(token);
            if path == "/events" {
                request = request.header("last-event-id", "none");
            }
            if !body.is_empty() {
                let body = cast.fill(body, n).await.replace('\n', "\\n");
                request = request.raw(body).header("content-type", "application/json");
            }
            let reply = cast.house.send(request).await;
            judge(&mut errors, &format!("{method} {path}"), actor, *takes, &reply);
        }
    }
    verdict(&errors);
}

#[tokio::test]
async fn server_functions_let_in_whom_the_table_says() {
    let cast = Cast::new().await;
    let mut errors = Vec::new();
    let methods = ui::functions();
    for (row, (path, arguments, takes)) in FUNCTIONS.iter().enumerate() {
        let method = methods.iter().find(|(p, _)| p == path).map(|(_, m)| m.clone()).unwrap();
        for (i, (actor, token)) in cast.tokens.iter().enumerate() {
            let arguments = cast.fill(arguments, 10_000 + row * 100 + i).await;
            let request = if method == http::Method::GET {
                call("GET", &format!("{path}?{arguments}"))
            } else {
                call("POST", path).form(&arguments)
            };
            // Each from an address of its own: throttling is another matter.
            let request = request.token(token).from([10, 0, 0, u8::try_from(i).unwrap()]);
            let reply = cast.house.send(request).await;
            judge(&mut errors, &format!("{method} {path}"), actor, *takes, &reply);
        }
    }
    verdict(&errors);
}

#[tokio::test]
async fn pages_and_the_rest_let_in_whom_the_table_says() {
    let cast = Cast::new().await;
    let mut errors = Vec::new();
    let others = OTHERS.iter().map(|(m, p, t)| (*m, *p, *t));
    for (method, path, takes) in PAGES.iter().map(|(_, p, t)| ("GET", *p, *t)).chain(others) {
        let path = cast.fill(path, 0).await;
        for (actor, token) in &cast.tokens {
            let request = call(method, &path).token(token).header("accept", "text/html");
            let reply = cast.house.send(request).await;
            judge(&mut errors, &format!("{method} {path}"), actor, takes, &reply);
        }
    }
    verdict(&errors);
}

#[tokio::test]
async fn what_is_hidden_is_not_there_for_whom_the_table_does_not_let_in() {
    let cast = Cast::new().await;
    let mut errors = Vec::new();
    for (method, path, takes) in HIDDEN {
        let path = cast.fill(path, 0).await;
        for (actor, token) in &cast.tokens {
            let reply = cast.house.send(call(method, &path).token(token)).await;
            let known = may(actor, Takes::Anybody);
            let want = match (may(actor, *takes), known) {
                (true, _) => 200,
                (false, true) => 403,
                (false, false) => 404,
            };
            if reply.status.as_u16() != want {
                errors.push(format!(
                    "{method} {path} by {actor}: {} instead of {want}",
                    reply.status
                ));
            }
        }
    }
    verdict(&errors);
}

#[tokio::test]
async fn methods_beside_the_table_do_nothing() {
    let cast = Cast::new().await;
    let table = api::endpoints();
    let paths: BTreeSet<_> = table.iter().map(|e| e.path).collect();
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if table.iter().any(|e| e.path == path && e.method.as_str() == method) {
                continue;
            }
            let at = format!("/api/v1{}", path.replace("{id}", "1"));
            let reply = cast.house.send(call(method, &at).token(&cast.admin)).await;
            assert_eq!(reply.status, 405, "{method} {at}");
            assert!(!reply.header("allow").is_empty(), "{method} {at}");
            assert_eq!(
                reply.header("content-type"),
                "application/problem+json",
                "{method} {at}"
            );
        }
    }
}

#[tokio::test]
async fn topics_have_rows() {
    // `Topic` is an enum: a new one does not compile here until it has a row.
    use domain::event::Topic;
    for (topic, _) in TOPICS {
        let topic: Topic = topic.replace("{task}", "1").replace("{plan}", "1").parse().unwrap();
        match topic {
            Topic::Queue | Topic::Agents | Topic::Triggers | Topic::Task(_) | Topic::Plan(_) => {}
        }
    }
    assert_eq!(TOPICS.len(), 5);
}
