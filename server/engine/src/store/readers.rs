//! SQLite's connections for reading. Taking one and giving it back costs no word with the database: a pool of sqlx asks
//! every connection that comes back whether it lives, in a task of its own, and that is as dear as the read.
//!
//! **Invariant:** at most [`MOST`] connections are open, each is lent to one reader at a time, and none of them can write.

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as Lock, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Most connections.
const MOST: usize = 4;

/// The connections. Cheap to clone.
#[derive(Clone)]
pub struct Readers(Arc<Inner>);

struct Inner {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<Arc<Lock<SqliteConnection>>>>,
    free: Arc<Semaphore>,
}

/// A connection on loan.
pub struct Reader {
    conn: OwnedMutexGuard<SqliteConnection>,
    home: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    /// Opens the first of them.
    pub(super) async fn open(options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let first = Arc::new(Lock::new(options.connect().await?));
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
            None => Arc::new(Lock::new(self.0.options.connect().await?)),
        };
        Ok(Reader {
            // Its last reader gave it back in the moment of letting go of it: no wait to speak of.
            conn: conn.lock_owned().await,
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
        &self.conn
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }
}

/// A read that was given up half-way leaves its connection usable: the next one waits in line behind its end.
impl Drop for Reader {
    fn drop(&mut self) {
        let conn = OwnedMutexGuard::mutex(&self.conn).clone();
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(conn);
    }
}
