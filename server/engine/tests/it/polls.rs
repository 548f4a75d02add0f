//! Polls of real repositories and pages: each thing once, whatever the remote does.

use crate::support::{Database, Repository, World, on_both};
use domain::PlanId;
use domain::TriggerId;
use domain::health::Health;
use domain::page::PageQuery;
use domain::repository::{NewRepository, PutRepository};
use domain::secret::SecretValue;
use domain::trigger::{FiringView, HealthState, Kind, NewTrigger, Provider, TriggerView, Verdict};
use engine::clock::Clock as _;
use futures::StreamExt as _;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

on_both!(
    a_push_is_found_once_with_its_message_and_paths,
    each_commit_is_told_in_order_where_that_is_wanted,
    a_dead_remote_is_said_since_when_and_holds_up_nobody,
    one_hung_remote_among_five_hundred_delays_none_of_the_others,
    a_page_is_found_changed_once,
    a_repository_is_tested_polled_and_kept_while_it_is_used,
);

async fn plan(world: &World, source: &str) -> PlanId {
    world
        .plan(&format!(
            "name: app\nsource: {{ git: {source} }}\nsteps: [{{run: 'true'}}]\n"
        ))
        .await
}

fn wish(name: &str, plan: PlanId, config: Value) -> NewTrigger {
    NewTrigger {
        name: name.into(),
        kind: Kind::Poll,
        plan_id: plan,
        enabled: None,
        config,
        rules: vec![],
        parameters: Default::default(),
        branch: None,
        revision: None,
        priority: None,
    }
}

async fn poll(world: &World, name: &str, plan: PlanId, config: Value, rules: &[&str]) -> TriggerId {
    let wish = NewTrigger {
        rules: rules.iter().map(|r| (*r).to_owned()).collect(),
        ..wish(name, plan, config)
    };
    let id = world
        .engine
        .ports
        .triggers
        .create(&world.ana, wish)
        .await
        .unwrap()
        .trigger
        .id;
    looked(world, id).await;
    id
}

async fn view(world: &World, id: TriggerId) -> TriggerView {
    world.engine.ports.triggers.get(&world.ana, id).await.unwrap()
}

async fn firings(world: &World, id: TriggerId) -> Vec<FiringView> {
    let page = PageQuery::default();
    let mut all = world
        .engine
        .ports
        .triggers
        .firings(&world.ana, Some(id), vec![], page)
        .await
        .unwrap()
        .items;
    all.reverse();
    all
}

