//! Makes the folder the server serves: `pkg/caracal.{js,css}`, `pkg/caracal_bg.wasm`, the editor's module and everything
//! of `public/`.
//! Styles and the WebAssembly build run side by side; the rest waits for both.
//!
//! **Invariant:** a running server never sees half a site: the folder is made aside and moved into place when whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;

use crate::cargo::{self, Profile};
use crate::stamp::Stamp;
use crate::workspace::Workspace;
use crate::{compress, editor, split, stamp, trim};

/// Builds the site of `profile`, or finds that it is up to date.
pub fn build(workspace: &Workspace, profile: Profile) -> Result<()> {
    let styles = workspace.path(&format!("target/site/{}.css", profile.name()));
    thread::scope(|scope| {
        let tailwind = scope.spawn(|| build_styles(workspace, &styles));
        let wasm = cargo::build_wasm(workspace, profile);
        let tailwind = tailwind
            .join()
            .map_err(|_| anyhow!("the thread that builds the styles panicked"))?;
        wasm.and(tailwind)
    })?;

    let site = workspace.site(profile);
    let stamp_file = workspace.path(&format!("target/site/{}.stamp", profile.name()));
    let stamp = inputs(workspace, profile, &styles)?;
    if site.is_dir() && stamp.is_in(&stamp_file) {
        return Ok(());
    }
    let fresh = aside(&site, "new");
    assemble(workspace, profile, &styles, &fresh)?;
    // The old stamp goes first: a build that dies from here on is done again.
    stamp::forget(&stamp_file)?;
    swap(&fresh, &site)?;
    stamp.write(&stamp_file)
}

fn build_styles(workspace: &Workspace, out: &Path) -> Result<()> {
    let tailwind = workspace.path("node_modules/.bin/tailwindcss");
    if !tailwind.exists() {
        return Err(anyhow!(
            "Tailwind is not installed: run `npm ci --ignore-scripts` (or `make setup`)"
        ));
    }
    let mut command = Command::new(tailwind);
    command
        .current_dir(workspace.path("."))
        .args(["--minify", "--input", "style/tailwind.css", "--output"])
        .arg(out);
    // It reports its version and time on stderr at every run; only a failure is worth reading.
    let output = command
        .output()
        .context("building the styles: Tailwind could not be started")?;
    if !output.status.success() {
        return Err(anyhow!(
            "building the styles failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(())
}

fn inputs(workspace: &Workspace, profile: Profile, styles: &Path) -> Result<Stamp> {
    let mut stamp = Stamp::new();
    stamp.text(concat!(
        include_str!("site.rs"),
        include_str!("compress.rs"),
        include_str!("editor.rs"),
        include_str!("trim.rs"),
        include_str!("split.rs")
    ));
    stamp.file(&workspace.path("Cargo.lock"))?;
    stamp.file(&workspace.wasm("frontend", profile))?;
    stamp.file(&workspace.wasm("editor", profile))?;
    stamp.file(styles)?;
    stamp.tree(&workspace.path("public"))?;
    Ok(stamp)
}

fn assemble(workspace: &Workspace, profile: Profile, styles: &Path, site: &Path) -> Result<()> {
    remove(site)?;
    let pkg = site.join("pkg");
    fs::create_dir_all(&pkg).with_context(|| format!("making {}", pkg.display()))?;
    let module = workspace.wasm("frontend", profile);
    let mut bindgen = Bindgen::new();
    match profile {
        Profile::Debug => bindgen.input_path(module),
        Profile::Release => {
            let bytes = fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
            let main = split::split(&bytes, &pkg)?;
            bindgen.keep_lld_exports(true);
            bindgen.input_bytes("caracal", trim::main(&main)?)
        }
    };
    bindgen
        .web(true)?
        .typescript(false)
        .keep_debug(false)
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(true)
        .out_name("caracal")
        .generate(&pkg)
        .context("making the JavaScript side of the browser bundle")?;
    editor::bundle(&workspace.wasm("editor", profile), profile, &pkg)?;
    fs::copy(styles, pkg.join("caracal.css")).context("copying the styles")?;
    copy_tree(&workspace.path("public"), site)?;
    if profile == Profile::Release {
        compress::tree(site)?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &copy)?;
        } else {
            fs::copy(&source, &copy).with_context(|| format!("copying {}", source.display()))?;
        }
    }
    Ok(())
}

fn swap(fresh: &Path, site: &Path) -> Result<()> {
    let old = aside(site, "old");
    remove(&old)?;
    if site.is_dir() {
        fs::rename(site, &old).context("moving the old site aside")?;
    }
    fs::rename(fresh, site).context("moving the new site into place")?;
    remove(&old)
}

fn aside(site: &Path, word: &str) -> PathBuf {
    site.with_extension(word)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}
