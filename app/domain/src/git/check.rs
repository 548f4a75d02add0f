//! What may be handed to git at all: URLs, branch names, revisions.
//!
//! **Invariant:** what passes is no option, holds no control character or blank, and names no transport but https, ssh
//! and, where local sources are allowed, http, file and absolute paths.

/// Longest URL taken, in bytes.
const URL_MAX: usize = 2_000;
/// Longest branch name taken, in bytes.
const REF_MAX: usize = 240;
/// Longest path of a file taken, in bytes.
const PATH_MAX: usize = 1_000;

/// Whether the URL is a path or `file:` URL of the machine itself.
#[must_use]
pub fn is_local(url: &str) -> bool {
    url.starts_with('/') || url.to_ascii_lowercase().starts_with("file:")
}

/// Checks the URL of a repository. `allow_local` also admits absolute paths, `file://` and `http://`.
///
/// # Errors
/// One sentence that says what is wrong with it and what would do.
pub fn check_url(url: &str, allow_local: bool) -> Result<(), String> {
    if url.is_empty() {
        return Err("the URL of the repository is empty".into());
    }
    if url.len() > URL_MAX {
        return Err(format!(
            "the URL is {} bytes long; at most {URL_MAX} are taken",
            url.len()
        ));
    }
    if url.starts_with('-') {
        return Err("a URL must not start with `-`".into());
    }
    if let Some(c) = url.chars().find(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!(
            "a URL holds no blanks or control characters, and this one holds {}",
            shown(c)
        ));
    }
    if url.starts_with('/') {
        return local(allow_local, "a path of this machine");
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return scp_like(url);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "https" => authority(rest, false),
        "ssh" => authority(rest, true),
        "http" => local(allow_local, "`http://`").and_then(|()| authority(rest, false)),
        "file" => {
            local(allow_local, "`file://`")?;
            if rest.starts_with('/') {
                Ok(())
            } else {
                Err("a file URL has three slashes and then the path, as in file:///srv/git/app.git".into())
            }
        }
        _ => Err(format!(
            "`{scheme}://` is not a transport for sources: use https:// or ssh://"
        )),
    }
}

fn local(allowed: bool, what: &str) -> Result<(), String> {
    if allowed {
        return Ok(());
    }
    Err(format!(
        "{what} is no source here: use https:// or ssh:// (local sources are for a server that listens on loopback only, or has allow_local_sources set)"
    ))
}

/// `host/path`, `user@host:port/path`; a password in it would be stored and shown with the plan.
fn authority(rest: &str, ssh: bool) -> Result<(), String> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('\\') {
        return Err("a URL has `/`, not `\\`".into());
    }
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((user, host)) => {
            if user.contains(':') || !ssh {
                return Err("keep user names, passwords and tokens out of the URL: everybody who may read the plan would read them".into());
            }
            name(user, "user name")?;
            host
        }
    };
    let host = match host.rsplit_once(':') {
        Some((h, port)) if !port.ends_with(']') => {
            if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().is_err() {
                return Err(format!("`{port}` is not a port"));
            }
            h
        }
        _ => host,
    };
    host_name(host)?;
    if path.is_empty() {
        return Err("the URL names a host but no repository on it".into());
    }
    Ok(())
}

/// `user@host:path`, as ssh remotes are often written.
fn scp_like(url: &str) -> Result<(), String> {
    let unknown = || {
        Err(format!(
            "`{url}` is not a URL of a repository: write https://host/path, ssh://user@host/path or user@host:path"
        ))
    };
    let Some((at, path)) = url.split_once(':') else {
        return unknown();
    };
    // `ext::…` and `fd::…` name transport helpers, which run programs.
    if path.starts_with(':') {
        return Err(format!(
            "`{at}::` names a helper program, not a repository: use https:// or ssh://"
        ));
    }
    let Some((user, host)) = at.split_once('@') else {
        return unknown();
    };
    name(user, "user name")?;
    host_name(host)?;
    if path.is_empty() || path.starts_with('-') {
        return unknown();
    }
    Ok(())
}

fn name(s: &str, what: &str) -> Result<(), String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if s.is_empty() || s.starts_with('-') || !s.bytes().all(fine) {
        return Err(format!("`{s}` is not a {what} git could use"));
    }
    Ok(())
}

fn host_name(s: &str) -> Result<(), String> {
    if let Some(v6) = s.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
        if !v6.is_empty() && v6.bytes().all(|b| b.is_ascii_hexdigit() || b":.".contains(&b)) {
            return Ok(());
        }
    } else if !s.is_empty() {
        return name(s, "host name");
    }
    Err("the URL names no host".into())
}

