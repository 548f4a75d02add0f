//! Refusals of the API: status, form, and the place of what is wrong.
//!
//! **Invariant:** every one is `application/problem+json` with `title`, `status` and `detail`.

use crate::house::{Call, House, call};
use domain::auth::Role;
use serde_json::json;

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    let work = house.work(&token, "app").await;
    let json = |c: Call, body: &str| c.raw(body).header("content-type", "application/json");
    let post = |path: &str| call("POST", path).token(&token);
    let big = format!("{{\"document\":\"{}\"}}", "x".repeat(1 << 20));
    let plans = "/api/v1/plans";
    let table: Vec<(&str, Call, u16, Option<&str>)> = vec![
        ("no viewer", call("GET", plans), 401, None),
        ("unknown path", call("GET", "/api/v1/nothing").token(&token), 404, None),
        ("unknown base", call("GET", "/api/v1").token(&token), 404, None),
        (
            "unknown id",
            call("GET", "/api/v1/plans/999999").token(&token),
            404,
            None,
        ),
        ("no id", call("GET", "/api/v1/plans/abc").token(&token), 404, None),
        ("signed id", call("GET", "/api/v1/plans/+1").token(&token), 404, None),
        (
            "huge id",
            call("GET", "/api/v1/plans/99999999999999999999").token(&token),
            404,
            None,
        ),
        ("wrong method", call("DELETE", plans).token(&token), 405, None),
        ("wrong method, open", call("DELETE", "/api/v1/openapi.json"), 405, None),
        (
            "no body",
            post(plans).header("content-type", "application/json"),
            400,
            None,
        ),
        ("not JSON", json(post(plans), "{"), 400, Some("")),
        ("more than JSON", json(post(plans), r#"{"document":"x"} {}"#), 400, None),
        ("another type", post(plans).form("document=x"), 415, None),
        ("missing field", json(post(plans), "{}"), 422, Some("")),
        (
            "unknown field",
            json(post(plans), r#"{"document":"x","colour":1}"#),
            422,
            Some("colour"),
        ),
        (
            "wrong type",
            json(post(plans), r#"{"document":1}"#),
            422,
            Some("document"),
        ),
        (
            "wrong document",
            json(post(plans), r#"{"document":"name: x\nstep: []\n"}"#),
            422,
            Some("step"),
        ),
        (
            "wrong role",
            json(
                post("/api/v1/users"),
                r#"{"name":"x","password":"correct horse","role":"king"}"#,
            ),
            422,
            Some("role"),
        ),
        (
            "short password",
            json(post("/api/v1/users"), r#"{"name":"x","password":"x","role":"viewer"}"#),
            422,
            Some("password"),
        ),
        (
            "bad name",
            json(
                post("/api/v1/users"),
                r#"{"name":"<b>","password":"correct horse","role":"viewer"}"#,
            ),
            422,
            Some("name"),
        ),
        (
            "name in use",
            json(
                post("/api/v1/users"),
                r#"{"name":"ANA","password":"correct horse","role":"viewer"}"#,
            ),
            409,
            None,
        ),
        (
            "plan in use",
            json(post(plans), r#"{"document":"name: app\nsteps: [{run: x}]\n"}"#),
            409,
            None,
        ),
        (
            "stale",
            json(
                call("PUT", &format!("{plans}/{}", work.plan)).token(&token),
                r#"{"version":77,"document":"name: app\nsteps: [{run: x}]\n"}"#,
            ),
            409,
            None,
        ),
        ("too large", json(post(plans), &big), 413, None),
        (
            "unknown query",
            call("GET", "/api/v1/plans?colour=red").token(&token),
            422,
            Some("colour"),
        ),
        (
            "query twice",
            call("GET", "/api/v1/plans?limit=1&limit=2").token(&token),
            422,
            Some("limit"),
        ),
        (
            "limit 0",
            call("GET", "/api/v1/plans?limit=0").token(&token),
            422,
            Some("limit"),
        ),
        (
            "limit 201",
            call("GET", "/api/v1/tasks?limit=201").token(&token),
            422,
            Some("limit"),
        ),
        (
            "limit x",
            call("GET", "/api/v1/tasks?limit=x").token(&token),
            422,
            Some("limit"),
        ),
        (
            "bad cursor",
            call("GET", "/api/v1/tasks?cursor=x").token(&token),
            422,
            Some("cursor"),
        ),
        (
            "bad status",
            call("GET", "/api/v1/tasks?status=passed&status=green").token(&token),
            422,
            Some("status"),
        ),
        (
            "bad cause",
            call("GET", "/api/v1/tasks?cause=boredom").token(&token),
            422,
            Some("cause"),
        ),
        (
            "bad flag",
            call("GET", &format!("/api/v1/tasks/{}/console?follow=yes", work.task)).token(&token),
            422,
            Some("follow"),
        ),
        (
            "line 0",
            call("GET", &format!("/api/v1/steps/{}/lines?from=0", work.step)).token(&token),
            422,
            Some("from"),
        ),
        (
            "bad topic",
            call("GET", "/api/v1/events?topic=weather").token(&token),
            422,
            Some("topic"),
        ),
        (
            "bad last id",
            call("GET", "/api/v1/events").header("last-event-id", "x").token(&token),
            400,
            None,
        ),
    ];
    let mut errors = Vec::new();
    for (name, request, status, path) in table {
        let reply = house.send(request).await;
        let kind = reply.header("content-type").to_owned();
        if reply.status != status || kind != "application/problem+json" {
            errors.push(format!("{name}: {} {kind} {}", reply.status, reply.text()));
            continue;
        }
        let body = reply.json();
        let whole = body["title"].is_string() && body["detail"].is_string() && body["status"] == status;
        let found = path.is_none_or(|p| {
            body["errors"]
                .as_array()
                .is_some_and(|e| e.iter().any(|e| e["path"] == p))
        });
        if !whole || !found {
            errors.push(format!("{name}: {body}"));
        }
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[tokio::test]
async fn a_wrong_document_is_told_with_every_place() {
    let house = House::new().await;
    let token = house.user("ana", Role::Editor).await;
    let document = "name: x\nstep:\n  - run: a\nenviron: {}\n";
    let made = house
        .post("/api/v1/plans", &token, &json!({ "document": document }))
        .await;
    let checked = house
        .post("/api/v1/plans/validate", &token, &json!({ "document": document }))
        .await
        .json();
    let body = made.json();
    let errors = body["errors"].as_array().unwrap();
    assert!(
        errors.len() >= 2 && errors.iter().all(|e| e["line"].is_u64() && e["column"].is_u64()),
        "{body}"
    );
    assert_eq!(body["errors"], checked["errors"], "the same from both");
    assert_eq!(checked["valid"], false);
    let listed = house.get("/api/v1/plans", &token).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0, "nothing is saved");
}

#[tokio::test]
async fn large_heads_are_refused() {
    let house = House::new().await;
    let reply = house
        .send(call("GET", "/healthz").header("x-large", &"x".repeat(17_000)))
        .await;
    assert_eq!(reply.status, 431);
}

#[tokio::test]
async fn lists_have_pages() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    for i in 0..5 {
        house.work(&token, &format!("p{i}")).await;
    }
    for (path, count) in [
        ("/api/v1/plans", 5),
        ("/api/v1/tasks", 5),
        ("/api/v1/queue", 5),
        ("/api/v1/users", 1),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.get(&format!("{path}?limit=2&cursor={cursor}"), &token).await;
            assert_eq!(page.status, 200, "{path} {}", page.text());
            let page = page.json();
            let ids = page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|i| i["id"].as_i64().or(i["job_id"].as_i64()).unwrap());
            seen.extend(ids);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let mut unique = seen.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!((seen.len(), unique.len()), (count, count), "{path}: {seen:?}");
    }
}

#[tokio::test]
async fn the_open_paths_are_open() {
    let house = House::new().await;
    for (path, kind) in [
        ("/healthz", "text/plain"),
        ("/readyz", "text/plain"),
        ("/schema/plan.json", "application/schema+json"),
        ("/api/v1/openapi.json", "application/json"),
    ] {
        let reply = house.get(path, "").await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(
            reply.header("content-type").starts_with(kind),
            "{path} {}",
            reply.header("content-type")
        );
    }
    let document = house.get("/api/v1/openapi.json", "").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut documented: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, ops)| ops.as_object().unwrap().keys().map(move |m| format!("{m} {path}")))
        .collect();
    let mut routed: Vec<String> = server::web::api::endpoints()
        .iter()
        .map(|e| format!("{} /api/v1{}", e.method.as_str().to_lowercase(), e.path))
        .collect();
    documented.sort();
    routed.sort();
    assert_eq!(documented, routed);
}
