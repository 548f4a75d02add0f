//! Output reaches the server whole, whatever happens on the way.

use crate::support::*;
use protocol::{Fence, FromAgent, HaveState, ToAgent};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::timeout;

fn flood(n: usize) -> Vec<u8> {
    let lines: String = (0..n).map(flood_line).collect();
    format!("Opening.\n{lines}").into_bytes()
}

#[tokio::test]
async fn a_flood_arrives_byte_for_byte() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    peer.send(&ToAgent::Assign(Box::new(assignment(1, vec![step(2, "flood 200000")]))))
        .await;
    server.finish(&mut peer, fence(1)).await;
    let told = server.of(fence(1));
    assert!(told.output == flood(200_000), "the output differs");
    assert_eq!((told.gaps, told.repeated), (0, 0));
    agent.stop().await;
}

#[tokio::test]
async fn what_the_server_has_gives_its_disk_back_while_the_step_runs() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let script = "flood 200000\ngate on";
    peer.send(&ToAgent::Assign(Box::new(assignment(1, vec![step(2, script)]))))
        .await;
    let size = flood(200_000).len();
    server
        .until(&mut peer, |told| told.values().any(|t| t.output.len() == size))
        .await;
    let file = agent.data.path().join("agent/spool/1-1/output");
    let on_disk = || std::fs::metadata(&file).unwrap().blocks() * 512;
    // The last acknowledgements are on their way; once heard, whole blocks of the file are a hole.
    let rest = size as u64 - protocol::BLOCK + 64 * 1024;
    let freed = async {
        while on_disk() > rest {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), freed)
        .await
        .unwrap_or_else(|_| panic!("the disk is not given back: {} of {size}", on_disk()));
    agent.scripts.open_gate("on");
    server.finish(&mut peer, fence(1)).await;
    assert!(server.of(fence(1)).output == flood(200_000), "the output differs");
    agent.stop().await;
}

