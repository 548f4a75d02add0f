//! The words of a plan beside its editor.
//!
//! **Invariant:** a word stands here only when this version knows it.

use leptos::prelude::*;

const WORDS: [(&str, &str); 11] = [
    ("name", "unique among plans"),
    (
        "source",
        "{ git: URL, branch: main }, checked out before the first step",
    ),
    (
        "file",
        ".caracal.yml: that file of the source has the rest, read at the revision that runs",
    ),
    (
        "steps",
        "what runs, in order: name, run or command, env, when, allow_failure, timeout; keep: true lets what it leaves running live until the job ends",
    ),
    ("image", "the container image, as rust:1.95"),
    (
        "jobs",
        "several parts by name, each with steps; needs: [other] orders them",
    ),
    ("env", "variables of all steps, of a job, or of one step"),
    ("runs_on", "what the agent must offer, as \"os == linux\""),
    ("timeout", "30s, 5m, 1h30m; then the processes are ended"),
    (
        "retry",
        "{ limit: 2, on: [agent_lost, exit 75] }: new attempts after these ends; also timed_out, failed",
    ),
    ("limits", "{ cpus: 2, memory: 2GB } for each container"),
];

const TWO_JOBS: &str = "\
jobs:
  test:
    image: rust:1.95
    steps:
      - run: cargo test
  deploy:
    needs: [test]
    steps:
      - name: roll out
        run: ./deploy.sh
        when: branch == main";

/// The words of a plan.
#[component]
pub fn Guide() -> impl IntoView {
    let words: Vec<_> = WORDS
        .into_iter()
        .map(|(word, says)| {
            view! {
                <dt class="mono">{word}</dt>
                <dd class="text-ink-2">{says}</dd>
            }
        })
        .collect();
    view! {
        <section class="pane" aria-labelledby="words">
            <div class="pane-head">
                <h2 id="words" class="text-table!">"Words of a plan"</h2>
                <a class="alink text-small ms-auto" href="/schema/plan.json" rel="external">"JSON Schema"</a>
            </div>
            <div class="p-4 grid gap-4 content-start">
                <dl class="kv">{words}</dl>
                <p class="text-small text-ink-3">
                    "Steps run under " <code>"/bin/sh -e"</code>
                    " in the workspace, and see the variables CARACAL_TASK_ID, CARACAL_REVISION, CARACAL_BRANCH and more."
                </p>
                <h3 class="text-small text-ink-3 font-[560]">"Two jobs, one after the other"</h3>
                <super::document::Document text=TWO_JOBS label="Example of two jobs"/>
            </div>
        </section>
    }
}
