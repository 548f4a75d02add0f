//! What this server asks of git repositories: where their branches and tags stand, what happened between two looks, what
//! is in one file.
//!
//! **Invariant:** git gets no address that was not judged, follows no redirect itself, and no credentials are in its
//! arguments, its URLs or anything that is left on the disk.

mod history;
mod scratch;
mod way;

pub use history::{Commit, Commits};
pub use way::Credentials;

use super::client::{Client, Request};
use super::{Fault, FaultKind, GitAnswer, GitLimits, Guard, run_git};
use domain::git::{GitCall, Head, Named, diagnose, ls_refs, ls_remote, parse_ls_remote, parse_refs, redirects};
use domain::health::Health;
use scratch::Scratch;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use way::Prepared;

/// Most branches and tags of a repository.
const REFS: usize = 100_000;
/// Bytes that they may take, with the commits of tags.
const REFS_BYTES: usize = 48 << 20;

/// A repository, and how it is asked.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its URL.
    pub url: String,
    /// What proves who asks, where it is asked for.
    pub credentials: Option<Credentials>,
}

impl Remote {
    /// A repository that everybody may read.
    #[must_use]
    pub fn open(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
        }
    }
}

/// How long git may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To say where branches and tags stand.
    pub ask: Duration,
    /// To fetch what a question needs.
    pub fetch: Duration,
    /// Bytes of what is fetched.
    pub fetched: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ask: Duration::from_secs(30),
            fetch: Duration::from_secs(120),
            fetched: 512 << 20,
        }
    }
}

/// Asks repositories. Cheap to clone.
#[derive(Clone)]
pub struct Git {
    guard: Guard,
    client: Client,
    folder: Arc<Path>,
    patience: Patience,
}

impl Git {
    /// One that works in a folder, which is made and emptied: nobody else may use it.
    ///
    /// # Errors
    /// When the folder cannot be made or emptied.
    pub fn open(folder: PathBuf, guard: Guard, client: Client, patience: Patience) -> std::io::Result<Self> {
        scratch::empty(&folder)?;
        Ok(Self {
            guard,
            client,
            folder: folder.into(),
            patience,
        })
    }

    /// Where all branches and tags stand, in the order of their names.
    ///
    /// # Errors
    /// When the repository cannot be read, or has too many of them.
    pub async fn refs(&self, remote: &Remote) -> Result<Vec<Named>, Fault> {
        let local = self.guard.local();
        let out = self.ask(remote, REFS_BYTES, |url| ls_refs(url, local)).await?;
        let refs = parse_refs(&out);
        if refs.len() > REFS {
            return Err(many(&remote.url));
        }
        Ok(refs)
    }

    /// Where a branch, or the default branch, stands.
    ///
    /// # Errors
    /// When the repository cannot be read or has no such branch.
    pub async fn head(&self, remote: &Remote, branch: Option<&str>) -> Result<Head, Fault> {
        let local = self.guard.local();
        let out = self.ask(remote, 1 << 20, |url| ls_remote(url, branch, local)).await?;
        parse_ls_remote(&out, branch).map_err(|why| {
            let sentence = format!("The source {} was read, but {why}.", remote.url);
            Fault::new(FaultKind::BadAnswer, sentence)
        })
    }

    /// Asks without a repository of one's own; goes after a redirect once.
    async fn ask(
        &self,
        remote: &Remote,
        most: usize,
        call: impl Fn(&str) -> Result<GitCall, String>,
    ) -> Result<String, Fault> {
        let limits = GitLimits {
            time: self.patience.ask,
            out: most,
            // Git writes none; ssh may write down a host's new keys.
            file: 64 << 20,
        };
        let mut way = self.prepare(remote).await?;
        let mut answer = self.once(&way, call(&way.url).map_err(refused)?, limits).await?;
        if !answer.good && redirects(&answer.err) {
            way = self.moved(remote).await?;
            answer = self.once(&way, call(&way.url).map_err(refused)?, limits).await?;
        }
        if answer.cut {
            return Err(many(&remote.url));
        }
        if !answer.good {
            return Err(failed(&remote.url, &answer.err));
        }
        Ok(String::from_utf8_lossy(&answer.out).into_owned())
    }

    async fn once(&self, way: &Prepared, call: GitCall, limits: GitLimits) -> Result<GitAnswer, Fault> {
        // No repository is around that folder, so no settings of one.
        run_git(&call.by(&way.way), Path::new("/"), &[], limits).await
    }

    /// Where a repository that redirects is: each step judged, credentials left behind where another host begins.
    async fn moved(&self, remote: &Remote) -> Result<Prepared, Fault> {
        let base = remote.url.trim_end_matches('/');
        let mut request = Request::get(format!("{base}{INFO}"));
        if let Some((name, value)) = remote.credentials.as_ref().and_then(Credentials::header) {
            request = request.proving(name, &value)?;
        }
        let (there, kept) = self.client.settle(request).await?;
        let found = there.as_str().strip_suffix(INFO).ok_or_else(|| {
            let sentence = format!("The source {base} redirects to something that is no git repository.");
            Fault::new(FaultKind::Missing, sentence)
        })?;
        let moved = Remote {
            url: found.to_owned(),
            credentials: remote.credentials.clone().filter(|_| kept),
        };
        self.prepare(&moved).await
    }

    fn scratch(&self) -> Result<Scratch, Fault> {
        Scratch::below(&self.folder).map_err(|e| {
            let sentence = format!("The server cannot make a folder for git: {e}.");
            Fault::new(FaultKind::Ours, sentence)
        })
    }
}

/// What git asks a server first.
const INFO: &str = "/info/refs?service=git-upload-pack";

fn many(url: &str) -> Fault {
    let sentence = format!("The source {url} has more than {REFS} branches and tags, or too long names of them.");
    Fault::new(FaultKind::TooLarge, sentence)
}

fn refused(why: String) -> Fault {
    Fault::new(FaultKind::Refused, format!("The source was refused: {why}."))
}

/// A failure of git in words.
fn failed(url: &str, err: &str) -> Fault {
    let (health, sentence) = diagnose(url, err);
    let kind = match health {
        Health::Unauthorised => FaultKind::Unauthorised,
        Health::Missing => FaultKind::Missing,
        Health::Unreachable => FaultKind::Unreachable,
        Health::Healthy | Health::Unknown => FaultKind::BadAnswer,
    };
    Fault::new(kind, sentence)
}
