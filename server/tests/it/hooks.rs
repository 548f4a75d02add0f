//! Deliveries over HTTP: proved, stored once, decided, answered; and what is refused leaves next to nothing.

use crate::house::{Call, House, ORIGIN, Reply, call};
use domain::auth::Role;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write as _;

const SECRET: &str = "a secret of both sides";

/// A server, somebody who edits, and a GitHub trigger for pushes to `main`.
struct Site {
    house: House,
    ana: String,
    trigger: Value,
    path: String,
}

impl Site {
    async fn new() -> Self {
        let house = House::new().await;
        let ana = house.user("ana", Role::Editor).await;
        let plan = json!({ "document": "name: app\nsteps: [{run: 'true'}]\n" });
        let plan = house.post("/api/v1/plans", &ana, &plan).await.json()["id"].clone();
        let wish = json!({
            "name": "push", "kind": "webhook", "plan_id": plan, "config": { "provider": "github", "secret": SECRET },
            "rules": ["event == push", "branch == main"], "parameters": { "who": "${{ author }}" },
        });
        let trigger = house.post("/api/v1/triggers", &ana, &wish).await;
        assert_eq!(trigger.status, 201, "{}", trigger.text());
        let trigger = trigger.json();
        let path = trigger["url"]
            .as_str()
            .unwrap()
            .strip_prefix(ORIGIN)
            .unwrap()
            .to_owned();
        Self {
            house,
            ana,
            trigger,
            path,
        }
    }

    fn push(&self, id: &str, branch: &str) -> Call {
        self.signed(SECRET, id, &push(branch))
    }

    fn signed(&self, secret: &str, id: &str, body: &str) -> Call {
        let call = call("POST", &self.path)
            .raw(body)
            .header("content-type", "application/json");
        let call = call.header("x-github-event", "push").header("x-github-delivery", id);
        call.header("x-hub-signature-256", &format!("sha256={}", mac(secret, body)))
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.house.get(path, &self.ana).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    async fn hook(&self) -> Value {
        self.get(&format!("/api/v1/hooks/{}", self.trigger["config"]["hook_id"]))
            .await
    }

    async fn put(&self, path: &str, body: &Value) -> Reply {
        self.house.send(call("PUT", path).token(&self.ana).json(body)).await
    }

    async fn tasks(&self) -> usize {
        self.get("/api/v1/tasks").await["items"].as_array().unwrap().len()
    }
}

fn mac(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut s, b| {
        write!(s, "{b:02x}").unwrap();
        s
    })
}

fn push(branch: &str) -> String {
    json!({
        "ref": format!("refs/heads/{branch}"), "after": "4e81b02a77d94e81b02a77d94e81b02a77d94e81", "token": "leaked-canary",
        "repository": { "full_name": "money/ledger" }, "pusher": { "name": "mei" }, "sender": { "login": "mei" },
        "head_commit": { "message": "Export the ledger\n\nas CSV", "author": { "username": "mei" } },
        "commits": [{ "added": ["a.rs"], "modified": [], "removed": [] }],
    })
    .to_string()
}

#[tokio::test]
async fn a_push_starts_one_task_however_often_it_is_delivered() {
    let site = Site::new().await;
    let first = site.house.send(site.push("d-1", "main")).await;
    assert_eq!(first.status, 202, "{}", first.text());
    let said = first.json();
    assert_eq!(
        (&said["repeated"], &said["firings"][0]["verdict"]),
        (&json!(false), &json!("started")),
        "{said}"
    );
    let task = said["firings"][0]["tasks"][0].clone();
    let task = site.get(&format!("/api/v1/tasks/{task}")).await;
    assert_eq!(task["cause"]["kind"], "webhook");
    assert_eq!(task["cause"]["firing_id"], said["firings"][0]["firing"]);
    assert_eq!(task["parameters"]["who"], "mei");

    let again = site.house.send(site.push("d-1", "main")).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(
        (&again.json()["repeated"], &again.json()["firings"]),
        (&json!(true), &said["firings"])
    );
    let many = (0..60).map(|_| site.house.send(site.push("d-2", "main")));
    let many = futures::future::join_all(many).await;
    assert_eq!(
        many.iter().filter(|r| r.status == 202).count(),
        1,
        "of sixty at once one is new"
    );
    assert!(many.iter().all(|r| r.json()["firings"] == many[0].json()["firings"]));
    assert_eq!(site.tasks().await, 2);
}

