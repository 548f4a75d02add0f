//! How git's answers of `mirror` are read: branches and tags, commits, changed files, what stands at a path.
//!
//! **Invariant:** what does not have exactly the expected shape is left out; no name in a repository can pass for another
//! part of an answer.

use super::check::{check_ref, check_revision};

/// A branch or tag and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As git calls it: `refs/heads/main`, `refs/tags/v1`.
    pub name: String,
    /// The commit; of a tag with a message, the one it is of.
    pub revision: String,
}

/// A commit of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its id.
    pub revision: String,
    /// Those before it, the branch's own first; none where history begins, or what was fetched of it.
    pub parents: Vec<String>,
    /// The author's name.
    pub author: String,
    /// The author's address of mail.
    pub email: String,
    /// When it was written, in seconds since 1970.
    pub at: i64,
    /// The whole message, without blank lines at its end.
    pub message: String,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file, by the id of its blob.
    File(String),
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// A submodule.
    Submodule,
}

/// Reads what `ls_refs` printed, in the order of names.
#[must_use]
pub fn parse_refs(output: &str) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for (revision, name) in output.lines().filter_map(|l| l.split_once('\t')) {
        if check_revision(revision).is_err() {
            continue;
        }
        let revision = revision.to_ascii_lowercase();
        // The line after a tag with a message: the commit that it is of.
        if let Some(tag) = name.strip_suffix("^{}") {
            if let Some(last) = found.last_mut().filter(|last| last.name == tag) {
                last.revision = revision;
            }
            continue;
        }
        let short = name
            .strip_prefix("refs/heads/")
            .or_else(|| name.strip_prefix("refs/tags/"));
        if short.is_some_and(|s| check_ref(s).is_ok()) {
            let name = name.to_owned();
            found.push(Named { name, revision });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Reads what `Mirror::log` printed, newest first.
#[must_use]
pub fn parse_history(output: &str) -> Vec<Logged> {
    output.split('\0').filter_map(commit).collect()
}

fn commit(text: &str) -> Option<Logged> {
    let mut parts = text.splitn(6, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (revision, parents, author, email, at, message) = (next(), next(), next(), next(), next(), next());
    check_revision(revision).ok()?;
    Some(Logged {
        revision: revision.to_owned(),
        parents: parents
            .split(' ')
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect(),
        author: author.to_owned(),
        email: email.to_owned(),
        at: at.parse().unwrap_or(0),
        message: message.trim_end().to_owned(),
    })
}

/// Reads what `Mirror::changes` printed: each commit with its files. Paths that are not UTF-8 have `�` in those places.
#[must_use]
pub fn parse_changes(output: &[u8]) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut tokens = output.split(|b| *b == 0);
    while let Some(token) = tokens.next() {
        if token.starts_with(b":") {
            let path = tokens.next().filter(|p| !p.is_empty());
            if let (Some(path), Some((_, paths))) = (path, found.last_mut()) {
                paths.push(String::from_utf8_lossy(path).into_owned());
            }
        } else if let Ok(id) = std::str::from_utf8(token)
            && check_revision(id.trim()).is_ok()
        {
            found.push((id.trim().to_owned(), Vec::new()));
        }
    }
    found
}

/// Reads what `Mirror::entry` printed; none where nothing stands there.
#[must_use]
pub fn parse_entry(output: &str) -> Option<Entry> {
    let (head, _) = output.split('\0').next()?.split_once('\t')?;
    let mut words = head.split(' ');
    let (mode, kind, id) = (words.next()?, words.next()?, words.next()?);
    check_revision(id).ok()?;
    match (mode, kind) {
        ("120000", _) => Some(Entry::Link),
        (_, "blob") => Some(Entry::File(id.to_owned())),
        (_, "tree") => Some(Entry::Folder),
        (_, "commit") => Some(Entry::Submodule),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(c: &str) -> String {
        c.repeat(40)
    }

    #[test]
    fn branches_and_tags_are_read_and_tags_lead_to_commits() {
        let (a, b, c, d) = (id("a"), id("b"), id("c"), id("d"));
        let text = format!(
            "{b}\trefs/tags/v1\n{c}\trefs/tags/v1^{{}}\n{a}\trefs/heads/main\n{d}\trefs/pull/1/head\nx\trefs/heads/x\n\
             {d}\trefs/heads/a\u{7}b\n{d}\trefs/tags/v2\n{d}\trefs/heads/--upload-pack=x\n"
        );
        let named = |name: &str, revision: &str| Named {
            name: name.into(),
            revision: revision.into(),
        };
        assert_eq!(
            parse_refs(&text),
            [
                named("refs/heads/main", &a),
                named("refs/tags/v1", &c),
                named("refs/tags/v2", &d)
            ]
        );
    }

    #[test]
    fn commits_are_read_whole_whatever_they_say() {
        let (a, b) = (id("a"), id("b"));
        let text =
            format!("{a}\n{b} {a}\nAna Ito\nana@x\n1700000000\nOne\n\n{b}\n\n\0{b}\n\nBo\n\nnonsense\n\0broken\nx\0");
        let got = parse_history(&text);
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].parents, [b.clone(), a]);
        assert_eq!((got[0].author.as_str(), got[0].email.as_str()), ("Ana Ito", "ana@x"));
        assert_eq!(
            (got[0].at, got[0].message.clone()),
            (1_700_000_000, format!("One\n\n{b}"))
        );
        assert_eq!((got[1].revision.as_str(), got[1].at), (b.as_str(), 0));
        assert!(got[1].parents.is_empty() && got[1].message.is_empty());
    }

    #[test]
    fn a_file_that_is_called_like_a_commit_is_a_file() {
        let (a, b) = (id("a"), id("b"));
        let meta = ":100644 100644 x y M";
        let text = format!("{a}\0{meta}\0src/ü.rs\0{meta}\0{b}\0{meta}\0:x\0{b}\0");
        assert_eq!(
            parse_changes(text.as_bytes()),
            [(a, vec!["src/ü.rs".into(), b.clone(), ":x".into()]), (b, vec![])]
        );
    }

    #[test]
    fn what_stands_at_a_path_is_told() {
        let a = id("a");
        for (text, want) in [
            (format!("100644 blob {a}\tx\0"), Some(Entry::File(a.clone()))),
            (format!("100755 blob {a}\tx\0"), Some(Entry::File(a.clone()))),
            (format!("120000 blob {a}\tx\0"), Some(Entry::Link)),
            (format!("040000 tree {a}\tx\0"), Some(Entry::Folder)),
            (format!("160000 commit {a}\tx\0"), Some(Entry::Submodule)),
            (String::new(), None),
            ("100644 blob --x\tx\0".into(), None),
        ] {
            assert_eq!(parse_entry(&text), want, "{text}");
        }
    }
}
