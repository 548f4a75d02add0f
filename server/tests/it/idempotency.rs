//! `Idempotency-Key`: what is sent again takes effect once.
//!
//! **Invariant:** a key is the viewer's own and lives a day.

use crate::house::{House, PLAN, Reply, call};
use domain::auth::Role;
use serde_json::{Value, json};

async fn post(house: &House, path: &str, token: &str, key: &str, body: &Value) -> Reply {
    house
        .send(
            call("POST", path)
                .token(token)
                .header("idempotency-key", key)
                .json(body),
        )
        .await
}

#[tokio::test]
async fn a_key_makes_one_thing() {
    let house = House::new().await;
    let (ana, eve) = (
        house.user("ana", Role::Editor).await,
        house.user("eve", Role::Editor).await,
    );
    let plan = house
        .post("/api/v1/plans", &ana, &json!({ "document": PLAN }))
        .await
        .json()["id"]
        .clone();
    let path = format!("/api/v1/plans/{plan}/tasks");
    let first = post(&house, &path, &ana, "k1", &json!({})).await;
    let again = post(&house, &path, &ana, "k1", &json!({})).await;
    assert_eq!(
        (first.status.as_u16(), again.status.as_u16()),
        (201, 201),
        "{}",
        again.text()
    );
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(again.header("idempotency-replayed"), "true");

    let other = post(&house, &path, &ana, "k1", &json!({ "priority": 3 })).await;
    assert_eq!(other.status, 422, "{}", other.text());
    assert_ne!(
        post(&house, &path, &ana, "k2", &json!({})).await.json()["id"],
        first.json()["id"]
    );
    assert_ne!(
        post(&house, &path, &eve, "k1", &json!({})).await.json()["id"],
        first.json()["id"],
        "a key is one's own"
    );

    house.clock.advance(86_400_000);
    assert_ne!(
        post(&house, &path, &ana, "k1", &json!({})).await.json()["id"],
        first.json()["id"],
        "a day is over"
    );
}

#[tokio::test]
async fn of_many_at_once_one_takes_effect() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    let body = json!({ "document": PLAN });
    let all = (0..20).map(|_| post(&house, "/api/v1/plans", &ana, "same", &body));
    let replies = futures::future::join_all(all).await;
    assert!(
        replies.iter().all(|r| matches!(r.status.as_u16(), 201 | 409)),
        "{:?}",
        replies.iter().map(|r| r.status).collect::<Vec<_>>()
    );
    assert!(replies.iter().any(|r| r.status == 201));
    assert_eq!(
        house.get("/api/v1/plans", &ana).await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_refusal_frees_the_key_and_a_secret_is_never_kept() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    assert_eq!(
        post(&house, "/api/v1/plans", &ana, "k", &json!({ "document": "name: x" }))
            .await
            .status,
        422
    );
    assert_eq!(
        post(&house, "/api/v1/plans", &ana, "k", &json!({ "document": PLAN }))
            .await
            .status,
        201
    );

    let wish = json!({ "name": "ci" });
    let made = post(&house, "/api/v1/tokens", &ana, "t", &wish).await;
    assert_eq!(made.status, 201);
    let again = post(&house, "/api/v1/tokens", &ana, "t", &wish).await;
    assert_eq!(again.status, 409, "{}", again.text());
    assert_eq!(
        house.get("/api/v1/tokens", &ana).await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "one was there before"
    );
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    let mut bytes = std::fs::read(house.dir.path().join("caracal.db")).unwrap();
    bytes.extend(std::fs::read(house.dir.path().join("caracal.db-wal")).unwrap_or_default());
    assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
}

#[tokio::test]
async fn a_key_has_a_form() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    for key in ["", &"x".repeat(256)] {
        assert_eq!(
            post(&house, "/api/v1/plans", &ana, key, &json!({ "document": PLAN }))
                .await
                .status,
            400,
            "{}",
            key.len()
        );
    }
}
