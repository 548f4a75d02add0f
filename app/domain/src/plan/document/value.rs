//! Durations, sizes, names and images: what a scalar of a plan may say.
//!
//! **Invariant:** what is accepted is in range and fit to be shown and passed on; what is not gets one sentence and, where
//! we know, the right spelling.

use crate::plan::{RETRIES_MAX, RETRY_WORDS, RetryOn};

/// Why a value is refused: what is wrong, and what would do.
pub(super) type Refusal = (String, Option<String>);

fn refuse<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
    Err((message.into(), Some(hint.into())))
}

/// `30s`, `5m`, `1h30m`, `2d`: milliseconds.
pub(super) fn duration(text: &str) -> Result<i64, Refusal> {
    crate::time::parse_duration(text).map_err(|(message, hint)| (message, Some(hint)))
}

/// `512MiB`, `2GB`: bytes.
pub(super) fn size(text: &str) -> Result<i64, Refusal> {
    const HINT: &str = "Write a number and a unit, as in `512MiB` or `2GB`.";
    let text = text.trim();
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = (&text[..split], text[split..].trim());
    let factor: f64 = match unit {
        "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        _ => {
            let meant = match unit.to_ascii_lowercase().as_str() {
                "" if !number.is_empty() => "MiB",
                "k" | "ki" | "kib" => "KiB",
                "m" | "mi" | "mib" | "mb" => "MiB",
                "g" | "gi" | "gib" | "gb" => "GiB",
                "t" | "ti" | "tib" | "tb" => "TiB",
                _ => return refuse(format!("`{}` is not a size.", super::tree::short(text)), HINT),
            };
            return refuse(
                format!("`{text}` has no unit we know."),
                format!("Did you mean `{number}{meant}`?"),
            );
        }
    };
    let Ok(number) = number.parse::<f64>() else {
        return refuse(format!("`{}` is not a size.", super::tree::short(text)), HINT);
    };
    let bytes = (number * factor).round();
    if bytes < 6.0 * 1_048_576.0 {
        return refuse(
            format!("`{text}` is less than a container can start with."),
            "Use at least `6MiB`.",
        );
    }
    if bytes > 1_125_899_906_842_624.0 {
        return refuse(format!("`{text}` is over 1,024 TiB."), HINT);
    }
    #[expect(clippy::cast_possible_truncation, reason = "between 6 MiB and 1 PiB, checked above")]
    Ok(bytes as i64)
}

/// `0.5`, `2`: cores, in thousandths.
pub(super) fn cpus(text: &str) -> Result<i64, Refusal> {
    match text.trim().parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "between 10 and 1,024,000")]
        Ok(n) if (0.01..=1024.0).contains(&n) => Ok((n * 1000.0).round() as i64),
        _ => refuse(
            format!("`{}` is not a number of cores.", super::tree::short(text)),
            "Write a number from 0.01 to 1024, as in `0.5` or `2`.",
        ),
    }
}

/// `2`: how often a job is tried again.
pub(super) fn retries(text: &str) -> Result<u32, Refusal> {
    match text.trim().parse::<u32>() {
        Ok(n @ 1..=RETRIES_MAX) => Ok(n),
        _ => refuse(
            format!("`{}` is no number of new attempts.", super::tree::short(text)),
            format!("Write a number from 1 to {RETRIES_MAX}; leave `retry` out for none."),
        ),
    }
}

/// `agent_lost`, `exit 75`: an end that is tried again.
pub(super) fn retry_on(text: &str) -> Result<RetryOn, Refusal> {
    let found = text.split_whitespace().collect::<Vec<_>>().join(" ");
    found.parse().map_err(|_: String| {
        let code = found.parse::<i64>().ok().filter(|code| (1..=255).contains(code));
        let meant = match code {
            Some(code) => Some(format!("Did you mean `exit {code}`?")),
            None => super::report::nearest(&found, RETRY_WORDS),
        };
        let hint = meant.unwrap_or_else(|| format!("Use {}.", super::reader::listed(RETRY_WORDS)));
        (
            format!(
                "`{}` is no end that a job is tried again after.",
                super::tree::short(text)
            ),
            Some(hint),
        )
    })
}

/// A character that shows nothing or turns text round: fit for hiding, not for names.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The name of a plan or a step.
pub(super) fn name(text: &str, what: &str, most: usize) -> Result<(), Refusal> {
    let count = text.chars().count();
    if text.trim().is_empty() {
        return refuse(
            format!("The name of the {what} is empty."),
            "Give it a word that people will recognise.",
        );
    }
    if count > most {
        return refuse(
            format!("The name of the {what} has {count} characters."),
            format!("Use at most {most}."),
        );
    }
    if let Some(c) = text.chars().find(|c| unseen(*c)) {
        return refuse(
            format!(
                "The name of the {what} holds the unseen character U+{:04X}.",
                u32::from(c)
            ),
            "Take it out.",
        );
    }
    if text != text.trim() {
        return refuse(
            format!("The name of the {what} starts or ends with a blank."),
            "Take it out.",
        );
    }
    Ok(())
}

/// The key of a job: it becomes a part of paths and addresses.
pub(super) fn job_key(text: &str) -> Result<(), Refusal> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if text.is_empty() || text.len() > 60 || !text.bytes().all(fine) || !text.as_bytes()[0].is_ascii_alphanumeric() {
        return refuse(
            format!("`{}` cannot be the name of a job.", super::tree::short(text)),
            "Use letters, digits, `.`, `_` and `-`, a letter or digit first, at most 60.",
        );
    }
    Ok(())
}

