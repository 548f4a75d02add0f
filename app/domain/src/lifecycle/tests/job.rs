//! How a job runs to its end, and in which words it says what broke.
//!
//! **Invariant:** every sentence a person may read is spelled out in these tests once.

use super::*;

#[test]
fn a_job_goes_forward_to_its_end_and_takes_its_task_along() {
    let mut state = task(&[("test", &[], 0)]);
    assert_eq!(
        assign(&mut state, 1),
        Ok(vec![Effect::Assign {
            agent: AGENT,
            fence: fence(1)
        }])
    );
    assert_eq!(
        (state.status, state.jobs[0].status),
        (TaskStatus::Running, JobStatus::Preparing)
    );
    assert_eq!(state.jobs[0].attempt.deadline_at, Some(at(1_800_000)));
    says(
        &mut state,
        1,
        AgentEvent::Preparing {
            executor: ExecutorKind::Docker,
        },
    )
    .unwrap();
    says(&mut state, 1, begin(101)).unwrap();
    assert_eq!(
        state.jobs[0].attempt.status,
        AttemptStatus::Preparing,
        "set-up is preparation"
    );
    says(
        &mut state,
        1,
        AgentEvent::StepEnded {
            step: StepId(101),
            exit: OK,
            until: 40,
            at: at(1_500),
        },
    )
    .unwrap();
    says(
        &mut state,
        1,
        AgentEvent::StepStarted {
            step: StepId(102),
            from: 40,
            at: at(1_600),
        },
    )
    .unwrap();
    assert_eq!(
        (state.jobs[0].attempt.status, state.jobs[0].status),
        (AttemptStatus::Running, JobStatus::Running)
    );
    says(
        &mut state,
        1,
        AgentEvent::StepEnded {
            step: StepId(102),
            exit: OK,
            until: 90,
            at: at(2_500),
        },
    )
    .unwrap();
    let unit = &state.jobs[0].attempt.steps[1];
    assert_eq!((unit.console_from, unit.console_len), (40, 50));
    assert_eq!((unit.started_at, unit.finished_at), (Some(at(1_600)), Some(at(2_500))));
    says(
        &mut state,
        1,
        end(103, Exit::Skipped("branch is dev, not main.".into())),
    )
    .unwrap();
    assert_eq!(
        (state.jobs[0].attempt.status, state.jobs[0].status),
        (AttemptStatus::Finalizing, JobStatus::Running)
    );
    let effects = says(&mut state, 1, over(false)).unwrap();
    assert_eq!(
        effects,
        [
            Effect::SlotFreed { agent: AGENT },
            Effect::TaskEnded {
                outcome: Outcome::Passed
            }
        ]
    );
    assert_eq!(
        (state.status, state.reason.clone(), state.finished_at),
        (TaskStatus::Passed, None, Some(at(5_000)))
    );
}

#[test]
fn what_broke_is_said_in_one_sentence() {
    let long = "x".repeat(80);
    let table: Vec<(Exit, Outcome, &str)> = vec![
        (Exit::Exited(101), Outcome::Failed, "unit ended with exit code 101."),
        (
            Exit::Signalled(11),
            Outcome::Failed,
            "unit was killed by signal 11 (SEGV).",
        ),
        (Exit::Signalled(40), Outcome::Failed, "unit was killed by signal 40."),
        (
            Exit::TimedOut(90_000),
            Outcome::TimedOut,
            "unit ran past the 1m 30s it was allowed.",
        ),
        (
            Exit::Failed("The image rust:9 does not exist.".into()),
            Outcome::Failed,
            "The image rust:9 does not exist.",
        ),
        (
            Exit::Lost("The engine stopped.".into()),
            Outcome::Lost,
            "The engine stopped.",
        ),
        (
            Exit::Aborted,
            Outcome::Lost,
            "The agent stopped it without being asked.",
        ),
    ];
    for (exit, outcome, sentence) in table {
        let mut state = task(&[("test", &[], 0)]);
        run(&mut state, 1, &[OK, exit.clone()]);
        assert_eq!(
            (state.status, state.reason.as_deref()),
            (outcome.into(), Some(sentence)),
            "{exit:?}"
        );
        assert_eq!(state.jobs[0].attempt.steps[2].status, StepStatus::Skipped, "{exit:?}");
    }
    let mut state = task(&[("test", &[], 0)]);
    state.jobs[0].attempt.steps[1].name = format!("{long}\nsecond line");
    run(&mut state, 1, &[OK, Exit::Exited(1)]);
    assert_eq!(
        state.reason,
        Some(format!("{}… ended with exit code 1.", "x".repeat(60)))
    );
}

