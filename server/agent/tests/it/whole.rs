//! Whole runs: what is told, in which order, and what steps see.

use crate::support::*;
use domain::agent::Facts;
use domain::plan::Limits;
use domain::status::ExecutorKind;
use protocol::{FromAgent, RefusalCode, ToAgent};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_run_is_told_in_order_with_its_output_and_leaves_nothing() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let FromAgent::Hello {
        versions,
        credential,
        have,
        facts,
        labels,
        slots,
        ..
    } = &peer.hello
    else {
        panic!()
    };
    assert_eq!(
        (versions.as_slice(), credential.as_str(), have.len(), *slots),
        (protocol::VERSIONS, "secret", 0, 2)
    );
    assert_eq!(facts.executors, [ExecutorKind::Scripted]);
    assert_eq!((labels["pool"].as_str(), labels["os"].as_str()), ("fast", "linux"));

    let mut second = step(3, "env LEVEL\nenv CARACAL_STEP\nerr oh\nfile x");
    second.env = BTreeMap::from([("LEVEL".into(), "step".into())]);
    let given = assignment(7, vec![step(2, "print a\nprint b"), second]);
    peer.send(&ToAgent::Assign(Box::new(given.clone()))).await;
    peer.send(&ToAgent::Assign(Box::new(given.clone()))).await;
    server.finish(&mut peer, fence(7)).await;
    // Late repetitions run nothing twice, not even after the end.
    peer.send(&ToAgent::Assign(Box::new(given))).await;
    peer.send(&ToAgent::Assign(Box::new(assignment(8, vec![step(2, "print z")]))))
        .await;
    server.finish(&mut peer, fence(8)).await;
    assert_eq!(agent.scripts.seen.lock().unwrap().len(), 2);
    let told = server.of(fence(7));
    assert_eq!(
        told.story(),
        [
            "preparing",
            "started 1",
            "exited 1 0",
            "started 2",
            "exited 2 0",
            "started 3",
            "exited 3 0",
            "ended"
        ]
    );
    assert_eq!(told.of(1), "Opening.\n");
    assert_eq!(told.of(2), "a\nb\n");
    assert_eq!(told.of(3), "LEVEL=step\nCARACAL_STEP=s3\noh\n");
    let spec = agent.scripts.seen.lock().unwrap()[0].clone();
    assert_eq!(
        spec.limits,
        Limits {
            cpu_milli: Some(500),
            memory: Some(1 << 30)
        },
        "the plan's, then the agent's"
    );
    let data = agent.stop().await;
    assert_eq!(
        files_below(&data.path().join("agent")),
        ["lock", "journal"],
        "spool and workspace are gone"
    );
}

#[tokio::test]
async fn failures_stop_the_job_unless_allowed() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let mut lint = step(2, "exit 3");
    lint.allow_failure = true;
    let mut never = step(3, "print never");
    never.skip = Some("`branch == main` does not hold.".into());
    peer.send(&ToAgent::Assign(Box::new(assignment(
        1,
        vec![lint, never, step(4, "exit 9"), step(5, "print x")],
    ))))
    .await;
    server.finish(&mut peer, fence(1)).await;
    assert_eq!(
        server.of(fence(1)).story()[3..],
        [
            "started 2",
            "exited 2 3",
            "skipped 3: `branch == main` does not hold.",
            "started 4",
            "exited 4 9",
            "skipped 5: An earlier step failed: s4.",
            "ended"
        ]
    );
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn set_up_waits_for_an_engine_that_is_away_and_is_lost_when_it_stays_away() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let away = |why: Option<&str>| *agent.scripts.away.lock().unwrap() = why.map(str::to_owned);
    away(Some("The engine does not answer."));
    peer.send(&ToAgent::Assign(Box::new(assignment(1, vec![step(2, "print x")]))))
        .await;
    let waits = b"The engine does not answer. It is waited for.\n";
    server
        .until(&mut peer, |told| told.values().any(|t| t.output.starts_with(waits)))
        .await;
    away(None);
    server.finish(&mut peer, fence(1)).await;
    assert_eq!(
        server.of(fence(1)).story()[1..],
        ["started 1", "exited 1 0", "started 2", "exited 2 0", "ended"]
    );
    away(Some("The engine does not answer."));
    peer.send(&ToAgent::Assign(Box::new(assignment(2, vec![step(2, "print x")]))))
        .await;
    while !server.told.get(&fence(2)).is_some_and(|t| t.ended()) {
        server.step(&mut peer).await.expect("the agent is there");
    }
    assert_eq!(
        server.of(fence(2)).story(),
        [
            "preparing",
            "started 1",
            "lost 1: The engine does not answer.",
            "skipped 2: The engine went away under an earlier step.",
            "ended: The engine does not answer."
        ]
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_session_that_was_opened_just_before_a_kill_is_closed_and_another_one_opened() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    agent.scripts.lasting.store(true, Ordering::SeqCst);
    peer.send(&ToAgent::Assign(Box::new(assignment(
        1,
        vec![step(2, "print on\ngate never")],
    ))))
    .await;
    server
        .until(&mut peer, |told| told.values().any(|t| t.output.ends_with(b"on\n")))
        .await;
    agent.run.abort();
    let _ = agent.run.await;
    // As a kill at that instant leaves it: the journal ends with where the session is.
    let journal = agent.data.path().join("agent/journal");
    let lines = std::fs::read_to_string(&journal).unwrap();
    let until = lines.find("\"handle\"").unwrap();
    let end = until + lines[until..].find('\n').unwrap() + 1;
    std::fs::write(&journal, &lines[..end]).unwrap();
    std::fs::remove_dir_all(agent.data.path().join("agent/spool/1-1")).unwrap();
    drop((server, peer));

    let mut server = Server::start().await;
    let next = Agent::start_in(&server, agent.data);
    next.scripts.lasting.store(true, Ordering::SeqCst);
    next.scripts.open_gate("never");
    let mut peer = server.accept().await;
    server.finish(&mut peer, fence(1)).await;
    let counts = [&next.scripts.found, &next.scripts.open].map(|n| n.load(Ordering::SeqCst));
    assert_eq!(counts, [1, 0], "found again, and closed like the one after it");
    assert_eq!(next.scripts.seen.lock().unwrap().len(), 1, "another one was opened");
    next.stop().await;
}

