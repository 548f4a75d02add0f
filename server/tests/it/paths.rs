//! Spellings of a path that some servers take for another: none of ours gets past the sign-in.
//!
//! **Invariant:** to a stranger every spelling is a refusal or the way to the sign-in page.

use crate::house::{House, call};
use domain::auth::Role;

#[tokio::test]
async fn no_spelling_gets_past_the_sign_in() {
    let house = House::new().await;
    house.user("admin", Role::Admin).await;
    let mut spellings = Vec::new();
    for path in [
        "/api/v1/plans",
        "/api/v1/users",
        "/plans",
        "/me",
        "/ui/queue/get",
        "/live",
        "/api",
    ] {
        let last = path.rsplit('/').next().unwrap();
        let parent = &path[..path.len() - last.len()];
        spellings.extend([
            path.to_owned(),
            format!("/{path}"),
            format!("{path}/"),
            format!("{path}//"),
            format!("{path};x"),
            format!("{path};/login"),
            format!("{path}%00"),
            format!("{path}%2f"),
            format!("{path}?next=/login"),
            format!("{parent}./{last}"),
            format!("{parent}/{last}"),
            format!("{parent}%2e/{last}"),
            format!("{parent}x/../{last}"),
            format!("{parent}x/%2e%2e/{last}"),
            format!("/login/..{path}"),
            format!("/login/%2e%2e{path}"),
            format!("/login;{path}"),
            format!("/login{path}"),
            format!("/healthz{path}"),
            format!("/healthz/..{path}"),
            format!("/pkg/..{path}"),
            format!("/pkg/%2e%2e{path}"),
            format!("/pkg/..%2f..{path}"),
            format!("/api/v1/openapi.json/..{path}"),
            path.to_uppercase(),
            path.replace("p", "%70").replace("u", "%75"),
        ]);
    }
    for path in spellings {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "TRACE"] {
            let reply = house.send(call(method, &path)).await;
            assert!(
                !reply.status.is_success(),
                "{method} {path}: {} {}",
                reply.status,
                reply.text()
            );
            assert!(!reply.status.is_server_error(), "{method} {path}: {}", reply.status);
        }
    }
}

#[tokio::test]
async fn files_outside_the_site_are_not_served() {
    let house = House::new().await;
    let token = house.user("admin", Role::Admin).await;
    for path in [
        "/pkg/../../Cargo.toml",
        "/..%2f..%2fCargo.toml",
        "/%2e%2e/%2e%2e/Cargo.toml",
        "/pkg/..%5c..%5cCargo.toml",
        "/etc/passwd",
    ] {
        let reply = house.get(path, &token).await;
        assert!(
            !reply.text().contains("[package]") && !reply.text().contains("root:"),
            "{path}"
        );
        assert!(!reply.status.is_success(), "{path}: {}", reply.status);
    }
}
