//! What broke a task, in one sentence, and the lines that show it.
//!
//! **Invariant:** the sentence comes from states and exit codes alone; lines are only quoted, never interpreted as facts.

use super::api::Shown;
use domain::console::view::{Line, Run};
use domain::status::{Outcome, StepKind};
use domain::task::{JobView, StepView, TaskView};
use domain::time::human_duration;
use domain::{JobId, StepId};
use serde::{Deserialize, Serialize};

/// Most lines a failure quotes.
const QUOTED: usize = 10;

/// What broke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The job that ended badly.
    pub job: JobId,
    /// Its name, and whether the task has others.
    pub job_name: Option<String>,
    /// The step that ended it.
    pub step: Option<StepId>,
    /// The step's name; without a step, the job's.
    pub name: String,
    /// What the name did, as `ended with exit code 101`.
    pub what: String,
    /// Why, where the server knows more than the exit.
    pub why: Option<String>,
    /// Lines of the step, with those that stand out.
    pub lines: Vec<Quoted>,
    /// The line to go to.
    pub line: Option<i64>,
}

/// A quoted line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quoted {
    /// Whether it stands out.
    pub hot: bool,
    /// Its text.
    pub runs: Vec<Run>,
}

/// The failure of a job, without lines yet.
pub fn of(task: &TaskView, job: &JobView, step: Option<&StepView>) -> Failure {
    let what = match step {
        Some(s) => ending(s),
        None => match job.status.outcome() {
            Some(Outcome::Lost) => "was lost".to_owned(),
            Some(Outcome::TimedOut) => "ran past its time".to_owned(),
            _ => "failed".to_owned(),
        },
    };
    let reason = job.reason.clone().or_else(|| task.reason.clone());
    let why = step
        .and_then(|s| s.error.clone())
        .or(reason)
        .filter(|w| !w.trim().is_empty());
    Failure {
        job: job.id,
        job_name: (step.is_some() && (task.jobs.len() > 1 || job.name != "default")).then(|| job.name.clone()),
        step: step.map(|s| s.id),
        name: step.map_or_else(|| job.name.clone(), |s| s.name.clone()),
        what,
        // A sentence that says the same again helps nobody.
        why: why.filter(|w| !step.is_some_and(|s| s.exit_code.is_some() && w.contains("exit code"))),
        lines: Vec::new(),
        line: None,
    }
}

/// How a step ended, as the end of a sentence that begins with its name.
pub fn ending(step: &StepView) -> String {
    let after = match (step.started_at, step.finished_at) {
        (Some(from), Some(to)) => Some(human_duration(to.since(from))),
        _ => None,
    };
    match (step.status.outcome(), step.exit_code, step.signal) {
        (Some(Outcome::TimedOut), ..) => after.map_or("ran past its time".into(), |a| {
            format!("ran past its time and was ended after {a}")
        }),
        (Some(Outcome::Lost), ..) => "was lost with its agent or engine".into(),
        (Some(Outcome::Aborted), ..) => "was aborted".into(),
        (Some(Outcome::Skipped), ..) => "was skipped".into(),
        (_, Some(code), _) => format!("ended with exit code {code}"),
        (_, None, Some(signal)) => format!("was ended by signal {signal}{}", signal_name(signal)),
        (Some(Outcome::Failed), ..) if step.kind == StepKind::Setup => "failed before the first step".into(),
        (Some(Outcome::Failed), ..) => "could not be run".into(),
        _ => "ended".into(),
    }
}

fn signal_name(signal: i64) -> &'static str {
    match signal {
        2 => " (INT)",
        6 => " (ABRT)",
        9 => " (KILL: perhaps it used too much memory)",
        11 => " (SEGV)",
        15 => " (TERM)",
        _ => "",
    }
}

/// Words by which programs of many kinds say that this is where it went wrong.
const SIGNS: [&str; 12] = [
    "panicked at",
    "error:",
    "error[",
    "fatal:",
    "failed",
    "traceback (most",
    "exception",
    "assertion",
    "undefined reference",
    "cannot find",
    "no such file",
    "not found",
];

fn stands_out(text: &str) -> bool {
    let text = text.to_lowercase();
    SIGNS.iter().any(|s| text.contains(s)) && !text.contains("0 failed")
}

