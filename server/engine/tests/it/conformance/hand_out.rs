//! Handing out while many do it at once: nothing twice, nothing left behind.

use super::{NOW, agent, put, simple, write};
use crate::support::{Database, on_both};
use domain::lifecycle::Effect;
use engine::scheduler::{Terms, place_waiting};
use futures::FutureExt;
use std::collections::BTreeSet;

const TERMS: &Terms = &Terms {
    lease_ms: 600_000,
    space: None,
};

on_both!(
    eight_placers_hand_out_forty_two_jobs_once_each,
    a_placement_that_fails_hands_nothing_out
);

async fn eight_placers_hand_out_forty_two_jobs_once_each(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let mut want = BTreeSet::new();
    for _ in 0..42 {
        want.insert(put(&store, made.task()).await);
    }
    agent(&store, 42).await;
    let placers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut got = Vec::new();
            // Each places again and again, as enqueueing, endings and sweeps do.
            for _ in 0..6 {
                let effects = store.write(|tx| place_waiting(tx, TERMS, NOW).boxed()).await.unwrap();
                got.extend(effects.into_iter().filter_map(|e| match e {
                    Effect::Assign { fence, .. } => Some(fence),
                    _ => None,
                }));
                tokio::task::yield_now().await;
            }
            got
        })
    });
    let fences: Vec<_> = futures::future::join_all(placers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    let attempts: BTreeSet<_> = fences.iter().map(|f| f.attempt).collect();
    assert_eq!((fences.len(), attempts.len()), (42, 42), "each job once");
    assert!(fences.iter().all(|f| f.epoch == 1));
    assert_eq!(engine::store::tasks::counts(&store).await.unwrap(), (0, 42));
}

async fn a_placement_that_fails_hands_nothing_out(database: Database) {
    let store = database.open().await;
    let id = put(&store, simple(&store, "one").await.task()).await;
    agent(&store, 1).await;
    let failed = store
        .write(|tx| {
            async move {
                let effects = place_waiting(tx, TERMS, NOW).await?;
                assert_eq!(effects.len(), 1, "it was handed out, inside");
                Err::<(), _>(engine::store::Error::Refused(domain::Error::Conflict("no".into())))
            }
            .boxed()
        })
        .await;
    assert!(failed.is_err());
    let seen = engine::store::tasks::view(&store, id).await.unwrap().unwrap();
    assert_eq!(seen.status, domain::status::TaskStatus::Pending);
    let effects = write(&store, |tx| place_waiting(tx, TERMS, NOW).boxed()).await;
    assert_eq!(effects.len(), 1);
}
