//! Signing in and out, set-up, throttling, tokens (reliability S2–S7).
//!
//! **Invariant:** nothing waits: the server's clock is moved.

use crate::house::{House, PASSWORD, Reply, call};
use domain::auth::{Role, TokenScope};
use domain::ports::{Access as _, Client};
use engine::auth::setup::SetupCode;
use serde_json::json;

async fn log_in(house: &House, name: &str, password: &str, ip: [u8; 4]) -> Reply {
    let form = format!("name={name}&password={}", password.replace(' ', "+"));
    house
        .send(call("POST", "/ui/session/create").form(&form).from(ip))
        .await
}

async fn set_up(house: &House, code: &str, name: &str) -> Reply {
    let form = format!("code={code}&name={name}&password=correct+horse");
    house.send(call("POST", "/ui/setup/create").form(&form)).await
}

#[tokio::test]
async fn until_set_up_every_page_leads_there_and_afterwards_it_is_gone() {
    let house = House::new().await;
    let code = house.engine.access.setup_code().await.unwrap().unwrap();
    for path in ["/", "/login", "/plans", "/nowhere"] {
        let reply = house.get(path, "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("location")),
            (303, "/setup"),
            "{path}"
        );
    }
    assert_eq!(house.get("/setup", "").await.status, 200);
    assert_eq!(set_up(&house, "wrong", "ana").await.status, 422);
    let done = set_up(&house, &code, "ana").await;
    assert!(done.status.is_success(), "{} {}", done.status, done.text());
    let cookie = done.cookie().unwrap();
    assert_eq!(
        house
            .send(call("GET", "/api/v1/me").header("cookie", &cookie))
            .await
            .status,
        200
    );
    assert!(!SetupCode::of(house.dir.path()).matches(&code), "the file is gone");
    assert_eq!(set_up(&house, &code, "eve").await.status, 404);
    assert_eq!(house.get("/setup", "").await.status, 404);
    assert_eq!(house.get("/", "").await.header("location"), "/login");
}

