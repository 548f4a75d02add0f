//! The browser's socket over a real listener: news in order and once, consoles byte for byte, nothing without a right.

mod browser;

use crate::house::{House, Work};
use browser::{Browser, Heard, listening};
use domain::agent::Load;
use domain::auth::Role;
use domain::console::view::Stream;
use domain::live::{FromBrowser, FromServer};
use domain::{AttemptId, Timestamp};
use engine::clock::Clock as _;
use engine::dispatch::Frame;
use futures::SinkExt as _;
use protocol::{FromAgent, Mark};
use std::net::SocketAddr;
use tokio_tungstenite::tungstenite::{self, Message};

async fn house() -> (House, SocketAddr, String) {
    let house = House::new().await;
    let token = house.user("ana", Role::Editor).await;
    let at = listening(&house).await;
    (house, at, token)
}

async fn attempt(house: &House, token: &str, work: Work) -> AttemptId {
    let task = house.get(&format!("/api/v1/tasks/{}", work.task), token).await.json();
    AttemptId(task["jobs"][0]["attempt_id"].as_i64().unwrap())
}

fn put(house: &House, attempt: AttemptId, at: u64, bytes: &[u8]) {
    let mark = Mark {
        at: 0,
        time: Timestamp(1),
        stream: Stream::Stdout,
    };
    house.engine.consoles.append(attempt, at, &[mark], bytes).unwrap();
}

