//! The one way to write: all or nothing, answered after the commit, run again where PostgreSQL asks for it.

use super::{event, write};
use crate::support::{Database, on_both};
use engine::store::{Batch, Db, Error, Store, Tx};
use futures::FutureExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

on_both!(
    a_write_that_fails_leaves_nothing,
    a_write_that_panics_leaves_nothing_and_hurts_nobody,
    a_constraint_is_told_by_its_kind,
    writers_that_contradict_each_other_take_turns,
    a_write_whose_caller_has_gone_is_whole_or_not_there,
);

async fn put(tx: &mut Tx, key: &str, value: &str) -> engine::store::Result<()> {
    let mut batch = Batch::default();
    batch.push(
        "INSERT INTO settings (key, value) VALUES ($1, $2)",
        [key.into(), value.into()],
    );
    tx.run(batch).await
}

/// How many settings there are, and how many events.
async fn rows(store: &Store) -> (i64, i64) {
    let sql = "SELECT (SELECT COUNT(*) FROM settings), (SELECT COUNT(*) FROM events)";
    match store.db() {
        Db::Sqlite(p) => sqlx::query_as(sql)
            .fetch_one(&mut *p.take().await.unwrap())
            .await
            .unwrap(),
        Db::Postgres(p) => sqlx::query_as(sql).fetch_one(p).await.unwrap(),
    }
}

async fn a_write_that_fails_leaves_nothing(database: Database) {
    let store = database.open().await;
    let mut news = store.news();
    let failed = store
        .write(|tx| {
            async move {
                put(tx, "a", "1").await?;
                tx.emit(event(1, None));
                Err::<(), _>(Error::Refused(domain::Error::Conflict("no".into())))
            }
            .boxed()
        })
        .await;
    assert!(matches!(failed, Err(Error::Refused(_))), "{failed:?}");
    assert_eq!(rows(&store).await, (0, 0));
    assert!(news.try_recv().is_err(), "nothing is told of what is not there");
    write(&store, |tx| async move { put(tx, "a", "2").await }.boxed()).await;
    assert_eq!(rows(&store).await, (1, 0));
}

async fn a_write_that_panics_leaves_nothing_and_hurts_nobody(database: Database) {
    let store = database.open().await;
    let panics = store.write(|tx| {
        async move {
            put(tx, "a", "1").await?;
            tx.emit(event(1, None));
            panic!("a write that panics")
        }
        .boxed()
    });
    let panicked: Result<(), Error> = panics.await;
    assert!(matches!(panicked, Err(Error::Corrupt { .. })), "{panicked:?}");
    assert_eq!(rows(&store).await, (0, 0));
    write(&store, |tx| async move { put(tx, "a", "2").await }.boxed()).await;
    assert_eq!(rows(&store).await, (1, 0));
}

async fn a_constraint_is_told_by_its_kind(database: Database) {
    let store = database.open().await;
    write(&store, |tx| async move { put(tx, "a", "1").await }.boxed()).await;
    let unique = store.write(|tx| async move { put(tx, "a", "2").await }.boxed()).await;
    assert!(matches!(unique, Err(Error::Conflict(_))), "{unique:?}");
    for sql in [
        "INSERT INTO settings (key) VALUES ('b')",
        "INSERT INTO grants (user_id, team_id, role) VALUES (NULL, NULL, 'admin')",
        "INSERT INTO team_members (team_id, user_id) VALUES (99, 99)",
        "INSERT INTO nothing (x) VALUES (1)",
    ] {
        let other = store
            .write(move |tx| {
                let mut batch = Batch::default();
                batch.push(sql, []);
                async move { tx.run(batch).await }.boxed()
            })
            .await;
        assert!(matches!(other, Err(Error::Database(_))), "{sql}: {other:?}");
        let told = other.unwrap_err().public();
        assert!(matches!(told, domain::Error::Internal(_)), "{told:?}");
    }
    assert_eq!(rows(&store).await, (1, 0));
}

/// Two writers read what both write. On PostgreSQL one is refused with 40001 and runs again; on SQLite there is one
/// writer. Either way no reading is out of date when it is written over.
async fn writers_that_contradict_each_other_take_turns(database: Database) {
    let store = database.open().await;
    write(&store, |tx| async move { put(tx, "n", "0").await }.boxed()).await;
    let runs = Arc::new(AtomicU32::new(0));
    let writers = (0..8).map(|_| {
        let (store, runs) = (store.clone(), runs.clone());
        tokio::spawn(async move {
            for _ in 0..5 {
                let runs = runs.clone();
                let add = store.write(move |tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    async move {
                        // Reading inside the write: `ensure` answers the value that stands there.
                        let n: i64 = engine::store::settings::ensure(tx, "n", "0").await?.parse().unwrap();
                        tokio::task::yield_now().await;
                        let mut batch = Batch::default();
                        batch.push(
                            "UPDATE settings SET value = $1 WHERE key = 'n'",
                            [(n + 1).to_string().into()],
                        );
                        tx.run(batch).await?;
                        tx.emit(event(n, None));
                        Ok(())
                    }
                    .boxed()
                });
                add.await.unwrap();
            }
        })
    });
    for done in futures::future::join_all(writers).await {
        done.unwrap();
    }
    let n = write(&store, |tx| engine::store::settings::ensure(tx, "n", "x").boxed()).await;
    assert_eq!(n, "40", "no write was lost");
    let ran = runs.load(Ordering::Relaxed);
    match store.db() {
        Db::Sqlite(_) => assert_eq!(ran, 40, "one writer never contradicts itself"),
        Db::Postgres(_) => assert!(
            ran > 40,
            "PostgreSQL never asked to run one again: the test tested nothing"
        ),
    }
    let told: Vec<i64> = store
        .events_since(None, 0, 100)
        .await
        .unwrap()
        .iter()
        .map(|e| e.subject_id)
        .collect();
    assert_eq!(told.len(), 40, "an event for each write, none for what was run in vain");
}

async fn a_write_whose_caller_has_gone_is_whole_or_not_there(database: Database) {
    let store = database.open().await;
    for i in 0..20 {
        let s = store.clone();
        let caller = tokio::spawn(async move {
            s.write(move |tx| {
                async move {
                    put(tx, &format!("k{i}"), "1").await?;
                    tx.emit(event(i, None));
                    Ok(())
                }
                .boxed()
            })
            .await
        });
        for _ in 0..i {
            tokio::task::yield_now().await;
        }
        caller.abort();
        let _ = caller.await;
    }
    // The writer has passed everything that was queued before this one.
    write(&store, |tx| async move { put(tx, "last", "1").await }.boxed()).await;
    let (settings, events) = rows(&store).await;
    assert_eq!(settings, events + 1, "each is whole or not there");
}
