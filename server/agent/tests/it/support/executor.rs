//! The tests' executor: a step's `run` is a script of one word a line, and gates let a test hold it at a point.
//!
//! `print T`, `err T`, `flood N` (numbered lines), `gate G` (waits until the test opens it), `hang` (until TERM), `deaf`
//! (until KILL), `file P` (makes a file in the workspace), `env K` (prints it), `exit N`.

use agent::executor::{ExecError, Executor, Handle, Progress, Session, SessionSpec, Signal, StepCommand};
use agent::spool::Spool;
use async_trait::async_trait;
use domain::Timestamp;
use domain::console::view::Stream;
use domain::plan::Command;
use domain::status::ExecutorKind;
use protocol::Exit;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What the test and all sessions share.
#[derive(Default)]
pub struct Scripts {
    gates: watch::Sender<BTreeSet<String>>,
    /// Steps that are running now.
    pub live: AtomicUsize,
    /// Sessions opened and not closed.
    pub open: AtomicUsize,
    /// Sessions found again.
    pub found: AtomicUsize,
    /// The sentence `ready` and `open` answer with, if any.
    pub away: Mutex<Option<String>>,
    /// Whether `open` says nothing.
    pub quiet: AtomicBool,
    /// Whether sessions can be found again, with a step that writes `meanwhile` and hangs.
    pub lasting: AtomicBool,
    /// Whether they are found only when the gate `recover` is open.
    pub late: AtomicBool,
    /// What `open` was given.
    pub seen: Mutex<Vec<SessionSpec>>,
}

impl Scripts {
    /// Opens a gate for good.
    pub fn open_gate(&self, name: &str) {
        self.gates.send_modify(|g| {
            g.insert(name.to_owned());
        });
    }
}

/// The executor.
pub struct Scripted(pub Arc<Scripts>);

struct Place {
    scripts: Arc<Scripts>,
    spec: SessionSpec,
    signal: watch::Sender<u8>,
    end: watch::Sender<Option<Exit>>,
}

#[async_trait]
impl Executor for Scripted {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::Scripted
    }

    async fn open(&self, spec: SessionSpec, progress: &dyn Progress) -> Result<Box<dyn Session>, ExecError> {
        if let Some(why) = self.0.away.lock().unwrap().clone() {
            return Err(ExecError::EngineGone(why));
        }
        if !self.0.quiet.load(Ordering::SeqCst) {
            progress.say("Opening.\n");
        }
        assert!(
            std::fs::read_dir(&spec.workspace).unwrap().next().is_none(),
            "the workspace is not empty"
        );
        self.0.seen.lock().unwrap().push(spec.clone());
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Place {
            scripts: self.0.clone(),
            spec,
            signal: watch::Sender::new(0),
            end: watch::Sender::new(None),
        }))
    }

    async fn recover(&self, _: &Handle, spec: SessionSpec, _: u64) -> Result<Option<Box<dyn Session>>, ExecError> {
        if !self.0.lasting.load(Ordering::SeqCst) {
            return Ok(None);
        }
        if self.0.late.load(Ordering::SeqCst) {
            let mut gates = self.0.gates.subscribe();
            let _ = gates.wait_for(|g| g.contains("recover")).await;
        }
        self.0.found.fetch_add(1, Ordering::SeqCst);
        self.0.open.fetch_add(1, Ordering::SeqCst);
        Ok(Some(Box::new(Place {
            scripts: self.0.clone(),
            spec,
            signal: watch::Sender::new(0),
            end: watch::Sender::new(None),
        })))
    }

    async fn sweep(&self, _kept: &[Handle]) -> Result<usize, ExecError> {
        Ok(0)
    }

    async fn ready(&self) -> Result<(), ExecError> {
        self.0
            .away
            .lock()
            .unwrap()
            .clone()
            .map_or(Ok(()), |why| Err(ExecError::EngineGone(why)))
    }
}

#[async_trait]
impl Session for Place {
    fn handle(&self) -> Option<Handle> {
        self.scripts.lasting.load(Ordering::SeqCst).then(|| Handle {
            kind: ExecutorKind::Scripted,
            data: "here".into(),
        })
    }

    async fn resume(&self, step: StepCommand, _from: u64) -> Result<bool, ExecError> {
        let command = Command::Run("print meanwhile\nhang".into());
        self.start(StepCommand { command, ..step }).await?;
        Ok(true)
    }

    async fn start(&self, step: StepCommand) -> Result<(), ExecError> {
        self.signal.send_replace(0);
        self.end.send_replace(None);
        let (scripts, spool) = (self.scripts.clone(), self.spec.spool.clone());
        let (signal, end, workspace) = (self.signal.subscribe(), self.end.clone(), self.spec.workspace.clone());
        scripts.live.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let exit = play(&step, &spool, &scripts, signal, &workspace).await;
            scripts.live.fetch_sub(1, Ordering::SeqCst);
            end.send_replace(Some(exit));
        });
        Ok(())
    }

    async fn wait(&self) -> Result<Exit, ExecError> {
        let mut end = self.end.subscribe();
        let exit = end.wait_for(Option::is_some).await.unwrap().clone();
        Ok(exit.unwrap())
    }

    async fn signal(&self, signal: Signal) {
        self.signal.send_replace(if signal == Signal::Kill { 9 } else { 15 });
    }

    async fn close(&self) {
        self.scripts.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn play(
    step: &StepCommand,
    spool: &Spool,
    scripts: &Scripts,
    mut signal: watch::Receiver<u8>,
    workspace: &std::path::Path,
) -> Exit {
    let Command::Run(script) = &step.command else {
        return Exit::Failed("only scripts".into());
    };
    let at = agent::clock::now;
    for line in script.lines() {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let said = match word {
            "print" => spool.append(Stream::Stdout, at(), format!("{rest}\n").as_bytes()),
            "err" => spool.append(Stream::Stderr, at(), format!("{rest}\n").as_bytes()),
            "env" => {
                let value = step.env.get(rest).cloned().unwrap_or_default();
                spool.append(Stream::Stdout, at(), format!("{rest}={value}\n").as_bytes())
            }
            "flood" => {
                let n: usize = rest.parse().unwrap();
                let mut last = Ok(0);
                for i in 0..n {
                    spool.room().await;
                    last = spool.append(Stream::Stdout, Timestamp(i as i64 / 100), flood_line(i).as_bytes());
                }
                last
            }
            "file" => {
                std::fs::write(workspace.join(rest), "x").unwrap();
                Ok(0)
            }
            "gate" => {
                let mut gates = scripts.gates.subscribe();
                tokio::select! {
                    _ = gates.wait_for(|g| g.contains(rest)) => Ok(0),
                    s = signal.wait_for(|s| *s > 0) => return Exit::Signalled(i64::from(*s.unwrap())),
                }
            }
            "hang" => return Exit::Signalled(i64::from(*signal.wait_for(|s| *s > 0).await.unwrap())),
            "deaf" => return Exit::Signalled(i64::from(*signal.wait_for(|s| *s == 9).await.unwrap())),
            "exit" => return Exit::Exited(rest.parse().unwrap()),
            _ => panic!("no such word: {word}"),
        };
        if let Err(e) = said {
            return Exit::Failed(e.to_string());
        }
    }
    Exit::Exited(0)
}

/// Line `i` of a flood, with its newline.
pub fn flood_line(i: usize) -> String {
    format!("line {i} {}\n", "x".repeat(i % 90))
}
