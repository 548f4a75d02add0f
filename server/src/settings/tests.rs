//! Which source wins, and what is refused.

use super::*;

fn resolve(toml: &str, env: &[(&str, &str)], serve: ServeFlags) -> anyhow::Result<Settings> {
    let dir = tempfile::tempdir().expect("a folder");
    let config = dir.path().join("c.toml");
    std::fs::write(&config, toml).expect("writes");
    let global = GlobalFlags {
        data: None,
        config: Some(config),
    };
    let env = |name: &str| env.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
    Settings::resolve(&global, &serve, &env)
}

#[test]
fn flags_beat_environment_beats_file_beats_default() {
    let flag = || ServeFlags {
        listen: Some("127.0.0.1:1".into()),
        ..ServeFlags::default()
    };
    let env = [("CARACAL_LISTEN", "127.0.0.1:2")];
    let toml = "listen = \"127.0.0.1:3\"";
    let none = ServeFlags::default;
    for (got, port) in [
        (resolve(toml, &env, flag()), 1),
        (resolve(toml, &env, none()), 2),
        (resolve(toml, &[], none()), 3),
        (resolve("", &[], none()), 7420),
    ] {
        assert_eq!(got.expect("resolves").listen.port(), port);
    }
}

#[test]
fn local_sources_are_on_only_on_loopback() {
    let listen = |addr: &str| ServeFlags {
        listen: Some(addr.into()),
        ..ServeFlags::default()
    };
    for (addr, toml, want) in [
        ("127.0.0.1:0", "", true),
        ("[::1]:0", "", true),
        ("0.0.0.0:0", "", false),
        ("0.0.0.0:0", "allow_local_sources = true", true),
        ("127.0.0.1:0", "allow_local_sources = false", false),
    ] {
        assert_eq!(
            resolve(toml, &[], listen(addr)).expect("resolves").allow_local_sources,
            want,
            "{addr} {toml}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    for (toml, want) in [
        ("listen = \"here\"", "is `here`, which is not an address with a port"),
        ("executor = \"podman\"", "`podman` is not an executor"),
        ("slots = 0", "not a number from 1 to 1000"),
        ("slots = \"many\"", "`slots` in"),
        (
            "public_url = \"ci.example.org\"",
            "is not an address as https://ci.example.org",
        ),
        ("public_url = \"https://ci.example.org/path\"", "without a path"),
        (
            "trusted_proxies = \"10.0.0.1, proxy\"",
            "`proxy`, which is not an address",
        ),
        (
            "allow_addresses = [\"10.0.0.0/8\", \"gitlab\"]",
            "`gitlab`, which is not an address or a range",
        ),
        ("allow_addresses = \"10.0.0.0/64\"", "`10.0.0.0/64`"),
        ("no_agent = \"perhaps\"", "which is not true or false"),
        ("console_limit = \"1 GB\"", "which is not a size as 64MiB or 1GiB"),
        ("console_limit = 0", "which is not a size"),
        ("console_limit = \"99999999999TiB\"", "which is not a size"),
    ] {
        let e = format!("{:#}", resolve(toml, &[], ServeFlags::default()).expect_err(toml));
        assert!(e.contains(want), "{toml}: {e}");
    }
}

#[test]
fn addresses_are_allowed_one_by_one_or_in_ranges() {
    let toml = "allow_addresses = [\"10.4.0.0/16\", \"fd00::1\"]";
    for (env, want) in [
        (&[][..], &["10.4.0.0/16", "fd00::1"][..]),
        (
            &[("CARACAL_ALLOW_ADDRESSES", "192.168.1.7, ")][..],
            &["192.168.1.7"][..],
        ),
    ] {
        let got = resolve(toml, env, ServeFlags::default()).expect("resolves");
        let want: Vec<Range> = want.iter().map(|r| r.parse().expect("a range")).collect();
        assert_eq!(got.allow_addresses, want);
    }
    let none = resolve("", &[], ServeFlags::default()).expect("resolves");
    assert!(none.allow_addresses.is_empty());
}

#[test]
fn a_named_file_must_be_there() {
    let global = GlobalFlags {
        config: Some("/nowhere/c.toml".into()),
        data: None,
    };
    let e = Settings::resolve(&global, &ServeFlags::default(), &|_| None)
        .expect_err("absent")
        .to_string();
    assert_eq!(e, "the settings file /nowhere/c.toml cannot be read");
}

#[test]
fn the_public_address_follows_the_listener() {
    let s = resolve("", &[], ServeFlags::default()).expect("resolves");
    for (listening, want) in [
        ("127.0.0.1:7420", "http://127.0.0.1:7420"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:7420", "http://[::1]:7420"),
    ] {
        assert_eq!(s.public_url(listening.parse().expect("an address")), want);
    }
    let s = resolve("public_url = \"https://ci.example.org/\"", &[], ServeFlags::default()).expect("resolves");
    assert_eq!(s.public_url(([127, 0, 0, 1], 1).into()), "https://ci.example.org");
}

#[test]
fn an_agent_knows_its_server_by_the_same_ranks() {
    let none = GlobalFlags::default();
    let env = |name: &str| match name {
        "CARACAL_SERVER" => Some("https://ci.example.org".to_owned()),
        "CARACAL_LABELS" => Some("pool=slow".to_owned()),
        "CARACAL_TOKEN" => Some("agt_x\n".to_owned()),
        _ => None,
    };
    let flags = AgentFlags {
        labels: vec!["pool=fast".into(), "gpu=yes".into()],
        slots: Some("3".into()),
        ..AgentFlags::default()
    };
    let got = AgentSettings::resolve(&none, &flags, &env).expect("resolves");
    assert_eq!(got.server.url, "wss://ci.example.org/agent");
    assert_eq!((got.token.as_deref(), got.shared.slots), (Some("agt_x"), 3));
    assert_eq!(got.labels.len(), 2);
    assert_eq!(got.labels["pool"], "fast");
    for (flags, want) in [
        (
            AgentFlags {
                labels: vec!["fast".into()],
                ..flags.clone()
            },
            "is not a label",
        ),
        (
            AgentFlags {
                name: Some("a b".into()),
                ..flags.clone()
            },
            "cannot be an agent's name",
        ),
        (
            AgentFlags {
                server: Some("ci".into()),
                ..flags.clone()
            },
            "is no server address",
        ),
        (
            AgentFlags {
                slots: Some("0".into()),
                ..flags
            },
            "1 to 1000",
        ),
    ] {
        let e = format!(
            "{:#}",
            AgentSettings::resolve(&none, &flags, &env).expect_err("refused")
        );
        assert!(e.contains(want), "{e}");
    }
}

#[test]
fn the_limit_of_an_output_is_a_size() {
    for (toml, want) in [
        ("", 1 << 30),
        ("console_limit = 4096", 4_096),
        ("console_limit = \"64MiB\"", 64 << 20),
        ("console_limit = \"2 GiB\"", 2 << 30),
    ] {
        let s = resolve(toml, &[], ServeFlags::default()).expect("resolves");
        assert_eq!(s.console_limit, want, "{toml}");
    }
}
