//! What browsers are told and what they may send: origins, policies, redirects (reliability S13, S15, S16).
//!
//! **Invariant:** a page of another site can neither act for a visitor nor frame or script ours.

use crate::house::{House, ORIGIN, call};
use domain::auth::Role;
use serde_json::json;

#[tokio::test]
async fn another_site_cannot_act_with_a_visitors_cookie() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    let cookie = house.session("ana").await;
    let body = json!({ "document": "name: x" });
    for (headers, pass) in [
        (vec![("sec-fetch-site", "same-origin")], true),
        (vec![("origin", ORIGIN)], true),
        (
            vec![("origin", "http://localhost:7420"), ("host", "localhost:7420")],
            true,
        ),
        (vec![("sec-fetch-site", "cross-site"), ("origin", ORIGIN)], false),
        (vec![("sec-fetch-site", "same-site")], false),
        (vec![("origin", "https://evil.example")], false),
        (vec![("origin", "null")], false),
        (vec![], false),
    ] {
        for path in ["/api/v1/plans/validate", "/ui/theme/set", "/ui/session/delete"] {
            let mut request = call("POST", path).header("cookie", &cookie);
            request = if path.starts_with("/api") {
                request.json(&body)
            } else {
                request.form("theme=ink")
            };
            for (name, value) in &headers {
                request = request.header(name, value);
            }
            // Signing out ends the session; the API row before it has been judged by then.
            if pass && path == "/ui/session/delete" {
                continue;
            }
            let reply = house.send(request).await;
            assert_eq!(reply.status != 403, pass, "{path} {headers:?}: {}", reply.status);
        }
    }
    // A token is sent by no browser of its own accord, so nothing is asked of it.
    let request = call("POST", "/api/v1/plans/validate")
        .token(&token)
        .header("origin", "https://evil.example");
    assert_eq!(house.send(request.json(&body)).await.status, 200);
    // Reading needs no origin: the answer is readable to our own pages alone.
    let read = call("GET", "/api/v1/me")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site");
    let reply = house.send(read).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn nobody_is_signed_in_from_elsewhere() {
    let house = House::new().await;
    house.user("ana", Role::Admin).await;
    let form = "name=ana&password=correct+horse";
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let reply = house
            .send(call("POST", "/ui/session/create").form(form).header(name, value))
            .await;
        assert_eq!(reply.status, 403, "{name}");
        assert!(reply.cookie().is_none());
    }
}

#[tokio::test]
async fn pages_carry_a_policy_with_a_fresh_nonce() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    let mut nonces = Vec::new();
    for (path, who) in [
        ("/login", ""),
        ("/", token.as_str()),
        ("/plans", &token),
        ("/agents", &token),
        ("/nowhere", &token),
        ("/api", &token),
    ] {
        let reply = house
            .send(call("GET", path).token(who).header("accept", "text/html"))
            .await;
        let policy = reply.header("content-security-policy").to_owned();
        for part in [
            "default-src 'self'",
            "'wasm-unsafe-eval'",
            "style-src-attr 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{policy}"
        );
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .and_then(|p| p.split('\'').next())
            .unwrap()
            .to_owned();
        let html = reply.text();
        for tag in ["<script", "<style"] {
            for piece in html.split(tag).skip(1) {
                let head = piece.split('>').next().unwrap();
                assert!(head.contains(&format!("nonce=\"{nonce}\"")), "{path}: {tag}{head}>");
            }
        }
        assert!(!html.contains(" style=\""), "{path} has a style attribute");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        nonces.push(nonce);
    }
    let count = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), count, "a nonce came twice");
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    for (path, who) in [
        ("/", token.as_str()),
        ("/", ""),
        ("/api/v1/me", &token),
        ("/api/v1/me", ""),
        ("/healthz", ""),
        ("/nowhere", &token),
        ("/ui/nowhere", &token),
    ] {
        let reply = house.get(path, who).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), value, "{path}");
        }
        assert!(
            reply
                .header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(reply.header("x-request-id").len(), 16, "{path}");
    }
}

