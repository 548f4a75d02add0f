//! Instants: milliseconds since the Unix epoch inside, RFC 3339 UTC on the wire.
//!
//! **Invariant:** `Timestamp` never reads a clock; whoever needs "now" is given it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z. Written as `2026-11-20T14:32:07.041Z` (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Calendar fields of an instant in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year, as in 2026.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, 1 to 31.
    pub day: u32,
    /// Hour, 0 to 23.
    pub hour: u32,
    /// Minute, 0 to 59.
    pub minute: u32,
    /// Second, 0 to 59.
    pub second: u32,
    /// Millisecond, 0 to 999.
    pub milli: u32,
    /// Day of the week, 0 is Sunday.
    pub weekday: u32,
}

impl Timestamp {
    /// The calendar fields in UTC (days-to-civil after Howard Hinnant's public description).
    #[must_use]
    pub fn civil(self) -> Civil {
        let days = self.0.div_euclid(86_400_000);
        let ms = self.0.rem_euclid(86_400_000) as u32;
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u32;
        Civil {
            year: yoe + era * 400 + i64::from(month <= 2),
            month,
            day: (doy - (153 * mp + 2) / 5 + 1) as u32,
            hour: ms / 3_600_000,
            minute: ms / 60_000 % 60,
            second: ms / 1_000 % 60,
            milli: ms % 1_000,
            weekday: (days + 4).rem_euclid(7) as u32,
        }
    }

    /// For sentences: `2026-11-20 14:32:07 UTC`.
    #[must_use]
    pub fn to_words(self) -> String {
        let c = self.civil();
        let (year, month, day) = (c.year, c.month, c.day);
        format!(
            "{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
            c.hour, c.minute, c.second
        )
    }

    /// The instant `ms` milliseconds later.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; negative when it lies before.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339 in UTC (`…Z`), with or without a fraction.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        let s = s.strip_suffix('Z')?;
        let (date, time) = s.split_once('T')?;
        let mut d = date.splitn(3, '-').map(|p| p.parse::<i64>().ok());
        let (y, m, day) = (d.next()??, d.next()??, d.next()??);
        let (hms, frac) = time.split_once('.').unwrap_or((time, ""));
        let mut t = hms.splitn(3, ':').map(|p| p.parse::<i64>().ok());
        let (h, min, sec) = (t.next()??, t.next()??, t.next()??);
        if !(1..=12).contains(&m) || !(1..=31).contains(&day) || h > 23 || min > 59 || sec > 60 {
            return None;
        }
        if !frac.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let ms: i64 = format!("{frac:0<3}").get(..3)?.parse().ok()?;
        let y2 = if m <= 2 { y - 1 } else { y };
        let era = y2.div_euclid(400);
        let yoe = y2.rem_euclid(400);
        let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + day - 1;
        let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
        Some(Self(((days * 24 + h) * 60 + min) * 60_000 + sec * 1_000 + ms))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second, c.milli
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let s = String::deserialize(d)?;
        Self::parse(&s).ok_or_else(|| serde::de::Error::custom("a time is written as 2026-11-20T14:32:07Z"))
    }
}

/// A duration for people: `0.4s`, `9s`, `1m 50s`, `4h 2m`, `3d 4h`.
#[must_use]
pub fn human_duration(ms: i64) -> String {
    let ms = ms.max(0);
    let s = ms / 1_000;
    match s {
        0 => format!("0.{}s", ms / 100),
        1..60 => format!("{s}s"),
        60..3_600 if s % 60 == 0 => format!("{}m", s / 60),
        60..3_600 => format!("{}m {}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h {}m", s / 3_600, s / 60 % 60),
        _ => format!("{}d {}h", s / 86_400, s / 3_600 % 24),
    }
}

/// Longest duration that is read: 30 days.
const LONGEST_MS: i64 = 30 * 86_400_000;

/// `30s`, `5m`, `1h30m`, `2d`: milliseconds.
///
/// # Errors
/// What is wrong, and what would do.
pub fn parse_duration(text: &str) -> Result<i64, (String, String)> {
    const HINT: &str = "Write a number and a unit, as in `30s`, `5m` or `1h30m`.";
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let hint = format!("Did you mean `{text}s`, or `{text}m`?");
        return Err((format!("`{text}` has no unit."), hint));
    }
    let not = || {
        let shown: String = text.chars().take(40).collect();
        Err((format!("`{shown}` is not a duration."), HINT.to_owned()))
    };
    let (mut rest, mut total, mut last) = (text, 0_i64, i64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let factor = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return not(),
        };
        let Ok(number) = number.parse::<i64>() else {
            return not();
        };
        if factor >= last {
            return not();
        }
        last = factor;
        total = total.saturating_add(number.saturating_mul(factor));
        rest = tail;
    }
    match total {
        0 if text.is_empty() => not(),
        0 => Err((
            "A duration of nothing lets nothing run.".into(),
            "Leave it out for no limit.".into(),
        )),
        1..=LONGEST_MS => Ok(total),
        _ => Err((format!("`{text}` is over 30 days."), "Use at most `30d`.".into())),
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type};
    impl utoipa::PartialSchema for super::Timestamp {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
                .into()
        }
    }
    impl utoipa::ToSchema for super::Timestamp {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_are_written_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_185_127_041, "2026-11-20T14:32:07.041Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(ms)));
        }
        assert_eq!(
            Timestamp::parse("2026-11-20T14:32:07Z"),
            Some(Timestamp(1_795_185_127_000))
        );
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp(1_795_185_127_041).civil().weekday, 5);
    }

    #[test]
    fn durations_read_as_people_say_them() {
        for (ms, text) in [
            (430, "0.4s"),
            (9_000, "9s"),
            (60_000, "1m"),
            (110_000, "1m 50s"),
            (14_520_000, "4h 2m"),
            (273_600_000, "3d 4h"),
        ] {
            assert_eq!(human_duration(ms), text);
        }
    }
}
