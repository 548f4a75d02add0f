//! The reader of plan documents: YAML text to a checked plan, or to everything that is wrong with it, each problem with
//! its path, line, column and what to write instead (DESIGN §7). Page, REST and command line read through it.
//!
//! **Invariant:** a plan comes out only when no problem was found; a document can neither crash the reader nor make it
//! work longer than its own size warrants.

mod in_repository;
mod job;
mod needs;
mod reader;
mod report;
mod syntax;
mod tree;
mod value;
mod words;

#[cfg(test)]
mod tests;

use super::view::PlanCheck;
use super::{Plan, Source};
use crate::{Problem, git};
use needs::Need;
use reader::{Fields, Reader, join};
use report::{Place, Report};
use tree::{Node, Value, short};
use words::{JOB, PLAN, SOURCE};

pub use in_repository::{FILE, check_file, read_file};

/// Longest document, in bytes.
pub const TEXT_MAX: usize = 256 * 1024;
/// Longest plan once resolved, in bytes of JSON.
pub const RESOLVED_MAX: usize = 64 * 1024;
/// Longest name of a plan, in characters.
pub const NAME_MAX: usize = 100;
/// Most jobs of a plan.
pub const JOBS_MAX: usize = 200;
/// The JSON Schema of plan documents, as served at `/schema/plan.json`, for editors.
pub const SCHEMA: &str = include_str!("../schema.json");

/// Which sources a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceRules {
    /// Whether paths, `file://` and `http://` are sources (DESIGN §8, `allow_local_sources`).
    pub allow_local: bool,
}

/// Reads a document.
///
/// # Errors
/// Everything that is wrong with it, in the text's order.
pub fn read(text: &str, rules: &SourceRules) -> Result<Plan, Vec<Problem>> {
    let (plan, _, problems) = examine(text, rules, None);
    plan.ok_or(problems)
}

/// Checks a document and tells what it is, as far as it can be read.
#[must_use]
pub fn check(text: &str, rules: &SourceRules) -> PlanCheck {
    told(examine(text, rules, None))
}

type Examined = (Option<Plan>, Option<String>, Vec<Problem>);

fn told((plan, name, errors): Examined) -> PlanCheck {
    let jobs = plan.iter().flat_map(|p| p.jobs.iter().map(|j| j.key.clone())).collect();
    let file = plan.as_ref().and_then(Plan::unread).map(str::to_owned);
    PlanCheck {
        valid: plan.is_some(),
        errors,
        name,
        jobs,
        file,
    }
}

/// The plan if nothing is wrong, its name if it has one, and what is wrong. With `of`, the text is the file of that plan.
fn examine(text: &str, rules: &SourceRules, of: Option<&Plan>) -> Examined {
    let mut report = Report::default();
    let mut plan = None;
    if text.len() > TEXT_MAX {
        let message = format!("The document has {} bytes; at most {TEXT_MAX} are taken.", text.len());
        report.add(
            "",
            Place::START,
            message,
            Some("Move long scripts into files of the repository.".into()),
        );
    } else if let Some(root) = tree::parse(text, &mut report).filter(|n| !n.is_null()) {
        plan = Reader {
            report: &mut report,
            rules,
        }
        .plan(&root, of);
    } else if report.is_empty() {
        let hint = "Start with `name: my-plan` and `steps:`.";
        report.add("", Place::START, "The document is empty.", Some(hint.into()));
    }
    let name = plan.as_ref().map(|p| p.name.clone()).filter(|n| !n.is_empty());
    if let Some(size) = plan.as_ref().map(resolved_size).filter(|s| *s > RESOLVED_MAX) {
        let message = format!("The plan resolves to {size} bytes; at most {RESOLVED_MAX} are taken.");
        report.add(
            "",
            Place::START,
            message,
            Some("Move long scripts into files of the repository.".into()),
        );
    }
    let problems = report.into_problems(text);
    (plan.filter(|_| problems.is_empty()), name, problems)
}

fn resolved_size(plan: &Plan) -> usize {
    serde_json::to_string(plan).map_or(usize::MAX, |s| s.len())
}

