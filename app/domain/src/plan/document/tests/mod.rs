//! Documents that pass and what comes of them; documents that do not, each with every problem and its place.
//!
//! **Invariant:** every expectation names a place, so that a problem at the wrong line fails.

mod in_repository;
mod mistakes;
mod random;

use super::*;
use crate::plan::{Command, Retry, RetryOn};
use crate::status::ExecutorKind;

const LOCAL: SourceRules = SourceRules { allow_local: true };

fn good(text: &str) -> Plan {
    read(text, &LOCAL).unwrap_or_else(|p| panic!("{text}\n{}", shown(&p)))
}

fn shown(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|p| format!("[{}] {p}", p.path))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The problems of a document as `path line:column message hint`.
fn wrong(text: &str) -> Vec<String> {
    let problems = read(text, &SourceRules::default()).expect_err(text);
    problems
        .iter()
        .map(|p| {
            let hint = p.hint.as_deref().unwrap_or_default();
            format!(
                "{} {}:{} {} {hint}",
                p.path,
                p.line.unwrap(),
                p.column.unwrap(),
                p.message
            )
        })
        .collect()
}

#[test]
fn a_whole_plan_is_read() {
    let plan = good(
        r#"
name: app
source: { git: "https://example.org/team/app.git", branch: release/2, submodules: true }
env: { RUST_LOG: info, PYTHON: 3.10, DEBUG: true, EMPTY: "", PORT: 0080 }
jobs:
  test:
    runs_on: ["os == linux", "labels.pool != slow"]
    image: rust:1.95
    limits: { cpus: 1.5, memory: 512MiB }
    timeout: 1h30m
    retry: { limit: 2, on: [agent_lost, exit 75] }
    env: { A: b }
    steps:
      - { name: unit, run: cargo test, keep: true }
      - run: |
          # what it does
          cargo clippy
          echo "done: yes"
        allow_failure: true
        when: branch == main && os != windows
        timeout: 5m
        env: { C: d }
  deploy:
    needs: test
    executor: process
    runs_on: pool == big
    steps:
      - command: [./deploy.sh, --to, 1.20, "a b"]
"#,
    );
    assert_eq!(plan.name, "app");
    let source = plan.source.unwrap();
    assert_eq!(
        (source.git.as_str(), source.branch.as_deref(), source.submodules),
        ("https://example.org/team/app.git", Some("release/2"), true)
    );
    let env: Vec<(&str, &str)> = plan.env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        env,
        [
            ("DEBUG", "true"),
            ("EMPTY", ""),
            ("PORT", "0080"),
            ("PYTHON", "3.10"),
            ("RUST_LOG", "info")
        ]
    );
    let [test, deploy] = &plan.jobs[..] else {
        panic!("two jobs")
    };
    assert_eq!(
        (test.key.as_str(), test.image.as_deref(), test.timeout_ms),
        ("test", Some("rust:1.95"), Some(5_400_000))
    );
    let on = vec![RetryOn::AgentLost, RetryOn::Exit(75)];
    assert_eq!(test.retry, Retry { limit: 2, on });
    assert!(deploy.retry.is_none());
    assert_eq!(
        (test.limits.cpu_milli, test.limits.memory),
        (Some(1_500), Some(536_870_912))
    );
    assert_eq!(
        test.runs_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["os == linux", "pool != slow"]
    );
    assert_eq!(
        test.steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["unit", "cargo clippy"]
    );
    let second = &test.steps[1];
    assert!(test.steps[0].keep && !second.keep);
    assert_eq!(
        second.command,
        Command::Run("# what it does\ncargo clippy\necho \"done: yes\"\n".into())
    );
    assert_eq!(
        (
            second.allow_failure,
            second.timeout_ms,
            second.when.len(),
            second.env.len()
        ),
        (true, Some(300_000), 2, 1)
    );
    assert_eq!(
        (deploy.needs.as_slice(), deploy.executor),
        (&["test".to_owned()][..], Some(ExecutorKind::Process))
    );
    let args = ["./deploy.sh", "--to", "1.20", "a b"].map(str::to_owned).to_vec();
    assert_eq!(deploy.steps[0].command, Command::Argv(args));
    assert_eq!(deploy.steps[0].name, "./deploy.sh --to 1.20 a b");
}