#[tokio::test]
async fn of_fifty_set_ups_at_once_one_makes_the_admin() {
    let house = House::new().await;
    let code = house.engine.access.setup_code().await.unwrap().unwrap();
    let all = (0..50u8).map(|i| {
        let (access, code) = (house.engine.access.clone(), code.clone());
        let client = Client {
            ip: format!("10.0.0.{i}"),
            user_agent: String::new(),
        };
        tokio::spawn(async move { access.set_up(code, format!("user{i}"), PASSWORD.into(), client).await })
    });
    let mut made = 0;
    for one in futures::future::join_all(all).await {
        match one.unwrap() {
            Ok(_) => made += 1,
            Err(e) => assert!(matches!(e.status(), 404 | 503), "{e}"),
        }
    }
    assert_eq!(made, 1);
    let viewer = engine::services::access::command_line();
    assert_eq!(house.engine.access.users(&viewer).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_begins_with_a_fresh_secret_and_ends_for_good() {
    let house = House::new().await;
    house.user("ana", Role::Viewer).await;
    let planted = "caracal=planted-by-somebody";
    let form = "name=ana&password=correct+horse";
    let request = call("POST", "/ui/session/create").form(form).header("cookie", planted);
    let reply = house.send(request.header("origin", "http://127.0.0.1:7420")).await;
    let cookie = reply.cookie().unwrap();
    assert_ne!(cookie, planted, "fixation");
    let set = reply.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"] {
        assert!(set.contains(part), "{set}");
    }
    let me = |cookie: &str| house.send(call("GET", "/api/v1/me").header("cookie", cookie));
    assert_eq!(me(&cookie).await.status, 200);
    assert_eq!(me(planted).await.status, 401);
    assert_eq!(
        me(&format!("{cookie}; {planted}")).await.status,
        401,
        "two cookies are nobody's"
    );

    let out = call("POST", "/ui/session/delete").form("").header("cookie", &cookie);
    let out = house.send(out.header("sec-fetch-site", "same-origin")).await;
    assert!(
        out.header("set-cookie").contains("Max-Age=0"),
        "{}",
        out.header("set-cookie")
    );
    assert_eq!(me(&cookie).await.status, 401, "reuse after log-out");
}

#[tokio::test]
async fn sessions_end_when_idle_and_in_any_case_after_a_week() {
    let house = House::new().await;
    house.user("ana", Role::Viewer).await;
    let me = async |cookie: &str| {
        house
            .send(call("GET", "/api/v1/me").header("cookie", cookie))
            .await
            .status
            .as_u16()
    };
    let idle = house.session("ana").await;
    house.clock.advance(12 * 3_600_000 - 1_000);
    assert_eq!(me(&idle).await, 200);
    let used = house.session("ana").await;
    let hour = 3_600_000;
    let mut hours = 0;
    while me(&used).await == 200 && hours < 1_000 {
        house.clock.advance(6 * hour);
        hours += 6;
        // The note of use is written aside; a write of ours behind it says that it is done.
        house.engine.store.write(|_| Box::pin(async { Ok(()) })).await.unwrap();
    }
    assert_eq!(hours, 7 * 24, "a session in use lives a week");
    let idle = house.session("ana").await;
    house.clock.advance(12 * hour + 1_000);
    assert_eq!(me(&idle).await, 401);
}

#[tokio::test]
async fn behind_https_the_cookie_is_bound_to_the_host() {
    let house = House::at("https://ci.example.org", |p| p).await;
    house.user("ana", Role::Viewer).await;
    let reply = log_in(&house, "ana", PASSWORD, [10, 0, 0, 1]).await;
    let set = reply.header("set-cookie");
    assert!(set.starts_with("__Host-caracal=") && set.contains("; Secure"), "{set}");
    assert!(reply.header("strict-transport-security").starts_with("max-age="));
    let plain = reply.cookie().unwrap().replace("__Host-", "");
    assert_eq!(
        house
            .send(call("GET", "/api/v1/me").header("cookie", &plain))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_wrong_pair_tells_nothing_and_tries_are_slowed_but_never_locked_out() {
    let house = House::new().await;
    house.user("ana", Role::Viewer).await;
    let (known, unknown) = (
        log_in(&house, "ana", "wrong", [10, 0, 0, 1]).await,
        log_in(&house, "nobody", "wrong", [10, 0, 0, 2]).await,
    );
    assert_eq!((known.status.as_u16(), known.body.clone()), (422, unknown.body.clone()));
    let mut slowed = None;
    for _ in 0..1_000 {
        let reply = log_in(&house, "ana", "wrong", [10, 0, 0, 1]).await;
        if reply.status == 429 {
            slowed = Some(reply);
            break;
        }
    }
    assert!(slowed.is_some(), "a thousand tries are not let through");
    // Even the right password waits its turn from there, and is let in from elsewhere.
    assert_eq!(log_in(&house, "ana", PASSWORD, [10, 0, 0, 1]).await.status, 429);
    assert!(log_in(&house, "ana", PASSWORD, [10, 0, 0, 9]).await.cookie().is_some());
    house.clock.advance(900_000);
    assert!(
        log_in(&house, "ana", PASSWORD, [10, 0, 0, 1]).await.cookie().is_some(),
        "a wait ends"
    );
}

#[tokio::test]
async fn many_tries_at_once_do_not_slip_past() {
    let house = House::new().await;
    house.user("ana", Role::Viewer).await;
    let tries = (0..40).map(|_| log_in(&house, "ana", "wrong", [10, 0, 0, 1]));
    let replies = futures::future::join_all(tries).await;
    let judged = replies.iter().filter(|r| r.status == 422).count();
    assert!(judged <= 5, "{judged} of 40 were tried");
}

#[tokio::test]
async fn a_token_is_judged_by_its_users_present_rights_and_its_scopes() {
    let house = House::new().await;
    let full = house.user("ana", Role::Editor).await;
    let read = house.token("ana", &[TokenScope::Read]).await;
    let me = house.get("/api/v1/me", &read).await.json();
    assert_eq!(
        (me["user"]["role"].as_str(), me["scopes"][0].as_str()),
        (Some("editor"), Some("read"))
    );
    // A narrowed token does not make a wider one.
    assert_eq!(
        house
            .post("/api/v1/tokens", &read, &json!({ "name": "wider" }))
            .await
            .status,
        403
    );
    let made = house
        .post("/api/v1/tokens", &full, &json!({ "name": "ci", "scopes": ["run"] }))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (secret, id) = (
        made.json()["token"].as_str().unwrap().to_owned(),
        made.json()["id"].clone(),
    );
    assert!(engine::auth::secret::well_formed(&secret));
    let listed = house.get("/api/v1/tokens", &full).await.text();
    assert!(listed.contains("\"ci\"") && !listed.contains(&secret));
    assert_eq!(house.get("/api/v1/me", &secret).await.status, 200);
    assert_eq!(
        house
            .send(call("DELETE", &format!("/api/v1/tokens/{id}")).token(&full))
            .await
            .status,
        204
    );
    assert_eq!(house.get("/api/v1/me", &secret).await.status, 401);
}

#[tokio::test]
async fn a_token_ends_when_it_should() {
    let house = House::new().await;
    let full = house.user("ana", Role::Viewer).await;
    let body = json!({ "name": "short", "ends_at": "2026-11-20T15:00:00Z" });
    let made = house.post("/api/v1/tokens", &full, &body).await;
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(house.get("/api/v1/me", &secret).await.status, 200);
    house.clock.advance(3_600_000);
    assert_eq!(house.get("/api/v1/me", &secret).await.status, 401);
    assert_eq!(
        house.post("/api/v1/tokens", &full, &body).await.status,
        422,
        "an end in the past"
    );
}

#[tokio::test]
async fn no_secret_is_in_the_database_and_the_audit_chain_holds() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    let cookie = house.session("ana").await;
    let _ = log_in(&house, "ana", "not-the-password", [10, 0, 0, 1]).await;
    let _ = log_in(&house, "typed-a-password-here", "x", [10, 0, 0, 1]).await;
    let mut bytes = Vec::new();
    for name in ["caracal.db", "caracal.db-wal"] {
        bytes.extend(std::fs::read(house.dir.path().join(name)).unwrap_or_default());
    }
    let secret = cookie.split('=').nth(1).unwrap();
    for canary in [&token, secret, PASSWORD, "not-the-password", "typed-a-password-here"] {
        let found = bytes.windows(canary.len()).any(|w| w == canary.as_bytes());
        assert!(!found, "{canary} is in the database");
    }
    let (rows, broken) = house.engine.store.audit_check().await.unwrap();
    assert!(rows >= 5 && broken.is_none(), "{rows} rows, broken at {broken:?}");
}

#[tokio::test]
async fn bearer_never_falls_back_to_the_cookie() {
    let house = House::new().await;
    house.user("ana", Role::Admin).await;
    let cookie = house.session("ana").await;
    for authorization in ["Bearer nonsense", "Bearer ", "Basic YTpi", ""] {
        let request = call("GET", "/api/v1/me")
            .header("cookie", &cookie)
            .header("authorization", authorization);
        assert_eq!(house.send(request).await.status, 401, "{authorization:?}");
    }
    assert_eq!(
        house
            .send(call("GET", "/api/v1/me").header("cookie", &cookie))
            .await
            .status,
        200
    );
}
