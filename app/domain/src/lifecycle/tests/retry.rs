//! Further attempts: after which ends, from when on, and in which words the job waits.
//!
//! **Invariant:** where the old attempt may still run, the next is held back until its agent has surely stopped it.

use super::*;

fn tried(limit: u32, on: &[RetryOn]) -> TaskState {
    let mut state = task(&[("test", &[], 0), ("deploy", &[1], 0)]);
    state.jobs[0].retry = Retry { limit, on: on.to_vec() };
    state
}

#[test]
fn a_job_is_tried_again_after_the_ends_its_plan_names() {
    let named = Exit::Exited(75);
    for (on, exit, again) in [
        (
            vec![RetryOn::Exit(75)],
            named.clone(),
            Some("Attempt 1 ended with exit code 75; waits for attempt 2 of 2."),
        ),
        (vec![RetryOn::Exit(75)], Exit::Exited(1), None),
        (vec![RetryOn::AgentLost, RetryOn::TimedOut], named, None),
        (
            vec![RetryOn::Failed],
            Exit::Exited(1),
            Some("Attempt 1 ended with exit code 1; waits for attempt 2 of 2."),
        ),
        (
            vec![RetryOn::Failed],
            Exit::Signalled(9),
            Some("Attempt 1 failed; waits for attempt 2 of 2."),
        ),
        (
            vec![RetryOn::TimedOut],
            Exit::TimedOut(5_000),
            Some("Attempt 1 timed out; waits for attempt 2 of 2."),
        ),
        (
            vec![RetryOn::AgentLost],
            Exit::Lost("The engine restarted.".into()),
            Some("Attempt 1 was lost; waits for attempt 2 of 2."),
        ),
    ] {
        let mut state = tried(1, &on);
        let effects = run(&mut state, 1, &[OK, exit.clone()]);
        let next = effects.iter().find_map(|e| match e {
            Effect::NewAttempt { number, not_before, .. } => Some((*number, *not_before)),
            _ => None,
        });
        // Its agent said that it is over: the next may begin at once.
        assert_eq!(next, again.map(|_| (2, None)), "{on:?} {exit:?}");
        if let Some(sentence) = again {
            assert_eq!(state.jobs[0].reason.as_deref(), Some(sentence));
            assert_eq!(
                (state.status, state.jobs[1].status),
                (TaskStatus::Running, JobStatus::Pending)
            );
        } else {
            assert_eq!(state.jobs[1].status, JobStatus::Skipped);
        }
    }
}

#[test]
fn what_may_fail_is_no_reason_to_try_again() {
    let mut state = tried(1, &[RetryOn::Failed, RetryOn::Exit(75)]);
    run(&mut state, 1, &[OK, OK, Exit::Exited(75)]);
    assert_eq!(state.jobs[0].status, JobStatus::Passed);
}

#[test]
fn an_attempt_whose_end_nobody_confirmed_holds_the_next_one_back() {
    let surely = Some(at(600_000 + RESTART_MARGIN_MS));
    let attempt = AttemptId(10);
    let ends = [
        (Event::LeaseExpired { attempt, heard: None }, 600_000),
        (Event::DeadlinePassed { attempt }, 1_800_000),
        (
            Event::AgentConfused {
                attempt,
                epoch: 1,
                why: "A step cannot end twice.".into(),
            },
            5_000,
        ),
    ];
    for (event, ms) in ends {
        let mut state = tried(1, &[RetryOn::AgentLost, RetryOn::TimedOut]);
        prepare(&mut state, 1);
        let effects = step(&mut state, event.clone(), at(ms)).unwrap();
        let held = effects
            .iter()
            .any(|e| matches!(e, Effect::NewAttempt { not_before, .. } if *not_before == surely));
        let told = effects.contains(&Effect::Forget {
            agent: AGENT,
            fence: fence(1),
        });
        assert!(held && told, "{event:?}: {effects:?}");
    }
    // It came back without it: nothing of it runs any more.
    let mut state = tried(1, &[RetryOn::AgentLost]);
    prepare(&mut state, 1);
    let effects = step(&mut state, Event::AgentForgot { attempt, epoch: 1 }, at(10)).unwrap();
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::NewAttempt { not_before: None, .. })),
        "{effects:?}"
    );
}

#[test]
fn an_agent_that_makes_no_sense_loses_what_it_held() {
    let mut state = task(&[("test", &[], 0)]);
    prepare(&mut state, 1);
    let event = |epoch| Event::AgentConfused {
        attempt: AttemptId(10),
        epoch,
        why: "A step cannot end twice.".into(),
    };
    assert_eq!(step(&mut state, event(2), at(9)), Err(Refused::Stale));
    step(&mut state, event(1), at(9)).unwrap();
    let sentence = "Its agent reported what cannot be: A step cannot end twice.";
    assert_eq!(
        (state.status, state.reason.as_deref()),
        (TaskStatus::Lost, Some(sentence))
    );
}
