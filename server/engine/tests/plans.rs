//! Plans over a real SQLite file: what is stored, what is refused, and what others learn of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop there")]

use domain::auth::{Grant, Role, Via, Viewer};
use domain::page::PageQuery;
use domain::plan::document::SourceRules;
use domain::plan::view::{NewPlan, PlanView, SavePlan};
use domain::ports::Plans;
use domain::status::TaskStatus;
use domain::{Error, PlanId, ProjectId, UserId};
use engine::clock::{SharedClock, TestClock};
use engine::services::plans::PlansService;
use engine::store::{Location, Store};
use std::sync::Arc;

const NOW: i64 = 1_795_000_000_000;

struct World {
    _dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    store: Store,
    plans: PlansService,
    ana: Viewer,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(dir.path().join("db.sqlite")))
            .await
            .unwrap();
        let clock = TestClock::at(NOW);
        let id = store
            .write(|tx| Box::pin(async move { tx.insert_user("ana", "x", Role::Editor, domain::Timestamp(NOW)).await }))
            .await
            .unwrap();
        let shared: SharedClock = clock.clone();
        let plans = PlansService::new(store.clone(), shared, SourceRules::default());
        Self {
            _dir: dir,
            clock,
            store,
            plans,
            ana: viewer(id, Role::Editor),
        }
    }

    async fn make(&self, name: &str) -> PlanView {
        self.plans
            .create(&self.ana, new(&document(name, "true")))
            .await
            .unwrap()
    }
}

fn viewer(user: UserId, role: Role) -> Viewer {
    let grants = vec![Grant { project: None, role }];
    Viewer {
        user,
        name: "ana".into(),
        grants,
        scopes: None,
        via: Via::Session,
        authz_epoch: 0,
    }
}

fn document(name: &str, run: &str) -> String {
    format!("name: {name}\nsteps:\n  - run: {run}\n")
}

fn new(document: &str) -> NewPlan {
    NewPlan {
        document: document.to_owned(),
        ..NewPlan::default()
    }
}

fn save(version: i64, document: &str) -> SavePlan {
    SavePlan {
        version,
        document: document.to_owned(),
        ..SavePlan::default()
    }
}

async fn kinds(store: &Store) -> Vec<String> {
    store
        .events_since(None, 0, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.kind)
        .collect()
}

#[tokio::test]
async fn a_plan_is_made_and_read_back() {
    let w = World::new().await;
    let wish = NewPlan {
        name: Some("app".into()),
        description: Some(" The app ".into()),
        document: "name: app\nsource: {git: 'https://example.org/app', branch: main}\njobs:\n  b: {steps: [{run: x}]}\n  a: {needs: b, steps: [{run: y}]}\n".into(),
        enabled: Some(false),
    };
    let made = w.plans.create(&w.ana, wish.clone()).await.unwrap();
    let read = w.plans.get(&w.ana, made.summary.id).await.unwrap();
    assert_eq!(made, read);
    let s = &read.summary;
    assert_eq!(
        (s.name.as_str(), s.description.as_str(), s.enabled),
        ("app", "The app", false)
    );
    assert_eq!((s.revision, s.version, s.created_at.0, s.saved_at.0), (1, 1, NOW, NOW));
    assert_eq!(
        (s.jobs.join(" "), s.source.as_ref().unwrap().branch.as_deref()),
        ("b a".into(), Some("main"))
    );
    assert_eq!(read.document, wish.document);
    assert_eq!(kinds(&w.store).await, ["plan.created"]);
    let event = w.store.events_since(None, 0, 1).await.unwrap().remove(0);
    assert_eq!((event.subject_id, event.actor.as_deref()), (s.id.0, Some("ana")));
}

