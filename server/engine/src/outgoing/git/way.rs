//! How a repository is reached: a judged address, and what proves who asks.
//!
//! **Invariant:** git and ssh are told the address that was judged, so neither looks the name up again; a token travels in
//! the environment, a key in a file of its own that is gone when the call is.

use super::scratch::Scratch;
use super::{Git, Remote, refused};
use crate::outgoing::{Fault, FaultKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::git::{Way, check_url, is_local, place_of};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use zeroize::Zeroizing;

/// What proves who asks.
#[derive(Clone)]
pub enum Credentials {
    /// A user's password or token, over https.
    Token {
        /// The user; forges take any with a token.
        user: String,
        /// The password or token.
        secret: Zeroizing<String>,
    },
    /// A key of ssh.
    Key {
        /// The private key, without a passphrase.
        private: Zeroizing<String>,
        /// Keys of the host, as in `known_hosts`; without them those count that the server's user knows.
        known_hosts: Option<String>,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token { .. } => "Token",
            Self::Key { .. } => "Key",
        })
    }
}

impl Credentials {
    /// The header of HTTP that they make.
    #[must_use]
    pub fn header(&self) -> Option<(&'static str, Zeroizing<String>)> {
        let Self::Token { user, secret } = self else {
            return None;
        };
        let pair = Zeroizing::new(format!("{user}:{}", secret.as_str()));
        Some((
            "authorization",
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))),
        ))
    }
}

/// A repository that can be asked.
pub(super) struct Prepared {
    /// Its URL.
    pub(super) url: String,
    /// How it is reached.
    pub(super) way: Way,
    /// Where the key is.
    _keys: Option<Scratch>,
}

impl Git {
    /// Judges where a URL leads and makes the credentials ready.
    pub(super) async fn prepare(&self, remote: &Remote) -> Result<Prepared, Fault> {
        check_url(&remote.url, self.guard.local()).map_err(refused)?;
        let mut ready = Prepared {
            url: remote.url.clone(),
            way: Way::default(),
            _keys: None,
        };
        if is_local(&remote.url) {
            return Ok(ready);
        }
        let (host, port) = place_of(&remote.url).ok_or_else(|| refused("the URL names no host".into()))?;
        let scheme = remote
            .url
            .split_once("://")
            .map_or("ssh", |(s, _)| s)
            .to_ascii_lowercase();
        let addresses = self.guard.addresses(host, port, scheme == "http").await?;
        if scheme == "ssh" {
            self.by_ssh(&mut ready, remote, host, port, &addresses)?;
        } else {
            by_http(&mut ready.way, remote, host, port, &addresses)?;
        }
        Ok(ready)
    }

    fn by_ssh(
        &self,
        ready: &mut Prepared,
        remote: &Remote,
        host: &str,
        port: u16,
        addresses: &[SocketAddr],
    ) -> Result<(), Fault> {
        let mut options = Vec::new();
        if let Some(address) = addresses.first().filter(|_| host.parse::<IpAddr>().is_err()) {
            let known_as = match port {
                22 => host.to_owned(),
                port => format!("[{host}]:{port}"),
            };
            options.extend([format!("HostName={}", address.ip()), format!("HostKeyAlias={known_as}")]);
        }
        match &remote.credentials {
            None => {}
            Some(Credentials::Token { .. }) => {
                return Err(refused(
                    "a token does not open an ssh:// source; use a key, or https://".into(),
                ));
            }
            Some(Credentials::Key { private, known_hosts }) => {
                let keys = self.scratch()?;
                // Ssh takes no key with line ends of Windows or without a last one.
                let text = Zeroizing::new(private.trim().replace('\r', "") + "\n");
                let written = |name: &str, text: &str| {
                    keys.secret(name, text).map_err(|e| {
                        Fault::new(FaultKind::Ours, format!("The server cannot keep the key for git: {e}."))
                    })
                };
                let file = written("key", &text)?;
                options.push(format!("IdentityFile={}", quoted(&file)));
                options.extend(["IdentitiesOnly=yes".into(), "IdentityAgent=none".into()]);
                if let Some(known) = known_hosts {
                    let file = written("known_hosts", known)?;
                    options.push(format!("UserKnownHostsFile={}", quoted(&file)));
                }
                ready._keys = Some(keys);
            }
        }
        for option in options {
            ready.way.ssh.extend(["-o".to_owned(), option]);
        }
        Ok(())
    }
}

