//! Secrets: versions, whose they are, and what becomes of old ones.

use super::{NOW, later, plan, write};
use crate::support::{Database, on_both};
use domain::ProjectId;
use engine::store::Store;
use engine::store::secrets::{self, Place, Sealed};
use futures::FutureExt;

on_both!(
    a_secret_has_versions_of_which_some_are_kept,
    a_plans_secret_is_not_the_projects,
    secrets_move_to_another_master_key_one_by_one,
);

fn place(name: &str) -> Place {
    Place {
        project: ProjectId(1),
        plan: None,
        name: name.into(),
    }
}

fn sealed(key: &str, text: &str) -> Sealed {
    Sealed {
        key_id: key.into(),
        wrapped_key: format!("{key}-wrapped"),
        nonce: "nonce".into(),
        ciphertext: text.into(),
    }
}

async fn put(store: &Store, place: &Place, n: i64, text: &str, kept: i64) -> bool {
    let (place, sealed) = (place.clone(), sealed("k1", text));
    write(store, move |tx| {
        let (place, sealed) = (place.clone(), sealed.clone());
        async move { secrets::put(tx, &place, n, &sealed, kept, None, NOW).await }.boxed()
    })
    .await
}

async fn versions(store: &Store, place: &Place) -> Vec<(i64, String)> {
    let all = secrets::versions(store, place).await.unwrap();
    all.into_iter().map(|v| (v.n, v.sealed.ciphertext)).collect()
}

async fn a_secret_has_versions_of_which_some_are_kept(database: Database) {
    let store = database.open().await;
    let key = place("KEY");
    assert!(put(&store, &key, 1, "one", 1).await);
    assert!(put(&store, &key, 2, "two", 1).await);
    assert!(!put(&store, &key, 2, "other", 1).await, "somebody was faster");
    assert!(!put(&store, &key, 1, "old", 1).await, "a version comes once");
    assert!(put(&store, &key, 3, "three", 1).await);
    assert_eq!(versions(&store, &key).await, [(3, "three".into()), (2, "two".into())]);
    assert!(put(&store, &key, 4, "four", 0).await);
    assert_eq!(versions(&store, &key).await, [(4, "four".into())]);

    let id = secrets::list(&store, ProjectId(1)).await.unwrap()[0].id;
    for at in [later(5), NOW] {
        write(&store, move |tx| {
            async move { secrets::touch(tx, id, at).await }.boxed()
        })
        .await;
    }
    let listed = secrets::list(&store, ProjectId(1)).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].n, listed[0].used_at),
        (1, 4, Some(later(5).0)),
        "time goes on"
    );
    for gone in [true, false] {
        let key = key.clone();
        let removed = write(&store, move |tx| {
            let key = key.clone();
            async move { secrets::remove(tx, &key).await }.boxed()
        });
        assert_eq!(removed.await, gone);
    }
    assert!(versions(&store, &key).await.is_empty());
}

async fn a_plans_secret_is_not_the_projects(database: Database) {
    let store = database.open().await;
    let id = plan(&store, "name: one\nsteps:\n  - run: true\n").await.id;
    let (of_all, own) = (
        place("KEY"),
        Place {
            plan: Some(id),
            ..place("KEY")
        },
    );
    assert!(put(&store, &of_all, 1, "all", 0).await);
    assert!(put(&store, &own, 1, "own", 0).await);
    assert!(put(&store, &own, 2, "own again", 0).await);
    assert_eq!(versions(&store, &of_all).await, [(1, "all".into())]);
    assert_eq!(versions(&store, &own).await, [(2, "own again".into())]);
    let listed = secrets::list(&store, ProjectId(1)).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|s| (s.plan_id, s.n)).collect();
    assert_eq!(listed, [(None, 1), (Some(id.0), 2)]);
}

async fn secrets_move_to_another_master_key_one_by_one(database: Database) {
    let store = database.open().await;
    for name in ["A", "B", "C"] {
        assert!(put(&store, &place(name), 1, name, 0).await);
    }
    let old = secrets::under_other_keys(&store, "k2", 2).await.unwrap();
    assert_eq!(old.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    let id = old[0].id;
    for moved in [true, false] {
        let done = write(&store, move |tx| {
            async move { secrets::rewrap(tx, id, "k1", &sealed("k2", "ignored")).await }.boxed()
        });
        assert_eq!(done.await, moved, "once");
    }
    assert_eq!(secrets::keys(&store).await.unwrap(), ["k1", "k2"]);
    let a = secrets::versions(&store, &place("A")).await.unwrap().remove(0);
    assert_eq!(
        (a.sealed.wrapped_key.as_str(), a.sealed.ciphertext.as_str()),
        ("k2-wrapped", "A")
    );
}
