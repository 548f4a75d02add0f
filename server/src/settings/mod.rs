//! Settings: flags over `CARACAL_*` environment over `caracal.toml` over defaults (DESIGN §8).
//!
//! **Invariant:** a setting that cannot be read is refused with its name and where it stands, never guessed.

mod agent;
mod file;

pub use self::agent::{AgentFlags, AgentSettings};
use ::agent::Choice;
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use engine::outgoing::address::Range;
pub use file::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Flags every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalFlags {
    /// The data folder [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The settings file [default: caracal.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of `serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeFlags {
    /// Where to listen [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Run no agent inside the server
    #[arg(long)]
    pub no_agent: bool,
    /// How the built-in agent runs steps: auto, docker or process [default: auto]
    #[arg(long, value_name = "KIND")]
    pub executor: Option<String>,
    /// Jobs the built-in agent runs at once [default: cores, at least 2]
    #[arg(long, value_name = "N")]
    pub slots: Option<String>,
}

/// What a server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address people use, where it was set; no slash at the end.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether paths, `file://` and `http://` are sources.
    pub allow_local_sources: bool,
    /// Addresses that this server may connect to for others although they are nobody's on the open Internet.
    pub allow_addresses: Vec<Range>,
    /// Whether the built-in agent runs.
    pub agent: bool,
    /// How it runs steps.
    pub executor: Choice,
    /// Jobs it runs at once.
    pub slots: u32,
    /// Image of jobs that name none.
    pub default_image: String,
    /// User that process steps run as, when the server is root.
    pub step_user: Option<String>,
    /// Whether slots keep a container ready for the next job.
    pub warm_slots: bool,
    /// Bytes kept of the output of one attempt.
    pub console_limit: u64,
}

/// Where values come from.
struct Sources<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    file: &'a File,
    shown: String,
}

impl Sources<'_> {
    /// The value of a setting and where it stands, by rank.
    fn find(&self, name: &str, flag: Option<String>) -> Option<(String, String)> {
        let variable = format!("CARACAL_{}", name.to_uppercase());
        flag.map(|v| (v, format!("--{}", name.replace('_', "-"))))
            .or_else(|| (self.env)(&variable).map(|v| (v, variable)))
            .or_else(|| self.file.get(name).map(|v| (v, format!("`{name}` in {}", self.shown))))
    }

    fn read<T: FromStr>(&self, name: &str, flag: Option<String>, what: &str) -> anyhow::Result<Option<T>> {
        let Some((value, place)) = self.find(name, flag) else {
            return Ok(None);
        };
        value
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| anyhow!("{place} is `{value}`, which is not {what}"))
    }

    /// A list, its parts between commas.
    fn list<T: FromStr>(&self, name: &str, what: &str) -> anyhow::Result<Vec<T>> {
        let Some((list, place)) = self.find(name, None) else {
            return Ok(Vec::new());
        };
        list.split(',')
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(|part| {
                part.parse()
                    .map_err(|_| anyhow!("{place} holds `{part}`, which is not {what}"))
            })
            .collect()
    }
}

impl Settings {
    /// Settings of a process: its flags, its environment, its file.
    ///
    /// # Errors
    /// One sentence that names the setting and what it should be.
    pub fn of_process(global: &GlobalFlags, serve: &ServeFlags) -> anyhow::Result<Self> {
        Self::resolve(global, serve, &|name| {
            std::env::var(name).ok().filter(|v| !v.is_empty())
        })
    }

