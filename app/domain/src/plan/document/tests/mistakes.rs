//! One document per mistake: where it is told and in which words.
//!
//! **Invariant:** a row fails when the place is off by one.

use super::super::{RESOLVED_MAX, TEXT_MAX};
use super::wrong;

/// A document with `name: x` on line 1 and `rest` from line 2 on.
fn after_name(rest: &str) -> String {
    format!("name: x\n{rest}\n")
}

#[test]
fn each_mistake_has_its_place_and_its_sentence() {
    const STEPS: &str = "steps: [{run: a}]";
    // (document, start of the first problem, part of its words)
    let deep = format!("name: x\nenv: {}{}", "[".repeat(60), "]".repeat(60));
    let bomb = format!(
        "a: &a [{}]\nb: &b [{}]\nc: &c [{}]\nd: &d [{}]\nname: x",
        ["lol"; 40].join(","),
        ["*a"; 40].join(","),
        ["*b"; 40].join(","),
        ["*c"; 40].join(",")
    );
    let many_jobs = format!(
        "jobs:\n{}",
        (0..201)
            .map(|i| format!("  j{i}: {{steps: [{{run: a}}]}}\n"))
            .collect::<String>()
    );
    let table: Vec<(String, &str, &str)> = vec![
        (String::new(), " 1:1", "is empty"),
        ("# nothing\n".into(), " 1:1", "is empty"),
        ("~".into(), " 1:1", "is empty"),
        ("- a".into(), " 1:1", "a mapping of keys and values, and this is a list"),
        ("just words".into(), " 1:1", "this is the text `just words`"),
        ("name: x".into(), "steps 1:1", "nothing to run"),
        (STEPS.into(), "name 1:1", "has no name"),
        (format!("name:\n{STEPS}"), "name 1:1", "has no name"),
        (format!("name: 12\n{STEPS}"), "name 1:7", "Did you mean `plan-12`?"),
        (
            format!("name: {}\n{STEPS}", "x".repeat(101)),
            "name 1:7",
            "101 characters",
        ),
        (format!("name: \"a\\u202eb\"\n{STEPS}"), "name 1:7", "U+202E"),
        (
            format!("name: [a]\n{STEPS}"),
            "name 1:7",
            "takes a text, and this is a list",
        ),
        (
            after_name("steps: run"),
            "steps 2:8",
            "takes a list of steps, and this is the text `run`",
        ),
        (after_name("steps: []"), "steps 2:8", "has 0 steps"),
        (after_name("steps:"), "steps 1:1", "has no steps"),
        (
            after_name("steps: [make test]"),
            "steps[0] 2:9",
            "Write `- run: make test`.",
        ),
        (
            after_name("steps:\n- run: a\n- run: b\n  script: c"),
            "steps[1].script 5:3",
            "Did you mean `run`?",
        ),
        (after_name("steps:\n- run:\n"), "steps[0] 3:3", "runs nothing"),
        (
            after_name("steps:\n- run: '  '"),
            "steps[0].run 3:8",
            "The command is empty",
        ),
        (
            after_name("steps:\n- run: [a, b]"),
            "steps[0].run 3:8",
            "Write the lines below `run: |`",
        ),
        (
            after_name("steps:\n- command: a b"),
            "steps[0].command 3:12",
            "or use `run`",
        ),
        (
            after_name("steps:\n- command: []"),
            "steps[0].command 3:12",
            "0 arguments",
        ),
        (
            after_name("steps:\n- command: [a, ~]"),
            "steps[0].command[1] 3:16",
            "has no value",
        ),
        (
            after_name("steps:\n- command: ['', a]"),
            "steps[0].command 3:13",
            "names no program",
        ),
        (
            after_name("steps:\n- {run: a, allow_failure: yes}"),
            "steps[0].allow_failure 3:27",
            "Write `true` or `false`",
        ),
        (
            after_name("steps:\n- {run: a, keep: [server]}"),
            "steps[0].keep 3:18",
            "Write `true` or `false`",
        ),
        (
            after_name("steps:\n- {run: a, when: branch = main}"),
            "steps[0].when 3:18",
            "Did you mean `branch == main`?",
        ),
        (
            after_name("steps:\n- {run: a, when: brunch == main}"),
            "steps[0].when 3:18",
            "Did you mean `branch`?",
        ),
        (
            after_name("steps:\n- {run: a, when: tag == v1}"),
            "steps[0].when 3:18",
            "not known to this version",
        ),
        (
            after_name("steps:\n- {run: a, when: \"branch =~ 'v*'\"}"),
            "steps[0].when 3:18",
            "does not know yet",
        ),
        (
            after_name("steps:\n- {run: a, timeout: 5x}"),
            "steps[0].timeout 3:21",
            "is not a duration",
        ),
        (
            after_name("steps:\n- {run: a, name: ' '}"),
            "steps[0].name 3:18",
            "is empty",
        ),
        (
            after_name("steps:\n- run: echo ${{ x }}"),
            "steps[0].run 3:8",
            "never put into commands",
        ),
        (
            after_name("image: \"rust:${{ v }}\"\nsteps: [{run: a}]"),
            "image 2:8",
            "not known to this version",
        ),
        (
            after_name("env: {A: \"${{ v }}\"}\nsteps: [{run: a}]"),
            "env.A 2:10",
            "not known to this version",
        ),
        (
            after_name("env: [A]\nsteps: [{run: a}]"),
            "env 2:6",
            "takes names and values, and this is a list",
        ),
        (
            after_name("env: {A-B: c}\nsteps: [{run: a}]"),
            "env.A-B 2:7",
            "Did you mean `A_B`?",
        ),
        (
            after_name("env: {A: [b]}\nsteps: [{run: a}]"),
            "env.A 2:10",
            "takes a text, and this is a list",
        ),
        (after_name("env:\n  A:\nsteps: [{run: a}]"), "env.A 3:4", "has no value"),
        (after_name("env: {A: \"\\0\"}\nsteps: [{run: a}]"), "env.A 2:10", "NUL"),
        (
            after_name("env: {CARACAL_URL: x}\nsteps: [{run: a}]"),
            "env.CARACAL_URL 2:7",
            "set by Caracal itself",
        ),
        (
            after_name("source: https://example.org/x\nsteps: [{run: a}]"),
            "source 2:9",
            "Write `source: { git: https://example.org/x }`",
        ),
        (
            after_name("source: {branch: a}\nsteps: [{run: a}]"),
            "source.git 2:9",
            "names no repository",
        ),
        (
            after_name("source: {git: \"ext::sh -c x\"}\nsteps: [{run: a}]"),
            "source.git 2:15",
            "blanks",
        ),
        (
            after_name("source: {git: --upload-pack=x}\nsteps: [{run: a}]"),
            "source.git 2:15",
            "must not start with `-`",
        ),
        (
            after_name("source: {git: 'https://e.org/x', branch: a..b}\nsteps: [{run: a}]"),
            "source.branch 2:42",
            "cannot be the name of a branch",
        ),
        (
            after_name("source: {git: 'https://e.org/x', submodules: 1}\nsteps: [{run: a}]"),
            "source.submodules 2:46",
            "the number `1`",
        ),
        (
            after_name("source: {url: 'https://e.org/x'}\nsteps: [{run: a}]"),
            "source.url 2:10",
            "Did you mean `git`?",
        ),
        (
            after_name("retry: {limit: 0, on: failed}\nsteps: [{run: a}]"),
            "retry.limit 2:16",
            "a number from 1 to 10",
        ),
        (
            after_name("retry: {on: failed}\nsteps: [{run: a}]"),
            "retry 2:8",
            "does not say how often",
        ),
        (
            after_name("retry: {limit: 2}\nsteps: [{run: a}]"),
            "retry 2:8",
            "Give it `on:`",
        ),
        (
            after_name("retry: {limit: 2, on: [failed, 75]}\nsteps: [{run: a}]"),
            "retry.on[1] 2:32",
            "Did you mean `exit 75`?",
        ),
        (
            after_name("retry: {limit: 2, on: [agent_lots]}\nsteps: [{run: a}]"),
            "retry.on[0] 2:24",
            "Did you mean `agent_lost`?",
        ),
        (
            after_name("retry: 2\nsteps: [{run: a}]"),
            "retry 2:8",
            "Write it as in `{ limit: 2",
        ),
        (
            after_name("retry: {max: 2, on: failed}\nsteps: [{run: a}]"),
            "retry.max 2:9",
            "Did you mean `limit`?",
        ),
        (
            after_name("limits: {cpu: 2}\nsteps: [{run: a}]"),
            "limits.cpu 2:10",
            "Did you mean `cpus`?",
        ),
        (
            after_name("limits: {cpus: two}\nsteps: [{run: a}]"),
            "limits.cpus 2:16",
            "not a number of cores",
        ),
        (
            after_name("limits: {memory: 2g}\nsteps: [{run: a}]"),
            "limits.memory 2:18",
            "Did you mean `2GiB`?",
        ),
        (
            after_name("executor: dokcer\nsteps: [{run: a}]"),
            "executor 2:11",
            "Did you mean `docker`?",
        ),
        (
            after_name("executor: scripted\nsteps: [{run: a}]"),
            "executor 2:11",
            "Use `docker` and `process`.",
        ),
        (
            after_name("executor: process\nimage: rust\nsteps: [{run: a}]"),
            "image 3:1",
            "has no image",
        ),
        (
            after_name("runs_on: [linux]\nsteps: [{run: a}]"),
            "runs_on[0] 2:11",
            "is not a condition",
        ),
        (
            after_name("runs_on: '~pool == warm'\nsteps: [{run: a}]"),
            "runs_on 2:10",
            "Leave `~` out",
        ),
        (
            after_name("matrix: {a: [b]}\nsteps: [{run: a}]"),
            "matrix 2:1",
            "not known to this version of Caracal yet",
        ),
        (
            after_name("parameters: []\nsteps: [{run: a}]"),
            "parameters 2:1",
            "Take it out for now",
        ),
        (
            after_name("depends_on: []\nbanana: 1\nsteps: [{run: a}]"),
            "depends_on 2:1",
            "A plan has no key `depends_on`",
        ),
        (
            after_name("stages: {}\nsteps: [{run: a}]"),
            "stages 2:1",
            "Did you mean `jobs`?",
        ),
        (after_name("jobs: {}"), "jobs 2:7", "has 0 jobs"),
        (after_name("jobs:"), "jobs 2:1", "has no job"),
        (
            after_name("jobs: [{steps: [{run: a}]}]"),
            "jobs 2:7",
            "takes jobs by their names, and this is a list",
        ),
        (after_name(&many_jobs), "jobs 3:3", "has 201 jobs"),
        (
            after_name("jobs: {a b: {steps: [{run: a}]}}"),
            "jobs.a b 2:8",
            "cannot be the name of a job",
        ),
        (after_name("jobs: {a: }"), "jobs.a 2:8", "is empty"),
        (
            after_name("jobs: {a: {steps: [{run: a}]}}\nimage: rust"),
            "image 3:1",
            "belongs to one of them",
        ),
        (
            after_name("jobs: {a: {steps: [{run: a}]}}\nsteps: [{run: a}]"),
            "steps 3:1",
            "belongs to one of them",
        ),
        (
            after_name("jobs: {a: {needs: a, steps: [{run: a}]}}"),
            "jobs.a.needs 2:19",
            "needs itself",
        ),
        (
            after_name("jobs: {a: {steps: [{run: a}]}, b: {needs: [a, a], steps: [{run: a}]}}"),
            "jobs.b.needs[1] 2:47",
            "named twice",
        ),
        (
            after_name("jobs:\n  test: {steps: [{run: a}]}\n  b: {needs: [tset], steps: [{run: a}]}"),
            "jobs.b.needs[0] 4:15",
            "Did you mean `test`?",
        ),
        (
            after_name(
                "jobs: {a: {needs: c, steps: [{run: a}]}, b: {needs: a, steps: [{run: a}]}, c: {needs: b, steps: [{run: a}]}}",
            ),
            "jobs.b.needs 2:53",
            "`a` → `c` → `b` → `a`",
        ),
        (
            after_name("steps: [{run: a}]\nname: y"),
            "name 3:1",
            "a second time; the first is on line 1",
        ),
        (after_name("steps: [{run: a}]\n? [a]\n: b"), " 3:3", "A key is a word"),
        (
            after_name("steps: [{run: !custom a}]"),
            " 2:15",
            "means nothing in a plan",
        ),
        (after_name("steps: *nowhere"), " 2:8", "refers to nothing above it"),
        (after_name("env: &e\n  A: *e"), " 3:6", "inside what it refers to"),
        (
            after_name("<<: 5\nsteps: [{run: a}]"),
            "<< 2:1",
            "takes an alias of a mapping",
        ),
        (
            after_name("steps: [{run: a}]\n---\nname: y"),
            " 3:1",
            "a second one starts here",
        ),
        (after_name("steps:\n\t- run: a"), " 3:1", "indented with blanks"),
        (after_name("steps: [{run: a}"), " 2:8", "opened and not closed"),
        (after_name("steps:\n- run: 'a"), " 4:1", "Close the quote"),
        (after_name("steps:\n- run: echo a: b"), " 3:14", "in quotes, or below"),
        (after_name("steps:\n- run: @x"), " 3:8", "cannot start with `@`"),
        (after_name("steps:\n- run: %x"), " 3:8", "cannot start with `%`"),
        (after_name(" steps:\n - run: a"), " 2:7", "Indent a key"),
        (deep, " ", "nested too deep"),
        (bomb, " ", "over 1 MiB"),
        (format!("name: x\n#{}", "x".repeat(TEXT_MAX)), " 1:1", "at most 262144"),
        (
            after_name(&format!("steps: [{{run: \"{}\"}}]", "x".repeat(RESOLVED_MAX))),
            " 1:1",
            "at most 65536",
        ),
    ];
    let mut missed = Vec::new();
    for (text, start, part) in &table {
        let told = wrong(text);
        if !told.iter().any(|t| t.starts_with(start) && t.contains(part)) {
            missed.push(format!("{:.200}\n  wanted {start} … {part}\n  told {told:#?}", text));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}
