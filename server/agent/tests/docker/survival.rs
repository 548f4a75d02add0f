//! What goes on when agent or engine die, and what waits for the next job.

use super::*;

/// Counts until the file `go` is there, then says so.
pub(super) const COUNT: &str = "n=0; until [ -e go ]; do n=$((n+1)); echo $n; sleep 0.005; done; echo end; exit 5";

/// Every line once, in order, and how many there are before the last.
pub(super) fn counted(out: &str) -> usize {
    let mut lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.pop(), Some("end"));
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(*line, (n + 1).to_string());
    }
    lines.len()
}

pub(super) async fn lines(room: &Room, more: usize) {
    let before = room.out().lines().count();
    while room.out().lines().count() < before + more {
        tokio::task::yield_now().await;
    }
}

async fn id(engine: &Engine, room: &Room) -> String {
    let name = format!("caracal-41-7-{}", room.spec.number);
    engine
        .api()
        .await
        .inspect_container(&name, None)
        .await
        .unwrap()
        .id
        .unwrap()
}

#[tokio::test]
async fn a_container_whose_agent_is_killed_goes_on_and_is_found_again() {
    let Some(engine) = engine() else { return };
    let (first, room) = (engine.executor("found"), room());
    let session = open(&first, &room).await;
    let step = run(COUNT);
    session.start(step.clone()).await.unwrap();
    lines(&room, 20).await;
    let (handle, before) = (session.handle().unwrap(), id(&engine, &room).await);
    drop((session, first));
    let seen = room.out().lines().count();

    let again = engine.executor("found");
    again.sweep(std::slice::from_ref(&handle)).await.unwrap();
    let session = again.recover(&handle, room.spec.clone(), 0).await.unwrap().unwrap();
    assert!(session.resume(step, 0).await.unwrap());
    lines(&room, 20).await;
    assert_eq!(id(&engine, &room).await, before, "the same container");
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(5)));
    assert!(counted(&room.out()) > seen);
    assert_eq!(
        ends(&*session, run("true")).await,
        Exit::Exited(0),
        "it is as good as new"
    );
    done(&engine, "found", &again, &[&*session]).await;
}

#[tokio::test]
async fn with_live_restore_nothing_is_lost_while_the_engine_is_dead() {
    let Some(engine) = own_engine_with("lived", "--live-restore") else {
        return;
    };
    let (executor, room) = (engine.executor("lived"), room());
    let session = open(&executor, &room).await;
    session.start(run(COUNT)).await.unwrap();
    lines(&room, 10).await;
    engine.verb("kill");
    assert!(
        matches!(executor.ready().await, Err(ExecError::EngineGone(_))),
        "the fault did not fire"
    );
    lines(&room, 20).await;
    engine.verb("daemon");
    lines(&room, 20).await;
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(5)));
    counted(&room.out());
    done(&engine, "lived", &executor, &[&*session]).await;
}

#[tokio::test]
async fn without_live_restore_a_restart_ends_the_step_as_lost_and_keeps_its_output() {
    let Some(engine) = own_engine("ended") else { return };
    let (executor, room) = (engine.executor("ended"), room());
    let session = open(&executor, &room).await;
    session
        .start(run(
            "trap 'echo last words; exit 0' TERM; echo up; while :; do sleep 0.01; done",
        ))
        .await
        .unwrap();
    while room.out() != "up\n" {
        tokio::task::yield_now().await;
    }
    engine.verb("stop");
    engine.verb("daemon");
    let Err(ExecError::EngineGone(said)) = session.wait().await else {
        panic!("the step's own exit counted")
    };
    assert!(said.contains("Docker was restarted"), "{said}");
    assert_eq!(room.out(), "up\nlast words\n", "its output is complete");
    session.close().await;
    let next = open(&executor, &room).await;
    assert_eq!(ends(&*next, run("true")).await, Exit::Exited(0));
    done(&engine, "ended", &executor, &[&*next]).await;
}

