//! `store.write`: the only way to write, with group commit on SQLite (DESIGN §5, shim.md §6).
//!
//! **Invariant:** a caller is answered, and its events are published, only after COMMIT; a unit that fails rolls back
//! alone. The writer takes what is queued, at most 256 units, and never waits for more.

use super::tx::Conn;
use super::{Db, Error, Readers, Result, Tx};
use domain::event::Event;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Sqlite, SqlitePool};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Most units one commit holds.
const GROUP: usize = 256;
/// How often a write of PostgreSQL is begun before its caller is told that it failed.
const TRIES: u32 = 20;

/// The database, its writer and its news. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) db: Db,
    writer: Option<mpsc::UnboundedSender<Box<dyn Unit>>>,
    news: broadcast::Sender<Arc<[Event]>>,
}

impl Store {
    pub(super) fn start(db: Db) -> Self {
        Self {
            db,
            writer: None,
            news: broadcast::channel(1024).0,
        }
    }

    pub(super) fn start_sqlite(reader: Readers, pool: SqlitePool, conn: PoolConnection<Sqlite>) -> Self {
        let (tx, rx) = mpsc::unbounded_channel();
        let news = broadcast::channel(1024).0;
        tokio::spawn(write_loop(conn, pool, rx, news.clone()));
        Self {
            db: Db::Sqlite(reader),
            writer: Some(tx),
            news,
        }
    }

    /// News of every commit, in order. A receiver that lags re-reads `events` from the last number it has.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<Arc<[Event]>> {
        self.news.subscribe()
    }

    /// Where reads go, for the noun modules.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Runs a short closure, no I/O but SQL, in a transaction, and answers after it is on disk. The closure may run again
    /// (PostgreSQL, on 40001), so it clones what it takes.
    ///
    /// # Errors
    /// The closure's own error, with nothing written; or the database's.
    pub async fn write<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnMut(&'a mut Tx) -> BoxFuture<'a, Result<T>> + Send + 'static,
    {
        match (&self.writer, &self.db) {
            (Some(writer), _) => {
                let (answer, wait) = oneshot::channel();
                writer
                    .send(Box::new(Closure { f, out: None, answer }))
                    .map_err(|_| Error::Closed)?;
                wait.await.map_err(|_| Error::Closed)?
            }
            (None, Db::Postgres(pool)) => self.write_postgres(pool, f).await,
            (None, Db::Sqlite(_)) => Err(Error::Closed),
        }
    }

    async fn write_postgres<T, F>(&self, pool: &sqlx::PgPool, mut f: F) -> Result<T>
    where
        T: Send,
        F: for<'a> FnMut(&'a mut Tx) -> BoxFuture<'a, Result<T>> + Send,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let t = pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await?;
            let mut tx = Tx::new(Conn::Postgres(t));
            let done = AssertUnwindSafe(async {
                let out = f(&mut tx).await?;
                tx.finish(&[]).await?;
                Ok::<T, Error>(out)
            })
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(panicked()));
            let Tx {
                conn: Conn::Postgres(t),
                written,
                ..
            } = tx
            else {
                return Err(Error::Closed);
            };
            let result = match done {
                Ok(out) => t.commit().await.map(|()| out).map_err(Error::from),
                Err(e) => {
                    let _ = t.rollback().await;
                    Err(e)
                }
            };
            match result {
                Err(Error::Database(e)) if tries < TRIES && serialization(&e) => {
                    // Apart from each other, and further apart each time: those who met once shall not meet again.
                    let most = 1 << u32::min(tries, 6);
                    tokio::time::sleep(Duration::from_millis(rand::random_range(0..=most))).await;
                }
                Ok(out) => {
                    if !written.is_empty() {
                        let _ = self.news.send(written.into());
                    }
                    return Ok(out);
                }
                Err(e) => return Err(e),
            }
        }
    }
}

fn panicked() -> Error {
    Error::corrupt("a write", "it panicked")
}

/// Whether PostgreSQL asks to try again: 40001 serialisation failure, 40P01 deadlock.
fn serialization(e: &sqlx::Error) -> bool {
    e.as_database_error()
        .and_then(|d| d.code())
        .is_some_and(|c| c == "40001" || c == "40P01")
}

