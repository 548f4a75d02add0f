//! Secrets: whose they are, and that nobody's setting is lost.

use super::{NOW, later, plan, write};
use crate::support::{Database, on_both};
use domain::{ProjectId, SecretId};
use engine::store::secrets::{self, Place, Sealed};
use engine::store::{Error, Store, settings};
use futures::FutureExt;

const PROJECT: ProjectId = ProjectId(1);

on_both!(
    a_secret_is_set_again_by_whoever_knows_how_often_it_was,
    a_plans_secret_is_not_the_projects,
    secrets_move_to_another_master_key_one_by_one,
    what_was_sealed_with_a_key_that_went_out_of_use_is_not_stored,
);

fn place(name: &str) -> Place {
    Place {
        project: PROJECT,
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

async fn insert(store: &Store, place: Place, text: &'static str) -> Option<SecretId> {
    write(store, move |tx| {
        let place = place.clone();
        async move { secrets::insert(tx, &place, &sealed("k1", text), None, NOW).await }.boxed()
    })
    .await
}

async fn text(store: &Store, id: SecretId) -> (i64, String) {
    let found = secrets::locked(store, id).await.unwrap().unwrap();
    (found.n, found.sealed.ciphertext)
}

async fn a_secret_is_set_again_by_whoever_knows_how_often_it_was(database: Database) {
    let store = database.open().await;
    let id = insert(&store, place("KEY"), "one").await.unwrap();
    assert_eq!(insert(&store, place("KEY"), "other").await, None, "the name is in use");
    for (n, text, done) in [(1, "two", true), (1, "late", false), (2, "three", true)] {
        let replaced = write(&store, move |tx| {
            async move { secrets::replace(tx, id, n, &sealed("k1", text), None, later(n)).await }.boxed()
        });
        assert_eq!(replaced.await, done, "{text}");
    }
    assert_eq!(text(&store, id).await, (3, "three".into()));
    for at in [later(5), NOW] {
        write(&store, move |tx| {
            async move { secrets::touch(tx, id, at).await }.boxed()
        })
        .await;
    }
    let row = secrets::one(&store, PROJECT, id).await.unwrap().unwrap();
    assert_eq!((row.n, row.set_at, row.used_at), (3, later(2).0, Some(later(5).0)));
    for name in [Some("KEY".to_owned()), None] {
        let removed = write(&store, move |tx| {
            async move { secrets::remove(tx, PROJECT, id).await }.boxed()
        });
        assert_eq!(removed.await, name);
    }
    assert_eq!(secrets::one(&store, PROJECT, id).await.unwrap(), None);
}

async fn what_was_sealed_with_a_key_that_went_out_of_use_is_not_stored(database: Database) {
    let store = database.open().await;
    let id = insert(&store, place("KEY"), "one").await.unwrap();
    write(&store, |tx| {
        async move { settings::put(tx, secrets::SEALING, "k2").await }.boxed()
    })
    .await;
    let make = |key: &'static str| {
        store.write(move |tx| {
            async move { secrets::insert(tx, &place("OTHER"), &sealed(key, "x"), None, NOW).await }.boxed()
        })
    };
    let set = |key: &'static str| {
        store.write(move |tx| async move { secrets::replace(tx, id, 1, &sealed(key, "two"), None, NOW).await }.boxed())
    };
    assert!(matches!(
        make("k1").await,
        Err(Error::Refused(domain::Error::Unavailable(_)))
    ));
    assert!(matches!(
        set("k1").await,
        Err(Error::Refused(domain::Error::Unavailable(_)))
    ));
    assert_eq!(text(&store, id).await, (1, "one".into()));
    assert!(make("k2").await.unwrap().is_some() && set("k2").await.unwrap());
}

async fn a_plans_secret_is_not_the_projects(database: Database) {
    let store = database.open().await;
    let of = plan(&store, "name: one\nsteps:\n  - run: true\n").await.id;
    let own = Place {
        plan: Some(of),
        ..place("KEY")
    };
    let all = insert(&store, place("KEY"), "all").await.unwrap();
    let one = insert(&store, own.clone(), "own").await.unwrap();
    assert_eq!(insert(&store, own, "again").await, None);
    assert_eq!(
        (text(&store, all).await.1, text(&store, one).await.1),
        ("all".into(), "own".into())
    );
    let listed = secrets::list(&store, PROJECT).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|s| (s.id, s.plan.as_deref())).collect();
    assert_eq!(listed, [(all.0, None), (one.0, Some("one"))]);
    assert_eq!(
        secrets::one(&store, ProjectId(2), all).await.unwrap(),
        None,
        "another project's"
    );
}

async fn secrets_move_to_another_master_key_one_by_one(database: Database) {
    let store = database.open().await;
    for name in ["A", "B", "C"] {
        insert(&store, place(name), "text").await.unwrap();
    }
    let old = secrets::under_other_keys(&store, "k2", 0, 2).await.unwrap();
    assert_eq!(old.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    let rest = secrets::under_other_keys(&store, "k2", old[1].id, 2).await.unwrap();
    assert_eq!(rest.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["C"]);
    for moved in [true, false] {
        let from = old[0].clone();
        let done = write(&store, move |tx| {
            let from = from.clone();
            async move { secrets::rewrap(tx, &from, &sealed("k2", "ignored")).await }.boxed()
        });
        assert_eq!(done.await, moved, "once");
    }
    assert_eq!(secrets::keys(&store).await.unwrap(), ["k1", "k2"]);
    let a = secrets::locked(&store, SecretId(old[0].id)).await.unwrap().unwrap();
    assert_eq!(
        (a.sealed.wrapped_key.as_str(), a.sealed.ciphertext.as_str()),
        ("k2-wrapped", "text")
    );
}
