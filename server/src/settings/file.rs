//! `caracal.toml`: flat keys, each known.
//!
//! **Invariant:** an unknown key is refused with the nearest right one, so that a typing error never means the default.

use anyhow::{anyhow, bail};
use std::collections::BTreeMap;

/// Every key there is.
pub const KEYS: &[&str] = &[
    "allow_addresses",
    "allow_local_sources",
    "ca",
    "console_limit",
    "data",
    "default_image",
    "executor",
    "labels",
    "listen",
    "name",
    "no_agent",
    "public_url",
    "server",
    "slots",
    "step_user",
    "token",
    "trusted_proxies",
    "warm_slots",
];

/// The settings of a file, as text by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File(BTreeMap<String, String>);

impl File {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| anyhow!("{}", e.to_string().trim()))?;
        let mut out = BTreeMap::new();
        for (key, value) in table {
            if !KEYS.contains(&key.as_str()) {
                bail!(
                    "`{key}` is no setting{}",
                    nearest(&key)
                        .map(|k| format!("; did you mean `{k}`?"))
                        .unwrap_or_default()
                );
            }
            out.insert(key.clone(), text_of(&key, value)?);
        }
        Ok(Self(out))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).cloned()
    }
}

fn text_of(key: &str, value: toml::Value) -> anyhow::Result<String> {
    match value {
        toml::Value::String(s) => Ok(s),
        toml::Value::Integer(n) => Ok(n.to_string()),
        toml::Value::Boolean(b) => Ok(b.to_string()),
        toml::Value::Array(list) if matches!(key, "trusted_proxies" | "allow_addresses") => {
            let parts = list
                .into_iter()
                .map(|v| text_of("an address", v))
                .collect::<anyhow::Result<Vec<_>>>()?;
            Ok(parts.join(","))
        }
        _ => bail!("`{key}` has a value of the wrong kind"),
    }
}

/// The known key nearest to a wrong one, if any is near.
fn nearest(wrong: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|k| (distance(wrong, k), *k))
        .min()
        .filter(|(d, k)| *d <= k.len().max(3) / 3)
        .map(|(_, k)| k)
}

/// Edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_word() {
        for (text, want) in [
            (
                "lisen = \"127.0.0.1:1\"",
                "`lisen` is no setting; did you mean `listen`?",
            ),
            (
                "public-url = \"x\"",
                "`public-url` is no setting; did you mean `public_url`?",
            ),
            ("colour = 1", "`colour` is no setting"),
            ("slots = 1.5", "`slots` has a value of the wrong kind"),
        ] {
            assert_eq!(File::parse(text).expect_err(text).to_string(), want);
        }
        assert!(
            File::parse("slots = ")
                .expect_err("broken")
                .to_string()
                .contains("line 1")
        );
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let f = File::parse(
            "slots = 4\nno_agent = true\nlisten = \"[::1]:80\"\ntrusted_proxies = [\"10.0.0.1\", \"::1\"]\nallow_addresses = [\"10.4.0.0/16\"]",
        )
        .expect("reads");
        for (key, want) in [
            ("slots", "4"),
            ("no_agent", "true"),
            ("listen", "[::1]:80"),
            ("trusted_proxies", "10.0.0.1,::1"),
            ("allow_addresses", "10.4.0.0/16"),
        ] {
            assert_eq!(f.get(key).as_deref(), Some(want));
        }
        assert_eq!(f.get("data"), None);
    }
}
