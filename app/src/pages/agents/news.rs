//! What became of an agent, one line each, newest first.
//!
//! **Invariant:** every kind has words, known or not; what an agent sent is text.

use super::api::AgentPage;
use crate::components::{Icon, Time};
use crate::memo::memo;
use domain::Timestamp;
use domain::event::Event;
use domain::time::human_duration;
use leptos::prelude::*;
use serde_json::Value;

/// The section.
#[component]
pub fn News(data: Signal<AgentPage>) -> impl IntoView {
    let events = memo(move |_| data.with(|d| d.events.clone()));
    view! {
        <section class="sect" aria-labelledby="news">
            <div class="sect-head">
                <h2 id="news">"Connection and changes"</h2>
                <span class="aside desk">"newest first"</span>
            </div>
            {move || {
                let rows: Vec<_> = events.get().into_iter().map(row).collect();
                view! { <ol class="rows">{rows}</ol> }
            }}
        </section>
    }
}

fn row(e: Event) -> impl IntoView {
    let (icon, what) = words(&e);
    view! {
        <li>
            <span class="num text-ink-3 w-28 shrink-0">
                <Time at=e.at seconds=true/>
            </span>
            <span class="inl">
                <Icon name=icon/>
            </span>
            <span class="min-w-0 flex-1">{what}</span>
            <span class="text-ink-3 mono text-small desk">{e.kind}</span>
        </li>
    }
}

/// An icon and a sentence for an event.
fn words(e: &Event) -> (&'static str, String) {
    let text = |key: &str| e.body.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
    let why = text("why").map(|w| format!(" {w}")).unwrap_or_default();
    let by = e.actor.as_deref().map(|a| format!(" by {a}")).unwrap_or_default();
    let note = text("note").map(|n| format!(": “{n}”")).unwrap_or_default();
    match e.kind.as_str() {
        "agent.registered" => {
            let from = text("from").map(|f| format!(" from {f}")).unwrap_or_default();
            ("key-round", format!("Registered{from}."))
        }
        "agent.online" => ("cable", online(e)),
        "agent.unreachable" => ("unplug", format!("Unreachable.{why}")),
        "agent.offline" => ("server-off", format!("Offline.{why}")),
        "agent.paused" => {
            let until = text("until")
                .and_then(Timestamp::parse)
                .map(|at| format!(" until {}", minute(at)));
            (
                "circle-pause",
                format!("Paused{by}{}{note}.", until.unwrap_or_default()),
            )
        }
        "agent.draining" if e.actor.is_none() => ("circle-pause", format!("Draining.{why}")),
        "agent.draining" => ("circle-pause", format!("Drained{by}{note}.")),
        "agent.resumed" => (
            "play",
            format!(
                "Takes jobs again{}.{why}",
                if by.is_empty() {
                    String::new()
                } else {
                    format!(", resumed{by}")
                }
            ),
        ),
        "agent.renamed" => ("pencil", format!("Renamed to {}{by}.", text("name").unwrap_or("?"))),
        "agent.labels" => {
            let all: Vec<_> = (e.body.get("labels").and_then(Value::as_object).into_iter().flatten())
                .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
                .collect();
            let what = if all.is_empty() {
                "none".to_owned()
            } else {
                all.join(", ")
            };
            ("pencil", format!("Labels set{by}: {what}."))
        }
        "agent.slots" => match e.body.get("slots").and_then(Value::as_i64) {
            Some(n) => ("pencil", format!("Slots set to {n}{by}.")),
            None => ("pencil", format!("Slots are those it reports again{by}.")),
        },
        "agent.engine" if why.is_empty() => ("circle-check", "Its engine can be used again.".into()),
        "agent.engine" => ("triangle-alert", format!("Its engine cannot be used.{why}")),
        "agent.disk" if why.is_empty() => ("circle-check", "Its disk has space again.".into()),
        "agent.disk" => ("triangle-alert", format!("It takes no job.{why}")),
        "agent.clock" => match e.body.get("off_ms").and_then(Value::as_i64) {
            Some(off) => ("clock", clock(off)),
            None => ("clock", "Its clock is right again.".into()),
        },
        other => (
            "server",
            format!("{}{by}.", other.trim_start_matches("agent.").replace('_', " ")),
        ),
    }
}

