//! Lists of tasks: pages by key, filters, text taken literally.

use super::{ODD, agent, put, simple, write};
use crate::support::{Database, on_both};
use domain::page::PageQuery;
use domain::task::TaskQuery;
use domain::{Error as Told, ProjectId, TaskId};
use engine::store::tasks::{Listed, list};
use engine::store::{Batch, Error, Store};
use futures::FutureExt;

on_both!(
    pages_neither_skip_nor_repeat_while_rows_arrive,
    cursors_and_limits_that_are_none_are_refused,
    every_filter_finds_its_own,
    several_states_and_plans_are_one_list,
    text_is_taken_literally,
);

async fn ids(store: &Store, query: &TaskQuery) -> Vec<TaskId> {
    let found: Vec<Listed> = list(store, ProjectId::DEFAULT, query).await.unwrap();
    found.iter().map(|l| l.id).collect()
}

fn page(limit: u32, cursor: Option<TaskId>) -> TaskQuery {
    let page = PageQuery {
        limit: Some(limit),
        cursor: cursor.map(|c| c.to_string()),
    };
    TaskQuery {
        page,
        ..TaskQuery::default()
    }
}

fn words(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

async fn set(store: &Store, sql: &'static str, task: TaskId) {
    write(store, move |tx| {
        let mut batch = Batch::default();
        batch.push(sql, [task.0.into()]);
        async move { tx.run(batch).await }.boxed()
    })
    .await;
}

async fn pages_neither_skip_nor_repeat_while_rows_arrive(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let mut want = Vec::new();
    for _ in 0..11 {
        want.push(put(&store, made.task()).await);
    }
    want.reverse();
    let (mut seen, mut cursor): (Vec<TaskId>, _) = (Vec::new(), None);
    loop {
        let mut got = ids(&store, &page(3, cursor)).await;
        let more = got.len() > 3;
        got.truncate(3);
        seen.extend(&got);
        // Rows arrive between any two pages.
        put(&store, made.task()).await;
        if !more {
            break;
        }
        cursor = got.last().copied();
    }
    assert_eq!(seen, want);
    assert!(ids(&store, &page(3, Some(want[10]))).await.is_empty());
}

async fn cursors_and_limits_that_are_none_are_refused(database: Database) {
    let store = database.open().await;
    for (limit, cursor) in [
        (Some(0), None),
        (Some(201), None),
        (None, Some("x")),
        (None, Some("1; DROP TABLE tasks")),
        (None, Some("99999999999999999999")),
        (None, Some("1.5")),
        (None, Some(" 1")),
    ] {
        let page = PageQuery {
            limit,
            cursor: cursor.map(str::to_owned),
        };
        let got = list(
            &store,
            ProjectId::DEFAULT,
            &TaskQuery {
                page,
                ..TaskQuery::default()
            },
        )
        .await;
        assert!(
            matches!(got, Err(Error::Refused(Told::Invalid { .. }))),
            "{limit:?} {cursor:?}: {got:?}"
        );
    }
    let empty = PageQuery {
        limit: Some(200),
        cursor: Some(String::new()),
    };
    assert!(
        ids(
            &store,
            &TaskQuery {
                page: empty,
                ..TaskQuery::default()
            }
        )
        .await
        .is_empty()
    );
}

async fn every_filter_finds_its_own(database: Database) {
    let store = database.open().await;
    let (one, two) = (simple(&store, "one").await, simple(&store, "two").await);
    let mut odd = two.task();
    (odd.branch, odd.build) = (Some(ODD.into()), Some("b7".into()));
    odd.cause.kind = domain::task::CauseKind::Manual;
    let (a, b) = (put(&store, one.task()).await, put(&store, odd).await);
    let (agent, _) = agent(&store, 1).await;
    write(&store, move |tx| {
        let mut batch = Batch::default();
        let sql = "UPDATE attempts SET agent_id = $1 WHERE job_id IN (SELECT id FROM jobs WHERE task_id = $2)";
        batch.push(sql, [agent.0.into(), a.0.into()]);
        async move { tx.run(batch).await }.boxed()
    })
    .await;
    set(
        &store,
        "UPDATE tasks SET status = 'passed', finished_at = created_at WHERE id = $1",
        a,
    )
    .await;
    let all = TaskQuery::default;
    let none: &[TaskId] = &[];
    for (query, want) in [
        (all(), &[b, a][..]),
        (
            TaskQuery {
                plan: words(&["one"]),
                ..all()
            },
            &[a],
        ),
        (
            TaskQuery {
                plan: vec![two.id.to_string()],
                ..all()
            },
            &[b],
        ),
        (
            TaskQuery {
                plan: words(&["nothing"]),
                ..all()
            },
            none,
        ),
        (
            TaskQuery {
                status: words(&["waiting"]),
                ..all()
            },
            &[b],
        ),
        (
            TaskQuery {
                status: words(&["pending"]),
                ..all()
            },
            &[b],
        ),
        (
            TaskQuery {
                status: words(&["passed"]),
                ..all()
            },
            &[a],
        ),
        (
            TaskQuery {
                status: words(&["passed"]),
                plan: words(&["two"]),
                ..all()
            },
            none,
        ),
        (
            TaskQuery {
                branch: words(&[ODD]),
                ..all()
            },
            &[b],
        ),
        (
            TaskQuery {
                build: words(&["b7", "b8"]),
                ..all()
            },
            &[b],
        ),
        (
            TaskQuery {
                cause: words(&["manual"]),
                ..all()
            },
            &[b],
        ),
        (
            TaskQuery {
                cause: words(&["api", "manual"]),
                ..all()
            },
            &[b, a],
        ),
        (
            TaskQuery {
                agent: words(&["builtin"]),
                ..all()
            },
            &[a],
        ),
        (
            TaskQuery {
                agent: vec![agent.to_string()],
                ..all()
            },
            &[a],
        ),
        (
            TaskQuery {
                agent: words(&["kiln"]),
                ..all()
            },
            none,
        ),
        (
            TaskQuery {
                q: Some(format!("#{a}")),
                ..all()
            },
            &[a],
        ),
        (
            TaskQuery {
                q: Some(" ".into()),
                ..all()
            },
            &[b, a],
        ),
    ] {
        assert_eq!(ids(&store, &query).await, want, "{query:?}");
    }
    assert!(
        list(&store, ProjectId(9), &all()).await.unwrap().is_empty(),
        "another project has none of them"
    );
}

async fn several_states_and_plans_are_one_list(database: Database) {
    let store = database.open().await;
    let mut plans = Vec::new();
    for name in ["one", "two", "three"] {
        plans.push(simple(&store, name).await);
    }
    let mut made = Vec::new();
    for i in 0..18 {
        let id = put(&store, plans[i % 3].task()).await;
        match i % 2 {
            0 => {
                set(
                    &store,
                    "UPDATE tasks SET status = 'failed', finished_at = 1 WHERE id = $1",
                    id,
                )
                .await
            }
            _ => {
                set(
                    &store,
                    "UPDATE tasks SET status = 'lost', finished_at = 1 WHERE id = $1",
                    id,
                )
                .await
            }
        }
        made.push((id, i % 3, i % 2));
    }
    made.reverse();
    let mut cursor = None;
    let mut seen: Vec<TaskId> = Vec::new();
    loop {
        let query = TaskQuery {
            status: words(&["failed", "lost", "waiting", "failed"]),
            plan: vec!["one".into(), plans[2].id.to_string(), "one".into()],
            ..page(5, cursor)
        };
        let mut got = ids(&store, &query).await;
        let more = got.len() > 5;
        got.truncate(5);
        seen.extend(&got);
        if !more {
            break;
        }
        cursor = got.last().copied();
    }
    let want: Vec<TaskId> = made.iter().filter(|m| m.1 != 1).map(|m| m.0).collect();
    assert_eq!(seen, want);
}

async fn text_is_taken_literally(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let mut tasks = Vec::new();
    for message in [
        "100% done",
        "100 percent",
        "snake_case",
        "snakeXcase",
        r"C:\path",
        "C:path",
        ODD,
    ] {
        let mut task = made.task();
        task.message = Some(message.to_owned());
        tasks.push((put(&store, task).await, message));
    }
    for (text, want) in [
        ("100%", vec!["100% done", ODD]),
        ("SNAKE_", vec!["snake_case"]),
        (r"c:\", vec![r"C:\path"]),
        ("漢字 🐈‍⬛ 'quoted'", vec![ODD]),
        ("%", vec!["100% done", ODD]),
        ("'; DROP TABLE tasks; --", vec![]),
        (
            "one",
            vec![
                "100% done",
                "100 percent",
                "snake_case",
                "snakeXcase",
                r"C:\path",
                "C:path",
                ODD,
            ],
        ),
    ] {
        let mut want: Vec<TaskId> = tasks.iter().filter(|t| want.contains(&t.1)).map(|t| t.0).collect();
        want.reverse();
        assert_eq!(
            ids(
                &store,
                &TaskQuery {
                    q: Some(text.into()),
                    ..TaskQuery::default()
                }
            )
            .await,
            want,
            "{text}"
        );
    }
}
