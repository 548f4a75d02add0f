//! Users, sessions and tokens.

use super::{NOW, ODD, later, run, write};
use crate::support::{Database, on_both};
use domain::auth::{Role, TokenScope};
use domain::{Timestamp, UserId};
use engine::store::sessions::NewSessionRow;
use engine::store::tokens::NewTokenRow;
use engine::store::{Error, Store};
use futures::FutureExt;

on_both!(
    names_are_one_whatever_their_case,
    rights_are_ones_own_and_those_of_ones_teams,
    a_session_lives_while_it_is_used_and_its_rights_stand,
    a_token_is_good_until_it_ends_or_is_revoked,
);

async fn user(store: &Store, name: &'static str, role: Role) -> UserId {
    write(store, move |tx| {
        async move { tx.insert_user(name, "phc", role, NOW).await }.boxed()
    })
    .await
}

async fn names_are_one_whatever_their_case(database: Database) {
    let store = database.open().await;
    assert!(!store.has_admin().await.unwrap());
    let ana = user(&store, "Ana", Role::Admin).await;
    user(&store, "bo", Role::Viewer).await;
    let taken = store
        .write(|tx| async move { tx.insert_user("aNA", "x", Role::Viewer, NOW).await }.boxed())
        .await;
    assert!(
        matches!(taken, Err(Error::Refused(domain::Error::Conflict(_)))),
        "{taken:?}"
    );
    assert!(store.has_admin().await.unwrap());
    assert!(write(&store, |tx| async move { tx.has_admin().await }.boxed()).await);
    let account = store.account("ANA").await.unwrap().unwrap();
    assert_eq!(
        (account.id, account.name.as_str(), account.password_hash.as_deref()),
        (ana.0, "Ana", Some("phc"))
    );
    assert!(store.account("nobody").await.unwrap().is_none());
    write(&store, move |tx| async move { tx.renew_hash(ana, "new").await }.boxed()).await;
    assert_eq!(
        store.account("ana").await.unwrap().unwrap().password_hash.as_deref(),
        Some("new")
    );
    let all = store.users().await.unwrap();
    assert_eq!(
        all.iter().map(|u| (u.name.as_str(), u.role)).collect::<Vec<_>>(),
        [("Ana", Some(Role::Admin)), ("bo", Some(Role::Viewer))]
    );
    assert_eq!(store.user(ana).await.unwrap().as_ref(), Some(&all[0]));
    assert!(store.user(UserId(99)).await.unwrap().is_none());
}

async fn rights_are_ones_own_and_those_of_ones_teams(database: Database) {
    let store = database.open().await;
    let ana = user(&store, "ana", Role::Viewer).await;
    run(&store, "INSERT INTO teams (id, name) VALUES (7, 'release')", vec![]).await;
    run(
        &store,
        "INSERT INTO team_members (team_id, user_id) VALUES (7, $1)",
        vec![ana.0.into()],
    )
    .await;
    run(
        &store,
        "INSERT INTO grants (team_id, project_id, role) VALUES (7, 1, 'editor')",
        vec![],
    )
    .await;
    let (_, mut grants) = store.rights(ana).await.unwrap().unwrap();
    grants.sort_by_key(|g| g.role);
    assert_eq!(
        grants
            .iter()
            .map(|g| (g.project.map(|p| p.0), g.role))
            .collect::<Vec<_>>(),
        [(None, Role::Viewer), (Some(1), Role::Editor)]
    );
    assert_eq!(store.user(ana).await.unwrap().unwrap().role, Some(Role::Editor));
    run(&store, "DELETE FROM grants WHERE id > 0", vec![]).await;
    let (_, none) = store.rights(ana).await.unwrap().unwrap();
    assert!(none.is_empty());
    assert_eq!(store.user(ana).await.unwrap().unwrap().role, None);
    run(
        &store,
        "UPDATE users SET disabled_at = 1 WHERE id = $1",
        vec![ana.0.into()],
    )
    .await;
    assert!(store.rights(ana).await.unwrap().is_none());
}

