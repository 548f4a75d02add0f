//! SQLite's connections for reading. Taking one and giving it back costs no word with the database: a pool of sqlx asks
//! every connection that comes back whether it lives, in a task of its own, and that is as dear as the read.
//!
//! **Invariant:** at most [`MOST`] connections are open, each is lent to one reader at a time, and none of them can write.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most connections.
const MOST: usize = 4;

/// The connections. Cheap to clone.
#[derive(Clone)]
pub struct Readers(Arc<Inner>);

struct Inner {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<SqliteConnection>>,
    free: Arc<Semaphore>,
}

/// A connection on loan.
pub struct Reader {
    /// There until it is given back.
    conn: Option<SqliteConnection>,
    home: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    /// Opens the first of them.
    pub(super) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let first = options.connect().await?;
        Ok(Self(Arc::new(Inner {
            options,
            idle: Mutex::new(vec![first]),
            free: Arc::new(Semaphore::new(MOST)),
        })))
    }

    /// A connection, as soon as one is free.
    ///
    /// # Errors
    /// When another one has to be opened and cannot be.
    pub async fn take(&self) -> sqlx::Result<Reader> {
        let permit = self.0.free.clone().acquire_owned().await;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => SqliteConnection::connect_with(&self.0.options).await?,
        };
        Ok(Reader {
            conn: Some(conn),
            home: self.0.clone(),
            _permit: permit,
        })
    }

    /// How they are opened.
    #[must_use]
    pub fn options(&self) -> &SqliteConnectOptions {
        &self.0.options
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

impl Deref for Reader {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        self.conn
            .as_ref()
            .expect("a reader has its connection until it is dropped")
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.conn
            .as_mut()
            .expect("a reader has its connection until it is dropped")
    }
}

/// A read that was given up half-way leaves its connection usable: the next one waits in line behind its end.
impl Drop for Reader {
    fn drop(&mut self) {
        let conn = self.conn.take();
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(conn);
    }
}