#[test]
fn a_plan_without_jobs_has_one_called_main() {
    let plan = good("name: x\nimage: alpine\ntimeout: 5m\nenv: {A: b}\nsource: none\nsteps:\n- run: true\n");
    let job = &plan.jobs[0];
    assert_eq!(
        (plan.jobs.len(), job.key.as_str(), job.image.as_deref()),
        (1, "main", Some("alpine"))
    );
    assert_eq!(
        (job.steps[0].name.as_str(), plan.source, plan.env.len(), job.env.len()),
        ("true", None, 1, 0)
    );
    assert_eq!(job.steps[0].command, Command::Run("true".into()));
}

#[test]
fn jobs_keep_their_order_and_anchors_unfold() {
    let plan = good(
        "name: x\njobs:\n  z: &z\n    image: alpine\n    steps: &s [{run: a}]\n  a: {steps: *s}\n  m: {<<: *z, image: rust}\n",
    );
    let jobs: Vec<_> = plan
        .jobs
        .iter()
        .map(|j| (j.key.as_str(), j.image.as_deref(), j.steps.len()))
        .collect();
    assert_eq!(jobs, [("z", Some("alpine"), 1), ("a", None, 1), ("m", Some("rust"), 1)]);
}

#[test]
fn local_sources_pass_only_where_they_may() {
    let text = "name: x\nsource: { git: /srv/app }\nsteps: [{run: a}]\n";
    assert!(read(text, &LOCAL).is_ok());
    let told = wrong(text);
    assert!(
        told.len() == 1 && told[0].starts_with("source.git 2:16") && told[0].contains("https://"),
        "{told:?}"
    );
}

#[test]
fn everything_wrong_is_told_at_once_and_in_order() {
    let told = wrong(
        "nmae: app\njobs:\n  tset:\n    image: Rust:1.95\n    timeout: 30\n    stpes:\n      - run: x\n  build:\n    needs: [test]\n    steps:\n      - { run: a, command: [b] }\n      - { nam: x }\n",
    );
    let found: Vec<&str> = told.iter().filter_map(|t| t.split(' ').next()).collect();
    assert_eq!(
        found,
        [
            "nmae",
            "jobs.tset.image",
            "jobs.tset.timeout",
            "jobs.tset.stpes",
            "jobs.build.needs[0]",
            "jobs.build.steps[0]",
            "jobs.build.steps[1]",
            "jobs.build.steps[1].nam",
        ],
        "{told:#?}"
    );
    let all = told.join("\n");
    for part in [
        "Did you mean `name`?",
        "Did you mean `steps`?",
        "Did you mean `tset`?",
        "small letters",
        "`30s`, or `30m`",
        "not both",
        "runs nothing",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
}

#[test]
fn a_cycle_is_told_once() {
    let told = wrong(
        "name: x\njobs: {a: {needs: [b], steps: [{run: a}]}, b: {needs: [a], steps: [{run: a}]}, c: {needs: [a], steps: [{run: a}]}}",
    );
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[test]
fn a_mistake_behind_an_alias_is_told_once() {
    let told = wrong("name: x\njobs:\n  a: {steps: &s [{rum: a}]}\n  b: {steps: *s}\n");
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[test]
fn many_problems_are_told_up_to_a_bound() {
    let text = format!(
        "name: x\n{}",
        (0..5_000).map(|i| format!("k{i}: 1\n")).collect::<String>()
    );
    assert_eq!(wrong(&text).len(), 100);
}

#[test]
fn a_check_names_the_plan_even_when_it_is_wrong() {
    let check = check("name: app\nsetps: []\n", &LOCAL);
    assert_eq!(
        (check.valid, check.name.as_deref(), check.jobs.len()),
        (false, Some("app"), 0)
    );
    assert!(!check.errors.is_empty());
    let check = super::check("name: app\nsteps: [{run: a}]\n", &LOCAL);
    assert_eq!((check.valid, check.jobs), (true, vec!["main".to_owned()]));
}

#[test]
fn the_schema_has_the_same_keys_as_the_reader() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let keys = |pointer: &str| -> Vec<String> {
        let mut keys: Vec<String> = schema
            .pointer(pointer)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    };
    for (pointer, shape) in [
        ("/properties", &PLAN),
        ("/$defs/source/properties", &SOURCE),
        ("/$defs/job/properties", &JOB),
        ("/$defs/limits/properties", &words::LIMITS),
        ("/$defs/retry/properties", &words::RETRY),
        ("/$defs/step/properties", &words::STEP),
    ] {
        let mut known: Vec<&str> = shape.keys.to_vec();
        known.sort_unstable();
        assert_eq!(keys(pointer), known, "{pointer}");
    }
    assert_eq!(
        schema.pointer("/$defs/executor/enum").unwrap(),
        &serde_json::json!(words::EXECUTORS)
    );
}