/// Host and port that the URL of a repository leads to, with the user name it has; none of a local one. For URLs that
/// `check_url` has passed.
#[must_use]
pub fn place_of(url: &str) -> Option<(&str, u16)> {
    if is_local(url) {
        return None;
    }
    let (authority, usual) = match url.split_once("://") {
        Some((scheme, rest)) => {
            let usual = match scheme.to_ascii_lowercase().as_str() {
                "https" => 443,
                "http" => 80,
                _ => 22,
            };
            (rest.split('/').next().unwrap_or_default(), usual)
        }
        None => (url.split_once(':')?.0, 22),
    };
    let place = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, usual),
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    Some((host, port))
}

/// The path of the URL of a repository, without slashes around it and without `.git`.
#[must_use]
pub fn path_of(url: &str) -> &str {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None if is_local(url) => url,
        None => url.split_once(':').map_or("", |(_, path)| path),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path)
}

/// What people call a repository: the last two parts of its path, `group/name`.
#[must_use]
pub fn called(url: &str) -> &str {
    let path = path_of(url);
    let from = path.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    &path[from..]
}

/// Checks the path of a file in a repository.
///
/// # Errors
/// One sentence that says what is wrong with it.
pub fn check_path(path: &str) -> Result<(), String> {
    let bad = |why: &str| {
        Err(format!(
            "`{}` cannot be a file of a repository: {why}",
            path.escape_debug()
        ))
    };
    if path.is_empty() || path.len() > PATH_MAX {
        return bad(&format!("its path has 1 to {PATH_MAX} bytes"));
    }
    if let Some(c) = path.chars().find(|c| c.is_control() || *c == '\\') {
        return bad(&format!("it holds {}", shown(c)));
    }
    if path.starts_with(['-', ':']) {
        return bad("it starts with `-` or `:`");
    }
    if path
        .split('/')
        .any(|part| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git"))
    {
        return bad("write it from the root of the repository, without `.`, `..` or `.git`");
    }
    Ok(())
}

/// Checks the name of a branch, by the rules of `git check-ref-format`.
///
/// # Errors
/// One sentence that says what is wrong with it.
pub fn check_ref(branch: &str) -> Result<(), String> {
    let bad = |why: &str| {
        Err(format!(
            "`{}` cannot be the name of a branch: {why}",
            branch.escape_debug()
        ))
    };
    if branch.is_empty() {
        return Err("the name of the branch is empty; leave it out for the repository's default branch".into());
    }
    if branch.len() > REF_MAX {
        return Err(format!(
            "the name of the branch is {} bytes long; at most {REF_MAX} are taken",
            branch.len()
        ));
    }
    if branch.starts_with('-') {
        return bad("it starts with `-`");
    }
    if let Some(c) = branch.chars().find(|c| c.is_control() || " ~^:?*[\\".contains(*c)) {
        return bad(&format!("it holds {}", shown(c)));
    }
    if branch == "HEAD" || branch == "@" {
        return bad("git keeps that name; leave `branch` out for the default branch");
    }
    if let Some(short) = branch.strip_prefix("refs/heads/") {
        return bad(&format!("write `{short}` alone"));
    }
    if branch.contains("..") || branch.contains("@{") || branch.contains("//") {
        return bad("it holds `..`, `@{` or `//`");
    }
    if branch.starts_with('/') || branch.ends_with('/') || branch.ends_with('.') {
        return bad("it starts with `/`, or ends with `/` or `.`");
    }
    if branch
        .split('/')
        .any(|part| part.starts_with('.') || part.ends_with(".lock"))
    {
        return bad("a part of it starts with `.` or ends with `.lock`");
    }
    Ok(())
}

/// Checks the id of a commit: 40 (SHA-1) or 64 (SHA-256) hex digits.
///
/// # Errors
/// One sentence that says what is wrong with it.
pub fn check_revision(revision: &str) -> Result<(), String> {
    if matches!(revision.len(), 40 | 64) && revision.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not the full id of a commit: 40 or 64 hex digits",
        revision.escape_debug()
    ))
}

