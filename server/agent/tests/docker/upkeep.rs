//! Images, names, sweeping, and engines that go away.

use super::*;
use std::time::Duration;

#[tokio::test]
async fn an_image_that_cannot_be_had_is_named_with_the_reason() {
    let Some(engine) = engine() else { return };
    let (executor, mut room) = (engine.executor("image"), room());
    for (image, said) in [
        ("not an image", "\"not an image\" is not the name of an image."),
        // No registry answers at the discard port; the words after ours are the engine's.
        (
            "127.0.0.1:9/nosuch:1",
            "The image 127.0.0.1:9/nosuch:1 could not be pulled: ",
        ),
        ("UPPER", "The image UPPER "),
    ] {
        room.spec.image = Some(image.into());
        let heard = Said::default();
        let Err(e) = executor.open(room.spec.clone(), &heard).await else {
            panic!("{image} was opened")
        };
        let e = e.to_string();
        assert!(e.starts_with(said) && e.ends_with('.') && !e.contains('\n'), "{e}");
    }
    done(&engine, "image", &executor, &[]).await;
}

#[tokio::test]
async fn what_containers_wrote_can_be_given_to_the_agents_user() {
    let Some(engine) = engine() else { return };
    let (executor, room) = (engine.executor("give"), room());
    let session = open(&executor, &room).await;
    assert_eq!(
        ends(&*session, run("mkdir -p a/b; echo x > a/b/c; ln -s /etc/passwd a/link")).await,
        Exit::Exited(0)
    );
    assert_eq!(fs::metadata(room.file("a/b/c")).unwrap().uid(), 0);
    executor.give(&room.spec.workspace, 4242, 4243).await.unwrap();
    for file in ["a", "a/b/c", "a/link"] {
        let meta = fs::symlink_metadata(room.file(file)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4242, 4243), "{file}");
    }
    assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0);
    done(&engine, "give", &executor, &[&*session]).await;
}

#[tokio::test]
async fn a_start_sweeps_what_an_earlier_life_left_and_nothing_of_others() {
    let Some(engine) = engine() else { return };
    let api = engine.api().await;
    for name in ["sweep", "sweep-other"] {
        let labels = labels(name);
        let network = NetworkCreateRequest {
            name: format!("caracal-{name}-{}", std::process::id()),
            labels: Some(labels.clone()),
            ..NetworkCreateRequest::default()
        };
        let network = api.create_network(network).await.unwrap().id;
        let body = ContainerCreateBody {
            image: Some(IMAGE.into()),
            cmd: Some(vec!["sleep".into(), "1000".into()]),
            labels: Some(labels),
            host_config: Some(bollard::models::HostConfig {
                network_mode: Some(network),
                ..Default::default()
            }),
            ..ContainerCreateBody::default()
        };
        let id = api.create_container(None, body).await.unwrap().id;
        api.start_container(&id, None).await.unwrap();
    }
    let other = engine.executor("sweep-other");
    assert_eq!(engine.executor("sweep").sweep(&[]).await, Ok(2));
    assert_eq!(engine.left("sweep").await, Vec::<String>::new());
    assert_eq!(engine.left("sweep-other").await.len(), 2);
    assert_eq!(other.sweep(&[]).await, Ok(2));
}

/// An engine that was killed may believe for ever that a container is in a network.
#[tokio::test]
async fn a_network_that_something_is_said_to_be_in_is_swept_too() {
    let Some(engine) = engine() else { return };
    let api = engine.api().await;
    let network = NetworkCreateRequest {
        name: format!("caracal-held-{}", std::process::id()),
        labels: Some(labels("held")),
        ..NetworkCreateRequest::default()
    };
    let network = api.create_network(network).await.unwrap().id;
    let body = ContainerCreateBody {
        image: Some(IMAGE.into()),
        cmd: Some(vec!["sleep".into(), "1000".into()]),
        host_config: Some(bollard::models::HostConfig {
            network_mode: Some(network.clone()),
            ..Default::default()
        }),
        ..ContainerCreateBody::default()
    };
    let strange = api.create_container(None, body).await.unwrap().id;
    api.start_container(&strange, None).await.unwrap();
    assert!(api.remove_network(&network).await.is_err(), "the engine keeps it");
    assert_eq!(engine.executor("held").sweep(&[]).await, Ok(1));
    assert_eq!(engine.left("held").await, Vec::<String>::new());
    assert!(api.inspect_container(&strange, None).await.is_ok(), "it is not ours");
    let force = bollard::query_parameters::RemoveContainerOptionsBuilder::default()
        .force(true)
        .build();
    api.remove_container(&strange, Some(force)).await.unwrap();
}

/// What an agent asked for in its last instant may come up when the next one has looked already.
#[tokio::test]
async fn what_comes_up_after_the_sweep_is_swept_later_and_nothing_that_is_in_use() {
    let Some(engine) = engine() else { return };
    let (executor, room) = (engine.executor("later"), room());
    let session = open(&executor, &room).await;
    session
        .start(run("until [ -e go ]; do sleep 0.01; done"))
        .await
        .unwrap();
    let api = engine.api().await;
    let body = ContainerCreateBody {
        image: Some(IMAGE.into()),
        cmd: Some(vec!["true".into()]),
        labels: Some(labels("later")),
        ..ContainerCreateBody::default()
    };
    let late = api.create_container(None, body).await.unwrap().id;
    let gone = async {
        while api.inspect_container(&late, None).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone)
        .await
        .expect("it stays");
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(0)));
    done(&engine, "later", &executor, &[&*session]).await;
}