    /// Settings from flags, an environment and the file they name.
    ///
    /// # Errors
    /// As `of_process`.
    pub fn resolve(
        global: &GlobalFlags,
        serve: &ServeFlags,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let (file, shown) = settings_file(global, env)?;
        let from = Sources {
            env,
            file: &file,
            shown,
        };

        let data = from
            .find("data", global.data.as_deref().map(shown_path))
            .map_or_else(|| "data".into(), |(v, _)| v.into());
        let listen: SocketAddr = from
            .read(
                "listen",
                serve.listen.clone(),
                "an address with a port, as 127.0.0.1:7420",
            )?
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7420)));
        let executor = match from.find("executor", serve.executor.clone()) {
            Some((word, place)) => choice(&word).with_context(|| place)?,
            None => Choice::Auto,
        };
        let slots: u32 = from
            .read("slots", serve.slots.clone(), "a number from 1 to 1000")?
            .unwrap_or_else(default_slots);
        if !(1..=1_000).contains(&slots) {
            bail!("slots is {slots}, which is not a number from 1 to 1000");
        }
        let agent = match serve.no_agent {
            true => false,
            false => !from.read("no_agent", None, "true or false")?.unwrap_or(false),
        };
        let public_url = from
            .find("public_url", None)
            .map(|(url, place)| public(&url).with_context(|| place))
            .transpose()?;
        let trusted_proxies: Vec<IpAddr> = from.list("trusted_proxies", "an address")?;
        let trusted_proxies = trusted_proxies.iter().map(IpAddr::to_canonical).collect();
        let allow_addresses = from.list("allow_addresses", "an address or a range of them as 10.4.0.0/16")?;
        // On only where nobody but this machine can ask for a file of it.
        let allow_local_sources = from
            .read("allow_local_sources", None, "true or false")?
            .unwrap_or(listen.ip().is_loopback());
        Ok(Self {
            data,
            listen,
            public_url,
            trusted_proxies,
            allow_local_sources,
            allow_addresses,
            agent,
            executor,
            slots,
            default_image: from
                .find("default_image", None)
                .map_or_else(|| "debian:stable-slim".into(), |(v, _)| v),
            step_user: from.find("step_user", None).map(|(v, _)| v),
            warm_slots: from.read("warm_slots", None, "true or false")?.unwrap_or(true),
            console_limit: match from.find("console_limit", None) {
                Some((text, place)) => bytes(&text)
                    .with_context(|| format!("{place} is `{text}`, which is not a size as 64MiB or 1GiB"))?,
                None => 1 << 30,
            },
        })
    }

    /// The address people use: the one that was set, or that of the listener.
    #[must_use]
    pub fn public_url(&self, listening: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| {
            let ip = listening.ip();
            let ip = if ip.is_unspecified() {
                IpAddr::from([127, 0, 0, 1])
            } else {
                ip
            };
            format!("http://{}", SocketAddr::new(ip, listening.port()))
        })
    }
}

/// The settings file, and what to call it: the one that was named, or `caracal.toml` where there is one.
fn settings_file(global: &GlobalFlags, env: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<(File, String)> {
    let named = global
        .config
        .clone()
        .or_else(|| env("CARACAL_CONFIG").map(PathBuf::from));
    let (text, path) = match named {
        Some(path) => (
            Some(
                std::fs::read_to_string(&path)
                    .with_context(|| format!("the settings file {} cannot be read", path.display()))?,
            ),
            path,
        ),
        None => {
            let path = PathBuf::from("caracal.toml");
            (std::fs::read_to_string(&path).ok(), path)
        }
    };
    let shown = path.display().to_string();
    let file = File::parse(text.as_deref().unwrap_or_default()).with_context(|| format!("{shown} cannot be used"))?;
    Ok((file, shown))
}

/// `64MiB`, `1GiB`, or bytes; at least one.
fn bytes(text: &str) -> anyhow::Result<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor: u64 = match text[split..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => bail!("its unit is none of KiB, MiB, GiB, TiB"),
    };
    let bytes = text[..split].parse::<u64>()?.checked_mul(factor);
    bytes.filter(|n| *n > 0).ok_or_else(|| anyhow!("it is out of range"))
}

fn shown_path(p: &Path) -> String {
    p.to_string_lossy().into_owned()
}

/// Cores, at least two.
fn default_slots() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(2).clamp(2, 1_000)
}

fn choice(word: &str) -> anyhow::Result<Choice> {
    match word.trim() {
        "auto" => Ok(Choice::Auto),
        "docker" => Ok(Choice::Docker),
        "process" => Ok(Choice::Process),
        // The tests' double; it runs nothing, so it is not offered.
        "scripted" => Ok(Choice::Scripted),
        other => bail!("`{other}` is not an executor: use auto, docker or process"),
    }
}

fn public(url: &str) -> anyhow::Result<String> {
    let url = url.trim().trim_end_matches('/');
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or_default();
    if host.is_empty() || host.contains(['/', '?', '#', ' ', '@']) {
        bail!("`{url}` is not an address as https://ci.example.org, without a path");
    }
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests;
