//! When to look at a remote: every so often, and a little later each time, so that many do not look at once.
//!
//! **Invariant:** two looks are `every` to `every` and a tenth apart; the same trigger at the same time gets the same answer.

use crate::Timestamp;

/// When to look again after a look at `looked`, for a trigger that looks `every` so many milliseconds.
#[must_use]
pub fn next(looked: Timestamp, every: i64, trigger: i64) -> Timestamp {
    let every = every.max(1);
    Timestamp(looked.0 + every + jitter(trigger, looked.0, every))
}

/// When to look first: after a start of the server, of a trigger that is new, or that should have looked before `now`.
#[must_use]
pub fn first(looked: Option<Timestamp>, now: Timestamp, every: i64, trigger: i64) -> Timestamp {
    let due = looked.map_or(now, |looked| next(looked, every, trigger));
    // A clock that was set back shall not keep it from looking.
    let latest = now.0 + every.max(1) + every.max(1) / 10;
    if due.0 > now.0 && due.0 <= latest {
        return due;
    }
    Timestamp(now.0 + jitter(trigger, now.0, every.max(1)))
}

/// 0 to a tenth of `every`, spread by the trigger's id (splitmix64).
fn jitter(trigger: i64, salt: i64, every: i64) -> i64 {
    let mut z = trigger
        .cast_unsigned()
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(salt.cast_unsigned());
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    let span = (every / 10).cast_unsigned() + 1;
    (z % span).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_spread_over_a_tenth_and_no_more() {
        for every in [1, 9, 1_000, 60_000, 86_400_000] {
            for trigger in [0, 1, 500, i64::MAX] {
                let mut at = Timestamp(1_700_000_000_000);
                for _ in 0..50 {
                    let next = next(at, every, trigger);
                    assert!(
                        (every..=every + every / 10).contains(&(next.0 - at.0)),
                        "{every} {trigger}"
                    );
                    at = next;
                }
            }
        }
        // 500 triggers made in the same millisecond: in each tenth of the time there is some of them, and never many.
        let now = Timestamp(1_700_000_000_000);
        let mut tenths = [0; 10];
        for trigger in 0..500 {
            let late = first(None, now, 60_000, trigger).0 - now.0;
            tenths[usize::try_from(late * 10 / 6_001).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|n| (25..=80).contains(n)), "{tenths:?}");
    }

    #[test]
    fn after_a_start_it_looks_when_it_would_have_and_soon_when_that_is_over() {
        let (now, every) = (Timestamp(1_000_000), 60_000);
        let looked = Timestamp(now.0 - 10_000);
        assert_eq!(first(Some(looked), now, every, 7), next(looked, every, 7));
        for looked in [Some(Timestamp(0)), None, Some(Timestamp(now.0 + 3_600_000))] {
            let due = first(looked, now, every, 7);
            assert!((now.0..=now.0 + every / 10).contains(&due.0), "{looked:?}: {due:?}");
        }
    }
}
