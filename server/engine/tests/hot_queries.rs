//! No statement of a task's life reads a table from end to end: every statement that the engine really sends to SQLite
//! during a busy little day is caught and its plan looked at.
//!
//! One test in a binary of its own, because the one who listens to statements listens to the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop there")]

#[allow(dead_code, unused_imports, reason = "shared with the other test binary")]
#[path = "it/support/mod.rs"]
mod support;

use domain::ProjectId;
use domain::page::PageQuery;
use domain::task::{CauseKind, RunPlan, TaskQuery};
use engine::store::{Db, Store, tasks};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use support::World;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Tables that grow with use.
const LARGE: &[&str] = &[
    "tasks",
    "jobs",
    "job_needs",
    "attempts",
    "steps",
    "events",
    "documents",
    "plan_revisions",
    "audit",
    "idempotency",
    "deliveries",
];
/// Indexes that are short however large their table is, or that are read from their beginning only as far as a LIMIT.
const SHORT: &[&str] = &[
    "attempts_agent",
    "jobs_waiting",
    "jobs_pending",
    "jobs_held",
    "tasks_resolving",
    "tasks_approval",
];

/// Goes from one end, and no further than one row.
const ONE_ROW: &str = "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1";

/// Catches every statement sqlx sends.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<BTreeSet<String>>>);

impl Listener {
    /// What came since the last call.
    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Default)]
