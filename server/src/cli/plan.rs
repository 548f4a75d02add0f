//! `caracal plan validate`: the reader of documents, at the command line.
//!
//! **Invariant:** the same problems as on the page and over REST.

use crate::settings::Settings;
use anyhow::Context as _;
use domain::plan::document::{self, SourceRules};
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

/// Prints every problem as `FILE:LINE:COLUMN: what`; exit code 1 when there is one.
pub fn validate(settings: &Settings, file: &Path, in_repository: bool) -> anyhow::Result<ExitCode> {
    let shown = file.display();
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input cannot be read")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("{shown} cannot be read"))?
    };
    let rules = SourceRules {
        allow_local: settings.allow_local_sources,
    };
    let in_repository = in_repository || file.file_name().is_some_and(|name| name == document::FILE);
    let check = match in_repository {
        true => document::check_file(&text, &rules),
        false => document::check(&text, &rules),
    };
    for p in &check.errors {
        let (line, column) = (p.line.unwrap_or(1), p.column.unwrap_or(1));
        let hint = p.hint.as_ref().map(|h| format!(" {h}")).unwrap_or_default();
        eprintln!("{shown}:{line}:{column}: {}{hint}", p.message);
    }
    if !check.valid {
        return Ok(ExitCode::FAILURE);
    }
    let jobs = match (check.file, check.jobs.len()) {
        (Some(file), _) => format!("the rest of it in `{file}`"),
        (None, 1) => "1 job".to_owned(),
        (None, n) => format!("{n} jobs"),
    };
    match check.name {
        Some(name) => println!("{shown}: plan `{name}` with {jobs}"),
        None => println!("{shown}: {jobs}, for a plan that is kept in its repository"),
    }
    Ok(ExitCode::SUCCESS)
}
