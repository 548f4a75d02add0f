//! How git's answers are read: heads, commits, and what went wrong in words for people.
//!
//! **Invariant:** an answer is taken only where it has exactly the expected shape; a revision in it is a checked one.

use super::check::check_revision;
use crate::health::Health;

/// Where a branch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub revision: String,
    /// The branch: the one asked for, or what the default branch is called, where the server says.
    pub branch: Option<String>,
}

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub revision: String,
    /// The author's name.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// The whole message, without blank lines at its end.
    pub message: String,
}

/// Reads what `ls_remote` printed; `branch` is what it was asked for.
///
/// # Errors
/// One sentence, when there is no such branch or no commit at all.
pub fn parse_ls_remote(output: &str, branch: Option<&str>) -> Result<Head, String> {
    let wanted = branch.map_or_else(|| "HEAD".to_owned(), |b| format!("refs/heads/{b}"));
    let mut name = branch.map(str::to_owned);
    let mut revision = None;
    for (value, _) in output
        .lines()
        .filter_map(|l| l.split_once('\t'))
        .filter(|(_, of)| *of == wanted)
    {
        if let Some(target) = value.strip_prefix("ref: ") {
            if branch.is_none() {
                name = target.strip_prefix("refs/heads/").map(str::to_owned);
            }
        } else if check_revision(value).is_ok() {
            revision = Some(value.to_ascii_lowercase());
        }
    }
    match (revision, branch) {
        (Some(revision), _) => Ok(Head { revision, branch: name }),
        (None, Some(b)) => Err(format!("the repository has no branch `{b}`")),
        (None, None) => Err("the repository has no commit on its default branch; name a branch in `source`".into()),
    }
}

/// Reads what `Checkout::log` printed.
#[must_use]
pub fn parse_log(output: &str) -> Option<Commit> {
    let (revision, rest) = output.split_once('\n')?;
    check_revision(revision).ok()?;
    let (author, message) = rest.split_once('\n').unwrap_or((rest, ""));
    let message = message.trim_end().to_owned();
    let subject = message.lines().next().unwrap_or_default().to_owned();
    Some(Commit {
        revision: revision.to_owned(),
        author: author.to_owned(),
        subject,
        message,
    })
}

/// Whether a failed `Checkout::fetch` may work as `Checkout::fetch_all`: the server hands out no single commits, or
/// knows no shallow fetch.
#[must_use]
pub fn needs_all(stderr: &str) -> bool {
    [
        "unadvertised object",
        "not our ref",
        "does not support shallow",
        "dumb http transport",
        "Server does not allow request",
        "remote error: want",
        "no such remote ref",
    ]
    .iter()
    .any(|s| stderr.to_ascii_lowercase().contains(&s.to_ascii_lowercase()))
}

/// What went wrong, from git's error output: one sentence for people, with git's own last words where we know no better.
#[must_use]
pub fn explain(url: &str, stderr: &str) -> String {
    diagnose(url, stderr).1
}

/// Git's words, what they say of the remote, and ours. The first that fits counts.
const TROUBLES: &[(&[&str], Health, &str)] = &[
    (
        &[
            "Could not resolve host",
            "Name or service not known",
            "Temporary failure in name",
        ],
        Health::Unreachable,
        "its host name cannot be resolved",
    ),
    (
        &[
            "Connection refused",
            "Failed to connect",
            "Couldn't connect",
            "No route to host",
            "Network is unreachable",
        ],
        Health::Unreachable,
        "nothing answers at that address",
    ),
    (
        &["timed out", "Operation too slow"],
        Health::Unreachable,
        "it did not answer in time",
    ),
    (
        &["Host key verification failed"],
        Health::Unreachable,
        "the host's SSH key is not known here; put it into known_hosts of the user that Caracal runs as",
    ),
    (
        &[
            "Permission denied (",
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "returned error: 401",
            "returned error: 403",
        ],
        Health::Unauthorised,
        "it does not exist or may not be read without credentials",
    ),
    (
        &["returned error: 429", "returned error: 5"],
        Health::Unreachable,
        "its server is in trouble or asks for fewer requests",
    ),
    (
        &["returned error: 30"],
        Health::Missing,
        "it redirects to another address; use that",
    ),
    (
        &[
            "does not appear to be a git repository",
            "Repository not found",
            "does not exist",
            "not found",
        ],
        Health::Missing,
        "there is no git repository at that address",
    ),
    (
        &["certificate"],
        Health::Unreachable,
        "its TLS certificate was not accepted",
    ),
    (
        &[
            "not our ref",
            "reference is not a tree",
            "not a valid object",
            "bad object",
            "unable to read tree",
        ],
        Health::Unknown,
        "that revision is not in the repository (any more)",
    ),
    (&["No space left on device"], Health::Unknown, "the disk is full"),
    (
        &[
            "hung up unexpectedly",
            "Connection reset",
            "Connection closed by",
            "Empty reply from server",
        ],
        Health::Unreachable,
        "it closed the connection",
    ),
];

/// Whether git failed because the server answers from another address (HTTP).
#[must_use]
pub fn redirects(stderr: &str) -> bool {
    stderr.contains("returned error: 30")
}

