//! The calls of git that the product makes, each as its arguments and its whole environment.
//!
//! **Invariant:** whoever runs a call clears the environment first and adds only `env` of the call, `PATH` and `HOME`;
//! what came from people stands behind `--end-of-options`, or is checked digits.

use super::check::{check_ref, check_revision, check_url, is_local};

/// One call of git: `git ARGS` in the working directory, with the environment cleared.
#[derive(Clone, PartialEq, Eq)]
pub struct GitCall {
    /// The arguments after `git`.
    pub args: Vec<String>,
    /// The environment besides `PATH` and `HOME`, which the caller supplies.
    pub env: Vec<(String, String)>,
}

/// How upload-pack is started for a local repository. Git asks who owns such a repository and, by design, takes the
/// answer from no variable or option of ours, so the setting has to stand in this command. The text is constant.
pub(super) const LOCAL_UPLOAD_PACK: &str = "--upload-pack=git -c safe.directory='*' upload-pack";

/// Options before the verb, for every call: no hooks, no helpers, no programs named by a repository.
const ALWAYS: [&str; 10] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "advice.detachedHead=false",
    "-c",
    "safe.directory=*",
];

/// How a remote is reached, beside its URL: addresses it is pinned to, and what proves who asks. Holds secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Settings of git, as `http.extraHeader`; they travel in the environment, where no list of processes shows them.
    pub config: Vec<(String, String)>,
    /// Arguments of ssh, before the host.
    pub ssh: Vec<String>,
}

impl GitCall {
    pub(super) fn new(url: &str, args: &[&str]) -> Self {
        let env = [
            ("GIT_ALLOW_PROTOCOL", protocols(url)),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            (
                "GIT_SSH_COMMAND",
                "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20",
            ),
            // A transfer that stands still for a minute is over.
            ("GIT_HTTP_LOW_SPEED_LIMIT", "1"),
            ("GIT_HTTP_LOW_SPEED_TIME", "60"),
            // `explain` and `needs_all` read git's own sentences.
            ("LC_ALL", "C"),
        ];
        Self {
            args: ALWAYS.iter().chain(args).map(|s| (*s).to_owned()).collect(),
            env: env.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }

    /// The same call, its remote reached this way.
    #[must_use]
    pub fn by(mut self, way: &Way) -> Self {
        if !way.config.is_empty() {
            self.env.push(("GIT_CONFIG_COUNT".into(), way.config.len().to_string()));
        }
        for (n, (key, value)) in way.config.iter().enumerate() {
            self.env.push((format!("GIT_CONFIG_KEY_{n}"), key.clone()));
            self.env.push((format!("GIT_CONFIG_VALUE_{n}"), value.clone()));
        }
        if let Some((_, ssh)) = self.env.iter_mut().find(|(k, _)| k == "GIT_SSH_COMMAND") {
            for argument in &way.ssh {
                // Git hands the line to a shell.
                ssh.push_str(&format!(" '{}'", argument.replace('\'', r"'\''")));
            }
        }
        self
    }
}

/// The environment may hold secrets: its names alone are shown.
impl std::fmt::Debug for GitCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(k, _)| k.as_str()).collect();
        f.debug_struct("GitCall")
            .field("args", &self.args)
            .field("env", &names)
            .finish()
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Way({} settings, {} of ssh)", self.config.len(), self.ssh.len())
    }
}

/// The transports a source may lead to, by redirect or submodule: never to weaker ones than its own.
fn protocols(url: &str) -> &'static str {
    if is_local(url) {
        "file:http:https:ssh"
    } else if url.to_ascii_lowercase().starts_with("http:") {
        "http:https:ssh"
    } else {
        "https:ssh"
    }
}

/// Asks for the head of a branch, or of the default branch. Read its output with `parse_ls_remote`.
///
/// # Errors
/// One sentence, when URL or branch are refused.
pub fn ls_remote(url: &str, branch: Option<&str>, allow_local: bool) -> Result<GitCall, String> {
    check_url(url, allow_local)?;
    let mut args = vec!["ls-remote", "--quiet", "--symref"];
    if is_local(url) {
        args.push(LOCAL_UPLOAD_PACK);
    }
    let full;
    let wanted = match branch {
        None => "HEAD",
        Some(branch) => {
            check_ref(branch)?;
            full = format!("refs/heads/{branch}");
            &full
        }
    };
    args.extend(["--end-of-options", url, wanted]);
    Ok(GitCall::new(url, &args))
}

/// The calls of one checkout, in the empty directory that becomes the workspace. Run, in this order and in that
/// directory: `init`, `remote`, `fetch`; when `fetch` fails and `needs_all` says so of its error output, `fetch_all`;
/// then `switch`, `log` (read with `parse_log`) and, where wanted, `submodules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    url: String,
    revision: String,
}

impl Checkout {
    /// A checkout of the exact revision.
    ///
    /// # Errors
    /// One sentence, when URL or revision are refused.
    pub fn new(url: &str, revision: &str, allow_local: bool) -> Result<Self, String> {
        check_url(url, allow_local)?;
        check_revision(revision)?;
        Ok(Self {
            url: url.to_owned(),
            revision: revision.to_ascii_lowercase(),
        })
    }

    /// Makes the directory a repository, from no template.
    #[must_use]
    pub fn init(&self) -> GitCall {
        let format = if self.revision.len() == 64 {
            "--object-format=sha256"
        } else {
            "--object-format=sha1"
        };
        self.call(&["init", "--quiet", "--template=", "--initial-branch=caracal", format])
    }

    /// Names the source `origin`.
    #[must_use]
    pub fn remote(&self) -> GitCall {
        self.call(&["remote", "add", "--end-of-options", "origin", &self.url])
    }

    /// Fetches the one commit, without its history.
    #[must_use]
    pub fn fetch(&self) -> GitCall {
        self.fetching(&["--depth=1"], &[&self.revision])
    }

    /// Fetches all branches and tags, from a server that hands out no single commits.
    #[must_use]
    pub fn fetch_all(&self) -> GitCall {
        self.fetching(
            &[],
            &["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
        )
    }

    /// Puts the files of the revision in place, on no branch. Before 2.44 git takes `--end-of-options` for a path here; the
    /// revision is hexadecimal digits, and the dashes behind it say that it is no file.
    #[must_use]
    pub fn switch(&self) -> GitCall {
        self.call(&["checkout", "--quiet", "--force", "--detach", &self.revision, "--"])
    }

    /// Tells commit, author and message of what is in place.
    #[must_use]
    pub fn log(&self) -> GitCall {
        self.call(&[
            "log",
            "-1",
            "--no-color",
            "--no-show-signature",
            "--format=%H%n%an%n%B",
            "--end-of-options",
            "HEAD",
        ])
    }

    /// Checks out the submodules, theirs too.
    #[must_use]
    pub fn submodules(&self) -> GitCall {
        self.call(&["submodule", "update", "--init", "--recursive", "--progress"])
    }

    fn fetching(&self, how: &[&str], what: &[&str]) -> GitCall {
        let mut args = vec![
            "fetch",
            "--progress",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
        ];
        args.extend(how);
        if is_local(&self.url) {
            args.push(LOCAL_UPLOAD_PACK);
        }
        args.extend(["--end-of-options", "origin"]);
        args.extend(what);
        self.call(&args)
    }

    fn call(&self, args: &[&str]) -> GitCall {
        GitCall::new(&self.url, args)
    }
}
