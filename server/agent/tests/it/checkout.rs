//! The checkout, with real git repositories on this machine.

use crate::support::*;
use protocol::{AttemptEvent, ToAgent};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with three commits on `main` and one on `side`; the commits.
struct Repository {
    path: PathBuf,
    commits: Vec<String>,
}

fn git(path: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .current_dir(path)
        .args([
            "-c",
            "user.name=Ana Ito",
            "-c",
            "user.email=ana@example.org",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(args)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn repository(folder: &Path) -> Repository {
    let path = folder.join("source");
    std::fs::create_dir(&path).unwrap();
    git(&path, &["init", "-q", "-b", "main"]);
    let mut commits = Vec::new();
    for n in 1..=3 {
        std::fs::write(path.join("version"), n.to_string()).unwrap();
        git(&path, &["add", "version"]);
        git(&path, &["commit", "-q", "-m", &format!("Make it {n}\n\nBecause.")]);
        commits.push(git(&path, &["rev-parse", "HEAD"]));
    }
    git(&path, &["checkout", "-q", "-b", "side"]);
    Repository { path, commits }
}

#[tokio::test]
async fn the_exact_revision_is_checked_out_however_old() {
    let folder = tempfile::tempdir().unwrap();
    let source = repository(folder.path());
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    for (n, url) in [
        source.path.to_str().unwrap().to_owned(),
        format!("file://{}", source.path.display()),
    ]
    .iter()
    .enumerate()
    {
        let n = n as i64 + 1;
        let given = checkout(
            n,
            url,
            Some("main"),
            &source.commits[1],
            vec![step(3, &format!("print on\ngate g{n}"))],
        );
        peer.send(&ToAgent::Assign(Box::new(given))).await;
        server
            .until(&mut peer, |told| {
                told.get(&fence(n)).is_some_and(|t| t.output.ends_with(b"on\n"))
            })
            .await;
        let workspace = agent.scripts.seen.lock().unwrap().last().unwrap().workspace.clone();
        assert_eq!(std::fs::read_to_string(workspace.join("version")).unwrap(), "2");
        agent.scripts.open_gate(&format!("g{n}"));
        server.finish(&mut peer, fence(n)).await;
        let told = server.of(fence(n));
        let found = told.events.iter().find_map(|e| match e {
            AttemptEvent::CheckedOut {
                revision,
                message,
                author,
            } => Some((revision.clone(), message.clone(), author.clone())),
            _ => None,
        });
        assert_eq!(
            found,
            Some((source.commits[1].clone(), "Make it 2".into(), "Ana Ito".into()))
        );
        assert_eq!(told.story()[3..6], ["started 2", "checked out", "exited 2 0"]);
    }
    agent.stop().await;
}

#[tokio::test]
async fn hostile_sources_are_refused_before_git_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let source = repository(folder.path());
    let canary = folder.path().join("canary");
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let url = source.path.to_str().unwrap();
    let touch = format!("touch {}", canary.display());
    let cases = [
        (format!("--upload-pack={touch}"), None, source.commits[0].clone()),
        (format!("ext::sh -c {touch}"), None, source.commits[0].clone()),
        (
            format!("ssh://-oProxyCommand={touch}/x"),
            None,
            source.commits[0].clone(),
        ),
        (
            url.to_owned(),
            Some(format!("--upload-pack={touch}")),
            source.commits[0].clone(),
        ),
        (url.to_owned(), Some("a..b".to_owned()), source.commits[0].clone()),
        (url.to_owned(), None, format!("--upload-pack={touch}")),
        (url.to_owned(), None, "main".to_owned()),
    ];
    for (n, (url, branch, revision)) in cases.iter().enumerate() {
        let n = n as i64 + 1;
        let given = checkout(n, url, branch.as_deref(), revision, vec![step(3, "print x")]);
        peer.send(&ToAgent::Assign(Box::new(given))).await;
        server.finish(&mut peer, fence(n)).await;
        let story = server.of(fence(n)).story();
        assert!(
            story[4].starts_with("failed 2: The source was refused: "),
            "{url}: {story:?}"
        );
        assert_eq!(story[5], "skipped 3: The set-up failed at checkout.");
        assert!(story[6].starts_with("ended: The source was refused: "));
    }
    assert!(!canary.exists(), "a payload ran");
    let mut remote = checkout(90, url, None, &source.commits[0], vec![]);
    remote.checkout.as_mut().unwrap().allow_local = false;
    peer.send(&ToAgent::Assign(Box::new(remote))).await;
    server.finish(&mut peer, fence(90)).await;
    assert!(server.of(fence(90)).story()[4].starts_with("failed 2: The source was refused: "));
    agent.stop().await;
}

#[tokio::test]
async fn a_checkout_that_fails_says_why_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let source = repository(folder.path());
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let gone = folder.path().join("gone");
    let url = source.path.to_str().unwrap();
    let nowhere = "0123456789012345678901234567890123456789";
    for (n, (url, revision, part)) in [
        (
            gone.to_str().unwrap(),
            &*source.commits[0],
            "there is no git repository",
        ),
        (url, nowhere, "revision"),
    ]
    .into_iter()
    .enumerate()
    {
        let n = n as i64 + 1;
        peer.send(&ToAgent::Assign(Box::new(checkout(n, url, None, revision, vec![]))))
            .await;
        server.finish(&mut peer, fence(n)).await;
        let told = server.of(fence(n));
        let story = told.story();
        assert!(
            story[4].starts_with(&format!("failed 2: The source {url} could not be read: ")),
            "{story:?}"
        );
        assert!(story[4].contains(part) && story[4].ends_with('.'), "{story:?}");
        assert!(
            told.of(2).contains("fatal: "),
            "git's own words are the step's output: {}",
            told.of(2)
        );
    }
    agent.stop().await;
}

#[tokio::test]
async fn an_abort_ends_a_checkout_and_its_git() {
    // A server that takes the connection and never answers: git waits for it.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/app.git", silent.local_addr().unwrap());
    let mut server = Server::start().await;
    let agent = Agent::start(&server);
    let mut peer = server.accept().await;
    let given = checkout(
        1,
        &url,
        None,
        "0123456789012345678901234567890123456789",
        vec![step(3, "print x")],
    );
    peer.send(&ToAgent::Assign(Box::new(given))).await;
    let (mut socket, _) = silent.accept().await.unwrap();
    peer.send(&ToAgent::Abort { fence: fence(1) }).await;
    server.finish(&mut peer, fence(1)).await;
    assert_eq!(
        server.of(fence(1)).story()[3..],
        ["started 2", "aborted 2", "ended aborted"]
    );
    // Its end of the connection is closed: no process of git holds it any more.
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut rest).await;
    agent.stop().await;
}
