//! Events: in order, by topic, seen by whoever waits, and none from the middle of a write.

use super::{ODD, event, put, simple, write};
use crate::support::{Database, on_both};
use domain::auth::{Grant, Role, Via, Viewer};
use domain::event::Topic;
use domain::ports::Events;
use domain::{TaskId, UserId};
use engine::services::events::EventsService;
use engine::store::{NewEvent, Store};
use futures::FutureExt;

on_both!(
    events_come_in_order_and_whole,
    many_events_of_one_write_keep_their_order,
    a_topic_takes_its_own,
    rare_news_are_found_among_many_others,
    a_reader_too_far_behind_reads_the_page_again,
    no_reader_sees_a_later_event_before_an_earlier_one,
);

async fn emit(store: &Store, from: i64, to: i64, task: Option<TaskId>) {
    write(store, move |tx| {
        async move {
            (from..to).for_each(|n| tx.emit(event(n, task)));
            Ok(())
        }
        .boxed()
    })
    .await;
}

fn viewer() -> Viewer {
    let grants = vec![Grant {
        project: None,
        role: Role::Viewer,
    }];
    Viewer {
        user: UserId(1),
        name: "ana".into(),
        grants,
        scopes: None,
        via: Via::Session,
        authz_epoch: 0,
    }
}

async fn events_come_in_order_and_whole(database: Database) {
    let store = database.open().await;
    assert_eq!(store.event_bounds().await.unwrap(), (0, 0));
    let mut news = store.news();
    emit(&store, 1, 4, None).await;
    emit(&store, 4, 5, None).await;
    let all = store.events_since(None, 0, 100).await.unwrap();
    assert_eq!(all.iter().map(|e| e.subject_id).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(all.windows(2).all(|w| w[0].seq < w[1].seq));
    assert_eq!(
        (all[0].actor.as_deref(), all[0].body["text"].as_str()),
        (Some(ODD), Some(ODD))
    );
    assert_eq!(store.event_bounds().await.unwrap(), (all[3].seq, all[0].seq));
    let page = store.events_since(None, all[0].seq, 2).await.unwrap();
    assert_eq!(page, all[1..3]);
    assert!(store.events_since(None, all[3].seq, 9).await.unwrap().is_empty());
    let told: Vec<_> = [news.recv().await.unwrap(), news.recv().await.unwrap()].concat();
    assert_eq!(told, all, "what is published is what is stored");
}

async fn many_events_of_one_write_keep_their_order(database: Database) {
    let store = database.open().await;
    // More than one multi-row insert holds.
    emit(&store, 0, 350, None).await;
    let all = store.events_since(None, 0, 1_000).await.unwrap();
    assert_eq!(
        all.iter().map(|e| e.subject_id).collect::<Vec<_>>(),
        (0..350).collect::<Vec<_>>()
    );
}

async fn a_topic_takes_its_own(database: Database) {
    let store = database.open().await;
    let made = simple(&store, "one").await;
    let (a, b) = (put(&store, made.task()).await, put(&store, made.task()).await);
    emit(&store, 1, 3, Some(a)).await;
    emit(&store, 3, 4, Some(b)).await;
    let of = |topic| {
        let store = &store;
        async move {
            store
                .events_since(Some(topic), 0, 100)
                .await
                .unwrap()
                .iter()
                .map(|e| e.subject_id)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(of(Topic::Task(a)).await, [1, 2]);
    assert_eq!(of(Topic::Task(b)).await, [3]);
    assert_eq!(of(Topic::Queue).await, [1, 2, 3]);
    assert_eq!(of(Topic::Agents).await, [0_i64; 0]);
    assert_eq!(of(Topic::Plan(domain::PlanId(7))).await, [1, 2, 3]);
    assert_eq!(of(Topic::Plan(domain::PlanId(8))).await, [0_i64; 0]);
}

async fn rare_news_are_found_among_many_others(database: Database) {
    let store = database.open().await;
    write(&store, move |tx| {
        async move {
            for n in 0..40 {
                let subject = if n % 13 == 0 { "task" } else { "plan" };
                tx.emit(NewEvent {
                    subject,
                    ..event(n, None)
                });
            }
            Ok(())
        }
        .boxed()
    })
    .await;
    let events = EventsService::new(store);
    let of = |limit| {
        let events = &events;
        async move {
            let found = events.since(&viewer(), Some(Topic::Queue), 0, limit).await;
            let found = found.unwrap().unwrap();
            found.iter().map(|e| e.subject_id).collect::<Vec<_>>()
        }
    };
    assert_eq!(
        of(5).await,
        [0, 13, 26, 39],
        "fewer than were asked for are all there are"
    );
    assert!(of(2).await.starts_with(&[0, 13]));
}

async fn a_reader_too_far_behind_reads_the_page_again(database: Database) {
    let store = database.open().await;
    let events = EventsService::new(store.clone());
    emit(&store, 0, 20, None).await;
    let (newest, oldest) = store.event_bounds().await.unwrap();
    let since = |n: i64| {
        let events = &events;
        async move { events.since(&viewer(), None, n, 100).await.unwrap().map(|e| e.len()) }
    };
    assert_eq!(since(newest).await, Some(0));
    assert_eq!(since(oldest).await, Some(19));
    assert_eq!(since(newest + 1).await, None, "of a database that was restored");
    write(&store, move |tx| {
        let mut batch = engine::store::Batch::default();
        batch.push("DELETE FROM events WHERE seq < $1", [(oldest + 10).into()]);
        async move { tx.run(batch).await }.boxed()
    })
    .await;
    assert_eq!(since(oldest + 3).await, None, "what it missed is not there any more");
    assert_eq!(since(oldest + 9).await, Some(10), "it missed nothing");
    emit(&store, 0, 10_100, None).await;
    assert_eq!(since(newest).await, None, "very long ago");
}

async fn no_reader_sees_a_later_event_before_an_earlier_one(database: Database) {
    let store = database.open().await;
    let writers = (0..4).map(|w| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                emit(&store, w * 100 + n, w * 100 + n + 1, None).await;
                tokio::task::yield_now().await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut seen = Vec::new();
    // Reads on from where it was, as a page does; an event that came in behind its back would be missing at the end.
    while seen.len() < 100 {
        // Asked before reading: what was written until then is there to be read.
        let over = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let since = seen.last().copied().unwrap_or(0);
        let page = store.events_since(None, since, 1_000).await.unwrap();
        seen.extend(page.iter().map(|e| e.seq));
        if over && page.is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    for w in writers {
        w.await.unwrap();
    }
    assert_eq!(seen.len(), 100, "every event was seen by reading on");
}
