//! Where things lie: the repository, Cargo's target folder, the folder of the finished site.
//! Everything else in xtask asks here instead of joining paths of its own.
//!
//! **Invariant:** `CARGO_TARGET_DIR` moves what Cargo makes, never the site: `server/build.rs` looks for it in one place.

use std::path::{Path, PathBuf};

use crate::cargo::Profile;

/// The folders of this checkout.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The checkout that xtask itself was compiled from.
    pub fn locate() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root.canonicalize().unwrap_or(root);
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Self { root, target }
    }

    /// `path` below the repository's root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The wasm module Cargo wrote of `package` for `profile`.
    pub fn wasm(&self, package: &str, profile: Profile) -> PathBuf {
        self.target
            .join("wasm32-unknown-unknown")
            .join(profile.wasm_folder())
            .join(package)
            .with_extension("wasm")
    }

    /// The release binary Cargo wrote for another target than this machine's own.
    pub fn binary(&self, target: &str) -> PathBuf {
        self.target.join(target).join("release/caracal")
    }

    /// The folder the server serves or embeds: one per profile, so that tests never disturb a release build.
    pub fn site(&self, profile: Profile) -> PathBuf {
        self.root.join("target/site").join(profile.name())
    }
}
