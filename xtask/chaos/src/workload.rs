//! What is run: plans of a few steps whose output and end are known beforehand, drawn from a seed.
//!
//! **Invariant:** one plan is run once, so a second task of it was doubled by the server; every line of output names its
//! place and follows from the one before, so that what is wrong with an output can be told.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::engine::BRIDGE;

/// Multiplier and modulus of Park and Miller's generator: exact in awk's doubles.
const STEP: (u64, u64) = (16_807, 2_147_483_647);
/// Fills lines up to some 60 bytes.
const PAD: &str = "........................................";
/// What a step that is to be killed by its own time limit may take, in seconds.
const LIMIT: u32 = 4;

/// A task to be.
#[derive(Debug)]
pub struct Work {
    /// Name of its plan; unique.
    pub name: String,
    /// Its jobs, each needing the one before.
    pub jobs: Vec<Vec<Script>>,
    /// Abort it after so many milliseconds.
    pub abort_after: Option<u64>,
}

/// A step to be.
#[derive(Debug)]
pub struct Script {
    /// Unique; what it tells the witness.
    pub key: String,
    seed: u64,
    lines: u64,
    /// Pauses of 50 ms, spread over the output.
    pauses: u64,
    /// Writes to stderr instead of stdout.
    stderr: bool,
    /// Leaves a process behind that outlives it if nobody sweeps.
    leaves: bool,
    allow_failure: bool,
    /// How it ends.
    pub end: End,
}

/// How a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Exit(u8),
    /// Never: its time limit ends it, after all its output.
    Limit,
    /// Not by itself: it was lost with the engine below it, or failed as its output could not be stored.
    Cut(Cut),
}

/// How what a fault may cost ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The engine went away.
    Lost,
    /// The disk is full.
    Failed,
}

impl Cut {
    /// The word for it.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Failed => "failed",
        }
    }
}

/// Where steps run, and so how they speak to the witness.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// Processes of this machine; the witness's port on loopback.
    Here(u16),
    /// Containers; its port at the engine's bridge.
    Container(u16),
}

impl Place {
    /// The shell that has what a step needs, and how it tells the witness something and waits for the answer.
    fn words(self) -> (&'static str, String) {
        match self {
            Self::Here(port) => (
                "bash",
                format!(
                    "tell() {{ exec 3<>/dev/tcp/127.0.0.1/{port} && echo \"$*\" >&3 && read -r _ <&3; exec 3>&-; }}"
                ),
            ),
            Self::Container(port) => (
                "sh",
                format!("tell() {{ echo \"$*\" | nc {BRIDGE} {port} >/dev/null; }}"),
            ),
        }
    }

    /// What awk runs to pause behind line `n`: a container's tells how far it is, for it may be lost before its end.
    fn pause(self, key: &str) -> String {
        match self {
            Self::Here(_) => r#"system("sleep 0.05")"#.to_owned(),
            Self::Container(port) => {
                format!(r#"system("echo at " (n - 1) " {key} | nc {BRIDGE} {port} >/dev/null; sleep 0.05")"#)
            }
        }
    }
}

impl Work {
    /// Draws a task; `large` asks for one with 5 MB of output.
    pub fn draw(random: &mut StdRng, name: String, large: bool) -> Self {
        let jobs = (0..random.random_range(1..=2))
            .map(|job| {
                let steps = random.random_range(1..=3);
                (0..steps)
                    .map(|step| Script::draw(random, format!("{name}/{job}/{step}"), large && step == 0))
                    .collect()
            })
            .collect();
        let abort_after = random.random_bool(0.2).then(|| random.random_range(0..2500));
        Self {
            name,
            jobs,
            abort_after,
        }
    }

    /// A task of one step that takes at least this long and passes.
    pub fn plain(random: &mut StdRng, name: String, lasts: Duration) -> Self {
        let script = Script {
            key: format!("{name}/0/0"),
            seed: random.random_range(1..STEP.1),
            lines: 100,
            pauses: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX) / 50,
            stderr: false,
            leaves: false,
            allow_failure: false,
            end: End::Exit(0),
        };
        Self {
            name,
            jobs: vec![vec![script]],
            abort_after: None,
        }
    }

    /// The plan document; JSON is YAML.
    pub fn document(&self, run: &str, place: Place) -> String {
        let mut jobs = serde_json::Map::new();
        for (number, steps) in self.jobs.iter().enumerate() {
            let steps: Vec<Value> = steps.iter().map(|s| s.document(place)).collect();
            let mut job = json!({ "steps": steps });
            if number > 0 {
                job["needs"] = json!([format!("job{}", number - 1)]);
            }
            jobs.insert(format!("job{number}"), job);
        }
        json!({
            "name": self.name,
            "env": { "CHAOS_RUN": run },
            "jobs": jobs,
        })
        .to_string()
    }

