//! How long someone waits before the next try at a password: exponential, by address and by account-and-address.
//!
//! **Invariant:** tries from elsewhere never lock anybody out: an account under attack only makes strangers wait sooner,
//! and the first try of an address is always free.

use crate::auth::secret;
use domain::Timestamp;
use std::net::IpAddr;

/// Failures are forgotten after an hour without one.
pub const FORGET_MS: i64 = 3_600_000;
/// The longest wait, seconds.
const LONGEST: u32 = 900;

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One account from one address.
    Pair,
    /// Whatever one address tries.
    Address,
    /// One account from everywhere. Never refuses by itself.
    Account,
}

/// The failed tries under one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counter {
    /// How many, not yet forgotten.
    pub failures: i64,
    /// When the last one was.
    pub last: Timestamp,
}

/// The keys of one try, hashed: people type passwords into the name field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Of the account from this address.
    pub pair: String,
    /// Of the address.
    pub address: String,
    /// Of the account.
    pub account: String,
}

impl Keys {
    /// Keys for a try at `name` from `ip`.
    #[must_use]
    pub fn of(name: &str, ip: &str) -> Self {
        let (name, net) = (name.trim().to_lowercase(), network(ip));
        Self {
            pair: secret::hash(&format!("pair\n{name}\n{net}")),
            address: secret::hash(&format!("address\n{net}")),
            account: secret::hash(&format!("account\n{name}")),
        }
    }
}

/// The counter after one more failure.
#[must_use]
pub fn struck(c: Counter, now: Timestamp) -> Counter {
    Counter {
        failures: remembered(c, now).saturating_add(1),
        last: now,
    }
}

/// Seconds to wait before a try, or `None` when it may be made now.
#[must_use]
pub fn wait(pair: Counter, address: Counter, account: Counter, now: Timestamp) -> Option<u32> {
    let attacked = remembered(account, now) >= 20;
    let longest = delay(pair, if attacked { 1 } else { 5 }, now).max(delay(address, 30, now));
    (longest > 0).then_some(longest)
}

fn remembered(c: Counter, now: Timestamp) -> i64 {
    if now.since(c.last) > FORGET_MS { 0 } else { c.failures }
}

fn delay(c: Counter, free: i64, now: Timestamp) -> u32 {
    let over = remembered(c, now) - free;
    if over < 0 {
        return 0;
    }
    let seconds = 1u32
        .checked_shl(u32::try_from(over).unwrap_or(u32::MAX))
        .map_or(LONGEST, |s| s.min(LONGEST));
    let left = c.last.plus(i64::from(seconds) * 1_000).since(now);
    u32::try_from((left.max(0) + 999) / 1_000).unwrap_or(LONGEST)
}

/// The address as far as one party holds it: a whole IPv4 address, the first 64 bits of an IPv6 one.
fn network(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(v6)) => v6.segments()[..4].iter().map(|s| format!("{s:x}:")).collect(),
        Ok(v4) => v4.to_string(),
        Err(_) => ip.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries every second with a wrong password; returns how many were let through.
    fn attack(seconds: i64, free_account: bool) -> (i64, Counter, Counter) {
        let (mut pair, mut account, mut let_in) = (Counter::default(), Counter::default(), 0);
        for s in 0..seconds {
            let now = Timestamp(1_000_000_000 + s * 1_000);
            let acc = if free_account { Counter::default() } else { account };
            if wait(pair, Counter::default(), acc, now).is_none() {
                let_in += 1;
                pair = struck(pair, now);
                account = struck(account, now);
            }
        }
        (let_in, pair, account)
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        let (let_in, _, _) = attack(3_600, true);
        assert!((15..=25).contains(&let_in), "{let_in} tries in an hour");
        let now = Timestamp(5_000_000);
        let c = Counter {
            failures: i64::MAX,
            last: now,
        };
        assert_eq!(wait(c, Counter::default(), Counter::default(), now), Some(LONGEST));
    }

    #[test]
    fn the_owner_gets_in_from_another_address_while_strangers_try() {
        let now = Timestamp(5_000_000);
        let account = Counter {
            failures: 1_000,
            last: now,
        };
        assert_eq!(wait(Counter::default(), Counter::default(), account, now), None);
        // A stranger's second try from one address waits at once.
        let second = struck(Counter::default(), now);
        assert!(wait(second, Counter::default(), account, now).is_some());
        assert_eq!(wait(second, Counter::default(), Counter::default(), now), None);
    }

    #[test]
    fn an_hour_forgives() {
        let now = Timestamp(5_000_000);
        let c = Counter {
            failures: 40,
            last: now,
        };
        assert!(wait(c, c, c, now.plus(1_000)).is_some());
        assert_eq!(wait(c, c, c, now.plus(FORGET_MS + 1)), None);
        assert_eq!(struck(c, now.plus(FORGET_MS + 1)).failures, 1);
    }

    #[test]
    fn addresses_of_one_party_share_a_key() {
        let k = |ip| Keys::of("Ana", ip).address;
        assert_eq!(k("2001:db8::1"), k("2001:db8::ffff:1"));
        assert_ne!(k("2001:db8::1"), k("2001:db8:0:1::1"));
        assert_eq!(k("::ffff:10.0.0.1"), k("10.0.0.1"));
        assert_ne!(k("10.0.0.1"), k("10.0.0.2"));
        assert_eq!(Keys::of(" ANA ", "x").pair, Keys::of("ana", "x").pair);
    }
}
