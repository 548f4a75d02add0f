use super::*;
use serde_json::json;

const SHA: &str = "4e81b02a77d94e81b02a77d94e81b02a77d94e81";

fn push(branch: &str) -> Event {
    Event {
        kind: "push".into(),
        branch: Some(branch.into()),
        revision: Some(SHA.into()),
        repository: Some("money/ledger".into()),
        message: Some("Export the ledger".into()),
        paths: vec!["a/b.rs".into()],
        payload: json!({ "pusher": { "login": "mei" }, "n": 3 }),
        ..Event::default()
    }
}

fn with<'a>(rules: &'a [String], parameters: &'a BTreeMap<String, String>) -> Wanted<'a> {
    Wanted {
        rules,
        parameters,
        branch: None,
        revision: None,
        ignore_skip: false,
        source: Some("https://git.example/Money/ledger.git"),
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn all_rules_are_asked_and_the_first_that_is_false_is_the_reason() {
    let rules = texts(&["event == push", "branch == release/*", "path == b/**"]);
    let none = BTreeMap::new();
    let (decision, evaluation) = decide(&with(&rules, &none), &push("feature/x"));
    let why = "Nothing was started, because branch `feature/x` does not match `release/*`.";
    assert_eq!(decision, Decision::Nothing(why.into()));
    let held: Vec<bool> = evaluation.rules.iter().map(|r| r.holds).collect();
    assert_eq!(held, [true, false, false]);
    assert_eq!(evaluation.rules[1].found, ["feature/x"]);
}

#[test]
fn commit_and_branch_are_the_events_where_the_plan_is_of_that_repository() {
    let (rules, none) = (texts(&["branch == main"]), BTreeMap::new());
    let start = |source, branch| {
        let wanted = Wanted {
            source,
            branch,
            ..with(&rules, &none)
        };
        match decide(&wanted, &push("main")).0 {
            Decision::Start(start) => (start.branch, start.revision),
            other => panic!("{other:?}"),
        }
    };
    let main = Some("main".to_owned());
    assert_eq!(
        start(Some("https://git.example/Money/ledger.git"), None),
        (main.clone(), Some(SHA.into()))
    );
    assert_eq!(
        start(Some("git@git.example:money/ledger"), None),
        (main, Some(SHA.into()))
    );
    assert_eq!(start(Some("https://git.example/xmoney/ledger.git"), None), (None, None));
    assert_eq!(start(None, None), (None, None));
    // A branch of the trigger's own has its own head.
    let own = start(Some("https://git.example/money/ledger.git"), Some("prod"));
    assert_eq!(own, (Some("prod".into()), None));
}

#[test]
fn what_is_set_comes_from_the_event_or_is_told() {
    let rules = vec![];
    let set = |text: &str| BTreeMap::from([("level".to_owned(), text.to_owned())]);
    for (text, want) in [
        ("full", Ok("full")),
        ("${{ branch }}-${{payload.n}}", Ok("main-3")),
        ("${{ payload.pusher.login }}", Ok("mei")),
        ("${{ revision }}", Ok(SHA)),
        (
            "${{ tag }}",
            Err("`parameters.level` is set from `tag`, which this event does not have."),
        ),
        (
            "${{ payload.none }}",
            Err("`parameters.level` is set from `payload.none`, which this event does not have."),
        ),
    ] {
        let parameters = set(text);
        let decided = match decide(&with(&rules, &parameters), &push("main")).0 {
            Decision::Start(start) => Ok(start.parameters["level"].clone()),
            Decision::Error(why) => Err(why),
            Decision::Nothing(why) => panic!("{why}"),
        };
        assert_eq!(decided, want.map(str::to_owned).map_err(str::to_owned), "{text}");
    }
    // What came from outside is judged like anything else.
    let none = BTreeMap::new();
    let wanted = Wanted {
        branch: Some("${{ payload.b }}"),
        ..with(&rules, &none)
    };
    let mut event = push("main");
    event.payload = json!({ "b": "--upload-pack=id" });
    assert!(matches!(decide(&wanted, &event).0, Decision::Error(why) if why.contains("which it cannot be")));
}

#[test]
fn what_no_rule_names_starts_nothing_unless_it_is_usual() {
    let none = BTreeMap::new();
    let asked = |rules: &[&str], kind: &str, action: Option<&str>| {
        let event = Event {
            kind: kind.into(),
            action: action.map(str::to_owned),
            ..push("main")
        };
        matches!(decide(&with(&texts(rules), &none), &event).0, Decision::Start(_))
    };
    assert!(asked(&[], "push", None) && asked(&[], "tag", None));
    assert!(asked(&[], "pull_request", Some("opened")) && asked(&[], "release", Some("published")));
    assert!(
        !asked(&[], "pull_request", Some("closed")) && asked(&["action == closed"], "pull_request", Some("closed"))
    );
    assert!(!asked(&[], "ping", None) && !asked(&[], "delete", None) && !asked(&[], "issues", Some("opened")));
    assert!(asked(&["event == issues"], "issues", Some("edited")) && asked(&["event == delete"], "delete", None));
    let fork = |rules: &[&str]| {
        let event = Event {
            kind: "pull_request".into(),
            action: Some("opened".into()),
            fork: true,
            ..push("main")
        };
        decide(&with(&texts(rules), &none), &event).0
    };
    assert!(matches!(fork(&[]), Decision::Start(_)));
    assert!(matches!(fork(&["fork == false"]), Decision::Nothing(_)));
    let generic = Event {
        kind: "deploy".into(),
        ..Event::default()
    };
    assert!(matches!(decide(&with(&[], &none), &generic).0, Decision::Start(_)));
    let mut skipped = push("main");
    skipped.message = Some("typo [skip ci]".into());
    assert!(matches!(decide(&with(&[], &none), &skipped).0, Decision::Nothing(why) if why.contains("[skip ci]")));
    let wanted = Wanted {
        ignore_skip: true,
        ..with(&[], &none)
    };
    assert!(matches!(decide(&wanted, &skipped).0, Decision::Start(_)));
}

#[test]
fn mistakes_are_told_at_their_fields() {
    let rules = texts(&["branch = main", "event == push"]);
    let parameters = BTreeMap::from([
        ("a b".to_owned(), "${{ nope }}".to_owned()),
        ("c".to_owned(), "${{ tag".to_owned()),
    ]);
    let wanted = Wanted {
        branch: Some("--x"),
        revision: Some("abc"),
        source: None,
        ..with(&rules, &parameters)
    };
    let found = problems(&wanted, 60, 50);
    let paths: Vec<&str> = found.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "rules[0]",
            "parameters.a b",
            "parameters.a b",
            "parameters.c",
            "branch",
            "branch",
            "revision",
            "revision",
            "priority"
        ]
    );
    assert_eq!(found[0].column, Some(8));
}

