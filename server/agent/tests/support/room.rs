//! A workspace and a spool for one session, and what its steps wrote.
//!
//! **Invariant:** everything lies in one folder that goes with the room.

use agent::executor::{Progress, Session, SessionSpec, StepCommand};
use agent::spool::Spool;
use domain::console::view::Stream;
use domain::plan::{Command, Limits};
use domain::{AttemptId, JobId, StepId, TaskId};
use protocol::Exit;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The room.
pub struct Room {
    /// All of it: the workspace is `slot-0` in it.
    pub dir: tempfile::TempDir,
    /// What its session is opened with.
    pub spec: SessionSpec,
}

/// What set-up said.
#[derive(Default)]
pub struct Said(pub Mutex<String>);

impl Progress for Said {
    fn say(&self, text: &str) {
        self.0.lock().unwrap().push_str(text);
    }
}

impl Room {
    /// A room for an attempt, whose number names its containers.
    pub fn new(attempt: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // As a data folder that lets steps of another user pass.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let workspace = dir.path().join("slot-0");
        std::fs::create_dir(&workspace).unwrap();
        let spool = Arc::new(Spool::open(dir.path().join("spool"), Arc::default()).unwrap());
        let spec = SessionSpec {
            task: TaskId(41),
            job: JobId(7),
            attempt: AttemptId(attempt),
            number: attempt,
            slot: 0,
            image: None,
            limits: Limits::default(),
            workspace,
            grace_ms: 100,
            spool,
        };
        Self { dir, spec }
    }

    /// A file of the workspace.
    pub fn file(&self, name: &str) -> PathBuf {
        self.spec.workspace.join(name)
    }

    /// Waits until the running step has made a file; a step that ends without is a failure.
    pub async fn until(&self, session: &dyn Session, name: &str) {
        while !self.file(name).exists() {
            let ended = tokio::time::timeout(Duration::from_millis(2), session.wait()).await;
            if let (Ok(end), false) = (ended, self.file(name).exists()) {
                panic!("the step ended ({end:?}) without {name}: {} {}", self.out(), self.err());
            }
        }
    }

    /// All output of a stream so far.
    pub fn output(&self, stream: Stream) -> Vec<u8> {
        let (mut from, mut found) = (0, Vec::new());
        loop {
            let piece = self.spec.spool.read(from, 1 << 20).unwrap();
            if piece.bytes.is_empty() {
                return found;
            }
            for (i, mark) in piece.marks.iter().enumerate() {
                let end = piece.marks.get(i + 1).map_or(piece.bytes.len(), |m| m.at as usize);
                if mark.stream == stream {
                    found.extend_from_slice(&piece.bytes[mark.at as usize..end]);
                }
            }
            from += piece.bytes.len() as u64;
        }
    }

    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8(self.output(Stream::Stdout)).unwrap()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8(self.output(Stream::Stderr)).unwrap()
    }
}

/// A step with a script.
pub fn run(script: &str) -> StepCommand {
    step(Command::Run(script.into()))
}

/// A step with an argument list.
pub fn argv(list: &[&str]) -> StepCommand {
    step(Command::Argv(list.iter().map(|a| (*a).to_owned()).collect()))
}

fn step(command: Command) -> StepCommand {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    StepCommand {
        id: StepId(NEXT.fetch_add(1, Ordering::Relaxed)),
        name: "step".into(),
        command,
        env: BTreeMap::from([("CI".into(), "true".into()), ("GREETING".into(), "a b'\"$c".into())]),
        keep: false,
        limit: None,
        lease: None,
    }
}

/// Starts a step and waits for its end.
pub async fn ends(session: &dyn Session, step: StepCommand) -> Exit {
    session.start(step).await.unwrap();
    session.wait().await.unwrap()
}

/// Bytes without any pattern (xorshift), the same every time.
pub fn noise(len: usize) -> Vec<u8> {
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes.extend_from_slice(&x.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