#[tokio::test]
async fn a_warm_container_serves_the_next_job_of_its_slot_once() {
    let Some(engine) = engine() else { return };
    let executor = DockerExecutor::new(agent::executor::docker::Settings {
        warm: true,
        ..engine.settings("warm")
    });
    let (mut first, mut second) = (room(), room());
    let session = open(&executor, &first).await;
    assert_eq!(ends(&*session, run("echo x > /tmp/left")).await, Exit::Exited(0));
    session.close().await;
    second.spec.workspace = first.spec.workspace.clone();
    executor.rest(0, first.spec.workspace.clone()).await;
    assert_eq!(executor.ready_slots(None), [0]);
    assert_eq!(executor.ready_slots(Some("other")), Vec::<usize>::new());
    let waiting = engine.left("warm").await;
    let warm = waiting.iter().find(|n| n.contains("-warm-")).expect("a warm container");
    let api = engine.api().await;
    let warm = api
        .inspect_container(warm.trim_start_matches('/'), None)
        .await
        .unwrap()
        .id
        .unwrap();

    let session = open(&executor, &second).await;
    assert_eq!(
        ends(&*session, run("test ! -e /tmp/left")).await,
        Exit::Exited(0),
        "nothing ran in it before"
    );
    while api
        .inspect_container(&format!("caracal-41-7-{}", second.spec.number), None)
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(id(&engine, &second).await, warm, "it is the one that waited");
    session.close().await;
    assert_eq!(executor.ready_slots(None), Vec::<usize>::new(), "it is used once");

    // Its workspace was replaced meanwhile: the container still holds the old one, and must not be used.
    executor.rest(0, first.spec.workspace.clone()).await;
    assert_eq!(executor.ready_slots(None), [0]);
    fs::rename(&first.spec.workspace, first.dir.path().join("aside")).unwrap();
    fs::create_dir(&first.spec.workspace).unwrap();
    let session = open(&executor, &second).await;
    assert_eq!(ends(&*session, run("echo x > made")).await, Exit::Exited(0));
    assert!(first.file("made").exists(), "it ran in a workspace that is gone");
    session.close().await;

    // Other limits, another container; the one that waits goes.
    executor.rest(0, first.spec.workspace.clone()).await;
    first.spec.limits.memory = Some(48 << 20);
    let session = open(&executor, &first).await;
    assert_eq!(ends(&*session, run("true")).await, Exit::Exited(0));
    done(&engine, "warm", &executor, &[&*session]).await;
}

#[tokio::test]
async fn the_first_job_after_a_start_finds_a_container_of_what_ran_last_or_by_default() {
    let Some(engine) = engine() else { return };
    let dir = tempfile::tempdir().unwrap();
    let habit = dir.path().join("warm.json");
    let executor = |image: &str, warm| {
        DockerExecutor::new(agent::executor::docker::Settings {
            warm,
            default_image: image.into(),
            habit: Some(habit.clone()),
            ..engine.settings("first")
        })
    };
    let room = room();
    let rested = |executor: DockerExecutor, slot: usize, image: &'static str| {
        let (engine, workspace) = (&engine, room.spec.workspace.clone());
        async move {
            executor.sweep(&[]).await.unwrap();
            executor.rest(slot, workspace).await;
            let ready = executor.ready_slots(Some(image));
            executor.retire().await;
            assert_eq!(
                engine.left("first").await,
                Vec::<String>::new(),
                "it goes with the agent"
            );
            ready
        }
    };
    // Nothing ran yet: the default image on the first slot, where the engine has it; nothing is pulled.
    assert_eq!(rested(executor(IMAGE, true), 0, IMAGE).await, [0]);
    assert_eq!(rested(executor(IMAGE, true), 1, IMAGE).await, Vec::<usize>::new());
    assert_eq!(
        rested(executor("nosuch:1", true), 0, "nosuch:1").await,
        Vec::<usize>::new()
    );
    assert_eq!(rested(executor(IMAGE, false), 0, IMAGE).await, Vec::<usize>::new());

    let first = executor("nosuch:1", true);
    let mut named = room.spec.clone();
    (named.image, named.slot, named.limits.memory) = (Some(IMAGE.into()), 1, Some(48 << 20));
    let session = first.open(named.clone(), &Said::default()).await.unwrap();
    done(&engine, "first", &first, &[&*session]).await;
    assert_eq!(rested(executor("nosuch:1", true), 1, IMAGE).await, [1]);

    let again = executor("nosuch:1", true);
    again.sweep(&[]).await.unwrap();
    again.rest(1, room.spec.workspace.clone()).await;
    let waiting = engine.left("first").await;
    let name = waiting.iter().find(|n| n.contains("-warm-")).expect("a warm container");
    let found = engine
        .api()
        .await
        .inspect_container(name.trim_start_matches('/'), None)
        .await;
    let session = again.open(named, &Said::default()).await.unwrap();
    assert_eq!(ends(&*session, run("true")).await, Exit::Exited(0));
    let used = engine.left("first").await;
    assert_eq!(used.iter().filter(|n| n.starts_with('/')).count(), 1, "{used:?}");
    let api = engine.api().await;
    let name = format!("caracal-41-7-{}", room.spec.number);
    while api.inspect_container(&name, None).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(found.unwrap().id, Some(id(&engine, &room).await), "the job had it");
    done(&engine, "first", &again, &[&*session]).await;
}