#[tokio::test]
async fn a_wrong_document_stores_nothing_and_tells_everything() {
    let w = World::new().await;
    let wish = NewPlan {
        description: Some("two\nlines".into()),
        ..new("nmae: x\nsteps:\n- rum: y\n")
    };
    let Err(Error::Invalid { detail, problems }) = w.plans.create(&w.ana, wish).await else {
        panic!("refused")
    };
    let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["nmae", "steps[0].rum", "description"]);
    assert_eq!((problems[1].line, problems[1].column), (Some(3), Some(3)));
    assert!(detail.contains("3 things"), "{detail}");
    let wish = NewPlan {
        name: Some("other".into()),
        ..new(&document("app", "true"))
    };
    let Err(Error::Invalid { problems, .. }) = w.plans.create(&w.ana, wish).await else {
        panic!("refused")
    };
    assert!(problems[0].message.contains("must agree"));
    let local = new("name: x\nsource: {git: /srv/app}\nsteps: [{run: a}]\n");
    assert!(matches!(
        w.plans.create(&w.ana, local).await,
        Err(Error::Invalid { .. })
    ));
    assert!(
        w.plans
            .list(&w.ana, None, PageQuery::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(kinds(&w.store).await.is_empty());
}

#[tokio::test]
async fn a_name_is_unique_until_its_plan_is_archived() {
    let w = World::new().await;
    let first = w.make("app").await.summary.id;
    let again = w.plans.create(&w.ana, new(&document("app", "x"))).await;
    assert!(
        matches!(&again, Err(Error::Conflict(s)) if s.contains("`app`") && s.contains(&format!("plan {first}"))),
        "{again:?}"
    );
    let other = w.make("other").await;
    let renamed = w
        .plans
        .save(&w.ana, other.summary.id, save(1, &document("app", "true")))
        .await;
    assert!(matches!(renamed, Err(Error::Conflict(_))));
    w.plans.delete(&w.ana, first).await.unwrap();
    assert_eq!(
        w.plans.get(&w.ana, first).await,
        Err(Error::NotFound(format!("Plan {first}")))
    );
    assert!(matches!(w.plans.delete(&w.ana, first).await, Err(Error::NotFound(_))));
    assert!(matches!(
        w.plans.revisions(&w.ana, first, PageQuery::default()).await,
        Err(Error::NotFound(_))
    ));
    let renamed = w
        .plans
        .save(&w.ana, other.summary.id, save(1, &document("app", "true")))
        .await
        .unwrap();
    assert_eq!((renamed.summary.name.as_str(), renamed.summary.revision), ("app", 2));
    assert_eq!(
        kinds(&w.store).await,
        ["plan.created", "plan.created", "plan.archived", "plan.saved"]
    );
}

#[tokio::test]
async fn every_save_is_a_revision_and_a_stale_one_changes_nothing() {
    let w = World::new().await;
    let id = w.make("app").await.summary.id;
    w.clock.advance(1_000);
    let wish = SavePlan {
        message: Some("Say two".into()),
        ..save(1, &document("app", "two"))
    };
    let saved = w.plans.save(&w.ana, id, wish).await.unwrap();
    assert_eq!(
        (saved.summary.revision, saved.summary.version, saved.summary.saved_at.0),
        (2, 2, NOW + 1_000)
    );
    let stale = w.plans.save(&w.ana, id, save(1, &document("app", "three"))).await;
    assert!(
        matches!(&stale, Err(Error::Conflict(s)) if s.contains("by ana") && s.contains("version 2")),
        "{stale:?}"
    );
    assert_eq!(w.plans.get(&w.ana, id).await.unwrap(), saved);
    let revisions = w.plans.revisions(&w.ana, id, PageQuery::default()).await.unwrap();
    let seen: Vec<_> = revisions
        .items
        .iter()
        .map(|r| (r.number, r.author.as_deref(), r.message.as_str()))
        .collect();
    assert_eq!(seen, [(2, Some("ana"), "Say two"), (1, Some("ana"), "")]);
    assert_eq!(revisions.items[1].document, document("app", "true"));
}

#[tokio::test]
async fn the_same_document_is_no_new_revision() {
    let w = World::new().await;
    let made = w.make("app").await;
    w.clock.advance(1_000);
    let wish = SavePlan {
        description: Some("New".into()),
        enabled: Some(false),
        ..save(1, &made.document)
    };
    let saved = w.plans.save(&w.ana, made.summary.id, wish).await.unwrap().summary;
    assert_eq!((saved.revision, saved.version, saved.saved_at.0), (1, 2, NOW));
    assert_eq!((saved.description.as_str(), saved.enabled), ("New", false));
    let saved = w
        .plans
        .save(&w.ana, made.summary.id, save(2, &made.document))
        .await
        .unwrap()
        .summary;
    assert_eq!(
        (saved.description.as_str(), saved.enabled, saved.version),
        ("New", false, 3)
    );
}

#[tokio::test]
async fn of_two_saves_at_once_one_wins() {
    let w = World::new().await;
    let id = w.make("app").await.summary.id;
    let saves = (0..8).map(|i| {
        let text = document("app", &format!("n{i}"));
        let (plans, ana) = (w.plans.clone(), w.ana.clone());
        async move { plans.save(&ana, id, save(1, &text)).await }
    });
    let results = futures::future::join_all(saves).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(results.iter().all(|r| matches!(r, Ok(_) | Err(Error::Conflict(_)))));
    assert_eq!(w.plans.get(&w.ana, id).await.unwrap().summary.revision, 2);
}

#[tokio::test]
async fn lists_are_keyset_pages_and_filter_by_text() {
    let w = World::new().await;
    for i in 0..5 {
        w.make(&format!("plan_{i}%")).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = w
            .plans
            .list(&w.ana, None, PageQuery { limit: Some(2), cursor })
            .await
            .unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|p| p.id.0));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    for (q, hits) in [("PLAN_3", 1), ("_3%", 1), ("%", 5), ("n-3", 0), ("  ", 5)] {
        let page = w
            .plans
            .list(&w.ana, Some(q.into()), PageQuery::default())
            .await
            .unwrap();
        assert_eq!(page.items.len(), hits, "{q}");
    }
    for bad in [
        PageQuery {
            limit: Some(0),
            cursor: None,
        },
        PageQuery {
            limit: None,
            cursor: Some("x".into()),
        },
    ] {
        assert!(matches!(
            w.plans.list(&w.ana, None, bad).await,
            Err(Error::Invalid { .. })
        ));
    }
}

