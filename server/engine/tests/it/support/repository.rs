//! A real git repository on this machine's disk, with the system's own git.

use super::World;
use std::path::PathBuf;
use std::process::Command;

/// A repository of the test's own, with one commit.
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// One below the world's folder.
    pub fn new(world: &World) -> Self {
        let path = world.dir.path().join("srv/app");
        std::fs::create_dir_all(&path).unwrap();
        let repository = Self { path };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("README", "the start");
        repository
    }

    /// Runs git in it; what it says.
    pub fn git(&self, args: &[&str]) -> String {
        let out = Command::new("git")
            .args([
                "-c",
                "user.name=Mei",
                "-c",
                "user.email=mei@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(args)
            .current_dir(&self.path)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Commits a file that holds the message; the commit.
    pub fn commit(&self, file: &str, message: &str) -> String {
        self.write(file, format!("{message}\n{file}\n"), message)
    }

    /// Commits a file with this text; the commit.
    pub fn write(&self, file: &str, text: impl AsRef<[u8]>, message: &str) -> String {
        let path = self.path.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Its path, which is its URL.
    pub fn url(&self) -> &str {
        self.path.to_str().unwrap()
    }
}