fn output(size: usize) -> Vec<u8> {
    (0..size)
        .map(|i| if i % 61 == 60 { b'\n' } else { b'a' + (i % 26) as u8 })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_viewer_there_is_no_socket() {
    let (_house, at, _) = house().await;
    for token in ["", "wrong"] {
        match Browser::open(at, token).await.err() {
            Some(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 401),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_tells_what_happens_in_it_once_and_in_order() {
    let (house, at, token) = house().await;
    let mut b = Browser::open(at, &token).await.unwrap();
    let first = house.work(&token, "app").await;
    let topic = format!("task/{}", first.task);
    b.say(&FromBrowser::Sub {
        id: 7,
        topic: topic.clone(),
        since: 0,
    })
    .await;
    let mut last = 0;
    let created = loop {
        match b.said().await {
            FromServer::Ev { id: 7, event } => {
                assert!(event.seq > last, "numbers rise");
                last = event.seq;
                assert_eq!(event.task_id.map(|t| t.0), Some(first.task));
                if event.kind.starts_with("task.") {
                    break event.kind;
                }
            }
            m => panic!("{m:?}"),
        }
    };
    assert!(!created.is_empty());
    // What happens now comes too; what happens elsewhere does not.
    house.work(&token, "other").await;
    house
        .post(
            &format!("/api/v1/tasks/{}/abort", first.task),
            &token,
            &serde_json::json!({}),
        )
        .await;
    loop {
        match b.said().await {
            FromServer::Ev { id: 7, event } => {
                assert!(event.seq > last, "numbers rise");
                last = event.seq;
                assert_eq!(event.task_id.map(|t| t.0), Some(first.task));
                if event.kind.starts_with("task.") {
                    break;
                }
            }
            m => panic!("{m:?}"),
        }
    }
    // Resumed from the last number, nothing comes twice: the next thing heard is the answer to the next question.
    let mut again = Browser::open(at, &token).await.unwrap();
    again
        .say(&FromBrowser::Sub {
            id: 1,
            topic,
            since: last + 1_000,
        })
        .await;
    assert!(
        matches!(again.said().await, FromServer::Reset { id: 1 }),
        "a number of the future is of another database"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_tells_that_something_happened() {
    let (house, at, token) = house().await;
    let mut b = Browser::open(at, &token).await.unwrap();
    let since = house.web.ports.tasks.seq().await.unwrap();
    b.say(&FromBrowser::Sub {
        id: 1,
        topic: "queue".into(),
        since,
    })
    .await;
    let work = house.work(&token, "app").await;
    loop {
        match b.said().await {
            FromServer::Ev { id: 1, event } if event.task_id.map(|t| t.0) == Some(work.task) => break,
            FromServer::Ev { .. } => {}
            m => panic!("{m:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_may_not_follow_is_refused_and_the_rest_goes_on() {
    let (house, at, token) = house().await;
    let work = house.work(&token, "app").await;
    let mut b = Browser::open(at, &token).await.unwrap();
    b.0.send(Message::text("no message of ours")).await.unwrap();
    b.say(&FromBrowser::Sub {
        id: 1,
        topic: "weather".into(),
        since: 0,
    })
    .await;
    assert!(matches!(b.said().await, FromServer::Refused { id: 1, .. }));
    b.say(&FromBrowser::Sub {
        id: 2,
        topic: "task/999999".into(),
        since: 0,
    })
    .await;
    assert!(matches!(b.said().await, FromServer::Refused { id: 2, .. }));
    b.say(&FromBrowser::View {
        id: 3,
        attempt: AttemptId(999_999),
        from: 0,
        follow: true,
    })
    .await;
    assert!(matches!(b.said().await, FromServer::Refused { id: 3, .. }));
    for id in 100..164 {
        b.say(&FromBrowser::Sub {
            id,
            topic: format!("task/{}", work.task),
            since: 1 << 40,
        })
        .await;
        assert!(matches!(b.said().await, FromServer::Reset { .. }));
    }
    b.say(&FromBrowser::Sub {
        id: 4,
        topic: "queue".into(),
        since: 0,
    })
    .await;
    assert!(
        matches!(b.said().await, FromServer::Refused { id: 4, .. }),
        "a connection follows so much and no more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_early_and_late_see_the_same_bytes_and_the_end() {
    let (house, at, token) = house().await;
    let work = house.work(&token, "app").await;
    let attempt = attempt(&house, &token, work).await;
    let mut early = Browser::open(at, &token).await.unwrap();
    early
        .say(&FromBrowser::View {
            id: 1,
            attempt,
            from: 0,
            follow: true,
        })
        .await;
    let whole = output(200_000);
    put(&house, attempt, 0, &whole[..5]);
    // The leading edge: it leaves at once, with nothing behind it.
    assert_eq!(early.bytes(1, 0, 5).await, whole[..5]);
    let mut late = Browser::open(at, &token).await.unwrap();
    let (mut written, mut seen) = (5, 5);
    for n in [1, 70_000, 13, 50_000, 79_981] {
        put(&house, attempt, written as u64, &whole[written..written + n]);
        written += n;
        assert_eq!(early.bytes(1, seen as u64, n).await, whole[seen..written]);
        seen = written;
    }
    assert_eq!(written, whole.len());
    late.say(&FromBrowser::View {
        id: 9,
        attempt,
        from: 0,
        follow: true,
    })
    .await;
    assert_eq!(late.bytes(9, 0, whole.len()).await, whole);
    // One that comes back goes on where it was.
    late.say(&FromBrowser::View {
        id: 9,
        attempt,
        from: 150_000,
        follow: true,
    })
    .await;
    assert_eq!(late.bytes(9, 150_000, 50_000).await, whole[150_000..]);
    house.engine.consoles.ended(attempt);
    for (b, id) in [(&mut early, 1), (&mut late, 9)] {
        assert_eq!(
            b.said().await,
            FromServer::Mark {
                id,
                bytes: 200_000,
                ended: true
            }
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_far_behind_is_told_where_the_console_stands_and_never_gets_a_backlog() {
    let (house, at, token) = house().await;
    let work = house.work(&token, "app").await;
    let attempt = attempt(&house, &token, work).await;
    let whole = output(2 << 20);
    put(&house, attempt, 0, &whole[..1 << 20]);
    let mut b = Browser::open(at, &token).await.unwrap();
    b.say(&FromBrowser::View {
        id: 1,
        attempt,
        from: 0,
        follow: true,
    })
    .await;
    assert_eq!(
        b.said().await,
        FromServer::Mark {
            id: 1,
            bytes: 1 << 20,
            ended: false
        }
    );
    // It reads the end by range and goes on from there.
    b.say(&FromBrowser::View {
        id: 1,
        attempt,
        from: (1 << 20) - 10,
        follow: true,
    })
    .await;
    assert_eq!(b.bytes(1, (1 << 20) - 10, 10).await, whole[(1 << 20) - 10..1 << 20]);
    // One that acknowledges nothing gets at most so much, then the watermark.
    b.say(&FromBrowser::View {
        id: 2,
        attempt,
        from: 1 << 20,
        follow: true,
    })
    .await;
    b.say(&FromBrowser::Unview { id: 1 }).await;
    let mut got = 0;
    let mut at_byte = 1 << 20;
    loop {
        if at_byte < whole.len() {
            put(&house, attempt, at_byte as u64, &whole[at_byte..at_byte + 32_768]);
            at_byte += 32_768;
        }
        match b.hear().await {
            Heard::Bytes(2, _, bytes) => got += bytes.len(),
            Heard::Said(FromServer::Mark { id: 2, .. }) => break,
            Heard::Bytes(..) => {}
            Heard::Said(m) => panic!("{m:?}"),
            Heard::Over => panic!("over"),
        }
    }
    assert!(got <= 256 * 1024, "{got}");
    // One that does not follow gets no byte at all.
    b.say(&FromBrowser::View {
        id: 3,
        attempt,
        from: 0,
        follow: false,
    })
    .await;
    b.say(&FromBrowser::Unview { id: 2 }).await;
    loop {
        match b.hear().await {
            Heard::Said(FromServer::Mark { id: 3, .. }) => break,
            Heard::Bytes(3, ..) => panic!("bytes for one that does not follow"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agents_page_hears_of_loads_and_the_queue_does_not() {
    let (house, at, token) = house().await;
    let (id, credential) = house.engine.builtin_agent().await.unwrap();
    let (to, incoming) = futures::channel::mpsc::unbounded();
    let (outgoing, mut from) = futures::channel::mpsc::unbounded();
    let dispatch = house.engine.dispatch.clone();
    tokio::spawn(async move { dispatch.serve(incoming, outgoing).await });
    let say = |m: &FromAgent| to.unbounded_send(Frame::Text(protocol::encode(m))).unwrap();
    say(&FromAgent::Hello {
        versions: protocol::VERSIONS.to_vec(),
        agent: id,
        credential,
        session: 0,
        have: vec![],
        facts: Default::default(),
        labels: Default::default(),
        slots: 1,
    });
    futures::StreamExt::next(&mut from).await.unwrap();
    let since = house.engine.store.event_bounds().await.unwrap().0;
    let mut b = Browser::open(at, &token).await.unwrap();
    for (id, topic) in [(2, "agents"), (1, "queue")] {
        let topic = topic.to_owned();
        b.say(&FromBrowser::Sub { id, topic, since }).await;
    }
    // Once the queue is heard, both are followed.
    house.work(&token, "app").await;
    assert!(matches!(b.said().await, FromServer::Ev { id: 1, .. }));
    let rows = house.engine.store.event_bounds().await.unwrap().0;
    // A first load within the clock's reach writes no row; the number stays what it was.
    let at = house.clock.now();
    say(&FromAgent::Load(Load {
        at,
        cpu_percent: 7,
        ..Load::default()
    }));
    let event = loop {
        match b.said().await {
            // What else the queue has to say.
            FromServer::Ev { id: 1, event } => assert_ne!(event.subject, "load"),
            FromServer::Ev { id: 2, event } => break event,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((event.kind.as_str(), event.seq), ("agent.load", since));
    let seen = house.get(&format!("/api/v1/agents/{id}"), &token).await.json();
    assert_eq!(seen["load"]["cpu_percent"], 7);
    assert_eq!(
        house.engine.store.event_bounds().await.unwrap().0,
        rows,
        "no row was written"
    );
}

#[tokio::test]
async fn a_viewer_is_told_of_a_gap_at_once_and_of_each_once() {
    let (house, at, token) = house().await;
    let work = house.work(&token, "app").await;
    let attempt = attempt(&house, &token, work).await;
    put(&house, attempt, 0, b"one\n");
    let mut b = Browser::open(at, &token).await.unwrap();
    b.say(&FromBrowser::View {
        id: 1,
        attempt,
        from: 0,
        follow: true,
    })
    .await;
    assert_eq!(b.bytes(1, 0, 4).await, b"one\n");
    for k in 1..=2 {
        // Nothing else happens: the gap alone is the news.
        let reason = protocol::GapReason::AgentDisk;
        let gap = protocol::Gap {
            k,
            at: 4,
            size: None,
            reason,
        };
        house.engine.consoles.gap(attempt, gap).unwrap();
        assert_eq!(
            b.said().await,
            FromServer::Gap {
                id: 1,
                gaps: u64::from(k)
            }
        );
    }
}