    /// How each job and step ends when nobody aborts, but for what was `cut` (job, step; without a step, its set-up):
    /// `None` for a step that is skipped.
    pub fn expected(&self, cut: impl Fn(usize, Option<usize>) -> Option<Cut>) -> Vec<(&'static str, Vec<Option<End>>)> {
        let mut above = "passed";
        let mut out = Vec::new();
        for (number, steps) in self.jobs.iter().enumerate() {
            let mut outcome = match above {
                "passed" => cut(number, None).map_or("passed", Cut::outcome),
                _ => "skipped",
            };
            let mut ends = Vec::new();
            for (index, step) in steps.iter().enumerate() {
                if outcome != "passed" {
                    ends.push(None);
                    continue;
                }
                let end = cut(number, Some(index)).map_or(step.end, End::Cut);
                ends.push(Some(end));
                outcome = match end {
                    End::Cut(cut) => cut.outcome(),
                    End::Exit(0) => "passed",
                    _ if step.allow_failure => "passed",
                    End::Exit(_) => "failed",
                    End::Limit => "timed_out",
                };
            }
            above = outcome;
            out.push((outcome, ends));
        }
        out
    }
}

impl Script {
    fn draw(random: &mut StdRng, key: String, large: bool) -> Self {
        let end = match random.random_range(0..20) {
            0 => End::Limit,
            1..=3 => End::Exit(random.random_range(1..=125)),
            _ => End::Exit(0),
        };
        let lines = match (large, random.random_range(0..4)) {
            _ if end == End::Limit => 20,
            (true, _) => 90_000,
            (_, 0) => random.random_range(0..3),
            (_, 1) => random.random_range(2_000..20_000),
            _ => random.random_range(10..300),
        };
        Self {
            key,
            seed: random.random_range(1..STEP.1),
            lines,
            pauses: if end == End::Limit {
                0
            } else {
                random.random_range(0..25)
            },
            stderr: random.random_bool(0.25),
            leaves: random.random_bool(0.3),
            allow_failure: random.random_bool(0.3),
            end,
        }
    }

    fn document(&self, place: Place) -> Value {
        let to = if self.stderr { "1>&2" } else { "" };
        let left = if self.leaves {
            "setsid sleep 3600 </dev/null >/dev/null 2>&1 &"
        } else {
            ""
        };
        let every = self.lines / (self.pauses + 1) + 1;
        let pauses = self.pauses;
        let (lines, seed, key) = (self.lines, self.seed, &self.key);
        let end = match self.end {
            End::Exit(code) => format!("tell end {key}; exit {code}"),
            End::Limit | End::Cut(_) => format!("tell end {key}; sleep 3600"),
        };
        let (shell, tell) = place.words();
        let pause = place.pause(key);
        // A step without lines enough for its pauses makes up for them before its end.
        let script = format!(
            r#"{tell}
tell start {key}
{left}
awk 'BEGIN {{
  x = {seed}; paused = 0
  for (n = 1; n <= {lines}; n++) {{
    x = (x * {mul}) % {modulus}
    printf "%d %d {PAD}\n", n, x
    if (n % {every} == 0) {{ fflush(); {pause}; paused++ }}
  }}
  printf "end of {key}"
  fflush()
  for (; paused < {pauses}; paused++) {pause}
}}' {to}
{end}"#,
            mul = STEP.0,
            modulus = STEP.1,
        );
        let mut step = json!({
            "name": self.key,
            "command": [shell, "-c", script],
            "allow_failure": self.allow_failure,
        });
        if self.end == End::Limit {
            step["timeout"] = json!(format!("{LIMIT}s"));
        }
        step
    }

    /// Every byte it writes.
    pub fn output(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut x = self.seed;
        for n in 1..=self.lines {
            x = x * STEP.0 % STEP.1;
            out.extend_from_slice(format!("{n} {x} {PAD}\n").as_bytes());
        }
        out.extend_from_slice(format!("end of {}", self.key).as_bytes());
        out
    }

    /// How many bytes its first lines are.
    pub fn bytes(written: &[u8], lines: u64) -> usize {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        written
            .split_inclusive(|b| *b == b'\n')
            .take(lines)
            .map(<[u8]>::len)
            .sum()
    }
}