#[tokio::test]
async fn lost_frames_are_sent_again_when_asked_for() {
    // The one frame there is, known missing only by the end; and some in the middle of many.
    for (lose, script) in [(2, "print x"), (3, "flood 50000")] {
        let mut server = Server::start().await;
        let agent = Agent::start(&server);
        let mut peer = server.accept().await;
        peer.lose = lose;
        peer.send(&ToAgent::Assign(Box::new(assignment(1, vec![step(2, script)]))))
            .await;
        server.finish_with_loss(&mut peer, fence(1)).await;
        assert_eq!(peer.lost, lose, "the fault did not fire");
        let told = server.of(fence(1));
        let wanted = if lose == 2 {
            b"Opening.\nx\n".to_vec()
        } else {
            flood(50_000)
        };
        assert!(told.output == wanted, "the output differs");
        told.whole();
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_cut_connection_loses_and_doubles_nothing() {
    // Whether the server kept what it did not acknowledge, or lost it in a fall of its own.
    for kept in [true, false] {
        cut_and_found_again(kept).await;
    }
}

async fn cut_and_found_again(kept: bool) {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    peer.send(&ToAgent::Assign(Box::new(assignment(
        1,
        vec![step(2, "flood 20000\ngate on\nflood 20000"), step(3, "print z")],
    ))))
    .await;
    // Nothing is acknowledged in the first session: all of it must come again.
    peer.answering = false;
    let some = |told: &BTreeMap<Fence, Told>| told.values().any(|t| t.output.len() > 100_000);
    server.until(&mut peer, some).await;
    let before = server.of(fence(1)).events.len();
    assert!(before >= 4, "{before}");
    peer.cut();
    if !kept {
        server.told.clear();
    }

    let mut peer = server.accept().await;
    let FromAgent::Hello { session, have, .. } = &peer.hello else {
        panic!()
    };
    assert_eq!(
        (*session, have[0].fence, have[0].state),
        (1, fence(1), HaveState::Running)
    );
    assert!(have[0].offset > 100_000);
    agent.scripts.open_gate("on");
    server.finish(&mut peer, fence(1)).await;
    let told = server.of(fence(1));
    assert_eq!(told.repeated > 0, kept, "the fault did not fire");
    assert_eq!(told.story().len(), 8, "{:?}", told.story());
    let lines: String = (0..20_000).map(flood_line).collect();
    assert!(
        told.output == format!("Opening.\n{lines}{lines}z\n").into_bytes(),
        "the output differs"
    );
    agent.stop().await;
}

#[tokio::test]
async fn what_ended_untold_is_told_by_the_next_start() {
    let mut server = Server::start().await;
    let data = tempfile::tempdir().unwrap();
    // An agent in a runtime of its own can die at once, with all its tasks.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let executors = agent::Executors::only(Arc::new(Scripted(Arc::default())));
    runtime.spawn(agent::run(
        config(&server, data.path()),
        executors,
        agent::Stop::default(),
    ));
    let mut peer = server.accept().await;
    peer.answering = false;
    peer.send(&ToAgent::Assign(Box::new(assignment(1, vec![step(2, "flood 3000")]))))
        .await;
    peer.send(&ToAgent::Assign(Box::new(assignment(
        2,
        vec![step(2, "print x\nhang")],
    ))))
    .await;
    server
        .until(&mut peer, |told| told.get(&fence(1)).is_some_and(|t| t.ended()))
        .await;
    // It dies with one attempt ended and one running.
    tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    peer.cut();
    server.told.clear();

    let agent = Agent::start_in(&server, data);
    let mut peer = server.accept().await;
    let FromAgent::Hello { have, .. } = &peer.hello else {
        panic!()
    };
    assert_eq!(
        (have[0].fence, have[0].state, have[1].fence),
        (fence(1), HaveState::Unreported, fence(2))
    );
    server.finish(&mut peer, fence(1)).await;
    server.finish(&mut peer, fence(2)).await;
    let lost = server.of(fence(2));
    assert_eq!(lost.of(2), "x\n", "what it wrote is told");
    let story = lost.story();
    assert!(story[4].starts_with("lost 2: The agent was restarted"), "{story:?}");
    let told = server.of(fence(1));
    assert_eq!(
        told.story(),
        [
            "preparing",
            "started 1",
            "exited 1 0",
            "started 2",
            "exited 2 0",
            "ended"
        ]
    );
    assert!(told.output == flood(3_000), "the output differs");
    agent.stop().await;
}

#[tokio::test]
async fn a_forgotten_attempt_is_killed_without_a_word() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    peer.send(&ToAgent::Assign(Box::new(assignment(
        1,
        vec![step(2, "print x\ndeaf")],
    ))))
    .await;
    server
        .until(&mut peer, |told| told.values().any(|t| t.output.ends_with(b"x\n")))
        .await;
    let before = server.of(fence(1)).events.len();
    peer.send(&ToAgent::Forget { fence: fence(1) }).await;
    // A later attempt gets the slot once the forgotten one is gone.
    while agent.scripts.open.load(std::sync::atomic::Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    peer.send(&ToAgent::Assign(Box::new(assignment(2, vec![step(2, "print y")]))))
        .await;
    server.finish(&mut peer, fence(2)).await;
    assert_eq!(server.of(fence(1)).events.len(), before);
    agent.stop().await;
}

#[tokio::test]
async fn a_full_disk_fails_the_step_at_once() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    // The kernel's own full device stands where the attempt's output goes.
    let spool = agent.data.path().join("agent/spool/1-1");
    std::fs::create_dir_all(&spool).unwrap();
    std::os::unix::fs::symlink("/dev/full", spool.join("output")).unwrap();
    peer.send(&ToAgent::Assign(Box::new(assignment(1, vec![step(2, "print x")]))))
        .await;
    server.finish(&mut peer, fence(1)).await;
    let story = server.of(fence(1)).story();
    assert_eq!(story[2], "gap None at 0", "what was not stored is said in its place");
    assert!(
        story[3].starts_with("failed 1: The agent's disk is full: "),
        "{story:?}"
    );
    assert!(
        story.last().unwrap().starts_with("ended: The agent's disk is full: "),
        "{story:?}"
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_full_disk_fails_the_attempt_even_under_a_step_that_may_fail() {
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    agent.scripts.quiet.store(true, std::sync::atomic::Ordering::SeqCst);
    let spool = agent.data.path().join("agent/spool/1-1");
    std::fs::create_dir_all(&spool).unwrap();
    std::os::unix::fs::symlink("/dev/full", spool.join("output")).unwrap();
    let mut first = step(2, "print x");
    first.allow_failure = true;
    peer.send(&ToAgent::Assign(Box::new(assignment(
        1,
        vec![first, step(3, "print y")],
    ))))
    .await;
    server.finish(&mut peer, fence(1)).await;
    let story = server.of(fence(1)).story();
    assert_eq!(story[1..5], ["started 1", "exited 1 0", "started 2", "gap None at 0"]);
    for (line, begins) in story[5..].iter().zip([
        "failed 2: The agent's disk is full: ",
        "skipped 3: The agent's disk failed under an earlier step.",
        "ended: The agent's disk is full: ",
    ]) {
        assert!(line.starts_with(begins), "{story:?}");
    }
    agent.stop().await;
}
