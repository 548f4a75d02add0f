//! The editor's module as pages load it: `pkg/editor.js`, a line that is asked for anew each time, and behind it script and
//! module under names that change with every build, which a browser may keep for ever.
//!
//! **Invariant:** script and module of a name were made together, so they fit each other.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::cargo::Profile;

/// Writes the module that Cargo made into `pkg`.
pub fn bundle(module: &Path, profile: Profile, pkg: &Path) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    let mut digest = DefaultHasher::new();
    bytes.hash(&mut digest);
    let name = format!("editor-{:016x}", digest.finish());
    Bindgen::new()
        .input_bytes(&name, bytes)
        .web(true)?
        .typescript(false)
        .keep_debug(false)
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(true)
        .generate(pkg)
        .context("making the JavaScript side of the editor's module")?;
    fs::write(pkg.join("editor.js"), loader(&name)).context("writing the editor's loader")
}

/// Leaves a promise of the module where `app::editor` looks for it.
fn loader(name: &str) -> String {
    format!(
        "import init, * as editor from './{name}.js';\n\
         const module_or_path = new URL('./{name}_bg.wasm', import.meta.url);\n\
         globalThis.caracalEditor = init({{ module_or_path }}).then(() => editor);\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_names_this_build() {
        let script = loader("editor-0123456789abcdef");
        for part in [
            "from './editor-0123456789abcdef.js'",
            "'./editor-0123456789abcdef_bg.wasm'",
            "init({ module_or_path })",
        ] {
            assert!(script.contains(part), "{script}");
        }
    }
}
