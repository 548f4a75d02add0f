//! What uses secrets and repositories, and what opens a repository anew.

use crate::support::{Database, NOW, World, on_both};
use domain::health::Health;
use domain::repository::{NewRepository, PutRepository, RepositoryUser, RepositoryUserKind, RepositoryView};
use domain::secret::{NewSecret, SecretUserKind, SecretValue};
use domain::trigger::{Kind, NewHook, NewTrigger, Provider, PutHook};
use domain::{PlanId, RepositoryId, SecretId, Timestamp};
use serde_json::{Value, json};

on_both!(
    a_secret_knows_what_uses_it,
    a_repository_knows_its_triggers_plans_and_hooks,
    what_opens_a_repository_is_set_anew_in_its_place_or_beside_what_others_use,
    since_when_a_repository_is_as_it_is_outlasts_looks_that_find_the_same,
);

fn new(name: &str, url: &str) -> NewRepository {
    NewRepository {
        name: name.into(),
        url: url.into(),
        provider: None,
        api: None,
        secret_id: None,
        secret: None,
    }
}

async fn make(world: &World, wish: NewRepository) -> RepositoryView {
    world.engine.ports.repositories.create(&world.ana, wish).await.unwrap()
}

async fn secret(world: &World, name: &str) -> SecretId {
    let wish = NewSecret {
        name: name.into(),
        plan_id: None,
        value: SecretValue("hunter2".into()),
    };
    world.engine.ports.secrets.create(&world.ana, wish).await.unwrap().id
}

async fn users_of(world: &World, id: SecretId) -> Vec<(SecretUserKind, String)> {
    let all = world.engine.ports.secrets.users(&world.ana, id).await.unwrap();
    all.into_iter().map(|u| (u.kind, u.name)).collect()
}

async fn trigger(world: &World, name: &str, kind: Kind, plan: PlanId, config: Value) {
    let wish = NewTrigger {
        name: name.into(),
        kind,
        plan_id: plan,
        enabled: Some(false),
        config,
        rules: vec![],
        parameters: Default::default(),
        branch: None,
        revision: None,
        priority: None,
    };
    world.engine.ports.triggers.create(&world.ana, wish).await.unwrap();
}

async fn a_secret_knows_what_uses_it(database: Database) {
    let world = World::on(database).await;
    let ports = &world.engine.ports;
    let key = secret(&world, "DEPLOY_KEY").await;
    assert_eq!(users_of(&world, key).await, []);
    for name in ["ledger", "<b>billing</b>"] {
        let wish = NewRepository {
            secret_id: Some(key),
            ..new(name, &format!("https://git.example/a/{}", name.len()))
        };
        make(&world, wish).await;
    }
    let of = |name: &str| (SecretUserKind::Repository, name.to_owned());
    assert_eq!(users_of(&world, key).await, [of("<b>billing</b>"), of("ledger")]);
    assert!(ports.secrets.users(&world.ana, SecretId(999)).await.is_err());

    let wish = NewHook {
        name: "push".into(),
        provider: Provider::GitHub,
        signing: None,
        secret: None,
    };
    let hook = ports.hooks.create(&world.ana, wish).await.unwrap();
    let all = ports.secrets.list(&world.ana).await.unwrap();
    let first = all.iter().find(|s| s.name.starts_with("HOOK_")).unwrap().id;
    assert_eq!(users_of(&world, first).await, [(SecretUserKind::Hook, "push".into())]);
    let another = PutHook {
        version: hook.version,
        fresh_secret: true,
        ..PutHook::default()
    };
    let hook = ports.hooks.save(&world.ana, hook.id, another).await.unwrap();
    assert_eq!(
        users_of(&world, first).await,
        [(SecretUserKind::Rotating, "push".into())]
    );
    let forget = PutHook {
        version: hook.version,
        forget_old: true,
        ..PutHook::default()
    };
    ports.hooks.save(&world.ana, hook.id, forget).await.unwrap();
    assert!(ports.secrets.users(&world.ana, first).await.is_err(), "it is gone");
}

