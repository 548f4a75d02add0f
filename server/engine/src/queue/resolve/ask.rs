//! What is asked of a source for tasks: where a branch stands, and what a file says at a commit.
//!
//! **Invariant:** a file is read at the very commit its task builds, and decides nothing about where that comes from.

use super::super::enqueue::{jobs_of, short};
use super::Resolver;
use crate::outgoing::git::Remote;
use crate::store::plans::Document;
use crate::store::tasks::held::{Found, Unread};
use domain::Problem;
use domain::git::{Head, place_of};
use domain::plan::{Plan, document};
use domain::time::human_duration;
use std::time::Duration;

/// The longest an answer may take: head and file.
const LONGEST: Duration = Duration::from_secs(180);

/// What is asked of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub url: String,
    pub branch: Option<String>,
    /// The exact commit, where it is known.
    pub revision: Option<String>,
    /// The plan whose file is to be read, JSON.
    pub plan: Option<String>,
}

/// Why a task cannot be.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    /// One sentence or two.
    pub reason: String,
    /// The file that it is about.
    pub file: Option<Box<Unread>>,
}

impl Failed {
    fn because(reason: String) -> Self {
        Self { reason, file: None }
    }
}

impl Resolver {
    pub(super) async fn ask(&self, question: &Question) -> Result<Found, Failed> {
        let host = place_of(&question.url).map_or("this machine", |(host, _)| host);
        self.gate
            .within(host, LONGEST, self.asked(question))
            .await
            .unwrap_or_else(|_| {
                let took = human_duration(i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX));
                Err(Failed::because(format!(
                    "The source {} did not answer within {took}.",
                    question.url
                )))
            })
    }

    async fn asked(&self, question: &Question) -> Result<Found, Failed> {
        let remote = match self.remotes.at(&question.url).await {
            Ok(Ok(remote)) => remote,
            Ok(Err(shut)) => return Err(Failed::because(shut.words().to_owned())),
            Err(e) => {
                tracing::error!(error = %e, "The repositories cannot be read: {e}");
                return Err(Failed::because("The server's database could not be read.".into()));
            }
        };
        let head = match &question.revision {
            Some(revision) => Head {
                revision: revision.clone(),
                branch: question.branch.clone(),
            },
            None => {
                let found = self.git.head(&remote, question.branch.as_deref()).await;
                found.map_err(|fault| Failed::because(fault.sentence))?
            }
        };
        let plan: Option<Plan> = question.plan.as_deref().and_then(|p| serde_json::from_str(p).ok());
        let read = match &plan {
            Some(plan) => Some(self.file(&remote, &head.revision, plan).await?),
            None => None,
        };
        Ok(Found {
            build: short(&head.revision),
            revision: head.revision,
            branch: head.branch,
            read,
        })
    }

    /// Reads the file of a plan, and what comes of it.
    async fn file(&self, remote: &Remote, revision: &str, plan: &Plan) -> Result<ReadFile, Failed> {
        let path = plan.file.clone().unwrap_or_default();
        let at = short(revision);
        let told = |reason: String, body: Option<String>, problems: Vec<Problem>| Failed {
            reason,
            file: Some(Box::new(Unread {
                path: path.clone(),
                revision: Some(revision.to_owned()),
                build: Some(at.clone()),
                body,
                problems,
            })),
        };
        let bytes = self.git.file_at(remote, revision, &path).await;
        let Some(bytes) = bytes.map_err(|fault| told(fault.sentence, None, Vec::new()))? else {
            let why = format!(
                "There is no file `{path}` at {at} in {}. Commit one, or give the plan its jobs here.",
                remote.url
            );
            return Err(told(why, None, Vec::new()));
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(told(
                format!("`{path}` at {at} is no text: it is not UTF-8."),
                None,
                Vec::new(),
            ));
        };
        match document::read_file(&text, &self.rules, plan) {
            Ok(plan) => {
                let ours =
                    |e: crate::store::Error| Failed::because(format!("The plan that was read cannot be kept: {e}."));
                let jobs = jobs_of(&plan).map_err(ours)?;
                Ok((Document::new(text, &plan).map_err(ours)?, jobs))
            }
            Err(problems) => Err(told(summary(&path, &at, &problems), Some(text), problems)),
        }
    }
}

type ReadFile = (Document, Vec<crate::store::tasks::NewJob>);

/// What is wrong with a file, in one sentence: the first of it, and how much more.
fn summary(path: &str, at: &str, problems: &[Problem]) -> String {
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    let more = match problems.len() {
        0 | 1 => String::new(),
        2 => " One more thing is wrong with it.".into(),
        n => format!(" {} more things are wrong with it.", n - 1),
    };
    format!("`{path}` at {at} is no plan: {first}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_the_first_place_and_counts_the_rest() {
        let problem = |line| Problem {
            line: Some(line),
            column: Some(5),
            ..Problem::field("steps[0].rn", "A step has no key `rn`.")
        };
        let two = [problem(3), problem(9)];
        assert_eq!(
            summary(".caracal.yml", "1a2b3c", &two),
            "`.caracal.yml` at 1a2b3c is no plan: line 3, column 5: A step has no key `rn`. One more thing is wrong with it."
        );
        assert!(summary(".caracal.yml", "1a2b3c", &two[..1]).ends_with("`rn`."));
    }
}
