//! Whether a delivery came from who knows the secret: the forges' own schemes, and Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks>).
//!
//! **Invariant:** what is signed are the bytes as they came; signatures are compared in a time that tells nothing; with no
//! secret nothing is believed.

use crate::auth::secret::unhex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use domain::webhook::Provider;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How old, or how much in the future, a signed delivery may be.
const WINDOW: Duration = Duration::from_secs(300);
/// What secrets of Standard Webhooks begin with, before their base64.
const PREFIX: &str = "whsec_";

/// A delivery's headers: the value of a name in lower case.
pub type Headers<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// How a sender that is none of the forges signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Custom {
    /// Standard Webhooks.
    Standard,
    /// HMAC-SHA256 of the body in hex, in this header (lower case), with or without `sha256=` before it.
    Hmac(String),
    /// The secret itself, as `Authorization: Bearer …`.
    Bearer,
}

/// What proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Which of the secrets, from 0.
    pub secret: usize,
    /// The header.
    pub scheme: &'static str,
}

/// Why a delivery is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no secret to compare with.
    #[error("the hook has no secret, so nothing can be believed; set one here and at the sender")]
    NoSecret,
    /// It is not signed.
    #[error("it carries no signature: the sender has no secret, or is of another kind than the hook")]
    Unsigned,
    /// Its signature is of no known form.
    #[error("its signature is of no known form")]
    Malformed,
    /// It is signed with something else.
    #[error("its signature does not match: the sender has another secret, or the body was changed on the way")]
    Wrong,
    /// It is too old, or of the future.
    #[error(
        "it was signed more than five minutes ago, or in the future: it is sent again by somebody, or a clock is wrong"
    )]
    Stale,
}

/// Judges a delivery; all of the secrets are tried, the newest first.
///
/// # Errors
/// Why it is not believed.
pub fn judge(
    provider: Provider,
    custom: &Custom,
    headers: Headers<'_>,
    body: &[u8],
    secrets: &[&str],
    now: Timestamp,
) -> Result<Proof, Refused> {
    if secrets.iter().all(|s| s.is_empty()) {
        return Err(Refused::NoSecret);
    }
    let hex = |name: &'static str| headers(name).map(|value| by_hex(name, value, body, secrets));
    let found = match provider {
        Provider::GitHub => hex("x-hub-signature-256"),
        Provider::Gitea => hex("x-forgejo-signature")
            .or_else(|| hex("x-gitea-signature"))
            .or_else(|| hex("x-hub-signature-256")),
        Provider::GitLab => standard(headers, body, secrets, now)
            .or_else(|| headers("x-gitlab-token").map(|token| by_text("x-gitlab-token", token, secrets))),
        Provider::Generic => match custom {
            Custom::Standard => standard(headers, body, secrets, now),
            Custom::Hmac(name) => headers(name).map(|value| by_hex("hmac", value, body, secrets)),
            Custom::Bearer => headers("authorization").map(|value| match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    by_text("authorization", token.trim(), secrets)
                }
                _ => Err(Refused::Malformed),
            }),
        },
    };
    found.unwrap_or(Err(Refused::Unsigned))
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

/// The first of the secrets that fits; all are tried, so that time does not tell which did.
fn first(scheme: &'static str, secrets: &[&str], fits: impl Fn(&str) -> bool) -> Result<Proof, Refused> {
    let mut found = None;
    for (secret, text) in secrets.iter().enumerate() {
        let good = !text.is_empty() && fits(text);
        if good && found.is_none() {
            found = Some(secret);
        }
    }
    found.map(|secret| Proof { secret, scheme }).ok_or(Refused::Wrong)
}

fn by_hex(scheme: &'static str, value: &str, body: &[u8], secrets: &[&str]) -> Result<Proof, Refused> {
    let digits = value.strip_prefix("sha256=").unwrap_or(value);
    let given: Option<[u8; 32]> = unhex(digits).and_then(|bytes| bytes.try_into().ok());
    let given = given.ok_or(Refused::Malformed)?;
    first(scheme, secrets, |secret| {
        mac(secret.as_bytes(), &[body]).is_some_and(|own| own.ct_eq(&given).into())
    })
}

