//! Plans that are kept in their repository: the server has name, source and the path of a file, and that file has the rest,
//! read at the revision that runs.
//!
//! **Invariant:** a file decides nothing about where it comes from: name and source are those of the server's plan, so that
//! a stranger's branch cannot point a task elsewhere.

use super::reader::{Fields, Reader};
use super::tree::Node;
use super::words::PLAN;
use super::{Plan, SourceRules, examine, sentence, told};
use crate::plan::view::PlanCheck;
use crate::{Problem, git};

/// Where a plan is looked for by habit.
pub const FILE: &str = ".caracal.yml";
/// What stands beside `file` in the server's document.
const BESIDE: [&str; 3] = ["name", "source", "file"];

/// Reads the file of a plan: `of` is what the server has of it.
///
/// # Errors
/// Everything that is wrong with it, in the text's order.
pub fn read_file(text: &str, rules: &SourceRules, of: &Plan) -> Result<Plan, Vec<Problem>> {
    let (plan, _, problems) = examine(text, rules, Some(of));
    plan.ok_or(problems)
}

/// Checks a text as the file of a plan that may have any name.
#[must_use]
pub fn check_file(text: &str, rules: &SourceRules) -> PlanCheck {
    let any = Plan {
        name: String::new(),
        source: None,
        file: Some(FILE.into()),
        env: std::collections::BTreeMap::new(),
        jobs: Vec::new(),
    };
    told(examine(text, rules, Some(&any)))
}

impl Reader<'_> {
    /// The path under `file`, with what may not stand beside it.
    pub(super) fn kept_in(&mut self, f: &Fields<'_>) -> Option<String> {
        let (key, node) = f.entry("file")?;
        let file = if node.is_null() {
            let hint = format!("Write `file: {FILE}`, or take it out.");
            self.report.add("file", key.place, "`file` has no value.", Some(hint));
            None
        } else {
            self.checked(node, "file", |t| git::check_path(t).map_err(sentence))
        };
        if f.lacks("source") {
            let hint = "Give the plan `source: { git: https://… }`: the file is read from there.";
            let message = "`file` names a file of the source, and the plan has no source.";
            self.report.add("file", key.place, message, Some(hint.into()));
        }
        for other in PLAN.keys.iter().filter(|k| !BESIDE.contains(k)) {
            if let Some((k, _)) = f.entry(other) {
                let message = format!("`{other}` stands beside `file`, and belongs into that file.");
                let hint = format!("Move `{other}` into the file, or take `file` out.");
                self.report.add(other, k.place, message, Some(hint));
            }
        }
        file
    }

    /// The plan that a file of its repository makes of `of`.
    pub(super) fn file(&mut self, root: &Node, of: &Plan) -> Option<Plan> {
        let f = self.fields(root, "", &PLAN, "Start with `steps:`, or with `jobs:`.")?;
        for key in ["source", "file"] {
            if let Some((k, _)) = f.entry(key) {
                let message =
                    format!("`{key}` belongs into the plan on the server, not into the file in the repository.");
                self.report
                    .add(key, k.place, message, Some(format!("Take `{key}` out.")));
            }
        }
        if let Some(n) = f.get("name")
            && let Some(name) = self.text(n, "name")
            && !of.name.is_empty()
            && name != of.name
        {
            let message = format!(
                "The file is of the plan `{}`, and calls it `{}`.",
                of.name,
                super::short(&name)
            );
            let hint = format!("Take `name` out, or write `name: {}`.", of.name);
            self.report.add("name", n.place, message, Some(hint));
        }
        let env = self.env(f.get("env"), "env");
        let jobs = self.jobs(&f);
        Some(Plan {
            name: of.name.clone(),
            source: of.source.clone(),
            file: of.file.clone(),
            env,
            jobs,
        })
    }
}
