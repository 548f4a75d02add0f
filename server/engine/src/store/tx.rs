//! A write in progress: one connection inside one transaction, the statements put off, and the events to come out of it.
//!
//! **Invariant:** events are written in the same transaction as what they tell, and published only after it committed;
//! whatever reads sees all that was put off before it.

use super::kept::Kept;
use super::{Batch, NewEvent, Result, Value};
use domain::event::Event;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction};

pub(crate) enum Conn {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A write in progress.
pub struct Tx {
    pub(crate) conn: Conn,
    pub(super) pending: Vec<NewEvent>,
    pub(super) written: Vec<Event>,
    /// What opens the transaction and the unit, until something is sent: `BEGIN`, `SAVEPOINT`.
    pub(super) opening: Vec<&'static str>,
    put_off: Batch,
    pub(super) kept: Option<Kept>,
}

impl Tx {
    pub(super) fn new(conn: Conn) -> Self {
        let kept = matches!(conn, Conn::Sqlite(_)).then(Kept::default);
        Self {
            conn,
            pending: Vec::new(),
            written: Vec::new(),
            opening: Vec::new(),
            put_off: Batch::default(),
            kept,
        }
    }

    /// Tells what this write does; kept until its end and written in one statement.
    pub fn emit(&mut self, event: NewEvent) {
        self.pending.push(event);
    }

    /// Runs the statements of a batch, whatever they change.
    ///
    /// # Errors
    /// The first statement's that fails.
    pub async fn run(&mut self, batch: Batch) -> Result<()> {
        self.forget();
        self.later(batch);
        self.settle().await
    }

    /// Puts statements off until something reads, or the write ends: fewer hops to SQLite's thread. For statements that
    /// leave what is remembered true: none of the columns of a `TaskState` or of a placement's `Agent`, unless the caller
    /// keeps those itself.
    pub(crate) fn later(&mut self, batch: Batch) {
        self.put_off.append(batch);
    }

    /// Runs what was put off, in order: in one hop on SQLite, one by one on PostgreSQL.
    ///
    /// # Errors
    /// The first statement's that fails.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        if self.put_off.is_empty() && self.opening.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        for sql in self.opening.drain(..) {
            batch.push(sql, []);
        }
        batch.append(std::mem::take(&mut self.put_off));
        match &mut self.conn {
            Conn::Sqlite(c) => {
                let Some((sql, values)) = batch.joined() else {
                    return Ok(());
                };
                let mut q = sqlx::query::<Sqlite>(AssertSqlSafe(sql));
                for v in values {
                    q = match v {
                        Value::Int(n) => q.bind(n),
                        Value::Text(t) => q.bind(t),
                        Value::Bool(b) => q.bind(b),
                    };
                }
                q.execute(&mut **c).await?;
            }
            Conn::Postgres(c) => {
                for (sql, values) in batch.single() {
                    let mut q = sqlx::query::<Postgres>(AssertSqlSafe(sql.into_owned()));
                    for v in values {
                        q = match v {
                            Value::Int(n) => q.bind(n),
                            Value::Text(t) => q.bind(t),
                            Value::Bool(b) => q.bind(b),
                        };
                    }
                    q.execute(&mut **c).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends a unit: what was put off, its events, then `closing`, all in one hop where nothing has to be asked.
    pub(super) async fn finish(&mut self, closing: &[&'static str]) -> Result<()> {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            let events = super::events::insert(self, pending).await?;
            self.written.extend(events);
        }
        for sql in closing {
            self.put_off.push(*sql, []);
        }
        self.settle().await
    }

    /// Drops a unit's leavings after it failed, and all that is remembered. Answers whether any of it was sent, so that
    /// there is something to roll back.
    pub(super) fn drop_unit(&mut self, events_before: usize) -> bool {
        self.forget();
        self.pending.clear();
        self.put_off = Batch::default();
        self.written.truncate(events_before);
        self.opening.is_empty()
    }
}
