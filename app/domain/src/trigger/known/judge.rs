//! From fields that were seen, and rules, to what is to be said.

use super::{KnownFields, RulesCheck};
use crate::Problem;
use crate::nearest::nearest;
use crate::rule::{Facts, Rule};
use crate::trigger::decide::{Wanted, problems};
use crate::webhook::{Event, KEYS};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most names that are remembered.
const MOST: usize = 1_000;

impl KnownFields {
    /// The fields of these events; `all`: whether no others ever came.
    #[must_use]
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>, all: bool) -> Self {
        let mut known = Self { all, ..Self::default() };
        for event in events {
            known.deliveries += 1;
            let keys = KEYS.iter().filter(|key| !event.values(key).is_empty());
            known.names.extend(keys.map(|key| (*key).to_owned()));
            known.note("payload", &event.payload);
        }
        known
    }

    fn note(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.note(&format!("{path}.{name}"), value);
                }
            }
            Value::Array(all) => all.iter().for_each(|v| self.note(path, v)),
            Value::Null => {}
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {
                if self.names.len() >= MOST && !self.names.contains(path) {
                    self.full = true;
                } else {
                    self.names.insert(path.to_owned());
                }
            }
        }
    }

    /// What is to be said of a key: a sentence and, where we know, what was meant.
    fn doubt(&self, key: &str) -> Option<(String, Option<String>)> {
        if self.deliveries == 0 || self.full || self.names.contains(key) {
            return None;
        }
        let said = match (self.all, self.deliveries) {
            (true, _) => format!("No delivery of this hook ever had `{key}`."),
            (false, n) => format!("None of the last {n} deliveries of this hook had `{key}`."),
        };
        // A field that is named without what it stands in, else one that is written much like it.
        let behind = format!(".{key}");
        let within = self.names.iter().find(|name| name.ends_with(&behind));
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let within = within.map(|name| format!("Did you mean `{name}`?"));
        Some((said, within.or_else(|| nearest(key, &names))))
    }
}

/// What there is to say of rules; `known` where they are asked about deliveries that came before.
#[must_use]
pub fn check_rules(rules: &[String], known: Option<&KnownFields>) -> RulesCheck {
    let parameters = BTreeMap::new();
    let wanted = Wanted {
        rules,
        parameters: &parameters,
        branch: None,
        revision: None,
        ignore_skip: false,
        source: None,
    };
    RulesCheck {
        problems: problems(&wanted, 0, 0),
        warnings: warnings(rules, known),
    }
}

/// What is probably not meant, each key of a rule once, where it stands first.
#[must_use]
pub(in crate::trigger) fn warnings(rules: &[String], known: Option<&KnownFields>) -> Vec<Problem> {
    let mut found: Vec<Problem> = Vec::new();
    for (n, text) in rules.iter().enumerate() {
        let Ok(rule) = Rule::parse(text) else { continue };
        let mut told = Vec::new();
        for (key, column) in rule.keys() {
            if told.contains(&key) {
                continue;
            }
            told.push(key);
            let doubt = known.and_then(|k| k.doubt(key)).or_else(|| strange(key));
            found.extend(doubt.map(|(message, hint)| Problem {
                path: format!("rules[{n}]"),
                line: Some(1),
                column: u32::try_from(column).ok(),
                message,
                hint,
            }));
        }
    }
    found
}

/// A key that no event has, whatever comes.
fn strange(key: &str) -> Option<(String, Option<String>)> {
    if KEYS.contains(&key) || key.starts_with("payload.") {
        return None;
    }
    let known = || format!("There are {}, and `payload.` with a field.", KEYS.join(", "));
    let hint = nearest(key, &KEYS).unwrap_or_else(known);
    Some((format!("No event has `{key}`."), Some(hint)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::Provider;
    use serde_json::json;

    fn known(all: bool) -> KnownFields {
        let payload = |n: u32| {
            json!({
                "ref": "refs/heads/main", "after": "4e81b02a77d94e81b02a77d94e81b02a77d94e81", "pusher": { "login": "mei" },
                "commits": [{ "id": n, "added": ["a"] }], "labels": [{ "team": "red" }], "nothing": null,
            })
        };
        let events: Vec<_> = (0..3)
            .map(|n| Event::read(Provider::GitHub, Some("push"), payload(n)).unwrap())
            .collect();
        KnownFields::of(&events, all)
    }

    fn told(rules: &[&str], known: Option<&KnownFields>) -> Vec<(String, u32, String)> {
        let rules: Vec<String> = rules.iter().map(|r| (*r).to_owned()).collect();
        let found = check_rules(&rules, known).warnings;
        found
            .into_iter()
            .map(|p| {
                (
                    p.path.clone(),
                    p.column.unwrap(),
                    [Some(p.message), p.hint]
                        .into_iter()
                        .flatten()
                        .collect::<Vec<_>>()
                        .join(" "),
                )
            })
            .collect()
    }

    #[test]
    fn a_field_that_no_delivery_had_is_told_at_its_column() {
        let known = known(true);
        let fine = [
            "event == push && branch == main",
            "payload.labels.team == red",
            "payload.commits.id == 1",
            "path == a",
        ];
        assert_eq!(told(&fine, Some(&known)), []);
        assert_eq!(
            told(
                &[
                    "branch == main && labels.team == red",
                    "tag == v* || tag == w*",
                    "payload.pusher.logn == x"
                ],
                Some(&known)
            ),
            [
                (
                    "rules[0]".into(),
                    19,
                    "No delivery of this hook ever had `labels.team`. Did you mean `payload.labels.team`?".into()
                ),
                ("rules[1]".into(), 1, "No delivery of this hook ever had `tag`.".into()),
                (
                    "rules[2]".into(),
                    1,
                    "No delivery of this hook ever had `payload.pusher.logn`. Did you mean `payload.pusher.login`?"
                        .into()
                ),
            ]
        );
    }

    #[test]
    fn what_was_not_looked_at_is_not_judged() {
        let some = known(false);
        assert_eq!(
            told(&["tag == v*"], Some(&some))[0].2,
            "None of the last 3 deliveries of this hook had `tag`."
        );
        let full = KnownFields {
            full: true,
            ..known(true)
        };
        assert_eq!(told(&["tag == v* && payload.x == 1"], Some(&full)), []);
        assert_eq!(
            told(&["tag == v* && payload.x == 1"], Some(&KnownFields::default())),
            []
        );
        assert_eq!(told(&["tag == v* && payload.x == 1"], None), []);
        // These no event will ever have.
        assert_eq!(
            told(&["brunch == main"], None)[0].2,
            "No event has `brunch`. Did you mean `branch`?"
        );
        assert!(
            told(&["env.HOME == x"], None)[0]
                .2
                .starts_with("No event has `env.HOME`. There are event, ")
        );
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let many: serde_json::Map<_, _> = (0..2_000).map(|n| (format!("f{n}"), json!(1))).collect();
        let event = Event::read(Provider::Generic, None, many.into()).unwrap();
        let known = KnownFields::of([&event], true);
        assert!(known.full && known.names.len() <= MOST);
    }

    #[test]
    fn mistakes_are_problems_and_not_warnings() {
        let check = check_rules(&["branch = main".into(), "brunch == x".into()], None);
        assert_eq!((check.problems.len(), check.warnings.len()), (1, 1));
        assert_eq!(
            (check.problems[0].path.as_str(), check.problems[0].column),
            ("rules[0]", Some(8))
        );
    }
}
