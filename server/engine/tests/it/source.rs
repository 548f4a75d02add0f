//! Exact commits: found off the path, shared, and a source that cannot be read fails the task at once.

use crate::support::{Database, Repository, World, on_both};
use domain::status::TaskStatus;

on_both!(
    the_head_of_a_branch_becomes_the_tasks_commit,
    a_source_that_cannot_be_read_fails_the_task_with_one_sentence,
);

async fn the_head_of_a_branch_becomes_the_tasks_commit(database: Database) {
    let w = World::on(database).await;
    let repo = Repository::new(&w);
    let head = repo.git(&["rev-parse", "HEAD"]);
    let plan = w
        .plan(&format!(
            "name: s\nsource: {{git: {}, branch: main}}\nsteps: [{{run: x}}]\n",
            repo.url()
        ))
        .await;
    let mut agent = w.agent(1, &[]).await;
    let task = w.run(plan).await;
    let a = agent.assignment().await;
    assert_eq!(a.checkout.as_ref().unwrap().revision, head);
    assert_eq!(a.env["CARACAL_REVISION"], head);
    assert_eq!(a.steps[1].name, "checkout");
    let seen = w.task(task.id).await;
    assert_eq!(seen.revision.as_deref(), Some(head.as_str()));
    assert_eq!(seen.branch.as_deref(), Some("main"));
}

async fn a_source_that_cannot_be_read_fails_the_task_with_one_sentence(database: Database) {
    let w = World::on(database).await;
    let gone = w.dir.path().join("no-such-repository");
    let plan = w
        .plan(&format!(
            "name: s\nsource: {{git: {}}}\nsteps: [{{run: x}}]\n",
            gone.display()
        ))
        .await;
    let task = w.run(plan).await;
    let failed = w.until(task.id, TaskStatus::Failed).await;
    let reason = failed.reason.unwrap();
    assert!(reason.ends_with('.') && reason.len() < 300, "{reason}");
}
