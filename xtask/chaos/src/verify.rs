//! What must hold of every task when all is quiet: it exists once, ended as its steps did, ran once, and its output is what
//! was written; where a fault may cost a step, that step is lost, says why, and has its output up to there.
//!
//! **Invariant:** what is compared comes from the seed and the witness on one side and from REST on the other.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::fault::Toll;
use crate::http::Client;
use crate::output;
use crate::submit::Asked;
use crate::witness::Witness;
use crate::workload::{Cut, End, Script};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// One sentence each.
    pub violations: Vec<String>,
    /// Steps looked at.
    pub steps: u64,
    /// Bytes of output compared.
    pub bytes: u64,
    /// Gaps that the server itself shows.
    pub gaps: u64,
    /// Steps that were lost where that may be.
    pub lost: u64,
}

/// Looks at one task.
///
/// # Errors
/// When the server does not answer.
pub async fn verify(client: &Client, witness: &Witness, asked: &Asked, toll: Toll, found: &mut Found) -> Result<()> {
    let id = asked.task;
    let list = client
        .get(&format!("/api/v1/tasks?plan={}&limit=200", asked.plan))
        .await?
        .json()?;
    let made = list["items"].as_array().context("no items")?;
    if made.len() != 1 || made[0]["id"] != id {
        let ids: Vec<_> = made.iter().map(|t| t["id"].to_string()).collect();
        found.wrong(format!("task {id} was asked for once, there are {ids:?} (I1)"));
    }
    let task = client.get(&format!("/api/v1/tasks/{id}")).await?.json()?;
    if task["finished_at"].is_null() {
        found.wrong(format!("task {id} is stuck: {} (I6)", task["status"]));
        return Ok(());
    }
    let jobs = task["jobs"].as_array().context("no jobs")?;
    let expected = asked.work.expected(|job, step| cut(jobs, job, step, toll));
    let worst = ["lost", "timed_out", "failed", "passed"]
        .into_iter()
        .find(|o| expected.iter().any(|(outcome, _)| outcome == o))
        .unwrap_or("skipped");
    let status = task["status"].as_str().unwrap_or_default();
    if status != worst && !(asked.aborted && status == "aborted") {
        found.wrong(format!(
            "task {id} is {status} ({}), expected {worst} (I4)",
            task["reason"]
        ));
    }
    let mut concatenated = Vec::new();
    for (number, (outcome, ends)) in expected.iter().enumerate() {
        let name = format!("job{number}");
        let Some(job) = jobs.iter().find(|j| j["name"] == name.as_str()) else {
            found.wrong(format!("task {id} has no {name} (I1)"));
            continue;
        };
        if job["status"] != *outcome && !asked.aborted {
            found.wrong(format!(
                "task {id} {name} is {} ({}), expected {outcome} (I4)",
                job["status"], job["reason"]
            ));
        }
        if job["attempt"] != 1 {
            found.wrong(format!("task {id} {name} has had {} attempts (I3)", job["attempt"]));
        }
        let steps = job["steps"].as_array().context("no steps")?;
        for ((script, end), step) in asked.work.jobs[number].iter().zip(ends).zip(steps) {
            let console = one(client, witness, script, *end, step, asked.aborted, found).await?;
            concatenated.extend_from_slice(&console);
        }
    }
    let whole = client.get(&format!("/api/v1/tasks/{id}/console")).await?;
    if whole.body != concatenated {
        found.wrong(format!(
            "task {id}: its console is not that of its steps, {} against {} bytes (I5)",
            whole.body.len(),
            concatenated.len()
        ));
    }
    Ok(())
}

/// How a step, or a job's set-up, was cut short as the round's fault may cost: it says so, and what went away.
fn cut(jobs: &[Value], job: usize, step: Option<usize>, toll: Toll) -> Option<Cut> {
    let name = format!("job{job}");
    let job = jobs.iter().find(|j| j["name"] == name.as_str())?;
    let (why, status) = match step {
        Some(step) => (&job["steps"][step]["error"], &job["steps"][step]["status"]),
        None => (&job["reason"], &job["status"]),
    };
    let (cut, words): (_, &[&str]) = match toll {
        Toll::Nothing => return None,
        Toll::Engine => (Cut::Lost, &["Docker"]),
        Toll::AgentDisk => (Cut::Failed, &["disk is full", "No space left on device"]),
    };
    let before = || {
        job["steps"]
            .as_array()
            .is_some_and(|s| s.iter().all(|s| s["status"] == "skipped"))
    };
    let said = why
        .as_str()
        .is_some_and(|why| words.iter().any(|word| why.contains(word)));
    (*status == cut.outcome() && said && (step.is_some() || before())).then_some(cut)
}

