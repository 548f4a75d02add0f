//! An engine that shims cannot be used on: what is attached to is taken up again after agent, connection or engine broke.

use super::proxy::Proxy;
use super::survival::{COUNT, counted, lines};
use super::*;
use agent::executor::Handle;
use agent::executor::docker::Settings;
use protocol::GapReason;

/// An executor that reaches the engine as a remote one.
fn remote(engine: &Engine, proxy: &Proxy, name: &str) -> DockerExecutor {
    DockerExecutor::new(Settings {
        host: Some(proxy.host.clone()),
        ..engine.settings(name)
    })
}

/// The agent is killed: all it had is dropped, and its connections with it.
async fn killed(proxy: &Proxy, session: Box<dyn Session>, executor: DockerExecutor) -> Handle {
    let handle = session.handle().unwrap();
    drop((session, executor));
    proxy.alone().await;
    handle
}

/// It is back, and takes up its step.
async fn back(executor: &DockerExecutor, handle: &Handle, room: &Room, step: StepCommand) -> Box<dyn Session> {
    executor.sweep(std::slice::from_ref(handle)).await.unwrap();
    let found = executor.recover(handle, room.spec.clone(), 0).await.unwrap().unwrap();
    assert_eq!(found.resume(step, 0).await, Ok(true));
    found
}

fn gaps(room: &Room) -> Vec<(u64, GapReason)> {
    room.spec.spool.gaps(0).iter().map(|g| (g.at, g.reason)).collect()
}

async fn made(room: &Room, name: &str) {
    while !room.file(name).exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_killed_agent_attaches_again_and_loses_no_line() {
    let Some(engine) = engine() else { return };
    let proxy = Proxy::before(&engine.host).await;
    let (first, room) = (remote(&engine, &proxy, "again"), room());
    let session = open(&first, &room).await;
    let step = run(&format!("printf 'no newline' >&2; {COUNT}").replace("echo $n;", "echo $n; echo $n > n;"));
    session.start(step.clone()).await.unwrap();
    lines(&room, 20).await;
    let handle = killed(&proxy, session, first).await;
    let seen = room.out().lines().count();
    let on = || fs::read_to_string(room.file("n")).unwrap().trim().parse().unwrap_or(0);
    while on() < seen + 50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(room.out().lines().count(), seen, "the agent was not dead");

    let again = remote(&engine, &proxy, "again");
    let session = back(&again, &handle, &room, step).await;
    lines(&room, 60).await;
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(5)));
    assert!(counted(&room.out()) > seen + 50);
    assert_eq!(room.err(), "no newline");
    assert_eq!(gaps(&room), []);
    assert_eq!(ends(&*session, run("echo next")).await, Exit::Exited(0));
    done(&engine, "again", &again, &[&*session]).await;
}

#[tokio::test]
async fn a_step_that_ended_while_the_agent_was_dead_has_its_own_exit_code() {
    let Some(engine) = engine() else { return };
    let proxy = Proxy::before(&engine.host).await;
    let (first, room) = (remote(&engine, &proxy, "meanwhile"), room());
    let session = open(&first, &room).await;
    let step = run(COUNT);
    session.start(step.clone()).await.unwrap();
    lines(&room, 20).await;
    let handle = killed(&proxy, session, first).await;
    fs::write(room.file("go"), "").unwrap();
    let (api, name) = (engine.api().await, format!("caracal-41-7-{}-1", room.spec.number));
    while api.inspect_container(&name, None).await.unwrap().state.unwrap().running == Some(true) {}

    let again = remote(&engine, &proxy, "meanwhile");
    let session = back(&again, &handle, &room, step).await;
    let told = futures::FutureExt::now_or_never(session.wait());
    assert_eq!(
        told,
        Some(Ok(Exit::Exited(5))),
        "it is told before any time that is over"
    );
    counted(&room.out());
    assert_eq!(gaps(&room), []);
    done(&engine, "meanwhile", &again, &[&*session]).await;
}

