//! How many may ask the same host at once.
//!
//! **Invariant:** who waits for a host holds up nobody but those who wait for it too; each is let in after those before it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lets a few at a time to each host, and so many in all. Cheap to clone.
#[derive(Clone)]
pub struct HostGate {
    each: usize,
    hosts: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
    all: Arc<Semaphore>,
}

/// A place at a host, given back when dropped.
pub struct Place {
    host: String,
    hosts: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
    held: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

/// It did not end in time, and was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it took longer than {} s", .0.as_secs())]
pub struct Overdue(pub Duration);

impl HostGate {
    /// At most `each` at once to one host, `all` to all of them; at least one.
    #[must_use]
    pub fn new(each: usize, all: usize) -> Self {
        Self {
            each: each.max(1),
            hosts: Arc::default(),
            all: Arc::new(Semaphore::new(all.max(1))),
        }
    }

    /// Waits for a place at a host. Names are the same in any case.
    pub async fn enter(&self, host: &str) -> Place {
        let host = host.to_ascii_lowercase();
        let own = locked(&self.hosts)
            .entry(host.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(self.each)))
            .clone();
        let mut place = Place {
            host,
            hosts: self.hosts.clone(),
            held: None,
        };
        // The host first: who waits for it shall not keep a place of all.
        if let Ok(own) = own.acquire_owned().await
            && let Ok(all) = self.all.clone().acquire_owned().await
        {
            place.held = Some((own, all));
        }
        place
    }

    /// Does something at a host when there is a place, and drops it when it takes longer than `limit`.
    ///
    /// # Errors
    /// When it was dropped.
    pub async fn within<F: Future>(&self, host: &str, limit: Duration, work: F) -> Result<F::Output, Overdue> {
        let _place = self.enter(host).await;
        tokio::time::timeout(limit, work).await.map_err(|_| Overdue(limit))
    }

    /// Hosts that somebody is at or waits for.
    #[must_use]
    pub fn hosts(&self) -> usize {
        locked(&self.hosts).len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.held = None;
        let mut hosts = locked(&self.hosts);
        // Nobody else holds or waits for it: each of those has a share of it.
        if hosts.get(&self.host).is_some_and(|own| Arc::strong_count(own) == 1) {
            hosts.remove(&self.host);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::time::{Instant, sleep};

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_hung_host_delays_nobody_else() {
        let gate = HostGate::new(2, 8);
        let hung: Vec<_> = (0..100)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.within("hung.example", LIMIT, pending::<()>()).await })
            })
            .collect();
        sleep(Duration::from_millis(1)).await;
        let began = Instant::now();
        for n in 0..400 {
            let host = format!("host{}.example", n % 40);
            let done = gate.within(&host, LIMIT, async { n }).await;
            assert_eq!(done, Ok(n));
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "they waited");
        // Two at a time, each thrown out at its limit.
        for task in hung {
            assert_eq!(task.await.unwrap(), Err(Overdue(LIMIT)));
        }
        assert_eq!(began.elapsed().as_secs(), 50 * 30 - 1);
        assert_eq!(gate.hosts(), 0, "hosts are kept for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_at_once() {
        let gate = HostGate::new(3, 5);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (all, most_of_all) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..60)
            .map(|n| {
                let (gate, now, most) = (gate.clone(), now.clone(), most.clone());
                let (all, most_of_all) = (all.clone(), most_of_all.clone());
                tokio::spawn(async move {
                    let one = n % 2 == 0;
                    let host = if one {
                        "one.example".into()
                    } else {
                        format!("ONE{n}.example")
                    };
                    let _place = gate.enter(&host).await;
                    most_of_all.fetch_max(all.fetch_add(1, SeqCst) + 1, SeqCst);
                    if one {
                        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    }
                    sleep(Duration::from_secs(1)).await;
                    all.fetch_sub(1, SeqCst);
                    if one {
                        now.fetch_sub(1, SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((most.load(SeqCst), most_of_all.load(SeqCst)), (3, 5));
        assert_eq!(gate.hosts(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let gate = HostGate::new(1, 1);
        let place = gate.enter("A.example").await;
        let waits = gate.enter("a.example");
        assert!(tokio::time::timeout(LIMIT, waits).await.is_err());
        drop(place);
        assert_eq!(gate.hosts(), 0);
        let place = tokio::time::timeout(LIMIT, gate.enter("a.example")).await;
        assert!(place.is_ok());
    }
}
