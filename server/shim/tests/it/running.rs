//! Steps one after the other, and an agent that comes and goes.

use crate::room::Room;
use shim::frame::Kind;
use shim::wire::{Exit, Fence, FromShim, Stage, ToShim};

#[test]
fn steps_run_one_after_the_other_with_streams_and_times_apart() {
    let mut room = Room::new();
    for n in 1..=3 {
        let step = room.run(&format!("echo out{n}; echo err{n} >&2; exit {n}"));
        let end = room.end(step);
        assert_eq!((end.exit, end.by, end.dropped), (Exit::Exited(n), None, 0));
        assert_eq!(room.text(step, Kind::Out), format!("out{n}\n"));
        assert_eq!(room.text(step, Kind::Err), format!("err{n}\n"));
    }
    let kinds: Vec<_> = room.frames.iter().map(|(h, _)| h.kind).collect();
    assert_eq!(kinds[0], Kind::Start);
    assert!(room.frames.windows(2).all(|w| w[0].0.at <= w[1].0.at), "times rise");
}

#[test]
fn a_step_gets_its_own_environment_folder_and_search_path() {
    let mut room = Room::new();
    let tools = room.dir.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink("/bin/sh", tools.join("mytool")).unwrap();
    let path = tools.display().to_string();
    let step = room.give("echo \"$GREETING $PWD ${HOME-none} $0\"", |job| {
        job.argv[0] = "mytool".into();
        job.env = [("GREETING", "hello"), ("PATH", &path)]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
    });
    assert_eq!(room.end(step).exit, Exit::Exited(0));
    let folder = room.dir.path().canonicalize().unwrap();
    assert_eq!(
        room.text(step, Kind::Out),
        format!("hello {} none mytool\n", folder.display())
    );
    let inherited = room.give("echo $CARGO_PKG_NAME", |job| job.inherit = true);
    room.end(inherited);
    assert_eq!(room.text(inherited, Kind::Out), "shim\n");
}

#[test]
fn what_cannot_start_says_at_what_and_the_next_step_runs() {
    let mut room = Room::new();
    for (program, dir, at, errno) in [
        ("no-such-program", "/", Stage::Program, 2),
        ("/etc/passwd", "/", Stage::Program, 13),
        ("/bin/sh", "/no/such/folder", Stage::Folder, 2),
    ] {
        let step = room.give("", |job| {
            job.argv[0] = program.into();
            job.dir = dir.into();
        });
        let Exit::NotStarted {
            at: found,
            errno: number,
            ..
        } = room.end(step).exit
        else {
            panic!("it started")
        };
        assert_eq!((found, number), (at, errno), "{program}");
        assert!(!room.frames.iter().any(|(h, _)| (h.step, h.kind) == (step, Kind::Start)));
    }
    let step = room.run("exit 0");
    assert_eq!(room.end(step).exit, Exit::Exited(0));
}

#[test]
fn an_agent_that_was_killed_finds_everything_and_goes_on() {
    let mut room = Room::new();
    let step =
        room.run("n=0; while [ $n -lt 300 ]; do echo line $n; n=$((n+1)); [ $n = 20 ] && touch go; done; echo end");
    room.until(|h, b| h.kind == Kind::Out && b.starts_with(b"line 0"));
    room.leave();
    let (token, standing) = room.meet();
    assert_eq!((token.as_deref(), standing.step), (Some("secret"), step));
    let read = room.read;
    room.say(&ToShim::Welcome {
        token: "secret".into(),
        bound: 8 << 20,
        read,
    });
    assert_eq!(room.end(step).exit, Exit::Exited(0));
    let expected: String = (0..300)
        .map(|n| format!("line {n}\n"))
        .chain(["end\n".into()])
        .collect();
    assert_eq!(room.text(step, Kind::Out), expected);
}

#[test]
fn orders_that_were_sent_before_the_agent_died_are_obeyed_before_the_next_hello() {
    let mut room = Room::new();
    let step = room.run("echo it ran");
    room.leave();
    let (_, standing) = room.meet();
    assert_eq!(standing.step, step, "the hello knows of the job");
    assert_eq!(room.end(step).exit, Exit::Exited(0));
}

#[test]
fn a_flood_stops_at_the_bound_until_it_is_read() {
    let mut room = Room::with(None, 1 << 20);
    let step = room.run("head -c 5000000 /dev/zero | tr '\\0' x; echo");
    loop {
        match room.hear() {
            FromShim::Standing(s) if s.blocked => {
                let unread = s.written - room.read;
                assert!((1 << 20..2 << 20).contains(&unread), "{unread}");
                room.until(|_, _| true);
                let read = room.read;
                room.say(&ToShim::Read(read));
            }
            FromShim::Standing(_) => {}
            other => panic!("{other:?}"),
        }
        if room.frames.iter().map(|(h, _)| h.len).sum::<usize>() > 4_000_000 {
            break;
        }
    }
    let end = room.end(step);
    assert_eq!((end.exit, end.dropped), (Exit::Exited(0), 0));
    assert_eq!(room.text(step, Kind::Out).len(), 5_000_001);
}

#[test]
fn a_fenced_step_sees_what_it_may_and_no_more() {
    let mut room = Room::new();
    let work = room.dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let secret = room.dir.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let step = room.give(
        &format!(
            "echo mine > file; cat file; cat {} 2>/dev/null || echo no",
            secret.display()
        ),
        |job| {
            job.dir = work.clone();
            job.fence = Some(Fence {
                writable: vec![work.clone()],
                readable: Vec::new(),
            });
        },
    );
    assert_eq!(room.end(step).exit, Exit::Exited(0));
    assert_eq!(room.text(step, Kind::Out), "mine\nno\n");
}