fn labels(name: &str) -> HashMap<String, String> {
    HashMap::from([
        ("caracal.server".to_owned(), owner(name).server),
        ("caracal.agent".to_owned(), "1".to_owned()),
    ])
}

#[tokio::test]
async fn a_name_that_another_server_holds_does_not_stop_a_step() {
    let Some(engine) = engine() else { return };
    let room = room();
    let (mine, theirs) = (engine.executor("name"), engine.executor("name-other"));
    let (a, b) = (open(&mine, &room).await, open(&theirs, &room).await);
    a.start(run("echo up > up; until [ -e go ]; do sleep 0.01; done"))
        .await
        .unwrap();
    room.until(&*a, "up").await;
    assert_eq!(ends(&*b, run("echo > go")).await, Exit::Exited(0));
    assert_eq!(a.wait().await, Ok(Exit::Exited(0)));
    done(&engine, "name", &mine, &[&*a]).await;
    done(&engine, "name-other", &theirs, &[&*b]).await;
}

#[tokio::test]
async fn an_engine_that_takes_a_step_with_it_is_told_and_swept_when_it_is_back() {
    let Some(engine) = own_engine("gone") else { return };
    let (executor, room) = (engine.attached("gone"), room());
    assert_eq!(executor.ready().await, Ok(()));
    let session = open(&executor, &room).await;
    session
        .start(run("echo before; echo up > up; while :; do sleep 0.01; done"))
        .await
        .unwrap();
    room.until(&*session, "up").await;
    engine.verb("kill");
    assert!(matches!(executor.ready().await, Err(ExecError::EngineGone(_))));
    engine.verb("daemon");
    let Err(ExecError::EngineGone(said)) = session.wait().await else {
        panic!("the step's own exit counted")
    };
    assert!(said.contains("Docker was restarted without live-restore"), "{said}");
    assert_eq!(room.out(), "before\n");
    assert_eq!(executor.ready().await, Ok(()));
    session.close().await;
    let next = open(&executor, &room).await;
    assert_eq!(ends(&*next, run("echo after")).await, Exit::Exited(0));
    done(&engine, "gone", &executor, &[&*session, &*next]).await;
}

#[tokio::test]
async fn what_an_earlier_life_left_goes_too_when_the_engine_is_back_later_than_the_agent() {
    let Some(engine) = own_engine("late") else { return };
    let (first, room) = (engine.executor("late"), room());
    drop((open(&first, &room).await, first));
    let left = engine.homes("late");
    assert_eq!(left.len(), 1, "{left:?}");

    engine.verb("kill");
    let executor = engine.executor("late");
    assert!(matches!(executor.sweep(&[]).await, Err(ExecError::EngineGone(_))));
    engine.verb("daemon");
    let session = open(&executor, &room).await;
    let now = engine.homes("late");
    assert!(now.len() == 1 && now != left, "{left:?}, then {now:?}");
    done(&engine, "late", &executor, &[&*session]).await;
}

#[tokio::test]
async fn an_absent_image_is_pulled_once_with_a_few_lines_and_an_unknown_one_is_refused() {
    let Some(engine) = own_engine("pull") else { return };
    let (executor, mut room) = (engine.executor("pull"), room());
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("bin")).unwrap();
    fs::copy("/bin/busybox", root.path().join("bin/sh")).unwrap();
    let tar = std::process::Command::new("tar")
        .arg("-C")
        .arg(root.path())
        .args(["-c", "."])
        .output()
        .unwrap();
    let registry = registry::serve(&engine, tar.stdout);
    let image = format!("{registry}/app:1");
    room.spec.image = Some(image.clone());
    let said = Said::default();
    let session = executor.open(room.spec.clone(), &said).await.unwrap();
    assert_eq!(ends(&*session, run("echo pulled")).await, Exit::Exited(0));
    assert_eq!(room.out(), "pulled\n");
    let said = said.0.into_inner().unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines.len() < 15, "{said}");
    assert_eq!(lines.first().copied(), Some(format!("Pulling {image}").as_str()));
    assert_eq!(lines.last().copied(), Some(format!("Pulled {image}").as_str()));
    assert!(
        said.contains("  layer 1 of 1\n") && said.contains("Digest: sha256:"),
        "{said}"
    );

    let again = Said::default();
    let second = executor.open(room.spec.clone(), &again).await.unwrap();
    assert_eq!(
        again.0.into_inner().unwrap(),
        "",
        "an image that is there is not pulled"
    );
    for unknown in [format!("{registry}/app:none"), format!("{registry}/nosuch")] {
        room.spec.image = Some(unknown.clone());
        let Err(ExecError::Refused(why)) = executor.open(room.spec.clone(), &Said::default()).await else {
            panic!("{unknown} was opened")
        };
        assert_eq!(why, format!("The image {unknown} was not found: manifest unknown."));
    }
    done(&engine, "pull", &executor, &[&*session, &*second]).await;
}
