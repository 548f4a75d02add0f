//! Tells the server where the built site is: embedded by a release build, read from disk by a debug one.
//! `cargo xtask` makes the folder's contents; here it only has to exist, so that a plain `cargo build` compiles.
//!
//! **Invariant:** debug and release never share a folder, so that running the tests leaves a release build fresh.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let profile = std::env::var("PROFILE")?;
    let site = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/site")
        .join(&profile);
    std::fs::create_dir_all(&site)?;
    println!("cargo::rustc-env=CARACAL_SITE={}", site.display());
    println!("cargo::rerun-if-changed=build.rs");
    if profile == "release" {
        println!("cargo::rerun-if-changed={}", site.display());
        if !site.join("pkg").is_dir() {
            println!(
                "cargo::warning=the pages will have no styles or scripts: build with `cargo xtask build --release`"
            );
        }
    }
    Ok(())
}
