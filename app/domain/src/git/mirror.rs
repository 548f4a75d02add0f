//! Reading a repository without a workspace: all its branches and tags, a stretch of its history, one file of it.
//!
//! **Invariant:** no call puts a file of the repository in place or follows a link in it; blobs are fetched when asked for.

use super::call::{GitCall, LOCAL_UPLOAD_PACK};
use super::check::{check_path, check_revision, check_url, is_local};

/// Asks for all branches and tags. Read its output with `parse_refs`.
///
/// # Errors
/// One sentence, when the URL is refused.
pub fn ls_refs(url: &str, allow_local: bool) -> Result<GitCall, String> {
    check_url(url, allow_local)?;
    let mut args = vec!["ls-remote", "--quiet", "--heads", "--tags"];
    if is_local(url) {
        args.push(LOCAL_UPLOAD_PACK);
    }
    args.extend(["--end-of-options", url]);
    Ok(GitCall::new(url, &args))
}

/// The calls on a bare repository in an empty directory. Run `init` and `remote` first; then `fetch`, or `fetch_all` when
/// it fails and `needs_all` says so of its error output; then what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    url: String,
    sha256: bool,
}

impl Mirror {
    /// A mirror of what a revision needs.
    ///
    /// # Errors
    /// One sentence, when URL or revision are refused.
    pub fn new(url: &str, revision: &str, allow_local: bool) -> Result<Self, String> {
        check_url(url, allow_local)?;
        check_revision(revision)?;
        Ok(Self {
            url: url.to_owned(),
            sha256: revision.len() == 64,
        })
    }

    /// Makes the directory a repository without files, from no template.
    #[must_use]
    pub fn init(&self) -> GitCall {
        let format = match self.sha256 {
            true => "--object-format=sha256",
            false => "--object-format=sha1",
        };
        self.call(&[
            "init",
            "--quiet",
            "--bare",
            "--template=",
            "--initial-branch=caracal",
            format,
        ])
    }

    /// Names the source `origin`.
    #[must_use]
    pub fn remote(&self) -> GitCall {
        self.call(&["remote", "add", "--end-of-options", "origin", &self.url])
    }

    /// Fetches revisions, each with `depth - 1` generations before it.
    ///
    /// # Errors
    /// One sentence, when one of them is refused.
    pub fn fetch(&self, revisions: &[&str], depth: u32) -> Result<GitCall, String> {
        for revision in revisions {
            check_revision(revision)?;
        }
        Ok(self.fetching(&[&format!("--depth={depth}")], "--filter=blob:none", revisions))
    }

    /// Fetches the commits that were left out of what `fetch` brought, their files not.
    ///
    /// # Errors
    /// One sentence, when the revision is refused.
    pub fn deepen(&self, revision: &str) -> Result<GitCall, String> {
        check_revision(revision)?;
        Ok(self.fetching(&["--unshallow"], "--filter=tree:0", &[revision]))
    }

    /// Fetches all branches and tags, from a server that hands out no single commits.
    #[must_use]
    pub fn fetch_all(&self) -> GitCall {
        self.fetching(
            &[],
            "--filter=blob:none",
            &["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
        )
    }

    /// Tells the newest `most` commits that the branch went through from `old`, which is not among them, to `new`: those
    /// of its first parents. Read its output with `parse_history`.
    ///
    /// # Errors
    /// One sentence, when a revision is refused.
    pub fn log(&self, old: Option<&str>, new: &str, most: u32) -> Result<GitCall, String> {
        check_revision(new)?;
        let most = format!("--max-count={most}");
        let mut args = vec![
            "log",
            "-z",
            "--first-parent",
            &most,
            "--no-color",
            "--no-show-signature",
            "--no-mailmap",
            "--no-notes",
            "--encoding=UTF-8",
            "--format=%H%n%P%n%an%n%ae%n%at%n%B",
            "--end-of-options",
            new,
        ];
        let but;
        if let Some(old) = old {
            check_revision(old)?;
            but = format!("^{old}");
            args.push(&but);
        }
        Ok(self.call(&args))
    }

    /// Tells which files commits changed; on its input one line each: the commit and what it is compared with. Read its
    /// output with `parse_changes`.
    #[must_use]
    pub fn changes(&self) -> GitCall {
        self.call(&["diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--root"])
    }

    /// Tells whether a commit is here: fails where not.
    ///
    /// # Errors
    /// One sentence, when the revision is refused.
    pub fn has(&self, revision: &str) -> Result<GitCall, String> {
        check_revision(revision)?;
        let mut call = self.call(&["cat-file", "-e", &format!("{revision}^{{commit}}")]);
        // To ask for it would fetch it.
        call.env.push(("GIT_NO_LAZY_FETCH".into(), "1".into()));
        Ok(call)
    }

    /// Tells what stands at a path of a revision. Read its output with `parse_entry`.
    ///
    /// # Errors
    /// One sentence, when revision or path are refused.
    pub fn entry(&self, revision: &str, path: &str) -> Result<GitCall, String> {
        check_revision(revision)?;
        check_path(path)?;
        let mut call = self.call(&["ls-tree", "-z", "--full-tree", "--end-of-options", revision, path]);
        call.env.push(("GIT_LITERAL_PATHSPECS".into(), "1".into()));
        Ok(call)
    }

    /// Prints the bytes of a blob, which are fetched now where they were not before.
    ///
    /// # Errors
    /// One sentence, when the id is none.
    pub fn blob(&self, id: &str) -> Result<GitCall, String> {
        check_revision(id)?;
        Ok(self.call(&["cat-file", "blob", id]))
    }

    fn fetching(&self, how: &[&str], but: &str, what: &[&str]) -> GitCall {
        let mut args = vec![
            "-c",
            // One file, so that a limit on the size of files is one on what is fetched.
            "fetch.unpackLimit=1",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
        ];
        args.extend(how);
        // A local one has its blobs here already.
        args.push(match is_local(&self.url) {
            true => LOCAL_UPLOAD_PACK,
            false => but,
        });
        args.extend(["--end-of-options", "origin"]);
        args.extend(what);
        self.call(&args)
    }

    fn call(&self, args: &[&str]) -> GitCall {
        GitCall::new(&self.url, args)
    }
}
