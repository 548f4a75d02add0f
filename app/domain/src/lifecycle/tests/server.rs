//! What comes from the server's side: abort, lease, deadline, source.
//!
//! **Invariant:** everything that was begun ends, with its agent or without it.

use super::*;

#[test]
fn abort_is_instant_for_what_waits_and_told_to_what_runs() {
    let mut state = task(&[("test", &[], 0), ("deploy", &[1], 0)]);
    assert_eq!(
        step(&mut state, Event::AbortAsked { by: "anna".into() }, at(1)),
        Ok(vec![Effect::TaskEnded {
            outcome: Outcome::Aborted
        }])
    );
    assert_eq!(
        (state.status, state.reason.as_deref()),
        (TaskStatus::Aborted, Some("Aborted by anna."))
    );
    assert_eq!(
        step(&mut state, Event::AbortAsked { by: "ben".into() }, at(1)),
        Err(Refused::Ended)
    );

    let mut state = task(&[("test", &[], 2), ("deploy", &[1], 0)]);
    prepare(&mut state, 1);
    let told = Effect::Abort {
        agent: AGENT,
        fence: fence(1),
    };
    let asked = step(&mut state, Event::AbortAsked { by: "anna".into() }, at(1));
    assert_eq!(asked, Ok(vec![told.clone()]));
    assert_eq!(
        (state.desired, state.status, state.jobs[1].status),
        (Desired::Abort, TaskStatus::Running, JobStatus::Aborted)
    );
    assert_eq!(
        step(&mut state, Event::AbortAsked { by: "ben".into() }, at(1)),
        Ok(vec![])
    );
    assert_eq!(says(&mut state, 1, begin(101)), Ok(vec![told]), "it may not have heard");
    says(&mut state, 1, end(101, Exit::Aborted)).unwrap();
    says(&mut state, 1, over(true)).unwrap();
    assert_eq!(
        (state.status, state.reason.as_deref()),
        (TaskStatus::Aborted, Some("Aborted by anna."))
    );
    assert_eq!(state.jobs[0].attempt.outcome, Some(Outcome::Aborted));
    assert_eq!(
        says(&mut state, 1, end(102, Exit::Aborted)),
        Ok(vec![]),
        "skipped is aborted for what never began"
    );
}

#[test]
fn an_aborted_task_ends_even_without_its_agent() {
    for (event, now) in [
        (
            Event::LeaseExpired {
                attempt: AttemptId(10),
                heard: None,
            },
            at(600_000),
        ),
        (
            Event::AgentForgot {
                attempt: AttemptId(10),
                epoch: 1,
            },
            at(10),
        ),
        (Event::DeadlinePassed { attempt: AttemptId(10) }, at(1_800_000)),
    ] {
        let mut state = task(&[("test", &[], 2)]);
        assign(&mut state, 1).unwrap();
        step(&mut state, Event::AbortAsked { by: "anna".into() }, at(1)).unwrap();
        step(&mut state, event, now).unwrap();
        assert_eq!(state.status, TaskStatus::Aborted);
    }
}

#[test]
fn a_lost_attempt_is_lost_or_tried_again_as_the_plan_says() {
    let mut state = task(&[("test", &[], 0)]);
    prepare(&mut state, 1);
    let expired = Event::LeaseExpired {
        attempt: AttemptId(10),
        heard: Some(at(5_000)),
    };
    let effects = step(&mut state, expired.clone(), at(600_000)).unwrap();
    assert!(effects.contains(&Effect::Forget {
        agent: AGENT,
        fence: fence(1)
    }));
    assert_eq!(state.status, TaskStatus::Lost);
    assert_eq!(
        state.reason.as_deref(),
        Some("Its agent was not heard again after 1970-01-01 00:16:45 UTC, and its lease ended.")
    );
    assert_eq!(
        says(&mut state, 1, over(false)),
        Err(Refused::Ended),
        "a late result does not count"
    );

    let mut state = task(&[("test", &[], 1)]);
    prepare(&mut state, 1);
    let not_before = Some(at(600_000 + RESTART_MARGIN_MS));
    let effects = step(&mut state, expired, at(600_010)).unwrap();
    assert_eq!(
        effects.last(),
        Some(&Effect::NewAttempt {
            job: JobId(1),
            number: 2,
            not_before
        })
    );
    assert_eq!(
        (state.status, state.jobs[0].status),
        (TaskStatus::Running, JobStatus::Pending)
    );
    assert_eq!(
        state.jobs[0].reason.as_deref(),
        Some("Attempt 1 was lost; waits for attempt 2 of 2.")
    );
    let second = state.jobs[0]
        .attempt
        .following(AttemptId(11), &[StepId(111), StepId(112), StepId(113)])
        .unwrap();
    assert!(state.jobs[0].attempt.following(AttemptId(11), &[StepId(111)]).is_err());
    state.jobs[0].attempt = second;
    assert_eq!(says(&mut state, 1, over(false)), Err(Refused::Stale));
    assert_eq!(assign(&mut state, 1), Err(Refused::Stale), "an epoch is used once");
    let hold = Event::Assigned {
        job: JobId(1),
        agent: AGENT,
        epoch: 2,
        lease_until: at(9),
        timeout_ms: None,
    };
    step(&mut state, hold, at(700_000)).unwrap();
    let again = Fence {
        attempt: AttemptId(11),
        epoch: 2,
    };
    let preparing = AgentEvent::Preparing {
        executor: ExecutorKind::Docker,
    };
    step(
        &mut state,
        Event::Agent {
            fence: again,
            agent: AGENT,
            event: preparing,
        },
        at(700_001),
    )
    .unwrap();
    step(
        &mut state,
        Event::AgentForgot {
            attempt: AttemptId(11),
            epoch: 2,
        },
        at(700_002),
    )
    .unwrap();
    assert_eq!(
        state.reason.as_deref(),
        Some("The agent came back without this job."),
        "two attempts were all"
    );
}