async fn a_session_lives_while_it_is_used_and_its_rights_stand(database: Database) {
    let store = database.open().await;
    let ana = user(&store, "ana", Role::Runner).await;
    let begin = |hash: &'static str, now: Timestamp| {
        write(&store, move |tx| {
            let row = NewSessionRow {
                id_hash: hash.into(),
                user: ana,
                authz_epoch: 0,
                now,
                idle_until: now.plus(10),
                ends_at: now.plus(100),
                ip: "::1".into(),
                user_agent: ODD.into(),
            };
            async move { tx.insert_session(&row).await }.boxed()
        })
    };
    begin("a", NOW).await;
    let (viewer, seen) = store.session("a", later(9)).await.unwrap().unwrap();
    assert_eq!((viewer.user, viewer.role(None), seen), (ana, Some(Role::Runner), NOW));
    assert!(store.session("a", later(10)).await.unwrap().is_none(), "idle too long");
    assert!(store.session("b", NOW).await.unwrap().is_none());
    write(&store, |tx| {
        async move { tx.touch_session("a", later(5), later(500)).await }.boxed()
    })
    .await;
    assert!(store.session("a", later(99)).await.unwrap().is_some());
    assert!(
        store.session("a", later(100)).await.unwrap().is_none(),
        "the end is the end"
    );
    begin("b", later(200)).await;
    assert_eq!(
        write(&store, |tx| async move { tx.end_session("a").await }.boxed()).await,
        None,
        "cleared away"
    );
    run(
        &store,
        "UPDATE users SET authz_epoch = 1 WHERE id = $1",
        vec![ana.0.into()],
    )
    .await;
    assert!(
        store.session("b", later(201)).await.unwrap().is_none(),
        "its rights are others now"
    );
    assert_eq!(
        write(&store, |tx| async move { tx.end_session("b").await }.boxed()).await,
        Some(ana)
    );
}

async fn a_token_is_good_until_it_ends_or_is_revoked(database: Database) {
    let store = database.open().await;
    let (ana, bo) = (
        user(&store, "ana", Role::Admin).await,
        user(&store, "bo", Role::Viewer).await,
    );
    let make = |hash: &'static str, scopes: Vec<TokenScope>, ends_at: Option<Timestamp>| {
        store.write(move |tx| {
            let row = NewTokenRow {
                user: ana,
                name: ODD.into(),
                hash: hash.into(),
                scopes: scopes.clone(),
                now: NOW,
                ends_at,
            };
            async move { tx.insert_token(&row).await }.boxed()
        })
    };
    let open = make("h1", vec![], None).await.unwrap();
    let scoped = make("h2", vec![TokenScope::Read, TokenScope::Run], Some(later(10)))
        .await
        .unwrap();
    assert!(matches!(make("h2", vec![], None).await, Err(Error::Conflict(_))));
    assert_eq!(
        (scoped.name.as_str(), scoped.scopes.len(), scoped.ends_at),
        (ODD, 2, Some(later(10)))
    );
    let bearer = store.bearer("h1", NOW).await.unwrap().unwrap();
    assert_eq!((bearer.id, bearer.viewer.scopes, bearer.used_at), (open.id, None, None));
    assert_eq!(
        store
            .bearer("h2", later(9))
            .await
            .unwrap()
            .unwrap()
            .viewer
            .scopes
            .unwrap()
            .len(),
        2
    );
    assert!(store.bearer("h2", later(10)).await.unwrap().is_none());
    write(&store, move |tx| {
        async move { tx.touch_token(open.id, later(3)).await }.boxed()
    })
    .await;
    assert_eq!(store.bearer("h1", NOW).await.unwrap().unwrap().used_at, Some(later(3)));
    let all = store.tokens_of(ana).await.unwrap();
    assert_eq!(all.iter().map(|t| t.id).collect::<Vec<_>>(), [scoped.id, open.id]);
    for (who, want) in [(bo, false), (ana, true), (ana, false)] {
        let done = write(&store, move |tx| {
            async move { tx.revoke_token(who, open.id, NOW).await }.boxed()
        })
        .await;
        assert_eq!(done, want);
    }
    assert!(store.bearer("h1", NOW).await.unwrap().is_none());
    assert_eq!(store.tokens_of(ana).await.unwrap().len(), 1);
}
