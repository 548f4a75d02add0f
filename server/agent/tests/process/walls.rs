//! What a step sees of the machine, and as whom it runs.

use super::*;

#[tokio::test]
async fn a_step_sees_the_system_its_workspace_and_nothing_else() {
    if !available() {
        eprintln!("SKIPPED: this kernel has no Landlock, so steps are not confined and this is not tested");
        return;
    }
    let room = Room::new(10);
    fs::write(room.dir.path().join("secret"), "of another job").unwrap();
    let session = open(&room).await;
    assert!(!fs::read("/proc/self/environ").unwrap().is_empty());
    let hidden = room.dir.path().join("secret");
    for (script, allowed) in [
        (format!("cat {}", hidden.display()), false),
        (format!("ls {}", room.dir.path().display()), false),
        (format!("echo x > {}/new", room.dir.path().display()), false),
        ("echo x > /tmp/caracal-escape".into(), false),
        ("echo x > /etc/caracal-escape".into(), false),
        ("cat /root/.profile /home/*".into(), false),
        (format!("cat /proc/{}/environ", std::process::id()), false),
        ("cat /proc/$PPID/environ".into(), false),
        ("mknod $TMPDIR/disk b 254 0".into(), false),
        ("ln -s /tmp link && ls link/".into(), false),
        (
            "cat /etc/passwd && ls /usr /proc >/dev/null && echo x > \"$TMPDIR/x\" && mkdir a && mv \"$TMPDIR/x\" a/"
                .into(),
            true,
        ),
    ] {
        let exit = ends(&*session, run(&format!("( {script} ) >/dev/null 2>&1"))).await;
        assert_eq!(exit == Exit::Exited(0), allowed, "{script}: {exit:?}");
    }
    // The runner is out of the step's reach, so that the step cannot shake off what ends it.
    let exit = ends(&*session, run("kill -KILL $PPID || echo kept; echo on")).await;
    assert_eq!(exit, Exit::Exited(0));
    assert!(room.out().ends_with("kept\non\n"), "{}", room.out());
    session.close().await;
}

#[tokio::test]
async fn steps_run_as_the_configured_user_who_owns_the_workspace() {
    if fs::metadata("/proc/self")
        .map(|m| std::os::unix::fs::MetadataExt::uid(&m))
        .ok()
        != Some(0)
    {
        eprintln!("SKIPPED: only root can run steps as another user");
        return;
    }
    let room = Room::new(11);
    fs::create_dir(room.file("dir")).unwrap();
    let session = executor(&room, Some("4242:4243"))
        .open(room.spec.clone(), &Said::default())
        .await
        .unwrap();
    let script = "id -u; id -g; grep -E '^(Groups|NoNewPrivs|CapEff)' /proc/self/status; touch dir/mine $HOME/too";
    assert_eq!(ends(&*session, run(script)).await, Exit::Exited(0), "{}", room.err());
    let out = room.out();
    let words: Vec<_> = out.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "4242",
            "4243",
            "Groups:",
            "CapEff:",
            "0000000000000000",
            "NoNewPrivs:",
            "1"
        ]
    );
    session.close().await;

    let said = executor(&room, Some("no-such-user"))
        .open(room.spec.clone(), &Said::default())
        .await;
    assert!(said.err().unwrap().to_string().contains("no-such-user"));
    fs::set_permissions(room.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let said = executor(&room, Some("4242:4243"))
        .open(room.spec.clone(), &Said::default())
        .await;
    assert!(said.err().unwrap().to_string().contains("chmod o+x"));
}
