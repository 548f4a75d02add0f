//! What a step is given and what comes back of it.

use super::*;

#[tokio::test]
async fn a_script_runs_in_the_workspace_and_its_end_is_told() {
    let room = Room::new(1);
    let executor = executor(&room, None);
    let session = executor.open(room.spec.clone(), &Said::default()).await.unwrap();
    let script = "echo x > $TMPDIR/x; pwd; echo \"$GREETING\"; echo oops >&2; echo x > made; exit 3";
    assert_eq!(ends(&*session, run(script)).await, Exit::Exited(3));
    assert_eq!(room.out(), format!("{}\na b'\"$c\n", room.spec.workspace.display()));
    assert_eq!(room.err(), "oops\n");
    assert_eq!(
        session.wait().await,
        Ok(Exit::Exited(3)),
        "the end can be asked for again"
    );
    assert_eq!(
        ends(&*session, run("cat made; kill -USR1 $$")).await,
        Exit::Signalled(10)
    );
    assert_eq!(ends(&*session, run("false; echo not reached")).await, Exit::Exited(1));
    assert!(room.out().ends_with("x\n"));
    session.close().await;
    session.close().await;
    executor.retire().await;
    let left: Vec<_> = fs::read_dir(room.dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(
        left.len(),
        3,
        "workspace, spool and shims; the scratch folder was used and is gone: {left:?}"
    );
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_nothing_of_the_agent() {
    let room = Room::new(2);
    let session = open(&room).await;
    assert_eq!(ends(&*session, argv(&["env"])).await, Exit::Exited(0));
    let out = room.out();
    let mut names: Vec<_> = out.lines().map(|l| l.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["CARACAL_WORKSPACE", "CI", "GREETING", "HOME", "PATH", "TMPDIR"]);
    let quiet = "test ! -t 0 && ! read -r line && cd \"$HOME\" && echo x > \"$TMPDIR/y\" && ls -A \"$TMPDIR\"";
    assert_eq!(ends(&*session, run(quiet)).await, Exit::Exited(0));
    assert!(room.out().ends_with("\ny\n"));
    session.close().await;
}

#[tokio::test]
async fn bytes_arrive_as_they_were_written() {
    let room = Room::new(3);
    let bytes = noise(20_000_000);
    fs::write(room.file("noise"), &bytes).unwrap();
    let session = open(&room).await;
    let script = "cat noise & head -c 1000000 noise >&2; wait; printf 'no newline'";
    assert_eq!(ends(&*session, run(script)).await, Exit::Exited(0));
    session.close().await;
    let out = room.output(Stream::Stdout);
    assert!(
        out == [&bytes[..], b"no newline"].concat(),
        "{} bytes differ",
        out.len()
    );
    assert!(room.output(Stream::Stderr) == bytes[..1_000_000]);
}

#[tokio::test]
async fn what_cannot_start_is_said_in_one_sentence() {
    let room = Room::new(8);
    fs::write(room.file("text"), "not a program").unwrap();
    fs::write(room.file("garbage"), noise(64)).unwrap();
    fs::set_permissions(
        room.file("garbage"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let session = open(&room).await;
    for (list, said) in [
        (
            argv(&["no-such-command"]),
            "There is no command no-such-command on this agent.",
        ),
        (argv(&["./text"]), "./text cannot be executed: it is no program"),
        (
            argv(&["./garbage"]),
            "./garbage cannot be executed: it is not in a format",
        ),
        (argv(&[]), "The step's command is empty."),
    ] {
        let Err(ExecError::Refused(why)) = session.start(list).await else {
            panic!("not refused: {said}")
        };
        assert!(why.starts_with(said), "{why}");
    }
    assert_eq!(ends(&*session, run("echo the session goes on")).await, Exit::Exited(0));
    assert_eq!(room.out(), "the session goes on\n");
    session.close().await;
}

#[tokio::test]
async fn a_long_script_runs_like_a_short_one() {
    let room = Room::new(9);
    let session = open(&room).await;
    let script = format!("# {}\nx='é'; echo \"$x$1$#\"\nexit 4", "é".repeat(150_000));
    assert_eq!(ends(&*session, run(&script)).await, Exit::Exited(4));
    assert!(room.out().starts_with('é'));
    session.close().await;
}

#[tokio::test]
async fn names_no_environment_can_carry_are_refused() {
    let room = Room::new(12);
    let session = open(&room).await;
    for (name, value) in [("A=B", "x"), ("", "x"), ("A", "x\0y")] {
        let mut step: StepCommand = run("true");
        step.env.insert(name.into(), value.into());
        assert!(
            matches!(session.start(step).await, Err(ExecError::Refused(_))),
            "{name:?}"
        );
    }
    session.close().await;
}