#[tokio::test]
async fn each_plan_shows_its_newest_thirty_tasks() {
    let w = World::new().await;
    let (a, b) = (w.make("a").await.summary.id, w.make("b").await.summary.id);
    w.store
        .write(move |tx| {
            Box::pin(async move {
                for i in 0..70_i64 {
                    let plan = if i % 2 == 0 { a } else { b };
                    insert_task(tx, plan, i).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    let list = w.plans.list(&w.ana, None, PageQuery::default()).await.unwrap().items;
    for plan in &list {
        assert_eq!(plan.recent.len(), 30);
        assert!(plan.recent.is_sorted_by(|x, y| x.id > y.id));
        assert!(
            plan.recent
                .iter()
                .all(|t| t.status == TaskStatus::Pending && t.message.starts_with("Task "))
        );
        assert!(plan.recent.iter().all(|t| (t.id.0 % 2 == 1) == (plan.id == a)));
    }
    assert_eq!(list[0].recent[0].message, "Task 69");
}

/// A waiting task of a plan; its message has two lines.
async fn insert_task(tx: &mut engine::store::Tx, plan: PlanId, n: i64) -> engine::store::Result<()> {
    use engine::store::tasks::{NewTask, insert};
    let task = NewTask {
        project: ProjectId::DEFAULT,
        plan,
        plan_revision: 1,
        digest: tx.plan_state(ProjectId::DEFAULT, plan).await?.unwrap().digest,
        cause: domain::task::Cause {
            kind: domain::task::CauseKind::Manual,
            by: None,
            rerun_of: None,
            firing_id: None,
            fork: None,
        },
        created_by: None,
        build: None,
        revision: None,
        branch: None,
        message: Some(format!("Task {n}\n\nMore.")),
        author: None,
        reason_code: None,
        reason: None,
        priority: 0,
        parameters: std::collections::BTreeMap::new(),
        jobs: Vec::new(),
    };
    insert(tx, &task, domain::Timestamp(NOW + n)).await.map(|_| ())
}

#[tokio::test]
async fn each_role_may_do_what_is_its_own() {
    let w = World::new().await;
    let id = w.make("app").await.summary.id;
    let text = document("app", "two");
    for role in [Role::Viewer, Role::Runner] {
        let v = viewer(w.ana.user, role);
        assert!(w.plans.list(&v, None, PageQuery::default()).await.is_ok());
        assert!(w.plans.get(&v, id).await.is_ok());
        assert!(w.plans.validate(&v, text.clone(), false).await.is_ok());
        assert!(matches!(w.plans.create(&v, new(&text)).await, Err(Error::Forbidden(_))));
        assert!(matches!(
            w.plans.save(&v, id, save(1, &text)).await,
            Err(Error::Forbidden(_))
        ));
        assert!(matches!(w.plans.delete(&v, id).await, Err(Error::Forbidden(_))));
    }
    let nobody = Viewer {
        grants: Vec::new(),
        ..w.ana.clone()
    };
    assert!(matches!(w.plans.get(&nobody, id).await, Err(Error::NotFound(_))));
    assert!(matches!(
        w.plans.list(&nobody, None, PageQuery::default()).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        w.plans.validate(&nobody, text, false).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn the_command_line_saves_as_nobody_in_particular() {
    let w = World::new().await;
    let cli = engine::services::access::command_line();
    let made = w.plans.create(&cli, new(&document("app", "x"))).await.unwrap();
    let revisions = w
        .plans
        .revisions(&w.ana, made.summary.id, PageQuery::default())
        .await
        .unwrap();
    assert_eq!(revisions.items[0].author, None);
}
