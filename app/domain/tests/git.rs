//! The calls of `domain::git`, run with the real git: what they do, and what they refuse to do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop there")]

use domain::git::{Checkout, GitCall, ls_remote, needs_all, parse_log, parse_ls_remote};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory of its own, removed at the end.
struct Dir(PathBuf);
impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("caracal-git-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}
impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a call as its users do: cleared environment, `PATH` and `HOME`.
fn run(call: &GitCall, dir: &Path) -> Output {
    Command::new("git")
        .args(&call.args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", dir)
        .envs(call.env.iter().map(|(k, v)| (k, v)))
        .output()
        .unwrap()
}

fn ok(call: &GitCall, dir: &Path) -> String {
    let out = run(call, dir);
    assert!(
        out.status.success(),
        "{call:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// A repository with two commits on `main`; gives back its path and their ids.
fn repository(dir: &Path) -> (String, String, String) {
    let repo = dir.join("app");
    std::fs::create_dir_all(&repo).unwrap();
    let git = |args: &[&str]| {
        let out = Command::new("git")
            .args([
                "-c",
                "user.name=Ana Ito",
                "-c",
                "user.email=ana@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(args)
            .current_dir(&repo)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    std::fs::write(repo.join("a.txt"), "one\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "First"]);
    let first = git(&["rev-parse", "HEAD"]);
    std::fs::write(repo.join("a.txt"), "two\n").unwrap();
    git(&["commit", "-q", "-a", "-m", "Second"]);
    let second = git(&["rev-parse", "HEAD"]);
    (repo.to_str().unwrap().to_owned(), first, second)
}

#[test]
fn a_head_is_found_and_an_older_revision_checked_out() {
    let dir = Dir::new("checkout");
    let (url, first, second) = repository(&dir.0);
    for url in [url.clone(), format!("file://{url}")] {
        let head = parse_ls_remote(&ok(&ls_remote(&url, None, true).unwrap(), &dir.0), None).unwrap();
        assert_eq!(
            (head.revision.as_str(), head.branch.as_deref()),
            (second.as_str(), Some("main"))
        );
        let none = parse_ls_remote(&ok(&ls_remote(&url, Some("nix"), true).unwrap(), &dir.0), Some("nix"));
        assert!(none.is_err());
        for all in [false, true] {
            let work = dir.0.join("work");
            let _ = std::fs::remove_dir_all(&work);
            std::fs::create_dir(&work).unwrap();
            let c = Checkout::new(&url, &first, true).unwrap();
            ok(&c.init(), &work);
            ok(&c.remote(), &work);
            ok(&if all { c.fetch_all() } else { c.fetch() }, &work);
            ok(&c.switch(), &work);
            assert_eq!(std::fs::read_to_string(work.join("a.txt")).unwrap(), "one\n");
            let commit = parse_log(&ok(&c.log(), &work)).unwrap();
            assert_eq!(
                (commit.revision, commit.author, commit.subject),
                (first.clone(), "Ana Ito".into(), "First".into())
            );
            ok(&c.submodules(), &work);
        }
    }
}

#[test]
fn a_repository_of_another_user_is_read_too() {
    let dir = Dir::new("owner");
    let (url, _, second) = repository(&dir.0);
    // Only root can give files away; elsewhere there is nothing to try.
    let given = Command::new("chown")
        .args(["-R", "12345:12345", &url])
        .status()
        .is_ok_and(|s| s.success());
    let head = parse_ls_remote(&ok(&ls_remote(&url, Some("main"), true).unwrap(), &dir.0), Some("main")).unwrap();
    assert_eq!(head.revision, second, "given away: {given}");
}

#[test]
fn a_revision_that_is_not_there_is_refused_by_name() {
    let dir = Dir::new("missing");
    let (url, ..) = repository(&dir.0);
    let work = dir.0.join("work");
    std::fs::create_dir(&work).unwrap();
    let c = Checkout::new(&url, &"ab".repeat(20), true).unwrap();
    ok(&c.init(), &work);
    ok(&c.remote(), &work);
    let out = run(&c.fetch(), &work);
    assert!(!out.status.success());
    assert!(
        needs_all(&String::from_utf8_lossy(&out.stderr)),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    ok(&c.fetch_all(), &work);
    let out = run(&c.switch(), &work);
    let why = domain::git::explain(&url, &String::from_utf8_lossy(&out.stderr));
    assert!(!out.status.success() && why.contains("not in the repository"), "{why}");
}

#[test]
fn a_repository_cannot_run_programs_of_its_own() {
    let dir = Dir::new("canary");
    let (url, _, second) = repository(&dir.0);
    let canary = dir.0.join("canary");
    let touch = format!("#!/bin/sh\ntouch {}\n", canary.display());
    let hook = PathBuf::from(&url).join(".git/hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, &touch).unwrap();
    let work = dir.0.join("work");
    std::fs::create_dir(&work).unwrap();
    let c = Checkout::new(&url, &second, true).unwrap();
    for call in [c.init(), c.remote(), c.fetch(), c.switch(), c.log()] {
        ok(&call, &work);
    }
    assert!(!canary.exists());
    // Hostile texts never become a call.
    let c = canary.display();
    for url in [
        format!("--upload-pack=touch {c}"),
        format!("--upload-pack=touch${{IFS}}{c}"),
        format!("ext::touch% {c}"),
        format!("-u touch {c}"),
        format!("ssh://-oProxyCommand=touch%20{c}/x"),
        format!("ssh://a;touch${{IFS}}{c}@x/y"),
        format!("git@x;touch{c}:y"),
        format!("https://x/y\n--upload-pack=touch {c}"),
    ] {
        assert!(ls_remote(&url, None, true).is_err(), "{url}");
        assert!(Checkout::new(&url, &second, true).is_err(), "{url}");
    }
    for branch in [
        format!("--upload-pack=touch {c}"),
        "--exec=x".into(),
        "-o".into(),
        "a b".into(),
    ] {
        assert!(ls_remote(&url, Some(&branch), true).is_err(), "{branch}");
    }
    for revision in ["--orphan", "HEAD", "-f", "main"] {
        assert!(Checkout::new(&url, revision, true).is_err(), "{revision}");
    }
    assert!(!canary.exists());
}

#[test]
fn a_remote_source_leads_to_no_weaker_transport() {
    let allowed = |url: &str| {
        let call = ls_remote(url, None, true).unwrap();
        call.env.into_iter().find(|(k, _)| k == "GIT_ALLOW_PROTOCOL").unwrap().1
    };
    assert_eq!(allowed("https://example.org/app"), "https:ssh");
    assert_eq!(allowed("git@example.org:app"), "https:ssh");
    assert_eq!(allowed("http://example.org/app"), "http:https:ssh");
    assert_eq!(allowed("/srv/app"), "file:http:https:ssh");
}
