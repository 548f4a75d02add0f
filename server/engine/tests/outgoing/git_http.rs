//! Git over HTTP: credentials, redirects, names, a remote that hangs.

use crate::backend::{Backend, Serving};
use crate::support::{Names, Repository, git_within, processes};
use domain::health::Health;
use engine::outgoing::git::{Credentials, Remote};
use engine::outgoing::{FaultKind, Guard};
use std::time::Duration;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

const LONG: Duration = Duration::from_secs(60);

fn serving(repo: &Repository) -> Serving {
    Serving {
        root: repo.dir.path().to_owned(),
        ..Serving::default()
    }
}

fn token(secret: &str) -> Option<Credentials> {
    Some(Credentials::Token {
        user: "ana".into(),
        secret: Zeroizing::new(secret.to_owned()),
    })
}

#[tokio::test]
async fn everything_is_read_over_http_too() {
    let repo = Repository::new();
    let first = repo.commit(".caracal.yml", "name: a\n", "First");
    let mut last = String::new();
    for n in 0..5 {
        last = repo.commit("a", &n.to_string(), &format!("Commit {n}"));
    }
    for filter in ["false", "true"] {
        repo.git(&["config", "uploadpack.allowFilter", filter]);
        let server = Backend::start(serving(&repo)).await;
        let git = git_within(repo.dir.path(), Guard::new(&[], true), LONG);
        let remote = Remote::open(server.url("/app/.git"));
        assert_eq!(git.refs(&remote).await.unwrap()[0].revision, last);
        let told = git.commits_between(&remote, Some(&first), &last, 3).await.unwrap();
        let messages: Vec<&str> = told.commits.iter().map(|c| c.is.message.as_str()).collect();
        assert_eq!(
            (messages, told.whole),
            (vec!["Commit 2", "Commit 3", "Commit 4"], false)
        );
        assert!(
            told.commits
                .iter()
                .all(|c| c.paths.as_deref() == Some(&["a".to_owned()][..]))
        );
        let file = git.file_at(&remote, &first, ".caracal.yml").await.unwrap();
        assert_eq!(file.as_deref(), Some(&b"name: a\n"[..]), "filter {filter}");
    }
}

#[tokio::test]
async fn a_password_opens_and_is_nowhere_to_be_seen() {
    let repo = Repository::new();
    let head = repo.commit("a", "1", "First");
    let server = Backend::start(Serving {
        password: Some("Basic YW5hOnMzY3JldA==".into()),
        ..serving(&repo)
    })
    .await;
    let git = git_within(repo.dir.path(), Guard::new(&[], true), LONG);
    let url = server.url("/app/.git");
    for credentials in [None, token("wrong")] {
        let remote = Remote {
            url: url.clone(),
            credentials,
        };
        let fault = git.refs(&remote).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.health()),
            (FaultKind::Unauthorised, Health::Unauthorised),
            "{fault}"
        );
        assert!(!fault.sentence.contains("wrong"));
    }
    let remote = Remote {
        url,
        credentials: token("s3cret"),
    };
    assert_eq!(git.refs(&remote).await.unwrap()[0].revision, head);
    assert!(git.file_at(&remote, &head, "a").await.unwrap().is_some());
    assert!(!format!("{remote:?}").contains("s3cret"));
    let key = Remote {
        credentials: Some(Credentials::Key {
            private: Zeroizing::new("k".into()),
            known_hosts: None,
        }),
        ..remote
    };
    assert_eq!(git.refs(&key).await.unwrap_err().kind, FaultKind::Refused);
}

#[tokio::test]
async fn a_redirect_is_followed_by_us_without_credentials_for_another_host() {
    let repo = Repository::new();
    let head = repo.commit("a", "1", "First");
    let there = Backend::start(serving(&repo)).await;
    let server = Backend::start(Serving {
        moved: Some(("/old".into(), there.url("/app/.git"))),
        ..serving(&repo)
    })
    .await;
    let git = git_within(repo.dir.path(), Guard::new(&[], true), LONG);
    let remote = Remote {
        url: server.url("/old"),
        credentials: token("s3cret"),
    };
    assert_eq!(git.refs(&remote).await.unwrap()[0].revision, head);
    assert!(git.file_at(&remote, &head, "a").await.unwrap().is_some());
    assert!(server.heads().iter().all(|h| h.contains("Basic ")));
    assert!(there.heads().len() >= 3 && there.heads().iter().all(|h| !h.contains("Basic ")));
    // To where nobody goes.
    let trap = Backend::start(Serving {
        moved: Some(("/old".into(), "http://169.254.169.254/app/.git".into())),
        ..serving(&repo)
    })
    .await;
    let fault = git.refs(&Remote::open(trap.url("/old"))).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
}

#[tokio::test]
async fn git_connects_to_the_address_that_was_judged() {
    let repo = Repository::new();
    let head = repo.commit("a", "1", "First");
    let server = Backend::start(serving(&repo)).await;
    let names = Names::of(&[
        ("git.example", &[&["127.0.0.1"]]),
        ("meta.example", &[&["127.0.0.1", "169.254.169.254"]]),
    ]);
    let guard = Guard::new(&[], true).looking_up(names);
    let git = git_within(repo.dir.path(), guard, LONG);
    // No resolver knows these names: git has the address from us, or nowhere.
    let at = |host: &str| Remote::open(format!("http://{host}:{}/app/.git", server.port));
    assert_eq!(git.refs(&at("git.example")).await.unwrap()[0].revision, head);
    let asked = server.heads().len();
    let fault = git.refs(&at("meta.example")).await.unwrap_err();
    assert_eq!(
        (fault.kind, server.heads().len()),
        (FaultKind::Refused, asked),
        "{fault}"
    );
    let fault = git.refs(&at("unknown.example")).await.unwrap_err();
    assert_eq!(fault.health(), Health::Unreachable);
}

#[tokio::test]
async fn what_is_not_there_or_not_awake_is_classed() {
    let repo = Repository::new();
    repo.commit("a", "1", "First");
    let server = Backend::start(serving(&repo)).await;
    let git = git_within(repo.dir.path(), Guard::new(&[], true), LONG);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, health) in [
        (server.url("/none/.git"), Health::Missing),
        (format!("http://{free}/app"), Health::Unreachable),
        (format!("file://{}/none", repo.dir.path().display()), Health::Missing),
    ] {
        let fault = git.refs(&Remote::open(url.clone())).await.unwrap_err();
        assert_eq!(fault.health(), health, "{url}: {fault}");
        assert!(
            fault.sentence.contains(&url) && fault.sentence.ends_with('.'),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_hung_remote_is_left_and_no_process_with_it() {
    let repo = Repository::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (told, mut reached) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
            told.send(()).unwrap();
        }
    });
    let remote = Remote::open(format!("http://{at}/app"));
    let git = git_within(repo.dir.path(), Guard::new(&[], true), Duration::from_millis(1_500));
    let fault = git.refs(&remote).await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.health()),
        (FaultKind::TooSlow, Health::Unreachable),
        "{fault}"
    );
    assert!(reached.try_recv().is_ok(), "it was never reached");
    // The same when nobody waits any more.
    let patient = git_within(&repo.dir.path().join("patient"), Guard::new(&[], true), LONG);
    tokio::select! {
        _ = patient.refs(&remote) => panic!("it answered"),
        Some(()) = reached.recv() => {}
    }
    let gone = async {
        while !processes(&at.to_string()).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let left = tokio::time::timeout(LONG, gone).await;
    assert!(left.is_ok(), "{:?}", processes(&at.to_string()));
}
