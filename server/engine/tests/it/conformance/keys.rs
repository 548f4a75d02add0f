//! What is kept by key: failed sign-ins, answers of requests, settings; and the audit's chain.

use super::{ODD, later, run, write};
use crate::support::{Database, on_both};
use domain::ports::{Replay, ReplayKey};
use domain::{Timestamp, UserId};
use engine::store::audit::Entry;
use engine::store::settings;
use futures::FutureExt;

on_both!(
    failures_are_counted_by_key,
    a_key_makes_one_thing,
    a_setting_keeps_its_first_value,
    the_audit_chain_breaks_where_it_was_touched,
);

async fn failures_are_counted_by_key(database: Database) {
    let store = database.open().await;
    let counts = || write(&store, |tx| async move { tx.failures(["a", "b", "c"]).await }.boxed());
    assert_eq!(counts().await, [(0, Timestamp(0)); 3]);
    for (key, n) in [("a", 1), ("b", 5), ("a", 2)] {
        write(&store, move |tx| {
            async move { tx.set_failures(key, n, later(n), later(60)).await }.boxed()
        })
        .await;
    }
    assert_eq!(counts().await, [(2, later(2)), (5, later(5)), (0, Timestamp(0))]);
    write(&store, |tx| {
        async move { tx.take_back_failure(["a", "c"]).await }.boxed()
    })
    .await;
    assert_eq!(counts().await[0].0, 1);
    write(&store, |tx| {
        async move { tx.forget_failures("a", later(5)).await }.boxed()
    })
    .await;
    assert_eq!(counts().await.map(|c| c.0), [0, 5, 0]);
    write(&store, |tx| {
        async move { tx.forget_failures("x", later(6)).await }.boxed()
    })
    .await;
    assert_eq!(counts().await.map(|c| c.0), [0, 0, 0]);
}

async fn a_key_makes_one_thing(database: Database) {
    let store = database.open().await;
    let key = |body: &str| ReplayKey {
        key: "k".into(),
        path: "POST /plans".into(),
        body_hash: body.into(),
    };
    let begin = |user: i64, body: &'static str, at: i64| {
        write(&store, move |tx| {
            let key = key(body);
            async move { tx.begin_replay(UserId(user), &key, later(at)).await }.boxed()
        })
    };
    let end = |answer: Option<(u16, Option<String>)>| {
        write(&store, move |tx| {
            let answer = answer.clone();
            async move { tx.end_replay(UserId(1), "k", answer).await }.boxed()
        })
    };
    assert_eq!(begin(1, "x", 0).await, Replay::New);
    assert_eq!(begin(1, "x", 0).await, Replay::Open);
    assert_eq!(begin(1, "y", 0).await, Replay::Other);
    assert_eq!(begin(2, "x", 0).await, Replay::New, "another user's key is another key");
    end(None).await;
    assert_eq!(begin(1, "x", 0).await, Replay::New, "nothing was made: the key is free");
    end(Some((201, Some(ODD.into())))).await;
    assert_eq!(
        begin(1, "x", 0).await,
        Replay::Answered {
            status: 201,
            answer: Some(ODD.into())
        }
    );
    end(None).await;
    assert!(
        matches!(begin(1, "x", 86_399_999).await, Replay::Answered { .. }),
        "an answer is kept a day"
    );
    assert_eq!(begin(1, "x", 86_400_000).await, Replay::New);
}

async fn a_setting_keeps_its_first_value(database: Database) {
    let store = database.open().await;
    for value in ["first", "second"] {
        let got = write(&store, move |tx| settings::ensure(tx, "server.id", value).boxed()).await;
        assert_eq!(got, "first");
    }
}

async fn the_audit_chain_breaks_where_it_was_touched(database: Database) {
    let store = database.open().await;
    assert_eq!(store.audit_check().await.unwrap(), (0, None));
    let entry = |n: i64| Entry {
        at: later(n),
        actor_kind: "user",
        action: "plan.save",
        result: "ok",
        after: Some(ODD.into()),
        ..Entry::default()
    };
    // At once: the chain is one all the same.
    let writes = (0..12).map(|n| {
        store.write(move |tx| {
            let entry = entry(n);
            async move { tx.audit(entry).await }.boxed()
        })
    });
    for done in futures::future::join_all(writes).await {
        done.unwrap();
    }
    assert_eq!(store.audit_check().await.unwrap(), (12, None));
    run(
        &store,
        "UPDATE audit SET after = 'nothing' WHERE seq = (SELECT MAX(seq) FROM audit)",
        vec![],
    )
    .await;
    let (count, broken) = store.audit_check().await.unwrap();
    assert_eq!((count, broken.is_some()), (11, true));
    run(
        &store,
        "DELETE FROM audit WHERE seq = (SELECT MIN(seq) FROM audit)",
        vec![],
    )
    .await;
    assert_eq!(
        store.audit_check().await.unwrap().0,
        0,
        "a row that is missing breaks the chain at its place"
    );
}
