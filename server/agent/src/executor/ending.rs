//! The end of a step as something any number of callers may wait for, any number of times.
//!
//! **Invariant:** it is told once; a teller that goes without telling is an end too, never a wait for ever.

use super::ExecError;
use protocol::Exit;
use tokio::sync::watch;

type End = Result<Exit, ExecError>;

/// Tells the end.
pub(super) struct Teller(watch::Sender<Option<End>>);

/// Waits for it.
#[derive(Clone)]
pub(super) struct Ending(watch::Receiver<Option<End>>);

/// A step's end to come.
pub(super) fn ending() -> (Teller, Ending) {
    let (tell, wait) = watch::channel(None);
    (Teller(tell), Ending(wait))
}

impl Teller {
    /// Tells it.
    pub fn tell(self, end: End) {
        self.0.send_replace(Some(end));
    }
}

impl Ending {
    /// Whether it is told.
    pub fn told(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until it is told.
    pub async fn wait(&self) -> End {
        let mut wait = self.0.clone();
        match wait.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or_else(unknown),
            Err(_) => unknown(),
        }
    }
}

fn unknown() -> End {
    Err(ExecError::Machine("The agent lost sight of the step.".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_is_heard_by_all_and_again() {
        let (tell, wait) = ending();
        assert!(!wait.told());
        let other = tokio::spawn({
            let wait = wait.clone();
            async move { wait.wait().await }
        });
        tell.tell(Ok(Exit::Exited(3)));
        assert_eq!(other.await.unwrap(), Ok(Exit::Exited(3)));
        assert_eq!(wait.wait().await, Ok(Exit::Exited(3)));
    }

    #[tokio::test]
    async fn a_teller_that_vanishes_ends_the_wait() {
        let (tell, wait) = ending();
        drop(tell);
        assert!(wait.wait().await.is_err());
    }
}
