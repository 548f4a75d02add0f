//! Agents: what they report and how they are shown.
//!
//! **Invariant:** what an agent reports is hostile data; it never decides its own name, id or rights.

use crate::label::Labels;
use crate::status::{AgentStatus, Availability, ExecutorKind};
use crate::{AgentId, AgentTokenId, JobId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an agent says of its machine at connect and on change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Facts {
    /// Host name.
    pub hostname: String,
    /// Operating system, as `linux`.
    pub os: String,
    /// Architecture, as Go and Docker name it: `amd64`, `arm64`.
    pub arch: String,
    /// Cores.
    pub cpus: u32,
    /// Memory, bytes.
    pub memory: u64,
    /// Disk of its data folder, bytes.
    pub disk_total: u64,
    /// Free there, bytes.
    pub disk_free: u64,
    /// The engine with its version, as `Docker 20.10.24`; `None` for processes.
    pub engine: Option<String>,
    /// Why the engine cannot be used now, if it cannot.
    pub engine_error: Option<String>,
    /// Why nothing can be stored on its disk now, if it cannot: it takes no job then, whatever the executor.
    #[serde(default)]
    pub disk_error: Option<String>,
    /// Executors it offers, the default first.
    pub executors: Vec<ExecutorKind>,
    /// Whether process steps are confined by Landlock.
    pub landlock: bool,
    /// Version of the program.
    pub version: String,
}

/// How busy an agent's machine is, as it says with a heartbeat. Kept in memory alone: it is old when a server starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Load {
    /// When it was sampled, by the agent's clock.
    pub at: Timestamp,
    /// Of all its cores, percent, since the sample before.
    pub cpu_percent: u32,
    /// Memory in use, bytes.
    pub memory_used: u64,
    /// Free disk below its data folder, bytes.
    pub disk_free: u64,
}

/// A clock that is off by more than this is shown as a warning, milliseconds. Nothing is decided by it.
pub const CLOCK_FAR_MS: i64 = 60_000;

/// Whether two findings of how far a clock is off (`None`: not far) are the same to a person.
#[must_use]
pub fn same_clock(a: Option<i64>, b: Option<i64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.saturating_sub(b).saturating_abs() <= CLOCK_FAR_MS,
        _ => false,
    }
}

/// An agent as the API and the page show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentView {
    /// Its id.
    pub id: AgentId,
    /// Its name; the built-in one is `builtin`.
    pub name: String,
    /// Whether it is heard.
    pub status: AgentStatus,
    /// Whether it takes jobs.
    pub availability: Availability,
    /// The note of a pause.
    pub note: Option<String>,
    /// Who paused it.
    #[serde(default)]
    pub paused_by: Option<String>,
    /// When the pause ends by itself.
    #[serde(default)]
    pub paused_until: Option<Timestamp>,
    /// Whether its own program was told to stop: it ends what it has and goes.
    #[serde(default)]
    pub leaving: bool,
    /// Whether it is the one inside the server.
    #[serde(default)]
    pub builtin: bool,
    /// All its labels, reported and set.
    pub labels: Labels,
    /// Those an admin set; they win over what it reports.
    #[serde(default)]
    pub labels_set: Labels,
    /// Jobs it may run at once.
    pub slots: i64,
    /// Jobs at once by its own word; `slots` differs where an admin set another number.
    #[serde(default)]
    pub slots_reported: i64,
    /// What runs on it.
    pub running: Vec<SlotView>,
    /// What it says of its machine.
    pub facts: Facts,
    /// How busy its machine is, where it said so since the server started.
    #[serde(default)]
    pub load: Option<Load>,
    /// How far its clock is ahead of the server's, milliseconds, where that is more than a minute.
    #[serde(default)]
    pub clock_off_ms: Option<i64>,
    /// When it was last heard.
    pub seen_at: Option<Timestamp>,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// Rises with each change a person makes.
    pub version: i64,
}

/// A busy slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SlotView {
    /// The task.
    pub task_id: TaskId,
    /// The job.
    pub job_id: JobId,
    /// The plan's name.
    pub plan: String,
    /// The job's name.
    pub job: String,
    /// When it was assigned.
    pub since: Timestamp,
}

