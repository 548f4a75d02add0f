//! From what is tried to what would become of it.

use super::{Trial, Tried, TryOut};
use crate::trigger::decide::{Decision, Wanted, decide, problems};
use crate::trigger::known::warnings;
use crate::trigger::redact::TAKEN_OUT;
use crate::trigger::{KnownFields, Provider, Verdict};
use crate::webhook::Event;
use crate::{Error, Problem, Result};
use serde_json::Value;

impl TryOut {
    /// What would be wanted; `source`: the URL of the plan's source.
    #[must_use]
    pub fn wanted<'a>(&'a self, source: Option<&'a str>) -> Wanted<'a> {
        Wanted {
            rules: &self.rules,
            parameters: &self.parameters,
            branch: self.branch.as_deref().filter(|b| !b.is_empty()),
            revision: self.revision.as_deref().filter(|r| !r.is_empty()),
            ignore_skip: self.ignore_skip,
            source,
        }
    }

    /// The event that its payload tells of; `None` without a payload.
    ///
    /// # Errors
    /// `Invalid` at `payload`, when that lacks what such an event always has.
    pub fn event(&self) -> Result<Option<Event>> {
        let Some(payload) = self.payload.clone() else {
            return Ok(None);
        };
        let provider = self.provider.unwrap_or(Provider::Generic);
        let read = Event::read(provider, self.event.as_deref(), payload);
        read.map(Some).map_err(|why| Error::invalid_field("payload", why))
    }
}

impl Trial {
    /// Judges it.
    ///
    /// # Errors
    /// `Invalid` with everything that is wrong with payload, rules and parameters, each at its place.
    pub fn judge(mut self) -> Result<Tried> {
        let mut found = Vec::new();
        match self.text.as_deref().map(payload_of) {
            Some(Ok(payload)) => self.what.payload = Some(payload),
            Some(Err(problem)) => found.push(problem),
            None => {}
        }
        let event = match found.is_empty() {
            true => self.what.event(),
            false => Ok(None),
        };
        let wanted = self.what.wanted(self.source.as_deref());
        match event {
            Ok(Some(event)) => try_out(&wanted, &event, self.known.as_ref()),
            Ok(None) if found.is_empty() => Err(Error::invalid_field("payload", "Give a payload.")),
            Err(Error::Invalid { problems, .. }) => Err(refused(&wanted, problems)),
            Ok(None) => Err(refused(&wanted, found)),
            Err(other) => Err(other),
        }
    }
}

fn refused(wanted: &Wanted<'_>, mut found: Vec<Problem>) -> Error {
    found.extend(of_tries(wanted));
    Error::Invalid {
        detail: "This cannot be tried.".into(),
        problems: found,
    }
}

/// What is wrong with those parts that a try is about.
fn of_tries(wanted: &Wanted<'_>) -> impl Iterator<Item = Problem> {
    let tried = |p: &Problem| p.path.starts_with("rules") || p.path.starts_with("parameters");
    problems(wanted, 0, 0).into_iter().filter(tried)
}

/// What would be decided about an event.
///
/// # Errors
/// `Invalid` with everything that is wrong with rules and parameters, each at its place.
pub fn try_out(wanted: &Wanted<'_>, event: &Event, known: Option<&KnownFields>) -> Result<Tried> {
    Error::refuse("This cannot be tried.", of_tries(wanted).collect())?;
    let (decision, evaluation) = decide(wanted, event);
    let mut warnings = warnings(wanted.rules, known);
    for (n, asked) in evaluation.rules.iter().enumerate() {
        if asked.found.iter().any(|value| value == TAKEN_OUT) {
            let said =
                "What this looks at is taken out of payloads that are shown: a real delivery may decide otherwise.";
            warnings.push(Problem::field(format!("rules[{n}]"), said));
        }
    }
    let (verdict, reason, start) = match decision {
        Decision::Start(start) => (Verdict::Started, None, start),
        Decision::Nothing(why) => (Verdict::Nothing, Some(why), Default::default()),
        Decision::Error(why) => (Verdict::Error, Some(why), Default::default()),
    };
    Ok(Tried {
        verdict,
        reason,
        evaluation,
        branch: start.branch,
        revision: start.revision,
        parameters: start.parameters,
        fork: start.fork,
        of_last: None,
        warnings,
    })
}

/// Reads a payload that somebody wrote.
///
/// # Errors
/// A problem at `payload`, at the line and column where it stops being JSON.
pub fn payload_of(text: &str) -> std::result::Result<Value, Problem> {
    serde_json::from_str(text).map_err(|e| {
        let said = e.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        let line = text.lines().nth(e.line().saturating_sub(1)).unwrap_or_default();
        // It counts bytes, people count characters.
        let column = line.bytes().take(e.column()).filter(|b| b & 0xc0 != 0x80).count();
        let message = match text.trim() {
            "" => "Paste a payload, as JSON.".to_owned(),
            _ => format!("This is no JSON: {said}."),
        };
        Problem {
            line: u32::try_from(e.line().max(1)).ok(),
            column: u32::try_from(column.max(1)).ok(),
            ..Problem::field("payload", message)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trial(rules: &[&str], text: &str) -> Trial {
        Trial {
            what: TryOut {
                rules: rules.iter().map(|r| (*r).to_owned()).collect(),
                provider: Some(Provider::GitHub),
                event: Some("push".into()),
                ..TryOut::default()
            },
            text: Some(text.into()),
            source: Some("https://git.example/money/ledger.git".into()),
            known: None,
        }
    }

    fn push(branch: &str) -> String {
        json!({
            "ref": format!("refs/heads/{branch}"), "after": "4e81b02a77d94e81b02a77d94e81b02a77d94e81",
            "repository": { "full_name": "money/ledger" }, "token": "(taken out)",
        })
        .to_string()
    }

    #[test]
    fn a_try_says_what_would_be_decided() {
        let started = trial(&["branch == main"], &push("main")).judge().unwrap();
        assert_eq!(
            (started.verdict, started.branch.as_deref()),
            (Verdict::Started, Some("main"))
        );
        let nothing = trial(&["branch == main"], &push("x")).judge().unwrap();
        assert_eq!(
            nothing.reason.as_deref(),
            Some("Nothing was started, because branch `x` is not `main`.")
        );
        assert_eq!(nothing.evaluation.rules[0].found, ["x"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let Err(Error::Invalid { problems, .. }) = trial(&["branch = main"], "{\n \"größe\": 1,\n \"ü\" 2\n}").judge()
        else {
            panic!("no JSON and no rule");
        };
        let told: Vec<_> = problems.iter().map(|p| (p.path.as_str(), p.line, p.column)).collect();
        assert_eq!(told, [("payload", Some(3), Some(6)), ("rules[0]", Some(1), Some(8))]);
        assert_eq!(problems[0].message, "This is no JSON: expected `:`.");
        let Err(Error::Invalid { problems, .. }) = trial(&[], "{}").judge() else {
            panic!("no push");
        };
        assert_eq!(problems[0].message, "The payload is no push: it has no `ref`.");
        assert_eq!(payload_of("  ").unwrap_err().message, "Paste a payload, as JSON.");
    }

    #[test]
    fn a_rule_on_what_is_taken_out_is_doubted() {
        let tried = trial(&["payload.token == x"], &push("main")).judge().unwrap();
        assert!(tried.warnings[0].message.contains("taken out"), "{:?}", tried.warnings);
        assert_eq!(trial(&["branch == main"], &push("main")).judge().unwrap().warnings, []);
    }
}
