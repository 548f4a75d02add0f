//! A write in progress: one connection inside one transaction, and the events to come out of it.
//!
//! **Invariant:** events are written in the same transaction as what they tell, and published only after it committed.

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
}

impl Tx {
    pub(super) fn new(conn: Conn) -> Self {
        Self {
            conn,
            pending: Vec::new(),
            written: Vec::new(),
        }
    }

    /// Tells what this write does; kept until its end and written in one statement.
    pub fn emit(&mut self, event: NewEvent) {
        self.pending.push(event);
    }

    /// Runs the statements of a batch in order: in one hop on SQLite, one by one on PostgreSQL.
    ///
    /// # Errors
    /// The first statement's that fails.
    pub async fn run(&mut self, batch: Batch) -> Result<()> {
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
                    let mut q = sqlx::query::<Postgres>(AssertSqlSafe(sql));
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

    /// Writes the pending events and keeps them with their numbers for publishing.
    pub(super) async fn flush_events(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let events = super::events::insert(self, pending).await?;
        self.written.extend(events);
        Ok(())
    }
}