/// A change of an agent (`PATCH`). What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchAgent {
    /// The version it was read at.
    pub version: i64,
    /// Another name.
    #[serde(default)]
    pub name: Option<String>,
    /// Pause, resume or drain.
    #[serde(default)]
    pub availability: Option<Availability>,
    /// Note of a pause or a drain.
    #[serde(default)]
    pub note: Option<String>,
    /// When the pause ends by itself; until someone resumes it when absent.
    #[serde(default)]
    pub paused_until: Option<Timestamp>,
    /// Labels over those it reports, all of them: what is left out is no longer set.
    #[serde(default)]
    pub labels: Option<Labels>,
    /// Jobs at once, over what it reports; 0 for what it reports.
    #[serde(default)]
    pub slots: Option<u32>,
}

/// A token to be that registers agents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentTokenWish {
    /// Agents it registers, 1 to 1000; 1 when absent.
    #[serde(default)]
    pub uses: Option<u32>,
    /// When it ends, at most a year from now; in an hour when absent.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Labels set on each agent it registers, over those the agent reports.
    #[serde(default)]
    pub labels: Labels,
}

/// A token that registers agents, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentTokenView {
    /// Its id.
    pub id: AgentTokenId,
    /// Agents it may register in all.
    pub uses: i64,
    /// How many of them are left.
    pub uses_left: i64,
    /// Labels set on each of them.
    pub labels: Labels,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Agents it has registered, oldest first; those removed since are left out.
    pub agents: Vec<AgentName>,
}

/// An agent by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentName {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
}

/// A token just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewAgentToken {
    /// The secret, shown once.
    pub token: String,
    /// The rest.
    #[serde(flatten)]
    pub view: AgentTokenView,
}

/// Labels as people write them: `key=value`, one a line or parted by blanks or commas.
///
/// # Errors
/// One sentence for the first that is none.
pub fn parse_labels(text: &str) -> Result<Labels, String> {
    let parts = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|p| !p.is_empty());
    let mut labels = Labels::new();
    for part in parts {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!("`{part}` is not a label: write `key=value`, as `pool=fast`."));
        };
        labels.insert(key.to_owned(), value.to_owned());
    }
    check_labels(&labels)?;
    Ok(labels)
}

/// Whether labels are such that a condition can name them.
///
/// # Errors
/// One sentence for the first that is not.
pub fn check_labels(labels: &Labels) -> Result<(), String> {
    const MOST: usize = 64;
    if labels.len() > MOST {
        return Err(format!("An agent has at most {MOST} labels."));
    }
    for (key, value) in labels {
        let sound = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if !key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || !key.chars().all(sound) || key.len() > 100
        {
            return Err(format!(
                "`{key}` cannot be a label's key: it starts with a letter and has letters, digits and . _ - / alone."
            ));
        }
        if key == "agent" {
            return Err("`agent` is no label: conditions know the agent's name by it.".into());
        }
        if value.is_empty() || value.chars().count() > 200 || value.chars().any(char::is_control) {
            return Err(format!(
                "The value of label `{key}` is empty or longer than 200 characters."
            ));
        }
    }
    Ok(())
}

/// Whether an agent may be called so: letters, digits and `. _ -`, at most 64, beginning with a letter or digit.
///
/// # Errors
/// One sentence.
pub fn check_name(name: &str) -> Result<(), String> {
    let sound = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let why = match name.chars().next() {
        None => "it is empty",
        Some(c) if !c.is_alphanumeric() => "it begins with a letter or digit",
        _ if name.chars().count() > 64 => "it has at most 64 characters",
        _ if !name.chars().all(sound) => "it has letters, digits and . _ - alone",
        _ => return Ok(()),
    };
    Err(format!("`{name}` cannot be an agent's name: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_people_write_them() {
        let labels = parse_labels("pool=fast, gpu=yes\nos=linux").expect("sound");
        let all: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(all, ["gpu=yes", "os=linux", "pool=fast"]);
        assert_eq!(parse_labels("  ").expect("none"), Labels::new());
        for (text, part) in [
            ("fast", "write `key=value`"),
            ("=x", "cannot be a label's key"),
            ("1a=x", "starts with a letter"),
            ("pool=", "is empty"),
            ("agent=x", "no label"),
            ("ä=x", "cannot be"),
        ] {
            assert!(parse_labels(text).is_err_and(|e| e.contains(part)), "{text}");
        }
        let many: String = (0..65).map(|i| format!("k{i}=v ")).collect();
        assert!(parse_labels(&many).is_err_and(|e| e.contains("at most 64")));
    }

    #[test]
    fn names_are_words() {
        for name in ["kiln-1", "a", "build.example.org", "mäc_2"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", "a b", "a/b", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
