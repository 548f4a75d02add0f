//! Plans: names, revisions, versions, documents stored once.

use super::{NOW, change, later, put, simple, write};
use crate::support::{Database, on_both};
use domain::{PlanId, ProjectId};
use engine::store::plans::PlanChange;
use engine::store::{Error, Store};
use futures::FutureExt;

on_both!(
    a_save_makes_a_revision_only_when_the_document_differs,
    a_name_is_free_again_once_its_plan_is_archived,
    lists_are_paged_filtered_and_know_the_newest_tasks,
);

const P: ProjectId = ProjectId::DEFAULT;

async fn save(store: &Store, id: PlanId, version: i64, to: PlanChange) -> Result<bool, Error> {
    store
        .write(move |tx| {
            let to = to.clone();
            async move {
                let present = tx.plan_state(P, id).await?.unwrap();
                tx.update_plan(id, version, &present, &to, later(5)).await
            }
            .boxed()
        })
        .await
}

async fn a_save_makes_a_revision_only_when_the_document_differs(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let seen = store.plan(P, made.id).await.unwrap().unwrap();
    assert_eq!(
        (seen.summary.revision, seen.summary.version, seen.summary.enabled),
        (1, 1, true)
    );
    let same = PlanChange {
        description: Some("About".into()),
        enabled: Some(false),
        ..change(&seen.document).0
    };
    assert!(save(&store, made.id, 1, same.clone()).await.unwrap());
    let seen = store.plan(P, made.id).await.unwrap().unwrap().summary;
    assert_eq!((seen.revision, seen.version, seen.saved_at), (1, 2, NOW));
    assert_eq!((seen.description.as_str(), seen.enabled), ("About", false));
    assert!(!save(&store, made.id, 1, same).await.unwrap(), "stale");
    let mut new = change("name: one\nsteps: [{run: other}]\n").0;
    new.message = "why".into();
    assert!(save(&store, made.id, 2, new).await.unwrap());
    let seen = store.plan(P, made.id).await.unwrap().unwrap();
    assert_eq!((seen.summary.revision, seen.summary.saved_at), (2, later(5)));
    assert_eq!(
        (seen.summary.description.as_str(), seen.summary.enabled),
        ("About", false),
        "absent is unchanged"
    );
    assert!(seen.document.contains("other"));
    let all = store.plan_revisions(made.id, None, 9).await.unwrap();
    assert_eq!(
        all.iter().map(|r| (r.number, r.message.as_str())).collect::<Vec<_>>(),
        [(2, "why"), (1, "")]
    );
    assert_eq!(store.plan_revisions(made.id, Some(2), 9).await.unwrap().len(), 1);
    assert_eq!(
        store.plan_revisions(made.id, None, 1).await.unwrap().len(),
        2,
        "one more when there is a next page"
    );
}

async fn a_name_is_free_again_once_its_plan_is_archived(database: Database) {
    let store = database.open().await;
    let first = simple(&store, "one").await;
    let again = || {
        store.write(|tx| {
            let (new, _) = change("name: one\nsteps: [{run: other}]\n");
            async move { tx.insert_plan(P, &new, NOW).await }.boxed()
        })
    };
    let taken = again().await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
    let id = first.id;
    let named = write(&store, |tx| async move { tx.plan_named(P, "one").await }.boxed()).await;
    assert_eq!(named, Some(id));
    let archive = || {
        write(&store, move |tx| {
            async move { tx.archive_plan(P, id, NOW).await }.boxed()
        })
    };
    assert_eq!(archive().await.as_deref(), Some("one"));
    assert_eq!(archive().await, None);
    assert!(store.plan(P, id).await.unwrap().is_none());
    assert!(!store.has_plan(P, id).await.unwrap());
    let second = again().await.unwrap();
    assert!(store.has_plan(P, second).await.unwrap());
    assert!(second > id, "ids are never used again");
}

async fn lists_are_paged_filtered_and_know_the_newest_tasks(database: Database) {
    let store = database.open().await;
    let mut made = Vec::new();
    for name in ["alpha", "beta_1", "betax1", "gamma"] {
        made.push(simple(&store, name).await);
    }
    let mut newest = Vec::new();
    for i in 0..33 {
        let mut task = made[0].task();
        task.message = Some(format!("line {i}\nmore"));
        newest.push(put(&store, task).await);
    }
    newest.reverse();
    for (like, before, limit, want) in [
        (None, None, 9, vec!["gamma", "betax1", "beta_1", "alpha"]),
        (None, None, 2, vec!["gamma", "betax1", "beta_1"]),
        (None, Some(made[2].id.0), 9, vec!["beta_1", "alpha"]),
        (Some("BETA_"), None, 9, vec!["beta_1"]),
        (Some("%"), None, 9, vec![]),
    ] {
        let got = store.plans(P, like, before, limit).await.unwrap();
        assert_eq!(
            got.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
            want,
            "{like:?} {before:?} {limit}"
        );
    }
    let alpha = store.plan(P, made[0].id).await.unwrap().unwrap().summary;
    assert_eq!(alpha.recent.iter().map(|t| t.id).collect::<Vec<_>>(), newest[..30]);
    assert_eq!(alpha.recent[0].message, "line 32");
    assert!(store.plans(ProjectId(9), None, None, 9).await.unwrap().is_empty());
}
