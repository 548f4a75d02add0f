//! Instants with a name, at which a debug build can be told to die, so that `make chaos` hits the narrow windows that no
//! random kill does: `CARACAL_FAILPOINTS="agent.exited=kill@3"` kills the process the third time it gets there.
//!
//! **Invariant:** a release build has none of it: the variable is not read, and the names are not in the program.

/// The process is at this instant: `server.…` or `agent.…`, and what has just been done.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn reached(_name: &'static str) {}

#[cfg(debug_assertions)]
pub use armed::reached;

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// One instant at which to die, and how often it was there.
    #[derive(Debug)]
    struct Point {
        name: String,
        at: u64,
        times: AtomicU64,
    }

    /// The process is at this instant: `server.…` or `agent.…`, and what has just been done.
    pub fn reached(name: &'static str) {
        static POINTS: OnceLock<Vec<Point>> = OnceLock::new();
        let points = POINTS.get_or_init(|| parse(&std::env::var("CARACAL_FAILPOINTS").unwrap_or_default()));
        if points.iter().any(|p| p.is_due(name)) {
            // The proof, beside the signal the process dies of.
            eprintln!("failpoint {name} reached");
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // Nothing may happen behind this instant, however long the signal takes.
            loop {
                std::thread::park();
            }
        }
    }

    impl Point {
        fn is_due(&self, name: &str) -> bool {
            self.name == name && self.times.fetch_add(1, Ordering::Relaxed) + 1 == self.at
        }
    }

    /// Reads `name=kill@3,other=kill`; what is not understood is told, and never fires.
    fn parse(text: &str) -> Vec<Point> {
        let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
        let point = |part: &str| {
            let (name, what) = part.split_once('=')?;
            let at = match what.split_once('@') {
                None if what == "kill" => 1,
                Some(("kill", times)) => times.parse().ok()?,
                _ => return None,
            };
            Some(Point {
                name: name.to_owned(),
                at,
                times: AtomicU64::new(0),
            })
        };
        let told = |part: &str| {
            let found = point(part);
            if found.is_none() {
                eprintln!("CARACAL_FAILPOINTS: {part} is not NAME=kill@TIMES");
            }
            found
        };
        parts.filter_map(told).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn points_are_due_once_and_nonsense_never() {
            let points = parse("a=kill@2, b=kill,c=sing,d,e=kill@x");
            let due = |name| points.iter().any(|p| p.is_due(name));
            assert_eq!([due("a"), due("a"), due("a")], [false, true, false]);
            assert_eq!(
                [due("b"), due("b"), due("c"), due("d"), due("e")],
                [true, false, false, false, false]
            );
        }
    }
}