/// One caller's write, waiting for its turn.
trait Unit: Send {
    /// Runs it; `closing` are the statements that end it when all went well.
    fn run<'a>(&'a mut self, tx: &'a mut Tx, closing: &'static [&'static str]) -> BoxFuture<'a, Result<()>>;
    fn answer(self: Box<Self>, group: Result<()>);
    fn fail(&mut self, e: Error);
}

struct Closure<T, F> {
    f: F,
    out: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Unit for Closure<T, F>
where
    T: Send,
    F: for<'a> FnMut(&'a mut Tx) -> BoxFuture<'a, Result<T>> + Send,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx, closing: &'static [&'static str]) -> BoxFuture<'a, Result<()>> {
        async move {
            let out = (self.f)(tx).await?;
            tx.finish(closing).await?;
            self.out = Some(Ok(out));
            Ok(())
        }
        .boxed()
    }
    fn fail(&mut self, e: Error) {
        self.out = Some(Err(e));
    }
    fn answer(self: Box<Self>, group: Result<()>) {
        let out = match (self.out, group) {
            (Some(Err(e)), _) | (_, Err(e)) => Err(e),
            (Some(Ok(out)), Ok(())) => Ok(out),
            (None, Ok(())) => Err(Error::Closed),
        };
        // A caller that has gone away does not mind.
        let _ = self.answer.send(out);
    }
}

async fn write_loop(
    conn: PoolConnection<Sqlite>,
    _pool: SqlitePool,
    mut queue: mpsc::UnboundedReceiver<Box<dyn Unit>>,
    news: broadcast::Sender<Arc<[Event]>>,
) {
    let mut tx = Tx::new(Conn::Sqlite(conn));
    let mut units: Vec<Box<dyn Unit>> = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut units, GROUP).await > 0 {
        let result = write_group(&mut tx, &mut units).await;
        if result.is_err() {
            // Whatever state the failed statement left, the next group begins clean.
            let _ = raw(&mut tx, "ROLLBACK").await;
            tx.drop_unit(0);
            tx.opening.clear();
        }
        #[cfg(debug_assertions)]
        remembers_what_is_there(&mut tx).await;
        let events = std::mem::take(&mut tx.written);
        if !events.is_empty() {
            let _ = news.send(events.into());
        }
        for unit in units.drain(..) {
            unit.answer(result.clone());
        }
    }
}

/// Runs a group of units in one transaction. An error here is the group's; a unit's own error stays with it.
///
/// `BEGIN` and `SAVEPOINT` go out with a unit's first statements, `RELEASE` and `COMMIT` with its last ones: a write that
/// asks nothing is one hop.
async fn write_group(tx: &mut Tx, units: &mut [Box<dyn Unit>]) -> Result<()> {
    tx.opening.push("BEGIN IMMEDIATE");
    let last = units.len() - 1;
    for (i, unit) in units.iter_mut().enumerate() {
        let closing: &[&str] = match (last, i == last) {
            (0, _) => &["COMMIT"],
            (_, false) => &["RELEASE unit"],
            (_, true) => &["RELEASE unit", "COMMIT"],
        };
        if last > 0 {
            tx.opening.push("SAVEPOINT unit");
        }
        let events_before = tx.written.len();
        let ran = AssertUnwindSafe(unit.run(tx, closing)).catch_unwind().await;
        let Err(e) = ran.unwrap_or_else(|_| Err(panicked())) else {
            continue;
        };
        let was_sent = tx.drop_unit(events_before);
        let disk = matches!(e, Error::Disk(_)).then(|| e.clone());
        unit.fail(e);
        if !was_sent {
            // Nothing of it reached the database, its savepoint neither; a `BEGIN` still waits for the next unit.
            tx.opening.retain(|sql| *sql == "BEGIN IMMEDIATE");
        } else if last == 0 {
            return raw(tx, "ROLLBACK").await;
        } else {
            // A full disk ends SQLite's whole transaction: the savepoint is gone, and all units fail by the disk.
            raw(tx, "ROLLBACK TO unit; RELEASE unit")
                .await
                .map_err(|e| disk.unwrap_or(e))?;
        }
        if i == last && tx.opening.is_empty() {
            return raw(tx, "COMMIT").await;
        }
    }
    tx.opening.clear();
    Ok(())
}

/// Stops a debug build in which what is remembered has come apart from the rows.
#[cfg(debug_assertions)]
async fn remembers_what_is_there(tx: &mut Tx) {
    match super::kept::difference(tx).await {
        Ok(None) => {}
        Ok(Some(what)) => panic!("the writer remembers what is not there: {what}"),
        // A disk that does not even read is the next unit's affair.
        Err(_) => tx.forget(),
    }
}

async fn raw(tx: &mut Tx, sql: &'static str) -> Result<()> {
    if let Conn::Sqlite(c) = &mut tx.conn {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **c).await?;
    }
    Ok(())
}
