//! What an agent may say, when, and what it is believed.
//!
//! **Invariant:** what is refused or known changes nothing.

use super::*;

#[test]
fn what_comes_twice_changes_nothing() {
    let mut state = task(&[("test", &[], 0)]);
    assign(&mut state, 1).unwrap();
    let events = [
        AgentEvent::Preparing {
            executor: ExecutorKind::Process,
        },
        AgentEvent::CheckedOut,
        begin(101),
        end(101, OK),
        begin(102),
        end(102, Exit::Exited(7)),
        end(103, Exit::Skipped("unit failed.".into())),
        over(false),
    ];
    for (i, event) in events.iter().enumerate() {
        says(&mut state, 1, event.clone()).unwrap();
        for known in &events[..=i] {
            let before = state.clone();
            assert_eq!(
                says(&mut state, 1, known.clone()),
                Ok(vec![]),
                "{known:?} after {event:?}"
            );
            assert_eq!(state, before);
            assert!(changes(&before, &state).is_empty());
        }
    }
    assert_eq!(assign(&mut state, 1), Err(Refused::Ended));
}

#[test]
fn what_is_not_the_holders_or_not_in_order_is_refused() {
    let mut state = task(&[("test", &[], 0), ("docs", &[], 0)]);
    prepare(&mut state, 1);
    let from = |attempt, epoch, agent, event| Event::Agent {
        fence: Fence {
            attempt: AttemptId(attempt),
            epoch,
        },
        agent: AgentId(agent),
        event,
    };
    let far = AgentEvent::StepStarted {
        step: StepId(101),
        from: u64::MAX,
        at: T0,
    };
    let lease = |agent| Event::LeaseExtended {
        fence: fence(1),
        agent,
        lease_until: at(1),
    };
    let table = [
        (from(99, 1, 9, begin(101)), Refused::Stale),
        (from(10, 0, 9, begin(101)), Refused::Stale),
        (from(10, 1, 8, begin(101)), Refused::NotYours),
        (from(20, 0, 9, begin(201)), Refused::NotYours),
        (from(10, 1, 9, begin(201)), Refused::Unknown),
        (lease(AgentId(8)), Refused::NotYours),
        (
            Event::LeaseExpired {
                attempt: AttemptId(10),
                heard: None,
            },
            Refused::NotDue,
        ),
        (Event::DeadlinePassed { attempt: AttemptId(10) }, Refused::NotDue),
        (
            Event::LeaseExpired {
                attempt: AttemptId(20),
                heard: None,
            },
            Refused::NotDue,
        ),
        (
            Event::AgentForgot {
                attempt: AttemptId(10),
                epoch: 0,
            },
            Refused::Stale,
        ),
        (
            from(10, 1, 9, begin(102)),
            Refused::OutOfOrder("unit was reported before checkout ended.".into()),
        ),
        (
            from(10, 1, 9, end(101, OK)),
            Refused::OutOfOrder("A command cannot end before it began.".into()),
        ),
        (
            from(10, 1, 9, far),
            Refused::OutOfOrder("An offset of the output is beyond all measure.".into()),
        ),
        (
            from(
                10,
                1,
                9,
                AgentEvent::Preparing {
                    executor: ExecutorKind::Process,
                },
            ),
            Refused::OutOfOrder("It is already being run by another executor.".into()),
        ),
        (
            Event::SourceFailed { reason: "no".into() },
            Refused::OutOfOrder("The task already runs.".into()),
        ),
    ];
    for (event, refusal) in table {
        let before = state.clone();
        assert_eq!(step(&mut state, event.clone(), at(5_000)), Err(refusal), "{event:?}");
        assert_eq!(state, before, "{event:?}");
    }
}

#[test]
fn an_agents_clock_is_believed_only_where_it_can_be_true() {
    for (start, end, believed) in [
        (at(1_000), at(2_000), (at(1_000), at(2_000))),
        (at(-86_400_000), at(-86_399_000), (at(5_000), at(5_000))),
        (at(86_400_000), at(86_401_000), (at(5_000), at(5_000))),
    ] {
        let mut state = task(&[("test", &[], 0)]);
        prepare(&mut state, 1);
        says(
            &mut state,
            1,
            AgentEvent::StepStarted {
                step: StepId(101),
                from: 0,
                at: start,
            },
        )
        .unwrap();
        says(
            &mut state,
            1,
            AgentEvent::StepEnded {
                step: StepId(101),
                exit: OK,
                until: 0,
                at: end,
            },
        )
        .unwrap();
        let step = &state.jobs[0].attempt.steps[0];
        assert_eq!(
            (step.started_at, step.finished_at),
            (Some(believed.0), Some(believed.1))
        );
    }
}

#[test]
fn only_rows_that_differ_are_written() {
    let mut state = task(&[("build", &[], 0), ("test", &[], 0)]);
    prepare(&mut state, 1);
    let before = state.clone();
    says(&mut state, 1, begin(101)).unwrap();
    let found = changes(&before, &state);
    assert_eq!(
        (found.task, found.jobs.len(), found.attempts.len(), found.steps.len()),
        (None, 0, 0, 1)
    );
    let before = state.clone();
    step(&mut state, Event::AbortAsked { by: "anna".into() }, at(1)).unwrap();
    let found = changes(&before, &state);
    assert_eq!((found.jobs.len(), found.attempts.len(), found.steps.len()), (2, 1, 3));
}
