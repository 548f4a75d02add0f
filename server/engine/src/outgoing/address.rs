//! Which addresses may be connected to: those of the open Internet, and what an administrator allows beside it.
//!
//! **Invariant:** an address is judged by what it leads to, not by how it is written: an IPv4 address inside an IPv6 one is
//! judged as itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, as `10.4.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    base: IpAddr,
    bits: u8,
}

/// Why a text is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of addresses; write `10.4.0.0/16`, `fd00::/8` or one address")]
pub struct NoRange(String);

/// What an address is that is not to be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden {
    /// The address.
    pub address: IpAddr,
    /// What it is: `a private address`.
    pub what: &'static str,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, what } = self;
        write!(
            f,
            "{address} is {what}, which this server connects to only when an administrator allows it (`allow_addresses`)"
        )
    }
}

/// Ranges that are nobody's on the open Internet (IANA special-purpose registries), the first that fits counts.
const SPECIAL: &[(&str, &str)] = &[
    ("0.0.0.0/8", "an address of this machine"),
    ("127.0.0.0/8", "an address of this machine"),
    ("::/128", "an address of this machine"),
    ("::1/128", "an address of this machine"),
    ("169.254.0.0/16", "a link-local address, as of a cloud's metadata"),
    ("fe80::/10", "a link-local address"),
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("fc00::/7", "a private address"),
    ("fec0::/10", "a private address"),
    ("100.64.0.0/10", "an address inside a provider's network"),
    ("192.0.0.0/24", "a reserved address"),
    ("192.0.2.0/24", "a reserved address"),
    ("198.18.0.0/15", "a reserved address"),
    ("198.51.100.0/24", "a reserved address"),
    ("203.0.113.0/24", "a reserved address"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "a reserved address"),
    ("ff00::/8", "a multicast address"),
    ("100::/64", "a reserved address"),
    ("2001:db8::/32", "a reserved address"),
    ("3fff::/20", "a reserved address"),
    ("5f00::/16", "a reserved address"),
];

/// Judges an address; what is allowed by name goes before all else.
///
/// # Errors
/// What it is.
pub fn judge(address: IpAddr, allowed: &[Range]) -> Result<(), Forbidden> {
    let inner = inner(address);
    if allowed.iter().any(|r| r.holds(address) || r.holds(inner)) {
        return Ok(());
    }
    let special = SPECIAL
        .iter()
        .find(|(range, _)| Range::from_str(range).is_ok_and(|r| r.holds(inner)));
    match special {
        Some((_, what)) => Err(Forbidden { address, what }),
        None => Ok(()),
    }
}

/// The IPv4 address that an IPv6 one leads to: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380).
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let s = v6.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    let found = match s {
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x64, 0xff9b, 1, 0, 0, 0, a, b] => v4(a, b),
        [0, 0, 0, 0, 0, 0, a, b] if v6 != Ipv6Addr::UNSPECIFIED && v6 != Ipv6Addr::LOCALHOST => v4(a, b),
        [0x2002, a, b, ..] => v4(a, b),
        [0x2001, 0, .., a, b] => v4(!a, !b),
        _ => None,
    };
    found.map_or(address, IpAddr::V4)
}

impl Range {
    /// Whether an address lies in it.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(a)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(a) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(a)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(base) & mask == u128::from(a) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Range {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        let no = || NoRange(text.to_owned());
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| no())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| no())?;
        if bits > most {
            return Err(no());
        }
        Ok(Self { base, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(address: &str, allowed: &[&str]) -> Result<(), &'static str> {
        let allowed: Vec<Range> = allowed.iter().map(|r| r.parse().unwrap()).collect();
        judge(address.parse().unwrap(), &allowed).map_err(|f| f.what)
    }

    #[test]
    fn only_the_open_internet_is_connected_to() {
        for open in [
            "1.1.1.1",
            "140.82.121.3",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "2002:101:101::",
        ] {
            assert_eq!(judged(open, &[]), Ok(()), "{open}");
        }
        for shut in [
            "0.0.0.0",
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.2.7",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:0:1:2:3:4:80ff:fffe",
        ] {
            assert!(judged(shut, &[]).is_err(), "{shut}");
        }
        assert_eq!(
            judged("169.254.169.254", &[]),
            Err("a link-local address, as of a cloud's metadata")
        );
    }

    #[test]
    fn an_administrator_allows_ranges_and_nothing_beside_them() {
        for (address, allowed, want) in [
            ("10.4.0.12", "10.4.0.0/16", true),
            ("10.5.0.12", "10.4.0.0/16", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", false),
            ("fd00:1::5", "fd00:1::/32", true),
            ("::ffff:10.4.0.12", "10.4.0.0/16", true),
            ("10.4.0.12", "0.0.0.0/0", true),
            ("fd00::1", "0.0.0.0/0", false),
        ] {
            assert_eq!(judged(address, &[allowed]).is_ok(), want, "{address} {allowed}");
        }
        for text in [
            "",
            "10.4.0.0/33",
            "10.4/16",
            "fd00::/129",
            "10.4.0.0/-1",
            "host",
            "10.4.0.0/16/2",
        ] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
        let refused = judge("10.0.0.1".parse().unwrap(), &[]).unwrap_err().to_string();
        assert_eq!(
            refused,
            "10.0.0.1 is a private address, which this server connects to only when an administrator allows it (`allow_addresses`)"
        );
    }
}
