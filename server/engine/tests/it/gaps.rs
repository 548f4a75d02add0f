//! Output that is not whole: told by its agent, lost by this server, or other than its agent says; seen where people look.

use crate::support::{Database, FakeAgent, World, on_both};
use domain::console::view::Line;
use domain::status::TaskStatus;
use domain::task::AttemptView;
use domain::{StepId, Timestamp};
use protocol::{Assignment, AttemptEvent, Exit, FromAgent, Gap, GapReason, Have, HaveState, StepEnd, ToAgent};

on_both!(
    a_gap_that_an_agent_tells_of_is_shown_in_its_place_and_counted,
    what_this_server_lost_and_the_agent_forgot_is_a_gap_and_the_step_goes_on,
    a_gap_in_set_up_is_none_of_a_download_of_the_steps,
    bytes_that_differ_are_marked_as_such,
    steps_are_finalizing_until_their_output_is_here,
);

const ONE: &str = "name: one\nsteps:\n  - run: true\n";

async fn started(w: &World, agent: &mut FakeAgent) -> (Assignment, StepId) {
    let plan = w.plan(ONE).await;
    w.run(plan).await;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    agent.step(&a, 0, Exit::Exited(0)).await;
    let step = a.steps[1].id;
    let at = Timestamp(1);
    agent
        .report(a.fence, AttemptEvent::StepStarted { step, from: 0, at })
        .await;
    (a, step)
}

fn ended(step: StepId, until: u64) -> AttemptEvent {
    let (exit, at) = (Exit::Exited(0), Timestamp(2));
    AttemptEvent::StepEnded(StepEnd { step, exit, until, at })
}

fn over(length: u64, bytes: &[u8]) -> AttemptEvent {
    AttemptEvent::Ended {
        aborted: false,
        error: None,
        length,
        digest: format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes)),
        at: Timestamp(3),
    }
}

async fn texts(w: &World, step: StepId) -> Vec<String> {
    let lines = w.engine.ports.console.lines(&w.ana, step, 1, 100).await.unwrap();
    let words = |l: Line| match l {
        Line::Text { runs, .. } => runs.into_iter().map(|r| r.text).collect(),
        Line::Gap { gap, reason } => format!("{gap:?}: {reason}"),
    };
    lines.items.into_iter().map(words).collect()
}

async fn attempt(w: &World, a: &Assignment) -> AttemptView {
    w.engine.ports.tasks.attempts(&w.ana, a.job).await.unwrap().remove(0)
}

async fn a_gap_that_an_agent_tells_of_is_shown_in_its_place_and_counted(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let (a, step) = started(&w, &mut agent).await;
    agent.write(a.fence, b"one\n");
    let gap = Gap {
        k: 1,
        at: 4,
        size: Some(4_096),
        reason: GapReason::AgentDisk,
    };
    agent.report(a.fence, AttemptEvent::Gap(gap)).await;
    agent.write(a.fence, b"two\n");
    // Told again under another number of the report, as after a restart of the agent: it is the same gap.
    agent.report(a.fence, AttemptEvent::Gap(gap)).await;
    agent.report(a.fence, ended(step, 8)).await;
    let sentence = "Some(4096): The agent's disk failed or was full; what is before and after is complete.";
    assert_eq!(texts(&w, step).await, ["one", sentence, "two"]);
    let now = attempt(&w, &a).await;
    assert_eq!((now.gaps, now.gap_bytes, now.console_digest), (1, 4_096, None));
    let slice = w.engine.ports.console.step_bytes(&w.ana, step, None).await.unwrap();
    assert_eq!((slice.total, slice.gaps.count, slice.gaps.bytes), (8, 1, 4_096));
    // The digest is that of the bytes that are there.
    agent.report(a.fence, over(8, b"one\ntwo\n")).await;
    w.until(a.task, TaskStatus::Passed).await;
    let now = attempt(&w, &a).await;
    assert_eq!((now.gaps, now.gap_bytes, now.console_bytes), (1, 4_096, 8));
    assert!(now.console_digest.is_some());
    let whole = w.engine.ports.console.task(&w.ana, a.task, false, false).await.unwrap();
    assert_eq!((whole.gaps.count, whole.gaps.bytes, whole.gaps.unknown), (1, 4_096, 0));
}