fn by_text(scheme: &'static str, token: &str, secrets: &[&str]) -> Result<Proof, Refused> {
    // Of equal length whatever was sent: a comparison of texts would tell the secret's.
    let key = b"caracal compares texts";
    let given = mac(key, &[token.as_bytes()]);
    first(scheme, secrets, |secret| {
        let own = mac(key, &[secret.as_bytes()]);
        own.zip(given).is_some_and(|(own, given)| own.ct_eq(&given).into())
    })
}

/// Standard Webhooks; `None` when the delivery is not signed so.
fn standard(headers: Headers<'_>, body: &[u8], secrets: &[&str], now: Timestamp) -> Option<Result<Proof, Refused>> {
    let signatures = headers("webhook-signature")?;
    let (Some(id), Some(time)) = (headers("webhook-id"), headers("webhook-timestamp")) else {
        return Some(Err(Refused::Malformed));
    };
    let Ok(seconds) = time.parse::<i64>() else {
        return Some(Err(Refused::Malformed));
    };
    let given: Vec<[u8; 32]> = signatures
        .split(' ')
        .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()?.try_into().ok())
        .take(16)
        .collect();
    if given.is_empty() {
        return Some(Err(Refused::Malformed));
    }
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let proof = first("webhook-signature", secrets, |secret| {
        let key = match secret.strip_prefix(PREFIX) {
            Some(text) => STANDARD.decode(text).unwrap_or_default(),
            None => secret.as_bytes().to_vec(),
        };
        let own = mac(&key, &parts).filter(|_| !key.is_empty());
        own.is_some_and(|own| {
            given
                .iter()
                .fold(false, |found, one| bool::from(own.ct_eq(one)) | found)
        })
    });
    // Judged last: who does not know the secret learns nothing of our clock.
    let off = now.0.abs_diff(seconds.saturating_mul(1_000));
    Some(proof.and_then(|proof| {
        if u128::from(off) <= WINDOW.as_millis() {
            Ok(proof)
        } else {
            Err(Refused::Stale)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::secret::hex;

    const NOW: Timestamp = Timestamp(1_795_300_000_000);
    const BODY: &[u8] = b"{\"test\": 2432232314}";

    fn judged(
        provider: Provider,
        custom: &Custom,
        headers: &[(&str, &str)],
        body: &[u8],
        secrets: &[&str],
    ) -> Result<Proof, Refused> {
        let find = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        judge(provider, custom, &find, body, secrets, NOW)
    }

    fn signed(secret: &str, body: &[u8]) -> String {
        hex(&mac(secret.as_bytes(), &[body]).unwrap())
    }

    #[test]
    fn githubs_own_example_is_believed() {
        // From GitHub's documentation, "Validating webhook deliveries".
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secrets = ["It's a Secret to Everybody"];
        let header = [("x-hub-signature-256", signature)];
        let judged = |body: &[u8]| judged(Provider::GitHub, &Custom::Standard, &header, body, &secrets);
        assert_eq!(judged(b"Hello, World!").map(|p| p.secret), Ok(0));
        assert_eq!(judged(b"Hello, World?"), Err(Refused::Wrong));
    }

    #[test]
    fn each_forge_is_judged_by_its_own_headers_and_by_both_secrets_while_they_change() {
        let secrets = ["new", "old"];
        for (n, secret) in secrets.into_iter().enumerate() {
            let (bare, prefixed) = (signed(secret, BODY), format!("sha256={}", signed(secret, BODY)));
            for (provider, header, value) in [
                (Provider::GitHub, "x-hub-signature-256", &prefixed),
                (Provider::Gitea, "x-gitea-signature", &bare),
                (Provider::Gitea, "x-forgejo-signature", &bare),
                (Provider::GitLab, "x-gitlab-token", &secret.to_owned()),
            ] {
                let found = judged(provider, &Custom::Standard, &[(header, value)], BODY, &secrets);
                assert_eq!(found.map(|p| p.secret), Ok(n), "{header}");
                let other = judged(provider, &Custom::Standard, &[(header, value)], BODY, &["other"]);
                assert_eq!(other, Err(Refused::Wrong), "{header}");
                // Another provider's header is none.
                let stranger = judged(Provider::Generic, &Custom::Bearer, &[(header, value)], BODY, &secrets);
                assert_eq!(stranger, Err(Refused::Unsigned), "{header}");
            }
            let own = Custom::Hmac("x-my-signature".into());
            let found = judged(
                Provider::Generic,
                &own,
                &[("x-my-signature", &prefixed)],
                BODY,
                &secrets,
            );
            assert_eq!(found.map(|p| p.secret), Ok(n));
            let bearer = format!("Bearer {secret}");
            let found = judged(
                Provider::Generic,
                &Custom::Bearer,
                &[("authorization", &bearer)],
                BODY,
                &secrets,
            );
            assert_eq!(found.map(|p| p.secret), Ok(n));
        }
    }

    #[test]
    fn standard_webhooks_are_believed_for_five_minutes() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let key = STANDARD.decode(&secret[PREFIX.len()..]).unwrap();
        for (seconds, want) in [
            (0, Ok(0)),
            (-299, Ok(0)),
            (299, Ok(0)),
            (-301, Err(Refused::Stale)),
            (i64::MIN / 2, Err(Refused::Stale)),
            (301, Err(Refused::Stale)),
        ] {
            let time = (NOW.0 / 1_000 + seconds).to_string();
            let parts = [b"msg_1".as_slice(), b".", time.as_bytes(), b".", BODY];
            let signature = format!("v1a,abc v1,{}", STANDARD.encode(mac(&key, &parts).unwrap()));
            let headers = [
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", &time),
                ("webhook-signature", &signature),
            ];
            for provider in [Provider::GitLab, Provider::Generic] {
                let found = judged(provider, &Custom::Standard, &headers, BODY, &[secret]);
                assert_eq!(found.map(|p| p.secret), want, "{seconds}");
            }
            let other = [("webhook-id", "msg_2"), headers[1], headers[2]];
            assert_eq!(
                judged(Provider::Generic, &Custom::Standard, &other, BODY, &[secret]),
                Err(Refused::Wrong)
            );
        }
    }

    #[test]
    fn what_is_not_signed_or_cannot_be_judged_is_refused() {
        let good = signed("secret", BODY);
        for (provider, headers, secrets, why) in [
            (
                Provider::GitHub,
                vec![("x-hub-signature-256", good.as_str())],
                vec![],
                Refused::NoSecret,
            ),
            (
                Provider::GitHub,
                vec![("x-hub-signature-256", good.as_str())],
                vec![""],
                Refused::NoSecret,
            ),
            (Provider::GitHub, vec![], vec!["secret"], Refused::Unsigned),
            // SHA-1 is not taken.
            (
                Provider::GitHub,
                vec![("x-hub-signature", "sha1=abc")],
                vec!["secret"],
                Refused::Unsigned,
            ),
            (
                Provider::GitHub,
                vec![("x-hub-signature-256", "sha256=zz")],
                vec!["secret"],
                Refused::Malformed,
            ),
            (
                Provider::GitHub,
                vec![("x-hub-signature-256", "")],
                vec!["secret"],
                Refused::Malformed,
            ),
            (
                Provider::GitLab,
                vec![("x-gitlab-token", "")],
                vec!["secret", ""],
                Refused::Wrong,
            ),
            (
                Provider::Generic,
                vec![("webhook-signature", "v1,abc")],
                vec!["secret"],
                Refused::Malformed,
            ),
        ] {
            assert_eq!(
                judged(provider, &Custom::Standard, &headers, BODY, &secrets),
                Err(why),
                "{headers:?}"
            );
        }
        for value in ["secret", "Basic secret", ""] {
            let found = judged(
                Provider::Generic,
                &Custom::Bearer,
                &[("authorization", value)],
                BODY,
                &["secret"],
            );
            assert_eq!(found, Err(Refused::Malformed), "{value}");
        }
    }
}
