//! Secrets through the API: what comes back, what never does, and what lies on the disk.

use crate::house::{House, call};
use domain::auth::Role;
use engine::assembly::{Engine, Options};
use engine::clock::Clock;
use engine::store::Location;
use serde_json::json;
use server::backup::{restore, take};
use std::path::{Path, PathBuf};

const CANARY: &str = "hunter2-canary-7f3a";

#[tokio::test]
async fn a_value_goes_in_and_is_nowhere_to_be_found() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    let wish = json!({ "name": "DEPLOY_KEY", "value": CANARY });
    let made = house.post("/api/v1/secrets", &ana, &wish).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].clone();
    assert_eq!(
        (&made.json()["version"], &made.json()["set_by"]),
        (&json!(1), &json!("ana"))
    );
    let set = json!({ "version": 1, "value": format!("{CANARY}-again") }).to_string();
    let set = call("PUT", &format!("/api/v1/secrets/{id}"))
        .token(&ana)
        .raw(set)
        .header("content-type", "application/json");
    let set = house.send(set).await;
    assert_eq!(
        (set.status.as_u16(), &set.json()["version"]),
        (200, &json!(2)),
        "{}",
        set.text()
    );
    let listed = house.get("/api/v1/secrets", &ana).await;
    for reply in [&made, &set, &listed] {
        assert!(!reply.text().contains(CANARY), "{}", reply.text());
    }
    assert_eq!(listed.json()["items"][0]["name"], "DEPLOY_KEY");
    assert!(
        !files_with(house.dir.path(), b"DEPLOY_KEY").is_empty(),
        "names are there, so looking works"
    );
    let found = files_with(house.dir.path(), CANARY.as_bytes());
    assert!(found.is_empty(), "{found:?}");
}

/// The files below a folder that hold these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if path.is_file() && std::fs::read(&path).unwrap().windows(bytes.len()).any(|w| w == bytes) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_changes_nothing() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    for (wish, field) in [
        (json!({ "name": "deploy", "value": "x" }), "name"),
        (json!({ "name": "KEY", "value": "" }), "value"),
        (json!({ "name": "KEY", "value": "x".repeat(64 * 1024 + 1) }), "value"),
        (json!({ "name": "KEY", "value": "x", "plan_id": 999_999 }), "plan_id"),
    ] {
        let reply = house.post("/api/v1/secrets", &ana, &wish).await;
        assert_eq!(reply.status, 422, "{}", reply.text());
        assert_eq!(reply.json()["errors"][0]["path"], field, "{}", reply.text());
    }
    let wish = json!({ "name": "KEY", "value": "x" });
    assert_eq!(house.post("/api/v1/secrets", &ana, &wish).await.status, 201);
    let twice = house.post("/api/v1/secrets", &ana, &wish).await;
    assert_eq!(twice.status, 409);
    assert!(
        twice.text().contains("There is a secret `KEY` already"),
        "{}",
        twice.text()
    );
    assert_eq!(
        house.get("/api/v1/secrets", &ana).await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_backup_holds_no_key_and_is_of_no_use_without_it() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    let start = async |data: &Path| {
        let database = Location::Sqlite(data.join("caracal.db"));
        let (settings, clock) = (engine::dispatch::Settings::default(), house.clock.clone());
        let options = Options {
            database,
            data: data.to_owned(),
            settings,
            clock,
        };
        Engine::start(options).await
    };
    let outer = tempfile::tempdir().unwrap();
    let now = house.clock.now();
    let [empty, full] = ["empty", "full"].map(|n| (outer.path().join(n), outer.path().join(format!("{n}-data"))));
    take(house.dir.path(), &empty.0, now).await.unwrap();
    let wish = json!({ "name": "KEY", "value": CANARY });
    assert_eq!(house.post("/api/v1/secrets", &ana, &wish).await.status, 201);
    take(house.dir.path(), &full.0, now).await.unwrap();
    for (backup, data) in [&empty, &full] {
        restore(backup, data, now, 600_000).await.unwrap();
        assert!(!data.join("master.key").exists());
    }
    // Without secrets a new key does no harm.
    start(&empty.1).await.unwrap().stop().await;
    let refused = start(&full.1).await.err().expect("it started").to_string();
    assert!(
        refused.contains("holds secrets under the master key") && refused.contains("master.key"),
        "{refused}"
    );
    assert!(
        !full.1.join("master.key").exists(),
        "a new key would hide that the old one is missing"
    );
    std::fs::copy(empty.1.join("master.key"), full.1.join("master.key")).unwrap();
    assert!(start(&full.1).await.is_err(), "another server's key");
    std::fs::copy(house.dir.path().join("master.key"), full.1.join("master.key")).unwrap();
    start(&full.1).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_key_is_changed_while_secrets_are_being_set_and_none_is_left_under_the_old_one() {
    let house = House::new().await;
    let admin = house.user("admin", Role::Admin).await;
    let make = async |n: usize| {
        let wish = json!({ "name": format!("KEY_{n}"), "value": CANARY });
        loop {
            let made = house.post("/api/v1/secrets", &admin, &wish).await;
            // What was sealed just before the key was changed is refused, and sent again.
            if made.status == 503 && made.text().contains("The master key was changed in this instant") {
                continue;
            }
            assert_eq!(made.status, 201, "{}", made.text());
            break;
        }
    };
    let rotate = async || {
        let done = house.post("/api/v1/secrets/rotate-key", &admin, &json!({})).await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(done.json()["unreadable"], json!([]));
    };
    for round in 0..4 {
        let makers = futures::future::join_all((0..20).map(|n| make(round * 20 + n)));
        tokio::join!(makers, rotate(), rotate());
    }
    let key = house.dir.path().join("master.key");
    assert_eq!(std::fs::read_to_string(&key).unwrap().lines().count(), 1);
    let vault = engine::auth::vault::Vault::present(&key).unwrap();
    let lost = engine::auth::rotation::lost(&house.engine.store, &vault).await.unwrap();
    assert_eq!(lost, []);
    let listed = house.get("/api/v1/secrets?limit=200", &admin).await;
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 80);
}

