//! What happened between two looks at a branch, and what one file held at a revision.
//!
//! **Invariant:** what is fetched lies in a folder without files of the repository, is bounded, and is gone when the answer
//! is there; a symbolic link is never followed.

use super::scratch::Scratch;
use super::way::Prepared;
use super::{Git, Remote, failed, refused};
use crate::outgoing::{Fault, FaultKind, GitAnswer, GitLimits, run_git};
use domain::git::{
    Entry, GitCall, Logged, Mirror, check_path, needs_all, parse_changes, parse_entry, parse_history, redirects,
};
use std::collections::HashMap;

/// Most commits told at once.
const MOST: u32 = 500;
/// Bytes of commits, and of names of changed files.
const SAID: usize = 8 << 20;
/// Bytes of a file.
const FILE: usize = 1 << 20;

/// A commit and what it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Id, author, message.
    pub is: Logged,
    /// Changed files, sorted, compared with the branch before it; none where there are too many to tell.
    pub paths: Option<Vec<String>>,
}

/// The commits that a branch went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commits {
    /// Oldest first.
    pub commits: Vec<Commit>,
    /// Whether they are all: not where there were more, or where history was rewritten, so that the newest stands alone.
    pub whole: bool,
}

/// A mirror in a folder.
struct Here<'a> {
    git: &'a Git,
    ready: Prepared,
    mirror: Mirror,
    scratch: Scratch,
}

impl Git {
    /// The commits that a branch went through from `old` (not among them) to `new`, by first parents: the newest `most`.
    /// Without `old`, `new` alone.
    ///
    /// # Errors
    /// When the repository cannot be read or has no `new`.
    pub async fn commits_between(
        &self,
        remote: &Remote,
        old: Option<&str>,
        new: &str,
        most: u32,
    ) -> Result<Commits, Fault> {
        let most = match old {
            Some(_) => most.clamp(1, MOST),
            None => 1,
        };
        // One more, for what the oldest is compared with.
        let here = self.mirror(remote, new, most + 1).await?;
        let mut from = old;
        if let Some(old) = old
            && !here.has(old).await?
        {
            // Further back than was fetched, or not before `new` at all: the commits alone tell.
            let deeper = here.reach(here.mirror.deepen(new).map_err(refused)?).await?;
            if !deeper.good || !here.has(old).await? {
                from = None;
            }
        }
        let wanted = if from.is_some() { most + 1 } else { 1 };
        let log = here.good(here.mirror.log(from, new, wanted).map_err(refused)?).await?;
        let mut logged = parse_history(&String::from_utf8_lossy(&log.out));
        let whole = !log.cut && logged.len() <= most as usize && from.is_some() == old.is_some();
        logged.truncate(most as usize);
        let mut paths = here.changes(&logged).await?;
        let commits = logged.into_iter().rev().map(|is| Commit {
            paths: paths.remove(&is.revision),
            is,
        });
        Ok(Commits {
            commits: commits.collect(),
            whole,
        })
    }

    /// The bytes of a file at a revision; none where there is no such file.
    ///
    /// # Errors
    /// When the repository cannot be read, or what stands there is no file, or too large.
    pub async fn file_at(&self, remote: &Remote, revision: &str, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        check_path(path).map_err(|why| Fault::new(FaultKind::Refused, format!("The file was refused: {why}.")))?;
        let here = self.mirror(remote, revision, 1).await?;
        let entry = here.good(here.mirror.entry(revision, path).map_err(refused)?).await?;
        let no = |kind, what: &str| {
            let sentence = format!("`{path}` of {} is {what}.", remote.url);
            Err(Fault::new(kind, sentence))
        };
        let id = match parse_entry(&String::from_utf8_lossy(&entry.out)) {
            None => return Ok(None),
            Some(Entry::File(id)) => id,
            Some(Entry::Link) => return no(FaultKind::BadAnswer, "a symbolic link, which is not followed"),
            Some(Entry::Folder) => return no(FaultKind::BadAnswer, "a folder"),
            Some(Entry::Submodule) => return no(FaultKind::BadAnswer, "a submodule"),
        };
        let call = here.mirror.blob(&id).map_err(refused)?;
        let blob = here.run(call, b"", FILE).await?;
        if blob.cut {
            return no(FaultKind::TooLarge, &format!("larger than {} KiB", FILE / 1024));
        }
        match blob.good {
            true => Ok(Some(blob.out)),
            false => Err(failed(&remote.url, &blob.err)),
        }
    }

