//! What git tells of a repository: branches, tags, commits, files.

use crate::support::{Repository, git_within};
use domain::git::Named;
use engine::outgoing::git::{Git, Remote};
use engine::outgoing::{FaultKind, Guard};
use std::time::Duration;

fn local(repo: &Repository) -> Git {
    git_within(repo.dir.path(), Guard::new(&[], true), Duration::from_secs(60))
}

#[tokio::test]
async fn branches_and_tags_stand_where_git_says() {
    let repo = Repository::new();
    let git = local(&repo);
    let remote = Remote::open(repo.url());
    assert_eq!(git.refs(&remote).await.unwrap(), []);
    let first = repo.commit("a", "1", "First");
    repo.git(&["tag", "light"]);
    repo.git(&["tag", "-a", "heavy", "-m", "Heavy"]);
    let second = repo.commit("a", "2", "Second");
    repo.git(&["branch", "release/1.0", &first]);
    let named = |name: &str, revision: &str| Named {
        name: name.into(),
        revision: revision.into(),
    };
    let want = [
        named("refs/heads/main", &second),
        named("refs/heads/release/1.0", &first),
        named("refs/tags/heavy", &first),
        named("refs/tags/light", &first),
    ];
    for url in [repo.url(), repo.path().display().to_string()] {
        assert_eq!(git.refs(&Remote::open(url)).await.unwrap(), want);
    }
    let head = git.head(&remote, None).await.unwrap();
    assert_eq!((head.revision, head.branch.as_deref()), (second, Some("main")));
    let none = git.head(&remote, Some("nix")).await.unwrap_err();
    assert!(
        none.kind == FaultKind::BadAnswer && none.sentence.contains("`nix`"),
        "{none}"
    );
}

#[tokio::test]
async fn commits_between_two_looks_are_told_oldest_first() {
    let repo = Repository::new();
    let git = local(&repo);
    let remote = Remote::open(repo.url());
    let first = repo.commit("a b.txt", "1", "First");
    repo.commit("src/ü.rs", "1", "Second\n\nWith a body.");
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit("side.txt", "1", "Side");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit("a b.txt", "2", "Third");
    repo.git(&["merge", "-q", "side", "-m", "Merge side"]);
    let last = repo.head();
    let told = git.commits_between(&remote, Some(&first), &last, 50).await.unwrap();
    let words: Vec<(&str, Vec<&str>)> = told
        .commits
        .iter()
        .map(|c| {
            (
                c.is.message.as_str(),
                c.paths.as_ref().unwrap().iter().map(String::as_str).collect(),
            )
        })
        .collect();
    // The branch went through three states; the side's own commits were never its head.
    assert_eq!(
        words,
        [
            ("Second\n\nWith a body.", vec!["src/ü.rs"]),
            ("Third", vec!["a b.txt"]),
            ("Merge side", vec!["side.txt"]),
        ]
    );
    assert!(told.whole && told.commits.iter().all(|c| c.is.author == "Ana Ito"));
    assert_eq!(told.commits[2].is.revision, last);
    // The newest of them, and that they are not all.
    let told = git.commits_between(&remote, Some(&first), &last, 2).await.unwrap();
    assert_eq!((told.commits.len(), told.whole), (2, false));
    assert_eq!(told.commits[0].is.message, "Third");
    let told = git.commits_between(&remote, Some(&first), &last, 1).await.unwrap();
    assert_eq!(
        (told.commits[0].is.revision.as_str(), told.whole),
        (last.as_str(), false)
    );
    // A branch that is new: its head alone; of the first commit all files.
    let told = git.commits_between(&remote, None, &first, 50).await.unwrap();
    assert_eq!((told.commits.len(), told.whole), (1, true));
    assert_eq!(told.commits[0].paths.as_deref(), Some(&["a b.txt".to_owned()][..]));
    let left = std::fs::read_dir(repo.dir.path().join("outgoing")).unwrap().count();
    assert_eq!(left, 0, "folders are left behind");
}

#[tokio::test]
async fn a_history_that_was_rewritten_is_its_newest_commit() {
    let repo = Repository::new();
    let git = local(&repo);
    let remote = Remote::open(repo.url());
    let first = repo.commit("a", "1", "First");
    let old = repo.commit("a", "2", "Second");
    repo.git(&["reset", "-q", "--hard", &first]);
    repo.commit("a", "3", "Other");
    let new = repo.commit("b", "3", "Another");
    for old in [old.as_str(), &"ab".repeat(20)] {
        let told = git.commits_between(&remote, Some(old), &new, 50).await.unwrap();
        assert_eq!((told.commits.len(), told.whole), (1, false), "{told:?}");
        assert_eq!(told.commits[0].paths.as_deref(), Some(&["b".to_owned()][..]));
    }
    let gone = git
        .commits_between(&remote, None, &"ab".repeat(20), 5)
        .await
        .unwrap_err();
    assert!(gone.sentence.contains("not in the repository"), "{gone}");
}

#[tokio::test]
async fn a_file_is_read_at_its_revision_and_links_are_not_followed() {
    let repo = Repository::new();
    let git = local(&repo);
    let remote = Remote::open(repo.url());
    let old = repo.commit(".caracal.yml", "name: old\n", "First");
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("link.yml")).unwrap();
    std::os::unix::fs::symlink("/etc", repo.path().join("folder")).unwrap();
    repo.commit("big", &"x".repeat(1 << 20), "Big");
    repo.commit("bigger", &"x".repeat((1 << 20) + 1), "Bigger");
    let new = repo.commit("ci/a b.yml", "name: new\n", "Last");
    let at = |revision: &str, path: &str| {
        let (git, remote, revision, path) = (git.clone(), remote.clone(), revision.to_owned(), path.to_owned());
        async move { git.file_at(&remote, &revision, &path).await }
    };
    assert_eq!(
        at(&old, ".caracal.yml").await.unwrap().as_deref(),
        Some(&b"name: old\n"[..])
    );
    assert_eq!(
        at(&new, "ci/a b.yml").await.unwrap().as_deref(),
        Some(&b"name: new\n"[..])
    );
    assert_eq!(at(&new, "big").await.unwrap().unwrap().len(), 1 << 20);
    assert_eq!(at(&old, "ci/a b.yml").await.unwrap(), None);
    assert_eq!(at(&new, "folder/passwd").await.unwrap(), None);
    for (path, kind, word) in [
        ("link.yml", FaultKind::BadAnswer, "symbolic link"),
        ("folder", FaultKind::BadAnswer, "symbolic link"),
        ("ci", FaultKind::BadAnswer, "folder"),
        ("bigger", FaultKind::TooLarge, "larger"),
        ("../../etc/passwd", FaultKind::Refused, "without"),
        ("--output=x", FaultKind::Refused, "starts with"),
    ] {
        let fault = at(&new, path).await.unwrap_err();
        assert!(fault.kind == kind && fault.sentence.contains(word), "{path}: {fault}");
    }
}