#[tokio::test]
async fn what_starts_nothing_says_why_with_every_rule_and_what_it_saw() {
    let site = Site::new().await;
    let reply = site.house.send(site.push("d-1", "feature/x")).await;
    assert_eq!(reply.status, 202);
    let said = &reply.json()["firings"][0];
    let why = "Nothing was started, because branch `feature/x` is not `main`.";
    assert_eq!((&said["verdict"], &said["reason"]), (&json!("nothing"), &json!(why)));
    let firing = site.get(&format!("/api/v1/firings/{}", said["firing"])).await;
    let rules = &firing["evaluation"]["rules"];
    assert_eq!((&rules[0]["holds"], &rules[1]["holds"]), (&json!(true), &json!(false)));
    assert_eq!(rules[1]["found"], json!(["feature/x"]));
    assert_eq!(firing["cause"]["title"], "Push to feature/x");
    assert_eq!(firing["cause"]["message"], "Export the ledger");
    assert_eq!(firing["delivery"]["proof"], "x-hub-signature-256");
    // Nobody sees what sounds like a secret, nor what proved it.
    assert_eq!(firing["delivery"]["payload"]["token"], "(taken out)");
    let text = firing.to_string();
    assert!(!text.contains("leaked-canary") && !text.contains("sha256="), "{text}");

    // The rules are changed, tried on that delivery, and it is replayed.
    let delivery = firing["delivery_id"].clone();
    let what = json!({ "rules": ["branch == feature/*"], "delivery_id": delivery, "trigger_id": site.trigger["id"] });
    let tried = site.house.post("/api/v1/triggers/try", &site.ana, &what).await.json();
    assert_eq!(
        (&tried["verdict"], &tried["of_last"]),
        (&json!("started"), &json!([1, 0, 1])),
        "{tried}"
    );
    assert_eq!(site.tasks().await, 0);
    let id = &site.trigger["id"];
    let saved = site
        .put(
            &format!("/api/v1/triggers/{id}"),
            &json!({ "version": 1, "rules": ["branch == feature/*"] }),
        )
        .await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    let replayed = site
        .house
        .post(
            &format!("/api/v1/firings/{}/replay", firing["id"]),
            &site.ana,
            &json!({}),
        )
        .await;
    assert_eq!(replayed.status, 201, "{}", replayed.text());
    assert_eq!(
        (&replayed.json()["verdict"], &replayed.json()["replay_of"]),
        (&json!("started"), &firing["id"])
    );
    assert_eq!(replayed.json()["cause"]["by"], "ana");
    assert_eq!(site.tasks().await, 1);
    let listed = site
        .get(&format!("/api/v1/triggers/{id}/firings?verdict=nothing"))
        .await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_proves_nothing_is_answered_like_an_unknown_hook_and_leaves_a_line() {
    let site = Site::new().await;
    let unknown = call("POST", "/hooks/hk_nobody")
        .raw(push("main"))
        .header("content-type", "application/json");
    let unknown = site.house.send(unknown).await;
    assert_eq!(unknown.status, 404);
    let body = push("main");
    let bare = call("POST", &site.path)
        .raw(body.clone())
        .header("content-type", "application/json");
    let twice = site.push("d", "main").header("x-hub-signature-256", "sha256=00");
    for (n, (wrong, why)) in [
        (site.signed("another", "d", &body), "does not match"),
        (bare, "carries no signature"),
        (twice, "carries no signature"),
        (site.signed(SECRET, "d", "not json").raw(body), "does not match"),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = site.house.send(wrong).await;
        assert_eq!((reply.status, &reply.body), (unknown.status, &unknown.body), "{n}");
        let hook = site.hook().await;
        assert_eq!(hook["refused"], n + 1);
        let line = &hook["refusals"][0];
        assert!(line["reason"].as_str().unwrap().contains(why), "{line}");
        assert_eq!(line["from"], "192.0.2.1");
    }
    // Proved, and no sense: told so.
    let reply = site.house.send(site.signed(SECRET, "d", "{\"ref\":")).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("not JSON"), "{}", reply.text());
    let deep = "[".repeat(100_000);
    assert_eq!(site.house.send(site.signed(SECRET, "d", &deep)).await.status, 400);
    for _ in 0..30 {
        site.house.send(site.signed("another", "d", "{}")).await;
    }
    let hook = site.hook().await;
    assert_eq!((&hook["refused"], &hook["accepted"]), (&json!(36), &json!(0)));
    assert_eq!(hook["refusals"].as_array().unwrap().len(), 20);
    assert!(!hook.to_string().contains("money/ledger"), "nothing of a body");
    let deliveries = site.get(&format!("/api/v1/hooks/{}/deliveries", hook["id"])).await;
    assert_eq!(
        (deliveries["items"].as_array().unwrap().len(), site.tasks().await),
        (0, 0)
    );
    let health = &site.get(&format!("/api/v1/triggers/{}", site.trigger["id"])).await["health"];
    assert_eq!(health["state"], "unwell", "{health}");
    // It is found, and counted, as its health says.
    let found = site.get("/api/v1/triggers?unwell=true").await;
    assert_eq!(found["items"][0]["id"], site.trigger["id"], "{found}");
    let listed = site.get("/ui/triggers/list?is=unwell").await;
    assert_eq!(
        (&listed["counts"]["unwell"], &listed["counts"]["on"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_secret_is_changed_while_both_are_believed() {
    let site = Site::new().await;
    let hook = site.hook().await;
    let path = format!("/api/v1/hooks/{}", hook["id"]);
    let changed = site
        .put(&path, &json!({ "version": hook["version"], "fresh_secret": true }))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let changed = changed.json();
    let fresh = changed["secret"].as_str().unwrap().to_owned();
    assert!(changed["rotating_since"].is_string());
    let both = [(SECRET, "a"), (&fresh, "b")];
    for (secret, id) in both {
        assert_eq!(
            site.house.send(site.signed(secret, id, &push("main"))).await.status,
            202,
            "{id}"
        );
    }
    let deliveries = site.get(&format!("{path}/deliveries")).await;
    let proofs: Vec<&str> = deliveries["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["proof"].as_str().unwrap())
        .collect();
    assert_eq!(
        proofs,
        [
            "x-hub-signature-256, the new secret",
            "x-hub-signature-256, the old secret"
        ]
    );
    // What is in use cannot be taken away under the hook's feet.
    let secrets = site.get("/api/v1/secrets").await;
    assert_eq!(secrets["items"].as_array().unwrap().len(), 2);
    let id = &secrets["items"][0]["id"];
    let refused = site
        .house
        .send(call("DELETE", &format!("/api/v1/secrets/{id}")).token(&site.ana))
        .await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("the hook push"), "{}", refused.text());
    let stale = site
        .put(&path, &json!({ "version": hook["version"], "forget_old": true }))
        .await;
    assert_eq!(stale.status, 409);
    let ended = site
        .put(&path, &json!({ "version": changed["version"], "forget_old": true }))
        .await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!(ended.json()["secret"], Value::Null, "shown once");
    assert_eq!(
        site.house.send(site.signed(SECRET, "c", &push("main"))).await.status,
        404
    );
    assert_eq!(
        site.house.send(site.signed(&fresh, "d", &push("main"))).await.status,
        202
    );
    // The hook goes with its trigger, and its secrets with the hook.
    let gone = site
        .house
        .send(call("DELETE", &format!("/api/v1/triggers/{}", site.trigger["id"])).token(&site.ana))
        .await;
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_eq!(
        site.house.send(site.signed(&fresh, "e", &push("main"))).await.status,
        404
    );
    assert_eq!(site.get("/api/v1/secrets").await["items"], json!([]));
    assert_eq!(site.get("/api/v1/hooks").await["items"], json!([]));
    assert_eq!(site.tasks().await, 3, "tasks stay");
}

#[tokio::test]
async fn one_hook_serves_many_triggers_and_too_many_deliveries_wait() {
    let site = Site::new().await;
    let (plan, hook) = (
        site.trigger["plan_id"].clone(),
        site.trigger["config"]["hook_id"].clone(),
    );
    let wish = json!({ "name": "tags", "kind": "webhook", "plan_id": plan, "config": { "hook_id": hook }, "rules": ["event == tag"] });
    let second = site.house.post("/api/v1/triggers", &site.ana, &wish).await;
    assert_eq!(second.status, 201, "{}", second.text());
    assert_eq!(
        (&second.json()["url"], &second.json()["secret"]),
        (&site.trigger["url"], &Value::Null)
    );
    let reply = site.house.send(site.push("d-0", "main")).await.json();
    let verdicts: Vec<&Value> = reply["firings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["verdict"])
        .collect();
    assert_eq!(verdicts, ["started", "nothing"]);
    for n in 1..150 {
        assert_eq!(
            site.house.send(site.push(&format!("d-{n}"), "other")).await.status,
            202,
            "{n}"
        );
    }
    let over = site.house.send(site.push("over", "main")).await;
    assert_eq!((over.status.as_u16(), over.header("retry-after")), (429, "10"));
    site.house.clock.advance(10_000);
    assert_eq!(
        site.house.send(site.push("over", "main")).await.status,
        202,
        "nothing of it was kept"
    );
    // Who can prove nothing uses up nothing of those who can.
    for n in 0..80 {
        let reply = site
            .house
            .send(site.signed("wrong", "w", "{}").from([192, 0, 2, 9]))
            .await;
        assert_eq!(reply.status, if n < 60 { 404 } else { 429 }, "{n}");
    }
    assert_eq!(site.house.send(site.push("fine", "main")).await.status, 202);
    // A hook with listeners stays.
    let gone = site
        .house
        .send(call("DELETE", &format!("/api/v1/hooks/{hook}")).token(&site.ana))
        .await;
    assert_eq!(gone.status, 409);
    assert!(gone.text().contains("push, tags"), "{}", gone.text());
}

#[tokio::test]
async fn a_hooks_secret_that_something_else_uses_outlives_the_hook() {
    let site = Site::new().await;
    let secret = site.get("/api/v1/secrets").await["items"][0]["id"].clone();
    let wish = json!({ "name": "ledger", "url": "https://git.example/money/ledger.git", "secret_id": secret });
    let made = site.house.post("/api/v1/repositories", &site.ana, &wish).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let gone = call("DELETE", &format!("/api/v1/triggers/{}", site.trigger["id"])).token(&site.ana);
    let gone = site.house.send(gone).await;
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_eq!(site.get("/api/v1/hooks").await["items"], json!([]));
    assert_eq!(site.get("/api/v1/secrets").await["items"][0]["id"], secret);
}

#[tokio::test]
async fn every_mistake_of_a_trigger_is_told_at_its_field_and_nothing_is_saved() {
    let site = Site::new().await;
    let wish = json!({
        "name": " x", "kind": "cron", "plan_id": 999, "config": { "cron": "61 * * * *", "zone": "Mars/Base" },
        "rules": ["branch = main"], "parameters": { "a b": "${{ nope }}" }, "priority": 60,
    });
    let reply = site.house.post("/api/v1/triggers", &site.ana, &wish).await;
    assert_eq!(reply.status, 422, "{}", reply.text());
    let reply = reply.json();
    let paths: Vec<&str> = reply["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["path"].as_str().unwrap())
        .collect();
    for path in [
        "config.zone",
        "config.cron",
        "plan_id",
        "name",
        "rules[0]",
        "parameters.a b",
        "priority",
    ] {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
    let rule = reply["errors"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["path"] == "rules[0]")
        .unwrap();
    assert_eq!(rule["column"], 8);
    assert_eq!(site.get("/api/v1/triggers").await["items"].as_array().unwrap().len(), 1);
    // The same name, and a chain that would go round.
    let plan = site.trigger["plan_id"].clone();
    let same = json!({ "name": "push", "kind": "cron", "plan_id": plan, "config": { "cron": "0 0 * * *" } });
    assert_eq!(site.house.post("/api/v1/triggers", &site.ana, &same).await.status, 409);
    let round = json!({ "name": "round", "kind": "upstream", "plan_id": plan, "config": { "plans": [plan] } });
    let round = site.house.post("/api/v1/triggers", &site.ana, &round).await;
    assert_eq!(round.status, 422);
    assert!(round.text().contains("app → app"), "{}", round.text());
}

#[tokio::test]
async fn what_came_to_a_hook_is_listed_without_payloads_and_with_what_came_of_it() {
    let site = Site::new().await;
    for (id, branch) in [("d-1", "main"), ("d-2", "other")] {
        assert_eq!(site.house.send(site.push(id, branch)).await.status, 202);
    }
    let hook = site.trigger["config"]["hook_id"].as_i64().unwrap();
    let found = site.get(&format!("/api/v1/hooks/{hook}/received")).await;
    let row = |d: &Value| [&d["key"], &d["event"], &d["firings"][0]["verdict"]].map(|v| v.as_str().unwrap().to_owned());
    let told: Vec<_> = found["items"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(told, [["d-2", "push", "nothing"], ["d-1", "push", "started"]]);
    assert!(
        found["items"][0].get("payload").is_none() && !found.to_string().contains("refs/heads"),
        "{found}"
    );
    let hook = site.get(&format!("/api/v1/hooks/{hook}")).await;
    assert_eq!(
        (&hook["listeners"][0]["name"], &hook["listeners"][0]["plan"]),
        (&json!("push"), &json!("app"))
    );
    let secrets = site.get("/api/v1/secrets").await;
    let users = site
        .get(&format!("/api/v1/secrets/{}/users", secrets["items"][0]["id"]))
        .await;
    assert_eq!(
        (&users["items"][0]["kind"], &users["items"][0]["name"]),
        (&json!("hook"), &hook["name"])
    );
    assert_eq!(
        site.house.get("/api/v1/hooks/999/received", &site.ana).await.status,
        404
    );
    assert_eq!(site.house.get("/api/v1/secrets/999/users", &site.ana).await.status, 404);
}
