//! Plans that are kept in their repository: read at the very revision that runs, and what is wrong told at its place.

use crate::support::{Database, Repository, World, on_both};
use domain::status::TaskStatus;
use domain::{PlanId, Problem};
use std::time::Duration;
use tokio::net::TcpListener;

on_both!(
    a_task_runs_the_file_of_its_own_revision,
    what_is_wrong_with_a_file_stands_on_the_task_at_its_place,
    a_file_that_is_none_is_said_in_a_sentence,
    a_remote_that_hangs_holds_up_nobody_and_a_restart_asks_again,
);

async fn plan(world: &World, url: &str) -> PlanId {
    let text = format!("name: kept\nsource: {{ git: \"{url}\", branch: main }}\nfile: .caracal.yml\n");
    world.plan(&text).await
}

async fn a_task_runs_the_file_of_its_own_revision(database: Database) {
    let world = World::on(database).await;
    let repository = Repository::new(&world);
    let one = repository.write(
        ".caracal.yml",
        "env: { WHO: one }\nsteps: [{name: only, run: make}]\n",
        "One",
    );
    let two = repository.write(
        ".caracal.yml",
        "name: kept\njobs:\n  build: { steps: [{run: make}] }\n  ship: { needs: build, steps: [{run: ./ship}] }\n",
        "Two",
    );
    let id = plan(&world, repository.url()).await;
    let mut agent = world.agent(2, &[]).await;

    let waits = world.run_at(id, &one).await;
    let old = agent.assignment().await;
    assert_eq!(
        (old.task, old.checkout.as_ref().unwrap().revision.as_str()),
        (waits.id, one.as_str())
    );
    let names: Vec<_> = old.steps.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["prepare", "checkout", "only"]);
    assert_eq!(
        (old.env["WHO"].as_str(), old.env["CARACAL_PLAN"].as_str()),
        ("one", "kept")
    );

    let head = world.run(id).await;
    let new = agent.assignment().await;
    assert_eq!(
        (new.task, new.checkout.as_ref().unwrap().revision.as_str()),
        (head.id, two.as_str())
    );
    let seen = world.task(head.id).await;
    let jobs: Vec<_> = seen.jobs.iter().map(|j| j.name.as_str()).collect();
    assert_eq!(
        (jobs, seen.revision.as_deref(), seen.branch.as_deref()),
        (vec!["build", "ship"], Some(two.as_str()), Some("main"))
    );
    let document = world.engine.ports.tasks.document(&world.ana, waits.id).await.unwrap();
    assert_eq!(
        (document.path.as_deref(), document.revision.as_deref()),
        (Some(".caracal.yml"), Some(one.as_str()))
    );
    assert!(document.text.unwrap().contains("WHO: one") && document.problems.is_empty());

    // What has run is run again from its own snapshot, not from what the file says now.
    repository.write(".caracal.yml", "steps: [{run: something else}]\n", "Three");
    let again = world
        .engine
        .ports
        .tasks
        .rerun(&world.ana, waits.id, false)
        .await
        .unwrap();
    assert_eq!(again.jobs[0].steps[0].name, "only");
    world.nothing_is_stuck().await;
}

fn places(problems: &[Problem]) -> Vec<(&str, Option<u32>, Option<u32>)> {
    problems.iter().map(|p| (p.path.as_str(), p.line, p.column)).collect()
}