/// Waits until it has been looked at: its time lies ahead again.
async fn looked(world: &World, id: TriggerId) {
    let now = world.clock.now();
    for _ in 0..2_000 {
        world.engine.triggers.wake();
        if view(world, id).await.next_fire_at.is_some_and(|at| at > now) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody looks: {:?}", view(world, id).await);
}

/// Lets its time come, and waits until it has been looked at.
async fn next(world: &World, id: TriggerId) -> Vec<FiringView> {
    world.clock.advance(66_001);
    looked(world, id).await;
    firings(world, id).await
}

/// The same, once the remote could be looked at: one look may fail on a machine that is busy, and the next finds what it missed.
async fn found(world: &World, id: TriggerId) -> Vec<FiringView> {
    let mut said = String::new();
    for _ in 0..3 {
        let all = next(world, id).await;
        let health = view(world, id).await.health;
        if health.state == HealthState::Well {
            return all;
        }
        said = health.said;
    }
    panic!("it cannot be looked at: {said}");
}

async fn a_push_is_found_once_with_its_message_and_paths(database: Database) {
    let mut world = World::on(database).await;
    let repository = Repository::new(&world);
    let plan = plan(&world, repository.url()).await;
    let config = json!({ "git": repository.url(), "branches": ["main", "release/*"], "tags": ["v*"] });
    let id = poll(
        &world,
        "push",
        plan,
        config.clone(),
        &["path == src/** || event == tag"],
    )
    .await;
    assert!(found(&world, id).await.is_empty(), "what is there is the start");
    repository.commit("src/one.rs", "one");
    let head = repository.commit("docs/two.md", "Export the ledger\n\nas CSV");
    let all = found(&world, id).await;
    assert_eq!(all.len(), 1, "the newest of two commits, with what both changed");
    let cause = &all[0].cause;
    assert_eq!(
        (cause.title.as_str(), cause.revision.as_deref()),
        ("New commit on main", Some(head.as_str()))
    );
    assert_eq!(
        (cause.message.as_deref(), cause.author.as_deref()),
        (Some("Export the ledger"), Some("Mei"))
    );
    let task = world.task(all[0].tasks[0].id).await;
    assert_eq!(
        (task.revision.as_deref(), task.branch.as_deref()),
        (Some(head.as_str()), Some("main"))
    );
    assert_eq!(task.message.as_deref(), Some("Export the ledger"));
    world = world.restart().await;
    assert_eq!(found(&world, id).await.len(), 1, "nothing new, also after a restart");

    repository.commit("docs/three.md", "three");
    repository.git(&["tag", "v1"]);
    repository.git(&["branch", "release/1"]);
    repository.git(&["branch", "other"]);
    let all = found(&world, id).await;
    let said: Vec<(&str, Verdict)> = all[1..].iter().map(|f| (f.cause.title.as_str(), f.verdict)).collect();
    let want = [
        ("New commit on main", Verdict::Nothing),
        ("New commit on release/1", Verdict::Nothing),
        ("New tag v1", Verdict::Started),
    ];
    assert_eq!(said, want, "{:?}", all.iter().map(|f| &f.reason).collect::<Vec<_>>());
    // A forced push, then a branch that goes and comes back as it was.
    repository.git(&["reset", "--quiet", "--hard", "HEAD~2"]);
    let forced = repository.commit("src/four.rs", "four");
    let all = found(&world, id).await;
    assert_eq!(
        (all.len(), all[4].cause.revision.as_deref()),
        (5, Some(forced.as_str()))
    );
    repository.git(&["branch", "--quiet", "-D", "release/1"]);
    assert_eq!(found(&world, id).await.len(), 5);
    let skipped = repository.commit("src/five.rs", "five [skip ci]");
    let all = found(&world, id).await;
    assert_eq!(
        (all[5].verdict, all[5].cause.revision.as_deref()),
        (Verdict::Nothing, Some(skipped.as_str()))
    );
    assert!(all[5].reason.as_ref().unwrap().contains("[skip ci]"));
    let checked = world.engine.ports.triggers.check(&world.ana, id).await.unwrap();
    assert_eq!(
        (checked.good, checked.said.as_str(), checked.firings.len()),
        (true, "looked at 2 branches and tags", 0)
    );
    let health = view(&world, id).await.health;
    assert_eq!(
        (health.state, health.said.as_str()),
        (HealthState::Well, "looked at 2 branches and tags")
    );
}

async fn each_commit_is_told_in_order_where_that_is_wanted(database: Database) {
    let world = World::on(database).await;
    let repository = Repository::new(&world);
    let plan = plan(&world, repository.url()).await;
    let id = poll(
        &world,
        "each",
        plan,
        json!({ "git": repository.url(), "commits": "each" }),
        &[],
    )
    .await;
    let commits: Vec<String> = (1..=3)
        .map(|n| repository.commit("src/a.rs", &format!("commit {n}")))
        .collect();
    let all = found(&world, id).await;
    let found: Vec<&str> = all.iter().filter_map(|f| f.cause.revision.as_deref()).collect();
    assert_eq!(found, commits);
    assert!(all.iter().all(|f| f.verdict == Verdict::Started && f.tasks.len() == 1));
}

async fn a_dead_remote_is_said_since_when_and_holds_up_nobody(database: Database) {
    let world = World::on(database).await;
    let repository = Repository::new(&world);
    let plan = plan(&world, repository.url()).await;
    // A server that takes the connection and says nothing.
    let hung = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a/b.git", hung.local_addr().unwrap());
    let stuck = world
        .engine
        .ports
        .triggers
        .create(&world.ana, wish("stuck", plan, json!({ "git": url })))
        .await
        .unwrap()
        .trigger
        .id;
    let (connection, _) = hung.accept().await.unwrap();
    let gone = poll(&world, "gone", plan, json!({ "git": "/srv/none.git" }), &[]).await;
    let health = view(&world, gone).await.health;
    assert_eq!(health.state, HealthState::Unwell);
    assert!(health.said.contains("/srv/none.git"), "{}", health.said);
    let since = health.at.unwrap();
    let good = poll(&world, "good", plan, json!({ "git": repository.url() }), &[]).await;
    repository.commit("a", "a");
    assert_eq!(next(&world, good).await.len(), 1, "the others go on");
    assert!(!world.engine.ports.triggers.check(&world.ana, gone).await.unwrap().good);
    assert_eq!(view(&world, gone).await.health.at, Some(since), "since when it is so");
    assert_eq!(
        view(&world, stuck).await.health.state,
        HealthState::Waiting,
        "it is still looked at"
    );
    drop((connection, hung));
    let unwell = world.engine.ports.triggers.counts(&world.ana).await.unwrap().unwell;
    assert!(unwell >= 1);
}

/// Answers every request with the same page; how often each path was asked for.
async fn pages(listener: tokio::net::TcpListener, asked: Arc<Mutex<HashMap<String, usize>>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = asked.clone();
        tokio::spawn(async move {
            let mut head = [0u8; 4_096];
            let n = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..n]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            *asked.lock().unwrap().entry(path).or_default() += 1;
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nsame";
            let _ = stream.write_all(answer.as_bytes()).await;
        });
    }
}

