//! The tests' double: a step's `run` text is a script of this module's own, so that a test decides what a step does and
//! when, without engine, process or clock. One command a line:
//!
//! ```text
//! print TEXT          a line to standard output
//! err TEXT            a line to standard error
//! bytes N             N bytes 0, 1, … 255, 0, … to standard output, no newline
//! lines N             N lines `line 1` … `line N`
//! env NAME            the variable's value as a line
//! wait NAME           until the test opens the gate NAME, or the file NAME (with a slash) exists
//! hang                until it is signalled
//! ignore-term         from here on only KILL ends it
//! exit N              ends with that code
//! signal N            ends by that signal
//! fail to start TEXT  (first line) the step could not be started: TEXT
//! engine gone TEXT    the engine goes away under it: TEXT
//! ```
//!
//! A script that reaches its end exits with 0; an empty line and one that begins with `#` do nothing; any other fails to
//! start. A `command:` list exits with 0 if it is `["true"]`, else with 1. TERM ends with signal 15, KILL with 9.
//!
//! **Invariant:** it does nothing by time, but for looking for a file every millisecond.

use super::ending::{Ending, ending};
use super::output::Sink;
use super::{ExecError, Executor, Handle, Progress, Session, SessionSpec, Signal, StepCommand};
use async_trait::async_trait;
use domain::console::view::Stream;
use domain::plan::Command;
use domain::status::ExecutorKind;
use protocol::Exit;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Gates that scripts wait at; all clones are the same.
#[derive(Clone)]
pub struct Gates(Arc<watch::Sender<BTreeSet<String>>>);

impl Default for Gates {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::new())))
    }
}

impl Gates {
    /// Opens a gate, for good.
    pub fn open(&self, name: &str) {
        self.0.send_modify(|open| {
            open.insert(name.into());
        });
    }

    async fn pass(&self, name: &str) {
        if name.contains('/') {
            while !Path::new(name).exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            return;
        }
        let mut open = self.0.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = open.wait_for(|open| open.contains(name)).await;
    }
}

/// The double.
#[derive(Default)]
pub struct ScriptedExecutor {
    gates: Gates,
}

impl ScriptedExecutor {
    /// One whose scripts wait at these gates.
    #[must_use]
    pub fn new(gates: Gates) -> Self {
        Self { gates }
    }
}

struct ScriptedSession {
    gates: Gates,
    sink: Sink,
    step: Mutex<Option<Running>>,
}

#[derive(Clone)]
struct Running {
    signal: Arc<watch::Sender<Option<Signal>>>,
    end: Ending,
}

#[async_trait]
impl Executor for ScriptedExecutor {
    fn kind(&self) -> ExecutorKind {
        ExecutorKind::Scripted
    }

    async fn open(&self, spec: SessionSpec, progress: &dyn Progress) -> Result<Box<dyn Session>, ExecError> {
        if let Some(image) = spec.image.as_deref().filter(|i| i.starts_with("nosuch")) {
            return Err(ExecError::Refused(format!(
                "The image {image} was not found: it is scripted so."
            )));
        }
        progress.say("Ready\n");
        Ok(Box::new(ScriptedSession {
            gates: self.gates.clone(),
            sink: Sink::new(spec.spool),
            step: Mutex::default(),
        }))
    }

    async fn recover(
        &self,
        _handle: &Handle,
        _spec: SessionSpec,
        _base: u64,
    ) -> Result<Option<Box<dyn Session>>, ExecError> {
        Ok(None)
    }

    async fn sweep(&self, _kept: &[Handle]) -> Result<usize, ExecError> {
        Ok(0)
    }

    async fn ready(&self) -> Result<(), ExecError> {
        Ok(())
    }
}