/// Looks at one step; its console.
async fn one(
    client: &Client,
    witness: &Witness,
    script: &Script,
    end: Option<End>,
    step: &Value,
    aborted: bool,
    found: &mut Found,
) -> Result<Vec<u8>> {
    let key = &script.key;
    let (status, code) = (step["status"].as_str().unwrap_or_default(), &step["exit_code"]);
    let as_written = match end {
        None => status == "skipped",
        Some(End::Limit) => status == "timed_out",
        Some(End::Cut(cut)) => status == cut.outcome(),
        Some(End::Exit(0)) => status == "passed" && *code == 0,
        Some(End::Exit(own)) => status == "failed" && *code == own,
    };
    let cut = aborted && matches!(status, "aborted" | "skipped");
    if !as_written && !cut {
        found.wrong(format!(
            "step {key} is {status} with {code} ({}), expected {end:?} (I4)",
            step["error"]
        ));
    }
    let seen = witness.seen(key);
    let starts = match (end, cut) {
        (None, _) => 0..=0,
        (Some(End::Cut(_)), _) | (_, true) => 0..=1,
        (Some(_), false) => 1..=1,
    };
    if !starts.contains(&seen.starts) || seen.ends > seen.starts {
        found.wrong(format!(
            "step {key} ({status}) started {} times and ended {} times (I3)",
            seen.starts, seen.ends
        ));
    }
    let console = client.get(&format!("/api/v1/steps/{}/console", step["id"])).await?;
    if console.status != 200 {
        found.wrong(format!("the console of step {key} answers {} (I5)", console.status));
        return Ok(Vec::new());
    }
    found.steps += 1;
    found.bytes += console.body.len() as u64;
    let (gaps, missing) = console.header("caracal-gaps").map(gaps).unwrap_or_default();
    found.gaps += gaps;
    let cut_short = matches!(end, Some(End::Cut(_)));
    found.lost += u64::from(cut_short);
    // What never started wrote nothing.
    let written = if seen.starts > 0 { script.output() } else { Vec::new() };
    // What was cut short may lack its end, and says so or not; it never lacks anything else.
    let whole = seen.ends > 0 && !cut_short;
    if gaps > 0 && !cut_short {
        // A gap at the end of one step is at the end of those too that wrote nothing behind it.
        let (stored, all) = (console.body.len() as u64, written.len() as u64);
        // Who was ended before its end had not written all of it.
        if seen.starts > 0 && missing.is_some_and(|m| m + stored > all || (whole && m + stored < all)) {
            found.wrong(format!("the gaps of step {key} do not add up (I5)"));
        }
    } else if let Some(what) = output::wrong(&console.body, &written, whole) {
        found.wrong(format!("the console of step {key} ({status}): {what} (I5)"));
    } else if cut_short && gaps == 0 {
        let least = Script::bytes(&written, seen.lines);
        if console.body.len() < least {
            found.wrong(format!(
                "step {key} was cut short with {} bytes of output and no gap, and had written {least} before (I5)",
                console.body.len()
            ));
        }
    }
    Ok(console.body)
}

/// Reads `2; bytes=4096; unknown=1`: how many gaps, and how many bytes are missing if that is known.
fn gaps(header: &str) -> (u64, Option<u64>) {
    let mut parts = header.split(';').map(str::trim);
    let number = parts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let (mut bytes, mut unknown) = (0, 0);
    for part in parts {
        match part.split_once('=') {
            Some(("bytes", n)) => bytes = n.parse().unwrap_or(0),
            Some(("unknown", n)) => unknown = n.parse().unwrap_or(0),
            _ => {}
        }
    }
    (number, (unknown == 0).then_some(bytes))
}

impl Found {
    /// Notes a violation.
    pub fn wrong(&mut self, what: String) {
        self.violations.push(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_as_the_server_says_them() {
        assert_eq!(gaps("0"), (0, Some(0)));
        assert_eq!(gaps("2; bytes=4096"), (2, Some(4096)));
        assert_eq!(gaps("2; bytes=4096; unknown=1"), (2, None));
    }
}
