//! Cuts the browser's module into the main module and a chunk for each group of pages (`app::chunks`).
//!
//! **Invariant:** a chunk's name holds a digest of the whole module it was cut from, so a page never gets a chunk of
//! another build: it is not found, and the page asks the server for a whole document instead.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use wasm_split_cli_support::{Options, transform};

use crate::trim;

/// The JavaScript that loads chunks.
const LOADER: &str = "chunks.js";

/// Writes the chunks and their loader into `pkg` and returns the main module, for wasm-bindgen.
pub fn split(module: &[u8], pkg: &Path) -> Result<Vec<u8>> {
    let main = pkg.join("main.wasm");
    let loader = format!("./{LOADER}");
    let mut options = Options::new(module);
    options.output_dir = pkg;
    options.main_out_path = &main;
    options.link_name = &loader;
    options.main_module = "./caracal.js";
    let chunks = transform(options).map_err(|e| anyhow!("cutting the browser's module into chunks: {e:#}"))?;

    let mut digest = DefaultHasher::new();
    module.hash(&mut digest);
    let digest = format!("{:016x}", digest.finish());
    let loader = pkg.join(LOADER);
    let mut script = fs::read_to_string(&loader).context("reading the loader of chunks")?;
    for chunk in chunks.split_modules {
        let bytes = fs::read(&chunk).with_context(|| format!("reading {}", chunk.display()))?;
        fs::remove_file(&chunk)?;
        let Some(stem) = chunk.file_stem().and_then(|s| s.to_str()) else {
            continue;
        };
        let name = format!("{stem}-{digest}.wasm");
        script = script.replace(&format!("/{stem}.wasm\""), &format!("/{name}\""));
        fs::write(pkg.join(&name), trim::chunk(&bytes)?)?;
    }
    fs::write(&loader, script).context("writing the loader of chunks")?;
    let bytes = fs::read(&main).context("reading the main module")?;
    fs::remove_file(&main)?;
    Ok(bytes)
}
