//! Deciding: an event, the rules of a trigger, and what it sets become a start or a sentence that says why not.
//!
//! **Invariant:** the same in server and browser; all rules are asked, so that a firing shows each of them, and the first
//! that is false gives the reason.

use super::redact::{TAKEN_OUT, is_secret};
use super::{Asked, Evaluation, PARAMETERS, RULES, Setting};
use crate::Problem;
use crate::git::{check_ref, check_revision, path_of};
use crate::rule::{Facts, Rule};
use crate::webhook::{Event, KEYS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Events that start something without being named in a rule.
const USUAL: [&str; 4] = ["push", "tag", "pull_request", "release"];
/// Events of our own: what asked about them wants them.
const OURS: [&str; 4] = ["upstream", "cron", "manual", "changed"];
/// Actions that do, of pull requests and releases.
const ACTIONS: [&str; 5] = ["opened", "reopened", "synchronised", "published", "released"];
/// Most bytes of something that is set.
const LONGEST: usize = 4_096;

/// What a trigger wants.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What must all be true.
    pub rules: &'a [String],
    /// What tasks are given.
    pub parameters: &'a BTreeMap<String, String>,
    /// Their branch.
    pub branch: Option<&'a str>,
    /// Their exact commit.
    pub revision: Option<&'a str>,
    /// Whether `[skip ci]` counts for nothing.
    pub ignore_skip: bool,
    /// The URL of the plan's source, if it has one.
    pub source: Option<&'a str>,
}

/// What a task is started with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Start {
    /// Its branch; the plan's when absent.
    pub branch: Option<String>,
    /// Its exact commit; the branch's head when absent.
    pub revision: Option<String>,
    /// What it is given.
    pub parameters: BTreeMap<String, String>,
    /// The repository of a stranger whose change it is: it runs once a member has approved its revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start a task.
    Start(Start),
    /// Start nothing; why, one sentence.
    Nothing(String),
    /// Something that should be set cannot be; why, one sentence.
    Error(String),
}

/// Decides about an event.
#[must_use]
pub fn decide(wanted: &Wanted<'_>, event: &Event) -> (Decision, Evaluation) {
    let mut evaluation = Evaluation::default();
    let (mut failed, mut keys) = (None, Vec::new());
    for (n, text) in wanted.rules.iter().enumerate() {
        let rule = match Rule::parse(text) {
            Ok(rule) => rule,
            Err(mistake) => {
                return (
                    Decision::Error(format!("Rule {} cannot be read: {}", n + 1, mistake.message)),
                    evaluation,
                );
            }
        };
        keys.extend(rule.keys().into_iter().map(|(key, _)| key.to_owned()));
        let mut answer = rule.ask(event);
        // It was compared with what was sent; what is told of it, and kept, is as of payloads.
        for compared in answer.compared.iter_mut().filter(|c| is_secret(&c.key)) {
            let hidden = |value: &mut String| {
                if !matches!(value.as_str(), "" | "true" | "false") {
                    *value = TAKEN_OUT.into();
                }
            };
            compared.found.iter_mut().for_each(hidden);
        }
        if !answer.holds && failed.is_none() {
            failed = Some(answer.why());
        }
        evaluation.rules.push(Asked {
            rule: text.clone(),
            holds: answer.holds,
            why: answer.why(),
            found: answer.compared.into_iter().flat_map(|c| c.found).take(20).collect(),
        });
    }
    let named = |key: &str| keys.iter().any(|k| k == key);
    let strange = || unusual(event, named("event"), named("action")).or_else(|| stranger(event, named("fork")));
    if let Some(why) = failed.or_else(strange) {
        return (
            Decision::Nothing(format!("Nothing was started, because {why}.")),
            evaluation,
        );
    }
    if let Some(word) = event.skips().filter(|_| !wanted.ignore_skip) {
        let why = format!("Nothing was started, because the commit's message asks for that with `{word}`.");
        return (Decision::Nothing(why), evaluation);
    }
    let decision = match start(wanted, event, &mut evaluation.set) {
        Ok(start) => Decision::Start(start),
        Err(why) => Decision::Error(why),
    };
    (decision, evaluation)
}

/// Why an event that no rule names starts nothing.
fn unusual(event: &Event, event_named: bool, action_named: bool) -> Option<String> {
    let kind = event.kind.as_str();
    if OURS.contains(&kind) {
        return None;
    }
    if !event_named {
        match kind {
            "ping" => return Some("the sender only asked whether the hook is there".into()),
            "delete" => return Some("a branch or tag was deleted, and no rule asks for the event `delete`".into()),
            // What carries no revision and no action is not a forge's: any call counts.
            _ if USUAL.contains(&kind) || event.revision.is_none() && event.action.is_none() => {}
            _ => return Some(format!("no rule asks for the event `{kind}`")),
        }
    }
    let action = event.action.as_deref().filter(|a| !ACTIONS.contains(a))?;
    let counts = action_named || !matches!(kind, "pull_request" | "release");
    (!counts).then(|| format!("no rule asks for the action `{action}` of a {}", kind.replace('_', " ")))
}

/// Why what follows a stranger's task starts nothing: their own plan is there to test it, those behind it are to release.
fn stranger(event: &Event, fork_named: bool) -> Option<String> {
    let from = event.stranger().filter(|_| event.kind == "upstream" && !fork_named)?;
    Some(format!(
        "the task ran a change from the fork `{from}`, and no rule asks for `fork`"
    ))
}