async fn what_this_server_lost_and_the_agent_forgot_is_a_gap_and_the_step_goes_on(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let (a, step) = started(&w, &mut agent).await;
    agent.write(a.fence, b"one\ntwo\nthree\n");
    let durable = |m: &ToAgent| matches!(m, ToAgent::Durable { offset: 14, .. }).then_some(());
    agent.hear_that(durable).await;
    agent.cut().await;
    // The disk of the server lost the end of the file while it was away.
    let path = format!("console/{}/{}.out", a.fence.attempt.0 / 1000, a.fence.attempt);
    let file = std::fs::File::options()
        .write(true)
        .open(w.dir.path().join(path))
        .unwrap();
    file.set_len(6).unwrap();
    let w = w.restart().await;
    let (id, secret) = w.engine.builtin_agent().await.unwrap();
    let have = vec![Have {
        fence: a.fence,
        state: HaveState::Running,
        offset: 19,
    }];
    let mut agent = FakeAgent::connect(&w.engine, id, &secret, 1, &[], have).await;
    let rewound = |m: &ToAgent| match m {
        ToAgent::Rewind { fence, offset } if *fence == a.fence => Some(*offset),
        _ => None,
    };
    assert_eq!(agent.hear_that(rewound).await, 6);
    let gone = |from, to| FromAgent::Gone {
        fence: a.fence,
        from,
        to,
    };
    agent.say(&gone(6, 14));
    assert_eq!(agent.hear_that(rewound).await, 14);
    // Said late once more, and nonsense: nothing changes.
    for (from, to) in [(6, 14), (14, 3), (14, u64::MAX), (0, 99)] {
        agent.say(&gone(from, to));
    }
    agent.write_at(a.fence, 14, b"four\n");
    agent.tell(
        a.fence,
        AttemptEvent::Preparing {
            executor: domain::status::ExecutorKind::Process,
        },
    );
    agent.report(a.fence, ended(step, 19)).await;
    agent.report(a.fence, over(19, b"one\ntwo\nthree\nfour\n")).await;
    w.until(a.task, TaskStatus::Passed).await;
    let sentence = "Some(8): The server had stored them and has lost them; what is before and after is complete.";
    assert_eq!(texts(&w, step).await, ["one", "twfour", sentence]);
    let now = attempt(&w, &a).await;
    assert_eq!(
        (now.gaps, now.gap_bytes, now.console_bytes, now.console_digest),
        (1, 8, 11, None)
    );
}

async fn a_gap_in_set_up_is_none_of_a_download_of_the_steps(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let plan = w.plan(ONE).await;
    w.run(plan).await;
    let a = agent.assignment().await;
    agent.prepare(&a).await;
    let (mut at, mut bytes) = (0, Vec::new());
    for (k, step, text, size) in [(1, a.steps[0].id, "clone\n", 7), (2, a.steps[1].id, "one\n", 5)] {
        let begun = AttemptEvent::StepStarted {
            step,
            from: at,
            at: Timestamp(1),
        };
        agent.report(a.fence, begun).await;
        agent.write(a.fence, text.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        let gap = Gap {
            k,
            at: at + 2,
            size: Some(size),
            reason: GapReason::AgentDisk,
        };
        agent.report(a.fence, AttemptEvent::Gap(gap)).await;
        at += text.len() as u64;
        agent.report(a.fence, ended(step, at)).await;
    }
    agent.report(a.fence, over(at, &bytes)).await;
    w.until(a.task, TaskStatus::Passed).await;
    for (setup, want) in [(false, (1, 5)), (true, (2, 12))] {
        let whole = w.engine.ports.console.task(&w.ana, a.task, false, setup).await.unwrap();
        assert_eq!((whole.gaps.count, whole.gaps.bytes), want, "with set-up: {setup}");
    }
}

async fn bytes_that_differ_are_marked_as_such(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let (a, step) = started(&w, &mut agent).await;
    agent.write(a.fence, b"right\n");
    agent.report(a.fence, ended(step, 6)).await;
    agent.report(a.fence, over(6, b"wrong\n")).await;
    w.until(a.task, TaskStatus::Passed).await;
    let sentence = "None: The checksum is not the agent's: what is shown may not be what was written.";
    assert_eq!(texts(&w, step).await, ["right", sentence]);
    let now = attempt(&w, &a).await;
    assert_eq!((now.gaps, now.gap_bytes, now.console_digest), (1, 0, None));
    let w = w.restart().await;
    assert_eq!(texts(&w, step).await, ["right", sentence]);
}

async fn steps_are_finalizing_until_their_output_is_here(database: Database) {
    let w = World::on(database).await;
    let mut agent = w.agent(1, &[]).await;
    let (a, step) = started(&w, &mut agent).await;
    agent.report(a.fence, ended(step, 6)).await;
    let shown = async || w.task(a.task).await.jobs[0].steps[0].status.to_string();
    assert_eq!(shown().await, "finalizing");
    agent.write(a.fence, b"right\n");
    agent.report(a.fence, over(6, b"right\n")).await;
    assert_eq!(shown().await, "passed");
}