impl Failure {
    /// Quotes from the step's last lines: around the first of them that stands out, else the end.
    pub fn quote(&mut self, tail: &[Line]) {
        let texts: Vec<(i64, &Vec<Run>, bool)> = tail
            .iter()
            .filter_map(|l| match l {
                Line::Text { n, runs, .. } => {
                    let text: String = runs.iter().map(|r| r.text.as_str()).collect();
                    Some((*n, runs, stands_out(&text)))
                }
                Line::Gap { .. } => None,
            })
            .collect();
        let Some(last) = texts.len().checked_sub(1) else { return };
        // The last stretch that stands out: earlier ones are often warnings that were survived.
        let hot = texts.iter().rposition(|t| t.2).map(|end| {
            let near = |i: &usize| texts[i.saturating_sub(6)..*i].iter().any(|t| t.2);
            let mut start = end;
            while start > 0 && near(&start) {
                start -= 1;
            }
            (start..=end).find(|i| texts[*i].2).unwrap_or(end)
        });
        let first = match hot {
            Some(at) => at
                .saturating_sub(2)
                .min((last + 1).saturating_sub(QUOTED))
                .max(at.saturating_sub(QUOTED - 1)),
            None => (last + 1).saturating_sub(QUOTED),
        };
        self.line = Some(texts[hot.unwrap_or(last)].0);
        self.lines = texts[first..]
            .iter()
            .take(QUOTED)
            .map(|t| Quoted {
                hot: t.2,
                runs: t.1.clone(),
            })
            .collect();
        while self.lines.last().is_some_and(|l| l.runs.is_empty()) {
            self.lines.pop();
        }
    }
}

/// Whether a piece of console has anything to show.
pub fn is_blank(shown: &Shown) -> bool {
    shown.lines.items.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::select::tests::{step, task};
    use super::*;
    use domain::console::view::Stream;
    use domain::status::{JobStatus, StepStatus, TaskStatus};

    fn lines(texts: &[&str]) -> Vec<Line> {
        (1..)
            .zip(texts)
            .map(|(n, t)| Line::Text {
                n,
                at: None,
                stream: Stream::Stdout,
                runs: vec![Run {
                    text: (*t).to_owned(),
                    style: String::new(),
                }],
            })
            .collect()
    }

    #[test]
    fn the_sentence_says_how_it_ended() {
        let failed = step(1, StepStatus::Failed);
        for (change, want) in [
            (StepView { ..failed.clone() }, "ended with exit code 101"),
            (
                StepView {
                    exit_code: None,
                    signal: Some(15),
                    ..failed.clone()
                },
                "was ended by signal 15 (TERM)",
            ),
            (
                StepView {
                    exit_code: None,
                    ..failed.clone()
                },
                "could not be run",
            ),
            (
                StepView {
                    exit_code: None,
                    kind: StepKind::Setup,
                    ..failed.clone()
                },
                "failed before the first step",
            ),
            (
                step(1, StepStatus::TimedOut),
                "ran past its time and was ended after 1m",
            ),
            (step(1, StepStatus::Lost), "was lost with its agent or engine"),
        ] {
            assert_eq!(ending(&change), want);
        }
    }

    #[test]
    fn it_quotes_the_lines_that_stand_out() {
        let t = task(
            TaskStatus::Failed,
            vec![(JobStatus::Failed, vec![step(1, StepStatus::Failed)])],
        );
        let (job, failed) = super::super::select::broken(&t).unwrap();
        let mut f = of(&t, job, failed);
        let mut text = vec!["compiling"; 50];
        text.extend([
            "---- stdout ----",
            "",
            "thread 'x' panicked at src/a.rs:1:",
            "assertion failed",
            " left: 2",
            "note: backtrace",
        ]);
        f.quote(&lines(&text));
        assert_eq!(f.line, Some(53));
        assert!(
            f.lines.len() <= QUOTED && f.lines.iter().filter(|l| l.hot).count() == 2,
            "{f:?}"
        );
        // Nothing that stands out: the end.
        let mut f = of(&t, job, failed);
        f.quote(&lines(&["a", "b", "c"]));
        assert_eq!((f.line, f.lines.len()), (Some(3), 3));
        let mut f = of(&t, job, failed);
        f.quote(&[]);
        assert_eq!((f.line, f.lines.len()), (None, 0));
    }
}