/// What git's error output says of the remote, and the sentence for people.
#[must_use]
pub fn diagnose(url: &str, stderr: &str) -> (Health, String) {
    let has = |s: &str| stderr.contains(s);
    if has("not allowed") && has("transport") {
        let sentence =
            format!("The source {url} could not be read: it leads to a transport that is not allowed for sources.");
        return (Health::Unknown, sentence);
    }
    let known = TROUBLES.iter().find(|(words, ..)| words.iter().any(|w| has(w)));
    let (health, why) = known.map_or((Health::Unknown, ""), |(_, health, why)| (*health, *why));
    (health, told(url, stderr, why))
}

fn told(url: &str, stderr: &str, why: &str) -> String {
    if !why.is_empty() {
        return format!("The source {url} could not be read: {why}.");
    }
    // The first fatal line says what; those after it only that it was so.
    let lines = || stderr.lines().map(str::trim).filter(|l| !l.is_empty());
    let line = lines()
        .find(|l| l.starts_with("fatal: ") || l.starts_with("error: "))
        .or_else(|| lines().next_back());
    match line {
        Some(l) => {
            let l = l
                .trim_start_matches("fatal: ")
                .trim_start_matches("error: ")
                .trim_end_matches('.');
            let short: String = l.chars().filter(|c| !c.is_control()).take(300).collect();
            format!("The source {url} could not be read; git says: {short}.")
        }
        None => format!("The source {url} could not be read; git said nothing more."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a48db6994e368a9ab1075c87b5469479c1d4e38f";

    #[test]
    fn heads_are_read_exactly() {
        let default = format!("ref: refs/heads/trunk\tHEAD\n{A}\tHEAD\n");
        assert_eq!(
            parse_ls_remote(&default, None),
            Ok(Head {
                revision: A.into(),
                branch: Some("trunk".into())
            })
        );
        let old = format!("{A}\tHEAD\n");
        assert_eq!(
            parse_ls_remote(&old, None),
            Ok(Head {
                revision: A.into(),
                branch: None
            })
        );
        // A ref whose name ends in the same words is another one.
        let two = format!("{}\trefs/x/refs/heads/main\n{A}\trefs/heads/main\n", "b".repeat(40));
        assert_eq!(
            parse_ls_remote(&two, Some("main")),
            Ok(Head {
                revision: A.into(),
                branch: Some("main".into())
            })
        );
        assert!(parse_ls_remote("", Some("x")).is_err_and(|e| e.contains("`x`")));
        assert!(parse_ls_remote("", None).is_err());
        assert!(parse_ls_remote("--option\tHEAD\n", None).is_err());
    }

    #[test]
    fn a_commit_is_told_whole() {
        let got = parse_log(&format!("{A}\nAna Ito\nMake it work\n\nAt last.\n\n\n"));
        assert_eq!(
            got,
            Some(Commit {
                revision: A.into(),
                author: "Ana Ito".into(),
                subject: "Make it work".into(),
                message: "Make it work\n\nAt last.".into()
            })
        );
        assert_eq!(parse_log(&format!("{A}\n\n\n")).map(|c| c.subject), Some(String::new()));
        assert_eq!(parse_log("nonsense\nx\ny"), None);
    }

    #[test]
    fn failures_are_told_in_words() {
        for (stderr, part) in [
            (
                "fatal: unable to access 'https://x/': Could not resolve host: x",
                "resolved",
            ),
            (
                "fatal: '/srv/x' does not appear to be a git repository\nfatal: Could not read from remote",
                "no git repository",
            ),
            (
                "fatal: could not read Username for 'https://x': terminal prompts disabled",
                "credentials",
            ),
            ("fatal: remote error: upload-pack: not our ref 1234", "revision"),
            (
                "Host key verification failed.\nfatal: Could not read from remote repository.",
                "known_hosts",
            ),
            (
                "warning: a\nfatal: the sky fell\nfatal: again",
                "git says: the sky fell.",
            ),
            ("", "nothing more"),
        ] {
            let got = explain("https://x/app", stderr);
            assert!(
                got.contains(part) && got.contains("https://x/app") && got.ends_with('.'),
                "{stderr}: {got}"
            );
        }
        for (stderr, want) in [
            ("fatal: Authentication failed for 'https://x/'", Health::Unauthorised),
            (
                "fatal: unable to access 'https://x/403/': The requested URL returned error: 404",
                Health::Unknown,
            ),
            ("fatal: repository 'https://x/403/' not found", Health::Missing),
            (
                "fatal: unable to access 'https://x/': The requested URL returned error: 502",
                Health::Unreachable,
            ),
            (
                "kex_exchange_identification: Connection closed by remote host",
                Health::Unreachable,
            ),
            ("fatal: transport 'ext' not allowed", Health::Unknown),
            ("fatal: the sky fell", Health::Unknown),
        ] {
            assert_eq!(diagnose("https://x/app", stderr).0, want, "{stderr}");
        }
        assert!(redirects("The requested URL returned error: 301") && !redirects("returned error: 403"));
        assert!(needs_all(
            "error: Server does not allow request for unadvertised object 12"
        ));
        assert!(!needs_all("fatal: Could not resolve host"));
    }
}