impl ScriptedSession {
    fn running(&self) -> Option<Running> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Session for ScriptedSession {
    fn handle(&self) -> Option<Handle> {
        None
    }

    async fn resume(&self, _step: StepCommand, _from: u64) -> Result<bool, ExecError> {
        Ok(false)
    }

    async fn start(&self, step: StepCommand) -> Result<(), ExecError> {
        let script = match &step.command {
            Command::Run(script) => script.clone(),
            Command::Argv(list) => format!("exit {}", i32::from(*list != ["true"])),
        };
        let script = parse(&script)?;
        let (signal, heard) = watch::channel(None);
        let (tell, end) = ending();
        let running = Running {
            signal: Arc::new(signal),
            end,
        };
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        let play = play(script, step, self.sink.clone(), self.gates.clone(), heard);
        tokio::spawn(async move { tell.tell(play.await) });
        Ok(())
    }

    async fn wait(&self) -> Result<Exit, ExecError> {
        match self.running() {
            Some(step) => step.end.wait().await,
            None => Err(ExecError::Machine("No step was started.".into())),
        }
    }

    async fn signal(&self, signal: Signal) {
        if let Some(step) = self.running() {
            step.signal.send_replace(Some(signal));
        }
    }

    async fn close(&self) {
        self.signal(Signal::Kill).await;
        if let Some(step) = self.running() {
            let _ = step.end.wait().await;
        }
    }
}

/// One line of a script.
#[derive(Debug, Clone, PartialEq)]
enum Line {
    Say(Stream, String),
    Bytes(usize),
    Lines(usize),
    Env(String),
    Wait(String),
    Hang,
    IgnoreTerm,
    End(Exit),
    Gone(String),
}

fn parse(script: &str) -> Result<Vec<Line>, ExecError> {
    let mut lines = Vec::new();
    for text in script
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let number = rest.parse::<usize>().ok();
        lines.push(match (word, number) {
            ("print", _) => Line::Say(Stream::Stdout, format!("{rest}\n")),
            ("err", _) => Line::Say(Stream::Stderr, format!("{rest}\n")),
            ("bytes", Some(n)) => Line::Bytes(n),
            ("lines", Some(n)) => Line::Lines(n),
            ("env", _) => Line::Env(rest.into()),
            ("wait", _) => Line::Wait(rest.into()),
            ("hang", _) => Line::Hang,
            ("ignore-term", _) => Line::IgnoreTerm,
            ("exit", Some(n)) => Line::End(Exit::Exited(n as i64)),
            ("signal", Some(n)) => Line::End(Exit::Signalled(n as i64)),
            ("engine", _) => Line::Gone(rest.strip_prefix("gone").unwrap_or(rest).trim().into()),
            ("fail", _) => {
                let why = rest.strip_prefix("to start").unwrap_or(rest).trim();
                return Err(ExecError::Refused(why.into()));
            }
            _ => return Err(ExecError::Refused(format!("There is no scripted command {text:?}."))),
        });
    }
    Ok(lines)
}

async fn play(
    script: Vec<Line>,
    step: StepCommand,
    sink: Sink,
    gates: Gates,
    mut heard: watch::Receiver<Option<Signal>>,
) -> Result<Exit, ExecError> {
    let mut deaf = false;
    for line in script {
        let text = match line {
            Line::Say(stream, text) => {
                sink.take(stream, text.as_bytes()).await;
                continue;
            }
            Line::Bytes(n) => (0..n).map(|i| i as u8).collect::<Vec<_>>(),
            Line::Lines(n) => (1..=n).flat_map(|i| format!("line {i}\n").into_bytes()).collect(),
            Line::Env(name) => format!("{}\n", step.env.get(&name).map_or("", String::as_str)).into_bytes(),
            Line::Wait(name) => {
                tokio::select! {
                    biased;
                    exit = signalled(&mut heard, deaf) => return Ok(exit),
                    () = gates.pass(&name) => continue,
                }
            }
            Line::Hang => return Ok(signalled(&mut heard, deaf).await),
            Line::IgnoreTerm => {
                deaf = true;
                continue;
            }
            Line::End(exit) => return Ok(exit),
            Line::Gone(why) => return Err(ExecError::EngineGone(why)),
        };
        sink.take(Stream::Stdout, &text).await;
    }
    Ok(Exit::Exited(0))
}

async fn signalled(heard: &mut watch::Receiver<Option<Signal>>, deaf: bool) -> Exit {
    let ends = |s: &Option<Signal>| *s == Some(Signal::Kill) || (*s == Some(Signal::Term) && !deaf);
    match heard.wait_for(ends).await.map(|s| *s) {
        Ok(Some(Signal::Term)) => Exit::Signalled(15),
        _ => Exit::Signalled(9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read_and_wrong_ones_refused() {
        assert_eq!(
            parse("# a\n\nprint hello world\nbytes 3\nexit 4").unwrap(),
            [
                Line::Say(Stream::Stdout, "hello world\n".into()),
                Line::Bytes(3),
                Line::End(Exit::Exited(4))
            ]
        );
        assert_eq!(
            parse("fail to start no such thing"),
            Err(ExecError::Refused("no such thing".into()))
        );
        assert_eq!(parse("engine gone It went."), Ok(vec![Line::Gone("It went.".into())]));
        assert!(parse("sing").is_err());
    }
}
