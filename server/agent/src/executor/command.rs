//! A step's command as the argument list that is executed, the same for containers and processes.
//!
//! **Invariant:** a script reaches the shell byte for byte, whatever its length; nothing of it is expanded by us.

use super::ExecError;
use domain::plan::Command;
use std::collections::BTreeMap;

/// Most bytes of one argument the kernel takes (`MAX_ARG_STRLEN`, less its NUL).
const ARGUMENT: usize = 128 * 1024 - 1;
/// Most bytes of a script; the kernel gives arguments and environment 2 MiB together.
const SCRIPT: usize = 1536 * 1024;
/// Where every script runs.
pub(super) const SHELL: &str = "/bin/sh";

/// The argument list of a command.
///
/// # Errors
/// When no kernel would take it.
pub(super) fn argv(command: &Command) -> Result<Vec<String>, ExecError> {
    let list = match command {
        Command::Run(script) => shell(script)?,
        Command::Argv(list) => list.clone(),
    };
    if list.first().is_none_or(String::is_empty) {
        return Err(ExecError::Refused("The step's command is empty.".into()));
    }
    if list.iter().any(|a| a.contains('\0')) {
        return Err(ExecError::Refused(
            "The step's command holds a NUL byte, which no program can be given.".into(),
        ));
    }
    if list.iter().any(|a| a.len() > ARGUMENT) {
        return Err(ExecError::Refused(
            "One argument of the step's command is longer than 128 KiB, which no program can be given.".into(),
        ));
    }
    Ok(list)
}

/// Looks at a step's environment.
///
/// # Errors
/// When no kernel would take it.
pub(super) fn check_env(env: &BTreeMap<String, String>) -> Result<(), ExecError> {
    if let Some(name) = env.keys().find(|k| k.is_empty() || k.contains(['=', '\0'])) {
        return Err(ExecError::Refused(format!(
            "{name:?} cannot be the name of a variable."
        )));
    }
    if let Some((name, _)) = env.iter().find(|(_, v)| v.contains('\0')) {
        return Err(ExecError::Refused(format!(
            "The variable {name} holds a NUL byte, which no program can be given."
        )));
    }
    Ok(())
}

fn shell(script: &str) -> Result<Vec<String>, ExecError> {
    let mut list = vec![SHELL.to_owned(), "-e".into(), "-c".into()];
    if script.len() <= ARGUMENT {
        list.push(script.into());
        return Ok(list);
    }
    if script.len() > SCRIPT {
        return Err(ExecError::Refused(
            "The step's script is longer than 1.5 MiB; keep it in a file of the repository.".into(),
        ));
    }
    // One argument cannot carry it: the shell joins its pieces.
    let pieces = pieces(script);
    let joined: String = (1..=pieces.len()).map(|n| format!("${{{n}}}")).collect();
    list.push(format!("eval \"{joined}\""));
    list.push("sh".into());
    list.extend(pieces);
    Ok(list)
}

fn pieces(script: &str) -> Vec<String> {
    let mut rest = script;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let at = rest.floor_char_boundary(ARGUMENT);
        pieces.push(rest[..at].to_owned());
        rest = &rest[at..];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_go_to_the_shell_and_lists_go_as_they_are() {
        assert_eq!(
            argv(&Command::Run("a\nb $1".into())).unwrap(),
            ["/bin/sh", "-e", "-c", "a\nb $1"]
        );
        let list = vec!["tar".to_owned(), "-c".into(), "".into()];
        assert_eq!(argv(&Command::Argv(list.clone())).unwrap(), list);
    }

    #[test]
    fn a_long_script_is_cut_at_characters_and_joined_again() {
        let script = "é".repeat(150_000);
        let list = argv(&Command::Run(script.clone())).unwrap();
        assert_eq!(list[3], "eval \"${1}${2}${3}\"");
        assert!(list.iter().all(|a| a.len() <= ARGUMENT));
        assert_eq!(list[5..].concat(), script);
    }

    #[test]
    fn what_no_kernel_takes_is_refused_with_a_reason() {
        for (command, why) in [
            (Command::Argv(vec![]), "empty"),
            (Command::Argv(vec![String::new()]), "empty"),
            (Command::Argv(vec!["a\0b".into()]), "NUL"),
            (Command::Run("a\0b".into()), "NUL"),
            (Command::Argv(vec!["x".repeat(ARGUMENT + 1)]), "128 KiB"),
            (Command::Run("x".repeat(SCRIPT + 1)), "1.5 MiB"),
        ] {
            let ExecError::Refused(said) = argv(&command).unwrap_err() else {
                panic!("not refused")
            };
            assert!(said.contains(why), "{said}");
        }
    }
}
