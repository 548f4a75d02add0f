//! What a container may do, and what it may use.

use super::*;

#[tokio::test]
async fn a_container_has_the_rights_and_limits_it_should_and_no_more() {
    let Some(engine) = engine() else { return };
    let (executor, mut room) = (engine.executor("rights"), room());
    room.spec.slot = 3;
    room.spec.limits = Limits {
        cpu_milli: Some(500),
        memory: Some(64 << 20),
    };
    let session = open(&executor, &room).await;
    let script = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr '\\t' ' '; \
                  ls /var/run/docker.sock /run/docker.sock 2>/dev/null || true; mount -t tmpfs none /tmp 2>/dev/null && echo mounted; \
                  echo up > up; until [ -e go ]; do sleep 0.01; done";
    session.start(run(script)).await.unwrap();
    room.until(&*session, "up").await;
    let name = format!("caracal-41-7-{}", room.spec.number);
    let api = engine.api().await;
    let found = api.inspect_container(&name, None).await.unwrap();
    fs::write(room.file("go"), "").unwrap();
    assert_eq!(session.wait().await, Ok(Exit::Exited(0)));
    let out = room.out();
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "CapBnd: 00000000000000fb",
            "CapEff: 00000000000000fb",
            "NoNewPrivs: 1",
            "Seccomp: 2"
        ]
    );

    let host = found.host_config.unwrap();
    assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
    assert_eq!((host.nano_cpus, host.pids_limit), (Some(500_000_000), Some(512)));
    assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("none"));
    assert_eq!(
        (host.privileged, host.pid_mode.as_deref(), host.userns_mode.as_deref()),
        (Some(false), Some(""), Some(""))
    );
    let mut mounts: Vec<_> = found
        .mounts
        .unwrap()
        .into_iter()
        .map(|m| (m.destination.unwrap(), m.source.unwrap(), m.rw.unwrap()))
        .collect();
    mounts.sort();
    let workspace = room.spec.workspace.to_string_lossy().into_owned();
    assert_eq!((mounts[0].0.as_str(), mounts[0].2), ("/.caracal", false));
    assert!(mounts[0].1.ends_with("/door"), "{mounts:?}");
    assert_eq!(mounts[1..], [("/workspace".to_owned(), workspace, true)]);
    let config = found.config.unwrap();
    assert!(
        !format!("{:?}", config.env).contains("GREETING"),
        "the engine is told nothing of a job's environment"
    );
    let labels = config.labels.unwrap();
    let of = owner("rights");
    for (label, value) in [
        ("caracal.server", of.server.as_str()),
        ("caracal.agent", "1"),
        ("caracal.slot", "3"),
    ] {
        assert_eq!(labels.get(label).map(String::as_str), Some(value));
    }
    let networks = found.network_settings.unwrap().networks.unwrap();
    assert!(
        networks.len() == 1 && !networks.contains_key("bridge") && !networks.contains_key("host"),
        "{networks:?}"
    );
    done(&engine, "rights", &executor, &[&*session]).await;
}

#[tokio::test]
async fn jobs_of_two_slots_do_not_share_a_network_and_jobs_of_one_slot_do() {
    let Some(engine) = engine() else { return };
    let executor = engine.executor("network");
    let (mut first, mut second) = (room(), room());
    (first.spec.slot, second.spec.slot) = (0, 1);
    let address = "ip -4 -o addr show dev eth0 | awk '{print $4}'";
    let (a, b) = (open(&executor, &first).await, open(&executor, &second).await);
    assert_eq!(ends(&*a, run(address)).await, Exit::Exited(0));
    assert_eq!(ends(&*b, run(address)).await, Exit::Exited(0));
    assert_ne!(
        first.out().rsplit_once('.').map(|x| x.0.to_owned()),
        second.out().rsplit_once('.').map(|x| x.0.to_owned())
    );
    let again = open(&executor, &second).await;
    assert_eq!(executor.sweep(&[]).await, Ok(0), "what is in use is not swept");
    assert_eq!(ends(&*again, run(address)).await, Exit::Exited(0));
    let all = second.out();
    let nets: Vec<_> = all.lines().map(|l| l.rsplit_once('.').unwrap().0).collect();
    assert_eq!(nets[0], nets[1]);
    done(&engine, "network", &executor, &[&*a, &*b, &*again]).await;
}