#[tokio::test]
async fn an_executor_that_is_not_there_fails_the_attempt_with_a_sentence() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let mut docker = assignment(2, vec![step(2, "print x")]);
    docker.executor = Some(ExecutorKind::Docker);
    peer.send(&ToAgent::Assign(Box::new(docker))).await;
    server.finish(&mut peer, fence(2)).await;
    assert_eq!(
        server.of(fence(2)).story()[2],
        "failed 1: This agent has no docker executor."
    );
    agent.stop().await;
}

#[tokio::test]
async fn attempts_run_beside_each_other_on_slots_that_are_used_again() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    for n in 1..=2 {
        peer.send(&ToAgent::Assign(Box::new(assignment(
            n,
            vec![step(2, &format!("print on\nfile f\ngate g{n}"))],
        ))))
        .await;
    }
    server
        .until(&mut peer, |told| {
            told.values().filter(|t| t.output.ends_with(b"on\n")).count() == 2
        })
        .await;
    assert_eq!(agent.scripts.live.load(Ordering::SeqCst), 2);
    agent.scripts.open_gate("g2");
    server.finish(&mut peer, fence(2)).await;
    peer.send(&ToAgent::Assign(Box::new(assignment(3, vec![step(2, "print on")]))))
        .await;
    server.finish(&mut peer, fence(3)).await;
    agent.scripts.open_gate("g1");
    server.finish(&mut peer, fence(1)).await;
    let slots: BTreeMap<i64, usize> = agent
        .scripts
        .seen
        .lock()
        .unwrap()
        .iter()
        .map(|s| (s.attempt.0, s.slot))
        .collect();
    assert_ne!(slots[&1], slots[&2]);
    assert_eq!(slots[&2], slots[&3]);
    agent.stop().await;
}

#[tokio::test]
async fn what_is_not_understood_is_passed_over() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    for text in [
        "\"promote\"",
        "{\"promote\":{\"x\":1}}",
        "no json",
        "{\"ack\":{\"fence\":{\"attempt\":99,\"epoch\":1},\"n\":4}}",
    ] {
        peer.say(text).await;
    }
    for message in [
        ToAgent::Abort { fence: fence(50) },
        ToAgent::Forget { fence: fence(50) },
        ToAgent::Rewind {
            fence: fence(50),
            offset: 3,
        },
    ] {
        peer.send(&message).await;
    }
    peer.send(&ToAgent::Assign(Box::new(assignment(1, vec![step(2, "print x")]))))
        .await;
    server.finish(&mut peer, fence(1)).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_refused_agent_ends_with_the_servers_sentence() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.greet().await;
    peer.send(&ToAgent::Refused {
        reason: "Its credential is not valid.".into(),
        code: RefusalCode::Credential,
    })
    .await;
    let error = agent.run.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "Its credential is not valid.");
    assert_eq!(error.downcast_ref::<agent::End>().map(agent::End::exit_code), Some(6));
}

#[tokio::test]
async fn two_agents_do_not_share_a_folder() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let _peer = server.accept().await;
    let other = agent::run(
        config(&server, agent.data.path()),
        agent::Executors::default(),
        agent.stop.clone(),
    );
    assert!(
        other
            .await
            .unwrap_err()
            .to_string()
            .starts_with("another agent uses the folder ")
    );
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_and_returns_is_told() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    *agent.scripts.away.lock().unwrap() = Some("The engine does not answer.".into());
    let facts = facts(&mut server, &mut peer).await;
    assert_eq!(facts.engine_error.as_deref(), Some("The engine does not answer."));
    *agent.scripts.away.lock().unwrap() = None;
    assert_eq!(self::facts(&mut server, &mut peer).await.engine_error, None);
    agent.stop().await;
}

async fn facts(server: &mut Server, peer: &mut Peer) -> Facts {
    loop {
        if let FromAgent::Facts(facts) = server.step(peer).await.expect("the agent is there") {
            return facts;
        }
    }
}

/// Paths of all files below a folder, relative to it.
fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found
}
