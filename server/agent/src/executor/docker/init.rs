//! The engine's init (PID 1) tells on the step's own standard error that a command could not be executed. These words
//! are not the step's: they become the step's error instead.
//!
//! **Invariant:** bytes are held back only while they are all the step wrote and begin as such words do; they are given
//! back unless the container then ended as init ends.

use crate::executor::command::SHELL;
use protocol::Exit;

const BEGIN: &[u8] = b"[FATAL tini (";
const MOST: usize = 4096;

/// What may be init's words so far.
#[derive(Default)]
pub(super) struct Words {
    held: Vec<u8>,
    passed: bool,
}

impl Words {
    /// None will come: the step wrote already, or what it wrote first was not seen.
    pub fn over() -> Self {
        Self {
            held: Vec::new(),
            passed: true,
        }
    }

    /// Takes a piece of output; answers what is to be stored of standard error before it, and whether the piece itself is.
    pub fn hear(&mut self, stderr: bool, bytes: &[u8]) -> (Vec<u8>, bool) {
        if self.passed || bytes.is_empty() {
            return (Vec::new(), true);
        }
        let longer = [&self.held, bytes].concat();
        let may_be = longer.len() <= MOST && longer.starts_with(&BEGIN[..BEGIN.len().min(longer.len())]);
        if stderr && may_be {
            self.held = longer;
            return (Vec::new(), false);
        }
        self.passed = true;
        (std::mem::take(&mut self.held), true)
    }

    /// The end: how the command could not be started, or the bytes that were the step's after all.
    pub fn end(self, code: i64, image: &str) -> Result<Exit, Vec<u8>> {
        if self.held.is_empty() || !matches!(code, 126 | 127) {
            return Err(self.held);
        }
        let text = String::from_utf8_lossy(&self.held);
        let Some((program, why)) = split(&text) else {
            return Err(self.held);
        };
        Ok(Exit::Failed(match (code, program) {
            (127, SHELL) => {
                format!(
                    "The image {image} has no {SHELL}, which a step's script needs; give the step a command: list or take another image."
                )
            }
            (127, program) => format!("There is no command {program} in the image {image}."),
            (126, program) if why.starts_with("Permission denied") => {
                format!("{program} in the image {image} is not executable.")
            }
            (_, program) => format!("{program} could not be started in the image {image}: {why}."),
        }))
    }
}

/// Program and reason of `[FATAL tini (7)] exec PROGRAM failed: REASON`.
fn split(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.trim_end().split_once(")] exec ")?;
    rest.rsplit_once(" failed: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: &[u8] = b"[FATAL tini (8)] exec nosuch failed: No such file or directory\n";

    #[test]
    fn a_command_that_is_not_there_is_a_sentence_and_no_output() {
        for (text, code, expected) in [
            (ABSENT, 127, "There is no command nosuch in the image a:b."),
            (
                b"[FATAL tini (6)] exec /bin/sh failed: No such file or directory\n",
                127,
                "The image a:b has no /bin/sh, which a step's script needs; give the step a command: list or take another image.",
            ),
            (
                b"[FATAL tini (6)] exec /etc/passwd failed: Permission denied\n",
                126,
                "/etc/passwd in the image a:b is not executable.",
            ),
        ] {
            let mut words = Words::default();
            for byte in text.chunks(5) {
                assert_eq!(words.hear(true, byte), (vec![], false));
            }
            assert_eq!(words.end(code, "a:b"), Ok(Exit::Failed(expected.into())));
        }
    }

    #[test]
    fn a_step_that_says_such_words_keeps_them() {
        let mut words = Words::default();
        assert_eq!(words.hear(true, ABSENT), (vec![], false));
        assert_eq!(words.hear(false, b"more"), (ABSENT.to_vec(), true));
        assert_eq!(words.hear(true, ABSENT), (vec![], true));
        assert_eq!(words.end(127, "a"), Err(vec![]));
        let mut words = Words::default();
        words.hear(true, ABSENT);
        assert_eq!(words.end(0, "a"), Err(ABSENT.to_vec()));
    }

    #[test]
    fn ordinary_output_is_not_held() {
        let mut words = Words::default();
        assert_eq!(words.hear(true, b"[FATAL error"), (vec![], true));
        let mut words = Words::default();
        assert_eq!(words.hear(false, b"[FATAL tini ("), (vec![], true));
        let mut words = Words::default();
        assert_eq!(words.hear(true, b"[FAT"), (vec![], false));
        assert_eq!(words.hear(true, b"AL x"), (b"[FAT".to_vec(), true));
    }
}
