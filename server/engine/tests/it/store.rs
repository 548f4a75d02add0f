//! The store itself: groups, roll-backs, news, migrations.

use domain::Timestamp;
use engine::store::{Batch, Error, Location, NewEvent, OpenError, Store};
use futures::FutureExt;
use std::path::Path;

async fn open(dir: &Path) -> Store {
    Store::open(&Location::Sqlite(dir.join("caracal.db"))).await.unwrap()
}

fn event(n: i64) -> NewEvent {
    NewEvent {
        at: Timestamp(n),
        kind: "task.created",
        subject: "task",
        subject_id: n,
        task_id: None,
        actor: None,
        body: serde_json::json!({}),
    }
}

fn setting(key: String) -> Batch {
    let mut b = Batch::default();
    b.push("INSERT INTO settings (key, value) VALUES ($1, 'x')", [key.into()]);
    b
}

#[tokio::test]
async fn a_unit_that_fails_rolls_back_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut news = store.news();
    let writes = (0..200).map(|i| {
        store.write(move |tx| {
            async move {
                tx.run(setting(format!("k{i}"))).await?;
                tx.emit(event(i));
                if i % 10 == 3 {
                    return Err(Error::Refused(domain::Error::Conflict("no".into())));
                }
                // The same key again: a constraint, not a rule.
                if i % 10 == 7 {
                    tx.run(setting(format!("k{i}"))).await?;
                }
                if i % 10 == 9 {
                    panic!("a unit that panics");
                }
                Ok(i)
            }
            .boxed()
        })
    });
    let results = futures::future::join_all(writes).await;
    for (i, r) in results.iter().enumerate() {
        match i % 10 {
            3 => assert!(matches!(r, Err(Error::Refused(_))), "{i}: {r:?}"),
            7 => assert!(matches!(r, Err(Error::Conflict(_))), "{i}: {r:?}"),
            9 => assert!(matches!(r, Err(Error::Corrupt { .. })), "{i}: {r:?}"),
            _ => assert_eq!(*r.as_ref().unwrap(), i as i64),
        }
    }
    let stored = store.events_since(None, 0, 1_000).await.unwrap();
    let ids: Vec<i64> = stored.iter().map(|e| e.subject_id).collect();
    let want: Vec<i64> = (0..200).filter(|i| !matches!(i % 10, 3 | 7 | 9)).collect();
    assert_eq!(ids, want, "events of refused units are gone with them");
    let mut told = Vec::new();
    while let Ok(batch) = news.try_recv() {
        told.extend(batch.iter().map(|e| e.seq));
    }
    assert_eq!(
        told,
        stored.iter().map(|e| e.seq).collect::<Vec<_>>(),
        "what is published is what is stored, in order"
    );
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store
        .write(|tx| {
            async move {
                tx.emit(event(1));
                Ok(())
            }
            .boxed()
        })
        .await
        .unwrap();
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(store.event_bounds().await.unwrap(), (1, 1));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store
        .write(|tx| {
            async move {
                let mut b = Batch::default();
                b.push(
                    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'later', TRUE, 'x', 0)",
                    [],
                );
                tx.run(b).await
            }
            .boxed()
        })
        .await
        .unwrap();
    drop(store);
    let refused = Store::open(&Location::Sqlite(dir.path().join("caracal.db"))).await;
    let Err(e @ OpenError::Newer(..)) = refused.map(|_| ()) else {
        panic!("it was opened")
    };
    let line = e.to_string();
    assert!(line.contains("newer") && !line.contains('\n'), "{line}");
}

#[tokio::test]
async fn both_databases_have_the_same_migrations() {
    let [sqlite, postgres] = Store::migrations();
    assert_eq!(sqlite, postgres);
    assert!(!sqlite.is_empty());
}