#[test]
fn a_strangers_change_starts_under_their_name_and_on_no_branch_of_ours() {
    let none = BTreeMap::new();
    let theirs = Event {
        kind: "pull_request".into(),
        action: Some("opened".into()),
        branch: Some("main".into()),
        fork: true,
        from: Some("mallory/app".into()),
        ..push("main")
    };
    let started = |event: &Event, rules: &[&str]| decide(&with(&texts(rules), &none), event).0;
    let Decision::Start(start) = started(&theirs, &[]) else {
        panic!("a pull request starts something");
    };
    assert_eq!((start.fork.as_deref(), start.branch), (Some("mallory/app"), None));
    assert_eq!(start.revision, theirs.revision);
    let gone = Event {
        from: None,
        ..theirs.clone()
    };
    assert!(matches!(started(&gone, &[]), Decision::Start(Start { fork: Some(from), .. }) if from.contains("gone")));
    let ours = Event {
        fork: false,
        ..theirs.clone()
    };
    assert!(matches!(started(&ours, &[]), Decision::Start(Start { fork: None, branch: Some(b), .. }) if b == "main"));
    let after = Event {
        kind: "upstream".into(),
        action: Some("passed".into()),
        ..theirs
    };
    assert!(matches!(started(&after, &[]), Decision::Nothing(why) if why.contains("from the fork `mallory/app`")));
    assert!(matches!(
        started(&after, &["fork == true"]),
        Decision::Start(Start { fork: Some(_), .. })
    ));
}

#[test]
fn what_sounds_like_a_secret_is_compared_and_told_to_nobody() {
    let rules = texts(&["payload.deploy.token == hunter2", "payload.deploy.token =~ ^hunter"]);
    let mut event = push("main");
    event.payload = json!({ "deploy": { "token": "hunter2" } });
    let (decision, evaluation) = decide(&with(&rules, &BTreeMap::new()), &event);
    assert!(matches!(decision, Decision::Start(_)), "{decision:?}");
    for asked in evaluation.rules {
        assert_eq!(asked.found, [TAKEN_OUT]);
        assert!(
            asked.why.starts_with("payload.deploy.token `(taken out)` "),
            "{}",
            asked.why
        );
    }
}
