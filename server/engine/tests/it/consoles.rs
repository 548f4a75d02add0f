//! Consoles behind their port: while steps run, after they ended, side by side, and only for those who may read.

use crate::support::{FakeAgent, World, viewer};
use domain::auth::Role;
use domain::console::view::Line;
use domain::ports::ByteStream;
use domain::status::TaskStatus;
use domain::{AttemptId, Error, StepId, Timestamp, UserId};
use futures::StreamExt;
use protocol::{Assignment, AttemptEvent, Exit, StepEnd};
use std::collections::HashMap;

const TWO: &str =
    "name: two\njobs:\n  a: { steps: [{ name: one, run: x }, { name: two, run: x }] }\n  b: { steps: [{ run: x }] }\n";

/// An agent that also keeps how much of each attempt it has written.
struct Writer {
    agent: FakeAgent,
    at: HashMap<AttemptId, u64>,
}

impl Writer {
    async fn of(w: &World, slots: u32) -> Self {
        Self {
            agent: w.agent(slots, &[]).await,
            at: HashMap::new(),
        }
    }
    async fn start(&mut self, a: &Assignment, index: usize) {
        let from = self.at.get(&a.fence.attempt).copied().unwrap_or(0);
        let step = a.steps[index].id;
        self.agent
            .report(
                a.fence,
                AttemptEvent::StepStarted {
                    step,
                    from,
                    at: Timestamp(1),
                },
            )
            .await;
    }
    fn write(&mut self, a: &Assignment, text: &str) {
        *self.at.entry(a.fence.attempt).or_default() += text.len() as u64;
        self.agent.write(a.fence, text.as_bytes());
    }
    async fn end(&mut self, a: &Assignment, index: usize) {
        let until = self.at.get(&a.fence.attempt).copied().unwrap_or(0);
        let end = StepEnd {
            step: a.steps[index].id,
            exit: Exit::Exited(0),
            until,
            at: Timestamp(2),
        };
        self.agent.report(a.fence, AttemptEvent::StepEnded(end)).await;
    }
}

async fn until(stream: &mut ByteStream, got: &mut Vec<u8>, end: &str) {
    while !got.ends_with(end.as_bytes()) {
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), stream.next()).await;
        let next = next.unwrap_or_else(|_| panic!("nothing comes after {:?}", String::from_utf8_lossy(got)));
        got.extend(next.expect("it goes on").unwrap());
    }
}

async fn all(mut stream: ByteStream) -> String {
    let mut got = Vec::new();
    while let Some(part) = stream.next().await {
        got.extend(part.unwrap());
    }
    String::from_utf8(got).unwrap()
}

#[tokio::test]
async fn a_task_is_followed_to_its_end_with_lines_of_parallel_jobs_whole() {
    let w = World::new().await;
    let console = w.engine.ports.console.clone();
    let mut agent = Writer::of(&w, 2).await;
    let task = w.run(w.plan(TWO).await).await;
    let mut jobs = [agent.agent.assignment().await, agent.agent.assignment().await];
    // Whichever was handed out first: the job of two steps is `a`.
    jobs.sort_by_key(|a| std::cmp::Reverse(a.steps.len()));
    let [a, b] = jobs;
    let mut live = console.task(&w.ana, task.id, true, false).await.unwrap().bytes;
    for job in [&a, &b] {
        agent.agent.prepare(job).await;
        agent.start(job, 0).await;
        agent.write(job, "set-up\n");
        agent.end(job, 0).await;
        agent.start(job, 1).await;
    }
    let mut got = Vec::new();
    agent.write(&a, "a1\na2 be");
    until(&mut live, &mut got, "a1\n").await;
    agent.write(&b, "b1\n");
    until(&mut live, &mut got, "b1\n").await;
    agent.write(&a, "gun\nno newline");
    until(&mut live, &mut got, "a2 begun\n").await;
    agent.end(&a, 1).await;
    until(&mut live, &mut got, "no newline").await;
    agent.start(&a, 2).await;
    agent.write(&a, "second\n");
    agent.end(&a, 2).await;
    until(&mut live, &mut got, "second\n").await;
    agent.write(&b, "last");
    agent.end(&b, 1).await;
    agent.agent.end(a.fence, false).await;
    agent.agent.end(b.fence, false).await;
    w.until(task.id, TaskStatus::Passed).await;
    got.extend(all(live).await.into_bytes());
    assert_eq!(
        String::from_utf8(got).unwrap(),
        "a1\nb1\na2 begun\nno newlinesecond\nlast"
    );
    // Afterwards: job by job, step by step, nothing between; set-up only when asked for.
    let read = async |follow, setup| all(console.task(&w.ana, task.id, follow, setup).await.unwrap().bytes).await;
    assert_eq!(read(false, false).await, "a1\na2 begun\nno newlinesecond\nb1\nlast");
    assert_eq!(read(true, false).await, read(false, false).await);
    assert_eq!(
        read(false, true).await,
        "set-up\na1\na2 begun\nno newlinesecond\nset-up\nb1\nlast"
    );
}

