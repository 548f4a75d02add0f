//! The lease: how long the server lets this agent run what it has without being heard.
//!
//! **Invariant:** it is counted from when the answered heartbeat *left*, and goes on while the machine sleeps, so it always
//! ends here before it ends there.

use shim::since_boot;
use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Timers stand still while a machine is suspended: this often the clock that does not is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The hold on everything that runs.
pub struct Lease {
    held: watch::Sender<Option<Hold>>,
    until: watch::Sender<Option<Duration>>,
    awake: fn() -> Duration,
}

#[derive(Clone, Copy)]
struct Hold {
    until: Instant,
    /// The same by the clock that does not stand still.
    until_awake: Duration,
    ms: u64,
}

impl Default for Lease {
    fn default() -> Self {
        Self::by(since_boot)
    }
}

impl Lease {
    /// A lease that looks at this clock too; it counts the time a machine was suspended.
    fn by(awake: fn() -> Duration) -> Self {
        Self {
            held: watch::Sender::new(None),
            until: watch::Sender::new(None),
            awake,
        }
    }

    /// A message that left at `sent_at` was answered: the lease runs anew from then.
    pub fn heard(&self, sent_at: Instant, lease_ms: u64) {
        let length = Duration::from_millis(lease_ms);
        let left = (sent_at + length).saturating_duration_since(Instant::now());
        let until_awake = (self.awake)() + left;
        self.held.send_replace(Some(Hold {
            until: sent_at + length,
            until_awake,
            ms: lease_ms,
        }));
        self.until.send_replace(Some(until_awake));
    }

    /// Whether it lasts still. Nothing is taken on without: after a sleep, what is heard may be of long ago, and be run by
    /// another agent by now.
    pub fn holds(&self) -> bool {
        let hold = *self.held.borrow();
        hold.is_some_and(|hold| Instant::now() < hold.until && (self.awake)() < hold.until_awake)
    }

    /// Until when it lasts, by the clock that does not stand still; for those who end what runs when we cannot.
    pub fn until(&self) -> watch::Receiver<Option<Duration>> {
        self.until.subscribe()
    }

    /// Waits until it ends unrenewed; answers how long it was, in milliseconds. Ends once per lease.
    pub async fn ended(&self) -> u64 {
        let mut seen = self.held.subscribe();
        loop {
            let hold = *seen.borrow_and_update();
            let Some(hold) = hold else {
                if seen.changed().await.is_err() {
                    return pending().await;
                }
                continue;
            };
            if Instant::now() >= hold.until || (self.awake)() >= hold.until_awake {
                // Nobody is told of the removal: it is this call that ends it.
                self.held.send_if_modified(|held| {
                    *held = None;
                    false
                });
                return hold.ms;
            }
            tokio::select! {
                _ = seen.changed() => {}
                () = sleep_until(hold.until.min(Instant::now() + LOOK)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    static AWAKE: AtomicU64 = AtomicU64::new(1_000);

    fn awake() -> Duration {
        Duration::from_secs(AWAKE.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_once_by_whichever_clock_comes_first() {
        let lease = Lease::by(awake);
        let began = Instant::now();
        assert!(!lease.holds(), "nothing was heard yet");
        lease.heard(began, 60_000);
        assert!(lease.holds());
        assert_eq!(lease.ended().await, 60_000);
        assert!(!lease.holds());
        assert_eq!(began.elapsed(), Duration::from_secs(60));
        let again = tokio::time::timeout(Duration::from_secs(600), lease.ended());
        assert!(again.await.is_err(), "it ended twice");

        // The machine sleeps for an hour: timers have not moved when it wakes.
        let began = Instant::now();
        lease.heard(began, 600_000);
        AWAKE.fetch_add(3_600, Ordering::SeqCst);
        assert!(!lease.holds(), "whoever looks first");
        assert_eq!(lease.ended().await, 600_000);
        assert!(began.elapsed() <= LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_renews_it_from_when_the_question_left() {
        let lease = Lease::by(|| Duration::ZERO);
        let began = Instant::now();
        lease.heard(began, 10_000);
        let renew = async {
            sleep_until(began + Duration::from_secs(9)).await;
            lease.heard(began + Duration::from_secs(5), 10_000);
        };
        let (ms, ()) = tokio::join!(lease.ended(), renew);
        assert_eq!((ms, began.elapsed()), (10_000, Duration::from_secs(15)));
    }
}