struct Statement {
    short: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.short = value.to_owned(),
            "db.statement" => self.whole = value.trim().to_owned(),
            _ => {}
        }
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if matches!(field.name(), "summary" | "db.statement") {
            let text = format!("{value:?}");
            self.record_str(field, text.trim_matches('"'));
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn event(&self, event: &Event<'_>) {
        let mut said = Statement::default();
        event.record(&mut said);
        let whole = if said.whole.is_empty() { said.short } else { said.whole };
        let parts = whole
            .split(';')
            .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "));
        self.0.lock().unwrap().extend(parts.filter(|s| !s.is_empty()));
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// SQLite's plan of a statement, a line a step.
async fn plan(store: &Store, sql: &str) -> Vec<String> {
    let Db::Sqlite(p) = store.db() else {
        panic!("for SQLite only")
    };
    let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(sql)
        .fetch_all(&mut *p.take().await.unwrap())
        .await
        .unwrap();
    rows.into_iter().map(|r| r.3).collect()
}

/// The names under which a statement speaks of large tables.
fn large_names(sql: &str) -> BTreeSet<String> {
    let words: Vec<&str> = sql.split([' ', '(', ')', ',']).filter(|w| !w.is_empty()).collect();
    let mut names = BTreeSet::new();
    for (i, word) in words.iter().enumerate().filter(|(_, w)| LARGE.contains(w)) {
        names.insert((*word).to_owned());
        if let Some(alias) = words.get(i + 1).filter(|a| a.len() <= 2) {
            names.insert((*alias).to_owned());
        }
    }
    names
}

/// What of a plan goes over a large table, or a long index, from end to end.
fn scans(sql: &str, plan: &[String]) -> Vec<String> {
    let large = large_names(sql);
    let is_short = |step: &str| SHORT.iter().any(|i| step.split(' ').any(|w| w == *i));
    plan.iter()
        .filter(|s| {
            s.strip_prefix("SCAN ")
                .is_some_and(|s| large.contains(s.split(' ').next().unwrap_or_default()))
        })
        .filter(|s| !is_short(s))
        .cloned()
        .collect()
}

async fn a_busy_little_day(w: &World) {
    let mut agent = w.agent(2, &[]).await;
    let one = w.plan("name: one\nsteps: [{run: x}]\n").await;
    let dag = w
        .plan("name: dag\njobs:\n  a: {steps: [{run: a}]}\n  b: {needs: [a], steps: [{run: b}]}\n")
        .await;
    let gpu = w
        .plan("name: gpu\nruns_on: [\"gpu == 'yes'\"]\nsteps: [{run: x}]\n")
        .await;
    let tasks = &w.engine.ports.tasks;
    w.run(gpu).await;
    let first = w.run(dag).await;
    for code in [0, 1] {
        let a = agent.assignment().await;
        agent.prepare(&a).await;
        agent.write(a.fence, b"one\ntwo\n");
        agent.run(&a, code).await;
    }
    let again = tasks.rerun(&w.ana, first.id, true).await.unwrap();
    tasks.abort(&w.ana, again.id).await.unwrap();
    let waiting = tasks
        .run(&w.ana, one, RunPlan::default(), CauseKind::Api)
        .await
        .unwrap();
    let step = w.task(first.id).await.jobs[0].steps[0].id;
    w.engine.ports.console.lines(&w.ana, step, 1, 9).await.unwrap();
    w.engine
        .ports
        .queue
        .overview(&w.ana, TaskQuery::default())
        .await
        .unwrap();
    tasks.attempts(&w.ana, waiting.jobs[0].id).await.unwrap();
    tasks.events(&w.ana, first.id).await.unwrap();
    tasks::counts(&w.engine.store).await.unwrap();
    tasks::running(&w.engine.store, 9).await.unwrap();
    tasks::resolving(&w.engine.store).await.unwrap();
    w.engine.ports.events.since(&w.ana, None, 1, 9).await.unwrap();
    let plans = &w.engine.ports.plans;
    plans.get(&w.ana, one).await.unwrap();
    plans.list(&w.ana, None, PageQuery::default()).await.unwrap();
    plans.revisions(&w.ana, one, PageQuery::default()).await.unwrap();
    w.engine.ports.agents.list(&w.ana).await.unwrap();
    w.clock.advance(700_000);
    w.engine.dispatch.sweep_once().await;
    agent.cut().await;
    w.agent(1, &[]).await.hear().await;
    let key = domain::ports::ReplayKey {
        key: "k".into(),
        path: "p".into(),
        body_hash: "h".into(),
    };
    w.engine.ports.access.replay(&w.ana, &key).await.unwrap();
}

#[tokio::test]
async fn no_statement_reads_a_large_table_from_end_to_end() {
    let listener = Listener::default();
    tracing::subscriber::set_global_default(listener.clone()).unwrap();
    let w = World::new().await;
    // Schema changes may read what they like.
    listener.take();
    a_busy_little_day(&w).await;
    let store = &w.engine.store;
    let heard = listener.take();
    let mut looked_at = 0;
    let mut bad = Vec::new();
    for sql in heard.iter().filter(|s| {
        ["SELECT", "UPDATE", "DELETE", "INSERT"]
            .iter()
            .any(|w| s.starts_with(w))
    }) {
        looked_at += 1;
        let found = scans(sql, &plan(store, sql).await);
        if !found.is_empty() && sql != ONE_ROW {
            bad.push(format!("{sql}\n    {found:?}"));
        }
    }
    assert!(
        looked_at > 50,
        "only {looked_at} statements were heard: the listener is deaf"
    );
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    // The rule itself, shown to find what it shall find.
    let sql = "SELECT t.id FROM tasks t WHERE t.message = 'x'";
    assert_eq!(scans(sql, &plan(store, sql).await).len(), 1);

    let words = |w: &[&str]| w.iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = TaskQuery::default;
    let cursor = PageQuery {
        limit: Some(20),
        cursor: Some("5".into()),
    };
    for (query, index, sorted) in [
        (all(), "tasks_new", true),
        (
            TaskQuery {
                page: cursor.clone(),
                ..all()
            },
            "tasks_new",
            true,
        ),
        (
            TaskQuery {
                status: words(&["failed"]),
                ..all()
            },
            "tasks_status",
            true,
        ),
        (
            TaskQuery {
                status: words(&["failed", "lost"]),
                page: cursor.clone(),
                ..all()
            },
            "tasks_status",
            true,
        ),
        (
            TaskQuery {
                plan: words(&["one"]),
                ..all()
            },
            "tasks_plan",
            true,
        ),
        (
            TaskQuery {
                plan: words(&["1", "dag"]),
                status: words(&["failed", "lost"]),
                page: cursor,
                ..all()
            },
            "tasks_plan",
            true,
        ),
        (
            TaskQuery {
                build: words(&["c0ffee"]),
                ..all()
            },
            "tasks_build",
            false,
        ),
        (
            TaskQuery {
                q: Some("#7".into()),
                ..all()
            },
            "PRIMARY KEY",
            true,
        ),
        (
            TaskQuery {
                q: Some("text".into()),
                ..all()
            },
            "tasks_new",
            true,
        ),
    ] {
        listener.take();
        tasks::list(store, ProjectId::DEFAULT, &query).await.unwrap();
        let sent: Vec<String> = listener
            .take()
            .into_iter()
            .filter(|s| s.contains("t.version, p.name"))
            .collect();
        assert!(!sent.is_empty(), "{query:?}");
        for sql in sent {
            let steps = plan(store, &sql).await;
            assert!(
                steps.iter().any(|s| s.starts_with("SEARCH t ") && s.contains(index)),
                "{query:?}\n{sql}\n{steps:#?}"
            );
            assert!(
                !sorted || !steps.iter().any(|s| s.contains("ORDER BY")),
                "sorted by hand: {query:?}\n{sql}\n{steps:#?}"
            );
        }
    }
    for (what, index) in [
        ("j.ready_at IS NOT NULL AND (j.not_before", "jobs_waiting"),
        ("AND $2 = $2", "jobs_pending"),
        ("AND not_before <=", "jobs_held"),
        ("SELECT a.agent_id, j.task_id, j.id FROM", "attempts_agent"),
        ("a.lease_until <=", "attempts_agent"),
        ("AS attempt_id, a.epoch, a.status", "attempts_agent"),
        ("UPDATE attempts SET lease_until", "attempts_agent"),
        ("reason_code = 'resolving' ORDER BY", "tasks_resolving"),
        ("AND task_id = $3 ORDER BY seq", "events_task"),
        ("DELETE FROM idempotency WHERE ends_at", "idempotency_ends"),
        ("FROM steps WHERE attempt_id IN", "steps_1"),
    ] {
        let sent: Vec<&String> = heard.iter().filter(|s| s.contains(what)).collect();
        assert!(!sent.is_empty(), "nothing like `{what}` was sent");
        for sql in sent {
            let steps = plan(store, sql).await;
            assert!(steps.iter().any(|s| s.contains(index)), "{sql}\n{steps:#?}");
        }
    }
    // The order of the queue is the index's own.
    for sql in heard
        .iter()
        .filter(|s| s.contains("j.ready_at IS NOT NULL AND (j.not_before") || s.contains("AND $2 = $2"))
    {
        let steps = plan(store, sql).await;
        assert!(!steps.iter().any(|s| s.contains("ORDER BY")), "{sql}\n{steps:#?}");
    }
}
