//! The many ways in which steps end.

use crate::room::Room;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use shim::frame::Kind;
use shim::wire::{By, Exit, FromShim, ToShim};
use std::path::Path;
use std::time::Duration;

fn pid(text: &str) -> Pid {
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

#[test]
fn term_lets_a_step_say_its_last_words_and_kill_does_not() {
    let mut room = Room::new();
    let step = room.run("trap 'echo last; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    room.until(|h, b| h.kind == Kind::Out && b == b"ready\n");
    room.say(&ToShim::Term);
    let end = room.end(step);
    assert_eq!((end.exit, end.by), (Exit::Exited(7), Some(By::Agent)));
    assert_eq!(room.text(step, Kind::Out), "ready\nlast\n");
    let step = room.run("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    room.until(|h, b| h.kind == Kind::Out && h.step == step && b == b"ready\n");
    room.say(&ToShim::Term);
    room.say(&ToShim::Kill);
    let end = room.end(step);
    assert_eq!((end.exit, end.by), (Exit::Signalled(9), Some(By::Agent)));
}

#[test]
fn a_deadline_and_a_lease_end_a_step_without_an_agent() {
    let mut room = Room::new();
    let at = room.after(50);
    let step = room.give("trap '' TERM; while :; do sleep 0.01; done", |job| {
        job.deadline = Some(at)
    });
    room.leave();
    let end = room.end(step);
    assert_eq!((end.exit, end.by), (Exit::Signalled(9), Some(By::Time)));
    room.meet();
    let at = room.after(50);
    let step = room.run("while :; do sleep 0.01; done");
    room.say(&ToShim::Lease(at));
    room.leave();
    let end = room.end(step);
    assert_eq!((end.exit, end.by), (Exit::Signalled(15), Some(By::Lease)));
}

#[test]
fn a_shim_that_is_stopped_ends_its_step_tells_why_and_goes() {
    let mut room = Room::new();
    let step = room.run("echo ready; while :; do sleep 0.01; done");
    room.until(|h, b| h.kind == Kind::Out && b == b"ready\n");
    kill_process(Pid::from_child(&room.child), Signal::TERM).unwrap();
    assert_eq!(room.end(step).by, Some(By::Outside));
    assert!(room.child.wait().unwrap().success());
}

#[test]
fn nothing_a_step_began_outlives_it_but_what_it_may_keep() {
    let mut room = Room::new();
    let daemon = "setsid sh -c 'trap \"\" TERM HUP; (setsid sleep 600 & echo $! > grandchild); echo $$ > child; sleep 600' & while ! [ -s child ] || ! [ -s grandchild ]; do sleep 0.01; done";
    let step = room.run(daemon);
    assert_eq!(room.end(step).exit, Exit::Exited(0));
    for name in ["child", "grandchild"] {
        let text = std::fs::read_to_string(room.dir.path().join(name)).unwrap();
        assert!(test_kill_process(pid(&text)).is_err(), "the {name} lives");
    }
    let step = room.give("sleep 600 & echo $!", |job| job.keep = true);
    room.end(step);
    let kept = pid(&room.text(step, Kind::Out));
    assert!(test_kill_process(kept).is_ok(), "what may be kept is gone");
    // Steps that keep nothing leave it alone, and what it writes into its step's pipe does not end it.
    let step = room.give(
        "(until [ -e go ]; do sleep 0.01; done; echo more; echo > said; sleep 600) & echo $!",
        |job| {
            job.keep = true;
        },
    );
    room.end(step);
    let writer = pid(&room.text(step, Kind::Out));
    let step = room.run("sleep 600 & echo $! > other; echo > go; until [ -e said ]; do sleep 0.01; done; echo next");
    assert_eq!(room.end(step).exit, Exit::Exited(0));
    assert_eq!(room.text(step, Kind::Out), "next\n");
    let other = std::fs::read_to_string(room.dir.path().join("other")).unwrap();
    assert!(
        test_kill_process(pid(&other)).is_err(),
        "a step that keeps nothing left something"
    );
    for kept in [kept, writer] {
        assert!(test_kill_process(kept).is_ok(), "what is kept ended with another step");
    }
    room.say(&ToShim::Bye);
    assert!(room.child.wait().unwrap().success());
    for kept in [kept, writer] {
        assert!(test_kill_process(kept).is_err(), "it outlived the shim");
    }
}

#[test]
fn a_step_that_is_killed_while_nobody_reads_is_recorded_all_the_same() {
    let mut room = Room::with(None, 64 << 10);
    let step = room.run("yes");
    loop {
        if let FromShim::Standing(s) = room.hear()
            && s.blocked
        {
            break;
        }
    }
    room.say(&ToShim::Kill);
    let end = room.end(step);
    assert_eq!((end.exit, end.dropped), (Exit::Signalled(9), 0));
    assert!(room.text(step, Kind::Out).starts_with("y\ny\n"));
}

#[test]
fn a_full_disk_holds_the_step_back_and_an_abort_is_recorded_beside_it() {
    let mut room = Room::with(Some(Path::new("/dev/full")), 8 << 20);
    let step = room.run("echo words; echo > wrote; exec sleep 1000");
    let wrote = room.dir.path().join("wrote");
    let stalled = loop {
        if let FromShim::Standing(s) = room.hear()
            && s.stalled.is_some()
        {
            break s;
        }
    };
    assert_eq!((stalled.stalled, stalled.written), (Some(28), 0), "ENOSPC");
    while !wrote.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    room.say(&ToShim::Kill);
    let told = loop {
        if let FromShim::Ended(end) = room.hear() {
            break end;
        }
    };
    assert_eq!(
        (told.step, &told.exit, told.by),
        (step, &Exit::Signalled(9), Some(By::Agent))
    );
    assert_eq!(told.dropped, 6, "what it wrote, and nothing else");
    let record = std::fs::File::open(room.dir.path().join("record")).unwrap();
    assert_eq!(shim::record::read(&record), Some(told));
}

#[test]
fn a_free_shim_goes_when_no_agent_comes_back() {
    let mut room = Room::new();
    room.leave();
    room.meet();
    drop(std::fs::remove_file(room.dir.path().join(shim::SOCKET)));
    room.leave();
    assert!(room.child.wait().unwrap().success());
}

#[test]
fn a_shim_between_two_steps_waits_for_its_agent_until_the_lease_ends() {
    let mut room = Room::new();
    let lease = room.after(9_000);
    let first = room.give("echo one", |job| job.lease = Some(lease));
    assert_eq!(room.end(first).exit, Exit::Exited(0));
    room.away();
    // Longer than one waits that has served nobody.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(
        room.child.try_wait().unwrap(),
        None,
        "the next step has nobody to run it"
    );
    room.back();
    let (token, standing) = room.meet();
    assert_eq!((token.as_deref(), standing.step), (Some("secret"), first));
    room.away();
    assert!(room.child.wait().unwrap().success(), "the lease ended it");
}