/// A path as ssh's own settings take it: `%` begins something there, blanks end it.
fn quoted(path: &std::path::Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

fn by_http(way: &mut Way, remote: &Remote, host: &str, port: u16, addresses: &[SocketAddr]) -> Result<(), Fault> {
    let mut set = |key: &str, value: String| way.config.push((key.to_owned(), value));
    set("http.followRedirects", "false".into());
    // Git before 2.37 does not know this setting and looks the name up again, after we have judged it.
    if host.parse::<IpAddr>().is_err() {
        let all: Vec<String> = addresses
            .iter()
            .map(|a| match a.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            })
            .collect();
        set("http.curloptResolve", format!("{host}:{port}:{}", all.join(",")));
    }
    match &remote.credentials {
        None => {}
        Some(Credentials::Key { .. }) => {
            return Err(refused(
                "a key of ssh does not open an http source; use a token, or ssh://".into(),
            ));
        }
        Some(token) => {
            if let Some((name, value)) = token.header() {
                set("http.extraHeader", format!("{name}: {}", value.as_str()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::Guard;
    use crate::outgoing::client::{Client, Limits};
    use crate::outgoing::git::Patience;
    use domain::git::ls_refs;
    use std::os::unix::fs::PermissionsExt;

    fn key() -> Credentials {
        Credentials::Key {
            private: Zeroizing::new("-----BEGIN KEY-----\r\nabc\r\n-----END KEY-----".into()),
            known_hosts: Some("git.example ssh-ed25519 AAAA".into()),
        }
    }

    #[tokio::test]
    async fn a_key_lies_in_a_file_of_its_own_while_the_call_runs() {
        let dir = tempfile::tempdir().unwrap();
        let guard = Guard::new(&[], true);
        let client = Client::new(guard.clone(), Limits::default());
        // A folder with what a shell and ssh would stumble over.
        let folder = dir.path().join("it's 100% mine");
        let git = Git::open(folder.clone(), guard, client, Patience::default()).unwrap();
        let remote = Remote {
            url: "ssh://git@127.0.0.1:2222/app".into(),
            credentials: Some(key()),
        };
        let ready = git.prepare(&remote).await.unwrap();
        let scratch = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let file = scratch.join("key");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, "-----BEGIN KEY-----\nabc\n-----END KEY-----\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let call = ls_refs(&ready.url, true).unwrap().by(&ready.way);
        assert!(!format!("{call:?}").contains("abc"));
        // What a shell and ssh make of it.
        let (_, line) = call.env.iter().find(|(k, _)| k == "GIT_SSH_COMMAND").unwrap();
        let shell = std::process::Command::new("sh")
            .args(["-c", &format!("{line} -G git.example")])
            .output();
        if let Ok(out) = shell
            && out.status.success()
        {
            let said = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(
                said.contains("identitiesonly yes") && said.contains("batchmode yes"),
                "{said}"
            );
            assert!(said.contains("it's 100%"), "{said}");
        }
        drop(ready);
        assert!(!scratch.exists());
    }

    #[tokio::test]
    async fn ssh_is_told_the_address_and_whose_key_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let guard = Guard::new(&[], true);
        let client = Client::new(guard.clone(), Limits::default());
        let git = Git::open(dir.path().join("o"), guard, client, Patience::default()).unwrap();
        for (url, alias) in [
            ("git@localhost:team/app", "HostKeyAlias=localhost"),
            ("ssh://git@localhost:2222/app", "HostKeyAlias=[localhost]:2222"),
        ] {
            let ready = git.prepare(&Remote::open(url)).await.unwrap();
            assert!(ready.way.ssh.iter().any(|o| o == alias), "{:?}", ready.way.ssh);
            assert!(ready.way.ssh.iter().any(|o| o.starts_with("HostName=")));
            let token = Remote {
                url: url.into(),
                credentials: Some(Credentials::Token {
                    user: "x".into(),
                    secret: Zeroizing::new("y".into()),
                }),
            };
            assert!(git.prepare(&token).await.is_err());
        }
    }
}