fn start(wanted: &Wanted<'_>, event: &Event, set: &mut Vec<Setting>) -> Result<Start, String> {
    let mut noted = |name: &str, value: &str| {
        set.push(Setting {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    };
    let stranger = event.stranger();
    // A commit of another repository means nothing to this plan's source.
    let ours = wanted
        .source
        .is_some_and(|source| event.repository.as_deref().is_none_or(|name| names(source, name)));
    let of_event = |value: &Option<String>| value.clone().filter(|_| ours);
    let mut one = |name: &str, text: Option<&str>, usual: Option<String>, check: fn(&str) -> Result<(), String>| {
        let Some(text) = text.filter(|t| !t.is_empty()) else {
            return Ok(usual);
        };
        let value = filled(name, text, event)?;
        check(&value).map_err(|why| format!("The {name} is set to `{value}`, which it cannot be: {why}."))?;
        noted(name, &value);
        Ok::<_, String>(Some(value))
    };
    // Their branch called `main` is not our `main`, which steps and people may trust.
    let usual_branch = of_event(&event.branch).filter(|_| stranger.is_none());
    let branch = one("branch", wanted.branch, usual_branch, check_ref)?;
    // A branch of the trigger's own has its own head.
    let usual = of_event(&event.revision).filter(|_| wanted.branch.is_none_or(str::is_empty));
    let revision = one("revision", wanted.revision, usual, check_revision)?;
    let mut parameters = BTreeMap::new();
    for (name, text) in wanted.parameters {
        let value = filled(&format!("parameters.{name}"), text, event)?;
        noted(&format!("parameters.{name}"), &value);
        parameters.insert(name.clone(), value);
    }
    Ok(Start {
        branch,
        revision,
        parameters,
        fork: stranger.map(str::to_owned),
    })
}

/// Whether the URL of a source is that of `group/name`, whatever its host is called.
fn names(source: &str, name: &str) -> bool {
    let (path, name) = (path_of(source).to_lowercase(), name.trim_matches('/').to_lowercase());
    path.strip_suffix(&name)
        .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// A text with `${{ key }}` replaced by what the event says.
fn filled(name: &str, text: &str, event: &Event) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("${{") {
        let Some((key, after)) = behind.split_once("}}") else {
            return Err(format!("`{name}` is set from `{text}`, where a `}}}}` is missing."));
        };
        out.push_str(before);
        match (key.trim(), event.values(key.trim()).first()) {
            ("revision", _) => out.push_str(event.revision.as_deref().unwrap_or_default()),
            (_, Some(value)) => out.push_str(value),
            (key, None) => return Err(format!("`{name}` is set from `{key}`, which this event does not have.")),
        }
        rest = after;
    }
    out.push_str(rest);
    if out.len() > LONGEST {
        return Err(format!(
            "`{name}` would be set to {} bytes; at most {LONGEST} are taken.",
            out.len()
        ));
    }
    Ok(out)
}

/// Everything that is wrong with rules and settings, each at its field.
#[must_use]
pub fn problems(wanted: &Wanted<'_>, priority: i64, ceiling: i64) -> Vec<Problem> {
    let mut found = Vec::new();
    if wanted.rules.len() > RULES {
        found.push(Problem::field(
            "rules",
            format!("At most {RULES} rules; join some with `&&`."),
        ));
    }
    for (n, text) in wanted.rules.iter().enumerate() {
        if let Err(mistake) = Rule::parse(text) {
            found.push(Problem {
                line: Some(1),
                column: u32::try_from(mistake.column).ok(),
                hint: mistake.hint,
                ..Problem::field(format!("rules[{n}]"), mistake.message)
            });
        }
    }
    if wanted.parameters.len() > PARAMETERS {
        found.push(Problem::field(
            "parameters",
            format!("At most {PARAMETERS} parameters."),
        ));
    }
    for (name, text) in wanted.parameters {
        let path = format!("parameters.{name}");
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 100 || !name.chars().all(fits) {
            found.push(Problem::field(
                path.clone(),
                "A parameter's name has letters, digits, `_` and `-`, at most 100.",
            ));
        }
        found.extend(template_problem(&path, text));
    }
    for (path, text, check) in [
        ("branch", wanted.branch, check_ref as fn(&str) -> Result<(), String>),
        ("revision", wanted.revision, check_revision),
    ] {
        let Some(text) = text.filter(|t| !t.is_empty()) else {
            continue;
        };
        if text.contains("${{") {
            found.extend(template_problem(path, text));
        } else if let Err(why) = check(text) {
            found.push(Problem::field(path, why));
        }
        if wanted.source.is_none() {
            found.push(Problem::field(
                path,
                format!("This plan has no source, so it takes no {path}."),
            ));
        }
    }
    if !(-100..=ceiling).contains(&priority) {
        let why = format!("{priority} is not between −100 and {ceiling}, the highest you may give.");
        found.push(Problem::field("priority", why));
    }
    found
}

fn template_problem(path: &str, text: &str) -> Option<Problem> {
    if text.len() > LONGEST {
        return Some(Problem::field(path, format!("At most {LONGEST} bytes.")));
    }
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("${{") {
        let Some((key, after)) = behind.split_once("}}") else {
            return Some(Problem::field(path, "A `${{` has no `}}`."));
        };
        let key = key.trim();
        if !KEYS.contains(&key) && key != "revision" && !key.starts_with("payload.") {
            let mut problem = Problem::field(path, format!("There is no `{key}`."));
            problem.hint = Some(format!(
                "Use one of {}, revision, or payload. and a field.",
                KEYS.join(", ")
            ));
            return Some(problem);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests;
