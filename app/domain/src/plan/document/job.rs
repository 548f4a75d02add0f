//! Jobs and their steps.
//!
//! **Invariant:** a job that comes out has at least one step, and each step exactly one command.

use super::reader::{Fields, Reader, listed};
use super::report::nearest;
use super::tree::{Node, Value, short};
use super::value;
use super::words::{EXECUTORS, LIMITS, RETRY, STEP, WHEN, WHEN_LATER};
use crate::label::Condition;
use crate::plan::{Command, Job, Limits, Retry, Step};
use crate::status::ExecutorKind;
use std::collections::BTreeMap;

/// Most steps of one job.
const STEPS_MOST: usize = 200;
/// Most arguments of one command.
const ARGS_MOST: usize = 500;

impl Reader<'_> {
    /// A job from its mapping; `needs` are checked later, when all jobs are known. `env` is read where it belongs.
    pub fn job(&mut self, key: &str, f: &Fields<'_>, env: BTreeMap<String, String>) -> Job {
        let executor = f
            .get("executor")
            .and_then(|n| self.word(n, &f.path("executor"), EXECUTORS));
        let image = f
            .get("image")
            .and_then(|n| self.checked(n, &f.path("image"), value::image));
        if let (Some("process"), Some((k, _))) = (executor.as_deref(), f.entry("image").filter(|(_, n)| !n.is_null())) {
            let message = "A job that runs as processes has no image.";
            self.report.add(
                &f.path("image"),
                k.place,
                message,
                Some("Take `image` or `executor: process` out.".into()),
            );
        }
        let mut runs_on = Vec::new();
        if let Some(n) = f.get("runs_on") {
            for (path, n) in self.list(n, &f.path("runs_on")) {
                runs_on.extend(self.conditions(n, &path));
            }
        }
        Job {
            key: key.to_owned(),
            needs: Vec::new(),
            image,
            executor: executor.and_then(|e| e.parse::<ExecutorKind>().ok()),
            runs_on,
            env,
            timeout_ms: f
                .get("timeout")
                .and_then(|n| self.read(n, &f.path("timeout"), value::duration)),
            retry: self.retry(f),
            limits: self.limits(f),
            steps: self.steps(key, f),
        }
    }

    fn conditions(&mut self, node: &Node, path: &str) -> Vec<Condition> {
        self.read(node, path, |t| Condition::parse_all(t).map_err(|e| (e.message, e.hint)))
            .unwrap_or_default()
    }

    fn limits(&mut self, f: &Fields<'_>) -> Limits {
        let Some(node) = f.get("limits") else {
            return Limits::default();
        };
        let hint = "Write it as in `{ cpus: 2, memory: 2GB }`.";
        let Some(l) = self.fields(node, &f.path("limits"), &LIMITS, hint) else {
            return Limits::default();
        };
        Limits {
            cpu_milli: l.get("cpus").and_then(|n| self.read(n, &l.path("cpus"), value::cpus)),
            memory: l
                .get("memory")
                .and_then(|n| self.read(n, &l.path("memory"), value::size)),
        }
    }

    fn retry(&mut self, f: &Fields<'_>) -> Retry {
        let Some(node) = f.get("retry") else {
            return Retry::default();
        };
        let hint = "Write it as in `{ limit: 2, on: [agent_lost, exit 75] }`.";
        let Some(r) = self.fields(node, &f.path("retry"), &RETRY, hint) else {
            return Retry::default();
        };
        let limit = r
            .get("limit")
            .and_then(|n| self.read(n, &r.path("limit"), value::retries));
        if r.lacks("limit") {
            let message = "`retry` does not say how often.";
            self.note(r.here(), node, message, Some("Give it `limit:`, as in `limit: 2`."));
        }
        let mut on = Vec::new();
        match r.get("on") {
            Some(n) => {
                for (path, n) in self.list(n, &r.path("on")) {
                    on.extend(self.read(n, &path, value::retry_on));
                }
            }
            None if !r.lacks("on") => {}
            None => {
                let message = "`retry` does not say after what.";
                self.note(
                    r.here(),
                    node,
                    message,
                    Some("Give it `on:`, as in `on: [agent_lost]`."),
                );
            }
        }
        Retry {
            limit: limit.unwrap_or_default(),
            on,
        }
    }

    fn steps(&mut self, key: &str, f: &Fields<'_>) -> Vec<Step> {
        let path = f.path("steps");
        let Some(node) = f.get("steps") else {
            // In a plan that has them misspelt, or has misspelt `jobs`, that is what has been noted.
            if !f.lacks("steps") || !f.lacks("jobs") {
                return Vec::new();
            }
            let message = format!("The job `{key}` has no steps.");
            self.note(&path, f.node, message, Some("Give it `steps:`, each with `run:`."));
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.wrong(
                &path,
                node,
                "a list of steps",
                "Start each step with `- `, as in `- run: make test`.",
            );
            return Vec::new();
        };
        if items.is_empty() || items.len() > STEPS_MOST {
            let message = format!("The job `{key}` has {} steps; it takes 1 to {STEPS_MOST}.", items.len());
            self.note(&path, node, message, None);
            return Vec::new();
        }
        items
            .iter()
            .enumerate()
            .filter_map(|(i, n)| self.step(n, &format!("{path}[{i}]")))
            .collect()
    }

    fn step(&mut self, node: &Node, path: &str) -> Option<Step> {
        if let (Value::Scalar { text, .. }, false) = (&node.value, node.is_null()) {
            let message = format!("A step is a mapping, and this is the text `{}`.", short(text));
            self.report.add(
                path,
                node.place,
                message,
                Some(format!("Write `- run: {}`.", short(text))),
            );
            return None;
        }
        let f = self.fields(node, path, &STEP, "Write a step as in `- run: make test`.")?;
        let command = self.command(&f);
        let name = f
            .get("name")
            .and_then(|n| self.checked(n, &f.path("name"), |t| value::name(t, "step", 100)));
        let when = f.get("when").map(|n| self.when(n, &f.path("when"))).unwrap_or_default();
        let env = self.env(f.get("env"), &f.path("env"));
        let allow_failure = f
            .get("allow_failure")
            .and_then(|n| self.flag(n, &f.path("allow_failure")));
        let keep = f.get("keep").and_then(|n| self.flag(n, &f.path("keep")));
        let timeout_ms = f
            .get("timeout")
            .and_then(|n| self.read(n, &f.path("timeout"), value::duration));
        let command = command?;
        let name = name.unwrap_or_else(|| default_name(&command));
        Some(Step {
            name,
            command,
            env,
            when,
            allow_failure: allow_failure.unwrap_or(false),
            keep: keep.unwrap_or(false),
            timeout_ms,
        })
    }

    fn command(&mut self, f: &Fields<'_>) -> Option<Command> {
        match (f.get("run"), f.get("command")) {
            (Some(run), None) => {
                let path = f.path("run");
                if matches!(run.value, Value::List(_)) {
                    self.wrong(&path, run, "a text", "Write the lines below `run: |`.");
                    return None;
                }
                let text = self.text(run, &path)?;
                if text.trim().is_empty() {
                    self.note(&path, run, "The command is empty.", Some("Write what the step runs."));
                    return None;
                }
                Some(Command::Run(text))
            }
            (None, Some(argv)) => self.argv(argv, &f.path("command")),
            (Some(_), Some(argv)) => {
                let message = "A step has `run` or `command`, not both.";
                self.note(
                    f.here(),
                    argv,
                    message,
                    Some("Keep `run` for a script, `command` for an argument list."),
                );
                None
            }
            (None, None) if !f.lacks("run") || !f.lacks("command") => None,
            (None, None) => {
                let hint = "Give it `run:` with a script, or `command:` with an argument list.";
                self.note(f.here(), f.node, "The step runs nothing.", Some(hint));
                None
            }
        }
    }

    fn argv(&mut self, node: &Node, path: &str) -> Option<Command> {
        let Value::List(items) = &node.value else {
            self.wrong(
                path,
                node,
                "an argument list",
                "Write `[program, argument]`, or use `run` for a script.",
            );
            return None;
        };
        if items.is_empty() || items.len() > ARGS_MOST {
            let message = format!("The command has {} arguments; it takes 1 to {ARGS_MOST}.", items.len());
            self.note(path, node, message, Some("The first is the program."));
            return None;
        }
        let args: Vec<Option<String>> = items
            .iter()
            .enumerate()
            .map(|(i, n)| self.text(n, &format!("{path}[{i}]")))
            .collect();
        let args: Vec<String> = args.into_iter().collect::<Option<_>>()?;
        if args[0].trim().is_empty() {
            self.note(path, &items[0], "The command names no program.", None);
            return None;
        }
        Some(Command::Argv(args))
    }

    /// The conditions of a step: keys that mean something at that point.
    fn when(&mut self, node: &Node, path: &str) -> Vec<Condition> {
        let Some(text) = self.text(node, path) else {
            return Vec::new();
        };
        let conditions = self.conditions(node, path);
        for c in &conditions {
            let key = c.key.as_str();
            let free = key.starts_with("env.") || text.contains(&format!("labels.{key}"));
            if free || WHEN.contains(&key) {
                continue;
            }
            if WHEN_LATER.contains(&key) || key.starts_with("parameters.") {
                let message = format!(
                    "`{}` in `when` is not known to this version of Caracal yet.",
                    short(key)
                );
                self.note(path, node, message, Some("Take it out for now."));
                continue;
            }
            let hint = nearest(key, WHEN)
                .unwrap_or_else(|| format!("Its keys are {}, and `env.NAME` and `labels.NAME`.", listed(WHEN)));
            self.report.add(
                path,
                node.place,
                format!("`when` knows no `{}`.", short(key)),
                Some(hint),
            );
        }
        conditions
    }
}

/// A step without a name is called by the first line of what it runs.
fn default_name(command: &Command) -> String {
    let line = match command {
        Command::Run(text) => {
            let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
            let first = lines.clone().find(|l| !l.starts_with('#'));
            first.or_else(|| lines.next()).unwrap_or_default().to_owned()
        }
        Command::Argv(args) => args.join(" "),
    };
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut: String = clean.trim().chars().take(60).collect();
    let cut = cut.trim_end();
    if clean.trim().chars().count() > 60 {
        format!("{cut}…")
    } else {
        cut.to_owned()
    }
}
