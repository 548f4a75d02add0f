//! An agent that lies, shouts and babbles over the real socket: a table of wrong messages, and after each of them nothing
//! has changed that was not its own, and an honest agent is served as before.
//!
//! **Invariant:** a row says what becomes of the message, so a change of that is a change of this table.

use crate::hostile_table::Then::{Closed, Forget, Ignored, Lost, Refused, Rewind};
use crate::hostile_table::{Wrong, first_words, hello, in_session, output};
use crate::house::{House, call};
use domain::auth::Role;
use domain::status::ExecutorKind;
use domain::{AgentId, AttemptId, Timestamp};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use protocol::{Assignment, AttemptEvent, Fence, FromAgent, ToAgent, decode, encode};
use serde_json::{Value, json};
use server::web::listen;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

type Socket = WebSocketStream<TcpStream>;

struct Scene {
    house: House,
    at: SocketAddr,
    admin: String,
    evil: (AgentId, String),
    good: Socket,
    honest: Assignment,
    _stop: tokio_util::sync::DropGuard,
}

async fn connect(at: SocketAddr) -> Socket {
    let stream = TcpStream::connect(at).await.unwrap();
    client_async(format!("ws://{at}/agent"), stream).await.unwrap().0
}

/// The next message; `None` when the connection is over. Fails the test when nothing comes for 10 s.
async fn hear(socket: &mut Socket) -> Option<ToAgent> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
        match next.expect("the server says nothing for 10 s")? {
            Ok(Message::Text(t)) => return Some(decode(t.as_str()).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn hear_that<T>(socket: &mut Socket, pick: impl Fn(ToAgent) -> Option<T>) -> T {
    loop {
        let heard = hear(socket).await.expect("the connection is over");
        if let Some(found) = pick(heard) {
            return found;
        }
    }
}

async fn say(socket: &mut Socket, message: &FromAgent) {
    // A server that has hung up is heard of by the next read.
    let _ = socket.send(Message::text(encode(message))).await;
}

impl Scene {
    async fn new() -> Self {
        let house = House::new().await;
        let admin = house.user("admin", Role::Admin).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(listen::tcp(listener, house.router.clone(), stop.clone()));
        let evil = house.engine.builtin_agent().await.unwrap();
        let hash = engine::dispatch::credential_hash("kiln's own");
        let insert =
            format!("INSERT INTO agents (name, credential_hash, slots, created_at) VALUES ('kiln', '{hash}', 1, 1)");
        let written = house.engine.store.write(move |tx| {
            let mut batch = engine::store::Batch::default();
            batch.push(insert.clone(), []);
            async move { tx.run(batch).await }.boxed()
        });
        written.await.unwrap();
        let agents = house.get("/api/v1/agents", &admin).await.json();
        let kiln = agents["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["name"] == "kiln")
            .unwrap();
        let kiln = AgentId(kiln["id"].as_i64().unwrap());
        let mut good = connect(at).await;
        say(&mut good, &hello(kiln, "kiln's own", "good", Vec::new())).await;
        let mut scene = Self {
            house,
            at,
            admin,
            evil,
            honest: Assignment {
                fence: Fence {
                    attempt: AttemptId(0),
                    epoch: 0,
                },
                task: domain::TaskId(0),
                job: domain::JobId(0),
                number: 0,
                executor: None,
                image: None,
                limits: Default::default(),
                env: Default::default(),
                checkout: None,
                steps: Vec::new(),
                timeout_ms: None,
                grace_ms: 0,
            },
            good,
            _stop: stop.drop_guard(),
        };
        scene.plan("good").await;
        scene.plan("evil").await;
        scene.run("good").await;
        scene.honest = assigned(&mut scene.good).await;
        let executor = ExecutorKind::Process;
        let event = AttemptEvent::Preparing { executor };
        let fence = scene.honest.fence;
        say(&mut scene.good, &FromAgent::Attempt { fence, n: 1, event }).await;
        hear_that(&mut scene.good, |m| matches!(m, ToAgent::Ack { .. }).then_some(())).await;
        scene
    }

    async fn plan(&self, pool: &str) {
        let document = format!("name: {pool}\nruns_on: pool == {pool}\nsteps: [{{run: x}}, {{run: y}}]\n");
        let made = self
            .house
            .post("/api/v1/plans", &self.admin, &json!({ "document": document }))
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
    }

    async fn run(&self, pool: &str) {
        let id = if pool == "good" { 1 } else { 2 };
        let ran = self
            .house
            .send(
                call("POST", &format!("/api/v1/plans/{id}/tasks"))
                    .token(&self.admin)
                    .json(&json!({})),
            )
            .await;
        assert_eq!(ran.status, 201, "{}", ran.text());
    }

    /// The evil agent, welcomed, with an attempt of its own that it prepares.
    async fn evil(&self) -> (Socket, Assignment) {
        let mut socket = connect(self.at).await;
        // Holding nothing, what it held before is lost: each case has an attempt of its own.
        say(&mut socket, &hello(self.evil.0, &self.evil.1, "evil", Vec::new())).await;
        self.run("evil").await;
        let own = assigned(&mut socket).await;
        let (fence, executor) = (own.fence, ExecutorKind::Process);
        let event = AttemptEvent::Preparing { executor };
        say(&mut socket, &FromAgent::Attempt { fence, n: 1, event }).await;
        hear_that(&mut socket, |m| matches!(m, ToAgent::Ack { .. }).then_some(())).await;
        (socket, own)
    }

    /// Every task but the evil agent's, as the API shows it, with its attempts; leases are renewed all the time.
    async fn others(&self) -> Value {
        let mut tasks = self.house.get("/api/v1/tasks?plan=good", &self.admin).await.json();
        let attempts = self
            .house
            .get(&format!("/api/v1/jobs/{}/attempts", self.honest.job), &self.admin)
            .await;
        let mut attempts = attempts.json();
        for a in attempts["items"].as_array_mut().unwrap() {
            a.as_object_mut().unwrap().remove("lease_until");
        }
        tasks["attempts"] = attempts;
        tasks
    }

    async fn own(&self, a: &Assignment) -> Value {
        let mut task = self
            .house
            .get(&format!("/api/v1/tasks/{}", a.task), &self.admin)
            .await
            .json();
        task.as_object_mut().unwrap().remove("version");
        task
    }
}

async fn assigned(socket: &mut Socket) -> Assignment {
    hear_that(socket, |m| match m {
        ToAgent::Assign(a) => Some(*a),
        _ => None,
    })
    .await
}

async fn send(socket: &mut Socket, wrong: Vec<Wrong>) {
    for w in wrong {
        let m = match w {
            Wrong::Text(t) => Message::text(t),
            Wrong::Bytes(b) => Message::binary(b),
        };
        let _ = socket.send(m).await;
    }
}

#[tokio::test]
async fn first_words_that_are_wrong_are_refused_and_cost_nobody_anything() {
    let mut scene = Scene::new().await;
    let before = scene.others().await;
    let agents = scene.house.get("/api/v1/agents", &scene.admin).await.json();
    let (id, credential) = scene.evil.clone();
    let table = first_words(id, &credential);
    assert!(table.len() >= 20);
    for (name, wrong, then) in table {
        let mut socket = connect(scene.at).await;
        send(&mut socket, wrong).await;
        let heard = hear(&mut socket).await;
        match then {
            Refused => assert!(
                matches!(&heard, Some(ToAgent::Refused { reason, .. }) if reason.ends_with(['.', ']'])),
                "{name}: {heard:?}"
            ),
            _ => assert_eq!(heard, None, "{name}"),
        }
        if heard.is_some() {
            assert_eq!(hear(&mut socket).await, None, "{name}: the connection is over");
        }
        served(&mut scene.good, name).await;
    }
    assert_eq!(scene.others().await, before);
    assert_eq!(
        scene.house.get("/api/v1/agents", &scene.admin).await.json()["items"][0]["labels"],
        agents["items"][0]["labels"]
    );
}

/// The honest agent is heard and answered.
async fn served(good: &mut Socket, name: &str) {
    say(good, &FromAgent::Heartbeat { running: vec![] }).await;
    loop {
        match hear(good).await {
            Some(ToAgent::Extend) => return,
            Some(_) => {}
            None => panic!("{name}: the honest agent was thrown out"),
        }
    }
}

#[tokio::test]
async fn wrong_messages_change_nothing_that_is_not_ones_own() {
    let mut scene = Scene::new().await;
    let before = scene.others().await;
    let count = {
        let (_, own) = scene.evil().await;
        in_session(&own, &scene.honest, (scene.evil.0, &scene.evil.1)).len()
    };
    assert!(count >= 60, "{count}");
    for row in 0..count {
        let (mut socket, own) = scene.evil().await;
        let table = in_session(&own, &scene.honest, (scene.evil.0, &scene.evil.1));
        let (name, wrong, then) = table.into_iter().nth(row).unwrap();
        let audited = scene.house.engine.store.audit_check().await.unwrap();
        let mine = scene.own(&own).await;
        send(&mut socket, wrong).await;
        match then {
            Ignored => {}
            Forget | Lost => {
                let forget = |m| matches!(m, ToAgent::Forget { .. }).then_some(());
                hear_that(&mut socket, forget).await;
            }
            Rewind => {
                hear_that(&mut socket, |m| {
                    matches!(m, ToAgent::Rewind { offset: 0, .. }).then_some(())
                })
                .await;
            }
            Closed => while hear(&mut socket).await.is_some() {},
            Refused => unreachable!("of first words only"),
        }
        if then != Closed {
            served(&mut socket, &name).await;
        }
        let (entries, broken) = scene.house.engine.store.audit_check().await.unwrap();
        let written = if matches!(then, Forget | Lost) { 1 } else { 0 };
        assert_eq!((entries - audited.0, broken), (written, None), "{name}: audit");
        if matches!(then, Lost) {
            let status = scene.own(&own).await["status"].clone();
            assert_eq!(status, "lost", "{name}");
        } else if then != Closed {
            assert_eq!(scene.own(&own).await, mine, "{name}");
        }
        assert_eq!(scene.others().await, before, "{name}");
        served(&mut scene.good, &name).await;
    }
    let stuck = engine::store::orphans(&scene.house.engine.store, Timestamp(1_795_185_127_041), 0)
        .await
        .unwrap();
    assert!(stuck.is_empty(), "{stuck:?}");
}

#[tokio::test]
async fn who_speaks_of_too_much_that_is_not_its_own_is_hung_up_on() {
    let mut scene = Scene::new().await;
    let before = scene.others().await;
    let (mut socket, _) = scene.evil().await;
    let audited = scene.house.engine.store.audit_check().await.unwrap().0;
    for n in 0..5_000 {
        let fence = Fence {
            attempt: AttemptId(500_000 + n),
            epoch: 1,
        };
        send(&mut socket, output(fence, 0, &[0], b"x")).await;
    }
    while hear(&mut socket).await.is_some() {}
    let entries = scene.house.engine.store.audit_check().await.unwrap().0 - audited;
    assert!(
        (1..=600).contains(&entries),
        "{entries}: the audit is not a place to fill a disk"
    );
    assert_eq!(scene.others().await, before);
    served(&mut scene.good, "afterwards").await;
}