#[tokio::test]
async fn a_step_out_of_memory_says_so_with_its_limit() {
    let Some(engine) = engine() else { return };
    let (executor, mut room) = (engine.executor("memory"), room());
    room.spec.limits.memory = Some(32 << 20);
    let session = open(&executor, &room).await;
    let greedy = "awk 'BEGIN { s = \"x\"; while (1) s = s s }'";
    let said = Exit::Failed("The step ran out of memory: its limit is 32 MiB.".into());
    assert_eq!(ends(&*session, run(greedy)).await, said);
    assert_eq!(
        ends(&*session, run("exit 5")).await,
        Exit::Exited(5),
        "the next step is not blamed"
    );
    done(&engine, "memory", &executor, &[&*session]).await;
}

#[tokio::test]
async fn an_image_with_a_user_of_its_own_can_write_in_the_workspace() {
    let Some(engine) = engine() else { return };
    let (executor, mut room) = (engine.executor("user"), room());
    fs::create_dir(room.file("dir")).unwrap();
    fs::write(room.file("dir/file"), "x").unwrap();
    let api = engine.api().await;
    let name = format!("caracal-commit-{}", room.spec.number);
    let options = query::CreateContainerOptionsBuilder::default().name(&name).build();
    let body = ContainerCreateBody {
        image: Some(IMAGE.into()),
        cmd: Some(vec!["true".into()]),
        ..ContainerCreateBody::default()
    };
    api.create_container(Some(options), body).await.unwrap();
    let commit = query::CommitContainerOptionsBuilder::default()
        .container(&name)
        .repo("caracal-user")
        .tag("1")
        .build();
    let config = ContainerConfig {
        user: Some("tester".into()),
        ..ContainerConfig::default()
    };
    api.commit_container(commit, config).await.unwrap();
    api.remove_container(&name, None).await.unwrap();
    room.spec.image = Some("caracal-user:1".into());
    let session = open(&executor, &room).await;
    let script = "id -un; echo y >> dir/file; echo z > new; grep CapEff /proc/self/status | tr '\\t' ' '";
    assert_eq!(ends(&*session, run(script)).await, Exit::Exited(0), "{}", room.err());
    assert_eq!(room.out(), "tester\nCapEff: 0000000000000000\n");
    assert_eq!(fs::metadata(room.file("new")).unwrap().uid(), 1000);
    done(&engine, "user", &executor, &[&*session]).await;
}

#[tokio::test]
async fn a_step_that_runs_wild_harms_neither_the_next_one_nor_its_neighbour() {
    let Some(engine) = engine() else { return };
    let (executor, mut wild, mut calm) = (engine.executor("wild"), room(), room());
    (wild.spec.slot, calm.spec.slot) = (0, 1);
    let (session, beside) = (open(&executor, &wild).await, open(&executor, &calm).await);
    let steady = "n=0; while ! [ -e go ]; do n=$((n+1)); echo $n > beat; sleep 0.01; done; exit 4";
    beside.start(run(steady)).await.unwrap();
    calm.until(&*beside, "beat").await;

    // Everything it can reach but itself: the container's first process is out of its reach.
    assert_eq!(
        ends(&*session, run("sleep 99 & kill -9 -1; exit 3")).await,
        Exit::Exited(3),
        "{}",
        wild.err()
    );
    // As many processes as it is given, each of which wants more, until a shell gives up.
    assert_eq!(ends(&*session, run("f() { f | f & f; }; f")).await, Exit::Exited(2));
    assert!(wild.err().contains("can't fork"), "{}", wild.err());
    let left = "set -- /proc/[0-9]*; echo $#";
    assert_eq!(ends(&*session, run(left)).await, Exit::Exited(0), "{}", wild.err());
    assert_eq!(wild.out(), "2\n", "the shim and this step are all there is");

    let beat = || fs::read_to_string(calm.file("beat")).unwrap();
    let before = beat();
    while beat() == before {
        tokio::task::yield_now().await;
    }
    fs::write(calm.file("go"), "").unwrap();
    assert_eq!(beside.wait().await, Ok(Exit::Exited(4)));
    done(&engine, "wild", &executor, &[&*session, &*beside]).await;
}
