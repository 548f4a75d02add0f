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
pub fn validate(settings: &Settings, file: &Path) -> anyhow::Result<ExitCode> {
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
    let check = document::check(
        &text,
        &SourceRules {
            allow_local: settings.allow_local_sources,
        },
    );
    for p in &check.errors {
        let (line, column) = (p.line.unwrap_or(1), p.column.unwrap_or(1));
        let hint = p.hint.as_ref().map(|h| format!(" {h}")).unwrap_or_default();
        eprintln!("{shown}:{line}:{column}: {}{hint}", p.message);
    }
    if !check.valid {
        return Ok(ExitCode::FAILURE);
    }
    let jobs = match check.jobs.len() {
        1 => "1 job".to_owned(),
        n => format!("{n} jobs"),
    };
    println!("{shown}: plan `{}` with {jobs}", check.name.unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}
