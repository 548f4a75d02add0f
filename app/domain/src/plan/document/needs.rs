//! The order of jobs: `needs` names jobs that exist, and nothing waits for itself.
//!
//! **Invariant:** after `check` without a note, the jobs can be run in some order.

use super::reader::Reader;
use super::report::{Place, nearest};
use super::tree::short;
use crate::plan::Job;
use std::collections::HashMap;

/// One entry of a `needs`: the job that has it, its path and place, and the key it names.
pub(super) struct Need {
    pub job: usize,
    pub path: String,
    pub place: Place,
    pub key: String,
}

impl Reader<'_> {
    /// Puts the needs into the jobs and notes what cannot be.
    pub fn needs(&mut self, jobs: &mut [Job], needs: &[Need]) {
        let index: HashMap<String, usize> = jobs.iter().enumerate().map(|(i, j)| (j.key.clone(), i)).collect();
        let keys: Vec<&str> = index.keys().map(String::as_str).collect();
        let mut edges: Vec<Vec<(usize, &Need)>> = vec![Vec::new(); jobs.len()];
        for need in needs {
            let own = jobs[need.job].key.clone();
            if need.key == own {
                let message = format!("The job `{own}` needs itself.");
                self.report.add(
                    &need.path,
                    need.place,
                    message,
                    Some("Take it out of its own `needs`.".into()),
                );
            } else if jobs[need.job].needs.contains(&need.key) {
                let message = format!("`{}` is named twice.", need.key);
                self.report
                    .add(&need.path, need.place, message, Some("Keep one of them.".into()));
            } else if let Some(target) = index.get(&need.key) {
                edges[need.job].push((*target, need));
                jobs[need.job].needs.push(need.key.clone());
            } else {
                let hint = if self.report.is_full() {
                    None
                } else {
                    nearest(&need.key, &keys)
                };
                let message = format!("There is no job `{}`.", short(&need.key));
                self.report.add(&need.path, need.place, message, hint);
            }
        }
        self.cycles(jobs, &edges);
    }

    /// Notes each cycle once, at the entry that closes it.
    fn cycles(&mut self, jobs: &[Job], edges: &[Vec<(usize, &Need)>]) {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            No,
            OnPath,
            Done,
        }
        let mut seen = vec![Seen::No; jobs.len()];
        for start in 0..jobs.len() {
            if seen[start] != Seen::No {
                continue;
            }
            // Jobs on the way, each with its next edge to follow.
            let mut way = vec![(start, 0)];
            seen[start] = Seen::OnPath;
            while let Some((at, next)) = way.last_mut() {
                let Some((to, need)) = edges[*at].get(*next).copied() else {
                    seen[*at] = Seen::Done;
                    way.pop();
                    continue;
                };
                *next += 1;
                match seen[to] {
                    Seen::Done => {}
                    Seen::No => {
                        seen[to] = Seen::OnPath;
                        way.push((to, 0));
                    }
                    Seen::OnPath => {
                        let from = way.iter().position(|(j, _)| *j == to).unwrap_or(0);
                        let round: Vec<String> = way[from..]
                            .iter()
                            .map(|(j, _)| *j)
                            .chain([to])
                            .map(|j| format!("`{}`", jobs[j].key))
                            .collect();
                        let message = format!(
                            "These jobs wait for each other and could never start: {}.",
                            round.join(" → ")
                        );
                        self.report.add(
                            &need.path,
                            need.place,
                            message,
                            Some("Take one of the needs out.".into()),
                        );
                    }
                }
            }
        }
    }
}