#[tokio::test]
async fn strangers_are_led_to_the_sign_in_page_and_back() {
    let house = House::new().await;
    house.user("ana", Role::Admin).await;
    for (path, to) in [
        ("/", "/login"),
        ("/tasks/12?tab=events", "/login?next=/tasks/12%3Ftab%3Devents"),
        ("//evil.example/", "/login?next=//evil.example/"),
        ("/nowhere", "/login?next=/nowhere"),
    ] {
        let reply = house.send(call("GET", path).header("accept", "text/html")).await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (303, to), "{path}");
    }
    for (next, to) in [
        ("/plans", "/plans"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/%5Cevil.example", "/"),
    ] {
        let form = format!("name=ana&password=correct+horse&next={next}");
        let reply = house
            .send(
                call("POST", "/ui/session/create")
                    .form(&form)
                    .header("accept", "text/html"),
            )
            .await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (302, to), "{next}");
    }
    let called = house
        .send(
            call("POST", "/ui/tasks/abort")
                .form("task=1")
                .header("referer", "http://127.0.0.1:7420/tasks/1"),
        )
        .await;
    assert_eq!(called.status, 401);
    assert_eq!(called.header("location"), "/login?next=/tasks/1");
}

#[tokio::test]
async fn a_page_that_does_not_exist_says_so() {
    let house = House::new().await;
    let token = house.user("ana", Role::Viewer).await;
    for path in ["/nowhere", "/plans/999", "/tasks/999", "/plans/abc"] {
        let reply = house
            .send(call("GET", path).token(&token).header("accept", "text/html"))
            .await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.header("content-type").starts_with("text/html"), "{path}");
    }
}

#[tokio::test]
async fn server_functions_answer_with_the_status_that_their_error_means() {
    let house = House::new().await;
    let token = house.user("ana", Role::Viewer).await;
    for (path, form, status) in [
        ("/ui/tasks/abort", "task=999", 404),
        ("/ui/tasks/abort", "task=abc", 400),
        ("/ui/tasks/abort", "", 400),
    ] {
        let reply = house.send(call("POST", path).token(&token).form(form)).await;
        assert!(
            matches!(reply.status.as_u16(), 403) && status == 404 || reply.status == status,
            "{path} {form}: {} {}",
            reply.status,
            reply.text()
        );
    }
}

/// Requests are rendered on several threads, each in an arena of its own: what one page holds is nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_asked_for_at_once_keep_to_themselves() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    let mut pages = vec![
        ("/".to_owned(), "Queue".to_owned()),
        ("/agents".into(), "Agents".into()),
    ];
    for n in 0..6 {
        let name = format!("plan-{n}");
        let work = house.work(&token, &name).await;
        pages.push((format!("/tasks/{}", work.task), format!("{name} #{}", work.task)));
        pages.push((format!("/plans/{}", work.plan), name));
    }
    let asked = pages.iter().cycle().take(40 * pages.len()).cloned();
    let asked = asked.map(|(path, title)| {
        let (router, token) = (house.router.clone(), token.clone());
        tokio::spawn(async move {
            let request = call("GET", &path).token(&token).header("accept", "text/html");
            (crate::house::send(&router, request).await, path, title)
        })
    });
    let asked: Vec<_> = asked.collect();
    for answer in asked {
        let (reply, path, title) = answer.await.unwrap();
        let html = reply.text();
        assert_eq!(reply.status, 200, "{path}: {html}");
        let shown = html
            .split("<title>")
            .nth(1)
            .and_then(|t| t.split('<').next())
            .unwrap_or("");
        assert!(shown.contains(&title), "{path} has the title {shown:?}");
    }
}

#[tokio::test]
async fn pages_are_compressed_but_for_those_that_show_secrets() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    for (path, accepted, encoding) in [
        ("/", "gzip, br", "gzip"),
        ("/", "identity", ""),
        ("/me", "gzip", ""),
        ("/nowhere", "gzip", "gzip"),
    ] {
        let request = call("GET", path).token(&token).header("accept", "text/html");
        let reply = house.send(request.header("accept-encoding", accepted)).await;
        assert_eq!(reply.header("content-encoding"), encoding, "{path} {accepted}");
        assert_eq!(reply.text().contains("</html>"), encoding.is_empty(), "{path}");
    }
    for path in ["/pkg/caracal-of-another-build.wasm", "/fonts/none.woff2"] {
        assert_eq!(house.get(path, "").await.status, 404, "{path}");
    }
}
