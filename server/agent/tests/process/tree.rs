//! The processes of a step, and their end.

use super::*;

#[tokio::test]
async fn whatever_a_step_leaves_is_gone_when_it_ends() {
    let room = Room::new(4);
    let session = open(&room).await;
    assert_eq!(
        ends(&*session, run(&format!("{LEAVINGS}\nexit 0"))).await,
        Exit::Exited(0)
    );
    let pids = pids(&room);
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|p| !runs(p)), "{pids:?}");
    session.close().await;
}

#[tokio::test]
async fn term_asks_and_kill_ends_the_whole_tree() {
    let room = Room::new(5);
    let session = open(&room).await;
    session.signal(Signal::Kill).await;
    session
        .start(run(
            "trap 'echo asked; exit 7' TERM; echo up > up; while :; do sleep 0.01; done",
        ))
        .await
        .unwrap();
    room.until(&*session, "up").await;
    session.signal(Signal::Term).await;
    assert_eq!(session.wait().await, Ok(Exit::Exited(7)));
    assert_eq!(room.out(), "asked\n");
    session.signal(Signal::Kill).await;
    let deaf = format!("trap '' TERM; {LEAVINGS}\necho up > deaf; while :; do sleep 9; done");
    session.start(run(&deaf)).await.unwrap();
    room.until(&*session, "deaf").await;
    session.signal(Signal::Term).await;
    session.signal(Signal::Kill).await;
    assert_eq!(session.wait().await, Ok(Exit::Signalled(9)));
    assert!(pids(&room).iter().all(|p| !runs(p)));
    session.close().await;
}

#[tokio::test]
async fn closing_or_losing_a_session_ends_its_step() {
    let room = Room::new(6);
    let session = open(&room).await;
    let script = format!("trap '' TERM; {LEAVINGS}\necho up > up; while :; do sleep 9; done");
    session.start(run(&script)).await.unwrap();
    room.until(&*session, "up").await;
    session.close().await;
    assert_eq!(session.wait().await, Ok(Exit::Signalled(9)));
    assert!(pids(&room).iter().all(|p| !runs(p)));

    // As when the future that held it is dropped.
    let room = Room::new(7);
    let session = open(&room).await;
    session.start(run(&script)).await.unwrap();
    room.until(&*session, "up").await;
    let pids = pids(&room);
    assert!(pids.iter().all(|p| runs(p)));
    drop(session);
    while pids.iter().any(|p| runs(p)) {
        tokio::task::yield_now().await;
    }
}

/// The agent is killed: the runner's socket ends, and nobody says a word.
#[test]
fn a_runner_whose_agent_is_gone_ends_its_step_and_itself() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::os::fd::{AsFd, OwnedFd};
    let room = Room::new(13);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut runner = std::process::Command::new(env!("CARGO_BIN_EXE_exec-step"));
    let mut runner = runner.arg("exec-step").stdin(OwnedFd::from(theirs)).spawn().unwrap();
    let script = format!("trap '' TERM; {LEAVINGS}\necho up > up; while :; do sleep 9; done");
    let job = serde_json::json!({ "job": {
        "argv": ["/bin/sh", "-c", script],
        "env": { "PATH": "/usr/bin:/bin" },
        "workspace": room.spec.workspace,
        "fence": { "writable": [room.spec.workspace], "readable": [] },
        "user": null,
    }});
    let job = serde_json::to_vec(&job).unwrap();
    let frame = [&u32::try_from(job.len()).unwrap().to_le_bytes()[..], &job].concat();
    let null = fs::File::open("/dev/null").unwrap();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let outputs = [null.as_fd(), null.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&outputs));
    let sent = sendmsg(
        &ours,
        &[std::io::IoSlice::new(&frame)],
        &mut control,
        SendFlags::empty(),
    )
    .unwrap();
    assert_eq!(sent, frame.len());
    while !room.file("up").exists() {
        assert!(runner.try_wait().unwrap().is_none(), "the runner ended");
        std::thread::yield_now();
    }
    let pids = pids(&room);
    assert!(pids.len() == 3 && pids.iter().all(|p| runs(p)));
    drop(ours);
    runner.wait().unwrap();
    assert!(pids.iter().all(|p| !runs(p)), "{pids:?}");
}

#[tokio::test]
async fn one_runner_serves_step_after_step_and_a_killed_one_is_replaced() {
    let room = Room::new(14);
    let executor = executor(None);
    let session = executor.open(room.spec.clone(), &Said::default()).await.unwrap();
    for n in 0..20 {
        // What a step does to its own outputs must not reach the next one's.
        let script = format!("echo $PPID; printf 'step {n} '; exec >/dev/null; exit {n}");
        assert_eq!(ends(&*session, run(&script)).await, Exit::Exited(n));
    }
    let out = room.out();
    let numbers = out.lines().map(|l| l.rsplit(' ').next().unwrap());
    let runners: std::collections::BTreeSet<_> = numbers.filter(|n| !n.is_empty()).collect();
    assert!(runners.len() <= 2, "{runners:?}");
    for pid in runners {
        let _ = std::process::Command::new("kill").args(["-KILL", pid]).status();
        while runs(pid) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(ends(&*session, run("echo on")).await, Exit::Exited(0));
    assert!(room.out().ends_with("on\n"));
    // One that is killed under its step takes the step with it, and that is said.
    session
        .start(run(
            "echo $$ > step.pid; echo $PPID > runner; echo up > up; while :; do sleep 9; done",
        ))
        .await
        .unwrap();
    room.until(&*session, "up").await;
    let runner = fs::read_to_string(room.file("runner")).unwrap();
    std::process::Command::new("kill")
        .args(["-KILL", runner.trim()])
        .status()
        .unwrap();
    assert!(matches!(session.wait().await, Err(ExecError::Machine(why)) if why.contains("runner was killed")));
    while pids(&room).iter().any(|p| runs(p)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(ends(&*session, run("true")).await, Exit::Exited(0));
    session.close().await;
}
