//! Builds the shim that the agent embeds: static, so that it runs in an image without a libc.

// A build that cannot go on shall stop with a word.
#![allow(clippy::unwrap_used)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../shim/src");
    println!("cargo::rerun-if-changed=../shim/Cargo.toml");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let target = format!("{}-unknown-linux-musl", env::var("CARGO_CFG_TARGET_ARCH").unwrap());
    // target/PROFILE/build/PACKAGE/out: beside the profiles, so that all of them share one shim. A folder of its own,
    // because cargo holds a lock on the one that it builds in now.
    let folder = out.ancestors().nth(4).unwrap().join("shim");
    let workspace = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo
        .current_dir(workspace)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "shim",
            "--bin",
            "caracal-shim",
            "--profile",
            "shim",
        ])
        .args(["--target", &target, "--target-dir"])
        .arg(&folder);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        // What this build was told (lints, flags, wrappers) is not for that one.
        if name.starts_with("CARGO_")
            && name != "CARGO_HOME"
            && !name.starts_with("CARGO_REGISTR")
            && !name.starts_with("CARGO_SOURCE")
            && !name.starts_with("CARGO_HTTP")
            && !name.starts_with("CARGO_NET")
            || name.starts_with("RUSTC")
            || name == "RUSTFLAGS"
            || name == "CLIPPY_ARGS"
        {
            cargo.env_remove(&*name);
        }
    }
    let done = cargo.status().expect("cargo could not be started");
    assert!(
        done.success(),
        "The shim could not be built for {target}. If the target is not installed: rustup target add {target}"
    );
    let program = folder.join(&target).join("shim/caracal-shim");
    std::fs::copy(&program, out.join("shim")).expect("the built shim could not be copied");
}