async fn what_is_wrong_with_a_file_stands_on_the_task_at_its_place(database: Database) {
    let world = World::on(database).await;
    let repository = Repository::new(&world);
    let text = "source: { git: /etc }\nsteps:\n  - rn: make\n  - name: none\n";
    let bad = repository.write(".caracal.yml", text, "Bad");
    let id = plan(&world, repository.url()).await;
    let task = world.run(id).await;
    let failed = world.until(task.id, TaskStatus::Failed).await;
    let reason = failed.reason.unwrap();
    let begins = format!(
        "`.caracal.yml` at {} is no plan: line 1, column 1: `source` belongs",
        &bad[..12]
    );
    assert!(
        reason.starts_with(&begins) && reason.ends_with("wrong with it."),
        "{reason}"
    );
    assert_eq!((failed.jobs.len(), failed.revision.as_deref()), (0, Some(bad.as_str())));
    let document = world.engine.ports.tasks.document(&world.ana, task.id).await.unwrap();
    assert_eq!(
        (document.text.as_deref(), document.revision.as_deref()),
        (Some(text), Some(bad.as_str()))
    );
    let places = places(&document.problems);
    assert!(places.contains(&("source", Some(1), Some(1))), "{places:?}");
    assert!(
        places.iter().any(|p| p.1 == Some(3)) && places.iter().any(|p| p.1 == Some(4)),
        "{places:?}"
    );

    // It is as wrong when it is run again; the next commit is right.
    let again = world
        .engine
        .ports
        .tasks
        .rerun(&world.ana, task.id, false)
        .await
        .unwrap();
    world.until(again.id, TaskStatus::Failed).await;
    repository.write(".caracal.yml", "steps: [{run: make}]\n", "Good");
    let mut agent = world.agent(1, &[]).await;
    let good = world.run(id).await;
    assert_eq!(agent.assignment().await.task, good.id);
    world.nothing_is_stuck().await;
}

async fn a_file_that_is_none_is_said_in_a_sentence(database: Database) {
    let world = World::on(database).await;
    let repository = Repository::new(&world);
    let id = plan(&world, repository.url()).await;
    let why = async || {
        let task = world.run(id).await;
        world.until(task.id, TaskStatus::Failed).await.reason.unwrap()
    };
    let said = why().await;
    assert!(
        said.starts_with("There is no file `.caracal.yml` at ") && said.contains("Commit one"),
        "{said}"
    );
    repository.git(&["config", "core.symlinks", "true"]);
    std::os::unix::fs::symlink("/etc/passwd", format!("{}/.caracal.yml", repository.url())).unwrap();
    repository.commit("README", "A link");
    let said = why().await;
    assert!(said.contains("a symbolic link, which is not followed"), "{said}");
    std::fs::remove_file(format!("{}/.caracal.yml", repository.url())).unwrap();
    repository.write(".caracal.yml", [0xff, 0xfe, 0x00], "No text");
    assert!(why().await.contains("is no text"));
    repository.write(".caracal.yml", "# ".repeat(200_000), "Large");
    let said = why().await;
    assert!(said.contains("at most 262144 are taken"), "{said}");
    repository.write(".caracal.yml", "# ".repeat(900_000), "Larger");
    let said = why().await;
    assert!(said.contains("larger than 1024 KiB"), "{said}");
    world.nothing_is_stuck().await;
}

async fn a_remote_that_hangs_holds_up_nobody_and_a_restart_asks_again(database: Database) {
    let mut world = World::on(database).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}/app.git", listener.local_addr().unwrap());
    let text = format!("name: hangs\nsource: {{ git: \"{at}\" }}\nfile: .caracal.yml\n");
    let hangs = world.plan(&text).await;
    let mut stuck = Vec::new();
    for _ in 0..20 {
        stuck.push(world.run(hangs).await.id);
    }
    // It is asked, and says nothing: the fault is there.
    let heard = async || {
        tokio::time::timeout(Duration::from_secs(20), listener.accept())
            .await
            .unwrap()
            .unwrap()
    };
    let first = heard().await;
    let waits = world.task(stuck[0]).await;
    assert_eq!(waits.status, TaskStatus::Pending);
    assert_eq!(
        waits.reason.as_deref(),
        Some("The plan is being read from `.caracal.yml` of its repository.")
    );
    assert_eq!(waits.jobs.len(), 0);

    let repository = Repository::new(&world);
    repository.write(".caracal.yml", "steps: [{run: make}]\n", "Good");
    let id = plan(&world, repository.url()).await;
    let mut agent = world.agent(1, &[]).await;
    let good = world.run(id).await;
    assert_eq!(agent.assignment().await.task, good.id);

    let ended = world.engine.ports.tasks.abort(&world.ana, stuck[0]).await.unwrap();
    assert_eq!(ended.status, TaskStatus::Aborted);
    world = world.restart().await;
    let second = heard().await;
    assert_eq!(world.task(stuck[1]).await.status, TaskStatus::Pending);
    world.nothing_is_stuck().await;
    // Both hung to the end: a connection that breaks is an answer.
    drop((first, second));
}