async fn one_hung_remote_among_five_hundred_delays_none_of_the_others(database: Database) {
    const OTHERS: usize = 499;
    let world = World::on(database).await;
    let plan = world.plan("name: app\nsteps: [{run: 'true'}]\n").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let asked: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let server = tokio::spawn(pages(listener, asked.clone()));
    // Another host: it takes the connection and says nothing.
    let hung = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let stuck = wish(
        "stuck",
        plan,
        json!({ "git": format!("http://{}/a/b.git", hung.local_addr().unwrap()) }),
    );
    let triggers = &world.engine.ports.triggers;
    let stuck = triggers.create(&world.ana, stuck).await.unwrap().trigger.id;
    let connection = hung.accept().await.unwrap();
    let made = (0..OTHERS).map(|n| {
        let config = json!({ "url": format!("http://{at}/page/{n}") });
        triggers.create(&world.ana, wish(&format!("page-{n}"), plan, config))
    });
    // As many at once as people would.
    let made: Vec<_> = futures::stream::iter(made).buffer_unordered(4).collect().await;
    for one in made {
        one.unwrap();
    }
    for round in 1..=3 {
        let done = || {
            let asked = asked.lock().unwrap();
            asked.len() == OTHERS && asked.values().all(|times| *times >= round)
        };
        for _ in 0..3_000 {
            world.engine.triggers.wake();
            if done() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let asked = asked.lock().unwrap();
        let behind = asked.values().filter(|times| **times < round).count() + OTHERS - asked.len();
        assert_eq!(behind, 0, "are behind in round {round}");
        drop(asked);
        world.clock.advance(66_001);
    }
    assert_eq!(
        view(&world, stuck).await.health.state,
        HealthState::Waiting,
        "it hangs still"
    );
    drop(connection);
    server.abort();
}

async fn a_page_is_found_changed_once(database: Database) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::on(database).await;
    let plan = world.plan("name: app\nsteps: [{run: 'true'}]\n").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/releases.json", listener.local_addr().unwrap());
    let body = Arc::new(Mutex::new(String::from(r#"{"v":"1","n":1}"#)));
    let served = body.clone();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0u8; 4_096];
            let _ = stream.read(&mut head).await;
            let body = served.lock().unwrap().clone();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let id = poll(&world, "page", plan, json!({ "url": url, "pointer": "/v" }), &[]).await;
    *body.lock().unwrap() = r#"{"n":2,"v":"1"}"#.into();
    assert!(next(&world, id).await.is_empty(), "what counts is the same");
    *body.lock().unwrap() = r#"{"n":2,"v":"2"}"#.into();
    assert_eq!(next(&world, id).await.len(), 1);
    assert_eq!(next(&world, id).await.len(), 1);
    *body.lock().unwrap() = "<html>".into();
    assert_eq!(next(&world, id).await.len(), 1, "what cannot be read is no change");
    let health = view(&world, id).await.health;
    assert_eq!(health.state, HealthState::Unwell);
    assert!(health.said.contains("no JSON"), "{}", health.said);
    *body.lock().unwrap() = r#"{"v":"1"}"#.into();
    assert_eq!(next(&world, id).await.len(), 2, "one that comes back is told again");
    server.abort();
}

async fn a_repository_is_tested_polled_and_kept_while_it_is_used(database: Database) {
    let world = World::on(database).await;
    let there = Repository::new(&world);
    there.git(&["tag", "v1"]);
    let ports = &world.engine.ports;
    let wish = |name: &str, url: &str| NewRepository {
        name: name.into(),
        url: url.into(),
        provider: None,
        api: None,
        secret_id: None,
        secret: Some(SecretValue("a token of no use".into())),
    };
    let made = ports
        .repositories
        .create(&world.ana, wish("app", there.url()))
        .await
        .unwrap();
    assert_eq!((made.health, made.provider), (Health::Unknown, Provider::Generic));
    let secret = ports.secrets.get(&world.ana, made.secret_id.unwrap()).await.unwrap();
    assert_eq!((secret.name.as_str(), secret.used_at), ("REPOSITORY_APP", None));
    let found = ports.repositories.test(&world.ana, made.id).await.unwrap();
    assert_eq!(
        (found.health, found.said.as_str()),
        (Health::Healthy, "It was read: 1 branch and 1 tag.")
    );
    assert_eq!(
        (found.default_branch.as_deref(), found.branches),
        (Some("main"), vec!["main".to_owned()])
    );
    assert!(
        ports
            .secrets
            .get(&world.ana, secret.id)
            .await
            .unwrap()
            .used_at
            .is_some()
    );
    assert!(
        ports
            .repositories
            .create(&world.ana, wish("app", "/srv/b.git"))
            .await
            .is_err(),
        "the name is in use"
    );
    let other = wish("b", "/srv/b.git");
    let none = NewRepository {
        name: "app".into(),
        secret: Some(SecretValue("another".into())),
        ..other
    };
    assert!(ports.repositories.create(&world.ana, none).await.is_err());
    let secrets = ports.secrets.list(&world.ana).await.unwrap();
    assert_eq!(secrets.len(), 1, "what was refused leaves no secret behind");

    let plan = plan(&world, there.url()).await;
    let id = poll(&world, "push", plan, json!({ "repository_id": made.id }), &[]).await;
    there.commit("a", "a");
    assert_eq!(next(&world, id).await.len(), 1);
    for refused in [
        ports.repositories.delete(&world.ana, made.id).await.unwrap_err(),
        ports.secrets.delete(&world.ana, secret.id).await.unwrap_err(),
    ] {
        let why = refused.to_string();
        assert!(
            why.contains("by the trigger push") || why.contains("by the repository app"),
            "{why}"
        );
    }
    // It goes away: its health says so, since it was looked at.
    std::fs::rename(there.url(), world.dir.path().join("elsewhere")).unwrap();
    assert_eq!(next(&world, id).await.len(), 1);
    let gone = ports.repositories.get(&world.ana, made.id).await.unwrap();
    assert_eq!(gone.health, Health::Missing, "{gone:?}");
    assert!(gone.said.unwrap().contains("could not be read"));
    let moved = PutRepository {
        version: gone.version,
        url: Some(world.dir.path().join("elsewhere").to_str().unwrap().into()),
        ..PutRepository::default()
    };
    let moved = ports.repositories.save(&world.ana, made.id, moved).await.unwrap();
    assert_eq!(moved.health, Health::Unknown, "it is another one");
    assert_eq!(
        ports.repositories.test(&world.ana, made.id).await.unwrap().health,
        Health::Healthy
    );
    ports.triggers.delete(&world.ana, id).await.unwrap();
    ports.repositories.delete(&world.ana, made.id).await.unwrap();
}
