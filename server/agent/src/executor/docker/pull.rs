//! What a pull says in the console: a line for each layer and for each tenth, instead of a hundred a second.
//!
//! **Invariant:** it says at most one line an event, and never a smaller share than before.

use bollard::models::CreateImageInfo;
use std::collections::BTreeMap;

const MIB: f64 = 1_048_576.0;

/// Hears an engine's events.
#[derive(Default)]
pub(super) struct Meter {
    layers: BTreeMap<String, Layer>,
    tenths: i64,
}

#[derive(Default)]
struct Layer {
    current: i64,
    total: i64,
    done: bool,
}

impl Meter {
    /// Hears one event; answers a line where there is something to say.
    pub fn hear(&mut self, event: &CreateImageInfo) -> Option<String> {
        let status = event.status.as_deref()?;
        let Some(id) = event.id.as_deref().filter(|_| !status.starts_with("Pulling from")) else {
            return status.starts_with("Digest:").then(|| format!("{status}\n"));
        };
        let layer = self.layers.entry(id.into()).or_default();
        let detail = event.progress_detail.as_ref();
        match status {
            "Downloading" => {
                layer.current = detail.and_then(|d| d.current).unwrap_or(layer.current);
                layer.total = detail.and_then(|d| d.total).unwrap_or(layer.total);
                self.tenth()
            }
            "Download complete" => {
                layer.current = layer.total;
                None
            }
            "Pull complete" | "Already exists" => {
                layer.done = true;
                layer.current = layer.total;
                let done = self.layers.values().filter(|l| l.done).count();
                Some(format!("  layer {done} of {}\n", self.layers.len()))
            }
            _ => None,
        }
    }

    fn tenth(&mut self) -> Option<String> {
        let (current, total) = self
            .layers
            .values()
            .fold((0, 0), |(c, t), l| (c + l.current, t + l.total));
        let tenths = current * 10 / total.max(1);
        if tenths <= self.tenths || tenths >= 10 {
            return None;
        }
        self.tenths = tenths;
        Some(format!("  {} % of {:.1} MiB\n", tenths * 10, total as f64 / MIB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    fn event(id: &str, status: &str, at: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: (!id.is_empty()).then(|| id.into()),
            status: Some(status.into()),
            progress_detail: at.map(|(current, total)| ProgressDetail {
                current: Some(current),
                total: Some(total),
            }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn a_pull_of_a_thousand_events_is_a_dozen_lines() {
        let mut meter = Meter::default();
        let mut said = String::new();
        let mut hear = |e: CreateImageInfo| said.push_str(&meter.hear(&e).unwrap_or_default());
        hear(event("stable", "Pulling from library/debian", None));
        hear(event("a", "Pulling fs layer", None));
        hear(event("b", "Already exists", None));
        for n in 0..=1000 {
            hear(event("a", "Downloading", Some((n * 10_486, 10_486_000))));
        }
        hear(event("a", "Extracting", Some((5, 10))));
        hear(event("a", "Pull complete", None));
        hear(event("", "Digest: sha256:00", None));
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[0], "  layer 1 of 2");
        assert_eq!(lines[1], "  10 % of 10.0 MiB");
        assert_eq!(lines[9], "  90 % of 10.0 MiB");
        assert_eq!(lines[10..], ["  layer 2 of 2", "Digest: sha256:00"]);
    }
}
