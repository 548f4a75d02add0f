//! What a step is given, what comes back of it, and how it is ended.

use super::*;

#[tokio::test]
async fn a_script_runs_in_the_workspace_and_its_end_is_told() {
    let Some(engine) = engine() else { return };
    for (name, executor) in engine.both("script") {
        let room = room();
        let session = open(&executor, &room).await;
        let script = "pwd; echo \"$GREETING $CI $CARACAL_WORKSPACE $HOME\"; echo oops >&2; echo x > made; exit 3";
        assert_eq!(ends(&*session, run(script)).await, Exit::Exited(3));
        assert_eq!(room.out(), "/workspace\na b'\"$c true /workspace /root\n");
        assert_eq!(room.err(), "oops\n");
        assert_eq!(fs::read_to_string(room.file("made")).unwrap(), "x\n");
        let beside: Vec<_> = fs::read_dir(room.dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(beside.len(), 2, "workspace and spool: {beside:?}");
        assert_eq!(
            session.wait().await,
            Ok(Exit::Exited(3)),
            "the end can be asked for again"
        );
        assert_eq!(ends(&*session, argv(&["cat", "made"])).await, Exit::Exited(0));
        assert_eq!(ends(&*session, run("false; echo not reached")).await, Exit::Exited(1));
        assert!(room.out().ends_with("x\n"), "{}", room.out());
        assert_eq!(
            ends(&*session, run("test ! -t 0; ! read -r line; wc -c < /dev/stdin")).await,
            Exit::Exited(0)
        );
        session.signal(Signal::Kill).await;
        done(&engine, &name, &executor, &[&*session, &*session]).await;
    }
}

#[tokio::test]
async fn bytes_arrive_as_they_were_written() {
    let Some(engine) = engine() else { return };
    for (name, executor) in engine.both("bytes") {
        let room = room();
        let bytes = noise(20_000_000);
        fs::write(room.file("noise"), &bytes).unwrap();
        let session = open(&executor, &room).await;
        let script = "cat noise & head -c 1000000 noise >&2; wait; printf 'no newline'";
        assert_eq!(ends(&*session, run(script)).await, Exit::Exited(0));
        let out = room.output(Stream::Stdout);
        assert!(
            out == [&bytes[..], b"no newline"].concat(),
            "{} bytes differ",
            out.len()
        );
        assert!(room.output(Stream::Stderr) == bytes[..1_000_000]);
        done(&engine, &name, &executor, &[&*session]).await;
    }
}

#[tokio::test]
async fn term_asks_kill_ends_and_nothing_outlives_a_step() {
    let Some(engine) = engine() else { return };
    for (name, executor) in engine.both("signals") {
        let room = room();
        // An attached engine tells of a signal as shells do.
        let signalled = |n| {
            if name == "signals" {
                Exit::Signalled(n)
            } else {
                Exit::Exited(128 + n)
            }
        };
        let session = open(&executor, &room).await;
        session.signal(Signal::Kill).await;
        session.start(run("echo up > one; sleep 1000")).await.unwrap();
        room.until(&*session, "one").await;
        session.signal(Signal::Term).await;
        assert_eq!(session.wait().await, Ok(signalled(15)));
        session
            .start(run(
                "trap 'echo asked; exit 7' TERM; echo up > two; while :; do sleep 0.01; done",
            ))
            .await
            .unwrap();
        room.until(&*session, "two").await;
        session.signal(Signal::Term).await;
        assert_eq!(session.wait().await, Ok(Exit::Exited(7)));
        let deaf = "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do date > alive; sleep 0.01; done' &) ; \
                echo up > three; while :; do sleep 9; done";
        session.start(run(deaf)).await.unwrap();
        room.until(&*session, "three").await;
        session.signal(Signal::Term).await;
        session.signal(Signal::Kill).await;
        assert_eq!(session.wait().await, Ok(signalled(9)));
        // A step that ends while its daemons go on: they end with it, and their hold on the pipes does not delay the end.
        let careless = "(setsid sh -c 'trap \"\" TERM; while :; do sleep 9; done' &); sleep 1000 & exit 0";
        assert_eq!(ends(&*session, run(careless)).await, Exit::Exited(0));
        // Closing ends what runs.
        session
            .start(run("trap '' TERM; echo up > four; while :; do sleep 9; done"))
            .await
            .unwrap();
        room.until(&*session, "four").await;
        session.close().await;
        assert_eq!(session.wait().await, Ok(signalled(9)));
        assert!(
            session.start(run("true")).await.is_err(),
            "a closed session starts nothing"
        );
        done(&engine, &name, &executor, &[&*session]).await;
        assert_eq!(room.out(), "asked\n");
    }
}

#[tokio::test]
async fn what_cannot_start_is_said_in_one_sentence_and_is_no_output() {
    let Some(engine) = engine() else { return };
    for (name, executor) in engine.both("start") {
        let mut room = room();
        fs::write(room.file("text"), "not a program").unwrap();
        let session = open(&executor, &room).await;
        for (step, said) in [
            (
                argv(&["no-such-command"]),
                "There is no command no-such-command in the image caracal-test:latest.",
            ),
            (
                argv(&["./text"]),
                "./text in the image caracal-test:latest is not executable.",
            ),
        ] {
            assert_eq!(fails(&*session, step).await, said);
        }
        assert_eq!(refused(session.start(argv(&[])).await), "The step's command is empty.");
        assert_eq!(ends(&*session, run("no-such-command")).await, Exit::Exited(127));
        assert_eq!(room.err(), "/bin/sh: no-such-command: not found\n");
        assert_eq!(room.out(), "");

        let api = engine.api().await;
        let empty = query::CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo("caracal-empty")
            .tag("latest")
            .build();
        let tar = bollard::body_full(vec![0; 1024].into());
        api.create_image(Some(empty), Some(tar), None)
            .for_each(|made| async { drop(made.unwrap()) })
            .await;
        room.spec.image = Some("caracal-empty".into());
        let bare = open(&executor, &room).await;
        let said = fails(&*bare, run("true")).await;
        assert!(said.starts_with("The image caracal-empty has no /bin/sh"), "{said}");
        done(&engine, &name, &executor, &[&*session, &*bare]).await;
    }
}

/// Why a step could not be started: below a shim at once, from an attached engine at its end.
async fn fails(session: &dyn Session, step: StepCommand) -> String {
    match session.start(step).await {
        Err(ExecError::Refused(why)) => why,
        Err(e) => panic!("{e}"),
        Ok(()) => match session.wait().await {
            Ok(Exit::Failed(why)) => why,
            other => panic!("it ran: {other:?}"),
        },
    }
}

#[tokio::test]
async fn what_a_step_is_to_keep_lives_until_the_job_ends_and_nothing_else_does() {
    let Some(engine) = engine() else { return };
    let (executor, room) = (engine.executor("keep"), room());
    let session = open(&executor, &room).await;
    let serve = |name: &str| format!("(while :; do echo x; echo x >> {name}; sleep 0.01; done) & ");
    let keep = StepCommand {
        keep: true,
        ..run(&serve("kept"))
    };
    assert_eq!(ends(&*session, keep).await, Exit::Exited(0));
    assert_eq!(ends(&*session, run(&serve("swept"))).await, Exit::Exited(0));
    let grows = "now() { if [ -e $1 ]; then wc -l < $1; else echo 0; fi; }; k=$(now kept); s=$(now swept); \
                 until [ $(now kept) -gt $((k + 3)) ]; do sleep 0.01; done; [ $(now swept) = $s ]";
    assert_eq!(ends(&*session, run(grows)).await, Exit::Exited(0), "{}", room.err());
    done(&engine, "keep", &executor, &[&*session]).await;

    let attached = engine.attached("keep-attached");
    let session = open(&attached, &room).await;
    let keep = StepCommand {
        keep: true,
        ..run("true")
    };
    assert!(refused(session.start(keep).await).contains("keep: true"));
    done(&engine, "keep-attached", &attached, &[&*session]).await;
}