#[test]
fn with_several_jobs_the_task_names_the_one_that_broke() {
    let mut state = task(&[
        ("build", &[], 0),
        ("test", &[], 0),
        ("deploy", &[1, 2], 0),
        ("tell", &[3], 0),
    ]);
    run(&mut state, 1, &[OK, OK, OK]);
    run(&mut state, 2, &[OK, Exit::Exited(3)]);
    assert_eq!(state.status, TaskStatus::Failed);
    assert_eq!(state.reason.as_deref(), Some("unit in test ended with exit code 3."));
    assert_eq!(
        state.jobs[2].reason.as_deref(),
        Some("Skipped: it needs test, which failed.")
    );
    assert_eq!(
        state.jobs[3].reason.as_deref(),
        Some("Skipped: it needs deploy, which was skipped.")
    );
    assert!(
        state.jobs[3]
            .attempt
            .steps
            .iter()
            .all(|step| step.status == StepStatus::Skipped)
    );

    let mut state = task(&[("build", &[], 0), ("test", &[], 0), ("docs", &[], 0)]);
    run(&mut state, 1, &[OK, Exit::Exited(1)]);
    run(&mut state, 2, &[Exit::Failed("The branch main does not exist.".into())]);
    assert_eq!(state.status, TaskStatus::Running, "docs still waits");
    run(&mut state, 3, &[OK, Exit::TimedOut(60_000)]);
    assert_eq!(
        (state.status, state.reason.as_deref()),
        (
            TaskStatus::TimedOut,
            Some("unit in docs ran past the 1m it was allowed; 2 more jobs did not pass.")
        )
    );
}

#[test]
fn a_step_that_may_fail_fails_nothing() {
    for exit in [
        Exit::Exited(1),
        Exit::Signalled(9),
        Exit::TimedOut(1),
        Exit::Failed("no".into()),
    ] {
        let mut state = task(&[("test", &[], 0)]);
        run(&mut state, 1, &[OK, OK, exit]);
        assert_eq!((state.status, state.reason), (TaskStatus::Passed, None));
    }
    let mut state = task(&[("test", &[], 0)]);
    run(&mut state, 1, &[OK, OK, Exit::Lost("The engine stopped.".into())]);
    assert_eq!(state.status, TaskStatus::Lost, "a loss is not a failure of the step");
}

#[test]
fn an_end_without_its_steps_is_no_pass() {
    for (aborted, error, outcome, sentence) in [
        (
            false,
            None,
            Outcome::Lost,
            "The agent ended it without saying how unit ended.",
        ),
        (false, Some("The disk is full."), Outcome::Failed, "The disk is full."),
        (true, None, Outcome::Lost, "The agent stopped it without being asked."),
        (
            true,
            Some("The agent is going down."),
            Outcome::Lost,
            "The agent is going down.",
        ),
    ] {
        let mut state = task(&[("test", &[], 0)]);
        prepare(&mut state, 1);
        for event in [begin(101), end(101, OK), begin(102)] {
            says(&mut state, 1, event).unwrap();
        }
        says(
            &mut state,
            1,
            AgentEvent::Ended {
                aborted,
                error: error.map(str::to_owned),
                at: T0,
            },
        )
        .unwrap();
        assert_eq!(
            (state.status, state.reason.as_deref()),
            (outcome.into(), Some(sentence))
        );
        assert_eq!(state.jobs[0].attempt.steps[1].status, outcome.into());
        assert_eq!(
            state.jobs[0].attempt.steps[2].error.as_deref(),
            Some("Skipped: the job ended before it.")
        );
    }
    let mut state = task(&[("test", &[], 0)]);
    prepare(&mut state, 1);
    says(&mut state, 1, over(false)).unwrap();
    assert_eq!(
        state.reason.as_deref(),
        Some("The agent ended it without running checkout.")
    );
}

#[test]
fn jobs_wait_for_what_they_need() {
    let mut state = task(&[("build", &[], 0), ("test", &[1], 0)]);
    assert_eq!(
        assign(&mut state, 2),
        Err(Refused::NotReady("test needs build, which has not ended.".into()))
    );
    let effects = run(&mut state, 1, &[OK, OK, OK]);
    assert_eq!(
        effects,
        [
            Effect::SlotFreed { agent: AGENT },
            Effect::JobsReady { jobs: vec![JobId(2)] }
        ]
    );
    assert_eq!(state.status, TaskStatus::Running);
    assert!(assign(&mut state, 2).is_ok());
}

#[test]
fn a_rerun_of_what_failed_takes_over_what_passed() {
    let mut state = task(&[("build", &[], 0), ("test", &[1], 0)]);
    state.jobs[0] = state.jobs[0].clone().carried_over(TaskId(41), T0);
    assert_eq!(state.jobs[0].reason.as_deref(), Some("Passed in task #41."));
    assert_eq!(assign(&mut state, 1), Err(Refused::Ended));
    run(&mut state, 2, &[OK, OK, OK]);
    assert_eq!(state.status, TaskStatus::Passed);
}
