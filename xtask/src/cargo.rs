//! The Cargo builds of the product: the browser's two modules and the server's binary.
//! They are separate calls, because one call would give package `app` both `ssr` and `hydrate`, and `domain` all it can be.
//!
//! **Invariant:** the same `cargo` that started xtask is used, so a pinned toolchain stays pinned.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// How hard to optimise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build; the server reads the site from disk.
    Debug,
    /// Small and fast; the server carries the site inside.
    Release,
}

impl Profile {
    /// The word used in folder names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }

    /// Cargo's profile for modules, unless it is `dev`, and the folder below the wasm target in which it leaves them.
    pub fn wasm_folder(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "wasm-release",
        }
    }
}

/// Compiles packages `frontend` and `editor` to WebAssembly.
pub fn build_wasm(workspace: &Workspace, profile: Profile) -> Result<()> {
    let mut command = cargo(workspace);
    command.arg("build").args(wasm("editor"));
    if profile == Profile::Release {
        command.args(["--profile", profile.wasm_folder()]);
    }
    run(command, "building the editor's module")?;
    let mut command = cargo(workspace);
    let what = wasm("frontend");
    match profile {
        Profile::Debug => command.arg("build").args(what),
        // In chunks; the relocations say what belongs to which.
        Profile::Release => command
            .arg("rustc")
            .args(what)
            .args(["--profile", profile.wasm_folder(), "--features", "split"])
            .args(["--", "-Clink-args=--emit-relocs"]),
    };
    run(command, "building the browser bundle")
}

fn wasm(package: &str) -> [&str; 5] {
    ["--package", package, "--lib", "--target", "wasm32-unknown-unknown"]
}

/// Compiles the binary `caracal`; a release build takes the site in.
pub fn build_server(workspace: &Workspace, profile: Profile) -> Result<()> {
    let mut command = cargo(workspace);
    command.args(["build", "--package", "server", "--bin", "caracal"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    run(command, "building the server")
}

/// Compiles the release binary for a target without a libc of the system; `cc` compiles what is C.
pub fn build_static(workspace: &Workspace, target: &str, cc: &str) -> Result<()> {
    let mut command = cargo(workspace);
    command
        .args(["build", "--package", "server", "--bin", "caracal", "--release"])
        .args(["--locked", "--target", target]);
    let variable = cc_variable(target);
    if std::env::var_os(&variable).is_none() {
        command.env(variable, cc);
    }
    run(command, "building the static server")
}

/// The variable that names a target's C compiler.
pub fn cc_variable(target: &str) -> String {
    format!("CC_{}", target.replace('-', "_"))
}

/// Runs `command` to its end; anything but success is an error that says what was being done.
pub fn run(mut command: Command, what: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("{what}: `{program}` could not be started"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace.path("."));
    command
}
