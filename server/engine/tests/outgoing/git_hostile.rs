//! What people could write to make git run something, read something, or fill something.

use crate::support::{Repository, git_within};
use engine::outgoing::client::{Client, Limits};
use engine::outgoing::git::{Git, Patience, Remote};
use engine::outgoing::{FaultKind, Guard};
use std::time::Duration;

#[tokio::test]
async fn nothing_that_is_written_as_a_url_or_a_name_runs() {
    let repo = Repository::new();
    let head = repo.commit("a", "1", "First");
    let canary = repo.dir.path().join("canary");
    let touch = format!("touch {}", canary.display());
    let git = git_within(repo.dir.path(), Guard::new(&[], true), Duration::from_secs(60));
    for url in [
        format!("--upload-pack={touch}"),
        format!("--upload-pack={touch};"),
        format!("-u{touch}"),
        format!("--exec={touch}"),
        format!("ext::sh -c {touch}"),
        format!("ext::sh -c {}", touch.replace(' ', "% ")),
        "fd::17".into(),
        format!("-oProxyCommand={touch}"),
        format!("ssh://-oProxyCommand={touch}/app"),
        format!("ssh://-oProxyCommand={}/app", touch.replace(' ', "${IFS}")),
        format!("-oProxyCommand={touch}@host:app"),
        format!("git@-oProxyCommand={touch}:app"),
        format!("ssh://git@host;{touch}/app"),
        format!("https://host/$({touch})/`{touch}`"),
        format!("file://{};{touch}", repo.path().display()),
        format!("file://{}\n--upload-pack={touch}", repo.path().display()),
        "http://[::1".into(),
        "git://127.0.0.1/app".into(),
        "dict://127.0.0.1/app".into(),
    ] {
        let remote = Remote::open(url.clone());
        assert!(git.refs(&remote).await.is_err(), "{url}");
        assert!(git.head(&remote, None).await.is_err(), "{url}");
        assert!(git.commits_between(&remote, None, &head, 5).await.is_err(), "{url}");
        assert!(git.file_at(&remote, &head, "a").await.is_err(), "{url}");
        assert!(!canary.exists(), "{url} ran");
    }
    let remote = Remote::open(repo.url());
    let payload = format!("--upload-pack={touch}");
    for bad in [
        payload.as_str(),
        "-oProxyCommand=x",
        "main",
        "HEAD",
        "^HEAD",
        "a..b",
        "",
    ] {
        let told = git.commits_between(&remote, Some(bad), &head, 5).await;
        assert_eq!(told.unwrap_err().kind, FaultKind::Refused, "{bad}");
        let told = git.commits_between(&remote, None, bad, 5).await;
        assert_eq!(told.unwrap_err().kind, FaultKind::Refused, "{bad}");
        let told = git.file_at(&remote, bad, "a").await;
        assert_eq!(told.unwrap_err().kind, FaultKind::Refused, "{bad}");
        assert!(bad == "main" || git.head(&remote, Some(bad)).await.is_err(), "{bad}");
    }
    assert!(!canary.exists());
}

#[tokio::test]
async fn local_sources_and_private_hosts_are_for_servers_on_loopback() {
    let repo = Repository::new();
    repo.commit("a", "1", "First");
    let git = git_within(repo.dir.path(), Guard::new(&[], false), Duration::from_secs(60));
    for url in [
        repo.url(),
        repo.path().display().to_string(),
        "http://github.com/a/b".into(),
        "https://127.0.0.1/a/b".into(),
        "https://localhost/a/b".into(),
        "https://[::1]/a/b".into(),
        "https://169.254.169.254/a/b".into(),
        "ssh://git@10.0.0.1/a/b".into(),
        "git@127.0.0.1:a/b".into(),
    ] {
        let fault = git.refs(&Remote::open(url.clone())).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused, "{url}: {fault}");
    }
    // Where they are allowed, a cloud's metadata is not.
    let git = git_within(repo.dir.path(), Guard::new(&[], true), Duration::from_secs(60));
    let fault = git.refs(&Remote::open("http://169.254.169.254/a/b")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
}

#[tokio::test]
async fn a_repository_cannot_run_its_own_hooks_or_settings() {
    let repo = Repository::new();
    let head = repo.commit("a", "1", "First");
    let canary = repo.dir.path().join("canary");
    let hook = repo.path().join(".git/hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", canary.display())).unwrap();
    let allowed = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, allowed).unwrap();
    repo.git(&["config", "core.fsmonitor", &format!("touch {}", canary.display())]);
    repo.git(&["config", "diff.external", &format!("touch {}", canary.display())]);
    let git = git_within(repo.dir.path(), Guard::new(&[], true), Duration::from_secs(60));
    let remote = Remote::open(repo.url());
    git.refs(&remote).await.unwrap();
    git.commits_between(&remote, None, &head, 5).await.unwrap();
    git.file_at(&remote, &head, "a").await.unwrap();
    assert!(!canary.exists());
}

#[tokio::test]
async fn a_repository_that_is_too_large_is_left() {
    let repo = Repository::new();
    // Text that does not pack.
    let mut state = 1_u64;
    let noise: String = (0..3 << 20)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + u8::try_from(state >> 58).unwrap())
        })
        .collect();
    let head = repo.commit("noise", &noise, "Noise");
    let guard = Guard::new(&[], true);
    let client = Client::new(guard.clone(), Limits::default());
    let patience = Patience {
        fetched: 1 << 20,
        ..Patience::default()
    };
    let folder = repo.dir.path().join("outgoing");
    let git = Git::open(folder.clone(), guard, client, patience).unwrap();
    let fault = git
        .commits_between(&Remote::open(repo.url()), None, &head, 5)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLarge, "{fault}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_killed_server_left_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("outgoing");
    std::fs::create_dir_all(folder.join("old")).unwrap();
    std::fs::write(folder.join("old/key"), "secret").unwrap();
    git_within(dir.path(), Guard::new(&[], true), Duration::from_secs(60));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&folder).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}