async fn a_repository_knows_its_triggers_plans_and_hooks(database: Database) {
    let world = World::on(database).await;
    let ports = &world.engine.ports;
    let repository = make(&world, new("ledger", "https://git.example/money/ledger.git")).await;
    let other = make(&world, new("other", "https://git.example/money/other.git")).await;
    let plan = async |name: &str, git: &str| {
        let source = match git {
            "" => String::new(),
            git => format!("source: {{ git: '{git}' }}\n"),
        };
        world
            .plan(&format!("name: {name}\n{source}steps: [{{run: 'true'}}]\n"))
            .await
    };
    let app = plan("app", "git@git.example:money/ledger").await;
    let none = plan("none", "").await;
    plan("elsewhere", "https://git.example/money/else.git").await;
    trigger(
        &world,
        "named",
        Kind::Poll,
        none,
        json!({ "repository_id": repository.id }),
    )
    .await;
    trigger(
        &world,
        "by-url",
        Kind::Poll,
        none,
        json!({ "git": "https://GIT.example/money/ledger" }),
    )
    .await;
    trigger(&world, "nightly", Kind::Cron, app, json!({ "cron": "0 3 * * *" })).await;
    trigger(&world, "push", Kind::Webhook, app, json!({ "provider": "github" })).await;
    trigger(&world, "strange", Kind::Webhook, none, json!({ "provider": "github" })).await;
    let found = ports.repositories.users(&world.ana, Some(repository.id)).await.unwrap();
    let told: Vec<_> = found.iter().map(|u| (u.kind, u.name.as_str(), u.named)).collect();
    assert_eq!(
        told,
        [
            (RepositoryUserKind::Trigger, "by-url", false),
            (RepositoryUserKind::Trigger, "named", true),
            (RepositoryUserKind::Plan, "app", false),
            (RepositoryUserKind::Hook, "push", false),
        ]
    );
    assert_eq!(found[2].id, app.0);
    let all: Vec<RepositoryUser> = ports.repositories.users(&world.ana, None).await.unwrap();
    assert_eq!(all, found, "nothing has to do with {}", other.id);
    assert!(
        ports
            .repositories
            .users(&world.ana, Some(RepositoryId(999)))
            .await
            .is_err()
    );
    let hook = ports.hooks.list(&world.ana).await.unwrap().pop().unwrap();
    let heard: Vec<_> = hook
        .listeners
        .iter()
        .map(|l| (l.name.as_str(), l.enabled, l.plan.as_str()))
        .collect();
    assert_eq!(heard, [("push", false, "app")]);
    assert_eq!(hook.triggers, [hook.listeners[0].id]);
}

async fn what_opens_a_repository_is_set_anew_in_its_place_or_beside_what_others_use(database: Database) {
    let world = World::on(database).await;
    let ports = &world.engine.ports;
    let save = async |r: &RepositoryView, value: &str| {
        let wish = PutRepository {
            version: r.version,
            secret: Some(SecretValue(value.into())),
            ..PutRepository::default()
        };
        ports.repositories.save(&world.ana, r.id, wish).await
    };
    let bare = make(&world, new("ledger", "https://git.example/a/b")).await;
    let first = save(&bare, "one").await.unwrap();
    let made = ports.secrets.get(&world.ana, first.secret_id.unwrap()).await.unwrap();
    assert_eq!((made.name.as_str(), made.version), ("REPOSITORY_LEDGER", 1));
    // It alone uses it: set anew.
    let second = save(&first, "two").await.unwrap();
    assert_eq!(second.secret_id, first.secret_id);
    assert_eq!(ports.secrets.get(&world.ana, made.id).await.unwrap().version, 2);
    // Somebody else uses it too: theirs stays, and the name is in use.
    let wish = NewRepository {
        secret_id: Some(made.id),
        ..new("billing", "https://git.example/a/c")
    };
    make(&world, wish).await;
    let third = save(&second, "three").await.unwrap();
    assert_ne!(third.secret_id, second.secret_id);
    let other = ports.secrets.get(&world.ana, third.secret_id.unwrap()).await.unwrap();
    assert!(other.name.starts_with("REPOSITORY_LEDGER_"), "{}", other.name);
    assert_eq!(ports.secrets.get(&world.ana, made.id).await.unwrap().version, 2);
    // What is refused changes no secret.
    assert!(save(&second, "late").await.is_err(), "a stale version");
    assert!(save(&third, "").await.is_err(), "no value");
    assert_eq!(ports.secrets.get(&world.ana, other.id).await.unwrap().version, 1);
    assert_eq!(ports.secrets.list(&world.ana).await.unwrap().len(), 2);
}

async fn since_when_a_repository_is_as_it_is_outlasts_looks_that_find_the_same(database: Database) {
    let world = World::on(database).await;
    let ports = &world.engine.ports;
    let made = make(&world, new("none", "/nowhere/at/all.git")).await;
    assert_eq!((made.since, made.asked_at), (None, None));
    for at in [0, 60_000] {
        world.clock.advance(at);
        assert_eq!(
            ports.repositories.test(&world.ana, made.id).await.unwrap().health,
            Health::Missing
        );
        let now = ports.repositories.get(&world.ana, made.id).await.unwrap();
        assert_eq!(
            (now.since, now.asked_at),
            (Some(Timestamp(NOW)), Some(Timestamp(NOW + at)))
        );
    }
    let heard = engine::store::Store::events_since(&world.engine.store, None, 0, 100)
        .await
        .unwrap();
    let changes = heard.iter().filter(|e| e.kind == "repository.health").count();
    assert_eq!(changes, 1, "news only of what has changed");
}