#[tokio::test]
async fn what_a_form_sends_is_the_text_that_was_typed_and_no_answer_has_it() {
    let house = House::new().await;
    let ana = house.user("ana", Role::Editor).await;
    let cookie = house.session("ana").await;
    let post = async |path: &str, body: &str| {
        let form = call("POST", path)
            .form(body)
            .header("cookie", &cookie)
            .header("origin", crate::house::ORIGIN)
            .header("referer", &format!("{}/admin/secrets/new", crate::house::ORIGIN))
            .header("accept", "text/html");
        house.send(form).await
    };
    // Browsers send a text area's lines with CRLF, which no private key survives.
    for (name, sent) in [("KEY", "begin%0D%0Aend%0D%0A"), ("TOKEN", &format!("{CANARY}%0D%0A"))] {
        let made = post("/ui/secrets/create", &format!("name={name}&plan=&value={sent}")).await;
        assert_eq!(
            (made.status.as_u16(), made.header("location")),
            (302, "/admin/secrets"),
            "{}",
            made.text()
        );
    }
    let want = [("KEY", "begin\nend\n"), ("TOKEN", CANARY)].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(crate::secret_commands::values(house.dir.path()).await, want);

    let id = house.get("/api/v1/secrets", &ana).await.json()["items"][0]["id"].clone();
    for (path, body) in [
        ("/ui/secrets/create", format!("name=TOKEN&value={CANARY}")),
        ("/ui/secrets/create", format!("name=no+name&value={CANARY}")),
        ("/ui/secrets/create", format!("name=OTHER&plan=999999&value={CANARY}")),
        ("/ui/secrets/create", format!("name=OTHER&plan=x&value={CANARY}")),
        ("/ui/secrets/set", format!("secret={id}&version=7&value={CANARY}")),
        ("/ui/secrets/set", format!("secret={id}&version=x&value={CANARY}")),
        ("/ui/secrets/set", format!("secret=999999&version=1&value={CANARY}")),
    ] {
        let refused = post(path, &body).await;
        assert_eq!(refused.status, 302, "{path} {body}: {}", refused.text());
        let back = refused.header("location").to_owned();
        assert!(
            back.contains("/admin/secrets/new?") && back.contains("__err="),
            "{back}"
        );
        let all = format!("{:?}{}", refused.headers, refused.text());
        assert!(!all.contains(CANARY), "{all}");
        let page = back.split_once("7420").map_or(back.as_str(), |(_, path)| path);
        let shown = house
            .send(
                call("GET", page)
                    .header("cookie", &cookie)
                    .header("accept", "text/html"),
            )
            .await;
        assert_eq!(shown.status, 200);
        assert!(!shown.text().contains(CANARY), "{page}");
    }
}
