//! A try at a password or code: counted when it begins, taken back when it succeeds.
//!
//! **Invariant:** a try counts as failed from its beginning, so that many at once do not slip past the throttle.

use super::throttle::{self, Counter, FORGET_MS, Keys};
use crate::store::{Result, Tx};
use domain::Timestamp;

/// Begins a try: either the seconds to wait, or `None` and the try is counted.
///
/// # Errors
/// When the database fails.
pub async fn begin(tx: &mut Tx, keys: &Keys, now: Timestamp) -> Result<Option<u32>> {
    let all = [keys.pair.as_str(), keys.address.as_str(), keys.account.as_str()];
    let counters = tx
        .failures(all)
        .await?
        .map(|(failures, last)| Counter { failures, last });
    let [pair, address, account] = counters;
    if let Some(seconds) = throttle::wait(pair, address, account, now) {
        return Ok(Some(seconds));
    }
    for (key, counter) in all.into_iter().zip(counters) {
        let c = throttle::struck(counter, now);
        tx.set_failures(key, c.failures, c.last, now).await?;
    }
    Ok(None)
}

/// Takes a successful try back: the pair is forgiven, address and account lose this one try.
///
/// # Errors
/// When the database fails.
pub async fn forgive(tx: &mut Tx, keys: &Keys, now: Timestamp) -> Result<()> {
    tx.forget_failures(&keys.pair, now.plus(-FORGET_MS)).await?;
    tx.take_back_failure([&keys.address, &keys.account]).await
}