    /// Fetches a revision and what is `depth` before it.
    async fn mirror(&self, remote: &Remote, revision: &str, depth: u32) -> Result<Here<'_>, Fault> {
        let first = self.prepare(remote).await?;
        let (here, fetched) = self.fetched(first, revision, depth).await?;
        if fetched.good {
            return Ok(here);
        }
        if redirects(&fetched.err) {
            drop(here);
            let (here, fetched) = self.fetched(self.moved(remote).await?, revision, depth).await?;
            return match fetched.good {
                true => Ok(here),
                false => Err(failed(&remote.url, &fetched.err)),
            };
        }
        Err(failed(&remote.url, &fetched.err))
    }

    async fn fetched(&self, ready: Prepared, revision: &str, depth: u32) -> Result<(Here<'_>, GitAnswer), Fault> {
        let here = Here {
            mirror: Mirror::new(&ready.url, revision, self.guard.local()).map_err(refused)?,
            git: self,
            ready,
            scratch: self.scratch()?,
        };
        here.good(here.mirror.init()).await?;
        here.good(here.mirror.remote()).await?;
        let mut fetched = here
            .reach(here.mirror.fetch(&[revision], depth).map_err(refused)?)
            .await?;
        if !fetched.good && needs_all(&fetched.err) {
            fetched = here.reach(here.mirror.fetch_all()).await?;
        }
        Ok((here, fetched))
    }
}

impl Here<'_> {
    /// Runs what is to succeed.
    async fn good(&self, call: GitCall) -> Result<GitAnswer, Fault> {
        let answer = self.run(call, b"", SAID).await?;
        match answer.good || answer.cut {
            true => Ok(answer),
            false => Err(failed(&self.ready.url, &answer.err)),
        }
    }

    /// Runs what fetches; it may fail.
    async fn reach(&self, call: GitCall) -> Result<GitAnswer, Fault> {
        let answer = self.run(call, b"", SAID).await?;
        // A file that grows to the limit ends who writes it (SIGXFSZ), and git does not say why.
        if !answer.good && self.scratch.largest() >= self.git.patience.fetched {
            let most = self.git.patience.fetched >> 20;
            let sentence = format!(
                "The source {} holds more than {most} MiB for this question.",
                self.ready.url
            );
            return Err(Fault::new(FaultKind::TooLarge, sentence));
        }
        Ok(answer)
    }

    async fn has(&self, revision: &str) -> Result<bool, Fault> {
        let call = self.mirror.has(revision).map_err(refused)?;
        Ok(self.run(call, b"", SAID).await?.good)
    }

    /// Files that commits changed, by commit; those of which not all are known are not among them.
    async fn changes(&self, commits: &[Logged]) -> Result<HashMap<String, Vec<String>>, Fault> {
        let mut input = String::new();
        for c in commits {
            let before = c.parents.first().map(|p| format!(" {p}")).unwrap_or_default();
            input.push_str(&format!("{}{before}\n", c.revision));
        }
        let told = self.run(self.mirror.changes(), input.as_bytes(), SAID).await?;
        let mut changes = parse_changes(&told.out);
        if told.cut || !told.good {
            changes.pop();
        }
        let sorted = changes.into_iter().map(|(revision, mut paths)| {
            paths.sort();
            (revision, paths)
        });
        let mut sorted: HashMap<String, Vec<String>> = sorted.collect();
        if told.good && !told.cut {
            // A commit without changes is not told of.
            for c in commits {
                sorted.entry(c.revision.clone()).or_default();
            }
        }
        Ok(sorted)
    }

    /// Runs git in the folder, always as the remote is reached: what misses a blob fetches it.
    async fn run(&self, call: GitCall, input: &[u8], most: usize) -> Result<GitAnswer, Fault> {
        let limits = GitLimits {
            time: self.git.patience.fetch,
            out: most,
            file: self.git.patience.fetched,
        };
        run_git(&call.by(&self.ready.way), self.scratch.path(), input, limits).await
    }
}
