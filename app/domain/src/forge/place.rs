//! Where a forge's API is, and what a repository is called there, from the URL that it is cloned by.
//!
//! **Invariant:** an API is asked over https, or over http where the repository itself is read over http; nothing of the
//! clone URL but host, port and path gets there.

use super::Provider;
use crate::git::{check_url, is_local, path_of, place_of};

/// A repository at a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where the API begins: `https://api.github.com`, without a slash at the end.
    pub api: String,
    /// The repository: `owner/name`, at GitLab with all its groups.
    pub path: String,
}

/// Finds the API. `api` overrides where it begins: forges below a path of their host, or whose ssh has another host.
///
/// # Errors
/// One sentence, when the URL names no repository of a forge.
pub fn place(provider: Provider, clone_url: &str, api: Option<&str>) -> Result<Place, String> {
    check_url(clone_url, true)?;
    let (host, port) = place_of(clone_url).ok_or("a repository of this machine is at no forge")?;
    if is_local(clone_url) || provider == Provider::Generic {
        return Err("only a repository at GitHub, GitLab, Gitea or Forgejo takes the status of a commit".into());
    }
    let mut path = path_of(clone_url).to_owned();
    let api = match api.map(|a| a.trim().trim_end_matches('/')).filter(|a| !a.is_empty()) {
        Some(api) => {
            let below = below(api)?;
            if let Some(rest) = path.strip_prefix(&format!("{below}/")).filter(|_| !below.is_empty()) {
                path = rest.to_owned();
            }
            api.to_owned()
        }
        None => base(provider, clone_url, host, port),
    };
    let parts = path.split('/').count();
    if path.is_empty() || parts < 2 || (provider != Provider::GitLab && parts > 2) {
        return Err(format!(
            "`{path}` is no owner/name of a repository; if the forge is below a path of its host, set the address of its API"
        ));
    }
    Ok(Place { api, path })
}

fn base(provider: Provider, clone_url: &str, host: &str, port: u16) -> String {
    let web = clone_url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let (scheme, usual) = match web.as_deref() {
        Some("http") => ("http", 80),
        _ => ("https", 443),
    };
    let ssh = !matches!(web.as_deref(), Some("http" | "https"));
    let host = host.to_ascii_lowercase();
    // Ssh behind the port of https has hosts of its own.
    let host = match host.as_str() {
        "ssh.github.com" | "www.github.com" => "github.com",
        "altssh.gitlab.com" => "gitlab.com",
        other => other,
    };
    if provider == Provider::GitHub && host == "github.com" {
        return "https://api.github.com".into();
    }
    // GitHub Enterprise Cloud with data residency.
    if provider == Provider::GitHub && host.ends_with(".ghe.com") {
        return format!("https://api.{host}");
    }
    let mut web = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    // The port of ssh says nothing of where the API is.
    if !ssh && port != usual {
        web = format!("{web}:{port}");
    }
    let below = match provider {
        Provider::GitHub => "/api/v3",
        Provider::GitLab => "/api/v4",
        _ => "/api/v1",
    };
    format!("{scheme}://{web}{below}")
}

/// The path of the forge itself, of the address of an API: of `https://x/gitlab/api/v4` it is `gitlab`.
fn below(api: &str) -> Result<&str, String> {
    let rest = api.strip_prefix("https://").or_else(|| api.strip_prefix("http://"));
    let rest = rest.filter(|r| !r.is_empty() && !r.contains(['@', '?', '#', ' ']));
    let Some(rest) = rest else {
        return Err(format!(
            "`{api}` is no address of an API as https://git.example.org/api/v4"
        ));
    };
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    Ok(path
        .split_once("api/")
        .map_or("", |(before, _)| before)
        .trim_matches('/'))
}
