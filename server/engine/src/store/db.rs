//! The two databases, and the macros that run one body on whichever is there.
//!
//! **Invariant:** a body inside `on!` or `on_tx!` holds the same SQL text for both; where dialects differ there is a `match`.

use sqlx::{PgPool, SqlitePool};

/// Where reads go.
#[derive(Debug, Clone)]
pub enum Db {
    /// SQLite: a pool of read-only connections; writes go through the writer.
    Sqlite(SqlitePool),
    /// PostgreSQL.
    Postgres(PgPool),
}

/// Runs a body on the pool at hand: `on!(db, p => sqlx::query(…).fetch_all(p).await)`.
macro_rules! on {
    ($db:expr, $p:ident => $body:expr) => {
        match $db {
            $crate::store::Db::Sqlite($p) => $body,
            $crate::store::Db::Postgres($p) => $body,
        }
    };
}

/// Runs a body on the connection of a transaction: `on_tx!(tx, c => sqlx::query(…).execute(c).await)`.
macro_rules! on_tx {
    ($tx:expr, $c:ident => $body:expr) => {
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
    };
}

pub(crate) use {on, on_tx};
