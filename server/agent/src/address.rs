//! The server's address as people write it, and the socket behind it.
//!
//! **Invariant:** what cannot be an address is told at once, in one sentence; nothing here looks it up.

use anyhow::{Context, bail};
use http::Uri;

/// Where agents speak to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As `wss://ci.example.org/agent`.
    pub url: String,
    /// The host to connect to, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether by TLS.
    pub tls: bool,
}

impl Address {
    /// Reads `http(s)://host[:port][/prefix]` or the same with `ws(s)://`.
    ///
    /// # Errors
    /// One sentence with what would do.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let uri: Uri = text
            .parse()
            .ok()
            .with_context(|| format!("`{text}` is no server address; write it as https://ci.example.org"))?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => bail!("`{text}` is no server address: it begins with https://, http://, wss:// or ws://"),
        };
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || authority.contains('@') || uri.query().is_some() {
            bail!("`{text}` is no server address: it has a host, perhaps a port and a path, and nothing else");
        }
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/agent").unwrap_or(path);
        let scheme = if tls { "wss" } else { "ws" };
        Ok(Self {
            url: format!("{scheme}://{authority}{path}/agent"),
            host,
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, url, host, port) in [
            (
                "https://ci.example.org",
                "wss://ci.example.org/agent",
                "ci.example.org",
                443,
            ),
            ("http://127.0.0.1:7420/", "ws://127.0.0.1:7420/agent", "127.0.0.1", 7420),
            ("https://x.org/ci/", "wss://x.org/ci/agent", "x.org", 443),
            ("ws://x.org/agent", "ws://x.org/agent", "x.org", 80),
            ("wss://[::1]:7/", "wss://[::1]:7/agent", "::1", 7),
        ] {
            let got = Address::parse(text).unwrap();
            assert_eq!(
                (got.url.as_str(), got.host.as_str(), got.port),
                (url, host, port),
                "{text}"
            );
        }
        for text in [
            "",
            "ci.example.org",
            "ftp://x",
            "https://",
            "https://u:p@x",
            "http://x/?a=b",
            "http://a b",
        ] {
            let e = Address::parse(text).unwrap_err().to_string();
            assert!(e.contains("is no server address"), "{text}: {e}");
        }
    }
}
