//! What a hostile agent says, and what becomes of it: a table of wrong messages.
//!
//! **Invariant:** each row is made anew for the agent that sends it, of its own attempt and of another's.

use bytes::Bytes;
use domain::agent::Facts;
use domain::console::view::Stream;
use domain::status::ExecutorKind;
use domain::{AgentId, AttemptId, StepId, Timestamp};
use protocol::{
    Assignment, AttemptEvent, Exit, Fence, FromAgent, Gap, GapReason, Have, Mark, OutputFrame, StepEnd, ToAgent,
    VERSIONS, encode,
};
use serde_json::{Value, json};

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The hello is refused in a sentence, and the connection is over.
    Refused,
    /// Nothing: the agent is served on.
    Ignored,
    /// It is written down, and the agent is told to forget what it spoke of.
    Forget,
    /// It is asked for output from another offset.
    Rewind,
    /// The connection is over.
    Closed,
    /// Its own attempt is lost; the agent is told to forget it.
    Lost,
}
use Then::{Closed, Forget, Ignored, Lost, Refused, Rewind};

pub fn hello(agent: AgentId, credential: &str, pool: &str, have: Vec<Have>) -> FromAgent {
    FromAgent::Hello {
        versions: VERSIONS.to_vec(),
        agent,
        credential: credential.to_owned(),
        session: 0,
        have,
        facts: Facts {
            os: "linux".into(),
            executors: vec![ExecutorKind::Process],
            ..Facts::default()
        },
        labels: [("os".to_owned(), "linux".to_owned()), ("pool".into(), pool.into())].into(),
        slots: 1,
    }
}

/// What is sent: text or bytes.
pub enum Wrong {
    Text(String),
    Bytes(Vec<u8>),
}

fn text(t: impl Into<String>) -> Vec<Wrong> {
    vec![Wrong::Text(t.into())]
}

fn message(m: &FromAgent) -> Vec<Wrong> {
    text(encode(m))
}

pub fn output(fence: Fence, offset: u64, marks: &[u32], bytes: &[u8]) -> Vec<Wrong> {
    let marks = marks.iter().map(|at| Mark {
        at: *at,
        time: Timestamp(-5),
        stream: Stream::Stderr,
    });
    let frame = OutputFrame {
        fence,
        offset,
        marks: marks.collect(),
        bytes: Bytes::copy_from_slice(bytes),
    };
    vec![Wrong::Bytes(frame.encode().to_vec())]
}

/// First messages that are no hello, or none that is believed.
pub fn first_words(agent: AgentId, credential: &str) -> Vec<(&'static str, Vec<Wrong>, Then)> {
    let good = hello(agent, credential, "evil", Vec::new());
    let with = |pointer: &str, value: Value| {
        let mut h: Value = serde_json::to_value(&good).unwrap();
        *h.pointer_mut(&format!("/hello{pointer}")).unwrap() = value;
        text(h.to_string())
    };
    let many = |n: usize, len: usize| -> Value {
        (0..n)
            .map(|i| (format!("k{i}"), Value::from("x".repeat(len))))
            .collect::<serde_json::Map<String, Value>>()
            .into()
    };
    vec![
        (
            "a heartbeat before any hello",
            message(&FromAgent::Heartbeat { running: vec![] }),
            Refused,
        ),
        ("bytes before any hello", vec![Wrong::Bytes(vec![2; 64])], Closed),
        ("no JSON", text("hello!"), Refused),
        ("half a hello", text(&encode(&good)[..80]), Refused),
        (
            "a hello nested a hundred thousand deep",
            text("[".repeat(100_000)),
            Refused,
        ),
        ("a hello of 300 KiB", text(" ".repeat(300 * 1024)), Closed),
        ("a wrong credential", with("/credential", json!("guess")), Refused),
        ("an empty credential", with("/credential", json!("")), Refused),
        (
            "a credential of 100 KB",
            with("/credential", json!("x".repeat(100_000))),
            Refused,
        ),
        ("an agent that is not", with("/agent", json!(999_999)), Refused),
        ("an agent below zero", with("/agent", json!(-1)), Refused),
        ("an agent by name", with("/agent", json!("kiln")), Refused),
        ("no version in common", with("/versions", json!([99])), Refused),
        ("no version at all", with("/versions", json!([])), Refused),
        ("a version that is no number", with("/versions", json!(["1"])), Refused),
        ("no slots", with("/slots", json!(0)), Refused),
        ("slots below zero", with("/slots", json!(-4)), Refused),
        ("four billion slots", with("/slots", json!(u32::MAX)), Refused),
        ("two thousand labels", with("/labels", many(2_000, 5)), Refused),
        ("a label of 100 KB", with("/labels", many(1, 100_000)), Refused),
        (
            "a label with a NUL",
            with("/labels", json!({ "pool": "e\u{0}vil" })),
            Refused,
        ),
        (
            "a label that turns the text round",
            with("/labels", json!({ "pool": "\u{1b}[31m" })),
            Refused,
        ),
        (
            "a host name of 200 KB",
            with("/facts/hostname", json!("x".repeat(200_000))),
            Refused,
        ),
        (
            "a host name with a NUL",
            with("/facts/hostname", json!("a\u{0}b")),
            Refused,
        ),
        ("cores below zero", with("/facts/cpus", json!(-1)), Refused),
        (
            "attempts that are not attempts",
            with("/have", json!([{ "fence": 7 }])),
            Refused,
        ),
    ]
}