impl Reader<'_> {
    /// The plan as far as it goes; only one without problems is given out.
    fn plan(&mut self, root: &Node, of: Option<&Plan>) -> Option<Plan> {
        if let Some(of) = of {
            return self.file(root, of);
        }
        let f = self.fields(root, "", &PLAN, "Start with `name: my-plan` and `steps:`.")?;
        let name = match f.get("name") {
            Some(n) => self.checked(n, "name", plan_name),
            None if !f.lacks("name") => None,
            None => {
                let place = f.entry("name").map_or(root.place, |(k, _)| k.place);
                self.report.add(
                    "name",
                    place,
                    "The plan has no name.",
                    Some("Start with `name: my-plan`.".into()),
                );
                None
            }
        };
        let source = f.get("source").and_then(|n| self.source(n));
        let file = self.kept_in(&f);
        let (env, jobs) = match f.entry("file") {
            // Noted where they stand beside it.
            Some(_) => Default::default(),
            None => (self.env(f.get("env"), "env"), self.jobs(&f)),
        };
        Some(Plan {
            name: name.unwrap_or_default(),
            source,
            file,
            env,
            jobs,
        })
    }

    fn source(&mut self, node: &Node) -> Option<Source> {
        if let Value::Scalar { text, .. } = &node.value {
            if text == "none" {
                return None;
            }
            let hint = format!("Write `source: {{ git: {} }}`, or `source: none`.", short(text));
            self.report.add(
                "source",
                node.place,
                format!("`source` takes a mapping, and this is {}.", node.kind()),
                Some(hint),
            );
            return None;
        }
        let f = self.fields(
            node,
            "source",
            &SOURCE,
            "Write `source: { git: https://… }`, or `source: none`.",
        )?;
        let allow_local = self.rules.allow_local;
        let git = match f.get("git") {
            Some(n) => self.checked(n, "source.git", |t| git::check_url(t, allow_local).map_err(sentence)),
            None if !f.lacks("git") => None,
            None => {
                self.note(
                    "source.git",
                    node,
                    "The source names no repository.",
                    Some("Give it `git:` and a URL."),
                );
                None
            }
        };
        let branch = f
            .get("branch")
            .and_then(|n| self.checked(n, "source.branch", |t| git::check_ref(t).map_err(sentence)));
        let submodules = f
            .get("submodules")
            .and_then(|n| self.flag(n, "source.submodules"))
            .unwrap_or(false);
        Some(Source {
            git: git?,
            branch,
            submodules,
        })
    }

    fn jobs(&mut self, f: &Fields<'_>) -> Vec<super::Job> {
        let Some((key, node)) = f.entry("jobs") else {
            if f.entry("steps").is_none() && f.lacks("steps") && f.lacks("jobs") {
                self.note(
                    "steps",
                    f.node,
                    "The plan has nothing to run.",
                    Some("Give it `steps:`, or `jobs:` with steps."),
                );
                return Vec::new();
            }
            return vec![self.job("main", f, std::collections::BTreeMap::new())];
        };
        for alone in ["steps", "image", "executor", "runs_on", "timeout", "retry", "limits"] {
            if let Some((k, _)) = f.entry(alone) {
                let message = format!("`{alone}` stands beside `jobs`, and belongs to one of them.");
                self.report.add(
                    alone,
                    k.place,
                    message,
                    Some(format!("Move `{alone}` into the job it is for.")),
                );
            }
        }
        let Value::Map(entries) = &node.value else {
            if node.is_null() {
                self.report.add(
                    "jobs",
                    key.place,
                    "The plan has no job.",
                    Some("Put a job with `steps:` below `jobs:`.".into()),
                );
            } else {
                self.wrong(
                    "jobs",
                    node,
                    "jobs by their names",
                    "Write `jobs:`, below it `test:`, below that `steps:`.",
                );
            }
            return Vec::new();
        };
        if entries.is_empty() || entries.len() > JOBS_MAX {
            let message = format!("The plan has {} jobs; it takes 1 to {JOBS_MAX}.", entries.len());
            self.note("jobs", node, message, Some("Put a job with `steps:` below `jobs:`."));
            return Vec::new();
        }
        let (mut jobs, mut needs) = (Vec::new(), Vec::new());
        for (key, node) in entries {
            let path = join("jobs", &key.text);
            if let Err((message, hint)) = value::job_key(&key.text) {
                self.report.add(&path, key.place, message, hint);
            }
            if node.is_null() {
                let message = format!("The job `{}` is empty.", short(&key.text));
                self.report.add(
                    &path,
                    key.place,
                    message,
                    Some("Give it `steps:`, each with `run:`.".into()),
                );
            }
            let read = if node.is_null() {
                None
            } else {
                self.fields(node, &path, &JOB, "Give it `steps:`, each with `run:`.")
            };
            let Some(f) = read else {
                // Known by name all the same, so that those that need it are not wrong too.
                jobs.push(unread(&key.text));
                continue;
            };
            let env = self.env(f.get("env"), &f.path("env"));
            let job = self.job(&key.text, &f, env);
            for (path, n) in f
                .get("needs")
                .map(|n| self.list(n, &f.path("needs")))
                .unwrap_or_default()
            {
                if let Some(named) = self.text(n, &path) {
                    needs.push(Need {
                        job: jobs.len(),
                        path,
                        place: n.place,
                        key: named,
                    });
                }
            }
            jobs.push(job);
        }
        self.needs(&mut jobs, &needs);
        jobs
    }
}

/// A job that could not be read.
fn unread(key: &str) -> super::Job {
    super::Job {
        key: key.to_owned(),
        needs: Vec::new(),
        image: None,
        executor: None,
        runs_on: Vec::new(),
        env: std::collections::BTreeMap::new(),
        timeout_ms: None,
        retry: super::Retry::default(),
        limits: super::Limits::default(),
        steps: Vec::new(),
    }
}

/// The name of a plan: where lists take ids or names, digits alone would read as an id.
fn plan_name(text: &str) -> Result<(), value::Refusal> {
    value::name(text, "plan", NAME_MAX)?;
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err((
            "A name of digits alone reads as an id.".into(),
            Some(format!("Did you mean `plan-{text}`?")),
        ));
    }
    Ok(())
}

/// The sentences of `git::check_*` begin small, for use inside others.
fn sentence(s: String) -> value::Refusal {
    let mut c = s.chars();
    let s: String = c
        .next()
        .map(|f| f.to_uppercase().chain(c).collect())
        .unwrap_or_default();
    (format!("{s}."), None)
}
