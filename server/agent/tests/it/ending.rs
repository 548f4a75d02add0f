//! Ends before the end: aborts, time, lease, shutdown. No process of an attempt outlives what is told of it.

use crate::support::*;
use protocol::ToAgent;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Runs one step that has begun to hang when this answers.
async fn hanging(server: &mut Server, peer: &mut Peer, word: &str) {
    let script = format!("print on\n{word}");
    peer.send(&ToAgent::Assign(Box::new(assignment(
        1,
        vec![step(2, &script), step(3, "print after")],
    ))))
    .await;
    server
        .until(peer, |told| told.values().any(|t| t.output.ends_with(b"on\n")))
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_a_step_also_one_that_ignores_term() {
    for word in ["hang", "deaf"] {
        let mut server = Server::start().await;
        let agent = Agent::start(&server);
        let mut peer = server.accept().await;
        hanging(&mut server, &mut peer, word).await;
        let before = tokio::time::Instant::now();
        peer.send(&ToAgent::Abort { fence: fence(1) }).await;
        peer.send(&ToAgent::Abort { fence: fence(1) }).await;
        server.finish(&mut peer, fence(1)).await;
        assert_eq!(agent.scripts.live.load(Ordering::SeqCst), 0, "told before it was gone");
        assert_eq!(
            server.of(fence(1)).story()[3..],
            ["started 2", "aborted 2", "ended aborted"]
        );
        let waited = before.elapsed().as_millis() >= 5_000;
        assert_eq!(waited, word == "deaf", "the grace is given to a step that needs it");
        agent.stop().await;
    }
}

#[tokio::test]
async fn an_abort_that_waits_for_a_returning_agent_loses_nothing_of_what_ran_meanwhile() {
    let mut server = Server::start().await;
    let first = Agent::start(&server);
    first.scripts.lasting.store(true, Ordering::SeqCst);
    let mut peer = server.accept().await;
    hanging(&mut server, &mut peer, "hang").await;
    first.stop.now.cancel();
    first.run.await.unwrap().unwrap();
    assert_eq!(
        first.scripts.live.load(Ordering::SeqCst),
        1,
        "what runs goes on without it"
    );
    peer.cut();

    let again = Agent::start_in(&server, first.data);
    again.scripts.lasting.store(true, Ordering::SeqCst);
    again.scripts.late.store(true, Ordering::SeqCst);
    let mut peer = server.accept().await;
    peer.send(&ToAgent::Abort { fence: fence(1) }).await;
    // Heard before what ran is found: it answers what came after it.
    peer.send(&ToAgent::Assign(Box::new(assignment(2, vec![step(9, "print heard")]))))
        .await;
    server.finish(&mut peer, fence(2)).await;
    again.scripts.open_gate("recover");
    server.finish(&mut peer, fence(1)).await;
    let told = server.of(fence(1));
    assert_eq!(told.story()[3..], ["started 2", "aborted 2", "ended aborted"]);
    assert_eq!(told.of(2), "on\nmeanwhile\n");
    assert_eq!(told.of(3), "");
    again.stop().await;
}

#[tokio::test]
async fn an_agent_that_dies_while_it_aborts_goes_on_with_that() {
    let mut server = Server::start().await;
    let data = tempfile::tempdir().unwrap();
    // In a runtime of its own it can die at once, with all its tasks.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let scripts = Arc::new(Scripts::default());
    scripts.lasting.store(true, Ordering::SeqCst);
    let executors = agent::Executors::only(Arc::new(Scripted(scripts)));
    runtime.spawn(agent::run(
        config(&server, data.path()),
        executors,
        agent::Stop::default(),
    ));
    let mut peer = server.accept().await;
    hanging(&mut server, &mut peer, "deaf").await;
    peer.send(&ToAgent::Abort { fence: fence(1) }).await;
    let journal = data.path().join("agent/journal");
    let noted = async {
        while !std::fs::read_to_string(&journal).unwrap().contains("\"cut\"") {
            tokio::task::yield_now().await;
        }
    };
    let noted = tokio::time::timeout(std::time::Duration::from_secs(20), noted).await;
    assert!(noted.is_ok(), "it does not begin to abort");
    tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    peer.cut();

    let again = Agent::start_in(&server, data);
    again.scripts.lasting.store(true, Ordering::SeqCst);
    let mut peer = server.accept().await;
    // Nobody tells it a second time.
    server.finish(&mut peer, fence(1)).await;
    let told = server.of(fence(1));
    assert_eq!(told.story()[3..], ["started 2", "aborted 2", "ended aborted"]);
    assert_eq!(told.of(3), "");
    again.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_that_runs_out_of_time_is_killed_and_stops_the_job() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let mut first = step(2, "deaf");
    first.timeout_ms = Some(3_000);
    let mut allowed = first.clone();
    allowed.allow_failure = true;
    peer.send(&ToAgent::Assign(Box::new(assignment(
        1,
        vec![first, step(3, "print x")],
    ))))
    .await;
    peer.send(&ToAgent::Assign(Box::new(assignment(
        2,
        vec![allowed, step(3, "print x")],
    ))))
    .await;
    server.finish(&mut peer, fence(1)).await;
    server
        .until(&mut peer, |told| told.get(&fence(2)).is_some_and(|t| t.ended()))
        .await;
    assert_eq!(
        server.of(fence(1)).story()[3..],
        [
            "started 2",
            "timed out 2 3000",
            "skipped 3: An earlier step ran out of time: s2.",
            "ended"
        ]
    );
    assert_eq!(
        server.of(fence(2)).story()[3..],
        ["started 2", "timed out 2 3000", "started 3", "exited 3 0", "ended"]
    );
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_runs_out_of_time_ends_whatever_is_allowed() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let mut hang = step(2, "hang");
    hang.allow_failure = true;
    let mut given = assignment(1, vec![hang, step(3, "print x")]);
    given.timeout_ms = Some(20_000);
    peer.send(&ToAgent::Assign(Box::new(given))).await;
    server.finish(&mut peer, fence(1)).await;
    assert_eq!(
        server.of(fence(1)).story()[3..],
        [
            "started 2",
            "timed out 2 20000",
            "skipped 3: The job had run out of time.",
            "ended aborted"
        ]
    );
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_answers_stops_its_jobs_at_lease_end() {
    let mut server = Server::start().await;
    server.heartbeat = 60_000;
    server.lease = 20_000;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    hanging(&mut server, &mut peer, "hang").await;
    // Nobody answers heartbeats: the connection stays, the lease does not.
    server.finish(&mut peer, fence(1)).await;
    let why = "The agent did not hear its server for 20s and stopped the job itself.";
    assert_eq!(
        server.of(fence(1)).story()[4..],
        [format!("lost 2: {why}"), format!("ended aborted: {why}")]
    );
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn answered_heartbeats_keep_the_lease() {
    let mut server = Server::start().await;
    server.lease = 12_000;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    hanging(&mut server, &mut peer, "gate on").await;
    let mut beats = 0;
    while beats < 10 {
        let message = server.step(&mut peer).await.expect("the agent is there");
        if let protocol::FromAgent::Heartbeat { running } = message {
            assert_eq!(running, [fence(1)]);
            beats += 1;
        }
    }
    agent.scripts.open_gate("on");
    server.finish(&mut peer, fence(1)).await;
    assert_eq!(server.of(fence(1)).story().last().unwrap(), "ended");
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_left_and_found_again() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut silent = server.accept().await;
    hanging(&mut server, &mut silent, "gate on").await;
    // It neither reads nor writes any more, and never closes.
    let mut peer = server.accept().await;
    agent.scripts.open_gate("on");
    server.finish(&mut peer, fence(1)).await;
    assert_eq!(server.of(fence(1)).story().last().unwrap(), "ended");
    drop(silent);
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_what_runs_and_tells_it() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    hanging(&mut server, &mut peer, "deaf").await;
    agent.stop.now.cancel();
    server.finish(&mut peer, fence(1)).await;
    let why = "The agent was shut down while the job ran.";
    assert_eq!(
        server.of(fence(1)).story()[4..],
        [format!("lost 2: {why}"), format!("ended aborted: {why}")]
    );
    peer.send(&ToAgent::Assign(Box::new(assignment(2, vec![step(2, "print x")]))))
        .await;
    while server.step(&mut peer).await.is_some() {}
    assert!(!server.told.contains_key(&fence(2)), "it took work while it went");
    agent.stop().await;
}