/// Messages in a session. `own` is the evil agent's attempt, which it prepares; `honest` is another's.
pub fn in_session(own: &Assignment, honest: &Assignment, evil: (AgentId, &str)) -> Vec<(String, Vec<Wrong>, Then)> {
    let mut all: Vec<(String, Vec<Wrong>, Then)> = Vec::new();
    let mut add = |name: String, wrong: Vec<Wrong>, then: Then| all.push((name, wrong, then));
    for (name, t) in [
        ("an empty text", String::new()),
        ("null", "null".into()),
        ("a number", "1e999".into()),
        ("a list", "[]".into()),
        ("a kind of a later version", "\"promote\"".into()),
        (
            "a kind of a later version with content",
            "{\"promote\":{\"x\":1}}".into(),
        ),
        ("a message cut short", "{\"heartbeat\":{\"running\":[".into()),
        ("a text nested fifty thousand deep", "{\"a\":".repeat(50_000)),
        (
            "two messages in one",
            "{\"heartbeat\":{\"running\":[]},\"draining\":null}".into(),
        ),
        ("a lone surrogate", "{\"heartbeat\":{\"running\":\"\\ud800\"}}".into()),
        ("a NUL", "\u{0}".into()),
        ("the server's own words", encode(&ToAgent::Extend)),
        (
            "an acknowledgement to the server",
            encode(&ToAgent::Ack {
                fence: honest.fence,
                n: 1,
            }),
        ),
        (
            "an assignment to the server",
            encode(&ToAgent::Assign(Box::new(honest.clone()))),
        ),
        (
            "a report without a number",
            format!(
                "{{\"attempt\":{{\"fence\":{{\"attempt\":{},\"epoch\":1}}}}}}",
                honest.fence.attempt
            ),
        ),
        (
            "an attempt beyond 64 bits",
            "{\"gone\":{\"fence\":{\"attempt\":99999999999999999999999,\"epoch\":1},\"from\":0,\"to\":1}}".into(),
        ),
        (
            "an epoch that is a text",
            "{\"gone\":{\"fence\":{\"attempt\":1,\"epoch\":\"1\"},\"from\":0,\"to\":1}}".into(),
        ),
        ("facts of the wrong kind", "{\"facts\":{\"hostname\":7}}".into()),
    ] {
        add(name.into(), text(t), Ignored);
    }
    let again = hello(evil.0, evil.1, "evil", Vec::new());
    add("a second hello".into(), message(&again), Ignored);
    add(
        "a hello as another agent".into(),
        message(&hello(AgentId(2), "kiln's own", "good", vec![])),
        Ignored,
    );
    let facts = Facts {
        hostname: "h".repeat(200_000),
        ..Facts::default()
    };
    add("facts of 200 KB".into(), message(&FromAgent::Facts(facts)), Ignored);
    let running: Vec<Fence> = (0..3_000)
        .map(|n| Fence {
            attempt: AttemptId(n),
            epoch: n,
        })
        .collect();
    add(
        "a heartbeat of three thousand foreign attempts".into(),
        message(&FromAgent::Heartbeat { running }),
        Ignored,
    );
    let beat = encode(&FromAgent::Heartbeat { running: vec![] });
    add(
        "a flood of heartbeats".into(),
        (0..2_000).map(|_| Wrong::Text(beat.clone())).collect(),
        Ignored,
    );
    for value in ["-1", "1.5", "18446744073709551616", "\"1\"", "null"] {
        let t = encode(&FromAgent::Attempt {
            fence: own.fence,
            n: 777,
            event: ended(9, ""),
        })
        .replace("777", value);
        add(format!("a report with the number {value}"), text(t), Ignored);
    }
    let from = encode(&FromAgent::Attempt {
        fence: own.fence,
        n: 2,
        event: begun(own, 1, 777),
    })
    .replace("777", "-1");
    add("a step that begins at a negative offset".into(), text(from), Ignored);
    let kind = format!(
        "{{\"attempt\":{{\"fence\":{},\"n\":2,\"event\":{{\"exploded\":1}}}}}}",
        serde_json::to_string(&own.fence).unwrap()
    );
    add("an event of an unknown kind".into(), text(kind), Ignored);

    // What is not its own: every word, of every kind of hold.
    let stale = |f: Fence, by: i64| Fence {
        epoch: f.epoch + by,
        ..f
    };
    let foreign = [
        ("another's attempt", honest.fence),
        ("another's attempt, an epoch before", stale(honest.fence, -1)),
        ("another's attempt, an epoch ahead", stale(honest.fence, 1)),
        ("its own attempt, an epoch before", stale(own.fence, -1)),
        ("its own attempt, an epoch ahead", stale(own.fence, 1)),
        (
            "an attempt that is not",
            Fence {
                attempt: AttemptId(987_654),
                epoch: 1,
            },
        ),
        (
            "an attempt below zero",
            Fence {
                attempt: AttemptId(i64::MIN),
                epoch: i64::MIN,
            },
        ),
    ];
    for (whose, fence) in foreign {
        let events = [
            AttemptEvent::Preparing {
                executor: ExecutorKind::Docker,
            },
            AttemptEvent::CheckedOut {
                revision: "f00".into(),
                message: "m\u{0}".into(),
                author: "x".repeat(50_000),
            },
            begun(honest, 1, 0),
            StepEnd {
                step: honest.steps[1].id,
                exit: Exit::Exited(0),
                until: 5,
                at: Timestamp(i64::MAX),
            }
            .into_event(),
            AttemptEvent::Gap(Gap {
                k: 1,
                at: 0,
                size: Some(u64::MAX),
                reason: GapReason::Crash,
            }),
            ended(0, "0000000000000000"),
        ];
        for event in events {
            let name = format!("{} of {whose}", encode(&event).split('"').nth(1).unwrap_or_default());
            add(name, message(&FromAgent::Attempt { fence, n: 1, event }), Forget);
        }
        add(
            format!("output of {whose}"),
            output(fence, 0, &[0], b"forged\n"),
            Forget,
        );
        add(
            format!("lost output of {whose}"),
            message(&FromAgent::Gone { fence, from: 0, to: 10 }),
            Forget,
        );
    }

    // Its own attempt, and nonsense: nobody else is touched, and it cannot be stuck.
    let f = own.fence;
    let report = |n: u64, event: AttemptEvent| message(&FromAgent::Attempt { fence: f, n, event });
    add(
        "a step of another's attempt".into(),
        report(2, begun(honest, 1, 0)),
        Lost,
    );
    add(
        "a step that is not".into(),
        report(
            2,
            AttemptEvent::StepStarted {
                step: StepId(-7),
                from: 0,
                at: Timestamp(0),
            },
        ),
        Lost,
    );
    add("a step out of its turn".into(), report(2, begun(own, 2, 0)), Lost);
    add(
        "a step that ends before it begins".into(),
        report(
            2,
            StepEnd {
                step: own.steps[0].id,
                exit: Exit::Exited(0),
                until: 0,
                at: Timestamp(0),
            }
            .into_event(),
        ),
        Lost,
    );
    add(
        "a step that begins beyond all measure".into(),
        report(2, begun(own, 0, u64::MAX)),
        Lost,
    );
    add(
        "another executor half-way".into(),
        report(
            2,
            AttemptEvent::Preparing {
                executor: ExecutorKind::Docker,
            },
        ),
        Lost,
    );
    add("a report left out".into(), report(9, begun(own, 0, 0)), Closed);
    add(
        "an end with output that never came".into(),
        report(2, ended(1 << 40, "0123456789abcdef")),
        Rewind,
    );
    add(
        "output that begins beyond what came".into(),
        output(f, 1 << 50, &[0], b"x"),
        Rewind,
    );
    add(
        "output at the last offset there is".into(),
        output(f, u64::MAX, &[0], b"x"),
        Rewind,
    );
    add(
        "lost output that was never wanted".into(),
        message(&FromAgent::Gone {
            fence: f,
            from: 7,
            to: 9,
        }),
        Rewind,
    );
    add(
        "lost output beyond all measure".into(),
        message(&FromAgent::Gone {
            fence: f,
            from: 0,
            to: u64::MAX,
        }),
        Ignored,
    );
    add(
        "a gap without a number".into(),
        report(
            2,
            AttemptEvent::Gap(Gap {
                k: 0,
                at: 0,
                size: None,
                reason: GapReason::Other,
            }),
        ),
        Ignored,
    );
    add(
        "a gap beyond their number".into(),
        report(
            2,
            AttemptEvent::Gap(Gap {
                k: u32::MAX,
                at: u64::MAX,
                size: Some(u64::MAX),
                reason: GapReason::Limit,
            }),
        ),
        Ignored,
    );

    // Frames.
    add(
        "marks that do not rise".into(),
        output(f, 0, &[0, 3, 2], b"abcdef"),
        Closed,
    );
    add(
        "marks that do not begin at the first byte".into(),
        output(f, 0, &[1], b"abcdef"),
        Closed,
    );
    add(
        "marks beyond the bytes".into(),
        output(f, 0, &[0, 99], b"abcdef"),
        Closed,
    );
    add("no marks".into(), output(f, 0, &[], b"abcdef"), Closed);
    add("no bytes".into(), output(f, 0, &[0], b""), Closed);
    let whole = match output(f, 0, &[0], b"abcdef").remove(0) {
        Wrong::Bytes(b) => b,
        Wrong::Text(_) => Vec::new(),
    };
    add(
        "a frame cut short".into(),
        vec![Wrong::Bytes(whole[..20].to_vec())],
        Closed,
    );
    add("an empty frame".into(), vec![Wrong::Bytes(Vec::new())], Closed);
    add(
        "a frame of another kind".into(),
        vec![Wrong::Bytes([&[7], &whole[1..]].concat())],
        Closed,
    );
    let mut counted = whole.clone();
    counted[25..27].copy_from_slice(&u16::MAX.to_be_bytes());
    add(
        "65,535 marks in forty bytes".into(),
        vec![Wrong::Bytes(counted)],
        Closed,
    );
    add(
        "a frame of 300 KiB".into(),
        vec![Wrong::Bytes(vec![2; 300 * 1024])],
        Closed,
    );
    add(
        "noise".into(),
        vec![Wrong::Bytes(
            (0..5_000_u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
                .collect(),
        )],
        Closed,
    );
    all
}

trait IntoEvent {
    fn into_event(self) -> AttemptEvent;
}

impl IntoEvent for StepEnd {
    fn into_event(self) -> AttemptEvent {
        AttemptEvent::StepEnded(self)
    }
}

fn begun(of: &Assignment, index: usize, from: u64) -> AttemptEvent {
    AttemptEvent::StepStarted {
        step: of.steps[index].id,
        from,
        at: Timestamp(1),
    }
}

fn ended(length: u64, digest: &str) -> AttemptEvent {
    AttemptEvent::Ended {
        aborted: false,
        error: Some("\u{0}".into()),
        length,
        digest: digest.into(),
        at: Timestamp(0),
    }
}