#[tokio::test]
async fn steps_that_went_by_between_two_looks_are_followed_once() {
    let w = World::new().await;
    let console = w.engine.ports.console.clone();
    let mut agent = Writer::of(&w, 1).await;
    let task = w
        .run(w.plan("name: one\nsteps: [{ run: x }, { run: y }]\n").await)
        .await;
    let a = agent.agent.assignment().await;
    agent.agent.prepare(&a).await;
    agent.start(&a, 0).await;
    agent.end(&a, 0).await;
    agent.start(&a, 1).await;
    agent.write(&a, "x1\n");
    let mut live = console.task(&w.ana, task.id, true, false).await.unwrap().bytes;
    let mut got = Vec::new();
    until(&mut live, &mut got, "x1\n").await;
    // While nobody asks the stream for more, it still takes the first step for running.
    agent.write(&a, "x2\n");
    agent.end(&a, 1).await;
    agent.start(&a, 2).await;
    agent.write(&a, "y1\n");
    agent.end(&a, 2).await;
    agent.agent.end(a.fence, false).await;
    w.until(task.id, TaskStatus::Passed).await;
    got.extend(all(live).await.into_bytes());
    assert_eq!(String::from_utf8(got).unwrap(), "x1\nx2\ny1\n");
}

#[tokio::test]
async fn a_running_step_grows_and_its_neighbours_stay_out_of_it() {
    let w = World::new().await;
    let console = w.engine.ports.console.clone();
    let mut agent = Writer::of(&w, 1).await;
    let task = w
        .run(w.plan("name: one\nsteps: [{ run: x }, { run: y }]\n").await)
        .await;
    let a = agent.agent.assignment().await;
    let (first, second) = (a.steps[1].id, a.steps[2].id);
    agent.agent.prepare(&a).await;
    agent.start(&a, 0).await;
    agent.write(&a, "prepared\n");
    agent.end(&a, 0).await;
    assert_eq!(
        console.tail(&w.ana, first, 10).await.unwrap().lines.total,
        0,
        "not begun"
    );
    agent.start(&a, 1).await;
    agent.write(&a, "\x1b[31mred\nha");
    // Output travels beside reports: an acknowledged report behind it says that it has arrived.
    agent
        .agent
        .say(&protocol::FromAgent::Heartbeat { running: vec![a.fence] });
    agent
        .agent
        .hear_that(|m| matches!(m, protocol::ToAgent::Extend).then_some(()))
        .await;
    let tail = console.tail(&w.ana, first, 10).await.unwrap();
    assert_eq!(
        (tail.lines.total, tail.open, tail.pen.fg, tail.end),
        (2, true, Some(1), 9 + 9)
    );
    agent.write(&a, "lf\n");
    agent.end(&a, 1).await;
    agent.start(&a, 2).await;
    agent.write(&a, "other\n");
    agent.end(&a, 2).await;
    let lines = console.lines(&w.ana, first, 1, 10).await.unwrap();
    assert_eq!(lines.total, 2);
    let slice = console.step_bytes(&w.ana, second, Some(2..100)).await.unwrap();
    assert_eq!((slice.total, all(slice.bytes).await), (6, "her\n".to_owned()));
    let out = console.step_bytes(&w.ana, second, Some(6..7)).await;
    assert!(
        matches!(out.err(), Some(Error::Invalid { .. })),
        "a range behind the end"
    );
    for (from, limit) in [(0, 10), (1, 0), (1, 5_001)] {
        assert!(matches!(
            console.lines(&w.ana, first, from, limit).await,
            Err(Error::Invalid { .. })
        ));
    }
    agent.agent.end(a.fence, false).await;
    w.until(task.id, TaskStatus::Passed).await;
    let piece = console.read(&w.ana, a.fence.attempt, 9, 100).await.unwrap();
    assert_eq!(
        (piece.bytes.as_slice(), piece.total, piece.ended),
        (&b"\x1b[31mred\nhalf\nother\n"[..], 29, true)
    );
    // A file that was lost by hand: the console says how much is missing, and where.
    let file = w
        .dir
        .path()
        .join(format!("console/{}/{}.out", a.fence.attempt.0 / 1000, a.fence.attempt));
    let w = {
        std::fs::remove_file(&file).unwrap();
        let _ = std::fs::remove_file(file.with_extension("idx"));
        w.restart().await
    };
    let lines = w.engine.ports.console.lines(&w.ana, second, 1, 10).await.unwrap();
    assert!(matches!(lines.items[..], [Line::Gap { gap: Some(6), .. }]), "{lines:?}");
}

#[tokio::test]
async fn nobody_reads_what_they_may_not_even_know_of() {
    let w = World::new().await;
    let console = w.engine.ports.console.clone();
    let mut stranger = viewer(UserId(99), Role::Viewer);
    stranger.grants.clear();
    let task = w.run(w.plan(TWO).await).await;
    let (step, attempt) = (task.jobs[0].steps[0].id, task.jobs[0].attempt_id);
    let not_found = |e: Option<Error>| assert!(matches!(e, Some(Error::NotFound(_))), "{e:?}");
    not_found(console.lines(&stranger, step, 1, 1).await.err());
    not_found(console.tail(&stranger, step, 1).await.err());
    not_found(console.step_bytes(&stranger, step, None).await.err());
    not_found(console.task(&stranger, task.id, true, false).await.err());
    not_found(console.read(&stranger, attempt, 0, 1).await.err());
    not_found(console.lines(&w.ana, StepId(99_999), 1, 1).await.err());
    not_found(console.read(&w.ana, AttemptId(99_999), 0, 1).await.err());
    let reader = viewer(UserId(98), Role::Viewer);
    assert_eq!(console.lines(&reader, step, 1, 1).await.unwrap().total, 0);
}