#[tokio::test]
async fn more_than_the_engine_keeps_is_a_gap_in_its_place() {
    let Some(engine) = engine() else { return };
    let proxy = Proxy::before(&engine.host).await;
    let (first, room) = (remote(&engine, &proxy, "flood"), room());
    let session = open(&first, &room).await;
    let wait = |name: &str| format!("until [ -e {name} ]; do sleep 0.01; done");
    let step = run(&format!(
        "echo before; {}; head -c 40000000 /dev/zero | tr '\\0' 'x'; echo; echo > written; {}; echo after; exit 7",
        wait("flood"),
        wait("go")
    ));
    session.start(step.clone()).await.unwrap();
    while room.out().is_empty() {
        tokio::task::yield_now().await;
    }
    let handle = killed(&proxy, session, first).await;
    fs::write(room.file("flood"), "").unwrap();
    made(&room, "written").await;

    let again = remote(&engine, &proxy, "flood");
    let session = back(&again, &handle, &room, step).await;
    while gaps(&room).is_empty() {
        tokio::task::yield_now().await;
    }
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(7)));
    assert_eq!(room.out(), "before\nafter\n");
    assert_eq!(gaps(&room), [(7, GapReason::Detached)]);
    done(&engine, "flood", &again, &[&*session]).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let Some(engine) = engine() else { return };
    let proxy = Proxy::before(&engine.host).await;
    let (executor, room) = (remote(&engine, &proxy, "cut"), room());
    let session = open(&executor, &room).await;
    session.start(run(COUNT)).await.unwrap();
    for _ in 0..3 {
        lines(&room, 20).await;
        assert!(proxy.cut().await > 0, "nothing was connected");
    }
    lines(&room, 20).await;
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(5)));
    counted(&room.out());
    assert_eq!(gaps(&room), []);
    done(&engine, "cut", &executor, &[&*session]).await;
}

#[tokio::test]
async fn an_engine_that_died_and_kept_the_container_leaves_a_gap_and_the_right_end() {
    let Some(engine) = own_engine_with("kept", "--live-restore") else {
        return;
    };
    let (executor, room) = (engine.attached("kept"), room());
    let session = open(&executor, &room).await;
    session.start(run(COUNT)).await.unwrap();
    lines(&room, 20).await;
    engine.verb("kill");
    assert!(
        matches!(executor.ready().await, Err(ExecError::EngineGone(_))),
        "the fault did not fire"
    );
    engine.verb("daemon");
    while gaps(&room).is_empty() {
        tokio::task::yield_now().await;
    }
    lines(&room, 20).await;
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(5)));
    let [(at, GapReason::Detached)] = gaps(&room)[..] else {
        panic!("{:?}", gaps(&room))
    };
    // A line may be broken by the gap; what is whole came once.
    let out = room.out();
    let (before, after) = out.split_at(at as usize);
    let before = before.rsplit_once('\n').unwrap().0.lines();
    let numbers: Vec<u32> = before
        .chain(after.lines().skip(1))
        .filter_map(|l| l.parse().ok())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "something came twice: {out}");
    assert!(out.ends_with("\nend\n"), "{out}");
    done(&engine, "kept", &executor, &[&*session]).await;
}

#[tokio::test]
async fn what_never_began_may_begin_and_what_is_gone_never_does() {
    let Some(engine) = engine() else { return };
    let proxy = Proxy::before(&engine.host).await;
    let (first, room) = (remote(&engine, &proxy, "begin"), room());
    let session = open(&first, &room).await;
    let (made, removed) = (run("echo x"), run("echo y"));
    let labels = HashMap::from([
        ("caracal.server".to_owned(), owner("begin").server),
        ("caracal.agent".to_owned(), "1".to_owned()),
        ("caracal.attempt".to_owned(), room.spec.attempt.to_string()),
        ("caracal.step".to_owned(), made.id.to_string()),
    ]);
    let body = ContainerCreateBody {
        image: Some(IMAGE.into()),
        cmd: Some(vec!["true".into()]),
        labels: Some(labels),
        ..ContainerCreateBody::default()
    };
    engine.api().await.create_container(None, body).await.unwrap();
    let handle = killed(&proxy, session, first).await;

    let again = remote(&engine, &proxy, "begin");
    again.sweep(std::slice::from_ref(&handle)).await.unwrap();
    let session = again.recover(&handle, room.spec.clone(), 0).await.unwrap().unwrap();
    assert_eq!(session.resume(made.clone(), 0).await, Ok(false));
    assert_eq!(ends(&*session, made).await, Exit::Exited(0));
    let Err(ExecError::EngineGone(said)) = session.resume(removed, 0).await else {
        panic!("it might run twice")
    };
    assert!(said.contains("was gone"), "{said}");
    done(&engine, "begin", &again, &[&*session]).await;
}
