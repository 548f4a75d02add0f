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
async fn what_a_step_is_to_keep_lives_until_the_job_ends_and_nothing_else_does() {
    let room = Room::new(9);
    let executor = executor(&room, None);
    let session = executor.open(room.spec.clone(), &Said::default()).await.unwrap();
    let keep = StepCommand {
        keep: true,
        ..run(LEAVINGS)
    };
    assert_eq!(ends(&*session, keep).await, Exit::Exited(0));
    let kept = pids(&room);
    assert!(kept.len() == 3 && kept.iter().all(|p| runs(p)), "{kept:?}");
    for pid in ["child.pid", "session.pid", "double.pid"] {
        fs::remove_file(room.file(pid)).unwrap();
    }
    assert_eq!(ends(&*session, run(LEAVINGS)).await, Exit::Exited(0));
    let swept = pids(&room);
    assert!(swept.len() == 3 && !swept.iter().any(|p| runs(p)), "{swept:?}");
    assert!(kept.iter().all(|p| runs(p)), "they ended with another step");
    session.close().await;
    assert!(!kept.iter().any(|p| runs(p)), "they outlived the job");
    let next = executor.open(room.spec.clone(), &Said::default()).await.unwrap();
    assert_eq!(ends(&*next, run("true")).await, Exit::Exited(0));
    next.close().await;
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
async fn closing_a_session_ends_its_step() {
    let room = Room::new(6);
    let session = open(&room).await;
    let script = format!("trap '' TERM; {LEAVINGS}\necho up > up; while :; do sleep 9; done");
    session.start(run(&script)).await.unwrap();
    room.until(&*session, "up").await;
    session.close().await;
    assert_eq!(session.wait().await, Ok(Exit::Signalled(9)));
    assert!(pids(&room).iter().all(|p| !runs(p)));
}

/// As when the agent is killed: nobody says a word.
#[tokio::test]
async fn a_session_that_is_let_go_goes_on_and_is_found_again() {
    let room = Room::new(7);
    let first = executor(&room, None);
    let session = first.open(room.spec.clone(), &Said::default()).await.unwrap();
    assert_eq!(ends(&*session, run("echo before")).await, Exit::Exited(0));
    let step = run("n=0; while ! [ -e go ]; do n=$((n+1)); echo $n; sleep 0.005; done; echo end; exit 5");
    session.start(step.clone()).await.unwrap();
    while room.out().lines().count() < 20 {
        tokio::task::yield_now().await;
    }
    let handle = session.handle().unwrap();
    drop((session, first));
    // Nobody reads for a while: it writes all the same.
    let seen = room.out().lines().count();
    fs::write(room.file("go"), "").unwrap();

    let again = executor(&room, None);
    // What is kept is not swept.
    again.sweep(std::slice::from_ref(&handle)).await.unwrap();
    let session = again.recover(&handle, room.spec.clone(), 0).await.unwrap().unwrap();
    assert!(session.resume(step, 0).await.unwrap());
    assert_eq!(session.wait().await, Ok(Exit::Exited(5)));
    let out = room.out();
    let mut lines: Vec<_> = out.lines().collect();
    assert_eq!((lines.remove(0), lines.pop()), ("before", Some("end")));
    assert!(lines.len() + 1 >= seen);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(*line, (n + 1).to_string(), "each line once, in order");
    }
    // The session is as good as new.
    let never = run("echo never begun");
    assert_eq!(session.resume(never.clone(), 0).await, Ok(false));
    assert_eq!(ends(&*session, never).await, Exit::Exited(0));
    session.close().await;
    again.retire().await;
}

#[tokio::test]
async fn what_nobody_takes_up_again_is_swept() {
    let room = Room::new(8);
    let first = executor(&room, None);
    let session = first.open(room.spec.clone(), &Said::default()).await.unwrap();
    let script = format!("{LEAVINGS}\necho up > up; while :; do sleep 9; done");
    session.start(run(&script)).await.unwrap();
    room.until(&*session, "up").await;
    let pids = pids(&room);
    assert!(pids.iter().all(|p| runs(p)));
    drop((session, first));
    assert!(executor(&room, None).sweep(&[]).await.unwrap() >= 1);
    while pids.iter().any(|p| runs(p)) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_shim_serves_step_after_step_and_one_that_is_killed_takes_its_step_along() {
    let room = Room::new(14);
    let executor = executor(&room, None);
    let session = executor.open(room.spec.clone(), &Said::default()).await.unwrap();
    for n in 0..20 {
        // What a step does to its own outputs must not reach the next one's.
        let script = format!("echo $PPID; printf 'step {n} '; exec >/dev/null; exit {n}");
        assert_eq!(ends(&*session, run(&script)).await, Exit::Exited(n));
    }
    let out = room.out();
    let numbers = out.lines().map(|l| l.rsplit(' ').next().unwrap());
    let shims: std::collections::BTreeSet<_> = numbers.filter(|n| !n.is_empty()).collect();
    assert_eq!(shims.len(), 1, "{shims:?}");
    session
        .start(run(
            "echo $$ > step.pid; echo $PPID > shim; echo up > up; while :; do sleep 9; done",
        ))
        .await
        .unwrap();
    room.until(&*session, "up").await;
    let shim = fs::read_to_string(room.file("shim")).unwrap();
    std::process::Command::new("kill")
        .args(["-KILL", shim.trim()])
        .status()
        .unwrap();
    assert!(matches!(session.wait().await, Err(ExecError::EngineGone(why)) if why.contains("shim was killed")));
    while pids(&room).iter().any(|p| runs(p)) {
        tokio::task::yield_now().await;
    }
    session.close().await;
    let session = executor.open(room.spec.clone(), &Said::default()).await.unwrap();
    assert_eq!(ends(&*session, run("true")).await, Exit::Exited(0));
    session.close().await;
    executor.retire().await;
}
