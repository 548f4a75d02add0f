//! The build steps Cargo cannot do by itself: styles, the browser bundle, compressed assets and our own lints.
//! `make` calls it; so can a person: `cargo xtask help`.
//!
//! **Invariant:** a second run with nothing changed leaves every output file untouched.

mod cargo;
mod compress;
mod dist;
mod editor;
mod lint;
mod site;
mod split;
mod stamp;
mod trim;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cargo::Profile;
use crate::workspace::Workspace;

const HELP: &str = "\
cargo xtask COMMAND

  build [--release]   browser bundle and styles, then the `caracal` binary that serves them
  site  [--release]   browser bundle and styles alone, into target/site
  dist                a static release binary for any Linux of this architecture, packed, into target/dist
  lint                the rules no compiler knows: views without inline style or markup, a neutral npm lock
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    let mut profile = Profile::Debug;
    for argument in arguments {
        match argument.as_str() {
            "--release" => profile = Profile::Release,
            other => bail!("unknown argument `{other}`\n\n{HELP}"),
        }
    }
    let workspace = Workspace::locate();
    match command.as_str() {
        "build" => {
            site::build(&workspace, profile)?;
            cargo::build_server(&workspace, profile)
        }
        "dist" => dist::build(&workspace),
        "site" => site::build(&workspace, profile),
        "lint" => lint::run(&workspace),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("unknown command `{other}`\n\n{HELP}"),
    }
}
