//! Badges over HTTP: open by key alone, cached with care, a picture that carries nothing but words.

use crate::house::{House, call};
use domain::auth::Role;
use serde_json::json;

#[tokio::test]
async fn a_badge_is_open_by_its_key_and_otherwise_like_a_plan_that_does_not_exist() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    let work = house.work(&ana, "app").await;
    let at = format!("/plans/{}/badge.svg", work.plan);
    let key_at = format!("/api/v1/plans/{}/badge", work.plan);
    assert_eq!(
        house.get(&key_at, &ana).await.status,
        404,
        "off until an editor makes it"
    );
    let made = house.post(&key_at, &ana, &json!({})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = made.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(made.json()["url"], format!("http://127.0.0.1:7420{at}?key={key}"));
    assert_eq!(house.get(&key_at, &ana).await.json()["key"], key.as_str());

    let gone = house.get("/plans/999/badge.svg?key=x", "").await;
    assert_eq!(gone.status, 404);
    for query in [
        "",
        "?key=",
        "?key=wrong",
        "?key=bdg_",
        "?branch=main",
        &format!("?key={key}x"),
    ] {
        let reply = house.get(&format!("{at}{query}"), "").await;
        assert_eq!(reply.status, 404, "{query}");
        let same = gone.text().replace("999", &work.plan.to_string());
        assert_eq!(reply.text(), same, "{query}: nothing tells that there is such a plan");
        assert_eq!(reply.header("etag"), "");
    }
    for odd in [
        "/plans/x/badge.svg",
        "/plans/-1/badge.svg",
        "/plans/99999999999999999999/badge.svg",
    ] {
        assert_eq!(house.get(odd, "").await.status, 404, "{odd}");
    }

    let open = house.get(&format!("{at}?key={key}"), "").await;
    assert_eq!(open.status, 200);
    assert_eq!(open.header("content-type"), "image/svg+xml");
    assert_eq!(open.header("cache-control"), "no-cache");
    assert_eq!(open.header("cross-origin-resource-policy"), "cross-origin");
    assert!(open.header("content-security-policy").contains("default-src 'none'"));
    assert!(open.text().contains("app: waiting"), "{}", open.text());
    let cookie = house.session("ana").await;
    let own = house.send(call("GET", &at).header("cookie", &cookie)).await;
    assert_eq!(
        (own.status.as_u16(), own.header("cache-control")),
        (200, "private, no-cache")
    );
    assert_eq!(own.header("cross-origin-resource-policy"), "same-origin");

    let tag = open.header("etag").to_owned();
    let by_tag = |tag: &str| call("GET", &format!("{at}?key={key}")).header("if-none-match", tag);
    let still = house.send(by_tag(&format!("\"other\", W/{tag}"))).await;
    assert_eq!((still.status.as_u16(), still.body.len()), (304, 0));
    assert_eq!(still.header("etag"), tag);
    let abort = format!("/api/v1/tasks/{}/abort", work.task);
    assert_eq!(house.post(&abort, &ana, &json!({})).await.status, 200);
    let changed = house.send(by_tag(&tag)).await;
    assert_eq!(changed.status, 200);
    assert!(changed.text().contains("app: aborted"), "{}", changed.text());

    let again = house.post(&key_at, &ana, &json!({})).await.json();
    assert_eq!(house.get(&format!("{at}?key={key}"), "").await.status, 404, "renewed");
    let key = again["key"].as_str().unwrap();
    assert_eq!(house.get(&format!("{at}?key={key}"), "").await.status, 200);
    assert_eq!(house.send(call("DELETE", &key_at).token(&ana)).await.status, 204);
    assert_eq!(house.get(&format!("{at}?key={key}"), "").await.status, 404, "removed");
    assert_eq!(house.send(call("POST", &at).token(&ana)).await.status, 405);
}

#[tokio::test]
async fn names_in_a_badge_are_text() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    let work = house.work(&ana, "app").await;
    let branch = "%3C%2Ftext%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%26%E2%80%AE%00";
    let reply = house
        .get(&format!("/plans/{}/badge.svg?branch={branch}", work.plan), &ana)
        .await;
    assert_eq!(reply.status, 200);
    let text = reply.text();
    assert!(
        text.contains("app · &lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;:"),
        "{text}"
    );
    assert!(
        !text.contains("<script") && !text.contains(['\u{202e}', '\0']),
        "{text}"
    );
    assert!(text.contains("no tasks yet"));
}