/// How far a clock is off, as a sentence.
pub fn clock(off_ms: i64) -> String {
    let way = if off_ms > 0 { "ahead of" } else { "behind" };
    format!(
        "Its clock is {} {way} the server's.",
        human_duration(off_ms.saturating_abs())
    )
}

fn minute(at: Timestamp) -> String {
    let c = at.civil();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        c.year, c.month, c.day, c.hour, c.minute
    )
}

fn online(e: &Event) -> String {
    let version = e.body.get("version").and_then(Value::as_str).unwrap_or_default();
    let mut out = match (e.body.get("first"), e.body.get("away_ms").and_then(Value::as_i64)) {
        (Some(_), _) => format!("Connected for the first time, version {version}."),
        (None, Some(away)) if away >= 1_000 => format!("Back after {}.", human_duration(away)),
        _ => "Connected.".to_owned(),
    };
    let changed: Vec<_> = (e.body.get("changed").and_then(Value::as_array).into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    if !changed.is_empty() {
        out.push_str(&format!(" Changed: {}.", changed.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_is_a_sentence() {
        let event = |kind: &str, actor: Option<&str>, body: Value| Event {
            seq: 1,
            at: Timestamp(0),
            kind: kind.into(),
            subject: "agent".into(),
            subject_id: 1,
            task_id: None,
            actor: actor.map(str::to_owned),
            body,
        };
        for (kind, actor, body, want) in [
            (
                "agent.registered",
                None,
                json!({"from": "10.0.0.7"}),
                "Registered from 10.0.0.7.",
            ),
            (
                "agent.online",
                None,
                json!({"first": true, "version": "0.2.0"}),
                "Connected for the first time, version 0.2.0.",
            ),
            (
                "agent.online",
                None,
                json!({"away_ms": 65_000, "changed": ["slots 1 → 2"]}),
                "Back after 1m 5s. Changed: slots 1 → 2.",
            ),
            (
                "agent.unreachable",
                None,
                json!({"why": "Its connection broke."}),
                "Unreachable. Its connection broke.",
            ),
            (
                "agent.paused",
                Some("ana"),
                json!({"note": "disk swap", "until": "2026-11-21T18:00:00.000Z"}),
                "Paused by ana until 2026-11-21 18:00 UTC: “disk swap”.",
            ),
            (
                "agent.resumed",
                Some("ana"),
                json!({}),
                "Takes jobs again, resumed by ana.",
            ),
            (
                "agent.resumed",
                None,
                json!({"why": "The time of its pause is over."}),
                "Takes jobs again. The time of its pause is over.",
            ),
            ("agent.draining", Some("ana"), json!({}), "Drained by ana."),
            (
                "agent.draining",
                None,
                json!({"why": "Its program was told to stop."}),
                "Draining. Its program was told to stop.",
            ),
            (
                "agent.renamed",
                Some("ana"),
                json!({"name": "forge"}),
                "Renamed to forge by ana.",
            ),
            (
                "agent.labels",
                Some("ana"),
                json!({"labels": {"pool": "fast"}}),
                "Labels set by ana: pool=fast.",
            ),
            (
                "agent.slots",
                Some("ana"),
                json!({"slots": null}),
                "Slots are those it reports again by ana.",
            ),
            (
                "agent.clock",
                None,
                json!({"off_ms": -90_000}),
                "Its clock is 1m 30s behind the server's.",
            ),
            (
                "agent.engine",
                None,
                json!({"why": "Docker is away."}),
                "Its engine cannot be used. Docker is away.",
            ),
            (
                "agent.disk",
                None,
                json!({"why": "Its disk is full."}),
                "It takes no job. Its disk is full.",
            ),
            ("agent.disk", None, json!({"why": null}), "Its disk has space again."),
            ("agent.sang_a_song", None, json!({}), "sang a song."),
        ] {
            assert_eq!(words(&event(kind, actor, body)).1, want);
        }
    }
}