#[test]
fn an_assignment_that_never_arrived_is_sent_again() {
    let mut state = task(&[("test", &[], 0)]);
    assign(&mut state, 1).unwrap();
    let before = state.clone();
    let effects = step(
        &mut state,
        Event::AgentForgot {
            attempt: AttemptId(10),
            epoch: 1,
        },
        at(1),
    );
    assert_eq!(
        effects,
        Ok(vec![Effect::Assign {
            agent: AGENT,
            fence: fence(1)
        }])
    );
    assert_eq!(state, before);
}

#[test]
fn what_a_removed_agent_holds_is_lost_taken_or_not() {
    let mut state = task(&[("test", &[], 0)]);
    assign(&mut state, 1).unwrap();
    let removed = |epoch| Event::AgentRemoved {
        attempt: AttemptId(10),
        epoch,
    };
    assert_eq!(step(&mut state, removed(9), at(1)), Err(Refused::Stale));
    let effects = step(&mut state, removed(1), at(1)).unwrap();
    assert!(effects.contains(&Effect::Forget {
        agent: AGENT,
        fence: fence(1)
    }));
    assert_eq!(state.jobs[0].status, JobStatus::Lost);
    assert_eq!(
        state.jobs[0].reason.as_deref(),
        Some("Its agent was removed while it held this job.")
    );
}

#[test]
fn a_lease_is_renewed_and_never_shortened() {
    let mut state = task(&[("test", &[], 0)]);
    assign(&mut state, 1).unwrap();
    for (until, left) in [(900_000, 900_000), (100, 900_000)] {
        let event = Event::LeaseExtended {
            fence: fence(1),
            agent: AGENT,
            lease_until: at(until),
        };
        step(&mut state, event, at(1)).unwrap();
        assert_eq!(state.jobs[0].attempt.lease_until, Some(at(left)));
    }
}

#[test]
fn time_runs_out_with_or_without_the_agents_word() {
    let mut state = task(&[("test", &[], 1)]);
    prepare(&mut state, 1);
    step(
        &mut state,
        Event::DeadlinePassed { attempt: AttemptId(10) },
        at(1_800_000),
    )
    .unwrap();
    let sentence = "The job ran past the 30m it was allowed, and its agent did not confirm that it stopped.";
    assert_eq!(
        (state.status, state.reason.as_deref()),
        (TaskStatus::TimedOut, Some(sentence))
    );

    let mut state = task(&[("test", &[], 0)]);
    prepare(&mut state, 1);
    let event = Event::Agent {
        fence: fence(1),
        agent: AGENT,
        event: over(true),
    };
    step(&mut state, event, at(1_800_100)).unwrap();
    assert_eq!(
        (state.status, state.reason.as_deref()),
        (TaskStatus::TimedOut, Some("The job ran past the 30m it was allowed."))
    );
}

#[test]
fn a_source_that_cannot_be_had_fails_the_task_at_once() {
    let sentence = "The branch mian does not exist in the repository.";
    let mut state = task(&[("build", &[], 0), ("test", &[1], 0), ("docs", &[], 0)]);
    let effects = step(
        &mut state,
        Event::SourceFailed {
            reason: sentence.into(),
        },
        at(1),
    )
    .unwrap();
    assert_eq!(
        effects,
        [Effect::TaskEnded {
            outcome: Outcome::Failed
        }]
    );
    assert_eq!(
        (state.status, state.reason.as_deref()),
        (TaskStatus::Failed, Some(sentence))
    );
    let ends: Vec<JobStatus> = state.jobs.iter().map(|job| job.status).collect();
    assert_eq!(ends, [JobStatus::Failed, JobStatus::Skipped, JobStatus::Failed]);

    for event in [
        Event::SourceFailed {
            reason: sentence.into(),
        },
        Event::AbortAsked { by: "anna".into() },
    ] {
        let mut unresolved = TaskState::waiting(TaskId(2), Vec::new());
        step(&mut unresolved, event, at(1)).unwrap();
        assert!(unresolved.status.ended());
    }
}
