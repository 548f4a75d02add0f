//! What people change is written down: each deed once, with who did it and to what.

use crate::house::{House, call};
use domain::auth::Role;
use serde_json::json;

const DOCUMENT: &str = "name: other\nsteps: [{run: 'true'}]\n";

#[tokio::test]
async fn every_deed_leaves_one_entry_and_one_that_does_nothing_leaves_none() {
    let house = House::new().await;
    let admin = house.user("admin", Role::Admin).await;
    let work = house.work(&admin, "app").await;
    let (agent, _) = house.engine.builtin_agent().await.unwrap();
    let other = house
        .post("/api/v1/plans", &admin, &json!({ "document": DOCUMENT }))
        .await
        .json()["id"]
        .clone();
    let entries = async || house.engine.store.audit_check().await.unwrap();
    let (plan, task, agent) = (work.plan, work.task, agent.0);
    let patch = |v: i64| json!({ "version": v, "availability": "paused", "note": "moves" }).to_string();
    let deeds = [
        ("POST", format!("/plans/{plan}/tasks"), "{}".to_owned(), 1),
        ("POST", format!("/tasks/{task}/abort"), "{}".into(), 1),
        // It has ended: nothing is done.
        ("POST", format!("/tasks/{task}/abort"), "{}".into(), 0),
        ("POST", format!("/tasks/{task}/rerun"), "{}".into(), 1),
        ("PATCH", format!("/agents/{agent}"), patch(1), 1),
        ("PATCH", format!("/agents/{agent}"), patch(1), 0),
        (
            "PUT",
            format!("/plans/{other}"),
            json!({ "version": 1, "document": DOCUMENT, "description": "x" }).to_string(),
            1,
        ),
        ("DELETE", format!("/plans/{other}"), String::new(), 1),
        ("POST", "/tokens".into(), json!({ "name": "ci" }).to_string(), 1),
        (
            "POST",
            "/users".into(),
            json!({ "name": "ben", "password": "correct horse", "role": "viewer" }).to_string(),
            1,
        ),
        (
            "POST",
            "/secrets".into(),
            json!({ "name": "KEY", "value": "hunter2" }).to_string(),
            1,
        ),
        (
            "PUT",
            "/secrets/1".into(),
            json!({ "version": 1, "value": "hunter3" }).to_string(),
            1,
        ),
        (
            "PUT",
            "/secrets/1".into(),
            json!({ "version": 1, "value": "hunter4" }).to_string(),
            0,
        ),
        ("POST", "/secrets/rotate-key".into(), String::new(), 1),
        ("DELETE", "/secrets/1".into(), String::new(), 1),
        ("POST", "/plans/999999/tasks".into(), "{}".into(), 0),
    ];
    for (method, path, body, more) in deeds {
        let (before, _) = entries().await;
        let mut request = call(method, &format!("/api/v1{path}")).token(&admin);
        if !body.is_empty() {
            request = request.raw(body).header("content-type", "application/json");
        }
        let reply = house.send(request).await;
        let (after, broken) = entries().await;
        assert_eq!(
            after - before,
            more,
            "{method} {path}: {} {}",
            reply.status,
            reply.text()
        );
        assert_eq!(broken, None);
    }
}