fn shown(c: char) -> String {
    match c {
        ' ' => "a blank".into(),
        '\t' => "a tab".into(),
        '\n' | '\r' => "a line break".into(),
        c if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
        c => format!("`{c}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_pass_or_are_refused_with_a_reason() {
        // (URL, passes on any server, passes where local sources are allowed)
        for (url, anywhere, local) in [
            ("https://example.org/team/app.git", true, true),
            ("https://example.org:8443/app", true, true),
            ("HTTPS://example.org/app", true, true),
            ("https://[2001:db8::1]:8443/app", true, true),
            ("ssh://git@example.org/app", true, true),
            ("ssh://git@example.org:2222/~team/app", true, true),
            ("git@example.org:team/app.git", true, true),
            ("http://127.0.0.1:8080/app.git", false, true),
            ("file:///srv/git/app.git", false, true),
            ("/srv/git/app.git", false, true),
            ("", false, false),
            ("app", false, false),
            ("../app", false, false),
            ("--upload-pack=touch /tmp/x", false, false),
            ("-oProxyCommand=x", false, false),
            ("ext::sh -c x", false, false),
            ("ext::sh", false, false),
            ("fd::17", false, false),
            ("https://", false, false),
            ("https:///app", false, false),
            ("https://example.org", false, false),
            ("https://example.org/", false, false),
            ("https://-oProxyCommand=x/app", false, false),
            ("ssh://-oProxyCommand=x/app", false, false),
            ("ssh://-l@example.org/app", false, false),
            ("-u@example.org:app", false, false),
            ("git@-oProxyCommand=x:app", false, false),
            ("git@example.org:-app", false, false),
            ("git@example.org:", false, false),
            ("https://ana:secret@example.org/app", false, false),
            ("https://token@example.org/app", false, false),
            ("ssh://git:secret@example.org/app", false, false),
            ("https://example.org:99999/app", false, false),
            ("https://example.org:x/app", false, false),
            ("https://exa mple.org/app", false, false),
            ("https://example.org/app\n", false, false),
            ("https://example.org/a\u{0}pp", false, false),
            ("https://exam$(x)ple.org/app", false, false),
            ("git://example.org/app", false, false),
            ("ftp://example.org/app", false, false),
            ("javascript://x/y", false, false),
            ("file://host/app", false, false),
            ("https://example.org\\@evil/app", false, false),
        ] {
            assert_eq!(
                check_url(url, false).is_ok(),
                anywhere,
                "{url:?}: {:?}",
                check_url(url, false)
            );
            assert_eq!(
                check_url(url, true).is_ok(),
                local,
                "{url:?} local: {:?}",
                check_url(url, true)
            );
        }
        assert!(check_url(&format!("https://example.org/{}", "a".repeat(2_000)), true).is_err());
        assert!(check_url("/srv/app", false).is_err_and(|e| e.contains("loopback")));
    }

    #[test]
    fn branches_follow_gits_own_rules() {
        for good in [
            "main",
            "feature/x-1",
            "v1.2",
            "über",
            "a@b",
            "1",
            "release_2026",
            "HEADS",
            "x.locks",
        ] {
            assert_eq!(check_ref(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "-x",
            "--upload-pack=x",
            "a b",
            "a..b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "[a",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a@{1}",
            "@",
            "HEAD",
            "a\nb",
            "a\u{7f}",
            "refs/heads/main",
        ] {
            assert!(check_ref(bad).is_err(), "{bad:?}");
        }
        assert!(check_ref(&"a".repeat(241)).is_err());
    }

    #[test]
    fn a_url_leads_to_a_host_and_a_port() {
        for (url, want) in [
            ("https://example.org/a", Some(("example.org", 443))),
            ("HTTPS://example.org:8443/a", Some(("example.org", 8443))),
            ("http://127.0.0.1:3000/a", Some(("127.0.0.1", 3000))),
            ("https://[2001:db8::1]:8443/a", Some(("2001:db8::1", 8443))),
            ("https://[2001:db8::1]/a", Some(("2001:db8::1", 443))),
            ("ssh://git@example.org/a@b:c", Some(("example.org", 22))),
            ("ssh://git@example.org:2222/a", Some(("example.org", 2222))),
            ("git@example.org:team/a", Some(("example.org", 22))),
            ("git@example.org:team/a:b", Some(("example.org", 22))),
            ("/srv/a", None),
            ("file:///srv/a", None),
        ] {
            assert_eq!(place_of(url), want, "{url}");
        }
    }

    #[test]
    fn a_file_of_a_repository_stays_in_it() {
        for good in [".caracal.yml", "ci/plan.yml", "a b/ü.yml", "a..b"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "./a",
            "a//b",
            "a/",
            "-x",
            "--upload-pack=x",
            ":(glob)x",
            "a\\b",
            "a\nb",
            ".git/config",
            "a/.GIT/x",
        ] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn revisions_are_whole_ids() {
        assert!(check_revision(&"a1".repeat(20)).is_ok());
        assert!(check_revision(&"A1".repeat(32)).is_ok());
        for bad in ["", "a1b2c3d", "main", "--x", &"g1".repeat(20), &"a1".repeat(21)] {
            assert!(check_revision(bad).is_err(), "{bad}");
        }
    }
}