/// The name of an environment variable.
pub(super) fn env_name(text: &str) -> Result<(), Refusal> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if text.is_empty() || text.len() > 200 || !text.bytes().all(fine) || text.as_bytes()[0].is_ascii_digit() {
        let meant: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(200)
            .collect();
        let hint = if meant.is_empty() || meant.starts_with(|c: char| c.is_ascii_digit()) {
            "Use letters, digits and `_`, no digit first.".into()
        } else {
            format!("Did you mean `{meant}`?")
        };
        return refuse(
            format!(
                "`{}` cannot be the name of an environment variable.",
                super::tree::short(text)
            ),
            hint,
        );
    }
    if text.starts_with("CARACAL_") {
        return refuse(
            format!("`{text}` is set by Caracal itself."),
            "Choose a name without `CARACAL_`.",
        );
    }
    Ok(())
}

/// A container image: `rust:1.95`, `registry.example.org:5000/team/app@sha256:…`.
pub(super) fn image(text: &str) -> Result<(), Refusal> {
    let not = |hint: &str| {
        refuse(
            format!("`{}` is not the name of an image.", super::tree::short(text)),
            hint,
        )
    };
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b);
    if text.is_empty() || text.len() > 400 || !text.bytes().all(fine) {
        return not("Write it as for `docker pull`, as in `rust:1.95`.");
    }
    let (named, digest) = text.split_once('@').map_or((text, None), |(n, d)| (n, Some(d)));
    if digest.is_some_and(|d| {
        d.strip_prefix("sha256:")
            .is_none_or(|h| h.len() != 64 || !h.bytes().all(|b| b.is_ascii_hexdigit()))
    }) {
        return not("A digest is `sha256:` and 64 hex digits.");
    }
    let (path, tag) = match named.rsplit_once(':') {
        Some((p, t)) if !t.contains('/') => (p, Some(t)),
        _ => (named, None),
    };
    if tag.is_some_and(|t| t.is_empty() || t.len() > 128 || t.starts_with(['.', '-'])) {
        return not("Name a tag after `:`, as in `rust:1.95`.");
    }
    let mut parts = path.split('/');
    let host = path.contains('/')
        && path
            .split('/')
            .next()
            .is_some_and(|h| h.contains(['.', ':']) || h == "localhost");
    if host {
        parts.next();
    }
    for part in parts {
        if part.bytes().any(|b| b.is_ascii_uppercase()) {
            return not(&format!(
                "Images are named in small letters: `{}`?",
                text.to_lowercase()
            ));
        }
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        if !edge(part.bytes().next()) || !edge(part.bytes().last()) || part.contains(':') {
            return not("Write it as for `docker pull`, as in `rust:1.95`.");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("500ms", 500),
            ("1m 30s", -1),
        ] {
            assert_eq!(duration(text).unwrap_or(-1), ms, "{text}");
        }
        for bad in [
            "",
            "30",
            "s",
            "5x",
            "m5",
            "0s",
            "1m1m",
            "1m1h",
            "31d",
            "-5s",
            "99999999999999999999h",
            "5 m",
            "1.5h",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(duration("30").is_err_and(|e| e.1.is_some_and(|h| h.contains("`30s`"))));
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("512MiB", 536_870_912),
            ("2GB", 2_000_000_000),
            ("1.5GiB", 1_610_612_736),
            ("6 MiB", 6_291_456),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (bad, hint) in [
            ("512m", "`512MiB`"),
            ("2g", "`2GiB`"),
            ("512", "`512MiB`"),
            ("lots", "as in"),
            ("1KB", "6MiB"),
            ("1.2.3GB", "as in"),
            ("9999TiB", "as in"),
        ] {
            assert!(
                size(bad).is_err_and(|e| e.1.is_some_and(|h| h.contains(hint))),
                "{bad}: {:?}",
                size(bad)
            );
        }
        assert_eq!((cpus("0.5"), cpus("2")), (Ok(500), Ok(2_000)));
        for bad in ["0", "-1", "two", "1e9", "NaN", "inf"] {
            assert!(cpus(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn images() {
        let digest = format!("rust@sha256:{}", "a1".repeat(32));
        for good in [
            "rust",
            "rust:1.95",
            "debian:stable-slim",
            "team/app",
            "Registry.example.org:5000/team/app:v1",
            "localhost/app",
            &digest,
        ] {
            assert_eq!(image(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "Rust:1.95",
            "rust:",
            "ru st",
            "-rust",
            "rust:-x",
            "/rust",
            "rust//x",
            "rust@sha256:12",
            "rust;x",
            "a:b:c",
        ] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names() {
        for good in ["app", "Nightly build (main)", "größer", "1st", "a/b: c"] {
            assert_eq!(name(good, "plan", 100), Ok(()), "{good}");
        }
        for bad in [
            "",
            " ",
            " a",
            "a ",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            &"x".repeat(101),
        ] {
            assert!(name(bad, "plan", 100).is_err(), "{bad:?}");
        }
        for (key, ok) in [
            ("test", true),
            ("a.b-c_1", true),
            ("", false),
            ("a b", false),
            ("-a", false),
            ("ü", false),
            (&"x".repeat(61), false),
        ] {
            assert_eq!(job_key(key).is_ok(), ok, "{key}");
        }
        for (n, ok) in [
            ("RUST_LOG", true),
            ("_x1", true),
            ("1X", false),
            ("A-B", false),
            ("A B", false),
            ("", false),
            ("CARACAL_URL", false),
            ("A=B", false),
        ] {
            assert_eq!(env_name(n).is_ok(), ok, "{n}");
        }
    }
}
