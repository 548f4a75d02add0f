//! Commit status: told to a forge that records it, in order, again after a refusal, once.

use crate::support::{Database, World, on_both};
use domain::forge::{Sending, SentStatus, State};
use domain::health::Health;
use domain::repository::{NewRepository, RepositoryView};
use domain::secret::SecretValue;
use domain::trigger::Provider;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

on_both!(
    a_forge_is_told_how_a_commit_fares_in_order_and_again_after_trouble,
    what_a_forge_refuses_is_said_at_the_repository_and_not_tried_again,
);

const CREATED: &str = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
const TROUBLE: &str = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const NOBODY: &str = "HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const SHA: &str = "4e81b02a77d94e81b02a77d94e81b02a77d94e81";

/// A forge that answers as told, the last answer for ever, and keeps what it was told: path, token, body.
struct Forge {
    url: String,
    told: Arc<Mutex<Vec<(String, String, Value)>>>,
}

impl Forge {
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<_>>> = Arc::default();
        let kept = told.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = String::new();
                let (head, body) = loop {
                    let mut some = [0u8; 4_096];
                    let read = stream.read(&mut some).await.unwrap();
                    text.push_str(&String::from_utf8_lossy(&some[..read]));
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    let length = head
                        .lines()
                        .find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                    if body.len() >= length.unwrap().parse::<usize>().unwrap() {
                        break (head.to_owned(), body.to_owned());
                    }
                };
                let path = head.split(' ').nth(1).unwrap().to_owned();
                let token = head
                    .lines()
                    .find(|l| l.to_lowercase().starts_with("authorization: "))
                    .unwrap()
                    .to_owned();
                kept.lock()
                    .unwrap()
                    .push((path, token, serde_json::from_str(&body).unwrap()));
                let answer = answers.get(n).or(answers.last()).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, told }
    }

    /// What it was told, once it is so much.
    async fn until(&self, count: usize) -> Vec<(String, String, Value)> {
        for _ in 0..1_000 {
            let told = self.told.lock().unwrap().clone();
            if told.len() >= count {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it was told {:?}", self.told.lock().unwrap());
    }
}

async fn repository(world: &World, forge: &Forge) -> RepositoryView {
    let wish = NewRepository {
        name: "ledger".into(),
        url: "https://git.example/money/ledger.git".into(),
        provider: Some(Provider::Gitea),
        api: Some(format!("{}/api/v1", forge.url)),
        secret_id: None,
        secret: Some(SecretValue("a token of gitea".into())),
    };
    world.engine.ports.repositories.create(&world.ana, wish).await.unwrap()
}

async fn run(world: &World, source: &str) -> domain::TaskId {
    let name = format!("p{}", source.len());
    let document = format!("name: {name}\nsource: {{ git: '{source}' }}\nsteps: [{{run: 'true'}}]\n");
    let plan = world.plan(&document).await;
    world.run_at(plan, SHA).await.id
}

/// What became of the statuses of a task, newest first, once the newest stands like that.
async fn sent(world: &World, task: domain::TaskId, like: Sending) -> Vec<SentStatus> {
    for _ in 0..1_000 {
        let found = world
            .engine
            .ports
            .repositories
            .statuses_of(&world.ana, task)
            .await
            .unwrap();
        if found.first().is_some_and(|s| s.sending == like) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("none is {like:?}");
}

async fn a_forge_is_told_how_a_commit_fares_in_order_and_again_after_trouble(database: Database) {
    let mut world = World::on(database).await;
    let forge = Forge::start(&[TROUBLE, CREATED]).await;
    repository(&world, &forge).await;
    // Another repository's task is nobody's business there.
    run(&world, "https://git.example/money/other.git").await;
    let task = run(&world, "git@git.example:money/ledger").await;
    let first = forge.until(1).await.remove(0);
    assert_eq!(first.0, format!("/api/v1/repos/money/ledger/statuses/{SHA}"));
    assert_eq!(first.1.to_lowercase(), "authorization: token a token of gitea");
    let want = [
        ("state", "pending"),
        ("description", "Waits"),
        ("context", "caracal/p28"),
    ];
    for (field, value) in want {
        assert_eq!(first.2[field], value, "{}", first.2);
    }
    assert!(
        first.2["target_url"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/tasks/{task}"))
    );
    let told = sent(&world, task, Sending::Retrying).await;
    assert_eq!((told.len(), told[0].tries, told[0].state), (1, 1, State::Pending));
    assert_eq!(
        (told[0].repository.as_deref(), told[0].revision.as_str()),
        (Some("ledger"), SHA)
    );
    assert!(told[0].said.is_some() && told[0].next_at > told[0].tried_at, "{told:?}");
    // It was in trouble: it is told again, also by the next server.
    world = world.restart().await;
    world.clock.advance(5_000);
    world = world.restart().await;
    assert_eq!(forge.until(2).await[1].2, first.2);
    world.engine.ports.tasks.abort(&world.ana, task).await.unwrap();
    let told = forge.until(3).await;
    assert_eq!(
        (&told[2].2["state"], &told[2].2["description"]),
        (&"error".into(), &"Aborted".into())
    );
    let told = sent(&world, task, Sending::Taken).await;
    let states: Vec<_> = told.iter().map(|s| (s.state, s.sending, s.said.is_some())).collect();
    assert_eq!(
        states,
        [
            (State::Error, Sending::Taken, false),
            (State::Pending, Sending::Taken, false)
        ]
    );
    let ports = &world.engine.ports;
    let of_it = ports
        .repositories
        .statuses(&world.ana, told[0].repository_id)
        .await
        .unwrap();
    assert_eq!(of_it, told, "nothing else was told there");
    let events = ports.tasks.events(&world.ana, task).await.unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|e| e.kind.as_str())
        .filter(|k| k.starts_with("repository."))
        .collect();
    assert_eq!(kinds, ["repository.unreached", "repository.told", "repository.told"]);
    assert!(
        ports
            .repositories
            .statuses_of(&world.ana, domain::TaskId(999))
            .await
            .is_err()
    );
    world.restart().await;
    assert_eq!(forge.told.lock().unwrap().len(), 3, "each once");
}

async fn what_a_forge_refuses_is_said_at_the_repository_and_not_tried_again(database: Database) {
    let world = World::on(database).await;
    let forge = Forge::start(&[NOBODY]).await;
    let made = repository(&world, &forge).await;
    let task = run(&world, "https://git.example/money/ledger.git").await;
    forge.until(1).await;
    let told = sent(&world, task, Sending::Refused).await;
    assert!(told[0].said.as_ref().unwrap().contains("HTTP 401") && told[0].next_at.is_none());
    assert!(!format!("{told:?}").contains("a token of gitea"));
    for _ in 0..1_000 {
        let now = world.engine.ports.repositories.get(&world.ana, made.id).await.unwrap();
        if now.health == Health::Unauthorised {
            let said = now.said.unwrap();
            assert!(said.contains("does not accept the token (HTTP 401)"), "{said}");
            world.clock.advance(3_600_000);
            let world = world.restart().await;
            let task = run(&world, "ssh://git@git.example/money/ledger").await;
            world.engine.ports.tasks.abort(&world.ana, task).await.unwrap();
            let told = forge.until(2).await;
            assert!(
                told[1..]
                    .iter()
                    .all(|t| t.2["target_url"].as_str().unwrap().ends_with(&format!("/{task}")))
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody says so");
}
