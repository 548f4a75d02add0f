//! The two databases, and the macros that run one body on whichever is there.
//!
//! **Invariant:** a body inside `on!` or `on_tx!` holds the same SQL text for both; where dialects differ there is a `match`.
//! A limit is a sum (`LIMIT $1 + 0`): SQLite prepares a statement anew for every value of a bare one.

use super::readers::Readers;
use sqlx::PgPool;

/// Where reads go.
#[derive(Debug, Clone)]
pub enum Db {
    /// SQLite: read-only connections; writes go through the writer.
    Sqlite(Readers),
    /// PostgreSQL.
    Postgres(PgPool),
}

/// Runs a body on a connection for reading: `on!(db, c => sqlx::query(…).fetch_all(c).await?)`; a body of several reads
/// lends it on as `&mut *c`.
macro_rules! on {
    ($db:expr, $c:ident => $body:expr) => {
        match $db {
            $crate::store::Db::Sqlite(readers) => {
                let mut reader = readers.take().await?;
                let $c: &mut sqlx::SqliteConnection = &mut reader;
                $body
            }
            $crate::store::Db::Postgres(pool) => {
                let mut reader = pool.acquire().await?;
                let $c: &mut sqlx::PgConnection = &mut reader;
                $body
            }
        }
    };
}

/// Runs a body on the connection of a transaction, behind what the transaction has put off:
/// `on_tx!(tx, c => sqlx::query(…).execute(c).await)`.
macro_rules! on_tx {
    ($tx:expr, $c:ident => $body:expr) => {{
        $tx.settle().await?;
        match &mut $tx.conn {
            $crate::store::tx::Conn::Sqlite(conn) => {
                let $c = &mut **conn;
                $body
            }
            $crate::store::tx::Conn::Postgres(conn) => {
                let $c = &mut **conn;
                $body
            }
        }
    }};
}

pub(crate) use {on, on_tx};
