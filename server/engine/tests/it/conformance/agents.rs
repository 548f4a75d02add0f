//! Agents: sessions, facts, what they hold, what is overdue, versions.

use super::{NOW, ODD, agent, later, put, simple, write};
use crate::support::{Database, on_both};
use domain::agent::Facts;
use domain::lifecycle::Event;
use domain::status::{AgentStatus, Availability};
use domain::{AgentId, AttemptId};
use engine::queue::apply;
use engine::store::agents::{
    Change, all_unheard, change, connected, credential, ensure_builtin, fleet, fleet_now, heard, held, list, overdue,
    set_facts, set_status,
};
use engine::store::tasks::load;
use futures::FutureExt;

on_both!(
    the_built_in_agent_is_one_and_its_credential_the_last,
    a_session_that_is_over_says_nothing_any_more,
    what_an_agent_says_of_itself_is_read_back,
    a_stale_version_changes_nothing,
    what_it_holds_is_found_and_becomes_overdue,
);

async fn the_built_in_agent_is_one_and_its_credential_the_last(database: Database) {
    let store = database.open().await;
    let mut ids = Vec::new();
    for hash in ["first", "second"] {
        ids.push(write(&store, move |tx| ensure_builtin(tx, hash, NOW).boxed()).await);
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(
        credential(&store, ids[0]).await.unwrap(),
        Some(("second".to_owned(), false))
    );
    assert_eq!(credential(&store, AgentId(999)).await.unwrap(), None);
}

async fn a_session_that_is_over_says_nothing_any_more(database: Database) {
    let store = database.open().await;
    let (id, first) = agent(&store, 1).await;
    let (_, second) = agent(&store, 2).await;
    assert!(second > first, "sessions only rise");
    for (session, to, want) in [
        (first, AgentStatus::Unreachable, false),
        (second, AgentStatus::Online, false),
        (second, AgentStatus::Unreachable, true),
        (second, AgentStatus::Unreachable, false),
    ] {
        let changed = write(&store, move |tx| set_status(tx, id, session, to, "why", NOW).boxed()).await;
        assert_eq!(changed, want, "{session} {to:?}");
    }
    agent(&store, 1).await;
    write(&store, |tx| all_unheard(tx).boxed()).await;
    assert_eq!(list(&store).await.unwrap()[0].status, AgentStatus::Unreachable);
}

async fn what_an_agent_says_of_itself_is_read_back(database: Database) {
    let store = database.open().await;
    let (id, _) = agent(&store, 3).await;
    let seen = &list(&store).await.unwrap()[0];
    assert_eq!((seen.id, seen.slots, seen.facts.hostname.as_str()), (id, 3, ODD));
    assert_eq!(
        (seen.labels["os"].as_str(), seen.status),
        ("linux", AgentStatus::Online)
    );
    let facts = Facts {
        engine_error: Some(ODD.into()),
        ..Facts::default()
    };
    write(&store, move |tx| {
        let facts = facts.clone();
        async move { set_facts(tx, id, &facts, NOW).await }.boxed()
    })
    .await;
    let inside = write(&store, |tx| fleet(tx).boxed()).await;
    let outside = fleet_now(&store).await.unwrap();
    assert_eq!(inside.len(), 1);
    assert_eq!((inside[0].engine_error.as_deref(), inside[0].slots), (Some(ODD), 3));
    assert_eq!((outside[0].id, outside[0].builtin), (id, true));
    // An agent nobody ever heard of itself has no facts at all.
    write(&store, |tx| {
        let mut batch = engine::store::Batch::default();
        batch.push(
            "INSERT INTO agents (name, created_at) VALUES ('bare', $1)",
            [NOW.0.into()],
        );
        async move { tx.run(batch).await }.boxed()
    })
    .await;
    let all = list(&store).await.unwrap();
    assert_eq!(
        all.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(),
        ["bare", "builtin"],
        "by name"
    );
    assert_eq!(
        (all[0].status, all[0].facts.clone()),
        (AgentStatus::Offline, Facts::default())
    );
    let session = write(&store, move |tx| {
        async move { connected(tx, id, &Facts::default(), &[].into(), 0, NOW).await }.boxed()
    });
    assert!(session.await > 1);
}

async fn a_stale_version_changes_nothing(database: Database) {
    let store = database.open().await;
    let (id, _) = agent(&store, 1).await;
    let version = list(&store).await.unwrap()[0].version;
    for (read_at, note, want) in [
        (version, Some("disk swap"), true),
        (version, None, false),
        (version + 1, None, true),
    ] {
        let paused = Change {
            availability: Some((Availability::Paused, note.map(str::to_owned), None)),
            actor: ("ana".into(), None),
            ..Change::default()
        };
        let done = write(&store, move |tx| {
            let paused = paused.clone();
            async move { change(tx, id, read_at, &paused, NOW).await }.boxed()
        })
        .await;
        assert_eq!(done, want, "{read_at}");
        let seen = &list(&store).await.unwrap()[0];
        assert_eq!(seen.note.as_deref(), if want { note } else { Some("disk swap") });
    }
}

async fn what_it_holds_is_found_and_becomes_overdue(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let (leased, timed) = (put(&store, made.task()).await, put(&store, made.task()).await);
    put(&store, made.task()).await;
    let (id, _) = agent(&store, 2).await;
    for (task, lease, timeout_ms) in [(leased, 100, None), (timed, 10_000, Some(50))] {
        write(&store, move |tx| {
            async move {
                let job = load(tx, task).await?.unwrap().0.jobs[0].id;
                let event = Event::Assigned {
                    job,
                    agent: id,
                    epoch: 1,
                    lease_until: later(lease),
                    timeout_ms,
                };
                let refused = apply(tx, task, vec![event], None, NOW).await?.refused;
                assert_eq!(refused, [None]);
                Ok(())
            }
            .boxed()
        })
        .await;
    }
    let mine = write(&store, move |tx| held(tx, id).boxed()).await;
    assert_eq!(mine.iter().map(|h| h.task_id).collect::<Vec<_>>(), [leased.0, timed.0]);
    assert_eq!(
        (mine[0].epoch, mine[0].status.as_str(), mine[0].desired.as_str()),
        (1, "assigned", "run")
    );
    let seen = &list(&store).await.unwrap()[0];
    assert_eq!(
        seen.running.iter().map(|s| s.task_id).collect::<Vec<_>>(),
        [leased, timed]
    );
    let (first, second) = (AttemptId(mine[0].attempt_id), AttemptId(mine[1].attempt_id));
    for (at, margin, want) in [
        (99, 100, vec![]),
        (99, 10, vec![(second, timed, false)]),
        (100, 100, vec![(first, leased, true)]),
        (200, 150, vec![(first, leased, true), (second, timed, false)]),
    ] {
        let found = overdue(&store, later(at), margin).await.unwrap();
        let mut found: Vec<_> = found.iter().map(|o| (o.attempt, o.task, o.lease)).collect();
        found.sort_by_key(|f| f.0);
        assert_eq!(found, want, "{at} {margin}");
    }
    // Heard: both leases run anew.
    write(&store, move |tx| heard(tx, id, later(99), later(500)).boxed()).await;
    assert!(overdue(&store, later(499), 10_000).await.unwrap().is_empty());
    assert_eq!(overdue(&store, later(500), 10_000).await.unwrap().len(), 2);
}
